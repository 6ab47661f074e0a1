package poll

import (
	"container/heap"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

const (
	// changedEvery is how soon a change of a channel is noticed, and changedWindow how far back each look goes: long
	// enough that a slow look misses nothing.
	changedEvery  = 2 * time.Second
	changedWindow = time.Minute
	// A slow host must not take all places: visits to one host wait for each other beyond this.
	hostVisits = 16
	allVisits  = 256
	// startRate spreads the first visits after many channels were claimed at once.
	startRate = 200 // per second
)

// Scheduler visits each owned channel when it is due. Channels do not know of each other: a slow, broken or panicking
// one delays none but itself.
type Scheduler struct {
	Poller *Poller
	Log    *slog.Logger

	mu      sync.Mutex
	tasks   map[ingest.ChannelID]*task
	due     dueHeap
	hosts   map[string]int
	running int
	wake    chan struct{}
	ctx     context.Context // of Run; visits derive from it
	visits  sync.WaitGroup
}

// task is one owned channel.
type task struct {
	own      ingest.Ownership
	due      time.Time
	index    int    // in the heap, -1 while a visit goes on
	revision int64  // of the last load
	host     string // of the last load; empty before the first
	counted  string // the host that the present visit counts for
	again    bool   // something changed during the visit: come back at once
	saved    time.Time
	memory   memory
	cancel   context.CancelFunc
	done     chan struct{} // closed when the present visit has ended
}

// NewScheduler makes a scheduler that runs nothing until Run.
func NewScheduler(p *Poller, log *slog.Logger) *Scheduler {
	return &Scheduler{Poller: p, Log: log, tasks: map[ingest.ChannelID]*task{}, hosts: map[string]int{}, wake: make(chan struct{}, 1)}
}

// Run visits until the context ends; then it waits for the visits, which end at their next step.
func (s *Scheduler) Run(ctx context.Context) error {
	s.mu.Lock()
	s.ctx = ctx
	s.mu.Unlock()
	timer := time.NewTimer(0)
	defer timer.Stop()
	changes := time.NewTicker(changedEvery)
	defer changes.Stop()
	for {
		select {
		case <-ctx.Done():
			s.visits.Wait()
			return nil
		case <-s.wake:
		case <-timer.C:
		case <-changes.C:
			s.noticeChanges(ctx)
		}
		timer.Reset(s.start())
	}
}

// Own adds channels.
func (s *Scheduler) Own(own []ingest.Ownership) {
	s.mu.Lock()
	defer s.mu.Unlock()
	spread := time.Duration(len(own)) * time.Second / startRate
	for _, o := range own {
		if old := s.tasks[o.Channel]; old != nil {
			if old.own.Epoch >= o.Epoch {
				continue
			}
			// Claimed anew before anybody told us that it was lost: the visit under the old epoch can commit nothing.
			if old.done != nil {
				old.cancel()
			} else {
				heap.Remove(&s.due, old.index)
			}
		}
		t := &task{own: o, due: time.Now().Add(time.Duration(rand.Int64N(int64(spread) + 1)))}
		s.tasks[o.Channel] = t
		heap.Push(&s.due, t)
	}
	s.Poller.Metrics.owned.Set(float64(len(s.tasks)))
	s.poke()
}

// Disown takes channels away and waits for their visits to end.
func (s *Scheduler) Disown(channels []ingest.ChannelID) {
	s.mu.Lock()
	var wait []chan struct{}
	for _, ch := range channels {
		t := s.tasks[ch]
		if t == nil {
			continue
		}
		delete(s.tasks, ch)
		if t.done != nil {
			t.cancel()
			wait = append(wait, t.done)
		} else {
			heap.Remove(&s.due, t.index)
		}
	}
	s.Poller.Metrics.owned.Set(float64(len(s.tasks)))
	s.mu.Unlock()
	for _, done := range wait {
		<-done
	}
}

// DisownAll takes all channels away.
func (s *Scheduler) DisownAll() {
	s.mu.Lock()
	all := make([]ingest.ChannelID, 0, len(s.tasks))
	for ch := range s.tasks {
		all = append(all, ch)
	}
	s.mu.Unlock()
	s.Disown(all)
}

func (s *Scheduler) poke() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// start begins the visits that are due, as far as there is room, and says how long nothing will be due.
func (s *Scheduler) start() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ctx.Err() != nil {
		return time.Hour
	}
	var waiting []*task
	now := time.Now()
	for len(s.due) > 0 && s.running < allVisits && !s.due[0].due.After(now) {
		t := heap.Pop(&s.due).(*task)
		if t.host != "" && s.hosts[t.host] >= hostVisits {
			waiting = append(waiting, t)
			continue
		}
		s.begin(t, now)
	}
	for _, t := range waiting {
		heap.Push(&s.due, t)
	}
	switch {
	case len(s.due) == 0, s.running >= allVisits:
		return time.Hour // the end of a visit wakes us
	case len(waiting) > 0:
		return 100 * time.Millisecond
	}
	return max(0, time.Until(s.due[0].due))
}

func (s *Scheduler) begin(t *task, now time.Time) {
	ctx, cancel := context.WithCancel(s.ctx)
	t.cancel, t.done, t.again = cancel, make(chan struct{}), false
	s.running++
	t.counted = t.host
	s.hosts[t.counted]++
	s.Poller.Metrics.running.Set(float64(s.running))
	s.Poller.Metrics.lag.Observe(now.Sub(t.due).Seconds())
	s.visits.Add(1)
	go func() {
		defer s.visits.Done()
		pause, keep := s.visit(ctx, t)
		cancel()
		s.end(t, pause, keep)
	}()
}

// admit makes the present visit of t count for the host that its channel turned out to have, which is not known before
// the first load. It is false if that host has visits enough.
func (s *Scheduler) admit(t *task, ch *ingest.Channel) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t.revision, t.host = ch.Revision, ch.Mailbox.Host
	if t.counted == t.host {
		return true
	}
	if s.hosts[t.host] >= hostVisits {
		return false
	}
	s.release(t.counted)
	t.counted = t.host
	s.hosts[t.counted]++
	return true
}

func (s *Scheduler) release(host string) {
	if s.hosts[host]--; s.hosts[host] == 0 {
		delete(s.hosts, host)
	}
}

// end puts a task back into the heap.
func (s *Scheduler) end(t *task, pause time.Duration, keep bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.running--
	s.release(t.counted)
	s.Poller.Metrics.running.Set(float64(s.running))
	close(t.done)
	t.done = nil
	if s.tasks[t.own.Channel] == t {
		if keep {
			t.due = time.Now().Add(pause)
			if t.again {
				t.due = time.Now()
			}
			heap.Push(&s.due, t)
		} else {
			delete(s.tasks, t.own.Channel)
			s.Poller.Metrics.owned.Set(float64(len(s.tasks)))
		}
	}
	s.poke()
}

// visit loads the channel as it is now and visits it. keep is false if the channel is no longer ours.
func (s *Scheduler) visit(ctx context.Context, t *task) (pause time.Duration, keep bool) {
	chs, err := s.Poller.Store.Polled(ctx, t.own.Replica, []ingest.ChannelID{t.own.Channel})
	if err != nil {
		if ctx.Err() == nil {
			s.Log.Warn("database away: no visit", "error", err)
		}
		return jitter(ownFaultPause), true
	}
	if len(chs) == 0 || chs[0].Epoch != t.own.Epoch {
		return 0, false
	}
	ch := chs[0]
	if !s.admit(t, ch) {
		return 0, true
	}
	// A new owner keeps to the pause that the channel's failures earned.
	if wait := time.Until(ch.Health.NextAttempt); wait > 0 && ch.Health.Failures > 0 && len(ch.Fetches) == 0 && t.saved.IsZero() {
		t.saved = time.Now()
		return wait, true
	}
	log := s.Log.With("channel", ch.Name())
	before := ch.Health
	began := time.Now()
	counts, err := s.guarded(ctx, t, ch)
	s.Poller.Metrics.visitSeconds.Observe(time.Since(began).Seconds())
	if ctx.Err() != nil {
		return 0, true // disowned or stopped: not the channel's fault
	}
	result := resultOf(err)
	s.Poller.Metrics.visits.WithLabelValues(ch.Mailbox.Protocol.String(), result).Inc()
	switch result {
	case "fenced":
		s.Poller.Metrics.fenced.Inc()
		log.Warn("the channel has another owner now", "epoch", t.own.Epoch)
		return 0, false
	case "store":
		// A full disk is told as a failure of the visit, so that people see it and the download is not repeated at once.
		if _, known := errors.AsType[*ingest.Error](err); known {
			break
		}
		log.Warn("database failed during a visit: nothing is settled, trying again", "error", err)
		return jitter(ownFaultPause), true
	}
	h, pause := React(before, &ch.Mailbox, err, time.Now())
	h.Backlog = counts.Deferred + counts.Listed - counts.Sum()
	if err == nil && (counts.Stored+counts.Duplicate+counts.Deferred+counts.Quarantined+counts.Skipped+counts.Gone > 0) {
		h.Visit = counts
		log.Info("mail came in", "counts", counts, "took", time.Since(began))
	}
	if err != nil {
		log.Warn("visit failed", "reason", h.Reason, "failures", h.Failures, "server", h.ServerText, "error", err, "next", pause.Round(time.Second))
		s.failFetches(ctx, ch, err)
	} else if before.Failures > 0 {
		log.Info("visit went well again", "failures", before.Failures)
	}
	if err != nil || before.State != h.State || h.Visit != (ingest.Counts{}) || time.Since(t.saved) > saveEvery {
		t.saved = time.Now()
		if err := s.Poller.Store.SaveHealth(ctx, t.own, ch.Revision, h); err != nil {
			log.Warn("could not record the visit", "error", err)
			t.saved = time.Time{}
		}
	}
	return pause, true
}

// guarded keeps a panic inside the channel that it happened in.
func (s *Scheduler) guarded(ctx context.Context, t *task, ch *ingest.Channel) (counts ingest.Counts, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
		if pe, ok := errors.AsType[*panicError](err); ok {
			s.Poller.Metrics.panics.Inc()
			s.Log.Error("panic during a visit", "channel", ch.Name(), "panic", pe.value, "stack", string(pe.stack))
		}
	}()
	return s.Poller.Visit(ctx, t.own, ch, &t.memory)
}

// failFetches ends replays that cannot go on until somebody mends the channel.
func (s *Scheduler) failFetches(ctx context.Context, ch *ingest.Channel, err error) {
	if k := ingest.KindOf(err); k != ingest.KindAuth && k != ingest.KindConfig {
		return
	}
	for _, f := range ch.Fetches {
		if _, serr := s.Poller.Store.SaveFetch(ctx, f.ID, ingest.Progress{}, true, err.Error()); serr != nil {
			s.Log.Warn("could not end replay", "replay", f.ID, "error", serr)
		}
	}
}

func resultOf(err error) string {
	if err == nil {
		return "ok"
	}
	if _, ok := errors.AsType[*panicError](err); ok {
		return "panic"
	}
	if _, ok := errors.AsType[*storeError](err); ok {
		return "store"
	}
	return ingest.KindOf(err).String()
}

// noticeChanges brings forward the visits of channels that were changed or asked for.
func (s *Scheduler) noticeChanges(ctx context.Context) {
	s.mu.Lock()
	var replica ingest.ReplicaID
	for _, t := range s.tasks {
		replica = t.own.Replica
		break
	}
	s.mu.Unlock()
	if replica == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, changedEvery)
	defer cancel()
	changed, err := s.Poller.Store.Changed(ctx, replica, changedWindow)
	if err != nil {
		return // the visits and the heartbeat report that the database is away
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch, revision := range changed {
		t := s.tasks[ch]
		if t == nil || revision <= t.revision {
			continue
		}
		t.revision = revision
		if t.done != nil {
			t.again = true
			continue
		}
		t.due = time.Now()
		heap.Fix(&s.due, t.index)
	}
}

// dueHeap orders tasks by when they are due.
type dueHeap []*task

func (h dueHeap) Len() int           { return len(h) }
func (h dueHeap) Less(i, j int) bool { return h[i].due.Before(h[j].due) }
func (h dueHeap) Swap(i, j int) {
	h[i], h[j] = h[j], h[i]
	h[i].index, h[j].index = i, j
}

// Push adds a task.
func (h *dueHeap) Push(x any) {
	t := x.(*task)
	t.index = len(*h)
	*h = append(*h, t)
}

// Pop removes the last task.
func (h *dueHeap) Pop() any {
	old := *h
	t := old[len(old)-1]
	old[len(old)-1] = nil
	*h = old[:len(old)-1]
	t.index = -1
	return t
}
