package store

import (
	"context"
	"errors"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/ingest"
)

// relayBuckets is the number of rows in relay_bucket.
const relayBuckets = 64

// Taking the row's lock is the fence: a claimer that came first changed owner and epoch, one that comes later waits.
const fenceSQL = `select next_seq, now() from channel_state
where channel_id = @channel and owner = @owner and epoch = @epoch for no key update`

// What is stored stays stored. A ref that was deferred, given up or not wanted may still become stored, and a deferred
// one may be deferred again or given up. The fence is asked for again because a fenced commit must not wait for refs
// that the owner is writing, nor the owner for it: each could hold what the other wants.
const ledgerSQL = `insert into ledger as l (channel_id, ref, standing, message_id, content, size, reason, detail, unsettled)
select @channel, * from unnest(@refs::text[], @standings::smallint[], @ids::uuid[], @contents::bytea[], @sizes::bigint[], @reasons::text[], @details::text[], @unsettled::boolean[])
where exists (select from channel_state where channel_id = @channel and owner = @owner and epoch = @epoch)
on conflict (channel_id, ref) do update
  set standing = excluded.standing, message_id = excluded.message_id, content = excluded.content, size = excluded.size,
      reason = excluded.reason, detail = excluded.detail, unsettled = excluded.unsettled, attempts = l.attempts + 1, last_try = now()
  where l.standing = 3 or (l.standing in (4, 5) and excluded.standing in (1, 2))
returning ref`

const advanceSQL = `update channel_state set next_seq = @next, folder = @folder, uid_validity = @validity,
  floor_uid = @floor, last_uid = @last, started = case when @start and (@restart or started is null) then now() when @restart and not @start then null else started end,
  baseline = coalesce(baseline, case when @start then now() end)
where channel_id = @channel`

// Commit writes a batch in one transaction and about five round trips, whatever the batch holds.
func (s *Store) Commit(ctx context.Context, own ingest.Ownership, b *ingest.Batch) (ingest.Receipt, error) {
	r := ingest.Receipt{IDs: map[ingest.Ref]ingest.MessageID{}, Known: map[ingest.Ref]ingest.Standing{}}
	l, c := newLedgerRows(b), newConversation(b.Channel)
	for i := range l.made {
		c.marks[i] = markOf(b.Channel, b.Items[i].Mail)
	}
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// The octets go first, before anything is locked. A process that is paused in the middle of a COPY cannot be
		// ended by any timeout of the server: with the channel's row locked nobody could take the channel over.
		if err := copyRaw(ctx, tx, l.raws(b)); err != nil {
			return err
		}
		next, at, fresh, err := s.enter(ctx, tx, own, b, l, c)
		if err != nil {
			return err
		}
		for _, i := range fresh {
			if c.marks[i] != nil {
				c.place(i, l.made[i], &b.Items[i])
			}
		}
		if err := c.hints(ctx, tx); err != nil {
			return err
		}
		return s.write(ctx, tx, own, b, c, next, at, fresh, l.stale(fresh), &r)
	})
	if errors.Is(err, errFenced) {
		return ingest.Receipt{}, &ingest.Error{Op: "commit", Kind: ingest.KindFenced, Reason: ingest.ReasonInternal, Err: err}
	}
	if err != nil {
		return ingest.Receipt{}, wrap("commit", err)
	}
	if r.Events > 0 {
		s.signalRelay()
	}
	return r, s.fillKnown(ctx, own.Channel, b, &r)
}

var errFenced = errors.New("the channel has another owner")

// ledgerRows are the items of a batch as columns of the ledger.
type ledgerRows struct {
	refs, reasons, details []string
	standings              []int16
	ids                    uuids
	contents               [][]byte
	sizes                  []int64
	unsettled              []bool

	index map[string]int           // item by ref
	made  map[int]ingest.MessageID // new id by item, of those that are to be stored
}

func newLedgerRows(b *ingest.Batch) *ledgerRows {
	l := &ledgerRows{index: make(map[string]int, len(b.Items)), made: make(map[int]ingest.MessageID, len(b.Items))}
	newID := newMessageIDs(time.Now())
	for i := range b.Items {
		it := &b.Items[i]
		ref := it.Ref.String()
		if _, again := l.index[ref]; again {
			continue // one statement cannot write a row twice, and the first will do
		}
		l.index[ref] = i
		var id uuid.UUID
		switch it.Standing {
		case ingest.Stored:
			l.made[i] = newID(len(l.made))
			id = uuid.UUID(l.made[i])
		case ingest.Duplicate:
			id = uuid.UUID(it.Original)
		}
		var content []byte
		if it.Content != (ingest.Digest{}) {
			content = it.Content[:]
		}
		l.refs, l.standings, l.ids, l.contents = append(l.refs, ref), append(l.standings, int16(it.Standing)), append(l.ids, nullable(id)), append(l.contents, content)
		l.sizes, l.reasons, l.details = append(l.sizes, it.Size), append(l.reasons, string(it.Reason)), append(l.details, it.Detail)
		l.unsettled = append(l.unsettled, it.Settle && (it.Standing == ingest.Stored || it.Standing == ingest.Duplicate))
	}
	return l
}

// raws are the messages whose octets are to be stored, in the order of the batch.
func (l *ledgerRows) raws(b *ingest.Batch) []rawMessage {
	var raws []rawMessage
	for i := range b.Items {
		if id, ok := l.made[i]; ok {
			raws = append(raws, rawMessage{id: id, octets: b.Items[i].Octets})
		}
	}
	return raws
}

// stale are the ids that were made for messages which turned out to be known.
func (l *ledgerRows) stale(fresh []int) []ingest.MessageID {
	if len(fresh) == len(l.refs) {
		return nil
	}
	ours := make(map[int]bool, len(fresh))
	for _, i := range fresh {
		ours[i] = true
	}
	var ids []ingest.MessageID
	for i, id := range l.made {
		if !ours[i] {
			ids = append(ids, id)
		}
	}
	return ids
}

// enter takes the fence and the refs, and learns about the conversations: one round trip. fresh holds the indices of the items that are ours to write.
func (s *Store) enter(ctx context.Context, tx pgx.Tx, own ingest.Ownership, b *ingest.Batch, l *ledgerRows, c *conversation) (next int64, at time.Time, fresh []int, err error) {
	batch := &pgx.Batch{}
	fenced := true
	batch.Queue(fenceSQL, pgx.NamedArgs{"channel": own.Channel, "owner": own.Replica, "epoch": own.Epoch}).Query(func(rows pgx.Rows) error {
		_, err := pgx.ForEachRow(rows, []any{&next, &at}, func() error { fenced = false; return nil })
		return err
	})
	taken := make([]bool, len(b.Items))
	if len(l.refs) > 0 {
		batch.Queue(ledgerSQL, pgx.NamedArgs{"channel": own.Channel, "owner": own.Replica, "epoch": own.Epoch, "refs": l.refs, "standings": l.standings,
			"ids": l.ids, "contents": l.contents, "sizes": l.sizes, "reasons": l.reasons, "details": l.details, "unsettled": l.unsettled}).Query(func(rows pgx.Rows) error {
			var ref string
			_, err := pgx.ForEachRow(rows, []any{&ref}, func() error { taken[l.index[ref]] = true; return nil })
			return err
		})
	}
	c.ask(batch, b.Items)
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return 0, at, nil, err
	}
	if fenced {
		return 0, at, nil, errFenced
	}
	for i, ok := range taken {
		if ok {
			fresh = append(fresh, i)
			if id, ok := l.made[i]; ok {
				b.Items[i].Original = id
			}
		}
	}
	return next, at, fresh, nil
}

const staleRawSQL = `delete from raw where day = any(@days::date[]) and message_id = any(@ids::uuid[])`

// write adds messages, events and outbox rows, and takes back the octets of stale ids, in one round trip.
func (s *Store) write(ctx context.Context, tx pgx.Tx, own ingest.Ownership, b *ingest.Batch, conv *conversation, next int64, at time.Time, fresh []int, stale []ingest.MessageID, r *ingest.Receipt) error {
	var m messageRows
	var e eventRows
	for _, i := range fresh {
		it := &b.Items[i]
		c := ingest.Committed{Channel: b.Channel, Sequence: next, At: at, Item: it}
		event := newMessageID(at)
		var message uuid.UUID
		if it.Standing == ingest.Stored {
			// One arrival event for a message, ever: it bears the message's own id.
			event = it.Original
			message = uuid.UUID(it.Original)
			r.IDs[it.Ref] = it.Original
			p := conv.placed[i]
			// The caller's mail is left as it is: it may be committed again.
			decided, mail := *it, *it.Mail
			mail.AutoReply = p.auto
			decided.Mail = &mail
			c.ID, c.Item, c.Thread, c.Siblings = it.Original, &decided, p.thread, p.siblings
		}
		seq := int64(0)
		if it.Event != nil {
			typ, data, err := it.Event(c)
			if err != nil {
				return err
			}
			seq = next
			e.add(seq, event, message, typ, data)
			if r.FirstSequence == 0 {
				r.FirstSequence = seq
			}
			r.Events++
			next++
		}
		if it.Standing == ingest.Stored {
			if err := m.add(c, seq, conv.marks[i], conv.threads.root(conv.placed[i].root)); err != nil {
				return err
			}
		}
	}
	batch := &pgx.Batch{}
	base := pgx.NamedArgs{"channel": own.Channel, "epoch": own.Epoch, "owner": own.Replica, "at": at}
	if len(m.ids) > 0 {
		batch.Queue(messageSQL, with(base, m.args()))
	}
	conv.put(batch)
	e.put(batch, own.Channel, base)
	batch.Queue(advanceSQL, pgx.NamedArgs{"channel": own.Channel, "next": next, "folder": b.Cursor.Folder,
		"validity": int64(b.Cursor.UIDValidity), "floor": int64(b.Cursor.Floor), "last": int64(b.Cursor.LastUID), "start": b.Start, "restart": b.Restart})
	if len(stale) > 0 {
		days, ids := make([]time.Time, len(stale)), make(uuids, len(stale))
		for i, id := range stale {
			days[i], ids[i] = dayOf(id), nullable(uuid.UUID(id))
		}
		batch.Queue(staleRawSQL, pgx.NamedArgs{"days": days, "ids": ids})
	}
	return tx.SendBatch(ctx, batch).Close()
}

// fillKnown finds the standing of the refs that were there already.
func (s *Store) fillKnown(ctx context.Context, ch ingest.ChannelID, b *ingest.Batch, r *ingest.Receipt) error {
	var refs []ingest.Ref
	for i := range b.Items {
		it := &b.Items[i]
		if _, ok := r.IDs[it.Ref]; !ok && it.Standing == ingest.Stored {
			refs = append(refs, it.Ref)
		}
	}
	known, err := s.Known(ctx, ch, refs)
	if known != nil {
		r.Known = known
	}
	return err
}

func with(base, more pgx.NamedArgs) pgx.NamedArgs {
	for k, v := range base {
		more[k] = v
	}
	return more
}

// bucketOf spreads channels over the relay's buckets; the multiplier is the golden ratio's (Knuth, TAOCP 6.4).
func bucketOf(ch ingest.ChannelID) int16 {
	return int16(uint64(ch) * 0x9E3779B97F4A7C15 >> 58 % relayBuckets)
}
