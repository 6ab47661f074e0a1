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

// The day of a message follows from its id, so that one partition is looked at, not all. What it answers is looked up
// anew, because that may have come in, or may have been erased, since.
const messageColumns = `select c.tenant, c.channel, m.message_id, m.seq, m.ref, m.received_at, m.stored_at, m.size, m.sha256, m.mail,
  case when @text then m.body_text else left(m.body_text, 2000) end, case when @text then coalesce(m.reply_text, m.body_text) else '' end,
  m.parser_version, coalesce(m.thread::text, ''), m.threading, m.parent is not null, p.message_id, coalesce(p.erased, false),
  array(select 'tenants/' || c.tenant || '/emailChannels/' || o.channel || '/messages/' || i.message_id
    from identifier i join channel o using (channel_id)
    where i.key in (m.identifier, m.fingerprint) and i.channel_id <> m.channel_id and i.fingerprint = m.fingerprint and i.message_id is not null
    order by i.message_id limit @siblings)
from `

const messageJoins = ` join channel c using (channel_id)
left join identifier p on p.key = m.parent and p.channel_id = m.channel_id `

func scanMessage(text bool) pgx.RowToFunc[control.Message] {
	return func(row pgx.CollectableRow) (m control.Message, err error) {
		var id [16]byte
		var ref, body, reply, thread string
		var received *time.Time
		var sha, mail, threading []byte
		var answers, erased bool
		var parent *[16]byte
		if err = row.Scan(&m.Tenant, &m.Channel, &id, &m.Sequence, &ref, &received, &m.Stored, &m.Size, &sha, &mail, &body, &reply,
			&m.Parser, &thread, &threading, &answers, &parent, &erased, &m.Siblings); err != nil {
			return m, err
		}
		m.ID, m.Received, m.SHA256 = id, timeOf(received), ingest.Digest(sha)
		m.EventID = uuid.UUID(id).String() // the arrival event bears the message's id
		m.Stored = m.Stored.UTC()
		if m.Ref, err = ingest.ParseRef(ref); err != nil {
			return m, err
		}
		if err = json.Unmarshal(mail, &m.Mail); err != nil {
			return m, err
		}
		m.Preview = ingest.Preview(body)
		if text {
			m.Mail.Text, m.Mail.ReplyText = body, reply
		}
		m.Siblings = orNil(m.Siblings)
		if thread == "" {
			return m, nil
		}
		if err = json.Unmarshal(threading, &m.Thread); err != nil {
			return m, err
		}
		m.Thread.ID, m.Thread.ParentMissing, m.Thread.ParentErased = thread, answers && parent == nil, erased
		if parent != nil {
			m.Thread.Parent = *parent
		}
		return m, nil
	}
}

// Message reads one message with its text.
func (s *Store) Message(ctx context.Context, tenant, channel string, id ingest.MessageID) (control.Message, error) {
	rows, err := s.pool.Query(ctx, messageColumns+`message m`+messageJoins+`where m.day = @day and m.message_id = @id and c.tenant = @tenant and c.channel = @channel`,
		pgx.NamedArgs{"day": dayOf(id), "id": uuid.UUID(id), "tenant": tenant, "channel": channel, "text": true, "siblings": ingest.MaxSiblings})
	if err != nil {
		return control.Message{}, controlError("message", err)
	}
	m, err := pgx.CollectExactlyOneRow(rows, scanMessage(true))
	return m, controlError("message", err)
}

// The messages of a channel with one Message-ID. What was stored before there were threads has no key. They are found
// first, and each is looked up by its whole key: left to choose, the planner reads all messages of the channel.
const namedSQL = `with c as (select channel_id from channel where tenant = @tenant and channel = @channel),
named as materialized (
  select day, message_id from message where channel_id = (select channel_id from c) and identifier = @identifier
  union all
  select day, message_id from message where channel_id = (select channel_id from c) and thread is null and mail->>'MessageID' = @msgid)
`

// Messages lists messages of one channel by sequence. The channel must exist: control looks it up first.
func (s *Store) Messages(ctx context.Context, q control.MessageQuery) ([]control.Message, error) {
	from, before := `message m`, ""
	if q.MessageID != "" {
		before, from = namedSQL, `named n cross join lateral (select * from message where day = n.day and message_id = n.message_id limit 1) m`
	}
	sql := before + messageColumns + from + messageJoins + `where m.channel_id = (select channel_id from channel where tenant = @tenant and channel = @channel)
  and (@after::bigint = 0 or case when @desc then m.seq < @after else m.seq > @after end)
  and (@since::timestamptz is null or m.received_at >= @since) and (@until::timestamptz is null or m.received_at < @until)
  and (@class = '' or m.mail->>'Class' = @class)
`
	args := pgx.NamedArgs{"tenant": q.Tenant, "channel": q.Channel, "after": q.After, "desc": q.Descending, "since": timeOrNull(q.Since),
		"until": timeOrNull(q.Until), "class": q.Class, "limit": q.Limit, "text": q.Text, "siblings": ingest.MaxSiblings}
	if q.MessageID != "" {
		args["msgid"], args["identifier"] = q.MessageID, messageKey(q.Tenant, q.MessageID)
	}
	if q.Thread != "" {
		id, err := uuid.Parse(q.Thread)
		if err != nil {
			return nil, nil // there is no such thread
		}
		// A thread is named after the message that it began with. Where that one was merged into another thread, it tells which.
		sql += `  and m.thread = coalesce((select t.thread from message t where t.day = @thread_day and t.message_id = @thread
    and t.channel_id = (select channel_id from channel where tenant = @tenant and channel = @channel)), @thread)
`
		args["thread"], args["thread_day"] = id, dayOf(ingest.MessageID(id))
	}
	sql += `order by m.seq ` + direction(q.Descending) + ` limit @limit`
	rows, err := s.pool.Query(ctx, sql, args)
	if err != nil {
		return nil, controlError("messages", err)
	}
	list, err := pgx.CollectRows(rows, scanMessage(q.Text))
	return list, controlError("messages", err)
}

const readRawSQL = `select r.piece, r.octets from raw r
where r.day = @day and r.message_id = @id and r.piece between @first::bigint and @last::bigint
  and exists (select from message m join channel c using (channel_id) where m.day = @day and m.message_id = @id and c.tenant = @tenant and c.channel = @channel)
order by r.piece`

// ReadRaw reads a part of the octets of a message.
func (s *Store) ReadRaw(ctx context.Context, tenant, channel string, id ingest.MessageID, offset int64, limit int) ([]byte, error) {
	first := offset / pieceSize
	last := first + (offset%pieceSize+int64(limit)-1)/pieceSize
	rows, err := s.pool.Query(ctx, readRawSQL, pgx.NamedArgs{"day": dayOf(id), "id": uuid.UUID(id), "first": first, "last": last,
		"tenant": tenant, "channel": channel})
	if err != nil {
		return nil, controlError("read raw", err)
	}
	var out []byte
	found := false
	var piece int64
	var octets []byte
	_, err = pgx.ForEachRow(rows, []any{&piece, &octets}, func() error {
		found = true
		if piece == first {
			octets = octets[min(int64(len(octets)), offset-first*pieceSize):]
		}
		out = append(out, octets[:min(len(octets), limit-len(out))]...)
		return nil
	})
	if err == nil && !found {
		// Either behind the end, or there is no such message.
		_, err = s.Message(ctx, tenant, channel, id)
		return nil, err
	}
	return out, controlError("read raw", err)
}
