package pop3

import (
	"context"
	"strconv"
	"strings"
	"time"
)

const (
	maxCapabilityOctets = 64 << 10
	maxCapabilityLine   = 512 // RFC 2449 §3
	maxLoginDelay       = 24 * time.Hour
)

// capabilities is what CAPA told (RFC 2449 §5): arguments by keyword, both in upper case.
type capabilities struct {
	known bool // the server answered CAPA; otherwise nothing can be concluded from what is missing
	lines []string
	args  map[string][]string
}

func (c *capabilities) has(keyword string) bool {
	_, ok := c.args[keyword]
	return ok
}

func (c *capabilities) hasArg(keyword, arg string) bool {
	for _, a := range c.args[keyword] {
		if a == arg {
			return true
		}
	}
	return false
}

// loginDelay is the pause that the server wants between logins (RFC 2449 §6.5), at most a day; 0 if it named none.
func (c *capabilities) loginDelay() time.Duration {
	args := c.args["LOGIN-DELAY"]
	if len(args) == 0 {
		return 0
	}
	seconds, err := strconv.ParseUint(args[0], 10, 31)
	if err != nil {
		return 0
	}
	return min(time.Duration(seconds)*time.Second, maxLoginDelay)
}

// consumes reports whether the server may delete what was retrieved, at QUIT and without DELE (EXPIRE 0, RFC 2449 §6.7).
func (c *capabilities) consumes() bool { return c.hasArg("EXPIRE", "0") }

// askCapabilities sends CAPA. An -ERR is the answer of servers from before 1998 and leaves the session as it was.
func (s *session) askCapabilities(ctx context.Context) error {
	defer s.wire.Begin(ctx)()
	st, err := s.command("capabilities", "CAPA")
	if err != nil || !st.ok {
		return err
	}
	caps := capabilities{known: true, args: map[string][]string{}}
	err = newBody(s.wire.r, maxCapabilityOctets, nil).eachLine(maxCapabilityLine, func(line []byte, _ bool) error {
		f := strings.Fields(strings.ToUpper(strings.ToValidUTF8(string(line), "?")))
		if len(f) > 0 {
			caps.lines = append(caps.lines, strings.Join(f, " "))
			caps.args[f[0]] = append(caps.args[f[0]], f[1:]...)
		}
		return nil
	})
	if err != nil {
		return s.broke("capabilities", err)
	}
	s.caps = caps
	return nil
}
