package dial

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"

	"github.com/mailintake/mailintake/ingest"
)

// Classify turns an error of name resolution, TCP or TLS, or of a Conn, into an *ingest.Error. What is one already is
// returned as it is. op says what was being done, for example "dial" or "fetch".
func Classify(op string, err error) *ingest.Error {
	if e, ok := errors.AsType[*ingest.Error](err); ok {
		return e
	}
	e := &ingest.Error{Op: op, Kind: ingest.KindTemporary, Reason: ingest.ReasonConnectionLost, Err: err}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	network, isNet := errors.AsType[net.Error](err)
	call, isCall := errors.AsType[*net.OpError](err)
	dialling := isCall && call.Op == "dial"
	switch {
	case errors.Is(err, ErrEgressDenied):
		e.Kind, e.Reason = ingest.KindConfig, ingest.ReasonEgressDenied
		e.Hint = "host: the address lies in a network that this service must not connect to; an operator can permit it with MAILINTAKE_EGRESS_ALLOW."
	case isDNS && dns.IsNotFound:
		e.Kind, e.Reason = ingest.KindConfig, ingest.ReasonHostNotFound
		e.Hint = "host: no such name in DNS; check its spelling."
	case isDNS:
		e.Reason, e.Hint = ingest.ReasonDNSFailed, "DNS did not answer; this passes by itself if the name server comes back."
	case certificate(e, err), handshake(e, err):
	case errors.Is(err, ErrSlow):
		e.Reason, e.Hint = ingest.ReasonTimeout, "The server answers, but more slowly than 16 KiB per second."
	case errors.Is(err, context.Canceled):
		e.Hint = "The visit was cancelled by this service."
	case dialling && errors.Is(err, syscall.ECONNREFUSED):
		e.Reason, e.Hint = ingest.ReasonConnectRefused, "Nothing listens on host and port; check the port, or wait if the server is down."
	case dialling && isNet && network.Timeout():
		e.Reason, e.Hint = ingest.ReasonConnectTimeout, "No answer from host and port; a firewall may be in between, or the server is down."
	case dialling:
		e.Reason, e.Hint = ingest.ReasonConnectFailed, "The network has no way to the host."
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), isNet && network.Timeout():
		e.Reason, e.Hint = ingest.ReasonTimeout, "The server stopped answering."
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		e.Err = fmt.Errorf("the server closed the connection: %w", err)
	}
	return e
}

// certificate recognises what is wrong with a certificate and fills e.
func certificate(e *ingest.Error, err error) bool {
	invalid, isInvalid := errors.AsType[x509.CertificateInvalidError](err)
	name, isName := errors.AsType[x509.HostnameError](err)
	_, isUnknown := errors.AsType[x509.UnknownAuthorityError](err)
	_, isVerify := errors.AsType[*tls.CertificateVerificationError](err)
	switch {
	case isInvalid && invalid.Reason == x509.Expired:
		e.Reason = ingest.ReasonCertificateExpired
		e.Hint = "The server's certificate is not valid at this time; its owner must renew it."
		if invalid.Cert != nil {
			e.Hint = fmt.Sprintf("The server's certificate is valid from %s to %s only; its owner must renew it.",
				invalid.Cert.NotBefore.UTC().Format("2006-01-02"), invalid.Cert.NotAfter.UTC().Format("2006-01-02"))
		}
	case isName:
		e.Reason = ingest.ReasonCertificateName
		e.Hint = fmt.Sprintf("The certificate is not for %q; correct host, or set tls.server_name to a name that it contains.", name.Host)
	case isUnknown, isInvalid, isVerify:
		e.Reason = ingest.ReasonCertificateUnknown
		e.Hint = "The certificate is signed by an authority that is not trusted; put that authority's certificate into tls.ca_pem."
	default:
		return false
	}
	e.Kind = ingest.KindConfig
	return true
}

// handshake recognises a peer that speaks no TLS, or none that we accept, and fills e.
func handshake(e *ingest.Error, err error) bool {
	_, isHeader := errors.AsType[tls.RecordHeaderError](err)
	_, isAlert := errors.AsType[tls.AlertError](err)
	call, isCall := errors.AsType[*net.OpError](err)
	if !isHeader && !isAlert && !(isCall && call.Op == "remote error") {
		return false
	}
	e.Kind, e.Reason = ingest.KindConfig, ingest.ReasonTLSFailed
	e.Hint = "The server refuses TLS 1.2 and later; see its TLS settings."
	if isHeader {
		e.Hint = "The server does not speak TLS here; check protocol and port (plain POP3 and IMAP with STARTTLS use 110 and 143, POP3S and IMAPS 995 and 993)."
	}
	return true
}

func classifyConnect(addr string, err error) *ingest.Error {
	e := Classify("dial", err)
	if errors.Is(err, context.DeadlineExceeded) {
		e.Reason = ingest.ReasonConnectTimeout
	}
	if e.Err != nil {
		e.Err = fmt.Errorf("%s: %w", addr, e.Err)
	}
	return e
}

// classifyHandshake handles what can only be told while shaking hands: silence and a cut are then about TLS, and what
// is no network error is a disagreement about TLS.
func classifyHandshake(m *ingest.Mailbox, err error) *ingest.Error {
	e := Classify("tls", err)
	switch {
	case e.Reason == ingest.ReasonTimeout:
		e.Hint = "No answer to the TLS handshake; check that protocol and port fit each other."
	case e.Reason != ingest.ReasonConnectionLost || errors.Is(err, context.Canceled):
	default:
		e.Reason = ingest.ReasonTLSFailed
		e.Hint = fmt.Sprintf("The connection ended during the TLS handshake; check that port %d speaks TLS and accepts TLS 1.2.", m.Port)
		if _, isNet := errors.AsType[net.Error](err); !isNet && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			e.Kind, e.Hint = ingest.KindConfig, "The server speaks no TLS that this service accepts (1.2 and later)."
		}
	}
	return e
}
