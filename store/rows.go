package store

import (
	"encoding/json"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/ingest"
)

const messageSQL = `insert into message (day, message_id, channel_id, seq, epoch, replica, ref, received_at, stored_at, size, sha256, parser_version, mail, body_text,
  reply_text, thread, threading, identifier, parent, fingerprint, sender, subject_key)
select day, id, @channel, seq, @epoch, @owner, ref, received, @at, size, sha, @parser, mail, body,
  reply, thread, threading, own, parent, print, nullif(sender, ''), nullif(subject, 0)
from unnest(@days::date[], @ids::uuid[], @seqs::bigint[], @refs::text[], @received::timestamptz[], @sizes::bigint[], @shas::bytea[], @mails::jsonb[], @bodies::text[],
    @replies::text[], @threads::uuid[], @threadings::jsonb[], @owns::uuid[], @parents::uuid[], @prints::uuid[], @senders::text[], @subjects::bigint[])
  as t(day, id, seq, ref, received, size, sha, mail, body, reply, thread, threading, own, parent, print, sender, subject)`

// messageRows are messages as columns.
type messageRows struct {
	days                         []time.Time
	ids, threads                 uuids
	seqs, sizes, subjects        []int64
	refs, bodies, senders        []string
	received                     []*time.Time
	shas                         [][]byte
	mails, threadings            []string
	replies                      []*string
	identifiers, parents, prints uuids
	parser                       int
}

func (m *messageRows) add(c ingest.Committed, seq int64, k *mark, thread uuid.UUID) error {
	it := c.Item
	mail, body, reply, err := document(it.Mail)
	if err != nil {
		return err
	}
	how, err := json.Marshal(threadingOf(c.Thread))
	if err != nil {
		return err
	}
	sum := it.Octets.SHA256()
	m.parser = it.Parser
	m.days, m.ids, m.seqs = append(m.days, dayOf(c.ID)), append(m.ids, nullable(uuid.UUID(c.ID))), append(m.seqs, seq)
	m.refs, m.received = append(m.refs, it.Ref.String()), append(m.received, timeOrNull(it.Received))
	m.sizes, m.shas = append(m.sizes, it.Octets.Size()), append(m.shas, sum[:])
	m.mails, m.bodies, m.replies = append(m.mails, mail), append(m.bodies, body), append(m.replies, reply)
	m.threads, m.threadings = append(m.threads, nullable(thread)), append(m.threadings, string(how))
	m.identifiers, m.parents, m.prints = append(m.identifiers, nullable(k.own)), append(m.parents, nullable(k.parent)), append(m.prints, nullable(k.print))
	m.senders, m.subjects = append(m.senders, k.sender), append(m.subjects, k.subject)
	return nil
}

func (m *messageRows) args() pgx.NamedArgs {
	return pgx.NamedArgs{"parser": m.parser, "days": m.days, "ids": m.ids, "seqs": m.seqs, "refs": m.refs, "received": m.received, "sizes": m.sizes,
		"shas": m.shas, "mails": m.mails, "bodies": m.bodies, "replies": m.replies, "threads": m.threads, "threadings": m.threadings,
		"owns": m.identifiers, "parents": m.parents, "prints": m.prints, "senders": m.senders, "subjects": m.subjects}
}

// document is a mail as it is stored: without its texts, which have columns of their own. reply is nil where it is the
// whole body.
func document(m *ingest.Mail) (mail, body string, reply *string, err error) {
	bare := *m
	bare.Text, bare.ReplyText = "", ""
	doc, err := json.Marshal(&bare)
	if m.ReplyText != "" && m.ReplyText != m.Text {
		reply = &m.ReplyText
	}
	return string(doc), m.Text, reply, err
}

const eventSQL = `insert into event (day, channel_id, seq, event_id, message_id, type, at, epoch, replica, data)
select day, @channel, seq, event, message, type, @at, @epoch, @owner, data
from unnest(@days::date[], @seqs::bigint[], @events::uuid[], @messages::uuid[], @types::text[], @datas::text[])
  as t(day, seq, event, message, type, data)`

const outboxSQL = `insert into outbox (bucket, channel_id, day, seq)
select @bucket, @channel, day, seq from unnest(@days::date[], @seqs::bigint[]) with ordinality as t(day, seq, n) order by n`

// eventRows are events of one channel as columns.
type eventRows struct {
	days     []time.Time
	seqs     []int64
	events   uuids
	messages uuids // of arrival events
	types    []string
	datas    []string
}

func (e *eventRows) add(seq int64, event ingest.MessageID, message uuid.UUID, typ string, data []byte) {
	e.days, e.seqs, e.events = append(e.days, dayOf(event)), append(e.seqs, seq), append(e.events, nullable(uuid.UUID(event)))
	e.messages, e.types, e.datas = append(e.messages, nullable(message)), append(e.types, typ), append(e.datas, string(data))
}

// put queues the events, and that they are to be published. base has channel, epoch, owner and at.
func (e *eventRows) put(batch *pgx.Batch, ch ingest.ChannelID, base pgx.NamedArgs) {
	if len(e.seqs) == 0 {
		return
	}
	batch.Queue(eventSQL, with(base, pgx.NamedArgs{"days": e.days, "seqs": e.seqs, "events": e.events, "messages": e.messages, "types": e.types, "datas": e.datas}))
	batch.Queue(outboxSQL, pgx.NamedArgs{"bucket": bucketOf(ch), "channel": ch, "days": e.days, "seqs": e.seqs})
}
