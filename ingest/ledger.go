package ingest

import (
	"context"
	"io"
	"time"

	"crypto/sha256"
)

// Digest is a SHA-256.
type Digest [sha256.Size]byte

// MessageID names one stored message: a UUID of version 7 (RFC 9562 §5.7). The UTC day of its time is the day of the
// partition that holds the message.
type MessageID [16]byte

// Ownership is the right to act on a channel. Epoch rises with every claim and fences every commit.
type Ownership struct {
	Channel ChannelID
	Replica ReplicaID
	Epoch   int64
}

// Standing is what the ledger says about a ref.
type Standing int

// The standings. A ref that is not in the ledger has standing Unknown: fetch it.
const (
	Unknown     Standing = iota
	Stored               // settle it
	Duplicate            // its content is stored under another ref; settle it
	Deferred             // no complete body yet; fetch it again
	Quarantined          // given up or too large; leave it
	Skipped              // not wanted by policy; leave it
	// Removed is stored, and we deleted it from the server. If a POP3 maildrop lists the ref again, it may name another
	// message (RFC 1939 §7 lets a server use a UIDL anew once its message is gone): fetch it and compare.
	Removed
)

// String is the lower-case name used in logs and replies.
func (s Standing) String() string {
	return [...]string{"unknown", "stored", "duplicate", "deferred", "quarantined", "skipped", "removed"}[s]
}

// Octets is a spooled message. Open may be called several times; Close frees memory and disk.
type Octets interface {
	Size() int64
	SHA256() Digest
	// Content is the SHA-256 without one final CRLF: what a message has in common with itself when it is read by POP3,
	// which cannot express a missing final line end (RFC 1939 §3).
	Content() Digest
	Open() (io.ReadCloser, error)
	io.Closer
}

// Item is one listed message with what became of it, ready to be committed.
type Item struct {
	Ref      Ref
	Standing Standing  // Stored, Duplicate, Deferred, Quarantined or Skipped
	Reason   Reason    // for Deferred, Quarantined and Skipped
	Detail   string    // for people: what the server said or did
	Size     int64     // octets; as announced when there is no body, -1 if unknown
	Received time.Time // server's time of arrival; zero if unknown
	// Octets, Mail and Parser (the version that made Mail) are set for Stored alone.
	Octets Octets
	Mail   *Mail
	Parser int
	// Settle says that the ref is to be settled on the server once it is committed.
	Settle bool
	// Original is the message that a Duplicate repeats; Commit sets it to the new message's id for Stored.
	Original MessageID
	// Content is the content digest; zero when there is no body.
	Content Digest
	// Event is the data of the event that is written with the item; nil for items that announce nothing. It is called
	// once, inside Commit, when ID, Sequence and StoredAt are known.
	Event func(Committed) (typ string, data []byte, err error)
}

// Committed is what Commit adds to a message.
type Committed struct {
	Channel  *Channel
	ID       MessageID // zero unless the item is Stored
	Sequence int64     // of the event; dense per channel from 1
	At       time.Time // the database's clock
	// Item is the caller's item, or a copy of it whose Mail has the AutoReply that the commit decided.
	Item   *Item
	Thread Thread // zero unless the item is Stored
	// Siblings are the names of messages of other channels of the tenant with the same fingerprint that were stored
	// before, at most MaxSiblings.
	Siblings []string
}

// MaxSiblings is how many siblings of a message are named.
const MaxSiblings = 20

// Batch is what one transaction writes: all of it or nothing.
type Batch struct {
	Channel *Channel
	Items   []Item
	Cursor  Cursor // where the channel stands once the items are committed; zero for POP3
	Start   bool   // with this batch the initial sync is decided: from now on what is unknown is new
	Restart bool   // the mailbox was numbered anew: the initial sync begins again and ends with a Start
}

// Receipt is what a commit did. Items that another commit of the same channel had brought in already are not counted
// as stored again: their refs are in Known.
type Receipt struct {
	IDs           map[Ref]MessageID
	Known         map[Ref]Standing
	FirstSequence int64 // of the events of this batch; 0 if it wrote none
	Events        int
}

// Ledger remembers every ref of every channel and writes batches. The store implements it.
type Ledger interface {
	// Known tells the standing of refs; refs that are not in the result are unknown.
	Known(ctx context.Context, ch ChannelID, refs []Ref) (map[Ref]Standing, error)
	// Twins finds the refs of stored messages of the channel with the same content, by content digest: one Twin for each
	// ref, so that a message that was numbered anew has several.
	Twins(ctx context.Context, ch ChannelID, contents []Digest) (map[Digest][]Twin, error)
	// Deferred lists refs of the channel that wait for another try, oldest first, at most limit.
	Deferred(ctx context.Context, ch ChannelID, limit int) ([]DeferredRef, error)
	// Commit writes messages, deferrals, events and cursor in one transaction, fenced by the epoch. A replica that no
	// longer owns the channel gets an *Error of KindFenced and nothing is written.
	Commit(ctx context.Context, own Ownership, b *Batch) (Receipt, error)
	// Unsettled lists refs that were committed with Item.Settle and are not settled yet, at most limit.
	Unsettled(ctx context.Context, ch ChannelID, limit int) ([]Ref, error)
	// Settled records that refs were settled on the server; it is called after the server confirmed. With SettleLeave it
	// records that they no longer have to be.
	Settled(ctx context.Context, own Ownership, refs []Ref, how Settlement) error
}

// Twin is a ledger entry with a given content.
type Twin struct {
	Ref     Ref
	ID      MessageID
	Deleted bool // we deleted it from the server
}

// DeferredRef is a ref that brought no body yet.
type DeferredRef struct {
	Ref      Ref
	Attempts int // tries so far
}
