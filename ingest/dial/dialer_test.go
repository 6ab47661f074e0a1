package dial

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"math/big"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// authority signs certificates for one test.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{key: newKey(t)}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	a.cert, err = x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

func (a *authority) leaf(t *testing.T, name string, notAfter time.Time) tls.Certificate {
	t.Helper()
	key := newKey(t)
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{name}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// listen serves one connection at a time with handle until the test ends, and waits for it.
func listen(t *testing.T, handle func(net.Conn)) (host string, port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			handle(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return "127.0.0.1", l.Addr().(*net.TCPAddr).Port
}

func local() Egress { return Egress{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}} }

func silence(c net.Conn) { io.Copy(io.Discard, c) }

func TestDial(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	good := ca.leaf(t, "mail.test", time.Now().Add(time.Hour))
	shake := func(config *tls.Config) func(net.Conn) {
		return func(c net.Conn) {
			s := tls.Server(c, config)
			if s.Handshake() == nil {
				silence(s)
			}
		}
	}
	for _, test := range []struct {
		name   string
		server func(net.Conn) // nil: nobody listens
		change func(*ingest.Mailbox, *Dialer)
		kind   ingest.Kind
		reason ingest.Reason // empty: connects
		hint   string
	}{
		{name: "plain", server: silence, change: func(m *ingest.Mailbox, _ *Dialer) { m.Protocol = ingest.IMAP }},
		{name: "TLS", server: shake(&tls.Config{Certificates: []tls.Certificate{good}})},
		{name: "expired", server: shake(&tls.Config{Certificates: []tls.Certificate{ca.leaf(t, "mail.test", time.Now().Add(-time.Hour))}}), kind: ingest.KindConfig, reason: ingest.ReasonCertificateExpired, hint: "renew"},
		{name: "wrong name", server: shake(&tls.Config{Certificates: []tls.Certificate{ca.leaf(t, "other.test", time.Now().Add(time.Hour))}}), kind: ingest.KindConfig, reason: ingest.ReasonCertificateName, hint: "tls.server_name"},
		{name: "unknown authority", server: shake(&tls.Config{Certificates: []tls.Certificate{other.leaf(t, "mail.test", time.Now().Add(time.Hour))}}), kind: ingest.KindConfig, reason: ingest.ReasonCertificateUnknown, hint: "tls.ca_pem"},
		{name: "old TLS", server: shake(&tls.Config{Certificates: []tls.Certificate{good}, MaxVersion: tls.VersionTLS11, MinVersion: tls.VersionTLS10}), kind: ingest.KindConfig, reason: ingest.ReasonTLSFailed, hint: "1.2"},
		{name: "no TLS", server: func(c net.Conn) { io.WriteString(c, "* OK ready\r\n"); silence(c) }, kind: ingest.KindConfig, reason: ingest.ReasonTLSFailed, hint: "port"},
		{name: "silent", server: silence, kind: ingest.KindTemporary, reason: ingest.ReasonTimeout, hint: "protocol"},
		{name: "cut", server: func(c net.Conn) { c.Read(make([]byte, 1)) }, kind: ingest.KindTemporary, reason: ingest.ReasonTLSFailed, hint: "TLS"},
		{name: "refused", kind: ingest.KindTemporary, reason: ingest.ReasonConnectRefused, hint: "port"},
		{name: "egress", server: silence, change: func(_ *ingest.Mailbox, d *Dialer) { d.Egress = Egress{} }, kind: ingest.KindConfig, reason: ingest.ReasonEgressDenied, hint: "MAILINTAKE_EGRESS_ALLOW"},
		{name: "egress by mapped address", server: silence, change: func(m *ingest.Mailbox, d *Dialer) { m.Host, d.Egress = "::ffff:127.0.0.1", Egress{} }, kind: ingest.KindConfig, reason: ingest.ReasonEgressDenied, hint: "host"},
		{name: "not found", server: silence, change: func(m *ingest.Mailbox, d *Dialer) { m.Host, d.Resolver = "mail.invalid", answering(t, 3) }, kind: ingest.KindConfig, reason: ingest.ReasonHostNotFound, hint: "host"},
		{name: "DNS fails", server: silence, change: func(m *ingest.Mailbox, d *Dialer) { m.Host, d.Resolver = "mail.test", answering(t, 2) }, kind: ingest.KindTemporary, reason: ingest.ReasonDNSFailed, hint: "DNS"},
	} {
		t.Run(test.name, func(t *testing.T) {
			host, port := "127.0.0.1", 1
			if test.server != nil {
				host, port = listen(t, test.server)
			}
			m := &ingest.Mailbox{Protocol: ingest.IMAPS, Host: host, Port: port, TLSServerName: "mail.test", TLSRoots: ca.pool()}
			d := &Dialer{Egress: local(), HandshakeTimeout: 300 * time.Millisecond, ConnectTimeout: 5 * time.Second}
			if test.change != nil {
				test.change(m, d)
			}
			var trace Trace
			conn, err := d.Dial(WithTrace(t.Context(), &trace), m)
			if test.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				conn.Close()
				if !trace.DNS.Passed || !trace.TCP.Passed || trace.TLS.Passed != m.Protocol.ImplicitTLS() || len(trace.Addresses) != 1 ||
					m.Protocol.ImplicitTLS() && (trace.TLSVersion != "TLS 1.3" || trace.CertificateNotAfter.IsZero()) {
					t.Errorf("trace %+v", trace)
				}
				return
			}
			e, ok := errors.AsType[*ingest.Error](err)
			if !ok || conn != nil {
				t.Fatalf("got %v, %v", conn, err)
			}
			if e.Kind != test.kind || e.Reason != test.reason || !strings.Contains(e.Hint, test.hint) {
				t.Errorf("got %v %v, hint %q (%v)", e.Kind, e.Reason, e.Hint, e)
			}
		})
	}
}

// answering is a resolver whose name server answers every question with an error: 2 is SERVFAIL, 3 NXDOMAIN (RFC 1035
// §4.1.1).
func answering(t *testing.T, code byte) *net.Resolver {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := server.ReadFrom(buf)
			if err != nil {
				return
			}
			buf[2], buf[3] = buf[2]|0x80, 0x80|code
			server.WriteTo(buf[:n], from)
		}
	}()
	t.Cleanup(func() { server.Close(); <-done })
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server.LocalAddr().String())
	}}
}

func TestDialCancelled(t *testing.T) {
	host, port := listen(t, silence)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := (&Dialer{Egress: local()}).Dial(ctx, &ingest.Mailbox{Protocol: ingest.IMAP, Host: host, Port: port})
	if !errors.Is(err, context.Canceled) || ingest.KindOf(err) != ingest.KindTemporary {
		t.Errorf("got %v", err)
	}
}

func TestDefaults(t *testing.T) {
	got := []time.Duration{DefaultConnectTimeout, DefaultHandshakeTimeout, DefaultGreetingTimeout, DefaultLoginTimeout, DefaultIOTimeout}
	want := []time.Duration{15 * time.Second, 15 * time.Second, 30 * time.Second, 60 * time.Second, 60 * time.Second}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("default %d is %v, want %v", i, got[i], want[i])
		}
	}
}

func TestCheckCredential(t *testing.T) {
	for _, test := range []struct {
		user, password, folder string
		ok                     bool
	}{
		{"anna", "pässwörd \\\"{3}", "INBOX", true},
		{"DOMAIN\\anna", "x", "", true},
		{"anna\r\nX", "x", "", false},
		{"anna", "x\ny", "", false},
		{"anna", "x\x00y", "", false},
		{"anna", "x", "a\nb", false},
	} {
		err := CheckCredential(&ingest.Mailbox{Username: test.user, Password: ingest.NewSecret(test.password), Folder: test.folder})
		if (err == nil) != test.ok {
			t.Errorf("%+v: %v", test, err)
		}
		if err != nil && (ingest.KindOf(err) != ingest.KindConfig || strings.Contains(err.Error(), test.password+"\n")) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}

func TestLoginMechanism(t *testing.T) {
	l := NewLoginMechanism("anna", "secret")
	if name, initial, err := l.Start(); name != "LOGIN" || initial != nil || err != nil {
		t.Errorf("starts with %q, %q, %v", name, initial, err)
	}
	for _, want := range []string{"anna", "secret"} {
		if got, err := l.Next([]byte("whatever")); string(got) != want || err != nil {
			t.Errorf("got %q, %v, want %q", got, err, want)
		}
	}
	if _, err := l.Next(nil); err == nil {
		t.Error("a third answer")
	}
}
