package dial

import (
	"cmp"
	"context"
	"crypto/tls"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// The deadlines that a zero field of Dialer means.
const (
	DefaultConnectTimeout   = 15 * time.Second
	DefaultHandshakeTimeout = 15 * time.Second
	DefaultGreetingTimeout  = 30 * time.Second
	DefaultLoginTimeout     = 60 * time.Second
	DefaultIOTimeout        = 60 * time.Second
)

// Dialer opens connections to mail servers. The zero value works: system resolver, no private networks, default
// deadlines. It may be used by many goroutines at once; fields are not changed after first use.
type Dialer struct {
	// Resolver looks up host names; nil means the system's.
	Resolver *net.Resolver
	// Egress says which addresses may be connected to.
	Egress Egress
	// ConnectTimeout covers name resolution and TCP together.
	ConnectTimeout time.Duration
	// HandshakeTimeout covers one TLS handshake.
	HandshakeTimeout time.Duration
	// GreetingTimeout covers everything from the open connection to the end of the greeting line, however slowly its
	// octets come.
	GreetingTimeout time.Duration
	// LoginTimeout covers everything from the greeting to the answer to the login, STARTTLS included.
	LoginTimeout time.Duration
	// IOTimeout is how long a read or write may go without a single octet; see Conn for the limit on slow servers.
	IOTimeout time.Duration
}

// Dial connects to the mailbox's server; for POP3S and IMAPS the TLS handshake is done too. Errors are *ingest.Error.
// A Trace in ctx is filled as the stages pass.
func (d *Dialer) Dial(ctx context.Context, m *ingest.Mailbox) (*Conn, error) {
	raw, err := d.connect(ctx, m)
	if err != nil {
		return nil, err
	}
	c := newConn(raw, raw, cmp.Or(d.IOTimeout, DefaultIOTimeout))
	if !m.Protocol.ImplicitTLS() {
		return c, nil
	}
	return d.StartTLS(ctx, c, m)
}

// StartTLS does a TLS client handshake over c and returns the encrypted connection, which takes the place of c. The
// caller has made sure that nothing it read in clear is left in a buffer (RFC 2595 §2.4, RFC 9051 §11.1). When it
// fails, c is closed.
func (d *Dialer) StartTLS(ctx context.Context, c *Conn, m *ingest.Mailbox) (*Conn, error) {
	trace, start := TraceFrom(ctx), time.Now()
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(d.HandshakeTimeout, DefaultHandshakeTimeout))
	defer cancel()
	c.raw.SetDeadline(time.Time{}) // HandshakeContext closes the connection when ctx ends
	t := tls.Client(c.raw, d.config(m))
	if err := t.HandshakeContext(ctx); err != nil {
		c.Fail(err)
		return nil, classifyHandshake(m, err)
	}
	if trace != nil {
		trace.TLS = Passed(start)
		trace.setTLS(t.ConnectionState())
	}
	upgraded := newConn(t, c.raw, c.ioTimeout)
	upgraded.in.Store(c.in.Load())
	upgraded.out.Store(c.out.Load())
	return upgraded, nil
}

func (d *Dialer) config(m *ingest.Mailbox) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		ServerName: strings.TrimSuffix(cmp.Or(m.TLSServerName, m.Host), "."),
		RootCAs:    m.TLSRoots,
	}
}

// connect resolves, checks every address against the egress policy and tries the permitted ones in order. The address
// that was checked is the one that is dialled, so that a second DNS answer cannot lead elsewhere.
func (d *Dialer) connect(ctx context.Context, m *ingest.Mailbox) (net.Conn, error) {
	trace, start := TraceFrom(ctx), time.Now()
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(d.ConnectTimeout, DefaultConnectTimeout))
	defer cancel()
	resolver := d.Resolver
	if resolver == nil {
		resolver = net.DefaultResolver
	}
	addrs, err := resolver.LookupNetIP(ctx, "ip", m.Host)
	if err != nil {
		return nil, Classify("dial", err)
	}
	if trace != nil {
		trace.DNS = Passed(start)
		for _, a := range addrs {
			trace.Addresses = append(trace.Addresses, a.Unmap().String())
		}
	}
	var allowed []netip.Addr
	var denied error
	for _, a := range addrs {
		if err := d.Egress.Check(a); err != nil {
			denied = err
			continue
		}
		allowed = append(allowed, a.Unmap())
	}
	if len(allowed) == 0 {
		return nil, Classify("dial", denied)
	}
	start = time.Now()
	var first error
	for i, a := range allowed {
		conn, err := dialShare(ctx, netip.AddrPortFrom(a, uint16(m.Port)), len(allowed)-i)
		if err == nil {
			if trace != nil {
				trace.TCP, trace.Address = Passed(start), conn.RemoteAddr().String()
			}
			return conn, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, classifyConnect(net.JoinHostPort(m.Host, strconv.Itoa(m.Port)), first)
}

// dialShare gives one address its share of the time that is left, so that a dead first address leaves time for others.
func dialShare(ctx context.Context, addr netip.AddrPort, left int) (net.Conn, error) {
	if deadline, ok := ctx.Deadline(); ok && left > 1 {
		share := max(time.Until(deadline)/time.Duration(left), 2*time.Second)
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, share)
		defer cancel()
	}
	return new(net.Dialer).DialContext(ctx, "tcp", addr.String())
}

// GreetingContext is a context that ends when the greeting is overdue; its cause is then an *ingest.Error of reason
// GREETING_TIMEOUT. Pass it to Conn.Begin.
func (d *Dialer) GreetingContext(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := cmp.Or(d.GreetingTimeout, DefaultGreetingTimeout)
	return context.WithTimeoutCause(ctx, limit, &ingest.Error{
		Op: "greeting", Kind: ingest.KindTemporary, Reason: ingest.ReasonGreetingTimeout,
		Hint: "The server accepted the connection but did not greet within " + limit.String() + "; check that host and port belong to this protocol.",
		Err:  context.DeadlineExceeded,
	})
}

// LoginContext is a context that ends when the login is overdue; its cause is then an *ingest.Error of reason TIMEOUT.
func (d *Dialer) LoginContext(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := cmp.Or(d.LoginTimeout, DefaultLoginTimeout)
	return context.WithTimeoutCause(ctx, limit, &ingest.Error{
		Op: "login", Kind: ingest.KindTemporary, Reason: ingest.ReasonTimeout,
		Hint: "The server did not answer the login within " + limit.String() + ".",
		Err:  context.DeadlineExceeded,
	})
}
