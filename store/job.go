package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"github.com/mailintake/mailintake/ingest"
)

// A job runs for moments and then asks to be run again, so that a process that dies delays its jobs by rescueAfter and
// the half minute between two looks for such jobs.
const (
	stepTime    = 15 * time.Second
	rescueAfter = 20 * time.Second
	again       = time.Second
)

// replayStep is how many events one step of a replay hands to the outbox, and replayAhead how many of them may wait
// there: a replay never delays new events by more than that.
const (
	replayStep  = 500
	replayAhead = 1000
)

// replayArgs is the job's payload: the row in replay has everything else.
type replayArgs struct {
	ID string `json:"id"`
}

// Kind is the name of the job in the queue; it is never changed.
func (replayArgs) Kind() string { return "replay" }

func (s *Store) enqueue(ctx context.Context, tx pgx.Tx, id string) error {
	client, err := river.NewClient(riverpgxv5.New(s.pool), &river.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	// Attempts are lost to databases that go away and processes that die, never to the replay; one without a job would
	// look as if it went on for ever.
	_, err = client.InsertTx(ctx, tx, replayArgs{ID: id}, &river.InsertOpts{MaxAttempts: math.MaxInt16})
	return err
}

// Jobs works off replays. Any number of processes may run it.
type Jobs struct {
	Store *Store
	Log   *slog.Logger
	// Parse is the parser, and Version is recorded with what it makes. It cannot fail; it does not close the octets.
	Parse   func(ctx context.Context, ch *ingest.Channel, octets ingest.Octets) *ingest.Mail
	Version int
	// Amended encodes the event that announces what reads differently now. Without Parse and Amended replays of kind
	// parse fail.
	Amended func(ingest.Amendment) (typ string, data []byte, err error)
}

// Run works until the context ends.
func (j *Jobs) Run(ctx context.Context) error {
	workers := river.NewWorkers()
	river.AddWorker(workers, &replayWorker{store: j.Store, log: j.Log, jobs: j})
	client, err := river.NewClient(riverpgxv5.New(j.Store.pool), &river.Config{
		Queues:               map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}},
		Workers:              workers,
		Logger:               slog.New(quiet{j.Log.Handler()}),
		JobTimeout:           stepTime,
		RescueStuckJobsAfter: rescueAfter,
		FetchPollInterval:    again,
		PollOnly:             true, // LISTEN would hold a connection for ever, and a second is soon enough
	})
	if err != nil {
		return wrap("jobs", err)
	}
	for ctx.Err() == nil {
		if err = client.Start(context.WithoutCancel(ctx)); err == nil {
			break
		}
		j.Log.Warn("jobs wait for the database", "error", err)
		sleep(ctx, 2*time.Second)
	}
	<-ctx.Done()
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := client.StopAndCancel(stop); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return wrap("stop jobs", err)
	}
	return nil
}

// quiet shows what the queue says to those who debug it. What matters of it is told elsewhere: that the database is away
// by the heartbeat, how a replay goes by the replay.
type quiet struct{ slog.Handler }

// Enabled asks whether debugging is on, whatever the level of the record.
func (q quiet) Enabled(ctx context.Context, _ slog.Level) bool {
	return q.Handler.Enabled(ctx, slog.LevelDebug)
}

// Handle writes every record at the debug level.
func (q quiet) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return q.Handler.Handle(ctx, r)
}

type replayWorker struct {
	river.WorkerDefaults[replayArgs]
	store *Store
	log   *slog.Logger
	jobs  *Jobs
}

// Work does one step of a replay. Every step may be repeated.
func (w *replayWorker) Work(ctx context.Context, job *river.Job[replayArgs]) error {
	r, err := w.store.startReplay(ctx, job.Args.ID)
	if notFound(err) || err == nil && r.State.Done() {
		return nil
	}
	if err != nil {
		return err
	}
	done := false
	switch r.Kind {
	case ingest.ReplayRetry:
		done, err = w.store.stepRetry(ctx, r)
	case ingest.ReplayEvents:
		done, err = w.store.stepEvents(ctx, r)
	case ingest.ReplayParse:
		done, err = w.jobs.stepParse(ctx, r)
	case ingest.ReplayFetch:
		// The owner of the channel does the work, on its next visit; see Store.SaveFetch.
	default:
		done, err = true, w.store.endReplay(ctx, r, ingest.ReplayFailed, 0, 0, fmt.Sprintf("this version does not know replays of kind %d", r.Kind))
	}
	if err != nil {
		w.log.Warn("replay step failed", "replay", r.ID, "kind", r.Kind, "error", err)
		return err
	}
	if done {
		w.log.Info("replay done", "replay", r.ID, "kind", r.Kind)
		return nil
	}
	return river.JobSnooze(again)
}

// NextRetry repeats a failed step soon: what fails here is the database, not the replay.
func (w *replayWorker) NextRetry(*river.Job[replayArgs]) time.Time {
	return time.Now().Add(2 * time.Second)
}

// A replay that starts wakes the channel's owner, where it is the owner's work; a retry forgets what held the channel
// back. A replay of events, or one that parses, ends with the last event that there is now, or it would follow new ones
// for ever.
const startReplaySQL = `with r as (
  update replay set state = @running, start_time = now(),
    last_seq = case when kind = any(@ours) then least(nullif(last_seq, 0), greatest(1, (select next_seq - 1 from channel_state s where s.channel_id = replay.channel_id))) else last_seq end
  where replay_id = @id and state = @queued returning channel_id, kind, dry_run),
h as (
  update channel_status h set state = @pending, failures = 0, auth_failures = 0, next_attempt = null, since = now(), last_attempt = null
  from r where h.channel_id = r.channel_id and r.kind = @retry and not r.dry_run)
update channel c set wake = wake + 1, changed_at = now() from r where c.channel_id = r.channel_id and not (r.kind = @retry and r.dry_run) and r.kind <> all(@ours)`

func (s *Store) startReplay(ctx context.Context, id string) (r ingest.Replay, err error) {
	_, err = s.pool.Exec(ctx, startReplaySQL, pgx.NamedArgs{"id": id, "running": ingest.ReplayRunning, "queued": ingest.ReplayQueued,
		"pending": ingest.StatePending, "retry": ingest.ReplayRetry,
		"ours": []int16{int16(ingest.ReplayEvents), int16(ingest.ReplayParse)}})
	if err != nil {
		return r, wrap("start replay", err)
	}
	rows, err := s.pool.Query(ctx, replaySQL+`where r.replay_id = $1`, id)
	if err != nil {
		return r, wrap("start replay", err)
	}
	r, err = pgx.CollectExactlyOneRow(rows, scanReplay)
	return r, wrap("start replay", err)
}

const endReplaySQL = `update replay set state = @state, error = @error, end_time = now(),
  progress = progress || jsonb_build_object('Matched', @matched::bigint, 'Done', @done::bigint)
where replay_id = @id and state = @running`

func (s *Store) endReplay(ctx context.Context, r ingest.Replay, st ingest.ReplayState, matched, done int, failure string) error {
	_, err := s.pool.Exec(ctx, endReplaySQL, pgx.NamedArgs{"id": r.ID, "state": st, "error": failure, "matched": matched, "done": done, "running": ingest.ReplayRunning})
	return wrap("end replay", err)
}

// stepRetry waits for the visit that the start of the replay asked for, and takes its outcome over.
func (s *Store) stepRetry(ctx context.Context, r ingest.Replay) (done bool, err error) {
	if r.DryRun {
		return true, s.endReplay(ctx, r, ingest.ReplaySucceeded, 1, 0, "")
	}
	var enabled bool
	var state ingest.State
	var reason, server, detail string
	var attempted bool
	err = s.pool.QueryRow(ctx, `select c.enabled and c.delete_time is null, h.state, h.reason, h.server_text, h.detail, h.last_attempt is not null
from channel c join channel_status h using (channel_id) where c.channel_id = $1`, r.ChannelID).Scan(&enabled, &state, &reason, &server, &detail, &attempted)
	switch {
	case err != nil:
		return false, wrap("retry", err)
	case !enabled:
		return true, s.endReplay(ctx, r, ingest.ReplayFailed, 1, 0, "the channel is disabled or deleted")
	case !attempted || state == ingest.StatePending:
		return false, nil
	case state == ingest.StateActive:
		return true, s.endReplay(ctx, r, ingest.ReplaySucceeded, 1, 1, "")
	}
	failure := fmt.Sprintf("the visit failed: %s: %s", reason, detail)
	if server != "" {
		failure += fmt.Sprintf(" (server said %q)", server)
	}
	return true, s.endReplay(ctx, r, ingest.ReplayFailed, 1, 0, failure)
}

const replayRangeSQL = `e.channel_id = @channel and (@first::bigint = 0 or e.seq >= @first) and (@last::bigint = 0 or e.seq <= @last)
  and (@since::timestamptz is null or e.at >= @since) and (@until::timestamptz is null or e.at < @until)`

// The state is checked in the same statement that fills the outbox, under a lock on the replay, so that nothing is
// added behind a cancellation.
const stepEventsSQL = `with r as (select position from replay where replay_id = @id and state = @running for update),
waiting as (select count(*) n from outbox where replay_id = @id),
next as (select e.day, e.seq from event e, r where ` + replayRangeSQL + ` and e.seq > r.position and not @dry
  order by e.seq limit (select least(@step, greatest(0, @ahead - n)) from waiting)),
put as (insert into outbox (bucket, channel_id, day, seq, replay_id) select @bucket, @channel, day, seq, @id::uuid from next order by seq),
moved as (update replay set position = coalesce((select max(seq) from next), replay.position) from r where replay_id = @id returning replay.position)
select (select count(*) from event e where ` + replayRangeSQL + `),
  (select count(*) from event e, moved where ` + replayRangeSQL + ` and e.seq <= moved.position),
  (select count(*) from next) + (select n from waiting)
from moved`

// stepEvents hands the next events of the range to the outbox. It is done when the outbox has none of them left.
func (s *Store) stepEvents(ctx context.Context, r ingest.Replay) (done bool, err error) {
	var matched, handed, waiting int
	err = s.pool.QueryRow(ctx, stepEventsSQL, pgx.NamedArgs{"id": r.ID, "running": ingest.ReplayRunning, "channel": r.ChannelID, "bucket": bucketOf(r.ChannelID),
		"first": r.Range.FirstSequence, "last": r.Range.LastSequence, "since": timeOrNull(r.Range.Since), "until": timeOrNull(r.Range.Until),
		"ahead": replayAhead, "step": replayStep, "dry": r.DryRun}).Scan(&matched, &handed, &waiting)
	if notFound(err) {
		return true, nil // cancelled meanwhile
	}
	if err != nil {
		return false, wrap("replay events", err)
	}
	if r.DryRun {
		return true, s.endReplay(ctx, r, ingest.ReplaySucceeded, matched, 0, "")
	}
	published := handed - waiting
	if handed == matched && waiting == 0 {
		return true, s.endReplay(ctx, r, ingest.ReplaySucceeded, matched, published, "")
	}
	s.signalRelay()
	_, err = s.pool.Exec(ctx, `update replay set progress = progress || jsonb_build_object('Matched', $2::bigint, 'Done', $3::bigint) where replay_id = $1 and state = $4`,
		r.ID, matched, published, ingest.ReplayRunning)
	return false, wrap("replay events", err)
}
