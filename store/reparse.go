package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
)

// A step parses for parseTime, in portions of parsePortion messages: that many texts are held in memory, and that many
// are parsed again if the process dies.
const (
	parseTime    = 5 * time.Second
	parsePortion = 20
)

// stepParse parses stored messages again, in the order of their sequences. How far it is and what it counted is written
// in the transaction that writes the messages, so that every message counts once whatever breaks.
func (j *Jobs) stepParse(ctx context.Context, r ingest.Replay) (done bool, err error) {
	s := j.Store
	if j.Parse == nil || j.Amended == nil {
		return true, s.endReplay(ctx, r, ingest.ReplayFailed, 0, 0, "this process cannot parse")
	}
	ch, err := s.parsedFor(ctx, r.ChannelID)
	if err != nil {
		return false, wrap("replay parse", err)
	}
	for until := time.Now().Add(parseTime); time.Now().Before(until); {
		// An amendment stands in line with the events of new mail and must not hold them up.
		var waiting int
		err := s.pool.QueryRow(ctx, `select count(*) from outbox where channel_id = $1`, r.ChannelID).Scan(&waiting)
		if err != nil || waiting >= replayAhead {
			return false, wrap("replay parse", err)
		}
		more, err := j.parsePortion(ctx, &r, ch)
		if err != nil {
			return false, wrap("replay parse", err)
		}
		if !more {
			return true, nil
		}
	}
	return false, nil
}

// parsedFor loads of a channel what the parser and the events need.
func (s *Store) parsedFor(ctx context.Context, id ingest.ChannelID) (*ingest.Channel, error) {
	c := &ingest.Channel{ID: id}
	err := s.pool.QueryRow(ctx, `select tenant, channel, email_address, aliases, script, protocol, fallback_charset, authserv_ids from channel where channel_id = $1`, id).
		Scan(&c.Tenant, &c.Channel, &c.Address, &c.Aliases, &c.Script, &c.Mailbox.Protocol, &c.FallbackCharset, &c.AuthservIDs)
	return c, err
}

// reading is one message before and after.
type reading struct {
	id       ingest.MessageID
	seq      int64
	parser   int
	thread   uuid.UUID // zero if it has none yet
	old, new *ingest.Mail
	octets   *storedOctets
	changes  []ingest.Change
	mark     *mark
}

// unchanged reports whether there is nothing to write down, not even what nobody sees.
func (p *reading) unchanged(version int) bool {
	return len(p.changes) == 0 && p.parser == version && p.old.Fingerprint == p.new.Fingerprint && p.old.Received.Equal(p.new.Received)
}

const parseRangeSQL = `m.channel_id = @channel and (@first::bigint = 0 or m.seq >= @first) and (@last::bigint = 0 or m.seq <= @last)
  and (@since::timestamptz is null or m.stored_at >= @since) and (@until::timestamptz is null or m.stored_at < @until)`

const readingsSQL = `select m.message_id, m.seq, m.parser_version, m.thread, m.mail, m.body_text, coalesce(m.reply_text, m.body_text), m.size, m.sha256, l.content
from message m left join ledger l on l.channel_id = m.channel_id and l.ref = m.ref
where ` + parseRangeSQL + ` and m.seq > (select position from replay where replay_id = @id) order by m.seq limit @limit`

func parseRange(r *ingest.Replay) pgx.NamedArgs {
	return pgx.NamedArgs{"id": r.ID, "channel": r.ChannelID, "first": r.Range.FirstSequence, "last": r.Range.LastSequence,
		"since": timeOrNull(r.Range.Since), "until": timeOrNull(r.Range.Until)}
}

func (j *Jobs) parsePortion(ctx context.Context, r *ingest.Replay, ch *ingest.Channel) (more bool, err error) {
	s := j.Store
	rows, err := s.pool.Query(ctx, readingsSQL, with(parseRange(r), pgx.NamedArgs{"limit": parsePortion}))
	if err != nil {
		return false, err
	}
	portion, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (*reading, error) {
		p := &reading{old: &ingest.Mail{}, octets: &storedOctets{ctx: ctx, store: s}}
		var id [16]byte
		var thread *uuid.UUID
		var mail, sum, content []byte
		var body, reply string
		err := row.Scan(&id, &p.seq, &p.parser, &thread, &mail, &body, &reply, &p.octets.size, &sum, &content)
		if err != nil {
			return nil, err
		}
		if thread != nil {
			p.thread = *thread
		}
		p.id, p.octets.id, p.octets.sum = id, id, ingest.Digest(sum)
		copy(p.octets.content[:], content)
		err = json.Unmarshal(mail, p.old)
		p.old.Text, p.old.ReplyText = body, reply
		return p, err
	})
	if err != nil {
		return false, err
	}
	for _, p := range portion {
		if err := j.parse(ctx, ch, p); err != nil {
			return false, err
		}
	}
	return j.record(ctx, r, ch, portion)
}

// parse reads a message again. A fault of the parser leaves the message as it is.
func (j *Jobs) parse(ctx context.Context, ch *ingest.Channel, p *reading) error {
	func() {
		defer func() {
			if fault := recover(); fault != nil {
				j.Log.Error("the parser broke down", "message", uuid.UUID(p.id), "fault", fault)
				p.new = nil
			}
		}()
		p.new = j.Parse(ctx, ch, p.octets)
	}()
	switch err := cmp.Or(p.octets.err, ctx.Err()); {
	case notFound(err): // octets are lost, which verify reports; there is nothing to parse
		p.new = nil
	case err != nil: // what cannot be read from the database now is no property of the message
		return fmt.Errorf("message %s: octets: %w", uuid.UUID(p.id), err)
	}
	if p.new == nil {
		return nil
	}
	mail := *p.new
	p.new = &mail
	keep(p.old, p.new)
	p.mark = markOf(ch, p.new)
	p.changes = ingest.Changes(p.old, p.new)
	return nil
}

// keep takes over what only the time of arrival could tell. Who was not to be answered then is not answered today:
// by now the message is history.
func keep(old, new *ingest.Mail) {
	if reflect.DeepEqual(new.Auth, ingest.Auth{}) {
		new.Auth = old.Auth
	}
	if !new.AutoReply.Allowed || old.AutoReply.Allowed {
		return
	}
	switch old.AutoReply.Reason {
	case reasonHistorical, reasonRateSender, reasonRateThread:
		new.AutoReply = old.AutoReply
	default:
		new.AutoReply = ingest.AutoReply{Reason: reasonHistorical}
	}
}

const lockReplaySQL = `select position, progress from replay where replay_id = @id and state = @running for update`

// The channel's events have one sequence, which its owner counts. Who holds the lock on channel_state counts it in the
// owner's place, and the event says so: it is written under the owner's epoch, or, where nobody owns the channel now, under
// that of the last owner. A commit of the owner waits meanwhile as a claimer does for a commit, and no octets are written
// or read under the lock.
const standInSQL = `select s.next_seq, now(), s.epoch,
  coalesce(s.owner, (select e.replica from event e where e.channel_id = s.channel_id and e.epoch = s.epoch order by e.seq desc limit 1),
    '00000000-0000-0000-0000-000000000000')::text
from channel_state s where s.channel_id = @channel for no key update`

const moveReplaySQL = `update replay set position = @position, progress = @progress::jsonb where replay_id = @id`

// record writes a portion down and reports whether there may be more. One that another process has recorded meanwhile, or
// that belongs to a replay which was cancelled, is dropped.
func (j *Jobs) record(ctx context.Context, r *ingest.Replay, ch *ingest.Channel, portion []*reading) (more bool, err error) {
	s := j.Store
	announced := 0
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		var position int64
		var doc []byte
		err := tx.QueryRow(ctx, lockReplaySQL, pgx.NamedArgs{"id": r.ID, "running": ingest.ReplayRunning}).Scan(&position, &doc)
		if notFound(err) {
			return nil // cancelled
		}
		if err != nil {
			return err
		}
		var progress ingest.Progress
		if err := json.Unmarshal(doc, &progress); err != nil {
			return err
		}
		if position == 0 && progress.Matched == 0 {
			if err := tx.QueryRow(ctx, `select count(*) from message m where `+parseRangeSQL, parseRange(r)).Scan(&progress.Matched); err != nil {
				return err
			}
		}
		if len(portion) > 0 && portion[0].seq <= position {
			more = true
			return nil
		}
		if len(portion) > 0 {
			if announced, err = j.amend(ctx, tx, r, ch, portion); err != nil {
				return err
			}
			count(&progress, ch, portion)
			position = portion[len(portion)-1].seq
		}
		if doc, err = json.Marshal(progress); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, moveReplaySQL, pgx.NamedArgs{"id": r.ID, "position": position, "progress": string(doc)}); err != nil {
			return err
		}
		if more = len(portion) == parsePortion; more {
			return nil
		}
		_, err = tx.Exec(ctx, endReplaySQL, pgx.NamedArgs{"id": r.ID, "state": ingest.ReplaySucceeded, "error": "", "matched": progress.Matched, "done": progress.Done,
			"running": ingest.ReplayRunning})
		return err
	})
	if err == nil && announced > 0 {
		s.signalRelay()
	}
	return more, err
}

// count adds a portion to the progress.
func count(progress *ingest.Progress, ch *ingest.Channel, portion []*reading) {
	for _, p := range portion {
		progress.Done++
		if p.new == nil {
			progress.Failed++
		}
		if len(p.changes) == 0 {
			continue
		}
		progress.Changed++
		if progress.Fields == nil {
			progress.Fields = map[string]int{}
		}
		for _, c := range p.changes {
			progress.Fields[c.Field]++
		}
		if len(progress.Examples) < ingest.MaxExamples {
			progress.Examples = append(progress.Examples, ingest.Example{Message: control.MessageName(ch.Tenant, ch.Channel, p.id), Fields: p.changes})
		}
	}
}

// amend finds threads for messages that have none yet, writes the new readings and announces those that differ. A dry
// run finds the threads and does no more.
func (j *Jobs) amend(ctx context.Context, tx pgx.Tx, r *ingest.Replay, ch *ingest.Channel, portion []*reading) (announced int, err error) {
	var next, epoch int64
	var at time.Time
	var owner string
	if !r.DryRun {
		if err := tx.QueryRow(ctx, standInSQL, pgx.NamedArgs{"channel": r.ChannelID}).Scan(&next, &at, &epoch, &owner); err != nil {
			return 0, err
		}
	}
	conv, items := newConversation(ch), make([]ingest.Item, len(portion))
	for i, p := range portion {
		if p.new != nil {
			// Whether it may be answered is decided already, so rates are not asked for.
			mail := *p.new
			mail.AutoReply = ingest.AutoReply{}
			conv.marks[i], items[i].Mail = p.mark, &mail
		}
	}
	questions := &pgx.Batch{}
	conv.ask(questions, items)
	if err := tx.SendBatch(ctx, questions).Close(); err != nil {
		return 0, err
	}
	for i, p := range portion {
		switch {
		case p.new == nil:
		case p.thread == uuid.Nil:
			conv.place(i, p.id, &items[i])
			p.changes = append(p.changes, ingest.Change{Field: "thread", New: conv.placed[i].thread.ID})
		default:
			conv.threads.amend(uuid.UUID(p.id), p.thread, p.mark)
		}
	}
	if err := conv.hints(ctx, tx); err != nil {
		return 0, err
	}
	if r.DryRun {
		return 0, nil
	}
	var m amendedRows
	var e eventRows
	for i, p := range portion {
		if p.new == nil || p.unchanged(j.Version) {
			continue
		}
		thread := ingest.Thread{ID: p.thread.String()}
		root := p.thread
		if placed := conv.placed[i]; placed != nil {
			thread, root = placed.thread, conv.threads.root(placed.root)
		}
		if err := m.add(p, thread, root); err != nil {
			return 0, err
		}
		if len(p.changes) == 0 {
			continue
		}
		a := ingest.Amendment{Channel: ch, ID: p.id, Sequence: next, At: at, Replay: r.ID, OldParser: p.parser, Parser: j.Version, Mail: p.new, Thread: thread}
		for _, c := range p.changes {
			a.Changed = append(a.Changed, c.Field)
		}
		typ, data, err := j.Amended(a)
		if err != nil {
			return 0, err
		}
		// An event about a message that is not its arrival bears an id of its own and names no message (invariant 2).
		e.add(next, newMessageID(at), uuid.Nil, typ, data)
		next++
	}
	batch := &pgx.Batch{}
	m.put(batch, j.Version)
	conv.put(batch)
	e.put(batch, r.ChannelID, pgx.NamedArgs{"channel": r.ChannelID, "epoch": epoch, "owner": owner, "at": at})
	batch.Queue(`update channel_state set next_seq = @next where channel_id = @channel`, pgx.NamedArgs{"channel": r.ChannelID, "next": next})
	return len(e.seqs), tx.SendBatch(ctx, batch).Close()
}

// A thread that another replay found meanwhile stays.
const amendSQL = `update message m set mail = t.mail, body_text = t.body, reply_text = t.reply, parser_version = @parser,
  identifier = t.own, parent = t.parent, fingerprint = t.print, sender = nullif(t.sender, ''), subject_key = nullif(t.subject, 0),
  thread = coalesce(m.thread, t.thread), threading = coalesce(m.threading, t.threading)
from unnest(@days::date[], @ids::uuid[], @mails::jsonb[], @bodies::text[], @replies::text[], @threads::uuid[], @threadings::jsonb[],
    @owns::uuid[], @parents::uuid[], @prints::uuid[], @senders::text[], @subjects::bigint[])
  as t(day, id, mail, body, reply, thread, threading, own, parent, print, sender, subject)
where m.day = t.day and m.message_id = t.id`

// amendedRows are new readings as columns.
type amendedRows struct{ messageRows }

func (m *amendedRows) add(p *reading, thread ingest.Thread, root uuid.UUID) error {
	it := ingest.Item{Mail: p.new, Octets: p.octets}
	return m.messageRows.add(ingest.Committed{ID: p.id, Item: &it, Thread: thread}, p.seq, p.mark, root)
}

func (m *amendedRows) put(batch *pgx.Batch, version int) {
	if len(m.ids) > 0 {
		args := m.args()
		args["parser"] = version
		batch.Queue(amendSQL, args)
	}
}
