package store_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store"
)

func TestMessage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	newChannel(t, b.DB, "sales")
	it := message(1, []byte("raw octets"))
	it.Received = time.Date(2026, 5, 6, 7, 8, 9, 0, time.FixedZone("", 7200))
	it.Mail = &ingest.Mail{Subject: "Grüße ✉", From: []ingest.Address{{Name: "Ä", Email: "a@example.com"}}, MessageID: "x@example.com", Text: "line one\r\n\r\n  line two",
		Date: time.Date(2026, 5, 6, 7, 8, 0, 0, time.UTC), References: []string{"r1", "r2"}, Parts: []ingest.Part{{Path: "1", ContentType: "text/plain", Size: 5}},
		Defects: []ingest.Defect{{Code: "X", Where: "1", Text: "y"}}}
	r := b.mustCommit(t, it)
	m, err := b.Message(t.Context(), "acme", "support", r.IDs[ref(1)])
	if err != nil {
		t.Fatal(err)
	}
	want := control.Message{Tenant: "acme", Channel: "support", ID: r.IDs[ref(1)], EventID: m.EventID, Sequence: 1, Ref: ref(1), Received: it.Received, Stored: m.Stored,
		Size: 10, SHA256: sha256.Sum256([]byte("raw octets")), Preview: "line one line two", Mail: *it.Mail, Parser: 1,
		Thread: ingest.Thread{ID: uuidText(r.IDs[ref(1)]), Method: "NEW", ParentMissing: true}}
	want.Mail.ReplyText = it.Mail.Text
	if diff := cmp.Diff(want, m); diff != "" {
		t.Errorf("message (-want +got):\n%s", diff)
	}
	if n := b.Int(`select count(*) from event where event_id::text = $1`, m.EventID); n != 1 {
		t.Errorf("the event id %s names %d events", m.EventID, n)
	}
	if age := time.Since(m.Stored); age < -time.Minute || age > time.Minute {
		t.Errorf("stored at %v", m.Stored)
	}
	for _, x := range []struct {
		tenant, channel string
		id              ingest.MessageID
	}{{"acme", "sales", m.ID}, {"other", "support", m.ID}, {"acme", "nobody", m.ID}, {"acme", "support", store.IDAt(time.Now())}, {"acme", "support", ingest.MessageID{}},
		{"acme", "support", store.IDAt(time.Date(2200, 1, 1, 0, 0, 0, 0, time.UTC))}} {
		if _, err := b.Message(t.Context(), x.tenant, x.channel, x.id); !errors.Is(err, control.ErrNotFound) {
			t.Errorf("message %v: got %v, want ErrNotFound", x, err)
		}
		if _, err := b.ReadRaw(t.Context(), x.tenant, x.channel, x.id, 0, 10); !errors.Is(err, control.ErrNotFound) {
			t.Errorf("octets %v: got %v, want ErrNotFound", x, err)
		}
	}
}

func TestMessagesPagesAndFilters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	day := func(n int) time.Time { return time.Date(2026, 3, n, 12, 0, 0, 0, time.UTC) }
	var items []ingest.Item
	for i := 1; i <= 9; i++ {
		it := message(uint32(i), fmt.Appendf(nil, "m%d", i))
		it.Mail.MessageID = fmt.Sprintf("%d@example.com", i%4)
		if i != 5 {
			it.Received = day(i)
		}
		items = append(items, it)
	}
	// Between the messages lie events of other kinds, so that their sequences have gaps.
	items = append(items[:4:4], append([]ingest.Item{{Ref: ref(100), Standing: ingest.Quarantined, Reason: ingest.ReasonTooLarge, Event: received}}, items[4:]...)...)
	b.mustCommit(t, items...)
	for _, tc := range []struct {
		name string
		q    control.MessageQuery
		want []int64
	}{
		{"all", control.MessageQuery{Limit: 100}, []int64{1, 2, 3, 4, 6, 7, 8, 9, 10}},
		{"descending", control.MessageQuery{Limit: 100, Descending: true}, []int64{10, 9, 8, 7, 6, 4, 3, 2, 1}},
		{"first page", control.MessageQuery{Limit: 4}, []int64{1, 2, 3, 4}},
		{"next page", control.MessageQuery{Limit: 4, After: 4}, []int64{6, 7, 8, 9}},
		{"last page", control.MessageQuery{Limit: 4, After: 9}, []int64{10}},
		{"behind the end", control.MessageQuery{Limit: 4, After: 10}, nil},
		{"far behind the end", control.MessageQuery{Limit: 4, After: 1 << 40}, nil},
		{"next page descending", control.MessageQuery{Limit: 2, After: 6, Descending: true}, []int64{4, 3}},
		{"before the beginning", control.MessageQuery{Limit: 2, After: 1, Descending: true}, nil},
		{"since", control.MessageQuery{Limit: 100, Since: day(7)}, []int64{8, 9, 10}},
		{"until", control.MessageQuery{Limit: 100, Until: day(3)}, []int64{1, 2}},
		{"between", control.MessageQuery{Limit: 100, Since: day(3), Until: day(7)}, []int64{3, 4, 7}},
		{"Message-ID", control.MessageQuery{Limit: 100, MessageID: "1@example.com"}, []int64{1, 6, 10}},
		{"Message-ID, page", control.MessageQuery{Limit: 1, MessageID: "1@example.com", After: 1}, []int64{6}},
		{"Message-ID exactly", control.MessageQuery{Limit: 100, MessageID: "1@EXAMPLE.com"}, nil},
		{"another channel", control.MessageQuery{Limit: 100, Channel: "sales"}, nil},
	} {
		tc.q.Tenant = "acme"
		if tc.q.Channel == "" {
			tc.q.Channel = "support"
		}
		for _, text := range []bool{false, true} {
			tc.q.Text = text
			list, err := b.Messages(t.Context(), tc.q)
			if err != nil {
				t.Errorf("%s: %v", tc.name, err)
				continue
			}
			var got []int64
			for _, m := range list {
				got = append(got, m.Sequence)
				if want := map[bool]string{true: "hello"}[text]; m.Mail.Text != want || m.Preview != "hello" {
					t.Errorf("%s: text is %q, preview %q", tc.name, m.Mail.Text, m.Preview)
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", tc.name, diff)
			}
		}
	}
}

func TestReadRaw(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const p = store.PieceSize
	body := make([]byte, 3*p+17)
	rand.Read(body)
	r := b.mustCommit(t, message(1, body), message(2, nil), message(3, body[:p]))
	size := int64(len(body))
	for _, tc := range []struct {
		offset int64
		limit  int
	}{
		{0, 1}, {0, p}, {0, p - 1}, {0, p + 1}, {0, len(body)}, {0, len(body) + 1}, {0, 10 * p}, {1, p}, {p - 1, 1}, {p - 1, 2}, {p, 1}, {p, p}, {p + 1, p},
		{p - 1, 2*p + 2}, {2*p + 7, 99}, {3*p - 1, 18}, {3 * p, 17}, {3 * p, 18}, {3*p + 16, 1}, {3*p + 16, 5}, {size, 1}, {size + 1, 1}, {4 * p, 10}, {1 << 40, 10},
		{math.MaxInt64 - 10, 5}, {math.MaxInt64, 100}, {12345, 600_001},
	} {
		got, err := b.ReadRaw(t.Context(), "acme", "support", r.IDs[ref(1)], tc.offset, tc.limit)
		if err != nil {
			t.Errorf("offset %d, limit %d: %v", tc.offset, tc.limit, err)
			continue
		}
		from := min(tc.offset, size)
		if want := body[from:min(size, from+int64(tc.limit))]; !bytes.Equal(got, want) {
			t.Errorf("offset %d, limit %d: got %d octets that are not the %d of the message", tc.offset, tc.limit, len(got), len(want))
		}
	}
	for _, offset := range []int64{0, 1, p} {
		if got, err := b.ReadRaw(t.Context(), "acme", "support", r.IDs[ref(2)], offset, 10); err != nil || len(got) != 0 {
			t.Errorf("an empty message at %d: got %d octets, %v", offset, len(got), err)
		}
	}
	if got, err := b.ReadRaw(t.Context(), "acme", "support", r.IDs[ref(3)], p, 10); err != nil || len(got) != 0 {
		t.Errorf("behind a full piece: got %d octets, %v", len(got), err)
	}
}
