package mailtest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// CRLF returns raw with every line ending made CRLF, which is how servers send mail that is stored with LF alone.
func CRLF(raw []byte) []byte {
	out := make([]byte, 0, len(raw)+bytes.Count(raw, []byte("\n")))
	for i, c := range raw {
		if c == '\n' && (i == 0 || raw[i-1] != '\r') {
			out = append(out, '\r')
		}
		out = append(out, c)
	}
	return out
}

// Stored is one message in a Mailbox.
type Stored struct {
	UID      uint32
	UIDL     string
	Received time.Time
	Flags    []string // such as \Seen, sorted
	Raw      []byte   // not to be changed
}

// Mailbox is one folder, shared by the servers that serve it and the test that fills it. All methods may be called at
// any time, also while clients are connected; they learn of it as their protocol has it.
type Mailbox struct {
	mu          sync.Mutex
	uidValidity uint32
	uidNext     uint32
	msgs        []*message
	tracker     *imapserver.MailboxTracker
	changed     chan struct{} // closed and replaced at every change
	popLocked   bool
	files       *mailboxFiles // nil: memory only
}

type message struct {
	uid      uint32
	uidl     string // empty: made from UIDVALIDITY and UID
	received time.Time
	flags    map[imap.Flag]bool // keys in lower case
	raw      []byte             // never changed
}

// NewMailbox returns an empty mailbox in memory, UIDVALIDITY 1, next UID 1.
func NewMailbox() *Mailbox {
	return &Mailbox{uidValidity: 1, uidNext: 1, tracker: imapserver.NewMailboxTracker(0), changed: make(chan struct{})}
}

// Append adds a message as it is, received now, and returns its UID. Mail has CRLF line ends: see CRLF. It panics if
// the file of a directory-backed mailbox cannot be written; Deliver returns the error.
func (m *Mailbox) Append(raw []byte) uint32 {
	uid, err := m.Deliver(raw, time.Now())
	if err != nil {
		panic(err)
	}
	return uid
}

// Deliver adds a message that was received at the given time and returns its UID.
func (m *Mailbox) Deliver(raw []byte, received time.Time) (uint32, error) {
	return m.deliver(raw, received, nil)
}

func (m *Mailbox) deliver(raw []byte, received time.Time, flags []imap.Flag) (uint32, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	msg := &message{uid: m.uidNext, received: received, flags: map[imap.Flag]bool{}, raw: bytes.Clone(raw)}
	for _, f := range flags {
		msg.flags[canonical(f)] = true
	}
	if m.files != nil {
		if err := m.files.add(msg); err != nil {
			return 0, fmt.Errorf("mailbox: %w", err)
		}
	}
	m.uidNext++
	m.msgs = append(m.msgs, msg)
	m.tracker.QueueNumMessages(uint32(len(m.msgs)))
	m.notify()
	return msg.uid, nil
}

// Messages returns what is in the mailbox, oldest first.
func (m *Mailbox) Messages() []Stored {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := make([]Stored, 0, len(m.msgs))
	for _, msg := range m.msgs {
		all = append(all, Stored{UID: msg.uid, UIDL: m.uidl(msg), Received: msg.received, Flags: msg.flagStrings(), Raw: msg.raw})
	}
	return all
}

// Len is the number of messages.
func (m *Mailbox) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.msgs)
}

// Remove takes messages out, as another client would. UIDs that are not there are passed over.
func (m *Mailbox) Remove(uids ...uint32) {
	m.removeIf(func(msg *message) bool { return slices.Contains(uids, msg.uid) })
}

// removeIf removes the messages that drop selects.
func (m *Mailbox) removeIf(drop func(*message) bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.msgs)
	for i := len(m.msgs) - 1; i >= 0; i-- { // from the end: the numbers before stay what they are
		if !drop(m.msgs[i]) {
			continue
		}
		if m.files != nil {
			m.files.remove(m.msgs[i].uid)
		}
		m.msgs = slices.Delete(m.msgs, i, i+1)
		m.tracker.QueueExpunge(uint32(i + 1))
	}
	if len(m.msgs) != before {
		m.notify()
	}
}

// SetFlags replaces the flags of a message, as another client would.
func (m *Mailbox) SetFlags(uid uint32, flags ...string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i, msg := range m.msgs {
		if msg.uid != uid {
			continue
		}
		msg.flags = map[imap.Flag]bool{}
		for _, f := range flags {
			msg.flags[canonical(imap.Flag(f))] = true
		}
		m.tracker.QueueMessageFlags(uint32(i+1), imap.UID(uid), msg.flagList(), nil)
		m.notify()
	}
}

// UIDValidity is the present generation of the UIDs.
func (m *Mailbox) UIDValidity() uint32 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.uidValidity
}

// SetUIDValidity begins a new generation: all messages get new UIDs, from 1, and new UIDLs (RFC 9051 §2.3.1.1). A
// connected client sees the new UIDs at once, which real servers avoid by disconnecting it: so should the test.
func (m *Mailbox) SetUIDValidity(v uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.uidValidity, m.uidNext = v, 1
	for _, msg := range m.msgs {
		msg.uid, msg.uidl = m.uidNext, ""
		m.uidNext++
	}
	if m.files != nil {
		if err := m.files.renumber(v, m.msgs); err != nil {
			panic(err)
		}
	}
	m.notify()
}

// SetNextUID leaves a gap: the next message gets this UID. Smaller ones than the next are ignored.
func (m *Mailbox) SetNextUID(uid uint32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.uidNext = max(m.uidNext, uid)
}

// SetUIDL gives a message another unique-id, also one that belongs to another message or did: RFC 1939 §7 forbids that,
// servers do it.
func (m *Mailbox) SetUIDL(uid uint32, uidl string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, msg := range m.msgs {
		if msg.uid == uid {
			msg.uidl = uidl
		}
	}
}

// RenewUIDLs changes all unique-ids, as a server does after a migration. The new ones begin with prefix.
func (m *Mailbox) RenewUIDLs(prefix string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, msg := range m.msgs {
		msg.uidl = fmt.Sprintf("%s%08x", prefix, msg.uid)
	}
}

// Changed returns a channel that is closed at the next change of messages or flags.
func (m *Mailbox) Changed() <-chan struct{} {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.changed
}

func (m *Mailbox) notify() {
	close(m.changed)
	m.changed = make(chan struct{})
}

func (m *Mailbox) uidl(msg *message) string {
	if msg.uidl != "" {
		return msg.uidl
	}
	return fmt.Sprintf("%08x%08x", msg.uid, m.uidValidity)
}

// lockPOP3 takes the exclusive-access lock of RFC 1939 §4; false if another session has it.
func (m *Mailbox) lockPOP3() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.popLocked {
		return false
	}
	m.popLocked = true
	return true
}

func (m *Mailbox) unlockPOP3() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.popLocked = false
}

// canonical is the form in which flags are compared: their case does not matter, RFC 9051 §2.3.2.
func canonical(f imap.Flag) imap.Flag { return imap.Flag(strings.ToLower(string(f))) }

// spelled gives system flags back their usual capital.
func spelled(f imap.Flag) imap.Flag {
	if len(f) > 1 && f[0] == '\\' {
		return f[:1] + imap.Flag(strings.ToUpper(string(f[1:2]))) + f[2:]
	}
	return f
}

func (msg *message) flagList() []imap.Flag {
	list := make([]imap.Flag, 0, len(msg.flags))
	for f := range msg.flags {
		list = append(list, spelled(f))
	}
	slices.Sort(list)
	return list
}

func (msg *message) flagStrings() []string {
	var list []string
	for _, f := range msg.flagList() {
		list = append(list, string(f))
	}
	return list
}
