package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
)

const createReplaySQL = `insert into replay (replay_id, tenant, channel_id, kind, dry_run, first_uid, last_uid, first_seq, last_seq, since, until, requested_by)
values (@id, @tenant, @channel, @kind, @dry, @first_uid, @last_uid, @first_seq, @last_seq, @since, @until, @by)`

// CreateReplay records a replay and enqueues its job in the same transaction.
func (s *Store) CreateReplay(ctx context.Context, r ingest.Replay, a control.Audit) (ingest.Replay, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return ingest.Replay{}, err
	}
	var out ingest.Replay
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, createReplaySQL, pgx.NamedArgs{"id": id, "tenant": r.Tenant, "channel": r.ChannelID, "kind": r.Kind, "dry": r.DryRun,
			"first_uid": int64(r.Range.FirstUID), "last_uid": int64(r.Range.LastUID), "first_seq": r.Range.FirstSequence, "last_seq": r.Range.LastSequence,
			"since": timeOrNull(r.Range.Since), "until": timeOrNull(r.Range.Until), "by": r.RequestedBy})
		if err != nil {
			return err
		}
		if err := s.enqueue(ctx, tx, id.String()); err != nil {
			return err
		}
		if err := audit(ctx, tx, a); err != nil {
			return err
		}
		out, err = readReplay(ctx, tx, r.Tenant, id.String())
		return err
	})
	return out, controlError("create replay", err)
}

const replaySQL = `select r.replay_id::text, r.tenant, c.channel, r.channel_id, r.kind, r.dry_run, r.first_uid, r.last_uid, r.first_seq, r.last_seq,
  r.since, r.until, r.state, r.progress, r.error, r.requested_by, r.create_time, r.start_time, r.end_time
from replay r join channel c using (channel_id) `

func scanReplay(row pgx.CollectableRow) (r ingest.Replay, err error) {
	var since, until, started, ended *time.Time
	var firstUID, lastUID int64
	var progress []byte
	err = row.Scan(&r.ID, &r.Tenant, &r.Channel, &r.ChannelID, &r.Kind, &r.DryRun, &firstUID, &lastUID, &r.Range.FirstSequence, &r.Range.LastSequence,
		&since, &until, &r.State, &progress, &r.Error, &r.RequestedBy, &r.Created, &started, &ended)
	if err != nil {
		return r, err
	}
	r.Range.FirstUID, r.Range.LastUID = uint32(firstUID), uint32(lastUID)
	r.Range.Since, r.Range.Until, r.Started, r.Ended = timeOf(since), timeOf(until), timeOf(started), timeOf(ended)
	r.Created = r.Created.UTC()
	return r, json.Unmarshal(progress, &r.Progress)
}

func readReplay(ctx context.Context, q querier, tenant, id string) (ingest.Replay, error) {
	if uuid.Validate(id) != nil {
		return ingest.Replay{}, pgx.ErrNoRows
	}
	rows, err := q.Query(ctx, replaySQL+`where r.tenant = @tenant and r.replay_id = @id`, pgx.NamedArgs{"tenant": tenant, "id": id})
	if err != nil {
		return ingest.Replay{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scanReplay)
}

// Replay reads one replay.
func (s *Store) Replay(ctx context.Context, tenant, id string) (ingest.Replay, error) {
	r, err := readReplay(ctx, s.pool, tenant, id)
	return r, controlError("replay", err)
}

// Replays lists replays of one tenant, the newest first.
func (s *Store) Replays(ctx context.Context, q control.ReplayQuery) ([]ingest.Replay, error) {
	states := make([]int16, len(q.States))
	for i, st := range q.States {
		states[i] = int16(st)
	}
	var before *string
	if q.Before != "" {
		before = &q.Before
	}
	rows, err := s.pool.Query(ctx, replaySQL+`where r.tenant = @tenant and (@channel = '' or c.channel = @channel)
  and (cardinality(@states::smallint[]) = 0 or r.state = any(@states)) and (@before::uuid is null or r.replay_id < @before::uuid)
order by r.replay_id desc limit @limit`,
		pgx.NamedArgs{"tenant": q.Tenant, "channel": q.Channel, "states": states, "before": before, "limit": q.Limit})
	if err != nil {
		return nil, controlError("replays", err)
	}
	list, err := pgx.CollectRows(rows, scanReplay)
	return list, controlError("replays", err)
}

const cancelReplaySQL = `update replay set state = @cancelled, end_time = now()
where tenant = @tenant and replay_id = @id and state in (@queued, @running)`

// Events of a cancelled replay that are still in the outbox are taken out; what is in the stream stays there. This is a
// statement of its own, so that it sees what a step put there for which the cancellation had to wait.
const emptyOutboxSQL = `delete from outbox where replay_id = @id`

// CancelReplay ends a replay that is queued or running.
func (s *Store) CancelReplay(ctx context.Context, tenant, id string, a control.Audit) (ingest.Replay, error) {
	var r ingest.Replay
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var err error
		if r, err = readReplay(ctx, tx, tenant, id); err != nil {
			return err
		}
		tag, err := tx.Exec(ctx, cancelReplaySQL, pgx.NamedArgs{"tenant": tenant, "id": id, "cancelled": ingest.ReplayCancelled,
			"queued": ingest.ReplayQueued, "running": ingest.ReplayRunning})
		if err != nil {
			return err
		}
		if tag.RowsAffected() == 1 {
			if _, err := tx.Exec(ctx, emptyOutboxSQL, pgx.NamedArgs{"id": id}); err != nil {
				return err
			}
			if err := audit(ctx, tx, a); err != nil {
				return err
			}
		}
		r, err = readReplay(ctx, tx, tenant, id)
		return err
	})
	return r, controlError("cancel replay", err)
}
