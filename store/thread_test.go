package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
)

// letter is a message of a conversation. Its Message-ID is "<n>@x", where n is its UID.
func letter(uid uint32, change func(*ingest.Mail)) ingest.Item {
	it := message(uid, fmt.Appendf(nil, "letter %d", uid))
	it.Mail.MessageID, it.Mail.Date = fmt.Sprintf("%d@x", uid), time.Unix(1_700_000_000+int64(uid), 0).UTC()
	it.Mail.Fingerprint = fmt.Sprintf("%064x", uid)
	if change != nil {
		change(it.Mail)
	}
	return it
}

func references(ids ...string) func(*ingest.Mail) {
	return func(m *ingest.Mail) { m.References = ids }
}

func inReplyTo(ids ...string) func(*ingest.Mail) {
	return func(m *ingest.Mail) { m.InReplyTo = ids }
}

// told commits items, all at once or each alone, and returns what their events were told, by UID.
func (b *bench) told(t *testing.T, together bool, items ...ingest.Item) map[uint32]ingest.Committed {
	t.Helper()
	told := map[uint32]ingest.Committed{}
	for i := range items {
		items[i].Event = func(c ingest.Committed) (string, []byte, error) {
			told[c.Item.Ref.UID] = c
			return received(c)
		}
	}
	if together {
		b.mustCommit(t, items...)
		return told
	}
	for _, it := range items {
		b.mustCommit(t, it)
	}
	return told
}

// stored is a message as it is read.
func (b *bench) stored(t *testing.T, id ingest.MessageID) control.Message {
	t.Helper()
	m, err := b.Message(t.Context(), "acme", "support", id)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestThreads(t *testing.T) {
	t.Parallel()
	type want struct {
		with       uint32 // the message that began the thread
		method     string
		confidence int
		parent     uint32
		missing    bool
		merged     []uint32
		reused     bool
		now        uint32 // where the message is after all have come; 0 if it is still with
	}
	hundred := make([]string, 100)
	for i := range hundred {
		hundred[i] = fmt.Sprintf("mention%d@x", i)
	}
	for _, tc := range []struct {
		name  string
		items []ingest.Item
		want  []want
	}{
		{"strangers", []ingest.Item{letter(1, nil), letter(2, nil)}, []want{{with: 1, method: "NEW"}, {with: 2, method: "NEW"}}},
		{"an answer by References", []ingest.Item{letter(1, nil), letter(2, references("1@x"))},
			[]want{{with: 1, method: "NEW"}, {with: 1, method: "REFERENCES", confidence: 100, parent: 1}}},
		{"an answer by In-Reply-To", []ingest.Item{letter(1, nil), letter(2, inReplyTo("1@x"))},
			[]want{{with: 1, method: "NEW"}, {with: 1, method: "IN_REPLY_TO", confidence: 100, parent: 1}}},
		{"the answer comes first", []ingest.Item{letter(2, inReplyTo("1@x")), letter(1, nil)},
			[]want{{with: 2, method: "NEW", missing: true}, {with: 2, method: "REFERENCES", confidence: 100}}},
		{"two answers to what never comes", []ingest.Item{letter(2, inReplyTo("1@x")), letter(3, inReplyTo("1@x"))},
			[]want{{with: 2, method: "NEW", missing: true}, {with: 2, method: "IN_REPLY_TO", confidence: 90, missing: true}}},
		{"a message that shows two threads to be one", []ingest.Item{letter(1, nil), letter(2, nil), letter(3, references("1@x", "2@x"))},
			[]want{{with: 1, method: "NEW"}, {with: 2, method: "NEW", now: 1}, {with: 1, method: "REFERENCES", confidence: 100, parent: 2, merged: []uint32{2}}}},
		{"two answers, then their parent", []ingest.Item{letter(2, inReplyTo("1@x")), letter(3, references("0@x")), letter(1, references("0@x"))},
			[]want{{with: 2, method: "NEW", missing: true}, {with: 3, method: "NEW", missing: true, now: 2},
				{with: 2, method: "REFERENCES", confidence: 100, missing: true, merged: []uint32{3}}}},
		{"merged twice", []ingest.Item{letter(1, nil), letter(2, nil), letter(3, nil), letter(4, references("2@x", "3@x")), letter(5, references("3@x", "1@x"))},
			[]want{{with: 1, method: "NEW"}, {with: 2, method: "NEW", now: 1}, {with: 3, method: "NEW", now: 1},
				{with: 2, method: "REFERENCES", confidence: 100, parent: 3, merged: []uint32{3}, now: 1},
				{with: 1, method: "REFERENCES", confidence: 100, parent: 1, merged: []uint32{2}}}},
		{"its own id as reference", []ingest.Item{letter(1, references("1@x", "1@x"))}, []want{{with: 1, method: "NEW"}}},
		{"a circle", []ingest.Item{letter(1, references("2@x")), letter(2, references("1@x"))},
			[]want{{with: 1, method: "NEW", missing: true}, {with: 1, method: "REFERENCES", confidence: 100, parent: 1}}},
		{"a hundred references", []ingest.Item{letter(1, references(hundred...)), letter(2, inReplyTo("mention50@x"))},
			[]want{{with: 1, method: "NEW", missing: true}, {with: 1, method: "IN_REPLY_TO", confidence: 90, missing: true}}},
		{"no Message-ID", []ingest.Item{letter(1, func(m *ingest.Mail) { m.MessageID = "" }), letter(2, func(m *ingest.Mail) { m.MessageID = "" })},
			[]want{{with: 1, method: "NEW"}, {with: 2, method: "NEW"}}},
		{"no Message-ID, the same twice", []ingest.Item{letter(1, func(m *ingest.Mail) { m.MessageID = "" }),
			letter(2, func(m *ingest.Mail) { m.MessageID, m.Fingerprint = "", fmt.Sprintf("%064x", 1) })},
			[]want{{with: 1, method: "NEW"}, {with: 1, method: "REFERENCES", confidence: 100}}},
		{"a copy", []ingest.Item{letter(1, nil), letter(2, func(m *ingest.Mail) { m.MessageID, m.Fingerprint = "1@x", fmt.Sprintf("%064x", 1) })},
			[]want{{with: 1, method: "NEW"}, {with: 1, method: "REFERENCES", confidence: 100}}},
		{"another message with the same id", []ingest.Item{letter(1, nil), letter(2, func(m *ingest.Mail) { m.MessageID = "1@x" }), letter(3, inReplyTo("1@x"))},
			[]want{{with: 1, method: "NEW"}, {with: 2, method: "NEW", reused: true}, {with: 1, method: "IN_REPLY_TO", confidence: 100, parent: 1}}},
		{"a copy that a list changed", []ingest.Item{letter(1, nil), letter(2, func(m *ingest.Mail) { m.MessageID, m.Date = "1@x", time.Unix(1_700_000_001, 0).UTC() })},
			[]want{{with: 1, method: "NEW"}, {with: 1, method: "REFERENCES", confidence: 100, reused: true}}},
		{"odd ids", []ingest.Item{letter(1, func(m *ingest.Mail) { m.MessageID = "a@@b" }), letter(2, references("a@@b")),
			letter(3, func(m *ingest.Mail) { m.MessageID = strings.Repeat("x", 2000) }), letter(4, inReplyTo(strings.Repeat("x", 2000)))},
			[]want{{with: 1, method: "NEW"}, {with: 1, method: "REFERENCES", confidence: 100, parent: 1}, {with: 3, method: "NEW"},
				{with: 3, method: "IN_REPLY_TO", confidence: 100, parent: 3}}},
	} {
		for _, together := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, together %v", tc.name, together), func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				told := b.told(t, together, slices.Clone(tc.items)...)
				name := func(uid uint32) string { return uuidText(told[uid].ID) }
				parent := func(uid uint32) ingest.MessageID {
					if uid == 0 {
						return ingest.MessageID{}
					}
					return told[uid].ID
				}
				for i, w := range tc.want {
					c := told[tc.items[i].Ref.UID]
					th := ingest.Thread{ID: name(w.with), Method: w.method, Confidence: w.confidence, Parent: parent(w.parent), ParentMissing: w.missing, Reused: w.reused}
					for _, uid := range w.merged {
						th.Merged = append(th.Merged, name(uid))
					}
					if diff := cmp.Diff(th, c.Thread); diff != "" {
						t.Errorf("message %d (-want +got):\n%s", c.Item.Ref.UID, diff)
					}
					if w.now != 0 {
						th.ID = name(w.now)
					}
					// What came in since is no longer missing.
					got := b.stored(t, c.ID).Thread
					if diff := cmp.Diff(th, got, cmpopts.IgnoreFields(th, "Parent", "ParentMissing")); diff != "" {
						t.Errorf("message %d as it is read (-want +got):\n%s", c.Item.Ref.UID, diff)
					}
				}
				if vs := b.violations(t); len(vs) != 0 {
					t.Errorf("violations: %q", texts(vs))
				}
			})
		}
	}
}

func TestThreadIsReadAsItIsNow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	told := b.told(t, false, letter(2, inReplyTo("1@x")), letter(3, nil), letter(1, nil), letter(4, references("3@x", "1@x")))
	if th := b.stored(t, told[2].ID).Thread; th.ParentMissing || th.Parent != told[1].ID {
		t.Errorf("got %+v: its parent has come in", th)
	}
	// A thread is found by its id, and by that of one that became part of it.
	for _, name := range []uint32{2, 3} {
		list, err := b.Messages(t.Context(), control.MessageQuery{Tenant: "acme", Channel: "support", Thread: uuidText(told[name].ID), Limit: 10})
		var got []uint32
		for _, m := range list {
			got = append(got, m.Ref.UID)
		}
		if want := []uint32{2, 3, 1, 4}; err != nil || !slices.Equal(got, want) {
			t.Errorf("thread %d: got %v, %v, want %v", name, got, err, want)
		}
	}
	for _, name := range []string{uuidText(told[4].ID), "no uuid"} {
		if list, err := b.Messages(t.Context(), control.MessageQuery{Tenant: "acme", Channel: "support", Thread: name, Limit: 10}); err != nil || name == "no uuid" && len(list) != 0 {
			t.Errorf("thread %s: got %d, %v", name, len(list), err)
		}
	}
}

func TestThreadsAreOfOneChannel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustCommit(t, letter(1, nil))
	ch, own, polled := owned(t, b.DB, "sales")
	var told ingest.Thread
	it := letter(2, references("1@x"))
	it.Event = func(c ingest.Committed) (string, []byte, error) { told = c.Thread; return received(c) }
	if _, err := b.Commit(t.Context(), own, &ingest.Batch{Channel: polled, Items: []ingest.Item{it}}); err != nil {
		t.Fatal(err)
	}
	if told.Method != "NEW" || !told.ParentMissing || ch.ID == b.channel.ID {
		t.Errorf("got %+v", told)
	}
}

func TestSubjectHint(t *testing.T) {
	t.Parallel()
	about := func(subject, from string) func(*ingest.Mail) {
		return func(m *ingest.Mail) {
			m.Subject, m.From = subject, []ingest.Address{{Email: from}}
			m.To, m.Cc = []ingest.Address{{Email: "support@example.com"}}, []ingest.Address{{Email: "colleague@example.com"}}
		}
	}
	stranger := func(m *ingest.Mail) {
		m.Subject, m.From, m.To = "Re: Order 1", []ingest.Address{{Email: "other@example.com"}}, []ingest.Address{{Email: "support@example.com"}}
	}
	for _, together := range []bool{true, false} {
		b := setup(t)
		told := b.told(t, together, letter(1, about("Order 1", "Ann@example.com")), letter(2, about("AW: [shop] order  1", "ann@EXAMPLE.com")),
			letter(3, about("Order 1", "ann@example.com")), letter(4, about("Re: Order 2", "ann@example.com")), letter(5, stranger),
			letter(6, about("Re: Order 1", "colleague@example.com")))
		for uid, want := range map[uint32]uint32{1: 0, 2: 1, 3: 0, 4: 0, 5: 0, 6: 3} {
			hint := ""
			if want != 0 {
				hint = uuidText(told[want].ID)
			}
			if th := told[uid].Thread; th.Hint != hint || th.Method != "NEW" || th.ID != uuidText(told[uid].ID) {
				t.Errorf("together %v, message %d: got %+v, want a new thread with the hint %q", together, uid, th, hint)
			}
			if th := b.stored(t, told[uid].ID).Thread; th.Hint != hint {
				t.Errorf("together %v, message %d is read with the hint %q, want %q", together, uid, th.Hint, hint)
			}
		}
		b.Exec(`update message set stored_at = now() - interval '31 days'`)
		if late := b.told(t, true, letter(7, about("Re: Order 1", "ann@example.com"))); late[7].Thread.Hint != "" {
			t.Errorf("got the hint %q to what is a month old", late[7].Thread.Hint)
		}
	}
}

func TestSiblings(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one := b.told(t, true, letter(1, nil), letter(2, func(m *ingest.Mail) { m.MessageID = "" }), letter(3, nil))
	_, own, polled := owned(t, b.DB, "sales")
	copies := []ingest.Item{letter(1, nil), letter(2, func(m *ingest.Mail) { m.MessageID = "" }), letter(3, func(m *ingest.Mail) { m.Fingerprint = strings.Repeat("f", 64) })}
	two := map[uint32]ingest.Committed{}
	for i := range copies {
		copies[i].Event = func(c ingest.Committed) (string, []byte, error) { two[c.Item.Ref.UID] = c; return received(c) }
	}
	if _, err := b.Commit(t.Context(), own, &ingest.Batch{Channel: polled, Items: copies}); err != nil {
		t.Fatal(err)
	}
	for uid, linked := range map[uint32]bool{1: true, 2: true, 3: false} {
		var earlier, later []string
		if linked {
			earlier, later = []string{control.MessageName("acme", "support", one[uid].ID)}, []string{control.MessageName("acme", "sales", two[uid].ID)}
		}
		if diff := cmp.Diff(earlier, two[uid].Siblings); diff != "" || one[uid].Siblings != nil {
			t.Errorf("message %d (-want +got):\n%s", uid, diff)
		}
		if diff := cmp.Diff(later, b.stored(t, one[uid].ID).Siblings); diff != "" {
			t.Errorf("message %d as the first channel has it (-want +got):\n%s", uid, diff)
		}
		m, err := b.Message(t.Context(), "acme", "sales", two[uid].ID)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(earlier, m.Siblings); diff != "" {
			t.Errorf("message %d as the second channel has it (-want +got):\n%s", uid, diff)
		}
	}
}

func TestAnswerToWhatWasErased(t *testing.T) {
	t.Parallel()
	b := setup(t)
	first := b.told(t, false, letter(1, nil))
	b.Exec(`update identifier set erased = true, message_id = null, fingerprint = null, sent = null`)
	told := b.told(t, false, letter(2, inReplyTo("1@x")))
	want := ingest.Thread{ID: uuidText(first[1].ID), Method: "IN_REPLY_TO", Confidence: 90, ParentMissing: true, ParentErased: true}
	if diff := cmp.Diff(want, told[2].Thread); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, b.stored(t, told[2].ID).Thread); diff != "" {
		t.Errorf("as it is read (-want +got):\n%s", diff)
	}
}
