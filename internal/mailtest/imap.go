package mailtest

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"sync"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// IMAPOptions say what kind of IMAP server to run.
type IMAPOptions struct {
	// Addr is host:port; empty or port 0: a free port of 127.0.0.1.
	Addr     string
	Accounts []Account
	// Cert enables STARTTLS, or TLS from the first octet with ImplicitTLS.
	Cert        *Certificate
	ImplicitTLS bool
	// RequireTLS refuses logins on a connection without TLS and advertises LOGINDISABLED.
	RequireTLS bool
	// Capabilities replace the default: IMAP4rev1 with UIDPLUS, MOVE, NAMESPACE, ESEARCH, STATUS=SIZE. IMAP4rev1 or
	// IMAP4rev2 must be among them.
	Capabilities []string
	// Bye that is not empty is said instead of a greeting, with this text, to whoever connects.
	Bye    string
	Faults IMAPFaults
}

// IMAPFaults are deviations from good behaviour. Each function may be nil. They are called from the goroutines of the
// connections, possibly of several at once.
type IMAPFaults struct {
	// Login judges login attempt n, from 1 over the life of the server. Not empty: refused with NO and this text, which
	// may begin with a response code in brackets, "[AUTHENTICATIONFAILED] no" (RFC 5530 §3).
	Login func(n int, user string) string
	// Command is asked before any other command, by its name as recorded without "UID": SELECT, EXAMINE, FETCH, STORE,
	// EXPUNGE, SEARCH, IDLE, LIST, STATUS, COPY, MOVE. Not empty: refused with NO and this text.
	Command func(name string) string
	// Stall reports whether to answer this command never.
	Stall func(name string) bool
	// Fetch says how to serve the body of a message.
	Fetch func(uid uint32) FetchFault
	// Size replaces the RFC822.SIZE that is told.
	Size func(uid uint32, size int64) int64
}

// FetchFault is a way to fail at sending a message. The zero value is none.
type FetchFault struct {
	// Refuse ends the command here with NO and this text.
	Refuse string
	// Omit leaves the message out of an otherwise successful answer.
	Omit bool
	// After that many octets of the literal the server Cuts the connection or Stalls. On a connection upgraded by
	// STARTTLS up to 4 KiB less arrive, since the cut is made below TLS.
	After      int
	Cut, Stall bool
	// Body replaces the message.
	Body []byte
}

// IMAPServer is an IMAP server (RFC 9051, 3501) in this process.
type IMAPServer struct {
	*endpoint
	transcript
	*accounts
	opt  IMAPOptions
	imap *imapserver.Server

	mu     sync.Mutex
	faults IMAPFaults
}

// RunIMAP starts a server. The caller closes it.
func RunIMAP(opt IMAPOptions) (*IMAPServer, error) {
	if opt.ImplicitTLS && opt.Cert == nil {
		return nil, errors.New("mailtest: imap: ImplicitTLS needs Cert")
	}
	s := &IMAPServer{opt: opt, accounts: newAccounts(opt.Accounts), faults: opt.Faults}
	caps := imap.CapSet{}
	for _, c := range opt.Capabilities {
		caps[imap.Cap(c)] = struct{}{}
	}
	if len(opt.Capabilities) == 0 {
		for _, c := range []imap.Cap{imap.CapIMAP4rev1, imap.CapUIDPlus, imap.CapMove, imap.CapNamespace, imap.CapESearch, imap.CapStatusSize} {
			caps[c] = struct{}{}
		}
	}
	if !caps.Has(imap.CapIMAP4rev1) && !caps.Has(imap.CapIMAP4rev2) {
		return nil, errors.New("mailtest: imap: capabilities need IMAP4rev1 or IMAP4rev2")
	}
	o := &imapserver.Options{
		NewSession: s.newSession, Caps: caps,
		// With implicit TLS the library sees a connection that it does not know to be encrypted.
		InsecureAuth: opt.ImplicitTLS || !opt.RequireTLS,
		Logger:       log.New(io.Discard, "", 0), // broken connections are what tests are about
	}
	if opt.Cert != nil && !opt.ImplicitTLS {
		o.TLSConfig = opt.Cert.ServerConfig()
	}
	s.imap = imapserver.New(o)
	e, err := listenEndpoint(opt.Addr, s.serve)
	if err != nil {
		return nil, fmt.Errorf("mailtest: imap: %w", err)
	}
	s.endpoint = e
	return s, nil
}

// StartIMAP runs a server until the test ends.
func StartIMAP(t testing.TB, opt IMAPOptions) *IMAPServer {
	t.Helper()
	s, err := RunIMAP(opt)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// SetFaults replaces all faults, for sessions under way too.
func (s *IMAPServer) SetFaults(f IMAPFaults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = f
}

func (s *IMAPServer) fault() IMAPFaults {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.faults
}

func (s *IMAPServer) serve(c net.Conn) {
	if s.opt.ImplicitTLS {
		c = tls.Server(c, s.opt.Cert.ServerConfig())
	}
	one := &oneConn{conn: &cutter{Conn: c}, over: make(chan struct{})}
	one.conn.closed = sync.OnceFunc(func() { close(one.over) })
	_ = s.imap.Serve(one) // returns when the connection is closed
	_ = c.Close()
}

func (s *IMAPServer) newSession(c *imapserver.Conn) (imapserver.Session, *imapserver.GreetingData, error) {
	if s.opt.Bye != "" {
		code, text := splitCode(s.opt.Bye)
		return nil, nil, &imap.Error{Type: imap.StatusResponseTypeBye, Code: imap.ResponseCode(code), Text: text}
	}
	return &imapSession{server: s, conn: c}, &imapserver.GreetingData{}, nil
}

// oneConn is a listener that yields one connection and ends when that is closed: the library serves only listeners.
type oneConn struct {
	conn  *cutter
	given sync.Once
	over  chan struct{}
}

func (l *oneConn) Accept() (c net.Conn, err error) {
	l.given.Do(func() { c = l.conn })
	if c != nil {
		return c, nil
	}
	<-l.over
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error   { return nil }
func (l *oneConn) Addr() net.Addr { return l.conn.LocalAddr() }

// cutter is a connection that can be told to end within the next literal.
type cutter struct {
	net.Conn
	closed func()

	mu    sync.Mutex
	armed bool
	after int    // octets of the literal that still pass
	seen  []byte // what went out since it was armed, until the literal begins
	stall bool
	shut  bool // nothing passes any more
}

func (c *cutter) Close() error {
	defer c.closed()
	return c.Conn.Close()
}

// arm lets the next literal end after so many octets.
func (c *cutter) arm(after int, stall bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.armed, c.after, c.stall, c.seen = true, after, stall, nil
}

// Write swallows what comes after the point at which the literal was to end.
func (c *cutter) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.shut {
		return len(p), nil
	}
	if !c.armed {
		return c.Conn.Write(p)
	}
	pass := 0
	for pass < len(p) && c.after >= 0 {
		if inLiteral := len(c.seen) > 2 && string(c.seen[len(c.seen)-3:]) == "}\r\n"; !inLiteral {
			c.seen = append(c.seen, p[pass])
			pass++
			continue
		}
		if c.after == 0 {
			c.after = -1
			break
		}
		n := min(c.after, len(p)-pass)
		pass += n
		c.after -= n
	}
	if pass > 0 {
		if n, err := c.Conn.Write(p[:pass]); err != nil {
			return n, err
		}
	}
	if pass < len(p) {
		c.shut = true
		if !c.stall {
			hangUp(c.Conn)
		}
	}
	return len(p), nil
}

// hangUp closes the connection as a broken line does: without TLS' word of farewell.
func hangUp(c net.Conn) {
	switch t := c.(type) {
	case *cutter:
		hangUp(t.Conn)
	case *tls.Conn:
		hangUp(t.NetConn())
	default:
		_ = c.Close()
	}
}
