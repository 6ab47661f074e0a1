package ingest

import (
	"crypto/x509"
	"time"
)

// ChannelID is the internal key of a channel. It is never reused and never shown; people see the Name.
type ChannelID int64

// ReplicaID names one life of one process that shares the work; a UUID in its text form.
type ReplicaID string

// Protocol is how a mailbox is read.
type Protocol int

// The protocols; the S forms begin with TLS at once (RFC 8314 §3).
const (
	POP3 Protocol = iota + 1
	POP3S
	IMAP
	IMAPS
)

// String is the name that the API uses.
func (p Protocol) String() string {
	return [...]string{"PROTOCOL_UNSPECIFIED", "POP3", "POP3S", "IMAP", "IMAPS"}[p]
}

// DefaultPort is the IANA port of the protocol: 110, 995, 143 or 993.
func (p Protocol) DefaultPort() int { return [...]int{0, 110, 995, 143, 993}[p] }

// ImplicitTLS reports whether the connection begins with a TLS handshake.
func (p Protocol) ImplicitTLS() bool { return p == POP3S || p == IMAPS }

// IsIMAP reports whether the mailbox is read by IMAP.
func (p Protocol) IsIMAP() bool { return p == IMAP || p == IMAPS }

// InitialSync says what to do with mail that lay in the mailbox before the channel began.
type InitialSync int

// The initial sync modes.
const (
	SyncNewOnly InitialSync = iota // only what arrives after the first visit
	SyncSince                      // what arrived at or after Mailbox.SyncSince
	SyncAll                        // everything
)

// String is the name that the API uses.
func (s InitialSync) String() string { return [...]string{"NEW_ONLY", "SINCE", "ALL"}[s] }

// Mailbox is everything a poller must know to read one channel's mail.
type Mailbox struct {
	Protocol Protocol
	Host     string // name or IP address, no port
	Port     int    // never 0 here: the default is filled in
	// StartTLS: on POP3 and IMAP TLS is required before login (RFC 3207 style upgrade: RFC 2595 §4, RFC 9051 §6.2.1).
	// False means plain text by the administrator's explicit choice. Ignored when the protocol has implicit TLS.
	StartTLS bool
	// TLSServerName is checked against the certificate; empty means Host.
	TLSServerName string
	// TLSRoots are trusted instead of the system's; nil means the system's.
	TLSRoots *x509.CertPool
	Username string
	Password Secret
	Folder   string // IMAP only; "INBOX" by default

	PollInterval    time.Duration
	InitialSync     InitialSync
	SyncSince       time.Time
	Settlement      Settlement
	MaxMessageBytes int64 // larger messages are quarantined, not fetched
}

// Channel is one mailbox that is read for one tenant, as the poller sees it.
type Channel struct {
	ID       ChannelID
	Tenant   string
	Channel  string   // the last segment of the name
	Address  string   // the customer-facing address
	Aliases  []string // further addresses that reach the mailbox
	Script   string   // opaque, copied into events
	Revision int64    // rises with every change and every request to visit now
	Enabled  bool
	Mailbox  Mailbox
	// FallbackCharset is that of mail which declares none; empty means the parser's default.
	FallbackCharset string
	// AuthservIDs are those whose Authentication-Results fields are believed, RFC 8601 §2.2.
	AuthservIDs []string
	Cursor      Cursor
	Started     time.Time // when the initial sync was decided; zero while it goes on
	Baseline    time.Time // when the channel first began; zero before its first visit
	Epoch       int64
	Health      Health
	// Fetches are replays of kind fetch that wait for the channel's owner.
	Fetches []Fetch
	// BadCredential is set, with the reason, when the stored credential cannot be unsealed.
	BadCredential error
}

// Name is the resource name, tenants/{tenant}/emailChannels/{channel}.
func (c *Channel) Name() string { return "tenants/" + c.Tenant + "/emailChannels/" + c.Channel }

// State is what people see of a channel at a glance.
type State int

// The states of a channel.
const (
	StateDisabled    State = iota + 1 // switched off by the administrator
	StatePending                      // enabled, not visited yet
	StateActive                       // the last visit went well
	StateBackingOff                   // a temporary failure; tries again by itself
	StateAuthFailed                   // the server refuses the credential
	StateConfigError                  // waits for somebody to edit the channel
	StateThrottled                    // the server asked for a pause
	StateStalled                      // no successful visit for too long although nothing failed
)

var stateNames = [...]string{"STATE_UNSPECIFIED", "DISABLED", "PENDING", "ACTIVE", "BACKING_OFF", "AUTH_FAILED", "CONFIG_ERROR", "THROTTLED", "STALLED"}

// String is the name that the API uses.
func (s State) String() string { return stateNames[s] }

// ParseState is the inverse of String; unknown names give 0.
func ParseState(name string) State {
	for i, n := range stateNames {
		if n == name {
			return State(i)
		}
	}
	return 0
}

// Health is what is known about a channel's visits. Times are zero where there is none.
type Health struct {
	State        State
	Reason       Reason // of the last failure; empty when healthy
	ServerText   string // what the server said at the last failure
	Hint         string // what to do about it
	Detail       string // what failed, in our words
	Since        time.Time
	Failures     int // visits that failed in a row
	AuthFailures int // of those, the ones with a refused credential; the login breaker counts these
	LastAttempt  time.Time
	LastSuccess  time.Time
	NextAttempt  time.Time
	// Backlog is how many messages the last visit saw on the server and did not bring in: deferred and not yet fetched.
	Backlog int
	Visit   Counts // of the last successful visit that had news
}

// Counts are the dispositions of one visit: Listed is the sum of all others.
type Counts struct {
	Listed      int
	Known       int // in the ledger already
	Stored      int
	Duplicate   int // content that is stored under a ref of an older generation
	Deferred    int // no complete body this time; tried again
	Quarantined int // given up or too large; on record with a reason
	Skipped     int // by policy: older than the channel wants
	Gone        int // vanished between listing and fetching
}

// Sum is the number of messages that have a disposition.
func (c Counts) Sum() int {
	return c.Known + c.Stored + c.Duplicate + c.Deferred + c.Quarantined + c.Skipped + c.Gone
}

// Add adds the counts of d.
func (c *Counts) Add(d Counts) {
	c.Listed += d.Listed
	c.Known += d.Known
	c.Stored += d.Stored
	c.Duplicate += d.Duplicate
	c.Deferred += d.Deferred
	c.Quarantined += d.Quarantined
	c.Skipped += d.Skipped
	c.Gone += d.Gone
}
