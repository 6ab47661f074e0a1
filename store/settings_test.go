package store_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store"
	"github.com/mailintake/mailintake/store/storetest"
)

var admin = control.Audit{Actor: "token:admin", Action: "channel.update", Resource: "tenants/acme/emailChannels/support", Detail: "host"}

func audits(db *storetest.DB) int64 { return db.Int(`select count(*) from audit`) }

// full are settings with a value in every field.
func full() control.Settings {
	return control.Settings{DisplayName: "Ünïcode ✉", EmailAddress: "a@example.com", Enabled: true, Description: "line\nline",
		Labels: map[string]string{"k": "v", "empty": ""}, Script: "scripts/7", Protocol: ingest.POP3, Host: "pop.example.com", Port: 1110, StartTLS: true,
		TLSServerName: "mail.example.com", TLSCAPEM: "pem", Username: `dom\user`, Folder: "INBOX/Ä", PollInterval: 12345 * time.Millisecond,
		InitialSync: ingest.SyncSince, SyncSince: time.Date(2026, 1, 2, 3, 4, 5, 678900000, time.UTC), Settlement: ingest.SettleDelete, MaxMessageBytes: 1 << 30,
		Aliases: []string{"b@example.com", "ä@example.com"}, FallbackCharset: "iso-8859-15", AuthservIDs: []string{"mx.example.com"}}
}

func TestCreateChannel(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c, err := db.CreateChannel(t.Context(), control.NewChannel{Tenant: "acme", Channel: "support", Settings: full(), Password: ingest.NewSecret("s3cret")},
		control.Audit{Actor: "a", Action: "channel.create", Resource: "r", Detail: "d"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(full(), c.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if len(c.UID) != 36 || c.Revision != 1 || c.ID == 0 || !c.PasswordSet || !c.Deleted.IsZero() {
		t.Errorf("got uid %q, revision %d, id %d, password set %v, deleted %v", c.UID, c.Revision, c.ID, c.PasswordSet, c.Deleted)
	}
	if age := time.Since(c.Created); age < -time.Minute || age > time.Minute || !c.Updated.Equal(c.Created) {
		t.Errorf("created %v, updated %v", c.Created, c.Updated)
	}
	if c.Health.State != ingest.StatePending || c.NextSequence != 1 || c.Owner != "" || c.Cursor != (ingest.Cursor{}) || !c.Started.IsZero() {
		t.Errorf("got health %v, next %d, owner %q, cursor %v, started %v", c.Health.State, c.NextSequence, c.Owner, c.Cursor, c.Started)
	}
	if n := db.Int(`select count(*) from audit where actor = 'a' and action = 'channel.create' and resource = 'r' and detail = '{"text": "d"}' and at > now() - interval '1 minute'`); n != 1 {
		t.Errorf("%d audit entries say what was done, want 1", n)
	}
	if n := db.Int(`select count(*) from channel where position('s3cret'::bytea in password) > 0`); n != 0 {
		t.Error("the password is readable in the row")
	}
	got, err := db.Channel(t.Context(), "acme", "support")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, got); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
	if got.Name() != "tenants/acme/emailChannels/support" {
		t.Errorf("name is %q", got.Name())
	}
}

func TestCreateChannelTwice(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := newChannel(t, db, "support")
	again := control.NewChannel{Tenant: "acme", Channel: "support", Settings: settings()}
	if _, err := db.CreateChannel(t.Context(), again, admin); !errors.Is(err, control.ErrAlreadyExists) {
		t.Errorf("got %v, want ErrAlreadyExists", err)
	}
	if _, err := db.DeleteChannel(t.Context(), c.ID, c.Revision, admin); err != nil {
		t.Fatal(err)
	}
	before := audits(db)
	if _, err := db.CreateChannel(t.Context(), again, admin); !errors.Is(err, control.ErrAlreadyExists) {
		t.Errorf("name of a deleted channel: got %v, want ErrAlreadyExists", err)
	}
	if audits(db) != before {
		t.Error("a refused creation is on the audit")
	}
	if n := db.Int(`select (select count(*) from channel_state) * 10 + (select count(*) from channel_status)`); n != 11 {
		t.Errorf("state and status rows: got %d, want one each", n)
	}
	again.Tenant = "other"
	if _, err := db.CreateChannel(t.Context(), again, admin); err != nil {
		t.Errorf("the same name in another tenant: %v", err)
	}
	none := control.NewChannel{Tenant: "acme", Channel: "later", Settings: settings()}
	none.Settings.Enabled, none.Settings.Labels = false, nil
	got, err := db.CreateChannel(t.Context(), none, admin)
	if err != nil || got.PasswordSet || got.Health.State != ingest.StateDisabled {
		t.Errorf("without password and not enabled: got %v, %v, %v", got.PasswordSet, got.Health.State, err)
	}
}

// An audit that cannot be written takes the change with it.
func TestChangeWithoutAuditIsNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	db, c := b.DB, b.channel
	b.numbered(t, 3)
	running, err := db.CreateReplay(t.Context(), ingest.Replay{Tenant: "acme", Channel: "support", ChannelID: c.ID, Kind: ingest.ReplayEvents}, admin)
	if err != nil {
		t.Fatal(err)
	}
	db.Exec(`alter table audit add constraint closed check (false) not valid`)
	set := settings()
	set.Host = "elsewhere.example.com"
	pw := ingest.NewSecret("x")
	for name, do := range map[string]func() error{
		"create": func() error {
			_, err := db.CreateChannel(t.Context(), control.NewChannel{Tenant: "acme", Channel: "new", Settings: set}, admin)
			return err
		},
		"update":   func() error { _, err := db.UpdateChannel(t.Context(), c.ID, 1, set, &pw, admin); return err },
		"delete":   func() error { _, err := db.DeleteChannel(t.Context(), c.ID, 1, admin); return err },
		"undelete": func() error { _, err := db.UndeleteChannel(t.Context(), c.ID, 1, admin); return err },
		"replay": func() error {
			_, err := db.CreateReplay(t.Context(), ingest.Replay{Tenant: "acme", Channel: "support", ChannelID: c.ID, Kind: ingest.ReplayRetry}, admin)
			return err
		},
		"cancel": func() error { _, err := db.CancelReplay(t.Context(), "acme", running.ID, admin); return err },
	} {
		err := do()
		if err == nil {
			t.Errorf("%s went through without its audit entry", name)
		}
		if errors.Is(err, control.ErrUnavailable) {
			t.Errorf("%s: a fault of ours is called unavailability: %v", name, err)
		}
	}
	got, err := db.Channel(t.Context(), "acme", "support")
	if err != nil || got.Revision != 1 || got.Settings.Host != settings().Host || !got.Deleted.IsZero() {
		t.Errorf("got %+v, %v; want it unchanged", got, err)
	}
	if n := db.Int(`select (select count(*) from channel) * 100 + (select count(*) from replay where state = 1) * 10 + (select count(*) from river_job)`); n != 111 {
		t.Errorf("channels, queued replays, jobs: got %d, want one each", n)
	}
}

func TestChannelNotFound(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	newChannel(t, db, "support")
	for _, n := range [][2]string{{"acme", "nobody"}, {"other", "support"}, {"", ""}} {
		if _, err := db.Channel(t.Context(), n[0], n[1]); !errors.Is(err, control.ErrNotFound) {
			t.Errorf("%v: got %v, want ErrNotFound", n, err)
		}
	}
	before := audits(db)
	pw := ingest.NewSecret("x")
	for name, err := range map[string]error{
		"update":               func() error { _, err := db.UpdateChannel(t.Context(), 99, 1, settings(), nil, admin); return err }(),
		"update with password": func() error { _, err := db.UpdateChannel(t.Context(), 99, 1, settings(), &pw, admin); return err }(),
		"delete":               func() error { _, err := db.DeleteChannel(t.Context(), 99, 1, admin); return err }(),
		"undelete":             func() error { _, err := db.UndeleteChannel(t.Context(), 99, 1, admin); return err }(),
		"password":             func() error { _, err := db.Password(t.Context(), 99); return err }(),
	} {
		if !errors.Is(err, control.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", name, err)
		}
	}
	if audits(db) != before {
		t.Error("what found nothing is on the audit")
	}
}

func TestChannelsOrderPagesAndFilters(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	// Octet order: "-" (0x2D) before digits before letters, whatever the locale says of hyphens.
	names := []string{"a", "a-b", "a0", "aa", "ab", "b-1", "b1", "zz"}
	ids := map[string]control.Channel{}
	for _, i := range []int{3, 0, 7, 5, 1, 6, 2, 4} {
		ids[names[i]] = newChannel(t, db, names[i])
	}
	if _, err := db.CreateChannel(t.Context(), control.NewChannel{Tenant: "other", Channel: "aaa", Settings: settings()}, admin); err != nil {
		t.Fatal(err)
	}
	if _, err := db.DeleteChannel(t.Context(), ids["ab"].ID, 1, admin); err != nil {
		t.Fatal(err)
	}
	off := settings()
	off.Enabled = false
	if _, err := db.UpdateChannel(t.Context(), ids["b1"].ID, 1, off, nil, admin); err != nil {
		t.Fatal(err)
	}
	db.Exec(`update channel_status set state = $1 where channel_id = any($2)`, ingest.StateAuthFailed, []ingest.ChannelID{ids["a0"].ID, ids["b1"].ID})
	for _, tc := range []struct {
		name string
		q    control.ChannelQuery
		want string
	}{
		{"all", control.ChannelQuery{Limit: 100}, "a a-b a0 aa b-1 b1 zz"},
		{"with deleted", control.ChannelQuery{Limit: 100, ShowDeleted: true}, "a a-b a0 aa ab b-1 b1 zz"},
		{"descending", control.ChannelQuery{Limit: 100, Descending: true}, "zz b1 b-1 aa a0 a-b a"},
		{"first page", control.ChannelQuery{Limit: 3}, "a a-b a0"},
		{"next page", control.ChannelQuery{Limit: 3, After: "a0"}, "aa b-1 b1"},
		{"last page", control.ChannelQuery{Limit: 3, After: "b1"}, "zz"},
		{"behind the end", control.ChannelQuery{Limit: 3, After: "zz"}, ""},
		{"after what is not there", control.ChannelQuery{Limit: 3, After: "a-z"}, "a0 aa b-1"},
		{"next page descending", control.ChannelQuery{Limit: 2, After: "b1", Descending: true}, "b-1 aa"},
		{"state", control.ChannelQuery{Limit: 100, States: []ingest.State{ingest.StateAuthFailed}}, "a0"},
		{"disabled whatever the last visit left", control.ChannelQuery{Limit: 100, States: []ingest.State{ingest.StateDisabled}}, "b1"},
		{"deleted is disabled", control.ChannelQuery{Limit: 100, States: []ingest.State{ingest.StateDisabled}, ShowDeleted: true}, "ab b1"},
		{"states", control.ChannelQuery{Limit: 2, After: "a", States: []ingest.State{ingest.StateAuthFailed, ingest.StatePending}}, "a-b a0"},
	} {
		tc.q.Tenant = "acme"
		list, err := db.Channels(t.Context(), tc.q)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		var got []string
		for _, c := range list {
			got = append(got, c.Channel)
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, s, tc.want)
		}
	}
	if list, err := db.Channels(t.Context(), control.ChannelQuery{Tenant: "nobody", Limit: 5}); err != nil || len(list) != 0 {
		t.Errorf("a tenant without channels: got %d, %v", len(list), err)
	}
	// Both ways to a channel show the same of it.
	one, err := db.Channel(t.Context(), "acme", "a0")
	if err != nil {
		t.Fatal(err)
	}
	list, err := db.Channels(t.Context(), control.ChannelQuery{Tenant: "acme", Limit: 1, After: "a-b"})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]control.Channel{one}, list); diff != "" {
		t.Errorf("listed (-got +listed):\n%s", diff)
	}
}

func TestUpdateChannel(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := newChannel(t, db, "support")
	st := full()
	got, err := db.UpdateChannel(t.Context(), c.ID, c.Revision, st, nil, admin)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(st, got.Settings); diff != "" {
		t.Errorf("settings (-want +got):\n%s", diff)
	}
	if got.Revision != 2 || got.UID != c.UID || !got.Created.Equal(c.Created) || !got.Updated.After(c.Updated) || !got.PasswordSet {
		t.Errorf("got revision %d, uid %s, created %v, updated %v, password set %v", got.Revision, got.UID, got.Created, got.Updated, got.PasswordSet)
	}
	before := audits(db)
	if _, err := db.UpdateChannel(t.Context(), c.ID, c.Revision, settings(), nil, admin); !errors.Is(err, control.ErrConflict) {
		t.Errorf("stale revision: got %v, want ErrConflict", err)
	}
	pw := ingest.NewSecret("never stored")
	if _, err := db.UpdateChannel(t.Context(), c.ID, 7, settings(), &pw, admin); !errors.Is(err, control.ErrConflict) {
		t.Errorf("revision from the future: got %v, want ErrConflict", err)
	}
	if audits(db) != before {
		t.Error("a refused change is on the audit")
	}
	if p, err := db.Password(t.Context(), c.ID); err != nil || p.Reveal() != "pässword" {
		t.Errorf("a nil password and two refused changes: got %q, %v, want the first one", p.Reveal(), err)
	}
	pw = ingest.NewSecret("new")
	if got, err = db.UpdateChannel(t.Context(), c.ID, 2, st, &pw, admin); err != nil || !got.PasswordSet || got.Revision != 3 {
		t.Fatalf("got %+v, %v", got, err)
	}
	if p, err := db.Password(t.Context(), c.ID); err != nil || p.Reveal() != "new" {
		t.Errorf("got %q, %v, want the new one", p.Reveal(), err)
	}
	var none ingest.Secret
	if got, err = db.UpdateChannel(t.Context(), c.ID, 3, st, &none, admin); err != nil || got.PasswordSet {
		t.Errorf("an empty password: got set %v, %v, want it removed", got.PasswordSet, err)
	}
	if p, err := db.Password(t.Context(), c.ID); err != nil || !p.IsZero() {
		t.Errorf("got %q, %v, want none", p.Reveal(), err)
	}
}

// Two people who edit at the same time: one of them wins, whoever it is.
func TestUpdateChannelAtTheSameTime(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := newChannel(t, db, "support")
	const n = 8
	errs := make(chan error, n)
	for i := range n {
		go func() {
			st := settings()
			st.Description = fmt.Sprint(i)
			_, err := db.UpdateChannel(t.Context(), c.ID, c.Revision, st, nil, admin)
			errs <- err
		}()
	}
	won := 0
	for range n {
		if err := <-errs; err == nil {
			won++
		} else if !errors.Is(err, control.ErrConflict) {
			t.Errorf("got %v, want ErrConflict", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of %d changes went through, want 1", won, n)
	}
}

func TestUpdateResetsHealthWhenMended(t *testing.T) {
	t.Parallel()
	pw, none := ingest.NewSecret("x"), ingest.Secret{}
	set := func(f func(*control.Settings)) func(*control.Settings) { return f }
	for _, tc := range []struct {
		name     string
		change   func(*control.Settings)
		password *ingest.Secret
		disabled bool // before
		reset    bool
	}{
		{"protocol", set(func(s *control.Settings) { s.Protocol = ingest.IMAP }), nil, false, true},
		{"host", set(func(s *control.Settings) { s.Host = "other" }), nil, false, true},
		{"port", set(func(s *control.Settings) { s.Port = 1993 }), nil, false, true},
		{"user name", set(func(s *control.Settings) { s.Username = "other" }), nil, false, true},
		{"folder", set(func(s *control.Settings) { s.Folder = "Archive" }), nil, false, true},
		{"TLS", set(func(s *control.Settings) { s.TLSServerName = "other" }), nil, false, true},
		{"trusted certificates", set(func(s *control.Settings) { s.TLSCAPEM = "other" }), nil, false, true},
		{"password", nil, &pw, false, true},
		{"password removed", nil, &none, false, true},
		{"enabling", nil, nil, true, true},
		{"disabling", set(func(s *control.Settings) { s.Enabled = false }), nil, false, false},
		{"nothing", nil, nil, false, false},
		{"display name", set(func(s *control.Settings) { s.DisplayName = "other" }), nil, false, false},
		{"all that mends nothing", set(func(s *control.Settings) {
			s.EmailAddress, s.Description, s.Labels, s.Script, s.PollInterval = "x@example.com", "d", nil, "s", time.Hour
			s.InitialSync, s.Settlement, s.MaxMessageBytes = ingest.SyncAll, ingest.SettleMarkSeen, 1<<20
		}), nil, false, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			db := storetest.New(t)
			c := newChannel(t, db, "support")
			st := settings()
			if tc.disabled {
				st.Enabled = false
				var err error
				if c, err = db.UpdateChannel(t.Context(), c.ID, c.Revision, st, nil, admin); err != nil {
					t.Fatal(err)
				}
				st.Enabled = true
			}
			db.Exec(`update channel_status set state = $1, reason = 'LOGIN_REFUSED', server_text = 'no', hint = 'h', detail = 'd', failures = 7, auth_failures = 3,
  next_attempt = now() + interval '6 hours', last_success = now() - interval '1 day', since = now() - interval '1 hour'`, ingest.StateAuthFailed)
			if tc.change != nil {
				tc.change(&st)
			}
			got, err := db.UpdateChannel(t.Context(), c.ID, c.Revision, st, tc.password, admin)
			if err != nil {
				t.Fatal(err)
			}
			if !st.Enabled {
				if got.Health.State != ingest.StateDisabled {
					t.Errorf("state is %v, want DISABLED", got.Health.State)
				}
				got.Health.State = ingest.State(db.Int(`select state from channel_status`))
			}
			h := got.Health
			reset := h.State == ingest.StatePending && h.Reason == "" && h.ServerText == "" && h.Hint == "" && h.Detail == "" && h.Failures == 0 &&
				h.AuthFailures == 0 && h.NextAttempt.IsZero() && time.Since(h.Since) < time.Minute
			kept := h.State == ingest.StateAuthFailed && h.Reason == "LOGIN_REFUSED" && h.Failures == 7 && h.AuthFailures == 3 && !h.NextAttempt.IsZero()
			if reset != tc.reset || kept == tc.reset {
				t.Errorf("got %+v, want a reset: %v", h, tc.reset)
			}
			if h.LastSuccess.IsZero() {
				t.Error("the last success is forgotten")
			}
		})
	}
}

func TestDeleteAndUndeleteChannel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.mustCommit(t, message(1, []byte("mail")))
	if _, err := b.DeleteChannel(t.Context(), b.channel.ID, 5, admin); !errors.Is(err, control.ErrConflict) {
		t.Errorf("delete at a wrong revision: got %v, want ErrConflict", err)
	}
	before := audits(b.DB)
	c, err := b.DeleteChannel(t.Context(), b.channel.ID, b.channel.Revision, control.Audit{Action: "channel.delete"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Deleted.IsZero() || c.Revision != 2 || c.Health.State != ingest.StateDisabled {
		t.Errorf("got deleted %v, revision %d, state %v", c.Deleted, c.Revision, c.Health.State)
	}
	if chs, err := b.Polled(t.Context(), b.own.Replica, []ingest.ChannelID{b.channel.ID}); err != nil || len(chs) != 0 {
		t.Errorf("a deleted channel is polled: %d, %v", len(chs), err)
	}
	if m, err := b.Message(t.Context(), "acme", "support", r.IDs[ref(1)]); err != nil || m.Size != 4 {
		t.Errorf("a message of a deleted channel: got %d octets, %v", m.Size, err)
	}
	if got, err := b.Channel(t.Context(), "acme", "support"); err != nil || got.Deleted.IsZero() {
		t.Errorf("reading a deleted channel: got %v, %v", got.Deleted, err)
	}
	if _, err := b.UndeleteChannel(t.Context(), b.channel.ID, 1, admin); !errors.Is(err, control.ErrConflict) {
		t.Errorf("undelete at a wrong revision: got %v, want ErrConflict", err)
	}
	c, err = b.UndeleteChannel(t.Context(), b.channel.ID, 2, control.Audit{Action: "channel.undelete"})
	if err != nil || !c.Deleted.IsZero() || c.Revision != 3 || c.Health.State != ingest.StatePending {
		t.Errorf("got deleted %v, revision %d, state %v, %v", c.Deleted, c.Revision, c.Health.State, err)
	}
	if n := audits(b.DB) - before; n != 2 {
		t.Errorf("%d audit entries, want 2", n)
	}
	if chs, err := b.Polled(t.Context(), b.own.Replica, []ingest.ChannelID{b.channel.ID}); err != nil || len(chs) != 1 {
		t.Errorf("polled after all: %d, %v", len(chs), err)
	}
}

func TestPasswordUnreadable(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := newChannel(t, db, "support")
	if p, err := db.Password(t.Context(), c.ID); err != nil || p.Reveal() != "pässword" {
		t.Errorf("got %q, %v", p.Reveal(), err)
	}
	other := storetest.NewSealer(t)
	st, err := store.Open(t.Context(), store.Config{URL: db.URL, Sealer: other})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if p, err := st.Password(t.Context(), c.ID); !errors.Is(err, control.ErrUnreadable) || !p.IsZero() {
		t.Errorf("another keyset: got %q, %v, want ErrUnreadable", p.Reveal(), err)
	}
	none, err := store.Open(t.Context(), store.Config{URL: db.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer none.Close()
	if _, err := none.Password(t.Context(), c.ID); !errors.Is(err, control.ErrUnreadable) {
		t.Errorf("no keyset: got %v, want ErrUnreadable", err)
	}
	pw := ingest.NewSecret("x")
	if _, err := none.UpdateChannel(t.Context(), c.ID, 1, settings(), &pw, admin); err == nil {
		t.Error("a password was stored although there is no keyset to seal it")
	}
	if _, err := none.CreateChannel(t.Context(), control.NewChannel{Tenant: "acme", Channel: "x", Settings: settings(), Password: pw}, admin); err == nil {
		t.Error("a channel was created although there is no keyset to seal its password")
	}
	// A sealed password belongs to its channel: copied into another row it opens nothing.
	d := newChannel(t, db, "thief")
	db.Exec(`update channel set password = (select password from channel where channel_id = $1) where channel_id = $2`, c.ID, d.ID)
	if p, err := db.Password(t.Context(), d.ID); !errors.Is(err, control.ErrUnreadable) {
		t.Errorf("a copied password: got %q, %v, want ErrUnreadable", p.Reveal(), err)
	}
}

func TestChannelShowsWhatTheStoreKnows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	missing := ingest.Item{Ref: ref(7), Standing: ingest.Deferred, Reason: ingest.ReasonMissingBody}
	big := ingest.Item{Ref: ref(8), Standing: ingest.Quarantined, Reason: ingest.ReasonTooLarge, Event: received}
	if _, err := b.Commit(t.Context(), b.own, &ingest.Batch{Channel: b.polled, Start: true, Items: []ingest.Item{message(6, []byte("x")), missing, big},
		Cursor: ingest.Cursor{Folder: "INBOX", UIDValidity: 7, Floor: 5, LastUID: 8}}); err != nil {
		t.Fatal(err)
	}
	c, err := b.Channel(t.Context(), "acme", "support")
	if err != nil {
		t.Fatal(err)
	}
	if c.Deferred != 1 || c.Quarantined != 1 || c.NextSequence != 3 || c.Owner != b.own.Replica || c.Started.IsZero() {
		t.Errorf("got %d deferred, %d quarantined, next %d, owner %q, started %v", c.Deferred, c.Quarantined, c.NextSequence, c.Owner, c.Started)
	}
	if want := (ingest.Cursor{Folder: "INBOX", UIDValidity: 7, Floor: 5, LastUID: 8}); c.Cursor != want {
		t.Errorf("cursor is %v, want %v", c.Cursor, want)
	}
}
