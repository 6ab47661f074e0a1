package store

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/ingest"
)

// pieceSize is how much of a message one row of raw holds.
const pieceSize = 256 << 10

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

const messageSQL = `insert into message (day, message_id, channel_id, seq, epoch, replica, ref, received_at, stored_at, size, sha256, parser_version, mail, body_text)
select day, id, @channel, seq, @epoch, @owner, ref, received, @at, size, sha, @parser, mail, body
from unnest(@days::date[], @ids::uuid[], @seqs::bigint[], @refs::text[], @received::timestamptz[], @sizes::bigint[], @shas::bytea[], @mails::jsonb[], @bodies::text[])
  as t(day, id, seq, ref, received, size, sha, mail, body)`

const eventSQL = `insert into event (day, channel_id, seq, event_id, message_id, type, at, epoch, replica, data)
select day, @channel, seq, event, message, type, @at, @epoch, @owner, data
from unnest(@days::date[], @seqs::bigint[], @events::uuid[], @messages::uuid[], @types::text[], @datas::text[])
  as t(day, seq, event, message, type, data)`

const outboxSQL = `insert into outbox (bucket, channel_id, day, seq)
select @bucket, @channel, day, seq from unnest(@days::date[], @seqs::bigint[]) with ordinality as t(day, seq, n) order by n`

const advanceSQL = `update channel_state set next_seq = @next, folder = @folder, uid_validity = @validity,
  floor_uid = @floor, last_uid = @last, started = case when @start and (@restart or started is null) then now() when @restart and not @start then null else started end,
  baseline = coalesce(baseline, case when @start then now() end)
where channel_id = @channel`

// Commit writes a batch in one transaction and about five round trips, whatever the batch holds.
func (s *Store) Commit(ctx context.Context, own ingest.Ownership, b *ingest.Batch) (ingest.Receipt, error) {
	r := ingest.Receipt{IDs: map[ingest.Ref]ingest.MessageID{}, Known: map[ingest.Ref]ingest.Standing{}}
	l := newLedgerRows(b)
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// The octets go first, before anything is locked. A process that is paused in the middle of a COPY cannot be
		// ended by any timeout of the server: with the channel's row locked nobody could take the channel over.
		if err := copyRaw(ctx, tx, l.raws(b)); err != nil {
			return err
		}
		next, at, fresh, err := s.enter(ctx, tx, own, b, l)
		if err != nil {
			return err
		}
		return s.write(ctx, tx, own, b, next, at, fresh, l.stale(fresh), &r)
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
	ids                    []*uuid.UUID
	contents               [][]byte
	sizes                  []int64
	unsettled              []bool

	index map[string]int           // item by ref
	made  map[int]ingest.MessageID // new id by item, of those that are to be stored
}

func newLedgerRows(b *ingest.Batch) *ledgerRows {
	l := &ledgerRows{index: make(map[string]int, len(b.Items)), made: make(map[int]ingest.MessageID, len(b.Items))}
	now := time.Now()
	for i := range b.Items {
		it := &b.Items[i]
		ref := it.Ref.String()
		if _, again := l.index[ref]; again {
			continue // one statement cannot write a row twice, and the first will do
		}
		l.index[ref] = i
		var id *uuid.UUID
		switch it.Standing {
		case ingest.Stored:
			l.made[i] = newMessageID(now)
			u := uuid.UUID(l.made[i])
			id = &u
		case ingest.Duplicate:
			id = (*uuid.UUID)(&it.Original)
		}
		var content []byte
		if it.Content != (ingest.Digest{}) {
			content = it.Content[:]
		}
		l.refs, l.standings, l.ids, l.contents = append(l.refs, ref), append(l.standings, int16(it.Standing)), append(l.ids, id), append(l.contents, content)
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

// copyRaw stores octets by COPY.
func copyRaw(ctx context.Context, tx pgx.Tx, raws []rawMessage) error {
	if len(raws) == 0 {
		return nil
	}
	src := &pieces{messages: raws}
	defer src.close()
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"raw"}, []string{"day", "message_id", "piece", "octets"}, src)
	return err
}

// enter takes the fence and the refs: one round trip. fresh holds the indices of the items that are ours to write.
func (s *Store) enter(ctx context.Context, tx pgx.Tx, own ingest.Ownership, b *ingest.Batch, l *ledgerRows) (next int64, at time.Time, fresh []int, err error) {
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
func (s *Store) write(ctx context.Context, tx pgx.Tx, own ingest.Ownership, b *ingest.Batch, next int64, at time.Time, fresh []int, stale []ingest.MessageID, r *ingest.Receipt) error {
	var m struct {
		days     []time.Time
		ids      []uuid.UUID
		seqs     []int64
		refs     []string
		received []*time.Time
		sizes    []int64
		shas     [][]byte
		mails    []string
		bodies   []string
	}
	var e struct {
		days     []time.Time
		seqs     []int64
		events   []uuid.UUID
		messages []*uuid.UUID
		types    []string
		datas    []string
	}
	parser := 0
	for _, i := range fresh {
		it := &b.Items[i]
		c := ingest.Committed{Channel: b.Channel, Sequence: next, At: at, Item: it}
		event := uuid.UUID(newMessageID(at))
		var message *uuid.UUID
		if it.Standing == ingest.Stored {
			c.ID = it.Original
			// One arrival event for a message, ever: it bears the message's own id.
			event = uuid.UUID(c.ID)
			message = &event
			r.IDs[it.Ref] = c.ID
		}
		seq := int64(0)
		if it.Event != nil {
			typ, data, err := it.Event(c)
			if err != nil {
				return err
			}
			seq = next
			e.days = append(e.days, dayOf(ingest.MessageID(event)))
			e.seqs = append(e.seqs, seq)
			e.events = append(e.events, event)
			e.messages = append(e.messages, message)
			e.types = append(e.types, typ)
			e.datas = append(e.datas, string(data))
			if r.FirstSequence == 0 {
				r.FirstSequence = seq
			}
			r.Events++
			next++
		}
		if it.Standing == ingest.Stored {
			mail := *it.Mail
			mail.Text = ""
			doc, err := json.Marshal(&mail)
			if err != nil {
				return err
			}
			sum := it.Octets.SHA256()
			parser = it.Parser
			m.days = append(m.days, dayOf(c.ID))
			m.ids = append(m.ids, uuid.UUID(c.ID))
			m.seqs = append(m.seqs, seq)
			m.refs = append(m.refs, it.Ref.String())
			m.received = append(m.received, timeOrNull(it.Received))
			m.sizes = append(m.sizes, it.Octets.Size())
			m.shas = append(m.shas, sum[:])
			m.mails = append(m.mails, string(doc))
			m.bodies = append(m.bodies, it.Mail.Text)
		}
	}
	batch := &pgx.Batch{}
	base := pgx.NamedArgs{"channel": own.Channel, "epoch": own.Epoch, "owner": own.Replica, "at": at}
	if len(m.ids) > 0 {
		batch.Queue(messageSQL, with(base, pgx.NamedArgs{"parser": parser, "days": m.days, "ids": m.ids, "seqs": m.seqs, "refs": m.refs,
			"received": m.received, "sizes": m.sizes, "shas": m.shas, "mails": m.mails, "bodies": m.bodies}))
	}
	if len(e.seqs) > 0 {
		batch.Queue(eventSQL, with(base, pgx.NamedArgs{"days": e.days, "seqs": e.seqs, "events": e.events, "messages": e.messages,
			"types": e.types, "datas": e.datas}))
		batch.Queue(outboxSQL, pgx.NamedArgs{"bucket": bucketOf(own.Channel), "channel": own.Channel, "days": e.days, "seqs": e.seqs})
	}
	batch.Queue(advanceSQL, pgx.NamedArgs{"channel": own.Channel, "next": next, "folder": b.Cursor.Folder,
		"validity": int64(b.Cursor.UIDValidity), "floor": int64(b.Cursor.Floor), "last": int64(b.Cursor.LastUID), "start": b.Start, "restart": b.Restart})
	if len(stale) > 0 {
		days, ids := make([]time.Time, len(stale)), make([]uuid.UUID, len(stale))
		for i, id := range stale {
			days[i], ids[i] = dayOf(id), uuid.UUID(id)
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

// newMessageID is a UUID of version 7 with the time t in milliseconds.
func newMessageID(t time.Time) ingest.MessageID {
	var id ingest.MessageID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(t.UnixMilli()))
	copy(id[:6], ms[2:])
	rand.Read(id[6:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// dayOf is the partition day of an id: the UTC day of its time.
func dayOf(id ingest.MessageID) time.Time {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC().Truncate(24 * time.Hour)
}

type rawMessage struct {
	id     ingest.MessageID
	octets ingest.Octets
}

// pieces feeds messages to COPY, piece by piece, so that memory does not follow their size.
type pieces struct {
	messages []rawMessage
	body     io.ReadCloser
	piece    int
	buf      []byte
	n        int
	last     bool // body has ended
	err      error
}

// Next reads the next piece.
func (p *pieces) Next() bool {
	if p.buf == nil {
		p.buf = make([]byte, pieceSize)
	}
	for {
		if p.last {
			p.close()
			p.messages, p.piece, p.last = p.messages[1:], 0, false
		}
		if len(p.messages) == 0 {
			return false
		}
		if p.body == nil {
			if p.body, p.err = p.messages[0].octets.Open(); p.err != nil {
				return false
			}
		}
		n, err := io.ReadFull(p.body, p.buf)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			p.err = err
			return false
		}
		p.last = err != nil
		// An empty message has one empty piece, so that every message has a row.
		if n > 0 || p.piece == 0 {
			p.n = n
			return true
		}
	}
}

// Values is the row of the piece that Next read.
func (p *pieces) Values() ([]any, error) {
	m := p.messages[0]
	p.piece++
	return []any{dayOf(m.id), uuid.UUID(m.id), int32(p.piece - 1), p.buf[:p.n]}, nil
}

// Err is what ended the feed early.
func (p *pieces) Err() error { return p.err }

func (p *pieces) close() {
	if p.body != nil {
		p.body.Close()
		p.body = nil
	}
}
