package imap

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// result is a status response, tagged or not (RFC 9051 §7.1): "NO [UNAVAILABLE] try later".
type result struct {
	status string // OK, NO, BAD, BYE or PREAUTH in upper case; anything else as it came
	code   string // upper case; empty if none
	args   string // of the code
	text   string // everything behind the status, code included, as it came
}

// parseResult takes a status response apart. It cannot fail: what is no code stays text.
func parseResult(status, text string) result {
	r := result{status: strings.ToUpper(status), text: text}
	text = strings.TrimLeft(text, " ")
	if !strings.HasPrefix(text, "[") {
		return r
	}
	inside, _, closed := strings.Cut(text[1:], "]")
	if !closed {
		return r
	}
	code, args, _ := strings.Cut(inside, " ")
	r.code, r.args = strings.ToUpper(code), args
	return r
}

func (r result) clean() string { return ingest.CleanServerText(r.text) }

// number is the code's argument. Values beyond 32 bits are cut to the largest 33-bit-safe meaning by the caller.
func (r result) number() (uint64, bool) {
	n, err := strconv.ParseUint(strings.TrimSpace(r.args), 10, 64)
	return n, err == nil
}

func (r result) capabilities() capabilities {
	if r.code != "CAPABILITY" {
		return nil
	}
	return parseCapabilities(r.args)
}

// capabilities are what the server announced, in upper case. Nil means that it has not said.
type capabilities map[string]bool

func parseCapabilities(text string) capabilities {
	c := capabilities{}
	for _, name := range strings.Fields(text) {
		c[strings.ToUpper(name)] = true
	}
	return c
}

func (c capabilities) has(name string) bool { return c[name] }

func (c capabilities) list() []string { return slices.Sorted(maps.Keys(c)) }

var backoff = regexp.MustCompile(`(?i)backoff time:?\s*(\d{1,9})\s*(milliseconds|ms|seconds|s)?`)

// error turns a refusal into what it means, by its code (RFC 5530) first and by its words where there is no code, as
// Microsoft and others send none. What says nothing in particular is a refused login at login, and otherwise
// COMMAND_REFUSED.
func (r result) error(op string) *ingest.Error {
	e := &ingest.Error{Op: op, Kind: ingest.KindTemporary, Reason: ingest.ReasonRefused, Server: r.clean()}
	is := func(k ingest.Kind, reason ingest.Reason, hint string) *ingest.Error {
		e.Kind, e.Reason, e.Hint = k, reason, hint
		return e
	}
	words := strings.ToLower(r.text)
	says := func(any ...string) bool {
		return slices.ContainsFunc(any, func(w string) bool { return strings.Contains(words, w) })
	}
	if m := backoff.FindStringSubmatch(r.text); m != nil {
		n, _ := strconv.Atoi(m[1])
		e.RetryAfter = time.Duration(n) * time.Millisecond
		if strings.HasPrefix(strings.ToLower(m[2]), "s") {
			e.RetryAfter = time.Duration(n) * time.Second
		}
	}
	const slower = "The server asks for a pause; poll less often or reduce the number of clients of this mailbox."
	switch {
	// QUIRK: Exchange Online says "User is authenticated but not connected" when it throttles, RFC 9051 §7.1.2.
	case r.code == "LIMIT", r.code == "THROTTLED", e.RetryAfter > 0,
		says("throttled", "authenticated but not connected", "too many", "rate limit", "bandwidth limit", "command limit",
			"maximum number of connections", "connection limit", "backoff time", "simultaneous connections"):
		return is(ingest.KindThrottled, ingest.ReasonThrottled, slower)
	case r.code == "AUTHENTICATIONFAILED", r.code == "AUTHORIZATIONFAILED", r.code == "EXPIRED":
		return is(ingest.KindAuth, ingest.ReasonLoginRefused, "username, password: the server refuses them; some providers want an app password.")
	case r.code == "PRIVACYREQUIRED":
		return is(ingest.KindConfig, ingest.ReasonLoginDisabled, "protocol, starttls: the server allows passwords under TLS only.")
	case r.code == "UNAVAILABLE", r.code == "SERVERBUG" && op == "login":
		return is(ingest.KindTemporary, ingest.ReasonServerUnavailable, "The server says that it cannot serve now; this passes by itself.")
	case r.code == "INUSE":
		return is(ingest.KindTemporary, ingest.ReasonMailboxInUse, "Another client holds the mailbox; this passes by itself.")
	case r.status == "BYE", says("temporar", "try again", "try later", "later", "unavailable", "busy", "overload", "internal",
		"timeout", "timed out", "system error", "maintenance", "shutting down"):
		return is(ingest.KindTemporary, ingest.ReasonServerUnavailable, "The server says that it cannot serve now; this passes by itself.")
	case r.status == "BAD":
		return is(ingest.KindProtocol, ingest.ReasonRefused, "The server does not understand a command that it must know.")
	case op == "login":
		return is(ingest.KindAuth, ingest.ReasonLoginRefused, "username, password: the server refuses them; some providers want an app password.")
	}
	return e
}
