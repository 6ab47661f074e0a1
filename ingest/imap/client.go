package imap

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// DefaultMaxMessageBytes is the largest message that is fetched where the mailbox sets no limit.
const DefaultMaxMessageBytes = 40 << 20

// Client opens IMAP sessions. It may be used by many goroutines at once.
type Client struct {
	// Dialer makes the connections; required.
	Dialer *dial.Dialer
	// Version is told to servers that want to know who connects (ID, RFC 2971); empty means it is left out.
	Version string
}

// Open connects, secures the connection as the mailbox demands, logs in and opens the folder: with EXAMINE if readOnly,
// otherwise with SELECT (RFC 9051 §6.3.3). Pass readOnly unless the session is going to settle. The Session is for one
// goroutine at a time and must be closed. Errors are *ingest.Error.
//
// With a dial.Trace in ctx the stages are reported there, and a note if messages can be flagged but not expunged.
func (c *Client) Open(ctx context.Context, m *ingest.Mailbox, readOnly bool) (ingest.Session, error) {
	if err := dial.CheckCredential(m); err != nil {
		return nil, err
	}
	conn, err := c.Dialer.Dial(ctx, m)
	if err != nil {
		return nil, err
	}
	s, err := c.open(ctx, conn, m, readOnly)
	if err != nil {
		return nil, err
	}
	return s, nil
}

func (c *Client) open(ctx context.Context, conn *dial.Conn, m *ingest.Mailbox, readOnly bool) (*session, error) {
	h := &hello{dialer: c.Dialer, conn: conn, mailbox: m}
	if err := h.greeting(ctx); err != nil {
		h.conn.Fail(err)
		return nil, err
	}
	login, cancel := c.Dialer.LoginContext(ctx)
	defer cancel()
	if err := h.secure(login); err != nil {
		h.conn.Fail(err)
		return nil, err
	}
	s := newSession(h, m, readOnly)
	if err := s.login(login); err != nil {
		s.abort(err)
		return nil, err
	}
	if err := s.open(ctx, c.Version); err != nil {
		s.abort(err)
		return nil, err
	}
	return s, nil
}

func newSession(h *hello, m *ingest.Mailbox, readOnly bool) *session {
	g := newGuard(h.conn, h.caps)
	return &session{
		conn: h.conn, guard: g, client: imapclient.New(g, nil), readOnly: readOnly,
		username: m.Username, password: m.Password, settlement: m.Settlement,
		folder: cmp.Or(m.Folder, "INBOX"), maxMessage: cmp.Or(m.MaxMessageBytes, DefaultMaxMessageBytes),
	}
}

// login picks the mechanism: SASL PLAIN, which carries any UTF-8, else the LOGIN command unless it is disabled, else
// SASL LOGIN (RFC 9051 §6.2.2, §6.2.3).
func (s *session) login(ctx context.Context) error {
	start, trace := time.Now(), dial.TraceFrom(ctx)
	caps, user, password := s.guard.capabilities(), s.username, s.password.Reveal()
	s.password = ingest.Secret{}
	var attempt func() error
	switch {
	case caps.has("AUTH=PLAIN"):
		attempt = func() error { return s.client.Authenticate(sasl.NewPlainClient("", user, password)) }
	case !caps.has("LOGINDISABLED"):
		attempt = func() error { return s.client.Login(user, password).Wait() }
	case caps.has("AUTH=LOGIN"):
		s.guard.prompt.Store(true)
		attempt = func() error { return s.client.Authenticate(dial.NewLoginMechanism(user, password)) }
	default:
		return &ingest.Error{Op: "login", Kind: ingest.KindConfig, Reason: ingest.ReasonLoginDisabled,
			Hint: "protocol, starttls: the server allows no password on this connection; switch TLS on, or permit password login for IMAP on the server."}
	}
	s.guard.login.Store(true)
	err := s.command(ctx, "login", 1, newSink(), attempt)
	s.guard.login.Store(false)
	if err != nil {
		return err
	}
	if trace != nil {
		trace.Login = dial.Passed(start)
	}
	return nil
}

// open selects the folder. ID goes first in the same flight: some providers refuse SELECT without it (QUIRK: 163.com,
// RFC 2971 §3.1), and a CAPABILITY where the login did not bring the list of what is possible now (RFC 9051 §6.2).
func (s *session) open(ctx context.Context, version string) error {
	start, trace := time.Now(), dial.TraceFrom(ctx)
	sink := newSink()
	identify, ask := s.guard.capabilities().has("ID"), !s.guard.fresh.Load()
	n := 1
	for _, also := range []bool{identify, ask} {
		if also {
			n++
		}
	}
	err := s.command(ctx, "select", n, sink, func() error {
		var id *imapclient.IDCommand
		var capability *imapclient.CapabilityCommand
		if identify {
			id = s.client.ID(&goimap.IDData{Name: "mailintake", Version: version})
		}
		if ask {
			capability = s.client.Capability()
		}
		sel := s.client.Select(s.folder, &goimap.SelectOptions{ReadOnly: s.readOnly})
		if id != nil {
			_, _ = id.Wait() // a refusal does no harm, and a lost connection shows in the answer to SELECT
		}
		if capability != nil {
			_, _ = capability.Wait() // likewise: the guard keeps the list that came
		}
		_, err := sel.Wait()
		return err
	})
	if err != nil {
		return s.folderError(err)
	}
	s.state = sink.mailbox()
	s.state.readOnly = s.guard.finalResult().code == "READ-ONLY"
	if trace != nil {
		trace.Folder, trace.Messages = dial.Passed(start), int(s.state.exists)
		trace.Capabilities = s.guard.capabilities().list()
		if s.settlement == ingest.SettleDelete && !s.canExpunge() {
			trace.Notes = append(trace.Notes, noteNoExpunge)
		}
		if s.state.readOnly && !s.readOnly && s.settlement != ingest.SettleLeave {
			trace.Notes = append(trace.Notes, "The server opens this folder for reading only, so that messages cannot be settled.")
		}
	}
	return nil
}

const noteNoExpunge = "The server lacks UIDPLUS: deleted messages are flagged \\Deleted and stay until somebody expunges the folder."

// folderError says more about a refused SELECT: unless the server names a temporary cause, the folder is not there.
// INBOX always exists (RFC 9051 §5.1), so that its refusal is the server's trouble unless a code says otherwise.
func (s *session) folderError(err error) error {
	e, ok := errors.AsType[*ingest.Error](err)
	if !ok || e.Reason != ingest.ReasonRefused {
		return err
	}
	code := s.guard.lastResult().code
	if strings.EqualFold(s.folder, "INBOX") && !slices.Contains([]string{"NONEXISTENT", "NOPERM", "CANNOT"}, code) {
		e.Kind, e.Reason = ingest.KindTemporary, ingest.ReasonServerUnavailable
		return e
	}
	e.Kind, e.Reason = ingest.KindConfig, ingest.ReasonFolderNotFound
	e.Hint = fmt.Sprintf("folders: the server does not open %q; check its full name, which may need a prefix such as INBOX.", s.folder)
	return e
}
