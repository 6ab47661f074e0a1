package store_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store"
)

func TestOutbox(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sales := newChannel(t, b.DB, "sales")
	own := claim(t, b.DB, sales.ID)
	b.Exec(`update channel_state set owner = $1, epoch = 1`, string(own.Replica))
	b.own.Replica, b.own.Epoch, own.Epoch = own.Replica, 1, 1
	chs, err := b.Polled(t.Context(), own.Replica, []ingest.ChannelID{sales.ID})
	if err != nil {
		t.Fatal(err)
	}
	commit := func(uid uint32) {
		t.Helper()
		if _, err := b.Commit(t.Context(), own, &ingest.Batch{Channel: chs[0], Items: []ingest.Item{message(uid, []byte("x")), message(uid+1, []byte("y"))}}); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case <-b.RelayWake():
		t.Error("the relay is woken although there is nothing")
	default:
	}
	first := b.mustCommit(t, message(1, []byte("a")), message(2, []byte("b")))
	select {
	case <-b.RelayWake():
	default:
		t.Error("a commit with events does not wake the relay")
	}
	commit(1)
	b.mustCommit(t, ingest.Item{Ref: ref(3), Standing: ingest.Quarantined, Event: received}, message(4, []byte("c")))
	commit(3)

	mine, theirs := store.BucketOf(b.channel.ID), store.BucketOf(sales.ID)
	if mine == theirs {
		t.Fatal("the test needs two channels in different buckets")
	}
	next := func(buckets []int16, except []ingest.ChannelID, limit int) []store.OutboxRow {
		t.Helper()
		rows, err := b.OutboxNext(t.Context(), buckets, except, limit)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.IsSortedFunc(rows, func(x, y store.OutboxRow) int { return int(x.ID - y.ID) }) {
			t.Errorf("not ascending: %+v", rows)
		}
		return rows
	}
	seqs := func(rows []store.OutboxRow) (s []int64) {
		for _, r := range rows {
			s = append(s, r.Sequence)
		}
		return s
	}
	both := []int16{mine, theirs}
	if got := seqs(next(both, nil, 100)); !slices.Equal(got, []int64{1, 2, 1, 2, 3, 4, 3, 4}) {
		t.Errorf("got sequences %v", got)
	}
	if got := seqs(next(both, nil, 3)); !slices.Equal(got, []int64{1, 2, 1}) {
		t.Errorf("limit 3: got sequences %v", got)
	}
	if got := seqs(next([]int16{mine}, nil, 100)); !slices.Equal(got, []int64{1, 2, 3, 4}) {
		t.Errorf("one bucket: got sequences %v", got)
	}
	if rows := next(both, []ingest.ChannelID{sales.ID}, 100); len(rows) != 4 || rows[0].Channel != "support" {
		t.Errorf("without sales: got %+v", rows)
	}
	if rows := next(both, []ingest.ChannelID{sales.ID, b.channel.ID}, 100); len(rows) != 0 {
		t.Errorf("without both: got %+v", rows)
	}
	if rows := next(nil, nil, 100); len(rows) != 0 {
		t.Errorf("no buckets: got %+v", rows)
	}
	row := next([]int16{mine}, nil, 1)[0]
	want := store.OutboxRow{ID: row.ID, Bucket: mine, ChannelID: b.channel.ID, Tenant: "acme", Channel: "support", Type: "received", Sequence: 1,
		EventID: uuidText(first.IDs[ref(1)]), Time: row.Time, Data: []byte(`{"sequence":"1"}`)}
	if diff := cmp.Diff(want, row); diff != "" {
		t.Errorf("row (-want +got):\n%s", diff)
	}

	b.Exec(`update event set at = now() - interval '1 minute' where seq = 1`)
	n, age, err := b.OutboxAge(t.Context())
	if err != nil || n != 8 || age < time.Minute || age > 2*time.Minute {
		t.Errorf("age: got %d rows, %v, %v, want 8 and a minute", n, age, err)
	}
	rows := next(both, nil, 100)
	if err := b.OutboxDelete(t.Context(), []int64{rows[0].ID, rows[2].ID, 1 << 40}); err != nil {
		t.Fatal(err)
	}
	if got := seqs(next(both, nil, 100)); !slices.Equal(got, []int64{2, 2, 3, 4, 3, 4}) {
		t.Errorf("after the deletion: got sequences %v", got)
	}
	r := b.replay(t, ingest.ReplayEvents, func(r *ingest.Replay) { r.Range.LastSequence = 1 })
	if _, err := b.Step(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	if rows := next([]int16{mine}, nil, 100); len(rows) != 4 || rows[3].ReplayID != r.ID || rows[3].EventID != uuidText(first.IDs[ref(1)]) || rows[3].Sequence != 1 {
		t.Errorf("a replayed event: got %+v", rows)
	}
	b.Exec(`delete from outbox where replay_id is null`)
	if n, age, err = b.OutboxAge(t.Context()); err != nil || n != 1 || age != 0 {
		t.Errorf("replayed events alone: got %d rows, %v, %v, want 1 of no age", n, age, err)
	}
}

func TestBucketsAreEven(t *testing.T) {
	t.Parallel()
	for name, id := range map[string]func(int) ingest.ChannelID{
		"in order":       func(i int) ingest.ChannelID { return ingest.ChannelID(i + 1) },
		"every 64th":     func(i int) ingest.ChannelID { return ingest.ChannelID(64 * i) },
		"every 1000th":   func(i int) ingest.ChannelID { return ingest.ChannelID(1000 * i) },
		"from a million": func(i int) ingest.ChannelID { return ingest.ChannelID(1_000_000 + 3*i) },
	} {
		const n = 10_000
		var count [store.RelayBuckets]int
		for i := range n {
			b := store.BucketOf(id(i))
			if b < 0 || b >= store.RelayBuckets {
				t.Fatalf("%s: channel %d has bucket %d", name, id(i), b)
			}
			count[b]++
		}
		chi := 0.0
		for _, c := range count {
			chi += math.Pow(float64(c)-float64(n)/store.RelayBuckets, 2) / (float64(n) / store.RelayBuckets)
		}
		// 63 degrees of freedom: beyond 103 once in a thousand for what is random.
		if chi > 103 {
			t.Errorf("%s: chi-square is %.0f, buckets %v", name, chi, count)
		}
	}
}
