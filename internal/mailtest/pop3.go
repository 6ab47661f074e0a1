package mailtest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"testing"
	"time"
)

// POP3Options say what kind of POP3 server to run.
type POP3Options struct {
	// Addr is host:port; empty or port 0: a free port of 127.0.0.1.
	Addr     string
	Accounts []Account
	// Cert enables STLS (RFC 2595 §4), or TLS from the first octet with ImplicitTLS (RFC 8314 §3.3).
	Cert        *Certificate
	ImplicitTLS bool
	// RequireTLS refuses logins on a connection without TLS.
	RequireTLS bool
	// Without lists what the server does not know, to be like an older one: CAPA, UIDL, TOP, STLS, PIPELINING, SASL.
	// PIPELINING and SASL are merely not advertised.
	Without []string
	// LoginDelay is the time that must pass between two logins of a user (RFC 2449 §6.5); advertised in seconds.
	LoginDelay time.Duration
	Faults     POP3Faults
}

// POP3Faults are deviations from good behaviour. Each function may be nil. They are called from the goroutines of the
// connections, possibly of several at once.
type POP3Faults struct {
	// Greeting replaces the greeting line. One that begins with -ERR ends the connection.
	Greeting string
	// Login judges login attempt n, from 1 over the life of the server. Not empty: refused with this text after "-ERR ",
	// such as "[AUTH] no", "[SYS/TEMP] later", "[LOGIN-DELAY] wait", "[IN-USE] locked".
	Login func(n int, user string) string
	// Command is asked before any other command than a login, by its name in capitals. Not empty: refused with this text.
	Command func(name, arg string) string
	// Stall reports whether to answer this command never.
	Stall func(name, arg string) bool
	// Retr says how to serve message number, from 1.
	Retr func(number int) RetrFault
	// Size replaces the size that STAT and LIST tell.
	Size func(number int, size int64) int64
	// UIDL replaces the unique-id that is told. See also Mailbox.SetUIDL and RenewUIDLs.
	UIDL func(number int, uidl string) string
	// Quit says what happens to messages marked as deleted.
	Quit QuitFault
}

// RetrFault is a way to fail at sending a message. The zero value is none.
type RetrFault struct {
	// Refuse is the text of an -ERR answer.
	Refuse string
	// After that many octets of the message as it goes over the wire, not counting the +OK line, the server
	// Cuts the connection, Stalls, or Ends the message as if it were complete.
	After           int
	Cut, Stall, End bool
	// Body replaces the message.
	Body []byte
}

// QuitFault is a way to end a session.
type QuitFault int

// The ways to end a session.
const (
	QuitWell        QuitFault = iota // deletes, then says +OK
	QuitRefused                      // deletes nothing and says so: -ERR, RFC 1939 §6
	QuitCutBefore                    // deletes nothing, cuts the connection
	QuitCutAfter                     // deletes, cuts the connection without an answer
	QuitDeletesNone                  // deletes nothing, but says +OK
)

// POP3Server is a POP3 server (RFC 1939, 2449, 2595, 5034) in this process.
type POP3Server struct {
	*endpoint
	transcript
	*accounts
	opt POP3Options

	mu     sync.Mutex
	faults POP3Faults
	last   map[string]time.Time // login of each user
}

// RunPOP3 starts a server. The caller closes it.
func RunPOP3(opt POP3Options) (*POP3Server, error) {
	s := &POP3Server{opt: opt, accounts: newAccounts(opt.Accounts), faults: opt.Faults, last: map[string]time.Time{}}
	if opt.ImplicitTLS && opt.Cert == nil {
		return nil, fmt.Errorf("mailtest: pop3: ImplicitTLS needs Cert")
	}
	e, err := listenEndpoint(opt.Addr, s.serve)
	if err != nil {
		return nil, fmt.Errorf("mailtest: pop3: %w", err)
	}
	s.endpoint = e
	return s, nil
}

// StartPOP3 runs a server until the test ends.
func StartPOP3(t testing.TB, opt POP3Options) *POP3Server {
	t.Helper()
	s, err := RunPOP3(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// SetFaults replaces all faults, for sessions under way too.
func (s *POP3Server) SetFaults(f POP3Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

func (s *POP3Server) fault() POP3Faults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

// tooSoon notes a successful login and reports whether it came within LoginDelay of the last.
func (s *POP3Server) tooSoon(user string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.opt.LoginDelay > 0 && time.Since(s.last[user]) < s.opt.LoginDelay {
		return true
	}
	s.last[user] = time.Now()
	return false
}

func (s *POP3Server) serve(c net.Conn) {
	if s.opt.ImplicitTLS {
		c = tls.Server(c, s.opt.Cert.ServerConfig())
	}
	p := &pop3Session{server: s}
	p.use(c)
	defer p.end()
	p.run()
}

// wire is the message as RETR sends it, without the final dot: dots at line starts doubled, a CRLF at the end.
func wire(raw []byte) []byte {
	out := make([]byte, 0, len(raw)+len(raw)/64+2)
	if len(raw) > 0 && raw[0] == '.' {
		out = append(out, '.')
	}
	out = append(out, bytes.ReplaceAll(raw, []byte("\r\n."), []byte("\r\n.."))...)
	if !bytes.HasSuffix(out, []byte("\r\n")) {
		out = append(out, "\r\n"...)
	}
	return out
}

// size counts the octets of the message with the CRLF that RETR adds at its end, without doubled dots: RFC 1939 §11.
func size(raw []byte) int64 {
	n := int64(len(raw))
	if !bytes.HasSuffix(raw, []byte("\r\n")) {
		n += 2
	}
	return n
}
