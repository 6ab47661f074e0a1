package store_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store"
)

// Four replicas commit overlapping batches of one channel while its ownership goes round. Whatever they do, each
// message is stored once, sequences are dense and epochs rise.
func TestCommitsUnderChangingEpochs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const (
		workers = 4
		refs    = 120
		rounds  = 150
	)
	replicas := make([]string, workers)
	for i := range replicas {
		replicas[i] = uuid.NewString()
		b.Exec(`insert into replica (replica_id, capacity, host, polls, relays) values ($1, 100, 'x', true, true)`, replicas[i])
	}
	var mu sync.Mutex
	own := b.own // who the workers believe to be the owner: sometimes late
	stored, fenced := map[ingest.Ref]int{}, 0
	quarantined := 0
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var running sync.WaitGroup
	for w := range workers {
		st := open(t, b.DB)
		running.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 7))
			for ctx.Err() == nil {
				mu.Lock()
				mine := own
				mu.Unlock()
				if rnd.IntN(3) == 0 {
					mine.Epoch-- // one who has not heard of the last change
				}
				var items []ingest.Item
				for _, i := range rnd.Perm(refs)[:1+rnd.IntN(12)] {
					it := message(uint32(i+1), fmt.Appendf(nil, "body of %d", i))
					switch rnd.IntN(6) {
					case 0:
						it = ingest.Item{Ref: it.Ref, Standing: ingest.Deferred, Reason: ingest.ReasonMissingBody}
					case 1:
						it = ingest.Item{Ref: it.Ref, Standing: ingest.Quarantined, Reason: ingest.ReasonTooLarge, Event: received}
					}
					it.Settle = it.Standing == ingest.Stored
					items = append(items, it)
				}
				// Not cancelled, so that every outcome is known.
				r, err := st.Commit(context.WithoutCancel(ctx), mine, &ingest.Batch{Channel: b.polled, Items: items, Cursor: ingest.Cursor{Folder: "INBOX", UIDValidity: 7, LastUID: refs}})
				mu.Lock()
				switch {
				case err == nil:
					quarantined += r.Events - len(r.IDs)
					for ref := range r.IDs {
						stored[ref]++
					}
				case ingest.KindOf(err) == ingest.KindFenced:
					fenced++
				default:
					t.Errorf("commit: %v", err)
					stop()
				}
				mu.Unlock()
			}
		})
	}
	for i := range rounds {
		next := replicas[i%workers]
		b.Exec(`update channel_state set owner = $1, epoch = epoch + 1 where channel_id = $2`, next, b.channel.ID)
		mu.Lock()
		own = ingest.Ownership{Channel: b.channel.ID, Replica: ingest.ReplicaID(next), Epoch: own.Epoch + 1}
		mu.Unlock()
	}
	eventually(t, 30*time.Second, func() (bool, string) {
		mu.Lock()
		defer mu.Unlock()
		return len(stored) == refs && fenced > 10, fmt.Sprintf("%d of %d refs stored, %d commits fenced", len(stored), refs, fenced)
	})
	stop()
	running.Wait()
	for ref, n := range stored {
		if n != 1 {
			t.Errorf("%v was stored %d times", ref, n)
		}
	}
	if vs := b.violations(t); len(vs) != 0 {
		t.Errorf("violations: %q", texts(vs))
	}
	want := map[string]int64{"ledger": refs, "message": refs, "raw": refs, "event": int64(refs + quarantined), "outbox": int64(refs + quarantined)}
	got := map[string]int64{}
	for table := range want {
		got[table] = b.Int(`select count(*) from ` + table)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows (-want +got):\n%s", diff)
	}
	t.Logf("%d commits fenced, %d quarantines before the message came", fenced, quarantined)
}

// A fenced commit does not even wait for what the owner has under way.
func TestFencedCommitDoesNotWait(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tx, err := b.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	if _, err := tx.Exec(t.Context(), `insert into ledger (channel_id, ref, standing, size) values ($1, $2, 3, 0)`, b.channel.ID, ref(1).String()); err != nil {
		t.Fatal(err)
	}
	b.own.Epoch--
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	_, err = b.Commit(ctx, b.own, &ingest.Batch{Channel: b.polled, Items: []ingest.Item{message(1, []byte("x"))}})
	if ingest.KindOf(err) != ingest.KindFenced {
		t.Errorf("got %v, want fenced at once", err)
	}
}

func TestCommitWithOneRefTwice(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.mustCommit(t, message(1, []byte("first")), message(2, []byte("other")), message(1, []byte("again")))
	if len(r.IDs) != 2 || r.Events != 2 {
		t.Errorf("got %d messages and %d events, want 2 and 2", len(r.IDs), r.Events)
	}
	if got, err := b.ReadRaw(t.Context(), "acme", "support", r.IDs[ref(1)], 0, 100); err != nil || string(got) != "first" {
		t.Errorf("got %q, %v, want the first", got, err)
	}
	if vs := b.violations(t); len(vs) != 0 {
		t.Errorf("violations: %q", texts(vs))
	}
}

func TestCommitMovesCursorAndStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	commit := func(cur ingest.Cursor, start, restart bool) {
		t.Helper()
		if _, err := b.Commit(t.Context(), b.own, &ingest.Batch{Channel: b.polled, Cursor: cur, Start: start, Restart: restart}); err != nil {
			t.Fatal(err)
		}
	}
	read := func() *ingest.Channel {
		t.Helper()
		chs, err := b.Polled(t.Context(), b.own.Replica, []ingest.ChannelID{b.channel.ID})
		if err != nil || len(chs) != 1 {
			t.Fatalf("got %d, %v", len(chs), err)
		}
		return chs[0]
	}
	one := ingest.Cursor{Folder: "INBOX/Ä", UIDValidity: 1<<32 - 1, Floor: 5, LastUID: 1<<32 - 1}
	commit(one, false, false)
	if c := read(); c.Cursor != one || !c.Started.IsZero() || !c.Baseline.IsZero() {
		t.Errorf("got %+v, started %v, baseline %v", c.Cursor, c.Started, c.Baseline)
	}
	commit(one, true, false)
	began := read()
	if began.Started.IsZero() || !began.Baseline.Equal(began.Started) {
		t.Errorf("started %v, baseline %v", began.Started, began.Baseline)
	}
	commit(one, true, false)
	if c := read(); !c.Started.Equal(began.Started) {
		t.Errorf("a second start moved the time from %v to %v", began.Started, c.Started)
	}
	two := ingest.Cursor{Folder: "INBOX/Ä", UIDValidity: 9}
	commit(two, false, true)
	if c := read(); c.Cursor != two || !c.Started.IsZero() || !c.Baseline.Equal(began.Baseline) {
		t.Errorf("numbered anew: got %+v, started %v, baseline %v, want the baseline of before alone", c.Cursor, c.Started, c.Baseline)
	}
	if n := b.Int(`select next_seq from channel_state`); n != 1 {
		t.Errorf("next sequence is %d, want 1: nothing was announced", n)
	}
}

// trips counts how often a connection is asked something: a batch is asked once, whatever it holds.
type trips struct {
	mu sync.Mutex
	n  int
}

func (c *trips) count() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
}

func (c *trips) TraceQueryStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceQueryStartData) context.Context {
	c.count()
	return ctx
}
func (c *trips) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}
func (c *trips) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	c.count()
	return ctx
}
func (c *trips) TraceBatchQuery(context.Context, *pgx.Conn, pgx.TraceBatchQueryData) {}
func (c *trips) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData)     {}
func (c *trips) TraceCopyFromStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceCopyFromStartData) context.Context {
	c.count()
	return ctx
}
func (c *trips) TraceCopyFromEnd(context.Context, *pgx.Conn, pgx.TraceCopyFromEndData) {}
func (c *trips) TracePrepareStart(ctx context.Context, _ *pgx.Conn, _ pgx.TracePrepareStartData) context.Context {
	c.count()
	return ctx
}
func (c *trips) TracePrepareEnd(context.Context, *pgx.Conn, pgx.TracePrepareEndData) {}

func TestRoundTripsOfACommitAreBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := &trips{}
	st, err := store.OpenTraced(t.Context(), store.Config{URL: b.URL, MaxConns: 1, Sealer: b.Sealer}, c)
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	uid := uint32(0)
	commit := func(n int) int {
		t.Helper()
		var items []ingest.Item
		for range n {
			uid++
			items = append(items, message(uid, []byte("body")))
		}
		before := c.n
		if _, err := st.Commit(t.Context(), b.own, &ingest.Batch{Channel: b.polled, Items: items, Cursor: ingest.Cursor{Folder: "INBOX", UIDValidity: 7, LastUID: uid}}); err != nil {
			t.Fatal(err)
		}
		return c.n - before
	}
	commit(1) // statements are prepared once for a connection
	one, many := commit(1), commit(200)
	if one != many || many > 6 {
		t.Errorf("1 message takes %d round trips, 200 take %d; want the same, at most 6", one, many)
	}
	t.Logf("%d round trips", many)
}
