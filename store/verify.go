package store

import (
	"context"
	"crypto/sha256"
	"fmt"
	"hash"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/ingest"
)

// Violation is one row that breaks an invariant.
type Violation struct {
	Invariant int    // 1 to 7 and 12, as ARCHITECTURE.md numbers them
	Channel   string // resource name
	What      string
}

// Snapshot is what the stream must agree with: the events of the database as of one moment.
type Snapshot struct {
	Channels []ChannelEvents
	Messages int64 // stored messages looked at
	Octets   int64 // raw octets hashed
}

// ChannelEvents are the events of one channel, by sequence from 1.
type ChannelEvents struct {
	Tenant, Channel string
	Events          []EventMark
}

// EventMark is one event.
type EventMark struct {
	ID      uuid.UUID
	At      time.Time
	Waiting bool // still in the outbox
}

// checks are queries whose rows are violations: channel id and what is wrong.
func checks() []struct {
	invariant int
	sql       string
} {
	return []struct {
		invariant int
		sql       string
	}{
		{1, `select channel_id, 'no message is stored for ' || ref || ', which the ledger calls stored' from ledger l
where standing in (1, 2) and not exists (select from message m where m.message_id = l.message_id and m.channel_id = l.channel_id)`},
		{2, `select channel_id, 'message ' || message_id || ' is stored ' || count(*) || ' times' from message group by channel_id, message_id having count(*) > 1`},
		{2, `select m.channel_id, 'message ' || m.message_id || ' (' || m.ref || ') has ' || count(distinct l.ref) || ' ledger entries that call it stored, not one'
from message m left join ledger l on l.channel_id = m.channel_id and l.message_id = m.message_id and l.standing = 1
group by m.channel_id, m.message_id, m.ref having count(distinct l.ref) <> 1`},
		{2, `select channel_id, 'message ' || message_id || ' has ' || count(*) || ' arrival events' from event
where message_id is not null group by channel_id, message_id having count(*) > 1`},
		{3, `select channel_id, ref || ' was settled on the server, but its message is not stored' from ledger l
where settled_at is not null and not exists (select from message m where m.message_id = l.message_id and m.channel_id = l.channel_id)`},
		{4, `select m.channel_id, 'message ' || m.message_id || ' has no event with sequence ' || m.seq from message m
where not exists (select from event e where e.channel_id = m.channel_id and e.seq = m.seq and e.message_id = m.message_id)`},
		{4, `select e.channel_id, 'event ' || e.seq || ' announces message ' || e.message_id || ', which is not stored' from event e
where e.message_id is not null and not exists (select from message m where m.message_id = e.message_id and m.channel_id = e.channel_id)`},
		{4, `select channel_id, 'event ' || seq || ' waits in the outbox and does not exist' from outbox o
where not exists (select from event e where e.channel_id = o.channel_id and e.day = o.day and e.seq = o.seq)`},
		{5, `select s.channel_id, 'the database has ' || count(e.seq) || ' events up to sequence ' || coalesce(max(e.seq), 0) || ', next is ' || s.next_seq
from channel_state s left join event e using (channel_id) group by s.channel_id, s.next_seq
having count(e.seq) <> s.next_seq - 1 or coalesce(max(e.seq), 0) <> s.next_seq - 1 or count(distinct e.seq) <> count(e.seq)`},
		{6, `select channel_id, 'event ' || seq || ' was committed under epoch ' || epoch || ' after one under epoch ' || before
from (select channel_id, seq, epoch, lag(epoch) over (partition by channel_id order by seq) before from event) x where epoch < before`},
		{6, `select channel_id, 'epoch ' || epoch || ' has commits of ' || count(distinct replica) || ' replicas' from event
group by channel_id, epoch having count(distinct replica) > 1`},
		{12, `select m.channel_id, 'message ' || m.message_id || ' is in thread ' || m.thread || ', and what it is known by in ' || i.thread
from message m join identifier i on i.key in (m.identifier, m.fingerprint) and i.channel_id = m.channel_id and i.message_id = m.message_id
where i.thread <> m.thread`},
		{7, `select m.channel_id, 'message ' || m.message_id || ' has no raw octets' from message m
where not exists (select from raw r where r.day = m.day and r.message_id = m.message_id)`},
	}
}

// Verify checks the database as of one moment and returns what the stream must agree with. It may run beside a live
// service. It reads every raw message once.
func (s *Store) Verify(ctx context.Context, each func(Violation)) (*Snapshot, error) {
	snap := &Snapshot{}
	err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		// The limits of the pool are for short transactions.
		if _, err := tx.Exec(ctx, `set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0`); err != nil {
			return err
		}
		names, err := channelNames(ctx, tx)
		if err != nil {
			return err
		}
		for _, c := range checks() {
			rows, err := tx.Query(ctx, c.sql)
			if err != nil {
				return err
			}
			var id ingest.ChannelID
			var what string
			if _, err := pgx.ForEachRow(rows, []any{&id, &what}, func() error {
				each(Violation{Invariant: c.invariant, Channel: names[id], What: what})
				return nil
			}); err != nil {
				return err
			}
		}
		if err := verifyOctets(ctx, tx, names, snap, each); err != nil {
			return err
		}
		return readEvents(ctx, tx, snap)
	})
	return snap, wrap("verify", err)
}

func channelNames(ctx context.Context, tx pgx.Tx) (map[ingest.ChannelID]string, error) {
	rows, err := tx.Query(ctx, `select channel_id, 'tenants/' || tenant || '/emailChannels/' || channel from channel`)
	if err != nil {
		return nil, err
	}
	names := map[ingest.ChannelID]string{}
	var id ingest.ChannelID
	var name string
	_, err = pgx.ForEachRow(rows, []any{&id, &name}, func() error {
		names[id] = name
		return nil
	})
	return names, err
}

// verifyOctets hashes what is stored and compares it with what was hashed on the way in.
func verifyOctets(ctx context.Context, tx pgx.Tx, names map[ingest.ChannelID]string, snap *Snapshot, each func(Violation)) error {
	rows, err := tx.Query(ctx, `select m.channel_id, m.message_id, m.size, m.sha256, r.piece, r.octets
from message m join raw r using (day, message_id) order by m.day, m.message_id, r.piece`)
	if err != nil {
		return err
	}
	var cur struct {
		channel ingest.ChannelID
		id      [16]byte
		size    int64
		sum     []byte
	}
	var h hash.Hash
	var n int64
	next := 0
	check := func() {
		if h == nil {
			return
		}
		snap.Messages++
		snap.Octets += n
		if n != cur.size || string(h.Sum(nil)) != string(cur.sum) {
			each(Violation{Invariant: 7, Channel: names[cur.channel], What: fmt.Sprintf("message %s: %d octets are stored that do not hash to the SHA-256 of the %d that came in",
				uuid.UUID(cur.id), n, cur.size)})
		}
	}
	var channel ingest.ChannelID
	var id [16]byte
	var size int64
	var sum, octets []byte
	var piece int
	_, err = pgx.ForEachRow(rows, []any{&channel, &id, &size, &sum, &piece, &octets}, func() error {
		if h == nil || id != cur.id {
			check()
			h, n, next = sha256.New(), 0, 0
			cur.channel, cur.id, cur.size, cur.sum = channel, id, size, sum
		}
		if piece != next {
			each(Violation{Invariant: 7, Channel: names[channel], What: fmt.Sprintf("message %s: piece %d is missing", uuid.UUID(id), next)})
		}
		next = piece + 1
		h.Write(octets)
		n += int64(len(octets))
		return nil
	})
	if err == nil {
		check()
	}
	return err
}

func readEvents(ctx context.Context, tx pgx.Tx, snap *Snapshot) error {
	rows, err := tx.Query(ctx, `select c.tenant, c.channel, e.seq, e.event_id, e.at,
  exists (select from outbox o where o.channel_id = e.channel_id and o.seq = e.seq and o.replay_id is null)
from event e join channel c using (channel_id) order by e.channel_id, e.seq`)
	if err != nil {
		return err
	}
	var tenant, channel string
	var seq int64
	var m EventMark
	_, err = pgx.ForEachRow(rows, []any{&tenant, &channel, &seq, &m.ID, &m.At, &m.Waiting}, func() error {
		last := len(snap.Channels) - 1
		if last < 0 || snap.Channels[last].Tenant != tenant || snap.Channels[last].Channel != channel {
			snap.Channels = append(snap.Channels, ChannelEvents{Tenant: tenant, Channel: channel})
			last++
		}
		snap.Channels[last].Events = append(snap.Channels[last].Events, m)
		return nil
	})
	return err
}
