package ingest

import (
	"context"
	"io"
	"time"
)

// Session is one authenticated connection to one mailbox. Methods are called one at a time. Every method obeys the
// context and the deadlines of the connection; errors are *Error. After an error of kind Temporary or Protocol the
// session is broken and only Close may follow; a Fetch that returns a nil error leaves it usable whatever Missing says.
type Session interface {
	// List returns entries after the cursor, oldest first, at most limit.Messages of them and, where the server tells
	// sizes, at most limit.Octets beyond the first entry. Called again with Page.Next it continues until Page.More
	// is false. If the UIDVALIDITY of the folder differs from that of the cursor (and the cursor has one), List starts
	// from the beginning of the folder and says so in Page.Reset.
	List(ctx context.Context, after Cursor, limit Limit) (Page, error)
	// Fetch streams the bodies of refs that this session listed. It calls each once for every message whose body
	// begins to arrive; each must drain Arrival.Body and may keep what it read only if the read ended in io.EOF: any
	// other error means the body is incomplete. An error that each returns ends the Fetch and comes back as it is.
	// Missing holds every ref that brought no complete body and why; refs neither delivered whole nor in Missing do
	// not occur when the error is nil.
	Fetch(ctx context.Context, refs []Ref, each func(Arrival) error) (Missing, error)
	// Settle marks or deletes refs on the server. Every ref must be stored already. It is idempotent, touches nothing
	// that it was not given (UID EXPUNGE, RFC 4315 §2.1), and a ref that is gone is not an error. POP3 deletes only when
	// Close returns nil (RFC 1939 §6).
	Settle(ctx context.Context, refs []Ref, how Settlement) error
	// Close logs out and frees the connection. It is safe to call after any error, and twice.
	Close() error
}

// Waiter is a Session that can wait for news from the server (IDLE, RFC 2177). Wait returns nil when the mailbox may
// have changed or when it waited long enough that a look is due anyway.
type Waiter interface {
	Wait(ctx context.Context) error
}

// Limit bounds one page of a listing. Both are taken as unlimited when zero.
type Limit struct {
	Messages int
	Octets   int64
}

// Entry is one message as the server lists it.
type Entry struct {
	Ref Ref
	// Size in octets as the server announces it, -1 if unknown. Servers lie (RFC822.SIZE of Exchange differs from the
	// real length), so it serves planning and oversize checks, never comparison.
	Size int64
	// Received is the server's own time of arrival (INTERNALDATE, RFC 9051 §2.3.3); zero if unknown, as in POP3.
	Received time.Time
	// Number is the message's number in this session: IMAP message sequence number or POP3 message number.
	Number int
	// Deleted says that another client has flagged the message \Deleted.
	Deleted bool
}

// Page is one piece of a listing.
type Page struct {
	Entries []Entry
	Next    Cursor // where the next List continues; for IMAP LastUID is the highest UID seen, or UIDNEXT-1 when all is read
	More    bool   // there may be entries after Next
	Total   int    // messages in the mailbox when it was opened, -1 if unknown
	UIDNext uint32 // IMAP: the UIDNEXT of the folder (RFC 9051 §2.3.1.1), 0 if unknown
	Reset   bool   // UIDVALIDITY differs from the cursor's: all refs of the old generation are void
}

// Arrival is one message as it comes in.
type Arrival struct {
	Ref      Ref
	Size     int64     // octets that Body will yield, -1 if the protocol does not tell (POP3)
	Received time.Time // INTERNALDATE, zero if unknown
	Body     io.Reader // ends in io.EOF only if the body is complete
}

// Missing says which refs brought no complete body. The error is an *Error: KindGone if the message is no longer
// there, KindTooLarge if it exceeded the session's limit, KindProtocol or KindTemporary if the server would not give it.
type Missing map[Ref]error

// Settlement is what happens to a message on the server once it is stored.
type Settlement int

const (
	// SettleLeave changes nothing on the server.
	SettleLeave Settlement = iota
	// SettleMarkSeen sets \Seen (IMAP only; POP3 has no flags).
	SettleMarkSeen
	// SettleDelete deletes the message from the server.
	SettleDelete
)

// String is the name that the API uses.
func (s Settlement) String() string {
	return [...]string{"LEAVE", "MARK_SEEN", "DELETE"}[s]
}
