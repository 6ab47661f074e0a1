package pop3

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"strings"
	"time"

	gopop3 "github.com/knadh/go-pop3"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// DefaultWindow is how many commands are under way at once where the server allows pipelining. It hides 20 ms of round
// trip behind messages of 10 KB.
const DefaultWindow = 100

// Client opens sessions. It may be used by many goroutines at once; fields are not changed after first use.
type Client struct {
	// Dialer connects; it also holds the deadlines. nil means a zero dial.Dialer.
	Dialer *dial.Dialer
	// Window is the most commands under way at once if CAPA lists PIPELINING (RFC 2449 §6.6); 0 means DefaultWindow.
	// Other servers get one command at a time.
	Window int
}

// Open connects, upgrades to TLS where the mailbox requires it, and logs in. The caller closes the session. Errors are
// *ingest.Error; after an error nothing is left open.
//
// With Mailbox.StartTLS no credential is sent before the handshake, whatever the server says. USER and PASS log in
// wherever they can carry the credential; AUTH PLAIN does where they cannot: octets beyond printable ASCII (RFC 1939
// §3), spaces, or a server that lists SASL PLAIN and not USER.
//
// A dial.Trace in ctx also makes Open read the listing, so that a connection test learns whether messages can be told apart.
func (c *Client) Open(ctx context.Context, m *ingest.Mailbox) (ingest.Session, error) {
	if err := dial.CheckCredential(m); err != nil {
		return nil, err
	}
	dialer := c.Dialer
	if dialer == nil {
		dialer = &dial.Dialer{}
	}
	conn, err := dialer.Dial(ctx, m)
	if err != nil {
		return nil, err
	}
	s := &session{
		wire:      newWire(conn),
		encrypted: m.Protocol.ImplicitTLS(),
		window:    max(cmp.Or(c.Window, DefaultWindow), 1),
		max:       m.MaxMessageBytes,
		prints:    map[string]int{},
	}
	if password := m.Password.Reveal(); password != "" {
		s.secrets = []string{password, base64.StdEncoding.EncodeToString(plainResponse(m))}
	}
	if err := s.open(ctx, dialer, m); err != nil {
		s.wire.Fail(dial.ErrClosed)
		return nil, err
	}
	s.secrets = nil
	return s, nil
}

func (s *session) open(ctx context.Context, dialer *dial.Dialer, m *ingest.Mailbox) error {
	trace := dial.TraceFrom(ctx)
	if err := s.greet(ctx, dialer, m, trace); err != nil {
		return err
	}
	login, cancel := dialer.LoginContext(ctx)
	defer cancel()
	if m.StartTLS && !m.Protocol.ImplicitTLS() {
		if err := s.startTLS(login, dialer, m); err != nil {
			return err
		}
	}
	if err := s.askCapabilities(login); err != nil {
		return err
	}
	start := time.Now()
	if err := s.login(login, m); err != nil {
		return err
	}
	if trace != nil {
		trace.Login = dial.Passed(start)
	}
	if s.caps.known && !s.caps.has("PIPELINING") {
		// What a server can do may depend on the state (RFC 2449 §5), and this one is worth a round trip.
		if err := s.askCapabilities(login); err != nil {
			return err
		}
	}
	if trace == nil {
		return nil
	}
	start = time.Now()
	if err := s.loadListing(ctx); err != nil {
		return err
	}
	trace.Folder, trace.Messages, trace.Capabilities = dial.Passed(start), len(s.entries), s.caps.lines
	trace.Notes = append(trace.Notes, s.notes()...)
	return nil
}

// notes are the shortcomings of the server that its users notice.
func (s *session) notes() []string {
	var notes []string
	if !s.caps.has("PIPELINING") {
		notes = append(notes, "The server does not announce PIPELINING; each message costs a round trip.")
	}
	if s.noUIDL {
		notes = append(notes, "The server has no UIDL; messages are told apart by their headers, which are read at every visit.")
	}
	if s.caps.consumes() {
		notes = append(notes, "The server announces EXPIRE 0; it may delete or hide messages once they were read.")
	}
	return notes
}

// greet reads the greeting, RFC 1939 §4, through go-pop3.
func (s *session) greet(ctx context.Context, dialer *dial.Dialer, m *ingest.Mailbox, trace *dial.Trace) error {
	start := time.Now()
	limited, cancel := dialer.GreetingContext(ctx)
	defer cancel()
	defer s.wire.Begin(limited)()
	pop, err := gopop3.New(gopop3.Opt{Host: m.Host, Port: m.Port, Dialer: s.wire}).NewConn()
	if alien, ok := errors.AsType[*notStatus](s.wire.err); ok {
		return notMail(alien.line)
	}
	if s.wire.err != nil {
		return s.broke("greeting", s.wire.err)
	}
	banner := ingest.CleanServerText(s.wire.last.text)
	if err != nil {
		return &ingest.Error{
			Op: "greeting", Kind: ingest.KindTemporary, Reason: ingest.ReasonGreetingRefused, Server: banner,
			Hint: "The server turns connections away at the moment.",
		}
	}
	s.pop, s.wire.eager = pop, true
	if err := s.quiet("greeting"); err != nil {
		return err
	}
	if trace != nil {
		trace.Greeting, trace.Banner = dial.Passed(start), banner
	}
	return nil
}

// notMail is the error for a first line that no POP3 server would send.
func notMail(line string) *ingest.Error {
	e := &ingest.Error{
		Op: "greeting", Kind: ingest.KindConfig, Reason: ingest.ReasonNotAMailServer, Server: ingest.CleanServerText(line),
		Hint: "The server does not speak POP3 here; check host, port and protocol.",
	}
	for _, other := range []struct{ prefix, name string }{
		{"* ", "IMAP"}, {"220", "SMTP or FTP"}, {"SSH-", "SSH"}, {"HTTP/", "HTTP"}, {"\x15\x03", "TLS"},
	} {
		if strings.HasPrefix(line, other.prefix) {
			e.Hint = "The server speaks " + other.name + " here, not POP3; check host, port and protocol."
		}
	}
	return e
}

// startTLS upgrades the connection, RFC 2595 §4. CAPA is not asked before: nothing said in clear could be relied on.
func (s *session) startTLS(ctx context.Context, dialer *dial.Dialer, m *ingest.Mailbox) error {
	end := s.wire.Begin(ctx)
	st, err := s.command("starttls", "STLS")
	end()
	if err != nil {
		return err
	}
	if !st.ok {
		e := refusal("starttls", st)
		if e.Kind != ingest.KindTemporary {
			e.Kind = ingest.KindConfig
			e.Hint = "The server does not offer STLS; use POP3S, or allow plain text explicitly."
		}
		e.Reason = ingest.ReasonStartTLSRefused
		return e
	}
	if s.wire.r.Buffered() > 0 {
		return &ingest.Error{
			Op: "starttls", Kind: ingest.KindProtocol, Reason: ingest.ReasonStartTLSInjection,
			Err:  errors.New("octets in clear follow the answer to STLS"),
			Hint: "Somebody between here and the server may be tampering with the connection.",
		}
	}
	secure, err := dialer.StartTLS(ctx, s.wire.Conn, m)
	if err != nil {
		return err
	}
	s.wire.upgrade(secure)
	s.encrypted = true
	return nil
}

// login proves who we are, with AUTH PLAIN or with USER and PASS.
func (s *session) login(ctx context.Context, m *ingest.Mailbox) error {
	defer s.wire.Begin(ctx)()
	password := m.Password.Reveal()
	plain := s.caps.hasArg("SASL", "PLAIN")
	if s.caps.known && !s.encrypted && !plain && !s.caps.has("USER") && s.caps.has("STLS") {
		return &ingest.Error{
			Op: "login", Kind: ingest.KindConfig, Reason: ingest.ReasonLoginDisabled,
			Hint: "The server takes passwords over TLS only; use POP3S, or POP3 with starttls.",
		}
	}
	if plain && (!s.caps.has("USER") || !printable(m.Username) || !printable(password)) {
		done, err := s.authPlain(m)
		if done || err != nil {
			return err
		}
	}
	for _, line := range []string{"USER " + m.Username, "PASS " + password} {
		st, err := s.command("login", line)
		if err != nil {
			return err
		}
		if !st.ok {
			return s.loginRefusal(st)
		}
	}
	return s.quiet("login")
}

// authPlain is SASL PLAIN (RFC 4616) by AUTH, RFC 5034 §4. done is false if the server refused the mechanism before
// it saw a credential.
//
// QUIRK: Microsoft 365 closes the connection at an initial response, contrary to RFC 5034 §4; so there is none.
func (s *session) authPlain(m *ingest.Mailbox) (done bool, err error) {
	s.wire.sasl = true
	st, err := s.command("login", "AUTH PLAIN")
	s.wire.sasl = false
	if err != nil || !st.ok {
		return false, err
	}
	if !st.challenge {
		return false, s.broke("login", &notStatus{})
	}
	st, err = s.command("login", base64.StdEncoding.EncodeToString(plainResponse(m)))
	if err != nil {
		return false, err
	}
	if !st.ok {
		return false, s.loginRefusal(st)
	}
	return true, s.quiet("login")
}

func plainResponse(m *ingest.Mailbox) []byte {
	return []byte("\x00" + m.Username + "\x00" + m.Password.Reveal())
}

// printable reports whether RFC 1939 §3 allows s as an argument: no spaces, nothing beyond ASCII.
func printable(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
