package store

import (
	"bytes"
	"slices"
	"time"

	"github.com/google/uuid"

	"github.com/mailintake/mailintake/ingest"
)

// The methods by which a thread is found, ingest.Thread.Method.
const (
	methodNew        = "NEW"
	methodReferences = "REFERENCES"
	methodInReplyTo  = "IN_REPLY_TO"
)

// How sure a thread is. Both are the word of the sender, and a stranger who knows an id may name it: a conversation is
// what the headers say it is, and who may be trusted is told by Mail.Auth.
const (
	confidenceHere      = 100 // it names, or is named by, a message that is here
	confidenceMentioned = 90  // it names an id that others named as well, but whose message is not here
)

// threads are the threads of one channel as far as a batch touches them. Messages are placed one after the other, so that
// it makes no difference how mail is cut into batches.
type threads struct {
	known   map[uuid.UUID]*identifier // rows by key
	written []uuid.UUID               // keys of rows that are new or changed
	joined  map[uuid.UUID]uuid.UUID   // thread -> an older one that it is part of now
	recent  map[uuid.UUID]int         // messages of the last minutes by thread
}

// identifier is a row of that table.
type identifier struct {
	thread  uuid.UUID
	message uuid.UUID // zero while it is only mentioned
	print   uuid.UUID
	sent    time.Time
	erased  bool
	changed bool
}

// place finds the thread of a message and puts on record what the message is known by and whom it mentions. Headers that
// contradict each other, or go round in a circle, join threads all the same; nothing is ever taken apart.
func (t *threads) place(id uuid.UUID, m *mark) ingest.Thread {
	th := ingest.Thread{Method: methodNew}
	found, here := []uuid.UUID{}, false
	look := func(key uuid.UUID, method string) {
		r := t.known[key]
		if r == nil {
			return
		}
		if th.Method == methodNew {
			th.Method = method
		}
		here = here || r.message != uuid.Nil
		found = append(found, t.root(r.thread))
	}
	for _, key := range m.references {
		look(key, methodReferences)
	}
	for _, key := range m.answers {
		look(key, methodInReplyTo)
	}
	// Who is named by a message that came earlier belongs to it; so does a copy to its original. Two messages that share
	// an id and say different things are one only if they were written at the same time: a list has added its footer to
	// one of them. Otherwise a form that gives the same id to every mail would make one conversation of all customers.
	own := t.known[m.own]
	other := own != nil && own.message != uuid.Nil && own.print != m.print && own.print != uuid.Nil && m.print != uuid.Nil
	th.Reused = other
	if own != nil && (!other || own.sent.Equal(m.sent) && !m.sent.IsZero()) {
		look(m.own, methodReferences)
		here = true
	}
	if (m.own == uuid.Nil || other) && t.known[m.print] != nil {
		look(m.print, methodReferences)
		here = true
	}
	thread := id
	if th.Method != methodNew {
		th.Confidence = confidenceMentioned
		if here {
			th.Confidence = confidenceHere
		}
		thread = t.join(found, &th)
	}
	th.ID = thread.String()
	if m.parent != uuid.Nil {
		th.ParentMissing = true
		if p := t.known[m.parent]; p != nil {
			th.Parent, th.ParentMissing, th.ParentErased = ingest.MessageID(p.message), p.message == uuid.Nil, p.erased
		}
	}
	t.register(id, thread, m, other)
	return th
}

// join makes one thread of several: the oldest, whose id is the lowest because ids begin with a time.
func (t *threads) join(found []uuid.UUID, th *ingest.Thread) uuid.UUID {
	slices.SortFunc(found, func(a, b uuid.UUID) int { return bytes.Compare(a[:], b[:]) })
	found = slices.Compact(found)
	oldest := found[0]
	for _, thread := range found[1:] {
		t.joined[thread] = oldest
		t.recent[oldest] += t.recent[thread]
		th.Merged = append(th.Merged, thread.String())
	}
	return oldest
}

// root is the thread that a thread is part of now.
func (t *threads) root(thread uuid.UUID) uuid.UUID {
	top := thread
	for next, ok := t.joined[top]; ok; next, ok = t.joined[top] {
		top = next
	}
	for thread != top { // the next look is one step
		thread, t.joined[thread] = t.joined[thread], top
	}
	return top
}

// register puts on record what a message is known by. An id that another message has already stays with that message;
// the later one is known by its fingerprint, as is one without id.
func (t *threads) register(id, thread uuid.UUID, m *mark, other bool) {
	key := m.own
	if key == uuid.Nil || other {
		key = m.print
	}
	if key != uuid.Nil {
		r := t.known[key]
		if r == nil || r.message == uuid.Nil {
			t.set(key, identifier{thread: thread, message: id, print: m.print, sent: m.sent})
		}
	}
	for _, list := range [][]uuid.UUID{m.references, m.answers} {
		for _, mention := range list {
			if t.known[mention] == nil {
				t.set(mention, identifier{thread: thread})
			}
		}
	}
}

// amend puts on record that a message which has its place already is known by something else now.
func (t *threads) amend(id, thread uuid.UUID, m *mark) {
	key := m.own
	if r := t.known[key]; key == uuid.Nil || r != nil && r.message != id {
		key = m.print
	}
	if r := t.known[key]; key != uuid.Nil && (r == nil || r.message == uuid.Nil || r.message == id && r.print != m.print) {
		t.set(key, identifier{thread: thread, message: id, print: m.print, sent: m.sent})
	}
}

func (t *threads) set(key uuid.UUID, row identifier) {
	if old := t.known[key]; old == nil || !old.changed {
		t.written = append(t.written, key)
	}
	row.changed = true
	t.known[key] = &row
}
