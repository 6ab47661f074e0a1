package store

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/ingest"
)

const (
	beatEvery  = 5 * time.Second
	claimEvery = time.Second
	claimBatch = 500
	// safety is how long before the TTL a replica that cannot reach the database stops acting on what it owned.
	safety = 5 * time.Second
)

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
	Log      *slog.Logger

	mu      sync.Mutex
	id      ingest.ReplicaID
	owned   map[ingest.ChannelID]int64
	buckets []int16
}

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
	away := false
	for ctx.Err() == nil {
		id, err := r.Store.join(ctx, r)
		if err != nil {
			if !away && ctx.Err() == nil {
				r.Log.Warn("database away: waiting for it", "error", err)
			}
			away = true
			sleep(ctx, time.Second+time.Duration(rand.Int64N(int64(time.Second))))
			continue
		}
		away = false
		r.live(ctx, id)
	}
	return nil
}

// live is one session from joining to its end.
func (r *Replica) live(ctx context.Context, id ingest.ReplicaID) {
	r.mu.Lock()
	r.id, r.owned = id, map[ingest.ChannelID]int64{}
	r.mu.Unlock()
	r.Log.Info("joined", "replica", id)
	joined := time.Now()
	// Monotonic, and counted from before the heartbeat was sent: the database cannot have seen it earlier.
	deadline := time.NewTimer(TTL - safety)
	beat := time.NewTicker(beatEvery)
	claim := time.NewTicker(claimEvery)
	defer deadline.Stop()
	defer beat.Stop()
	defer claim.Stop()
	r.share(ctx, id, false)
	healthySince := joined
loop:
	for {
		select {
		case <-ctx.Done():
			break loop
		case <-deadline.C:
			r.Log.Error("no sign of life reached the database: giving up all channels", "replica", id)
			break loop
		case <-beat.C:
			sent := time.Now()
			bctx, cancel := context.WithTimeout(ctx, beatEvery)
			alive, err := r.Store.beat(bctx, id)
			cancel()
			if err != nil {
				healthySince = time.Now()
				if ctx.Err() == nil {
					r.Log.Warn("heartbeat failed", "replica", id, "error", err)
				}
				continue
			}
			if !alive {
				r.Log.Error("taken for dead by another replica: giving up all channels", "replica", id)
				break loop
			}
			deadline.Reset(time.Until(sent.Add(TTL - safety)))
		case <-claim.C:
			// Who has just come back from an outage must not bury replicas that come back a moment later.
			r.share(ctx, id, time.Since(healthySince) > TTL)
		}
	}
	if r.Channels != nil {
		r.Channels.DisownAll()
	}
	r.mu.Lock()
	r.id, r.owned, r.buckets = "", nil, nil
	r.mu.Unlock()
	// Nothing acts on our channels any more, so that others may have them now and not after the TTL.
	lctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	if err := r.Store.leave(lctx, id); err != nil {
		r.Log.Warn("could not hand channels back; others take them when the lease ends", "ttl", TTL, "error", err)
	}
}

// share brings what this replica owns towards its fair share.
func (r *Replica) share(ctx context.Context, id ingest.ReplicaID, reap bool) {
	ctx, cancel := context.WithTimeout(ctx, beatEvery)
	defer cancel()
	if reap {
		if n, err := r.Store.reap(ctx); err == nil && n > 0 {
			r.Log.Info("replicas found dead", "count", n)
		}
	}
	if r.Relay {
		r.shareBuckets(ctx, id)
	}
	if r.Channels == nil {
		return
	}
	want, err := r.Store.target(ctx, id)
	if err != nil {
		return
	}
	for len(r.owned) < want {
		got, err := r.Store.claim(ctx, id, min(claimBatch, want-len(r.owned)))
		if err != nil || len(got) == 0 {
			return
		}
		for _, o := range got {
			r.owned[o.Channel] = o.Epoch
		}
		r.Channels.Own(got)
		r.Log.Info("channels claimed", "count", len(got), "owned", len(r.owned))
	}
	// Hysteresis of one in fifty, and one in a hundred a second: rebalancing is never urgent, and moving many
	// channels at once would make as many logins at once.
	if extra := len(r.owned) - want; extra > max(1, want/50) {
		var give []ingest.ChannelID
		for ch := range r.owned {
			if len(give) >= max(1, len(r.owned)/100) || len(give) >= extra {
				break
			}
			give = append(give, ch)
		}
		r.giveBack(ctx, id, give)
	}
	gone, err := r.Store.unwanted(ctx, id)
	if err == nil && len(gone) > 0 {
		r.giveBack(ctx, id, gone)
	}
}

func (r *Replica) giveBack(ctx context.Context, id ingest.ReplicaID, give []ingest.ChannelID) {
	r.Channels.Disown(give)
	for _, ch := range give {
		delete(r.owned, ch)
	}
	if err := r.Store.release(ctx, id, give); err != nil {
		r.Log.Warn("could not hand channels back", "count", len(give), "error", err)
	}
}

func (r *Replica) shareBuckets(ctx context.Context, id ingest.ReplicaID) {
	mine, err := r.Store.claimBuckets(ctx, id)
	if err != nil {
		return
	}
	r.mu.Lock()
	r.buckets = mine
	r.mu.Unlock()
}

func (s *Store) join(ctx context.Context, r *Replica) (ingest.ReplicaID, error) {
	id := uuid.NewString()
	host, _ := os.Hostname()
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	_, err := s.pool.Exec(ctx, `insert into replica (replica_id, capacity, host, polls, relays) values (@id, @capacity, @host, @polls, @relays)`,
		pgx.NamedArgs{"id": id, "capacity": r.Capacity, "host": host, "polls": r.Channels != nil, "relays": r.Relay})
	return ingest.ReplicaID(id), wrap("join", err)
}

func (s *Store) beat(ctx context.Context, id ingest.ReplicaID) (alive bool, err error) {
	tag, err := s.pool.Exec(ctx, `update replica set heartbeat_at = now() where replica_id = $1`, id)
	return tag.RowsAffected() == 1, wrap("heartbeat", err)
}

func (s *Store) reap(ctx context.Context) (int64, error) {
	tag, err := s.pool.Exec(ctx, `delete from replica where heartbeat_at < now() - $1::interval`, TTL)
	return tag.RowsAffected(), wrap("reap", err)
}

// Orphans are channels without a live owner. A replica that stopped counts as an owner until it leaves or is reaped.
const claimSQL = `with orphan as (
  select s.channel_id from channel_state s join channel c using (channel_id)
  where c.enabled and c.delete_time is null
    and (s.owner is null or not exists (select from replica r where r.replica_id = s.owner))
  limit @limit for update of s skip locked)
update channel_state s set owner = @id, epoch = s.epoch + 1 from orphan
where s.channel_id = orphan.channel_id
  and exists (select from replica where replica_id = @id)
returning s.channel_id, s.epoch`

func (s *Store) claim(ctx context.Context, id ingest.ReplicaID, limit int) ([]ingest.Ownership, error) {
	rows, err := s.pool.Query(ctx, claimSQL, pgx.NamedArgs{"id": id, "limit": limit})
	if err != nil {
		return nil, wrap("claim", err)
	}
	got, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (ingest.Ownership, error) {
		o := ingest.Ownership{Replica: id}
		return o, row.Scan(&o.Channel, &o.Epoch)
	})
	return got, wrap("claim", err)
}

// The share of a replica is its part of the capacity of all that poll, rounded up.
const targetSQL = `select ceil((select count(*) from channel where enabled and delete_time is null)
  * coalesce((select capacity from replica where replica_id = @id), 0)::numeric
  / greatest(1, (select sum(capacity) from replica where polls and heartbeat_at > now() - @ttl::interval)))::int`

func (s *Store) target(ctx context.Context, id ingest.ReplicaID) (n int, err error) {
	err = s.pool.QueryRow(ctx, targetSQL, pgx.NamedArgs{"id": id, "ttl": TTL}).Scan(&n)
	return n, wrap("target", err)
}

// unwanted lists channels that this replica owns although they are switched off or deleted.
func (s *Store) unwanted(ctx context.Context, id ingest.ReplicaID) ([]ingest.ChannelID, error) {
	rows, err := s.pool.Query(ctx, `select channel_id from channel_state s join channel c using (channel_id)
where s.owner = $1 and (not c.enabled or c.delete_time is not null)`, id)
	if err != nil {
		return nil, wrap("unwanted", err)
	}
	chs, err := pgx.CollectRows(rows, pgx.RowTo[ingest.ChannelID])
	return chs, wrap("unwanted", err)
}

func (s *Store) release(ctx context.Context, id ingest.ReplicaID, chs []ingest.ChannelID) error {
	_, err := s.pool.Exec(ctx, `update channel_state set owner = null where owner = $1 and channel_id = any($2)`, id, chs)
	return wrap("release", err)
}

// leave ends a session: what it owned has no owner from now on.
func (s *Store) leave(ctx context.Context, id ingest.ReplicaID) error {
	_, err := s.pool.Exec(ctx, `delete from replica where replica_id = $1`, id)
	return wrap("leave", err)
}

// EndReplicas declares all replicas dead. It is for a process that knows itself to be the only one, because the database
// is its own child: what an earlier life owned is free at once and not after the TTL.
func (s *Store) EndReplicas(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, `delete from replica`)
	return wrap("end replicas", err)
}

const claimBucketsSQL = `with live as (select count(*) n from replica where relays and heartbeat_at > now() - @ttl::interval),
mine as (select count(*) n from relay_bucket where owner = @id),
orphan as (
  select bucket from relay_bucket b
  where owner is null or not exists (select from replica r where r.replica_id = b.owner)
  order by bucket limit (select greatest(0, ceil(@total::numeric / greatest(1, live.n)) - mine.n) from live, mine)
  for update skip locked)
update relay_bucket b set owner = @id, epoch = b.epoch + 1 from orphan where b.bucket = orphan.bucket`

// Buckets beyond the share go back all at once: the relay holds no state for them that is dear to make again.
const releaseBucketsSQL = `update relay_bucket set owner = null where owner = @id and bucket not in (
  select bucket from relay_bucket where owner = @id order by bucket
  limit ceil(@total::numeric / greatest(1, (select count(*) from replica where relays and heartbeat_at > now() - @ttl::interval))))`

func (s *Store) claimBuckets(ctx context.Context, id ingest.ReplicaID) ([]int16, error) {
	args := pgx.NamedArgs{"id": id, "ttl": TTL, "total": relayBuckets}
	mine, err := s.buckets(ctx, id)
	if err != nil {
		return nil, err
	}
	batch := &pgx.Batch{}
	batch.Queue(releaseBucketsSQL, args)
	if len(mine) < relayBuckets {
		batch.Queue(claimBucketsSQL, args)
	}
	if err := s.pool.SendBatch(ctx, batch).Close(); err != nil {
		return nil, wrap("claim buckets", err)
	}
	return s.buckets(ctx, id)
}

func (s *Store) buckets(ctx context.Context, id ingest.ReplicaID) ([]int16, error) {
	rows, err := s.pool.Query(ctx, `select bucket from relay_bucket where owner = $1 order by bucket`, id)
	if err != nil {
		return nil, wrap("buckets", err)
	}
	bs, err := pgx.CollectRows(rows, pgx.RowTo[int16])
	return bs, wrap("buckets", err)
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
