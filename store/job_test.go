package store_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store"
	"github.com/mailintake/mailintake/store/storetest"
)

// work runs the job queue over a store of its own until the test ends or stop is called.
func work(t *testing.T, db *storetest.DB) (stop func()) {
	t.Helper()
	st := open(t, db)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := (&store.Jobs{Store: st, Log: slog.New(slog.DiscardHandler)}).Run(ctx); err != nil {
			t.Errorf("Jobs: %v", err)
		}
	}()
	stop = func() { cancel(); <-done }
	t.Cleanup(stop)
	return stop
}

// published are the sequences that a relay took out of the outbox: of replays, and of new events.
type published struct {
	mu       sync.Mutex
	replayed []int64
	fresh    []int64
}

// drain takes what waits, as a relay does, and reports how much of a replay waited at that moment.
func (p *published) drain(t *testing.T, db *storetest.DB, limit int) (waiting int) {
	t.Helper()
	waiting = int(db.Int(`select count(*) from outbox where replay_id is not null`))
	var all []int16
	for i := range store.RelayBuckets {
		all = append(all, int16(i))
	}
	rows, err := db.OutboxNext(t.Context(), all, nil, limit)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int64
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, r := range rows {
		ids = append(ids, r.ID)
		if r.ReplayID == "" {
			p.fresh = append(p.fresh, r.Sequence)
		} else {
			p.replayed = append(p.replayed, r.Sequence)
		}
	}
	if err := db.OutboxDelete(t.Context(), ids); err != nil {
		t.Fatal(err)
	}
	return waiting
}

func upTo(first, last int64) []int64 {
	var s []int64
	for i := first; i <= last; i++ {
		s = append(s, i)
	}
	return s
}

func sameSequences(t *testing.T, what string, got, want []int64) {
	t.Helper()
	if slices.Equal(got, want) {
		return
	}
	double := map[int64]int{}
	for _, s := range got {
		double[s]++
	}
	for s, n := range double {
		if n > 1 {
			t.Errorf("%s: sequence %d came %d times", what, s, n)
			break
		}
	}
	t.Errorf("%s: got %d events from %v to %v, sorted %v; want %d from %v to %v in order", what, len(got), got[:min(3, len(got))], got[max(0, len(got)-3):],
		slices.IsSorted(got), len(want), want[:min(3, len(want))], want[max(0, len(want)-3):])
}

func (b *bench) state(t *testing.T, id string) ingest.Replay {
	t.Helper()
	r, err := b.Replay(t.Context(), "acme", id)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func (b *bench) ends(t *testing.T, id string, want ingest.ReplayState) ingest.Replay {
	t.Helper()
	var r ingest.Replay
	eventually(t, 30*time.Second, func() (bool, string) {
		r = b.state(t, id)
		return r.State.Done(), fmt.Sprintf("replay is %v, %+v", r.State, r.Progress)
	})
	if r.State != want || r.Started.IsZero() || r.Ended.IsZero() {
		t.Errorf("replay is %v (%s), started %v, ended %v, want %v", r.State, r.Error, r.Started, r.Ended, want)
	}
	return r
}

func TestReplayEventsEndsWithTheLastOfItsStart(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 1700
	b.numbered(t, n)
	b.Exec(`delete from outbox`)
	r := b.replay(t, ingest.ReplayEvents)
	work(t, b.DB)
	var p published
	late := 0
	eventually(t, 60*time.Second, func() (bool, string) {
		got := b.state(t, r.ID)
		if got.State == ingest.ReplayRunning && late < 5 {
			b.numbered(t, 10)
			late++
		}
		if w := p.drain(t, b.DB, 400); w > store.ReplayAhead {
			t.Errorf("%d events of a replay wait, want at most %d", w, store.ReplayAhead)
		}
		return got.State.Done(), fmt.Sprintf("%v %+v", got.State, got.Progress)
	})
	got := b.ends(t, r.ID, ingest.ReplaySucceeded)
	if got.Progress.Matched != n || got.Progress.Done != n || got.Range.LastSequence != n {
		t.Errorf("got %+v of range %+v, want %d matched and done", got.Progress, got.Range, n)
	}
	p.drain(t, b.DB, 1000)
	sameSequences(t, "replayed", p.replayed, upTo(1, n))
	sameSequences(t, "new", p.fresh, upTo(n+1, n+int64(10*late)))
	if late == 0 {
		t.Error("no event came while the replay ran: the test shows nothing")
	}
	eventually(t, 10*time.Second, func() (bool, string) {
		return b.Int(`select count(*) from river_job where state <> 'completed'`) == 0, "the job is not completed"
	})
}

// No more than ReplayAhead wait at a time, also when the relay has taken but a few.
func TestReplayEventsWaitsForTheRelay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.numbered(t, 1600)
	b.Exec(`delete from outbox`)
	r := b.replay(t, ingest.ReplayEvents)
	step := func() bool {
		t.Helper()
		done, err := b.Step(t.Context(), r.ID)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	var p published
	for i, take := range []int{0, 0, 0, 1, 0, 999, 1, 400} {
		if take > 0 {
			p.drain(t, b.DB, take)
		}
		if step() {
			t.Fatalf("done after step %d", i)
		}
		if n := b.Int(`select count(*) from outbox`); n > store.ReplayAhead {
			t.Errorf("step %d: %d wait, want at most %d", i, n, store.ReplayAhead)
		}
	}
	for b.Int(`select count(*) from outbox`) > 0 {
		p.drain(t, b.DB, 500)
		if _, err := b.Step(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
	}
	if !step() {
		t.Error("not done although all is published")
	}
	sameSequences(t, "replayed", p.replayed, upTo(1, 1600))
}

// A job that was taken for dead and is not: two workers take steps of one replay.
func TestReplayEventsBySeveralWorkers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 2600
	b.numbered(t, n)
	b.Exec(`delete from outbox`)
	r := b.replay(t, ingest.ReplayEvents)
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for done := false; !done; {
				var err error
				if done, err = b.Step(t.Context(), r.ID); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	var p published
	eventually(t, 30*time.Second, func() (bool, string) {
		p.drain(t, b.DB, 300)
		return len(p.replayed) >= n, fmt.Sprintf("%d of %d", len(p.replayed), n)
	})
	workers.Wait()
	p.drain(t, b.DB, 1000)
	sameSequences(t, "replayed", p.replayed, upTo(1, n))
}

func TestReplayEventsRanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.numbered(t, 20)
	b.Exec(`delete from outbox`)
	b.Exec(`update event set at = '2026-01-01 00:00:00Z'::timestamptz + seq * interval '1 hour'`)
	hour := func(h int) time.Time { return time.Date(2026, 1, 1, h, 0, 0, 0, time.UTC) }
	for _, tc := range []struct {
		name string
		r    ingest.Range
		want []int64
	}{
		{"all", ingest.Range{}, upTo(1, 20)},
		{"first", ingest.Range{FirstSequence: 18}, upTo(18, 20)},
		{"last", ingest.Range{LastSequence: 3}, upTo(1, 3)},
		{"both", ingest.Range{FirstSequence: 5, LastSequence: 5}, upTo(5, 5)},
		{"beyond the last", ingest.Range{FirstSequence: 19, LastSequence: 1 << 40}, upTo(19, 20)},
		{"none", ingest.Range{FirstSequence: 21}, nil},
		{"far behind the last", ingest.Range{FirstSequence: 1 << 40}, nil},
		{"since", ingest.Range{Since: hour(18)}, upTo(18, 20)},
		{"until", ingest.Range{Until: hour(4)}, upTo(1, 3)},
		{"sequence and time", ingest.Range{FirstSequence: 5, Since: hour(3), Until: hour(9)}, upTo(5, 8)},
	} {
		for _, dry := range []bool{true, false} {
			r := b.replay(t, ingest.ReplayEvents, func(r *ingest.Replay) { r.Range, r.DryRun = tc.r, dry })
			var p published
			for done := false; !done; {
				var err error
				if done, err = b.Step(t.Context(), r.ID); err != nil {
					t.Fatalf("%s: %v", tc.name, err)
				}
				if !done {
					p.drain(t, b.DB, 1000)
				}
			}
			got := b.state(t, r.ID)
			want := ingest.Progress{Matched: len(tc.want), Done: len(tc.want)}
			if dry {
				want.Done = 0
				sameSequences(t, tc.name+", dry run", p.replayed, nil)
			} else {
				sameSequences(t, tc.name, p.replayed, tc.want)
			}
			if got.State != ingest.ReplaySucceeded || !cmp.Equal(got.Progress, want) {
				t.Errorf("%s (dry run %v): got %v with %+v, want %+v", tc.name, dry, got.State, got.Progress, want)
			}
		}
	}
	// What comes after the start does not count, however far the range goes.
	r := b.replay(t, ingest.ReplayEvents, func(r *ingest.Replay) { r.Range = ingest.Range{FirstSequence: 19, LastSequence: 1000} })
	if _, err := b.Step(t.Context(), r.ID); err != nil {
		t.Fatal(err)
	}
	b.numbered(t, 5)
	var p published
	p.drain(t, b.DB, 100)
	if done, err := b.Step(t.Context(), r.ID); err != nil || !done {
		t.Errorf("got %v, %v, want it to be done", done, err)
	}
	sameSequences(t, "replayed", p.replayed, upTo(19, 20))
}

func TestCancelEmptiesTheOutbox(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.numbered(t, 1200) // these wait themselves
	one, two := b.replay(t, ingest.ReplayEvents), b.replay(t, ingest.ReplayEvents)
	for _, r := range []ingest.Replay{one, two, one} {
		if _, err := b.Step(t.Context(), r.ID); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.CancelReplay(t.Context(), "acme", one.ID, admin); err != nil {
		t.Fatal(err)
	}
	if done, err := b.Step(t.Context(), one.ID); err != nil || !done {
		t.Errorf("a step after the cancellation: done %v, %v", done, err)
	}
	if n := b.Int(`select count(*) from outbox where replay_id::text = $1`, one.ID); n != 0 {
		t.Errorf("%d events of the cancelled replay wait", n)
	}
	if n := b.Int(`select count(*) from outbox where replay_id::text = $1`, two.ID); n != store.ReplayStep {
		t.Errorf("%d events of the other replay wait, want %d", n, store.ReplayStep)
	}
	if n := b.Int(`select count(*) from outbox where replay_id is null`); n != 1200 {
		t.Errorf("%d new events wait, want 1200", n)
	}
	if r := b.state(t, one.ID); r.State != ingest.ReplayCancelled {
		t.Errorf("replay is %v", r.State)
	}
}

func TestReplayRetryTakesTheVisitsOutcome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	work(t, b.DB)
	fail := func() {
		b.Exec(`update channel_status set state = $1, reason = 'LOGIN_REFUSED', failures = 9, auth_failures = 3, last_attempt = now() - interval '1 hour',
  next_attempt = now() + interval '6 hours'`, ingest.StateAuthFailed)
	}
	fail()
	dry := b.replay(t, ingest.ReplayRetry, func(r *ingest.Replay) { r.DryRun = true })
	if got := b.ends(t, dry.ID, ingest.ReplaySucceeded); got.Progress.Matched != 1 {
		t.Errorf("dry run: got %+v", got.Progress)
	}
	if h := b.health(t); h.State != ingest.StateAuthFailed || h.AuthFailures != 3 {
		t.Errorf("the dry run changed the channel: %+v", h)
	}
	if n := b.Int(`select wake from channel`); n != 0 {
		t.Error("the dry run woke the owner")
	}

	visit := func(h ingest.Health) ingest.Replay {
		t.Helper()
		fail()
		wake := b.Int(`select wake from channel`)
		r := b.replay(t, ingest.ReplayRetry)
		eventually(t, 15*time.Second, func() (bool, string) {
			return b.state(t, r.ID).State == ingest.ReplayRunning, "the replay does not start"
		})
		if got := b.health(t); got.State != ingest.StatePending || got.Failures != 0 || got.AuthFailures != 0 || !got.NextAttempt.IsZero() {
			t.Errorf("after the start: got %+v, want backoff and breaker forgotten", got)
		}
		if n := b.Int(`select wake from channel`); n != wake+1 {
			t.Errorf("the owner was woken %d times, want once", n-wake)
		}
		chs, err := b.Polled(t.Context(), b.own.Replica, []ingest.ChannelID{b.channel.ID})
		if err != nil {
			t.Fatal(err)
		}
		h.LastAttempt = time.Now()
		if err := b.SaveHealth(t.Context(), b.own, chs[0].Revision, h); err != nil {
			t.Fatal(err)
		}
		return r
	}
	good := visit(ingest.Health{State: ingest.StateActive})
	if got := b.ends(t, good.ID, ingest.ReplaySucceeded); got.Progress.Matched != 1 || got.Progress.Done != 1 || got.Error != "" {
		t.Errorf("a good visit: got %+v", got)
	}
	bad := visit(ingest.Health{State: ingest.StateAuthFailed, Reason: ingest.ReasonLoginRefused, ServerText: "go away", Detail: "login: refused"})
	if got := b.ends(t, bad.ID, ingest.ReplayFailed); !strings.Contains(got.Error, "LOGIN_REFUSED") || !strings.Contains(got.Error, "go away") {
		t.Errorf("a bad visit: got %+v", got)
	}
	r := b.replay(t, ingest.ReplayRetry)
	if _, err := b.DeleteChannel(t.Context(), b.channel.ID, 1, admin); err != nil {
		t.Fatal(err)
	}
	if got := b.ends(t, r.ID, ingest.ReplayFailed); !strings.Contains(got.Error, "deleted") {
		t.Errorf("a deleted channel: got %+v", got)
	}
}

func TestReplayFetchWaitsForItsOwner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	stop := work(t, b.DB)
	r := b.replay(t, ingest.ReplayFetch)
	eventually(t, 15*time.Second, func() (bool, string) {
		return b.state(t, r.ID).State == ingest.ReplayRunning, "the replay does not start"
	})
	changed, err := b.Changed(t.Context(), b.own.Replica, time.Minute)
	if err != nil || changed[b.channel.ID] != b.polled.Revision+1 {
		t.Errorf("got %v, %v, want the owner woken", changed, err)
	}
	stop() // nobody works at jobs meanwhile
	chs, err := b.Polled(t.Context(), b.own.Replica, []ingest.ChannelID{b.channel.ID})
	if err != nil || len(chs[0].Fetches) != 1 || chs[0].Fetches[0].ID != r.ID {
		t.Fatalf("got %+v, %v, want the fetch", chs, err)
	}
	if _, err := b.SaveFetch(t.Context(), r.ID, ingest.Progress{Matched: 3, Known: 3}, true, ""); err != nil {
		t.Fatal(err)
	}
	work(t, b.DB)
	b.ends(t, r.ID, ingest.ReplaySucceeded)
	eventually(t, 30*time.Second, func() (bool, string) {
		return b.Int(`select count(*) from river_job where state <> 'completed'`) == 0, "the job is not completed"
	})
}

// A replay that a newer release asked for ends with a word, and is not tried for ever.
func TestReplayOfUnknownKindFails(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.replay(t, ingest.ReplayRetry)
	b.Exec(`update replay set kind = 99`)
	work(t, b.DB)
	if got := b.ends(t, r.ID, ingest.ReplayFailed); !strings.Contains(got.Error, "99") {
		t.Errorf("got error %q, want it to name the kind", got.Error)
	}
}

const jobsURL = "MAILINTAKE_TEST_JOBS_URL"

// TestJobsProcess is not a test but what the next one starts as a process of its own.
func TestJobsProcess(t *testing.T) {
	url := os.Getenv(jobsURL)
	if url == "" {
		t.Skip("runs as a child of TestReplaySurvivesKill only")
	}
	st, err := store.Open(t.Context(), store.Config{URL: url, MaxConns: 4})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("working")
	t.Fatal((&store.Jobs{Store: st, Log: slog.New(slog.DiscardHandler)}).Run(t.Context()))
}

func startJobsProcess(t *testing.T, url string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestJobsProcess$")
	cmd.Env = append(os.Environ(), jobsURL+"="+url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "working\n" {
		t.Fatalf("the child said %q, %v", line, err)
	}
	return cmd
}

// A worker is killed between two steps and in the middle of one; another process goes on where it was.
func TestReplaySurvivesKill(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes half a minute")
	}
	b := setup(t)
	const n = 2000
	b.numbered(t, n)
	b.Exec(`delete from outbox`)
	r := b.replay(t, ingest.ReplayEvents)
	kill := func(cmd *exec.Cmd) {
		t.Helper()
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait() // says that it was killed
	}
	bury := func() {
		t.Helper()
		eventually(t, 10*time.Second, func() (bool, string) {
			return b.Int(`select count(*) from pg_stat_activity where datname = current_database() and application_name = 'jobs-child'`) == 0, "the child's connections live"
		})
		// The dead hold the queue's lease and perhaps the job. What the queue would wait for is moved, not the wait.
		b.Exec(`update river_leader set expires_at = now() - interval '1 second'`)
		b.Exec(`update river_job set attempted_at = now() - interval '1 hour' where state = 'running'`)
	}
	url := b.URL + "&application_name=jobs-child"
	child := startJobsProcess(t, url)
	eventually(t, 20*time.Second, func() (bool, string) {
		return b.Int(`select count(*) from outbox`) >= store.ReplayStep, "nothing is handed over"
	})
	kill(child)
	bury()
	var p published
	p.drain(t, b.DB, 700)

	tx, err := b.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	var id string
	if err := tx.QueryRow(t.Context(), `select replay_id::text from replay for update`).Scan(&id); err != nil {
		t.Fatal(err)
	}
	child = startJobsProcess(t, url)
	eventually(t, 40*time.Second, func() (bool, string) {
		// Keeps the transaction from idling too long.
		if _, err := tx.Exec(t.Context(), `select 1`); err != nil {
			t.Fatal(err)
		}
		n := b.Int(`select count(*) from pg_stat_activity where datname = current_database() and application_name = 'jobs-child' and wait_event_type = 'Lock'`)
		return n > 0, "the step does not wait for the lock"
	})
	kill(child)
	if n := b.Int(`select count(*) from river_job where state = 'running'`); n != 1 {
		t.Errorf("%d jobs count as running, want the one that died", n)
	}
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	bury()
	work(t, b.DB)
	eventually(t, 60*time.Second, func() (bool, string) {
		if w := p.drain(t, b.DB, 600); w > store.ReplayAhead {
			t.Errorf("%d events of a replay wait, want at most %d", w, store.ReplayAhead)
		}
		got := b.state(t, r.ID)
		return got.State.Done(), fmt.Sprintf("%v %+v, %d published", got.State, got.Progress, len(p.replayed))
	})
	if got := b.ends(t, r.ID, ingest.ReplaySucceeded); got.Progress.Done != n {
		t.Errorf("got %+v, want %d done", got.Progress, n)
	}
	sameSequences(t, "replayed", p.replayed, upTo(1, n))
}
