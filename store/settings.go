package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
)

var _ control.Store = (*Store)(nil)

// controlError says in the words of package control what went wrong.
func controlError(op string, err error) error {
	switch {
	case err == nil:
		return nil
	case notFound(err):
		return control.ErrNotFound
	case violates(err, "channel_name_key"):
		return control.ErrAlreadyExists
	case errors.Is(err, control.ErrNotFound), errors.Is(err, control.ErrConflict), errors.Is(err, control.ErrUnreadable), errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.DeadlineExceeded):
		// The deadline of a connection attempt is ours and says that the database does not answer.
		if _, connecting := errors.AsType[*pgconn.ConnectError](err); !connecting {
			return err
		}
	}
	err = wrap(op, err)
	if Unavailable(err) {
		return fmt.Errorf("%w: %w", control.ErrUnavailable, err)
	}
	return err
}

const auditSQL = `insert into audit (actor, action, resource, detail) values (@actor, @action, @resource, jsonb_build_object('text', @detail::text))`

func audit(ctx context.Context, tx pgx.Tx, a control.Audit) error {
	_, err := tx.Exec(ctx, auditSQL, pgx.NamedArgs{"actor": a.Actor, "action": a.Action, "resource": a.Resource, "detail": a.Detail})
	return err
}

func settingsArgs(s control.Settings) pgx.NamedArgs {
	labels, _ := json.Marshal(s.Labels) // a map of strings always marshals
	if s.Labels == nil {
		labels = []byte("{}")
	}
	return pgx.NamedArgs{"display_name": s.DisplayName, "email_address": s.EmailAddress, "enabled": s.Enabled, "description": s.Description,
		"labels": string(labels), "script": s.Script, "protocol": s.Protocol, "host": s.Host, "port": s.Port, "starttls": s.StartTLS,
		"tls_server_name": s.TLSServerName, "tls_ca_pem": s.TLSCAPEM, "username": s.Username, "folder": s.Folder, "poll_interval": s.PollInterval,
		"initial_sync": s.InitialSync, "initial_sync_time": timeOrNull(s.SyncSince), "settlement": s.Settlement, "max_message_bytes": s.MaxMessageBytes,
		"aliases": orEmpty(s.Aliases), "fallback_charset": s.FallbackCharset, "authserv_ids": orEmpty(s.AuthservIDs)}
}

// orEmpty is the array of a list; a nil slice would be NULL.
func orEmpty(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

// orNil is the list of an array: nil if it is empty.
func orNil(list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return list
}

const createSQL = `with c as (
  insert into channel (tenant, channel, display_name, email_address, enabled, description, labels, script, protocol, host, port, starttls,
    tls_server_name, tls_ca_pem, username, password, folder, poll_interval, initial_sync, initial_sync_time, settlement, max_message_bytes,
    aliases, fallback_charset, authserv_ids)
  values (@tenant, @channel, @display_name, @email_address, @enabled, @description, @labels::jsonb, @script, @protocol, @host, @port, @starttls,
    @tls_server_name, @tls_ca_pem, @username, @password, @folder, @poll_interval, @initial_sync, @initial_sync_time, @settlement, @max_message_bytes,
    @aliases, @fallback_charset, @authserv_ids)
  returning channel_id),
s as (insert into channel_state (channel_id) select channel_id from c)
insert into channel_status (channel_id, state) select channel_id, @pending from c`

// CreateChannel adds a channel.
func (s *Store) CreateChannel(ctx context.Context, n control.NewChannel, a control.Audit) (control.Channel, error) {
	args := settingsArgs(n.Settings)
	sealed, err := s.sealPassword(control.ChannelName(n.Tenant, n.Channel), n.Password)
	if err != nil {
		return control.Channel{}, err
	}
	args["tenant"], args["channel"], args["password"], args["pending"] = n.Tenant, n.Channel, sealed, ingest.StatePending
	var c control.Channel
	err = pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, createSQL, args); err != nil {
			return err
		}
		if err := audit(ctx, tx, a); err != nil {
			return err
		}
		c, err = readChannel(ctx, tx, n.Tenant, n.Channel)
		return err
	})
	return c, controlError("create channel", err)
}

func (s *Store) sealPassword(resource string, p ingest.Secret) ([]byte, error) {
	if p.IsZero() {
		return nil, nil
	}
	if s.sealer == nil {
		return nil, errNoSealer
	}
	return s.sealer.Seal(resource, "password", p)
}

const channelSQL = `select c.channel_id, c.uid::text, c.tenant, c.channel, c.display_name, c.email_address, c.enabled, c.description, c.labels, c.script,
  c.protocol, c.host, c.port, c.starttls, c.tls_server_name, c.tls_ca_pem, c.username, c.password is not null, c.folder, c.poll_interval,
  c.initial_sync, c.initial_sync_time, c.settlement, c.max_message_bytes, c.aliases, c.fallback_charset, c.authserv_ids, c.revision, c.create_time, c.update_time, c.delete_time,
  s.folder, s.uid_validity, s.floor_uid, s.last_uid, s.started, coalesce(s.owner::text, ''), s.next_seq,
  case when c.enabled and c.delete_time is null then h.state else @disabled end, h.reason, h.server_text, h.hint, h.detail, h.since,
  h.failures, h.auth_failures, h.last_attempt, h.last_success, h.next_attempt, h.backlog, h.visit,
  (select count(*) from ledger l where l.channel_id = c.channel_id and l.standing = 3),
  (select count(*) from ledger l where l.channel_id = c.channel_id and l.standing = 4)
from channel c join channel_state s using (channel_id) join channel_status h using (channel_id) `

func scanChannel(row pgx.CollectableRow) (c control.Channel, err error) {
	st, h := &c.Settings, &c.Health
	var syncSince, deleted, started, lastAttempt, lastSuccess, nextAttempt *time.Time
	var validity, floor, last int64
	var labels, visit []byte
	err = row.Scan(&c.ID, &c.UID, &c.Tenant, &c.Channel, &st.DisplayName, &st.EmailAddress, &st.Enabled, &st.Description, &labels, &st.Script,
		&st.Protocol, &st.Host, &st.Port, &st.StartTLS, &st.TLSServerName, &st.TLSCAPEM, &st.Username, &c.PasswordSet, &st.Folder, &st.PollInterval,
		&st.InitialSync, &syncSince, &st.Settlement, &st.MaxMessageBytes, &st.Aliases, &st.FallbackCharset, &st.AuthservIDs, &c.Revision, &c.Created, &c.Updated, &deleted,
		&c.Cursor.Folder, &validity, &floor, &last, &started, &c.Owner, &c.NextSequence,
		&h.State, &h.Reason, &h.ServerText, &h.Hint, &h.Detail, &h.Since,
		&h.Failures, &h.AuthFailures, &lastAttempt, &lastSuccess, &nextAttempt, &h.Backlog, &visit, &c.Deferred, &c.Quarantined)
	if err != nil {
		return c, err
	}
	c.Cursor.UIDValidity, c.Cursor.Floor, c.Cursor.LastUID = uint32(validity), uint32(floor), uint32(last)
	st.Aliases, st.AuthservIDs = orNil(st.Aliases), orNil(st.AuthservIDs)
	st.SyncSince, c.Deleted, c.Started = timeOf(syncSince), timeOf(deleted), timeOf(started)
	h.LastAttempt, h.LastSuccess, h.NextAttempt = timeOf(lastAttempt), timeOf(lastSuccess), timeOf(nextAttempt)
	return c, errors.Join(json.Unmarshal(labels, &st.Labels), json.Unmarshal(visit, &h.Visit))
}

type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

func readChannel(ctx context.Context, q querier, tenant, channel string) (control.Channel, error) {
	rows, err := q.Query(ctx, channelSQL+`where c.tenant = @tenant and c.channel = @channel`,
		pgx.NamedArgs{"tenant": tenant, "channel": channel, "disabled": ingest.StateDisabled})
	if err != nil {
		return control.Channel{}, err
	}
	return pgx.CollectExactlyOneRow(rows, scanChannel)
}

// Channel reads one channel.
func (s *Store) Channel(ctx context.Context, tenant, channel string) (control.Channel, error) {
	c, err := readChannel(ctx, s.pool, tenant, channel)
	return c, controlError("channel", err)
}

// Channels lists channels of a tenant by name.
func (s *Store) Channels(ctx context.Context, q control.ChannelQuery) ([]control.Channel, error) {
	sql := channelSQL + `where c.tenant = @tenant and (@deleted or c.delete_time is null)
  and (@after = '' or case when @desc then c.channel < @after else c.channel > @after end)
  and (cardinality(@states::smallint[]) = 0 or case when c.enabled and c.delete_time is null then h.state else @disabled end = any(@states))
order by c.channel ` + direction(q.Descending) + ` limit @limit`
	states := make([]int16, len(q.States))
	for i, st := range q.States {
		states[i] = int16(st)
	}
	rows, err := s.pool.Query(ctx, sql, pgx.NamedArgs{"tenant": q.Tenant, "deleted": q.ShowDeleted, "after": q.After, "desc": q.Descending,
		"states": states, "limit": q.Limit, "disabled": ingest.StateDisabled})
	if err != nil {
		return nil, controlError("channels", err)
	}
	list, err := pgx.CollectRows(rows, scanChannel)
	return list, controlError("channels", err)
}

func direction(desc bool) string {
	if desc {
		return "desc"
	}
	return "asc"
}

// What a person changed in order to mend a channel must take effect at once, so such a change forgets the failures.
const updateSQL = `with old as (select * from channel where channel_id = @id and revision = @revision for update),
c as (
  update channel set display_name = @display_name, email_address = @email_address, enabled = @enabled, description = @description,
    labels = @labels::jsonb, script = @script, protocol = @protocol, host = @host, port = @port, starttls = @starttls,
    tls_server_name = @tls_server_name, tls_ca_pem = @tls_ca_pem, username = @username,
    password = case when @keep_password then channel.password else @password end,
    folder = @folder, poll_interval = @poll_interval, initial_sync = @initial_sync, initial_sync_time = @initial_sync_time,
    settlement = @settlement, max_message_bytes = @max_message_bytes,
    aliases = @aliases, fallback_charset = @fallback_charset, authserv_ids = @authserv_ids,
    revision = channel.revision + 1, changed_at = now(), update_time = now()
  from old where channel.channel_id = old.channel_id
  returning channel.channel_id,
    not @keep_password or @enabled and not old.enabled or (old.protocol, old.host, old.port, old.starttls, old.tls_server_name, old.tls_ca_pem, old.username, old.folder)
      is distinct from (@protocol, @host, @port, @starttls, @tls_server_name, @tls_ca_pem, @username, @folder) as mended,
    channel.tenant, channel.channel),
h as (update channel_status h set state = @pending, reason = '', server_text = '', hint = '', detail = '', since = now(), failures = 0,
    auth_failures = 0, next_attempt = null from c where h.channel_id = c.channel_id and c.mended)
select tenant, channel from c`

// UpdateChannel replaces the settings of a channel.
func (s *Store) UpdateChannel(ctx context.Context, id ingest.ChannelID, revision int64, st control.Settings, password *ingest.Secret, a control.Audit) (control.Channel, error) {
	args := settingsArgs(st)
	args["id"], args["revision"], args["pending"] = id, revision, ingest.StatePending
	args["keep_password"], args["password"] = password == nil, []byte(nil)
	return s.change(ctx, "update channel", id, a, func(tx pgx.Tx) (tenant, channel string, err error) {
		if password != nil {
			if err := tx.QueryRow(ctx, `select tenant, channel from channel where channel_id = $1`, id).Scan(&tenant, &channel); err != nil {
				return "", "", err
			}
			sealed, err := s.sealPassword(control.ChannelName(tenant, channel), *password)
			if err != nil {
				return "", "", err
			}
			args["password"] = sealed
		}
		err = tx.QueryRow(ctx, updateSQL, args).Scan(&tenant, &channel)
		return tenant, channel, err
	})
}

// change runs one change of one channel with its audit entry, and tells a stale revision from a missing channel.
func (s *Store) change(ctx context.Context, op string, id ingest.ChannelID, a control.Audit, do func(pgx.Tx) (tenant, channel string, err error)) (control.Channel, error) {
	var c control.Channel
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		tenant, channel, err := do(tx)
		if notFound(err) {
			var there bool
			if err := tx.QueryRow(ctx, `select exists (select from channel where channel_id = $1)`, id).Scan(&there); err != nil {
				return err
			}
			if there {
				return control.ErrConflict
			}
		}
		if err != nil {
			return err
		}
		if err := audit(ctx, tx, a); err != nil {
			return err
		}
		c, err = readChannel(ctx, tx, tenant, channel)
		return err
	})
	return c, controlError(op, err)
}

const deleteSQL = `update channel set delete_time = case when @deleted then coalesce(delete_time, now()) end,
  revision = revision + 1, changed_at = now(), update_time = now()
where channel_id = @id and revision = @revision returning tenant, channel`

// DeleteChannel marks a channel as deleted.
func (s *Store) DeleteChannel(ctx context.Context, id ingest.ChannelID, revision int64, a control.Audit) (control.Channel, error) {
	return s.mark(ctx, "delete channel", id, revision, true, a)
}

// UndeleteChannel takes the mark away.
func (s *Store) UndeleteChannel(ctx context.Context, id ingest.ChannelID, revision int64, a control.Audit) (control.Channel, error) {
	return s.mark(ctx, "undelete channel", id, revision, false, a)
}

func (s *Store) mark(ctx context.Context, op string, id ingest.ChannelID, revision int64, deleted bool, a control.Audit) (control.Channel, error) {
	return s.change(ctx, op, id, a, func(tx pgx.Tx) (tenant, channel string, err error) {
		err = tx.QueryRow(ctx, deleteSQL, pgx.NamedArgs{"id": id, "revision": revision, "deleted": deleted}).Scan(&tenant, &channel)
		return tenant, channel, err
	})
}

// Password unseals a channel's password.
func (s *Store) Password(ctx context.Context, id ingest.ChannelID) (ingest.Secret, error) {
	var tenant, channel string
	var sealed []byte
	err := s.pool.QueryRow(ctx, `select tenant, channel, password from channel where channel_id = $1`, id).Scan(&tenant, &channel, &sealed)
	if err != nil {
		return ingest.Secret{}, controlError("password", err)
	}
	if sealed == nil {
		return ingest.Secret{}, nil
	}
	p, err := s.unseal(control.ChannelName(tenant, channel), sealed)
	if err != nil {
		return ingest.Secret{}, fmt.Errorf("%w: %w", control.ErrUnreadable, err)
	}
	return p, nil
}
