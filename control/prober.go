package control

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// Prober tries to read a mailbox and changes nothing in it: it connects, logs in, opens the folder and logs out.
type Prober interface {
	// Probe returns within the deadline of ctx. What went wrong with the mailbox stands in Probe.Err.
	Probe(ctx context.Context, m ingest.Mailbox) Probe
}

// Stage is one step on the way to a mailbox.
type Stage int

// The stages.
const (
	StageDNS      Stage = iota + 1 // the host's addresses are looked up
	StageTCP                       // the connection is opened
	StageTLS                       // it is encrypted and the certificate checked
	StageGreeting                  // the server greets
	StageLogin                     // user name and password are accepted
	StageFolder                    // the folder or maildrop is opened
)

// String is the name that the API uses.
func (s Stage) String() string {
	return [...]string{"KIND_UNSPECIFIED", "DNS", "TCP", "TLS", "GREETING", "LOGIN", "FOLDER"}[s]
}

// Probe is how far a connection came and what was seen on the way.
type Probe struct {
	Took map[Stage]time.Duration // stages that were passed
	Err  error                   // why the next stage was not, an *ingest.Error; nil if all were

	Addresses           []string  // what the host name resolved to
	RemoteAddress       string    // host:port that was connected to
	TLSVersion          string    // "TLS 1.3"; empty without TLS
	TLSCipher           string    // IANA name of the cipher suite
	CertificateNotAfter time.Time // of the server's own certificate
	Greeting            string
	Capabilities        []string
	Messages            int      // in the folder or maildrop; counts once StageFolder is passed
	Notes               []string // what works only in part, one sentence each
}

// StageResult is how one stage went.
type StageResult struct {
	Stage Stage
	Took  time.Duration
	Err   *ingest.Error // nil if the stage was passed
}

// TestResult is the answer to a connection test.
type TestResult struct {
	OK     bool
	Stages []StageResult // in the order of the connection; one that failed is the last
	Folder string        // the folder that was opened; empty for POP3
	Probe  Probe
}

// result puts a probe into the order in which its connection was made and finds the stage that failed: the one behind
// the last that was passed.
func result(m ingest.Mailbox, p Probe) TestResult {
	order := []Stage{StageDNS, StageTCP}
	switch {
	case m.Protocol.ImplicitTLS():
		order = append(order, StageTLS, StageGreeting)
	case m.StartTLS:
		order = append(order, StageGreeting, StageTLS)
	default:
		order = append(order, StageGreeting)
	}
	order = append(order, StageLogin, StageFolder)
	r := TestResult{OK: p.Err == nil, Probe: p}
	failed := 0
	for i, s := range order {
		if took, ok := p.Took[s]; ok {
			r.Stages = append(r.Stages, StageResult{Stage: s, Took: took})
			failed = i + 1
		}
	}
	if _, ok := p.Took[StageFolder]; ok {
		r.Folder = m.Folder
	}
	if p.Err == nil {
		return r
	}
	if _, err := netip.ParseAddr(m.Host); err == nil && failed == 0 {
		failed = 1 // an IP address is not looked up
	}
	cause, ok := errors.AsType[*ingest.Error](p.Err)
	if !ok {
		cause = &ingest.Error{Op: "test", Reason: ingest.ReasonInternal, Err: p.Err}
		if errors.Is(p.Err, context.DeadlineExceeded) {
			cause.Reason, cause.Hint = ingest.ReasonTimeout, "The mail server took too long; try again, or check host and port."
		}
	}
	if failed == len(order) { // something behind the last stage went wrong
		failed--
		r.Stages = slices.DeleteFunc(r.Stages, func(s StageResult) bool { return s.Stage == order[failed] })
		r.Folder = ""
	}
	r.Stages = append(r.Stages, StageResult{Stage: order[failed], Err: cause})
	return r
}
