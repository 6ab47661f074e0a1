package dial

import (
	"context"
	"crypto/tls"
	"time"
)

// Trace collects how far a connection came, for the connection test. Put one into the context with WithTrace; dialler
// and sessions fill it. It may be read when the call that fills it has returned.
type Trace struct {
	DNS, TCP, TLS, Greeting, Login, Folder Stage

	Addresses           []string  // what the host name resolved to
	Address             string    // host:port that was connected to
	TLSVersion          string    // "TLS 1.3"; empty without TLS
	TLSCipher           string    // IANA name of the cipher suite
	CertificateNotAfter time.Time // of the server's own certificate
	Banner              string    // the greeting, cleaned
	Capabilities        []string  // as announced after login
	Messages            int       // in the folder or maildrop
	Notes               []string  // what works only in part, one sentence each
}

// Stage is one step of a connection.
type Stage struct {
	Passed bool
	Took   time.Duration // only when passed
}

type traceKey struct{}

// WithTrace returns a context that carries t.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

// TraceFrom is the trace in ctx, nil if there is none.
func TraceFrom(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// Passed is the stage that began at start and has just ended well.
func Passed(start time.Time) Stage { return Stage{Passed: true, Took: time.Since(start)} }

func (t *Trace) setTLS(s tls.ConnectionState) {
	t.TLSVersion, t.TLSCipher = tls.VersionName(s.Version), tls.CipherSuiteName(s.CipherSuite)
	if len(s.PeerCertificates) > 0 {
		t.CertificateNotAfter = s.PeerCertificates[0].NotAfter
	}
}
