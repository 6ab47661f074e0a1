package store

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/ingest"
)

// conversation is what a batch has to know about the messages that came before, and what is decided with it: threads,
// siblings, and whether an answer without a person may still be sent. It belongs to the channel's writer, who holds the
// lock on its channel_state.
type conversation struct {
	channel *ingest.Channel
	marks   map[int]*mark // by item, of those that are to be stored
	threads threads

	senders  map[string]int   // messages of the last minutes by sender; at most rateLimit of them come from the database
	siblings map[int][]string // by item
	subjects map[int64][]talk // earlier messages of the batch by subject
	placed   map[int]*placed
	unsure   []int // items for which the database is asked for a hint
}

// placed is what was decided about one message.
type placed struct {
	thread   ingest.Thread
	root     uuid.UUID
	auto     ingest.AutoReply
	siblings []string
}

// talk is a message of which a later one may be an answer by its subject.
type talk struct {
	thread uuid.UUID
	people []string
}

func newConversation(ch *ingest.Channel) *conversation {
	return &conversation{channel: ch, marks: map[int]*mark{},
		threads: threads{known: map[uuid.UUID]*identifier{}, joined: map[uuid.UUID]uuid.UUID{}, recent: map[uuid.UUID]int{}},
		senders: map[string]int{}, siblings: map[int][]string{}, subjects: map[int64][]talk{}, placed: map[int]*placed{}}
}

// Each key is looked up by the whole primary key. A plain join leaves the planner the choice of reading the table, and
// a table that grows fast has no statistics to tell it better.
const identifiersSQL = `select i.key, i.thread, i.message_id, i.fingerprint, i.sent, i.erased from unnest(@keys::uuid[]) k(key)
cross join lateral (select * from identifier where key = k.key and channel_id = @channel limit 1) i`

const siblingsSQL = `select s.n, i.name from unnest(@ns::integer[], @owns::uuid[], @prints::uuid[]) s(n, own, print)
cross join lateral (select 'tenants/' || c.tenant || '/emailChannels/' || c.channel || '/messages/' || f.message_id name
  from identifier f join channel c using (channel_id)
  where f.key in (s.own, s.print) and f.channel_id <> @channel and f.fingerprint = s.print and f.message_id is not null
  order by f.message_id limit @limit) i
order by s.n`

// Nobody sends so many mails in so short a time that deserve an answer each: two programs that answer each other do. When
// they change their addresses it shows in the thread (RFC 3834 §2).
const (
	rateLimit  = 5
	rateWindow = 10 * time.Minute
)

const sendersSQL = `select s.sender, (select count(*) from (select m.stored_at from message m
    where m.day >= @day and m.channel_id = @channel and m.sender = s.sender order by m.seq desc limit @limit) x
  where x.stored_at > now() - @window::interval)
from unnest(@senders::text[]) s(sender)`

const recentSQL = `select t.thread, (select count(*) from (select m.stored_at from message m
    where m.day >= @day and m.channel_id = @channel and m.thread = t.thread order by m.seq desc limit @limit) x
  where x.stored_at > now() - @window::interval)
from (select distinct i.thread from unnest(@keys::uuid[]) k(key)
  cross join lateral (select thread from identifier where key = k.key and channel_id = @channel limit 1) i) t`

// ask queues the questions about the messages, to be answered before the first is placed.
func (c *conversation) ask(batch *pgx.Batch, items []ingest.Item) {
	var keys, owns, prints, rated []uuid.UUID
	var ns []int32
	var senders []string
	for i := range items {
		m := c.marks[i]
		if m == nil {
			continue
		}
		own := append(append(append([]uuid.UUID{}, m.references...), m.answers...), m.own, m.print)
		own = slices.DeleteFunc(own, func(key uuid.UUID) bool { return key == uuid.Nil })
		keys = append(keys, own...)
		if m.print != uuid.Nil {
			ns, owns, prints = append(ns, int32(i)), append(owns, m.own), append(prints, m.print)
		}
		if items[i].Mail.AutoReply.Allowed && !c.historical(&items[i]) {
			rated = append(rated, own...)
			senders = append(senders, m.sender)
		}
	}
	base := pgx.NamedArgs{"channel": c.channel.ID, "day": time.Now().UTC().AddDate(0, 0, -1), "limit": rateLimit, "window": rateWindow}
	if keys = unique(keys); len(keys) > 0 {
		batch.Queue(identifiersSQL, with(base, pgx.NamedArgs{"keys": uuidsOf(keys)})).Query(c.learn)
	}
	if len(ns) > 0 {
		batch.Queue(siblingsSQL, with(base, pgx.NamedArgs{"ns": ns, "owns": uuidsOf(owns), "prints": uuidsOf(prints), "limit": ingest.MaxSiblings})).Query(func(rows pgx.Rows) error {
			var n int
			var name string
			_, err := pgx.ForEachRow(rows, []any{&n, &name}, func() error { c.siblings[n] = append(c.siblings[n], name); return nil })
			return err
		})
	}
	if slices.Sort(senders); len(senders) > 0 {
		batch.Queue(sendersSQL, with(base, pgx.NamedArgs{"senders": slices.Compact(senders)})).Query(func(rows pgx.Rows) error {
			var sender string
			var n int
			_, err := pgx.ForEachRow(rows, []any{&sender, &n}, func() error { c.senders[sender] = n; return nil })
			return err
		})
		batch.Queue(recentSQL, with(base, pgx.NamedArgs{"keys": uuidsOf(unique(rated))})).Query(func(rows pgx.Rows) error {
			var thread uuid.UUID
			var n int
			_, err := pgx.ForEachRow(rows, []any{&thread, &n}, func() error { c.threads.recent[thread] = n; return nil })
			return err
		})
	}
}

// unique sorts keys, so that they are looked up, and written, in the order of the index.
func unique(keys []uuid.UUID) []uuid.UUID {
	slices.SortFunc(keys, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(keys)
}

func (c *conversation) learn(rows pgx.Rows) error {
	var key uuid.UUID
	var row identifier
	var message, print *uuid.UUID
	var sent *time.Time
	_, err := pgx.ForEachRow(rows, []any{&key, &row.thread, &message, &print, &sent, &row.erased}, func() error {
		r := row
		if message != nil {
			r.message = *message
		}
		if print != nil {
			r.print = *print
		}
		r.sent = timeOf(sent)
		c.threads.known[key] = &r
		return nil
	})
	return err
}

// place decides about one message. Messages are placed in the order of their sequences.
func (c *conversation) place(i int, id ingest.MessageID, it *ingest.Item) {
	m := c.marks[i]
	th := c.threads.place(uuid.UUID(id), m)
	root := uuid.MustParse(th.ID)
	p := &placed{thread: th, root: root, auto: it.Mail.AutoReply, siblings: c.siblings[i]}
	c.placed[i] = p
	switch {
	case !p.auto.Allowed:
	case c.historical(it):
		p.auto = ingest.AutoReply{Reason: reasonHistorical}
	case m.sender != "" && c.senders[m.sender] >= rateLimit:
		p.auto = ingest.AutoReply{Reason: reasonRateSender}
	case c.threads.recent[root] >= rateLimit:
		p.auto = ingest.AutoReply{Reason: reasonRateThread}
	}
	c.senders[m.sender]++
	c.threads.recent[root]++
	if th.Method == methodNew && m.reply {
		p.thread.Hint = c.hint(m)
		if p.thread.Hint == "" {
			c.unsure = append(c.unsure, i)
		}
	}
	if m.subject != 0 {
		c.subjects[m.subject] = append(c.subjects[m.subject], talk{root, m.people})
	}
}

// Why an answer that the parser would allow may not be sent after all; they join the codes of the class.
const (
	reasonHistorical = "HISTORICAL"
	reasonRateSender = "RATE_SENDER"
	reasonRateThread = "RATE_THREAD"
)

// historical reports whether a message lay in the mailbox before the channel began. While the initial sync goes on,
// nobody can tell, and mail that is answered years late does more harm than one answer that is missing.
func (c *conversation) historical(it *ingest.Item) bool {
	received := it.Received
	if received.IsZero() {
		received = it.Mail.Received
	}
	ch := c.channel
	return ch.Started.IsZero() || !ch.Baseline.IsZero() && !received.IsZero() && received.Before(ch.Baseline)
}

// hint finds the last message of the batch with the same subject and a correspondent in common.
func (c *conversation) hint(m *mark) string {
	for _, t := range slices.Backward(c.subjects[m.subject]) {
		if slices.ContainsFunc(t.people, func(p string) bool { return slices.Contains(m.people, p) }) {
			return c.threads.root(t.thread).String()
		}
	}
	return ""
}

const hintSQL = `select h.n, x.thread from unnest(@ns::integer[], @subjects::bigint[], @people::jsonb[]) h(n, subject, people)
cross join lateral (
  select y.thread from (
    select m.seq, m.thread, m.mail from message m
    where m.day >= @day and m.channel_id = @channel and m.subject_key = h.subject and m.stored_at > now() - @window::interval
    order by m.seq desc limit 20) y
  where exists (select from jsonb_array_elements((y.mail->'From') || (y.mail->'To') || (y.mail->'Cc')) a where h.people ? lower(a->>'email'))
  order by y.seq desc limit 1) x`

// hintWindow is how far back a subject is looked for.
const hintWindow = 30 * 24 * time.Hour

// hints asks for threads with the same subject for messages that name none, where that can make a difference.
func (c *conversation) hints(ctx context.Context, tx pgx.Tx) error {
	var ns []int32
	var subjects []int64
	var people []string
	for _, i := range c.unsure {
		m := c.marks[i]
		doc, err := json.Marshal(m.people)
		if err != nil {
			return err
		}
		if len(m.people) > 0 {
			ns, subjects, people = append(ns, int32(i)), append(subjects, m.subject), append(people, string(doc))
		}
	}
	if len(ns) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, hintSQL, pgx.NamedArgs{"ns": ns, "subjects": subjects, "people": people, "channel": c.channel.ID,
		"day": time.Now().UTC().Add(-hintWindow).AddDate(0, 0, -1), "window": hintWindow})
	if err != nil {
		return fmt.Errorf("hints: %w", err)
	}
	var n int
	var thread uuid.UUID
	_, err = pgx.ForEachRow(rows, []any{&n, &thread}, func() error {
		c.placed[n].thread.Hint = c.threads.root(thread).String()
		return nil
	})
	return err
}

// threading is what is kept of a thread with its message. The rest is looked up, because it changes.
type threading struct {
	Method     string
	Confidence int
	Merged     []string `json:",omitempty"`
	Hint       string   `json:",omitempty"`
	Reused     bool     `json:",omitempty"`
}

func threadingOf(th ingest.Thread) threading {
	return threading{Method: th.Method, Confidence: th.Confidence, Merged: th.Merged, Hint: th.Hint, Reused: th.Reused}
}

// Only the channel's writer changes its rows, so there is nobody to lose a race against.
const putIdentifiersSQL = `insert into identifier (key, channel_id, thread, message_id, fingerprint, sent)
select key, @channel, thread, message, print, sent from unnest(@keys::uuid[], @threads::uuid[], @messages::uuid[], @prints::uuid[], @sents::timestamptz[])
  as t(key, thread, message, print, sent)
on conflict (key, channel_id) do update set thread = excluded.thread, message_id = excluded.message_id, fingerprint = excluded.fingerprint,
  sent = excluded.sent, erased = false`

const joinIdentifiersSQL = `update identifier i set thread = j.root from unnest(@threads::uuid[], @roots::uuid[]) j(thread, root)
where i.channel_id = @channel and i.thread = j.thread`

const joinMessagesSQL = `update message m set thread = j.root from unnest(@threads::uuid[], @roots::uuid[]) j(thread, root)
where m.channel_id = @channel and m.thread = j.thread`

// put queues what is to be remembered. The threads that were joined go last, when everything that bears their ids is written.
func (c *conversation) put(batch *pgx.Batch) {
	t := &c.threads
	if keys := unique(t.written); len(keys) > 0 {
		var threads, messages, prints uuids
		var sents []*time.Time
		for _, key := range keys {
			r := t.known[key]
			threads, messages, prints = append(threads, nullable(t.root(r.thread))), append(messages, nullable(r.message)), append(prints, nullable(r.print))
			sents = append(sents, timeOrNull(r.sent))
		}
		batch.Queue(putIdentifiersSQL, pgx.NamedArgs{"channel": c.channel.ID, "keys": uuidsOf(keys), "threads": threads, "messages": messages, "prints": prints, "sents": sents})
	}
	if len(t.joined) > 0 {
		var threads, roots uuids
		for thread := range t.joined {
			threads, roots = append(threads, nullable(thread)), append(roots, nullable(t.root(thread)))
		}
		args := pgx.NamedArgs{"channel": c.channel.ID, "threads": threads, "roots": roots}
		batch.Queue(joinIdentifiersSQL, args)
		batch.Queue(joinMessagesSQL, args)
	}
}
