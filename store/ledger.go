package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/ingest"
)

var _ ingest.Ledger = (*Store)(nil)

const knownSQL = `select ref, case when standing in (1, 2) and settled_how = 2 then 6 else standing end from ledger where channel_id = @channel and ref = any(@refs)`

// Known tells the standing of refs; refs that are not in the result are unknown.
func (s *Store) Known(ctx context.Context, ch ingest.ChannelID, refs []ingest.Ref) (map[ingest.Ref]ingest.Standing, error) {
	if len(refs) == 0 {
		return nil, nil
	}
	byKey := make(map[string]ingest.Ref, len(refs))
	for _, r := range refs {
		byKey[r.String()] = r
	}
	rows, err := s.pool.Query(ctx, knownSQL, pgx.NamedArgs{"channel": ch, "refs": keys(refs)})
	if err != nil {
		return nil, wrap("known", err)
	}
	known := make(map[ingest.Ref]ingest.Standing)
	var key string
	var standing ingest.Standing
	_, err = pgx.ForEachRow(rows, []any{&key, &standing}, func() error {
		known[byKey[key]] = standing
		return nil
	})
	return known, wrap("known", err)
}

func keys(refs []ingest.Ref) []string {
	ks := make([]string, len(refs))
	for i, r := range refs {
		ks[i] = r.String()
	}
	return ks
}

const twinsSQL = `select content, ref, message_id, coalesce(settled_how = 2, false) from ledger
where channel_id = @channel and standing in (1, 2) and content = any(@contents)`

// Twins finds stored messages of the channel with the same content.
func (s *Store) Twins(ctx context.Context, ch ingest.ChannelID, contents []ingest.Digest) (map[ingest.Digest][]ingest.Twin, error) {
	if len(contents) == 0 {
		return nil, nil
	}
	list := make([][]byte, len(contents))
	for i := range contents {
		list[i] = contents[i][:]
	}
	rows, err := s.pool.Query(ctx, twinsSQL, pgx.NamedArgs{"channel": ch, "contents": list})
	if err != nil {
		return nil, wrap("twins", err)
	}
	twins := make(map[ingest.Digest][]ingest.Twin)
	var content []byte
	var key string
	var id [16]byte
	var deleted bool
	_, err = pgx.ForEachRow(rows, []any{&content, &key, &id, &deleted}, func() error {
		ref, err := ingest.ParseRef(key)
		if err != nil {
			return err
		}
		d := ingest.Digest(content)
		twins[d] = append(twins[d], ingest.Twin{Ref: ref, ID: id, Deleted: deleted})
		return nil
	})
	return twins, wrap("twins", err)
}

// A ref is tried again at once, then after 1, 4, 9 … minutes, so that a mail that the server cannot give does not cost
// a command at every visit.
const deferredSQL = `select ref, attempts from ledger
where channel_id = @channel and standing = 3
  and (last_try <= now() - make_interval(mins => (attempts - 1) * (attempts - 1)))
order by first_seen limit @limit`

// Deferred lists refs of the channel that are due for another try, oldest first.
func (s *Store) Deferred(ctx context.Context, ch ingest.ChannelID, limit int) ([]ingest.DeferredRef, error) {
	rows, err := s.pool.Query(ctx, deferredSQL, pgx.NamedArgs{"channel": ch, "limit": limit})
	if err != nil {
		return nil, wrap("deferred", err)
	}
	refs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (d ingest.DeferredRef, err error) {
		var key string
		if err = row.Scan(&key, &d.Attempts); err != nil {
			return d, err
		}
		d.Ref, err = ingest.ParseRef(key)
		return d, err
	})
	return refs, wrap("deferred", err)
}

const unsettledSQL = `select ref from ledger where channel_id = @channel and unsettled limit @limit`

// Unsettled lists stored refs that are still to be settled on the server.
func (s *Store) Unsettled(ctx context.Context, ch ingest.ChannelID, limit int) ([]ingest.Ref, error) {
	rows, err := s.pool.Query(ctx, unsettledSQL, pgx.NamedArgs{"channel": ch, "limit": limit})
	if err != nil {
		return nil, wrap("unsettled", err)
	}
	refs, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (ingest.Ref, error) {
		var key string
		if err := row.Scan(&key); err != nil {
			return ingest.Ref{}, err
		}
		return ingest.ParseRef(key)
	})
	return refs, wrap("unsettled", err)
}

const settledSQL = `update ledger set unsettled = false, settled_at = case when @how = 0 then settled_at else now() end,
  settled_how = case when @how = 0 then settled_how else @how end
where channel_id = @channel and ref = any(@refs) and standing in (1, 2) and (unsettled or settled_at is null)`

// Settled records that refs were settled on the server; SettleLeave records that they no longer have to be.
func (s *Store) Settled(ctx context.Context, own ingest.Ownership, refs []ingest.Ref, how ingest.Settlement) error {
	_, err := s.pool.Exec(ctx, settledSQL, pgx.NamedArgs{"channel": own.Channel, "refs": keys(refs), "how": how})
	return wrap("settled", err)
}

func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
