package store

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// claimBatch is how many channels one statement claims at most.
const claimBatch = 500

// Owner is told what a replica owns. Calls come one at a time.
type Owner interface {
	// Own adds channels. A channel that is owned already comes again only with a higher epoch.
	Own(own []ingest.Ownership)
	// Disown takes channels away; it returns when nothing acts on them any more.
	Disown(channels []ingest.ChannelID)
	// DisownAll is Disown for everything.
	DisownAll()
}

// Replica takes part in sharing the work: it gives signs of life, claims channels and relay buckets that nobody owns,
// and hands back what is more than its share. Ownership is sticky: a channel changes hands only when its owner dies,
// drains or has too many.
type Replica struct {
	Store    *Store
	Channels Owner // nil: this process polls nothing
	Relay    bool  // take relay buckets
	Capacity int   // share relative to other replicas; 0 means 100
	// TTL is how long this replica keeps what it owns without a sign of life; 0 means the constant TTL. All replicas of
	// one database must have the same.
	TTL time.Duration
	Log *slog.Logger

	// What follows up to mu belongs to the goroutine of Run.
	owned   map[ingest.ChannelID]int64
	counted time.Time          // when owned was last compared with the database
	doubt   bool               // a claim or release failed, so that the database may have done it or not
	ended   []ingest.ReplicaID // sessions that are over and could not say so

	mu           sync.Mutex
	id           ingest.ReplicaID
	buckets      []int16
	healthySince time.Time // since when all heartbeats have gone well
}

// A sign of life comes three times within the TTL, and a look for work every fifteenth of it.
func (r *Replica) beatEvery() time.Duration  { return r.TTL / 3 }
func (r *Replica) claimEvery() time.Duration { return r.TTL / 15 }

// patience is how long after its last sign of life a replica that cannot reach the database stops acting on what it
// owned. The rest of the TTL is for what is under way to end.
func (r *Replica) patience() time.Duration { return r.TTL - r.TTL/3 }

// Buckets are the relay buckets that this replica owns now.
func (r *Replica) Buckets() []int16 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.buckets
}

// ID is the present session's id, empty when there is none.
func (r *Replica) ID() ingest.ReplicaID {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.id
}

// Run shares the work until the context ends; then it drains: everything is disowned and handed back at once.
func (r *Replica) Run(ctx context.Context) error {
	if r.Capacity == 0 {
		r.Capacity = 100
	}
	if r.TTL == 0 {
		r.TTL = TTL
	}
	if r.Log == nil {
		r.Log = slog.New(slog.DiscardHandler)
	}
	away := false
	for ctx.Err() == nil {
		sent := time.Now()
		id, err := r.Store.join(ctx, r)
		if err != nil {
			if !away && ctx.Err() == nil {
				r.Log.Warn("database away: waiting for it", "error", err)
			}
			away = true
			sleep(ctx, r.claimEvery()+time.Duration(rand.Int64N(int64(r.claimEvery()))))
			continue
		}
		away = false
		r.ended = nil
		r.live(ctx, id, sent)
	}
	return nil
}

var (
	errSilent = errors.New("no sign of life reached the database")
	errBuried = errors.New("taken for dead by another replica")
)

// live is one session from joining to its end. The time at which the join was sent counts as the first sign of life.
func (r *Replica) live(ctx context.Context, id ingest.ReplicaID, sent time.Time) {
	r.mu.Lock()
	r.id, r.healthySince = id, sent
	r.mu.Unlock()
	r.owned, r.counted, r.doubt = map[ingest.ChannelID]int64{}, sent, false
	r.Log.Info("joined", "replica", id)
	session, end := context.WithCancelCause(ctx)
	// Monotonic, and counted from before the heartbeat was sent: the database cannot have seen it earlier.
	deadline := time.AfterFunc(time.Until(sent.Add(r.patience())), func() { end(errSilent) })
	// Apart from the sharing, so that neither a slow statement nor a visit that is slow to end looks like death.
	var beating sync.WaitGroup
	beating.Go(func() { r.beat(session, end, deadline, id) })
	claim := time.NewTicker(r.claimEvery())
	for session.Err() == nil {
		r.share(session, id)
		select {
		case <-session.Done():
		case <-claim.C:
		}
	}
	claim.Stop()
	deadline.Stop()
	if why := context.Cause(session); ctx.Err() == nil {
		r.Log.Error("giving up all channels", "replica", id, "cause", why)
	}
	r.mu.Lock()
	r.id, r.buckets = "", nil
	r.mu.Unlock()
	if r.Channels != nil {
		r.Channels.DisownAll()
	}
	beating.Wait()
	// Nothing acts on our channels any more, so that others may have them now and not after the TTL.
	lctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := r.Store.leave(lctx, id); err != nil {
		r.ended = append(r.ended, id)
		r.Log.Warn("could not hand channels back; others take them when the lease ends", "ttl", r.TTL, "error", err)
	}
}

// beat gives signs of life until the session ends, and ends it where another replica has ended it already.
func (r *Replica) beat(session context.Context, end context.CancelCauseFunc, deadline *time.Timer, id ingest.ReplicaID) {
	pause := r.beatEvery()
	for {
		sleep(session, pause)
		if session.Err() != nil {
			return
		}
		sent := time.Now()
		ctx, cancel := context.WithTimeout(session, r.beatEvery())
		alive, err := r.Store.beat(ctx, id)
		cancel()
		switch {
		case err != nil:
			r.mu.Lock()
			r.healthySince = time.Now()
			r.mu.Unlock()
			if session.Err() == nil {
				r.Log.Warn("heartbeat failed", "replica", id, "error", err)
			}
			pause = r.claimEvery() // a database that restarts is back sooner than the next turn
		case !alive:
			end(errBuried)
			return
		default:
			deadline.Reset(time.Until(sent.Add(r.patience())))
			pause = r.beatEvery()
		}
	}
}

// share brings what this replica owns towards its fair share.
func (r *Replica) share(session context.Context, id ingest.ReplicaID) {
	ctx, cancel := context.WithTimeout(session, r.beatEvery())
	defer cancel()
	r.mu.Lock()
	healthy := time.Since(r.healthySince)
	r.mu.Unlock()
	// Who has just come back from an outage must not bury replicas that come back a moment later.
	if healthy > r.TTL {
		if n, err := r.Store.reap(ctx, r.TTL); err == nil && n > 0 {
			r.Log.Info("replicas found dead", "count", n)
		}
	}
	if r.Relay {
		r.shareBuckets(ctx, id)
	}
	if r.Channels == nil {
		return
	}
	if r.doubt || time.Since(r.counted) >= r.beatEvery() {
		r.recount(ctx, id)
	}
	// What is switched off goes first: it must not count as work.
	if gone, err := r.Store.unwanted(ctx, id); err == nil && len(gone) > 0 {
		r.giveBack(session, id, gone)
	}
	want, err := r.Store.target(ctx, id, r.TTL)
	if err != nil {
		return
	}
	for len(r.owned) < want {
		got, err := r.Store.claim(ctx, id, min(claimBatch, want-len(r.owned)))
		r.doubt = r.doubt || err != nil
		if err != nil || len(got) == 0 {
			break
		}
		for _, o := range got {
			r.owned[o.Channel] = o.Epoch
		}
		r.Channels.Own(got)
		r.Log.Info("channels claimed", "count", len(got), "owned", len(r.owned))
	}
	// Hysteresis of one in fifty, and one in a hundred a turn: rebalancing is never urgent, and moving many
	// channels at once would make as many logins at once.
	if extra := len(r.owned) - want; extra > max(1, want/50) {
		var give []ingest.ChannelID
		for ch := range r.owned {
			if len(give) >= max(1, len(r.owned)/100) || len(give) >= extra {
				break
			}
			give = append(give, ch)
		}
		r.giveBack(session, id, give)
	}
}

func (r *Replica) giveBack(session context.Context, id ingest.ReplicaID, give []ingest.ChannelID) {
	r.Channels.Disown(give) // as long as the visits take to end
	for _, ch := range give {
		delete(r.owned, ch)
	}
	ctx, cancel := context.WithTimeout(session, r.beatEvery())
	defer cancel()
	if err := r.Store.release(ctx, id, give); err != nil {
		r.doubt = true
		r.Log.Warn("could not hand channels back", "count", len(give), "error", err)
	}
}

// recount makes what this replica acts on equal to what the database says it owns. They part when the answer to a
// claim or a release is lost: the channel would have a live owner that never looks at it.
func (r *Replica) recount(ctx context.Context, id ingest.ReplicaID) {
	var epochs int64
	for _, epoch := range r.owned {
		epochs += epoch
	}
	n, sum, err := r.Store.tally(ctx, id)
	if err != nil {
		return
	}
	r.counted = time.Now()
	if n == len(r.owned) && sum == epochs && !r.doubt {
		return
	}
	list, err := r.Store.holdings(ctx, id)
	if err != nil {
		r.doubt = true
		return
	}
	r.doubt = false
	held := make(map[ingest.ChannelID]int64, len(list))
	for _, o := range list {
		held[o.Channel] = o.Epoch
	}
	var lost []ingest.ChannelID
	for ch, epoch := range r.owned {
		if held[ch] != epoch {
			lost = append(lost, ch)
			delete(r.owned, ch)
		}
	}
	var found []ingest.Ownership
	for _, o := range list {
		if _, ok := r.owned[o.Channel]; !ok {
			found = append(found, o)
			r.owned[o.Channel] = o.Epoch
		}
	}
	if len(lost) > 0 {
		r.Channels.Disown(lost)
	}
	if len(found) > 0 {
		r.Channels.Own(found)
	}
	if len(lost)+len(found) > 0 {
		r.Log.Warn("ownership put right after a lost answer", "replica", id, "lost", len(lost), "found", len(found))
	}
}

func (r *Replica) shareBuckets(ctx context.Context, id ingest.ReplicaID) {
	mine, err := r.Store.claimBuckets(ctx, id, r.TTL)
	if err != nil {
		return
	}
	r.mu.Lock()
	r.buckets = mine
	r.mu.Unlock()
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
