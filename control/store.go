package control

import (
	"context"
	"errors"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// The errors that a Store returns, wrapped or bare. Any other error is a fault of ours and reaches clients as
// "internal error" with nothing else.
var (
	// ErrNotFound: there is no such channel, message or replay.
	ErrNotFound = errors.New("control: not found")
	// ErrAlreadyExists: the tenant has a channel of that name; deleted channels keep their name.
	ErrAlreadyExists = errors.New("control: already exists")
	// ErrConflict: the record changed since the revision that the caller named.
	ErrConflict = errors.New("control: revision has changed")
	// ErrUnavailable: the database cannot be reached or is shutting down; the same call may succeed later.
	ErrUnavailable = errors.New("control: storage is unavailable")
	// ErrUnreadable: the stored credential cannot be unsealed.
	ErrUnreadable = errors.New("control: stored credential cannot be unsealed")
)

// Store keeps channels, messages and replays. Every call is atomic; calls that change something write the Audit in the
// same transaction. Methods are safe for concurrent use. Times come from the database's clock.
type Store interface {
	// CreateChannel adds a channel, seals its password and sets UID, Revision, Created and Updated. A tenant exists as
	// soon as it has a channel. It returns ErrAlreadyExists if the name is taken, by a deleted channel too.
	CreateChannel(ctx context.Context, c NewChannel, a Audit) (Channel, error)
	// Channel reads one channel, a deleted one too, or returns ErrNotFound.
	Channel(ctx context.Context, tenant, channel string) (Channel, error)
	// Channels lists channels of one tenant in the order of their names (octet order: COLLATE "C").
	Channels(ctx context.Context, q ChannelQuery) ([]Channel, error)
	// UpdateChannel replaces all settings of a channel whose revision is still the one given, and raises the revision.
	// A nil password leaves the stored one; an empty one removes it. A change of protocol, host, port, TLS, user name,
	// folder or password resets the health to pending, so that backoff and login breaker end at once; so does
	// enabling. It returns ErrConflict if the revision differs and ErrNotFound if there is no such channel.
	UpdateChannel(ctx context.Context, id ingest.ChannelID, revision int64, s Settings, password *ingest.Secret, a Audit) (Channel, error)
	// DeleteChannel marks a channel as deleted: no visits, not listed by default; its messages stay readable. The
	// revision rises. It returns ErrConflict if the revision differs and ErrNotFound if there is no such channel.
	DeleteChannel(ctx context.Context, id ingest.ChannelID, revision int64, a Audit) (Channel, error)
	// UndeleteChannel takes the mark away again, with errors as DeleteChannel.
	UndeleteChannel(ctx context.Context, id ingest.ChannelID, revision int64, a Audit) (Channel, error)
	// Password unseals a channel's password for a connection test. It is zero if none is stored; ErrUnreadable if it
	// cannot be unsealed.
	Password(ctx context.Context, id ingest.ChannelID) (ingest.Secret, error)

	// Message reads one stored message with its text, or returns ErrNotFound.
	Message(ctx context.Context, tenant, channel string, id ingest.MessageID) (Message, error)
	// Messages lists stored messages of one channel in the order of their sequence.
	Messages(ctx context.Context, q MessageQuery) ([]Message, error)
	// ReadRaw reads at most limit octets of a stored message from offset on. The result is shorter than limit only
	// at the end of the message, and empty at or behind it. ErrNotFound if there is no such message. It keeps no
	// connection between calls, so that a slow reader holds nothing.
	ReadRaw(ctx context.Context, tenant, channel string, id ingest.MessageID, offset int64, limit int) ([]byte, error)

	// CreateReplay records a replay in state queued and enqueues its job in the same transaction. r has Tenant,
	// Channel, ChannelID, Kind, Range, DryRun and RequestedBy; the store sets ID (a UUID), State and Created.
	CreateReplay(ctx context.Context, r ingest.Replay, a Audit) (ingest.Replay, error)
	// Replay reads one replay, or returns ErrNotFound.
	Replay(ctx context.Context, tenant, id string) (ingest.Replay, error)
	// Replays lists replays of one tenant, the newest first (by ID descending: a UUID of version 7 sorts by time).
	Replays(ctx context.Context, q ReplayQuery) ([]ingest.Replay, error)
	// CancelReplay ends a replay that is queued or running: its state is cancelled when the call returns and its job
	// stops at the next step. A replay that has ended is returned as it is. ErrNotFound if there is none.
	CancelReplay(ctx context.Context, tenant, id string, a Audit) (ingest.Replay, error)
}

// Audit is who did what. The store adds the time.
type Audit struct {
	Actor    string // as the authenticator names it
	Action   string // "channel.create", "channel.update", "channel.delete", "channel.undelete", "replay.create", "replay.cancel"
	Resource string // full resource name; for replay.create the channel's
	Detail   string // for people: changed fields by name, or kind and range; never a value that may be secret
}

// Settings is everything about a channel that an administrator chooses, except its password. After validation every
// default that does not depend on another field is filled in.
type Settings struct {
	DisplayName  string // 1 to 80 characters
	EmailAddress string // addr-spec (RFC 5322 §3.4.1), at most 254 octets
	Enabled      bool
	Description  string // at most 1000 characters
	Labels       map[string]string
	Script       string // opaque, copied into events; may be empty
	Protocol     ingest.Protocol
	Host         string // ASCII (IDNA) name in lower case, or IP address without brackets
	Port         int    // 0: the default of the protocol
	// StartTLS is false only if the administrator chose plain text on POP3 or IMAP; true with implicit TLS.
	StartTLS        bool
	TLSServerName   string // empty: Host
	TLSCAPEM        string // PEM certificates trusted instead of the system's; empty: the system's
	Username        string
	Folder          string        // IMAP only; empty: INBOX
	PollInterval    time.Duration // 10 s to 24 h, whole milliseconds
	InitialSync     ingest.InitialSync
	SyncSince       time.Time // set if and only if InitialSync is SyncSince
	Settlement      ingest.Settlement
	MaxMessageBytes int64    // 64 KiB to 1 GiB
	Aliases         []string // further addresses that reach the mailbox, each as EmailAddress
	FallbackCharset string   // of mail that declares none; empty: the parser's default
	AuthservIDs     []string // whose Authentication-Results are believed, RFC 8601 §2.2
}

// NewChannel is a channel to be created.
type NewChannel struct {
	Tenant   string // [a-z0-9][a-z0-9-]{0,38}
	Channel  string // the same; the last segment of the name
	Settings Settings
	Password ingest.Secret // may be zero while the channel is not enabled
}

// Channel is a stored channel with everything that is known about it.
type Channel struct {
	ID       ingest.ChannelID
	UID      string // UUID, never reused
	Tenant   string
	Channel  string // the last segment of the name
	Settings Settings
	// PasswordSet reports whether a password is stored.
	PasswordSet bool
	// Revision rises with every change of the record; visits do not change it. The etag is made of it.
	Revision int64
	Created  time.Time
	Updated  time.Time // of the last change by a person
	Deleted  time.Time // zero unless deleted

	// Health is as the last visit left it, but its State is StateDisabled whenever the channel is disabled or deleted.
	Health       ingest.Health
	Cursor       ingest.Cursor // zero before the first visit and for POP3
	Started      time.Time     // when the initial sync was decided; zero before
	Owner        ingest.ReplicaID
	NextSequence int64 // of the next event; 1 if there was none
	Deferred     int64 // refs that wait for another try
	Quarantined  int64 // refs that were given up
}

// Name is the resource name, tenants/{tenant}/emailChannels/{channel}.
func (c *Channel) Name() string { return ChannelName(c.Tenant, c.Channel) }

// ChannelQuery selects a page of channels.
type ChannelQuery struct {
	Tenant      string
	States      []ingest.State // any of these; empty: all
	ShowDeleted bool
	Descending  bool   // by name
	After       string // last segment of the last name of the page before, exclusive; empty: from the start
	Limit       int    // at least 1
}

// Message is one stored message.
type Message struct {
	Tenant   string
	Channel  string
	ID       ingest.MessageID
	EventID  string // CloudEvents id of its arrival event
	Sequence int64  // of that event
	Ref      ingest.Ref
	Received time.Time // server's time of arrival; zero if unknown
	Stored   time.Time
	Size     int64 // octets of the raw message
	SHA256   ingest.Digest
	Preview  string      // the first characters of the text, on one line
	Mail     ingest.Mail // Text and ReplyText are set only where the text was asked for
	Parser   int         // version of the parser that made Mail
	// Thread has what is known by now of the message that this one answers, and otherwise what was known when it was
	// stored. It is zero for messages that an older parser read.
	Thread   ingest.Thread
	Siblings []string // messages of other channels of the tenant with the same fingerprint, at most ingest.MaxSiblings names
}

// Name is the resource name, tenants/{tenant}/emailChannels/{channel}/messages/{message}.
func (m *Message) Name() string { return MessageName(m.Tenant, m.Channel, m.ID) }

// MessageQuery selects a page of messages.
type MessageQuery struct {
	Tenant    string
	Channel   string
	Since     time.Time // Received at or after; zero does not limit
	Until     time.Time // Received before; zero does not limit
	MessageID string    // Message-ID header without angle brackets, exact; empty does not limit
	// Thread is the id of a thread; empty does not limit. That of a thread which was merged into another one finds the other.
	Thread     string
	Class      ingest.Class // empty does not limit
	Descending bool         // newest sequence first
	After      int64        // sequence of the last message of the page before, exclusive; 0: from the start
	Limit      int          // at least 1
	Text       bool         // fill in Mail.Text
}

// ReplayQuery selects a page of replays.
type ReplayQuery struct {
	Tenant  string
	Channel string               // last segment; empty: all channels
	States  []ingest.ReplayState // any of these; empty: all
	Before  string               // ID of the last replay of the page before, exclusive; empty: from the start
	Limit   int                  // at least 1
}
