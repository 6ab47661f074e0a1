package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store/storetest"
)

func TestPolledHasAllThatAVisitNeeds(t *testing.T) {
	t.Parallel()
	b := setup(t)
	m := b.polled.Mailbox
	if m.Port != 993 || m.Folder != "INBOX" || m.Host != "imap.example.com" || m.Username != "support" || m.Password.Reveal() != "pässword" || m.TLSRoots != nil ||
		m.PollInterval != time.Minute || m.MaxMessageBytes != 40<<20 || b.polled.BadCredential != nil || b.polled.Epoch != b.own.Epoch || !b.polled.Enabled {
		t.Errorf("got %+v of %+v", m, b.polled)
	}
	set := full()
	set.TLSCAPEM = "not a certificate"
	c, err := b.UpdateChannel(t.Context(), b.channel.ID, 1, set, nil, admin)
	if err != nil {
		t.Fatal(err)
	}
	chs, err := b.Polled(t.Context(), b.own.Replica, []ingest.ChannelID{c.ID})
	if err != nil || len(chs) != 1 {
		t.Fatalf("got %d, %v", len(chs), err)
	}
	m = chs[0].Mailbox
	if m.Port != 1110 || !m.SyncSince.Equal(set.SyncSince) || m.TLSRoots == nil || m.PollInterval != set.PollInterval || m.Settlement != ingest.SettleDelete || chs[0].Script != "scripts/7" {
		t.Errorf("got %+v", m)
	}
	if diff := cmp.Diff([][]string{set.Aliases, {set.FallbackCharset}, set.AuthservIDs}, [][]string{chs[0].Aliases, {chs[0].FallbackCharset}, chs[0].AuthservIDs}); diff != "" {
		t.Errorf("what the parser is told (-want +got):\n%s", diff)
	}
	if chs[0].Revision <= b.polled.Revision {
		t.Errorf("revision %d after a change of %d", chs[0].Revision, b.polled.Revision)
	}
	// Only what the replica owns and what it asked for.
	other := newChannel(t, b.DB, "other")
	if chs, err := b.Polled(t.Context(), b.own.Replica, []ingest.ChannelID{c.ID, other.ID}); err != nil || len(chs) != 1 {
		t.Errorf("got %d channels, %v, want the one that is owned", len(chs), err)
	}
	if chs, err := b.Polled(t.Context(), "00000000-0000-0000-0000-000000000000", []ingest.ChannelID{c.ID}); err != nil || len(chs) != 0 {
		t.Errorf("got %d channels, %v, want none for another replica", len(chs), err)
	}
}

func TestPolledWithOneBadCredential(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ids := []ingest.ChannelID{b.channel.ID}
	for i := range 3 {
		ids = append(ids, newChannel(t, b.DB, fmt.Sprintf("c%d", i)).ID)
	}
	b.Exec(`update channel_state set owner = (select replica_id from replica)`)
	b.Exec(`update channel set password = '\x0badc0de' where channel_id = $1`, ids[1])
	b.Exec(`update channel set password = null where channel_id = $1`, ids[2])
	chs, err := b.Polled(t.Context(), b.own.Replica, ids)
	if err != nil || len(chs) != 4 {
		t.Fatalf("got %d channels, %v, want all 4", len(chs), err)
	}
	for _, c := range chs {
		if bad := c.ID == ids[1]; (c.BadCredential != nil) != bad {
			t.Errorf("channel %s: bad credential is %v", c.Channel, c.BadCredential)
		}
		if want := map[bool]string{true: "", false: "pässword"}[c.ID == ids[1] || c.ID == ids[2]]; c.Mailbox.Password.Reveal() != want {
			t.Errorf("channel %s: password is %q", c.Channel, c.Mailbox.Password.Reveal())
		}
	}
}

func TestPolledBringsFetches(t *testing.T) {
	t.Parallel()
	b := setup(t)
	since := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	queued := b.replay(t, ingest.ReplayFetch)
	one := b.replay(t, ingest.ReplayFetch, func(r *ingest.Replay) { r.Range = ingest.Range{FirstUID: 3, LastUID: 1<<32 - 1}; r.DryRun = true })
	two := b.replay(t, ingest.ReplayFetch, func(r *ingest.Replay) { r.Range = ingest.Range{Since: since, Until: since.Add(time.Hour)} })
	b.replay(t, ingest.ReplayEvents)
	b.Exec(`update replay set state = 2 where replay_id::text <> $1`, queued.ID)
	chs, err := b.Polled(t.Context(), b.own.Replica, []ingest.ChannelID{b.channel.ID})
	if err != nil {
		t.Fatal(err)
	}
	want := []ingest.Fetch{{ID: one.ID, Range: one.Range, DryRun: true}, {ID: two.ID, Range: two.Range}}
	if diff := cmp.Diff(want, chs[0].Fetches); diff != "" {
		t.Errorf("fetches (-want +got):\n%s", diff)
	}
	p := ingest.Progress{Matched: 9, Known: 5, Missing: 4, Stored: 3, Failed: 1}
	if wanted, err := b.SaveFetch(t.Context(), one.ID, p, false, ""); err != nil || !wanted {
		t.Fatalf("got %v, %v", wanted, err)
	}
	got, err := b.Replay(t.Context(), "acme", one.ID)
	if err != nil || !cmp.Equal(got.Progress, p) || got.State != ingest.ReplayRunning || !got.Ended.IsZero() {
		t.Errorf("under way: got %+v, %v", got, err)
	}
	if wanted, err := b.SaveFetch(t.Context(), one.ID, p, true, ""); err != nil || !wanted {
		t.Fatalf("got %v, %v", wanted, err)
	}
	if got, err := b.Replay(t.Context(), "acme", one.ID); err != nil || got.State != ingest.ReplaySucceeded || got.Ended.IsZero() {
		t.Errorf("done: got %+v, %v", got, err)
	}
	if wanted, err := b.SaveFetch(t.Context(), one.ID, ingest.Progress{}, false, ""); err != nil || wanted {
		t.Errorf("after the end: got %v, %v, want no longer wanted", wanted, err)
	}
	if _, err := b.CancelReplay(t.Context(), "acme", two.ID, admin); err != nil {
		t.Fatal(err)
	}
	if wanted, err := b.SaveFetch(t.Context(), two.ID, p, true, ""); err != nil || wanted {
		t.Errorf("after cancel: got %v, %v, want no longer wanted", wanted, err)
	}
	if got, err := b.Replay(t.Context(), "acme", two.ID); err != nil || got.State != ingest.ReplayCancelled || !cmp.Equal(got.Progress, ingest.Progress{}) {
		t.Errorf("cancelled: got %+v, %v, want it untouched", got, err)
	}
	b.Exec(`update replay set state = 2 where replay_id::text = $1`, queued.ID)
	if _, err := b.SaveFetch(t.Context(), queued.ID, p, false, "no such folder"); err != nil {
		t.Fatal(err)
	}
	if got, err := b.Replay(t.Context(), "acme", queued.ID); err != nil || got.State != ingest.ReplayFailed || got.Error != "no such folder" || got.Ended.IsZero() {
		t.Errorf("failed: got %+v, %v", got, err)
	}
}

func TestChanged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	quiet, foreign := newChannel(t, b.DB, "quiet"), newChannel(t, b.DB, "foreign")
	b.Exec(`update channel_state set owner = (select replica_id from replica) where channel_id <> $1`, foreign.ID)
	b.Exec(`update channel set changed_at = now() - interval '1 hour' where channel_id = $1`, quiet.ID)
	ask := func() map[ingest.ChannelID]int64 {
		t.Helper()
		m, err := b.Changed(t.Context(), b.own.Replica, time.Minute)
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	if diff := cmp.Diff(map[ingest.ChannelID]int64{b.channel.ID: b.polled.Revision}, ask()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if _, err := b.DeleteChannel(t.Context(), quiet.ID, 1, admin); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(map[ingest.ChannelID]int64{b.channel.ID: 1, quiet.ID: 2}, ask()); diff != "" {
		t.Errorf("a deletion is a change (-want +got):\n%s", diff)
	}
}

func (b *bench) health(t *testing.T) ingest.Health {
	t.Helper()
	c, err := b.Channel(t.Context(), "acme", "support")
	if err != nil {
		t.Fatal(err)
	}
	return c.Health
}

func TestSaveHealth(t *testing.T) {
	t.Parallel()
	b := setup(t)
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	h := ingest.Health{State: ingest.StateActive, LastAttempt: at, LastSuccess: at, NextAttempt: at.Add(time.Minute), Backlog: 3, Visit: ingest.Counts{Listed: 2, Stored: 2}}
	save := func(own ingest.Ownership, revision int64, h ingest.Health) {
		t.Helper()
		if err := b.SaveHealth(t.Context(), own, revision, h); err != nil {
			t.Fatal(err)
		}
	}
	save(b.own, b.polled.Revision, h)
	got := b.health(t)
	h.Since = got.Since
	if diff := cmp.Diff(h, got); diff != "" {
		t.Errorf("health (-want +got):\n%s", diff)
	}
	b.Exec(`update channel_status set since = '2026-01-01 00:00:00Z'`)
	// A visit without news keeps the counts of the last that had some; the state has been the same since.
	again := h
	again.Visit, again.LastSuccess, again.LastAttempt = ingest.Counts{}, at.Add(time.Minute), at.Add(time.Minute)
	save(b.own, b.polled.Revision, again)
	again.Visit, again.Since = h.Visit, at
	if diff := cmp.Diff(again, b.health(t)); diff != "" {
		t.Errorf("second visit (-want +got):\n%s", diff)
	}
	bad := ingest.Health{State: ingest.StateBackingOff, Reason: ingest.ReasonTimeout, ServerText: "s", Hint: "h", Detail: "d", Failures: 2, AuthFailures: 1, LastAttempt: at, NextAttempt: at}
	save(b.own, b.polled.Revision, bad)
	got = b.health(t)
	if got.Reason != ingest.ReasonTimeout || !got.LastSuccess.Equal(at.Add(time.Minute)) || time.Since(got.Since) > time.Minute {
		t.Errorf("a failure: got %+v, want the last success kept and a new since", got)
	}

	dropped := func(name string, own ingest.Ownership, revision int64) {
		t.Helper()
		before := b.health(t)
		save(own, revision, ingest.Health{State: ingest.StateThrottled, LastAttempt: at})
		if diff := cmp.Diff(before, b.health(t)); diff != "" {
			t.Errorf("%s: the report was taken (-before +after):\n%s", name, diff)
		}
	}
	dropped("stale revision", b.own, b.polled.Revision-1)
	old := b.own
	old.Epoch--
	dropped("stale epoch", old, b.polled.Revision)
	other := b.own
	other.Replica = "00000000-0000-0000-0000-000000000000"
	dropped("another replica", other, b.polled.Revision)
	b.Exec(`update channel set wake = wake + 1`)
	dropped("a visit was asked for meanwhile", b.own, b.polled.Revision)
}

func TestMarkStalled(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	ids := map[string]control.Channel{}
	for _, n := range []string{"silent", "never", "fresh", "slow", "slowest", "failing", "disabled", "deleted", "edited", "stalled", "retried"} {
		ids[n] = newChannel(t, db, n)
	}
	off := settings()
	off.Enabled = false
	if _, err := db.UpdateChannel(t.Context(), ids["disabled"].ID, 1, off, nil, admin); err != nil {
		t.Fatal(err)
	}
	if _, err := db.DeleteChannel(t.Context(), ids["deleted"].ID, 1, admin); err != nil {
		t.Fatal(err)
	}
	// All were made long ago and have been quiet for 7 minutes, which is too long for an interval of one minute.
	db.Exec(`update channel set update_time = now() - interval '1 day'`)
	db.Exec(`update channel_status set state = $1, since = now() - interval '1 day', last_success = now() - interval '7 minutes'`, ingest.StateActive)
	is := func(name, sql string, args ...any) {
		db.Exec(fmt.Sprintf(sql, ids[name].ID), args...)
	}
	is("never", `update channel_status set state = 2, last_success = null where channel_id = %d`)
	is("fresh", `update channel_status set last_success = now() - interval '5 minutes 30 seconds' where channel_id = %d`)
	is("slow", `update channel set poll_interval = '10 minutes' where channel_id = %d`)
	is("slowest", `update channel set poll_interval = '10 minutes' where channel_id = %d`)
	is("slowest", `update channel_status set last_success = now() - interval '32 minutes' where channel_id = %d`)
	is("failing", `update channel_status set state = $1 where channel_id = %d`, ingest.StateBackingOff)
	is("edited", `update channel set update_time = now() - interval '1 minute' where channel_id = %d`)
	is("stalled", `update channel_status set state = $1 where channel_id = %d`, ingest.StateStalled)
	is("retried", `update channel_status set state = 2, since = now() where channel_id = %d`)
	list, err := db.MarkStalled(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, x := range list {
		got = append(got, x.Channel)
		if (x.Channel == "never") != x.LastSuccess.IsZero() || x.Tenant != "acme" {
			t.Errorf("got %+v", x)
		}
	}
	slices.Sort(got)
	if want := []string{"never", "silent", "slowest"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	c, err := db.Channel(t.Context(), "acme", "never")
	if err != nil || c.Health.State != ingest.StateStalled || c.Health.Reason == "" || c.Health.Hint == "" || c.Health.Detail != "no successful visit since the channel was enabled" {
		t.Errorf("got %+v, %v", c.Health, err)
	}
	if again, err := db.MarkStalled(t.Context()); err != nil || len(again) != 0 {
		t.Errorf("told twice: %v, %v", again, err)
	}
	counts, err := db.CountStates(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := map[ingest.State]int{ingest.StateStalled: 4, ingest.StateActive: 3, ingest.StateBackingOff: 1, ingest.StatePending: 1, ingest.StateDisabled: 2}
	if diff := cmp.Diff(want, counts); diff != "" {
		t.Errorf("counts (-want +got):\n%s", diff)
	}
}
