package store

import (
	"context"
	"os"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/ingest"
)

// Sessions of ours that ended while the database was away end here, so that what they owned is free at once.
const joinSQL = `with gone as (delete from replica where replica_id = any(@ended::uuid[]))
insert into replica (replica_id, capacity, host, polls, relays) values (@id, @capacity, @host, @polls, @relays)`

func (s *Store) join(ctx context.Context, r *Replica) (ingest.ReplicaID, error) {
	id := uuid.NewString()
	host, _ := os.Hostname()
	ctx, cancel := context.WithTimeout(ctx, r.beatEvery())
	defer cancel()
	_, err := s.lease.Exec(ctx, joinSQL, pgx.NamedArgs{"id": id, "capacity": r.Capacity, "host": host, "polls": r.Channels != nil, "relays": r.Relay,
		"ended": r.ended})
	return ingest.ReplicaID(id), wrap("join", err)
}

func (s *Store) beat(ctx context.Context, id ingest.ReplicaID) (alive bool, err error) {
	tag, err := s.lease.Exec(ctx, `update replica set heartbeat_at = now() where replica_id = $1`, id)
	return tag.RowsAffected() == 1, wrap("heartbeat", err)
}

func (s *Store) reap(ctx context.Context, ttl time.Duration) (int64, error) {
	tag, err := s.lease.Exec(ctx, `delete from replica where heartbeat_at < now() - $1::interval`, ttl)
	return tag.RowsAffected(), wrap("reap", err)
}

// A process that is paused while a batch behind the fence is half sent or half read holds its channel's row, and the
// server calls its transaction active, so that idle_in_transaction_session_timeout does not end it. Whoever holds such a
// row for a whole TTL and lets the server wait for the client is no owner any more. Ending waits for at most a second each.
const endStalledSQL = `select count(pg_terminate_backend(a.pid, 1000)) from pg_stat_activity a
where a.datname = current_database() and a.usename = current_user and a.pid <> pg_backend_pid()
  and a.wait_event in ('ClientRead', 'ClientWrite') and a.xact_start < now() - @ttl::interval
  and exists (select from pg_locks l where l.pid = a.pid and l.relation = 'channel_state'::regclass and l.mode = 'RowShareLock' and l.granted)`

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
	if err := s.endStalled(ctx, TTL); err != nil {
		return nil, err
	}
	rows, err := s.lease.Query(ctx, claimSQL, pgx.NamedArgs{"id": id, "limit": limit})
	if err != nil {
		return nil, wrap("claim", err)
	}
	got, err := pgx.CollectRows(rows, scanOwnership(id))
	return got, wrap("claim", err)
}

// endStalled ends the connections of commits that were paused for longer than ttl while they hold a channel.
func (s *Store) endStalled(ctx context.Context, ttl time.Duration) error {
	_, err := s.lease.Exec(ctx, endStalledSQL, pgx.NamedArgs{"ttl": ttl})
	return wrap("end stalled commits", err)
}

func scanOwnership(id ingest.ReplicaID) pgx.RowToFunc[ingest.Ownership] {
	return func(row pgx.CollectableRow) (ingest.Ownership, error) {
		o := ingest.Ownership{Replica: id}
		return o, row.Scan(&o.Channel, &o.Epoch)
	}
}

// tally counts what a replica owns and adds up the epochs: cheap enough to be asked again and again.
func (s *Store) tally(ctx context.Context, id ingest.ReplicaID) (n int, epochs int64, err error) {
	err = s.lease.QueryRow(ctx, `select count(*), coalesce(sum(epoch), 0)::bigint from channel_state where owner = $1`, id).Scan(&n, &epochs)
	return n, epochs, wrap("tally", err)
}

// holdings lists what a replica owns.
func (s *Store) holdings(ctx context.Context, id ingest.ReplicaID) ([]ingest.Ownership, error) {
	rows, err := s.lease.Query(ctx, `select channel_id, epoch from channel_state where owner = $1`, id)
	if err != nil {
		return nil, wrap("holdings", err)
	}
	list, err := pgx.CollectRows(rows, scanOwnership(id))
	return list, wrap("holdings", err)
}

// The share of a replica is its part of the capacity of all that poll, rounded up.
const targetSQL = `select ceil((select count(*) from channel where enabled and delete_time is null)
  * coalesce((select capacity from replica where replica_id = @id), 0)::numeric
  / greatest(1, (select sum(capacity) from replica where polls and heartbeat_at > now() - @ttl::interval)))::int`

func (s *Store) target(ctx context.Context, id ingest.ReplicaID, ttl time.Duration) (n int, err error) {
	err = s.lease.QueryRow(ctx, targetSQL, pgx.NamedArgs{"id": id, "ttl": ttl}).Scan(&n)
	return n, wrap("target", err)
}

// unwanted lists channels that this replica owns although they are switched off or deleted.
func (s *Store) unwanted(ctx context.Context, id ingest.ReplicaID) ([]ingest.ChannelID, error) {
	rows, err := s.lease.Query(ctx, `select channel_id from channel_state s join channel c using (channel_id)
where s.owner = $1 and (not c.enabled or c.delete_time is not null)`, id)
	if err != nil {
		return nil, wrap("unwanted", err)
	}
	chs, err := pgx.CollectRows(rows, pgx.RowTo[ingest.ChannelID])
	return chs, wrap("unwanted", err)
}

func (s *Store) release(ctx context.Context, id ingest.ReplicaID, chs []ingest.ChannelID) error {
	_, err := s.lease.Exec(ctx, `update channel_state set owner = null where owner = $1 and channel_id = any($2)`, id, chs)
	return wrap("release", err)
}

// leave ends a session: what it owned has no owner from now on.
func (s *Store) leave(ctx context.Context, id ingest.ReplicaID) error {
	_, err := s.lease.Exec(ctx, `delete from replica where replica_id = $1`, id)
	return wrap("leave", err)
}

// EndReplicas declares all replicas dead. It is for a process that knows itself to be the only one, because the database
// is its own child: what an earlier life owned is free at once and not after the TTL.
func (s *Store) EndReplicas(ctx context.Context) error {
	_, err := s.lease.Exec(ctx, `delete from replica`)
	return wrap("end replicas", err)
}

const claimBucketsSQL = `with live as (select count(*) n from replica where relays and heartbeat_at > now() - @ttl::interval),
mine as (select count(*) n from relay_bucket where owner = @id),
orphan as (
  select bucket from relay_bucket b
  where owner is null or not exists (select from replica r where r.replica_id = b.owner)
  order by bucket limit (select greatest(0, ceil(@total::numeric / greatest(1, live.n)) - mine.n) from live, mine)
  for update skip locked)
update relay_bucket b set owner = @id, epoch = b.epoch + 1 from orphan where b.bucket = orphan.bucket and exists (select from replica where replica_id = @id)`

// Buckets beyond the share go back all at once: the relay holds no state for them that is dear to make again.
const releaseBucketsSQL = `update relay_bucket set owner = null where owner = @id and bucket not in (
  select bucket from relay_bucket where owner = @id order by bucket
  limit ceil(@total::numeric / greatest(1, (select count(*) from replica where relays and heartbeat_at > now() - @ttl::interval))))`

func (s *Store) claimBuckets(ctx context.Context, id ingest.ReplicaID, ttl time.Duration) ([]int16, error) {
	args := pgx.NamedArgs{"id": id, "ttl": ttl, "total": relayBuckets}
	mine, err := s.buckets(ctx, id)
	if err != nil {
		return nil, err
	}
	batch := &pgx.Batch{}
	batch.Queue(releaseBucketsSQL, args)
	if len(mine) < relayBuckets {
		batch.Queue(claimBucketsSQL, args)
	}
	if err := s.lease.SendBatch(ctx, batch).Close(); err != nil {
		return nil, wrap("claim buckets", err)
	}
	return s.buckets(ctx, id)
}

func (s *Store) buckets(ctx context.Context, id ingest.ReplicaID) ([]int16, error) {
	rows, err := s.lease.Query(ctx, `select bucket from relay_bucket where owner = $1 order by bucket`, id)
	if err != nil {
		return nil, wrap("buckets", err)
	}
	bs, err := pgx.CollectRows(rows, pgx.RowTo[int16])
	return bs, wrap("buckets", err)
}
