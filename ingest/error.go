package ingest

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Kind says what a failure means to the one who must react to it. What each kind leads to stands in one place,
// ingest/poll.
type Kind int

const (
	// KindTemporary may pass by itself: network trouble, a busy server, a locked mailbox.
	KindTemporary Kind = iota
	// KindThrottled is a server that asks to be left alone for a while.
	KindThrottled
	// KindAuth is a refused credential.
	KindAuth
	// KindConfig cannot work until somebody edits the channel: unknown host, wrong port, certificate, folder.
	KindConfig
	// KindProtocol is a server that breaks its protocol or one of our limits.
	KindProtocol
	// KindTooLarge is a message beyond the channel's limit.
	KindTooLarge
	// KindGone is a message that is no longer there.
	KindGone
	// KindFenced is a commit by a replica that no longer owns the channel.
	KindFenced
)

var kindNames = [...]string{"temporary", "throttled", "auth", "config", "protocol", "too-large", "gone", "fenced"}

// String is the lower-case name used in logs and metrics.
func (k Kind) String() string { return kindNames[k] }

// Reason is a stable, machine-readable cause, in UPPER_SNAKE_CASE. It is shown to people and kept in the database;
// a reason is never renamed.
type Reason string

// The reasons a visit can fail for.
const (
	ReasonHostNotFound       Reason = "HOST_NOT_FOUND"        // DNS says there is no such host
	ReasonDNSFailed          Reason = "DNS_FAILED"            // DNS did not answer
	ReasonConnectRefused     Reason = "CONNECT_REFUSED"       // nothing listens on the port
	ReasonConnectTimeout     Reason = "CONNECT_TIMEOUT"       // no TCP connection within the deadline
	ReasonConnectFailed      Reason = "CONNECT_FAILED"        // any other failure to connect
	ReasonEgressDenied       Reason = "EGRESS_DENIED"         // the address lies in a network that policy forbids
	ReasonTLSFailed          Reason = "TLS_FAILED"            // handshake failed, for example no TLS on that port
	ReasonCertificateExpired Reason = "CERTIFICATE_EXPIRED"   // the server's certificate is out of date
	ReasonCertificateName    Reason = "CERTIFICATE_NAME"      // the certificate is for another name
	ReasonCertificateUnknown Reason = "CERTIFICATE_UNKNOWN"   // signed by an authority that is not trusted
	ReasonStartTLSRefused    Reason = "STARTTLS_REFUSED"      // STARTTLS or STLS is required and not offered
	ReasonStartTLSInjection  Reason = "STARTTLS_INJECTION"    // octets in clear behind the answer to STARTTLS
	ReasonPreauth            Reason = "PREAUTH"               // greeted as logged in although TLS is required
	ReasonGreetingTimeout    Reason = "GREETING_TIMEOUT"      // connected, but no greeting within the deadline
	ReasonGreetingRefused    Reason = "GREETING_REFUSED"      // greeted with BYE or -ERR
	ReasonNotAMailServer     Reason = "NOT_A_MAIL_SERVER"     // the greeting is of another protocol
	ReasonLoginRefused       Reason = "LOGIN_REFUSED"         // user name or password refused
	ReasonLoginDisabled      Reason = "LOGIN_DISABLED"        // the server allows no password login on this connection
	ReasonServerUnavailable  Reason = "SERVER_UNAVAILABLE"    // the server says it cannot serve now
	ReasonMailboxInUse       Reason = "MAILBOX_IN_USE"        // another session holds the POP3 maildrop
	ReasonThrottled          Reason = "THROTTLED"             // the server asks to come back later
	ReasonFolderNotFound     Reason = "FOLDER_NOT_FOUND"      // the configured folder does not exist
	ReasonUIDLUnsupported    Reason = "UIDL_UNSUPPORTED"      // the server cannot tell messages apart
	ReasonTimeout            Reason = "TIMEOUT"               // the server stopped answering
	ReasonConnectionLost     Reason = "CONNECTION_LOST"       // the connection ended in the middle
	ReasonProtocol           Reason = "PROTOCOL_ERROR"        // the server broke its protocol
	ReasonLimit              Reason = "LIMIT_EXCEEDED"        // a line, literal or answer beyond our limits
	ReasonRefused            Reason = "COMMAND_REFUSED"       // the server refused a command that it should obey
	ReasonTooLarge           Reason = "MESSAGE_TOO_LARGE"     // beyond max_message_bytes
	ReasonGone               Reason = "MESSAGE_GONE"          // no longer on the server
	ReasonMissingBody        Reason = "MESSAGE_WITHOUT_BODY"  // listed, but the server does not send it
	ReasonBeforeStart        Reason = "BEFORE_START"          // older than the channel wants
	ReasonFlaggedDeleted     Reason = "FLAGGED_DELETED"       // another client flagged it \Deleted before it was read
	ReasonCredential         Reason = "CREDENTIAL_UNREADABLE" // the stored credential cannot be unsealed
	ReasonDiskFull           Reason = "DISK_FULL"             // no room on local disk for a message under way
	ReasonInternal           Reason = "INTERNAL"              // a fault of ours; see the log
)

// Error is what sessions, dialling and the store return to the poll loop.
type Error struct {
	Op     string // what was being done: "dial", "login", "list", "fetch", …
	Kind   Kind
	Reason Reason
	Server string // what the server said, cleaned by CleanServerText; empty if it said nothing
	Hint   string // what a person can do about it, one sentence; may be empty
	// RetryAfter is the pause that the server asked for, 0 if none.
	RetryAfter time.Duration
	Err        error // the cause, may be nil; never contains a credential
}

// Error reads "op: reason: server said "…": cause".
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s", e.Op, e.Reason)
	if e.Server != "" {
		fmt.Fprintf(&b, ": server said %q", e.Server)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// KindOf is the kind of the first *Error in the chain of err; anything else, context errors too, is temporary.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return KindTemporary
}

// CleanServerText makes what a server said fit for people: valid UTF-8, control characters (RFC 5198 §2, ANSI
// escapes, CR) replaced by spaces, at most 300 characters.
func CleanServerText(s string) string {
	const limit = 300
	var b strings.Builder
	n := 0
	for _, r := range strings.ToValidUTF8(s, "\uFFFD") {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\u2028' || r == '\u2029' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			r = ' '
		}
		if n == limit {
			b.WriteRune('…')
			break
		}
		b.WriteRune(r)
		n++
	}
	return strings.TrimSpace(b.String())
}
