package store

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/ingest"
)

// What a poller needs of a channel. revision + wake rises with every change and every request to look now.
const pollSQL = `select c.channel_id, c.tenant, c.channel, c.email_address, c.script, c.enabled, c.revision + c.wake,
  c.protocol, c.host, c.port, c.starttls, c.tls_server_name, c.tls_ca_pem, c.username, c.password, c.folder,
  c.poll_interval, c.initial_sync, c.initial_sync_time, c.settlement, c.max_message_bytes,
  c.aliases, c.fallback_charset, c.authserv_ids,
  s.epoch, s.folder, s.uid_validity, s.floor_uid, s.last_uid, s.started, s.baseline,
  h.state, h.reason, h.server_text, h.hint, h.detail, h.since, h.failures, h.auth_failures, h.last_attempt, h.last_success, h.next_attempt, h.backlog,
  (select coalesce(jsonb_agg(jsonb_build_object('id', r.replay_id, 'dry_run', r.dry_run, 'first_uid', r.first_uid, 'last_uid', r.last_uid,
     'since', r.since, 'until', r.until) order by r.create_time), '[]')
   from replay r where r.channel_id = c.channel_id and r.kind = 1 and r.state = 2)
from channel c join channel_state s using (channel_id) join channel_status h using (channel_id)
where s.owner = @owner and c.enabled and c.delete_time is null`

// Polled loads the channels among ids that the replica owns, with their credentials.
func (s *Store) Polled(ctx context.Context, owner ingest.ReplicaID, ids []ingest.ChannelID) ([]*ingest.Channel, error) {
	return s.polled(ctx, "polled", pollSQL+` and c.channel_id = any(@ids)`, pgx.NamedArgs{"owner": owner, "ids": ids})
}

// Changed tells the revisions of the channels that the replica owns and that were changed or asked for within the window.
func (s *Store) Changed(ctx context.Context, owner ingest.ReplicaID, window time.Duration) (map[ingest.ChannelID]int64, error) {
	rows, err := s.pool.Query(ctx, `select c.channel_id, c.revision + c.wake from channel c join channel_state s using (channel_id)
where s.owner = $1 and c.changed_at > now() - $2::interval`, owner, window)
	if err != nil {
		return nil, wrap("changed", err)
	}
	changed := map[ingest.ChannelID]int64{}
	var id ingest.ChannelID
	var revision int64
	_, err = pgx.ForEachRow(rows, []any{&id, &revision}, func() error {
		changed[id] = revision
		return nil
	})
	return changed, wrap("changed", err)
}

func (s *Store) polled(ctx context.Context, op, sql string, args pgx.NamedArgs) ([]*ingest.Channel, error) {
	rows, err := s.pool.Query(ctx, sql, args)
	if err != nil {
		return nil, wrap(op, err)
	}
	chs, err := pgx.CollectRows(rows, s.scanPolled)
	return chs, wrap(op, err)
}

func (s *Store) scanPolled(row pgx.CollectableRow) (*ingest.Channel, error) {
	c := &ingest.Channel{}
	m, h, cur := &c.Mailbox, &c.Health, &c.Cursor
	var caPEM string
	var password, fetches []byte
	var validity, floor, last int64
	var syncSince, started, baseline, lastAttempt, lastSuccess, nextAttempt *time.Time
	err := row.Scan(&c.ID, &c.Tenant, &c.Channel, &c.Address, &c.Script, &c.Enabled, &c.Revision,
		&m.Protocol, &m.Host, &m.Port, &m.StartTLS, &m.TLSServerName, &caPEM, &m.Username, &password, &m.Folder,
		&m.PollInterval, &m.InitialSync, &syncSince, &m.Settlement, &m.MaxMessageBytes,
		&c.Aliases, &c.FallbackCharset, &c.AuthservIDs,
		&c.Epoch, &cur.Folder, &validity, &floor, &last, &started, &baseline,
		&h.State, &h.Reason, &h.ServerText, &h.Hint, &h.Detail, &h.Since, &h.Failures, &h.AuthFailures, &lastAttempt, &lastSuccess, &nextAttempt, &h.Backlog,
		&fetches)
	if err != nil {
		return nil, err
	}
	c.Aliases, c.AuthservIDs = orNil(c.Aliases), orNil(c.AuthservIDs)
	cur.UIDValidity, cur.Floor, cur.LastUID = uint32(validity), uint32(floor), uint32(last)
	m.SyncSince, c.Started, c.Baseline = timeOf(syncSince), timeOf(started), timeOf(baseline)
	h.LastAttempt, h.LastSuccess, h.NextAttempt = timeOf(lastAttempt), timeOf(lastSuccess), timeOf(nextAttempt)
	if m.Port == 0 {
		m.Port = m.Protocol.DefaultPort()
	}
	if m.Protocol.IsIMAP() && m.Folder == "" {
		m.Folder = "INBOX"
	}
	if caPEM != "" {
		m.TLSRoots = x509.NewCertPool()
		m.TLSRoots.AppendCertsFromPEM([]byte(caPEM))
	}
	if c.Fetches, err = fetchesOf(fetches); err != nil {
		return nil, err
	}
	if password != nil {
		// A credential that cannot be read is this channel's trouble alone and must not stop the others from loading.
		if m.Password, err = s.unseal(c.Name(), password); err != nil {
			c.BadCredential = err
		}
	}
	return c, nil
}

func (s *Store) unseal(resource string, sealed []byte) (ingest.Secret, error) {
	if s.sealer == nil {
		return ingest.Secret{}, errors.New("no keyset is configured")
	}
	return s.sealer.Unseal(resource, "password", sealed)
}

func fetchesOf(doc []byte) ([]ingest.Fetch, error) {
	var list []struct {
		ID       string     `json:"id"`
		DryRun   bool       `json:"dry_run"`
		FirstUID uint32     `json:"first_uid"`
		LastUID  uint32     `json:"last_uid"`
		Since    *time.Time `json:"since"`
		Until    *time.Time `json:"until"`
	}
	if err := json.Unmarshal(doc, &list); err != nil {
		return nil, err
	}
	var out []ingest.Fetch
	for _, f := range list {
		out = append(out, ingest.Fetch{ID: f.ID, DryRun: f.DryRun, Range: ingest.Range{
			FirstUID: f.FirstUID, LastUID: f.LastUID, Since: timeOf(f.Since), Until: timeOf(f.Until)}})
	}
	return out, nil
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// A visit that ended while the administrator changed the channel must not overwrite what the change reset, so a
// report counts only for the revision that it was made with.
const healthSQL = `update channel_status h set state = @state, reason = @reason, server_text = @server, hint = @hint, detail = @detail,
  since = case when h.state = @state and h.reason = @reason then h.since else now() end,
  failures = @failures, auth_failures = @auths, last_attempt = @attempt, last_success = coalesce(@success, h.last_success), next_attempt = @next,
  backlog = @backlog, visit = case when @visit::jsonb is null then h.visit else @visit::jsonb end
from channel c join channel_state s using (channel_id)
where h.channel_id = @channel and c.channel_id = @channel and c.revision + c.wake = @revision and s.owner = @owner and s.epoch = @epoch`

// SaveHealth records what a visit found. It is dropped silently if the channel was changed or changed hands meanwhile:
// another visit follows.
func (s *Store) SaveHealth(ctx context.Context, own ingest.Ownership, revision int64, h ingest.Health) error {
	var visit *string
	if h.Visit != (ingest.Counts{}) {
		doc, err := json.Marshal(h.Visit)
		if err != nil {
			return err
		}
		v := string(doc)
		visit = &v
	}
	_, err := s.pool.Exec(ctx, healthSQL, pgx.NamedArgs{"channel": own.Channel, "owner": own.Replica, "epoch": own.Epoch, "revision": revision,
		"state": h.State, "reason": h.Reason, "server": h.ServerText, "hint": h.Hint, "detail": h.Detail, "failures": h.Failures, "auths": h.AuthFailures,
		"attempt": timeOrNull(h.LastAttempt), "success": timeOrNull(h.LastSuccess), "next": timeOrNull(h.NextAttempt), "backlog": h.Backlog, "visit": visit})
	return wrap("save health", err)
}

// Channels that look healthy although nothing has come of them for too long: max(3 intervals, 5 minutes). The extra
// minute is how late a last success may be written down. A retry begins the wait anew, by since.
const stalledSQL = `update channel_status h set state = @stalled, since = now(), reason = 'STALLED', server_text = '',
  detail = 'no successful visit since ' || coalesce(to_char(h.last_success, 'YYYY-MM-DD HH24:MI:SS "UTC"'), 'the channel was enabled'),
  hint = 'see whether a replica runs that polls; if one does, its log names the channel'
from channel c where c.channel_id = h.channel_id and c.enabled and c.delete_time is null and h.state = any(@healthy)
  and greatest(h.last_success, c.update_time, h.since) < now() - greatest(3 * c.poll_interval, interval '5 minutes') - interval '1 minute'
returning c.tenant, c.channel, h.last_success`

// Stalled is a channel that the watchdog found.
type Stalled struct {
	Tenant, Channel string
	LastSuccess     time.Time
}

// MarkStalled gives the state STALLED to every enabled channel that reports no failure and yet has had no successful
// visit for too long. It looks at the database alone, so it finds what the poll loop itself would hide.
func (s *Store) MarkStalled(ctx context.Context) ([]Stalled, error) {
	rows, err := s.pool.Query(ctx, stalledSQL, pgx.NamedArgs{"stalled": ingest.StateStalled,
		"healthy": []int16{int16(ingest.StatePending), int16(ingest.StateActive)}})
	if err != nil {
		return nil, wrap("mark stalled", err)
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (x Stalled, err error) {
		var last *time.Time
		err = row.Scan(&x.Tenant, &x.Channel, &last)
		x.LastSuccess = timeOf(last)
		return x, err
	})
	return list, wrap("mark stalled", err)
}

// SaveFetch records the progress of a replay of kind fetch, and its end when done. It reports whether the replay is
// still wanted: false means that it was cancelled.
func (s *Store) SaveFetch(ctx context.Context, id string, p ingest.Progress, done bool, failure string) (wanted bool, err error) {
	doc, err := json.Marshal(p)
	if err != nil {
		return false, err
	}
	tag, err := s.pool.Exec(ctx, `update replay set progress = @progress::jsonb, error = @error,
  state = case when @error <> '' then @failed when @done then @succeeded else state end,
  end_time = case when @done or @error <> '' then now() end
where replay_id = @id and state = @running`, pgx.NamedArgs{"id": id, "progress": string(doc), "done": done, "error": failure,
		"failed": ingest.ReplayFailed, "succeeded": ingest.ReplaySucceeded, "running": ingest.ReplayRunning})
	if err != nil {
		return false, wrap("save fetch", err)
	}
	return tag.RowsAffected() == 1, nil
}

const countSQL = `select c.enabled and c.delete_time is null, h.state, count(*) from channel c join channel_status h using (channel_id) group by 1, 2`

// CountStates counts channels by state, for the metrics.
func (s *Store) CountStates(ctx context.Context) (map[ingest.State]int, error) {
	rows, err := s.pool.Query(ctx, countSQL)
	if err != nil {
		return nil, wrap("count states", err)
	}
	counts := map[ingest.State]int{}
	var on bool
	var st ingest.State
	var n int
	_, err = pgx.ForEachRow(rows, []any{&on, &st, &n}, func() error {
		if !on {
			st = ingest.StateDisabled
		}
		counts[st] += n
		return nil
	})
	if err != nil {
		return nil, wrap("count states", err)
	}
	return counts, nil
}

// OutboxAge tells how many events wait for the stream and how long the oldest has waited.
func (s *Store) OutboxAge(ctx context.Context) (rows int64, oldest time.Duration, err error) {
	var age *float64
	err = s.pool.QueryRow(ctx, `select (select count(*) from outbox),
  (select extract(epoch from now() - e.at)::float8 from (select * from outbox where replay_id is null order by outbox_id limit 1) o
   cross join lateral (select at from event where day = o.day and channel_id = o.channel_id and seq = o.seq limit 1) e)`).Scan(&rows, &age)
	if err != nil {
		return 0, 0, wrap("outbox age", err)
	}
	if age != nil {
		oldest = time.Duration(*age * float64(time.Second))
	}
	return rows, oldest, nil
}

func notFound(err error) bool { return errors.Is(err, pgx.ErrNoRows) }

var errNoSealer = fmt.Errorf("store: no keyset is configured")
