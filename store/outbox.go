package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/ingest"
)

// OutboxRow is one event that waits for the stream.
type OutboxRow struct {
	ID                    int64 // rises in commit order within a channel
	Bucket                int16
	ChannelID             ingest.ChannelID
	Tenant, Channel, Type string
	Sequence              int64
	EventID               string
	Time                  time.Time
	Data                  []byte
	ReplayID              string // set when the event is published again
	TraceParent           string
}

// Commits of one channel take its channel_state row first, so that ids rise in commit order within a channel, although
// not over channels. The rows are chosen before anything is joined, and each event is looked up by its whole key: a table
// without statistics, as after a first import, made the planner walk all events of a channel for each row.
const outboxNextSQL = `select o.outbox_id, o.bucket, o.channel_id, c.tenant, c.channel, e.type, o.seq, e.event_id::text, e.at, e.data, coalesce(o.replay_id::text, '')
from (select * from outbox where bucket = any(@buckets) and not channel_id = any(@except) order by outbox_id limit @limit) o
join channel c on c.channel_id = o.channel_id
cross join lateral (select type, event_id, at, data from event where day = o.day and channel_id = o.channel_id and seq = o.seq limit 1) e
order by o.outbox_id`

// OutboxNext returns at most limit rows of the buckets, without the channels in except, ascending by id.
func (s *Store) OutboxNext(ctx context.Context, buckets []int16, except []ingest.ChannelID, limit int) ([]OutboxRow, error) {
	if except == nil {
		except = []ingest.ChannelID{} // NULL would exclude everything
	}
	rows, err := s.pool.Query(ctx, outboxNextSQL, pgx.NamedArgs{"buckets": buckets, "except": except, "limit": limit})
	if err != nil {
		return nil, wrap("outbox", err)
	}
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r OutboxRow, err error) {
		err = row.Scan(&r.ID, &r.Bucket, &r.ChannelID, &r.Tenant, &r.Channel, &r.Type, &r.Sequence, &r.EventID, &r.Time, &r.Data, &r.ReplayID)
		r.Time = r.Time.UTC()
		return r, err
	})
	return out, wrap("outbox", err)
}

// OutboxDelete removes rows that are in the stream.
func (s *Store) OutboxDelete(ctx context.Context, ids []int64) error {
	_, err := s.pool.Exec(ctx, `delete from outbox where outbox_id = any($1)`, ids)
	return wrap("outbox delete", err)
}
