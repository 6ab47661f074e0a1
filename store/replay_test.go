package store_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store/storetest"
)

func (b *bench) replay(t *testing.T, kind ingest.ReplayKind, change ...func(*ingest.Replay)) ingest.Replay {
	t.Helper()
	r := ingest.Replay{Tenant: "acme", Channel: "support", ChannelID: b.channel.ID, Kind: kind, RequestedBy: "token:admin"}
	for _, f := range change {
		f(&r)
	}
	got, err := b.CreateReplay(t.Context(), r, control.Audit{Actor: r.RequestedBy, Action: "replay.create", Resource: "tenants/acme/emailChannels/support", Detail: kind.String()})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestCreateReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	before := audits(b.DB)
	got := b.replay(t, ingest.ReplayFetch, func(r *ingest.Replay) {
		r.DryRun = true
		r.Range = ingest.Range{FirstUID: 1, LastUID: 1<<32 - 1, Since: since, Until: since.Add(time.Hour)}
	})
	want := ingest.Replay{ID: got.ID, Tenant: "acme", Channel: "support", ChannelID: b.channel.ID, Kind: ingest.ReplayFetch, DryRun: true, State: ingest.ReplayQueued,
		Range: ingest.Range{FirstUID: 1, LastUID: 1<<32 - 1, Since: since, Until: since.Add(time.Hour)}, RequestedBy: "token:admin", Created: got.Created}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("replay (-want +got):\n%s", diff)
	}
	if len(got.ID) != 36 || time.Since(got.Created) > time.Minute {
		t.Errorf("id %q, created %v", got.ID, got.Created)
	}
	if n := audits(b.DB) - before; n != 1 {
		t.Errorf("%d audit entries, want 1", n)
	}
	if n := b.Int(`select count(*) from river_job where kind = 'replay' and args->>'id' = $1`, got.ID); n != 1 {
		t.Errorf("%d jobs, want 1", n)
	}
	again, err := b.Replay(t.Context(), "acme", got.ID)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(got, again); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}
	for _, x := range [][2]string{{"other", got.ID}, {"acme", "00000000-0000-0000-0000-000000000000"}, {"acme", "no-uuid"}, {"acme", ""}} {
		if _, err := b.Replay(t.Context(), x[0], x[1]); !errors.Is(err, control.ErrNotFound) {
			t.Errorf("%v: got %v, want ErrNotFound", x, err)
		}
		if _, err := b.CancelReplay(t.Context(), x[0], x[1], admin); !errors.Is(err, control.ErrNotFound) {
			t.Errorf("cancel %v: got %v, want ErrNotFound", x, err)
		}
	}
	if n := audits(b.DB) - before; n != 1 {
		t.Errorf("%d audit entries, want 1: what was not found changed nothing", n)
	}
}

func TestReplaysOrderPagesAndFilters(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sales := newChannel(t, b.DB, "sales")
	names := map[string]string{}
	var ids []string
	for i, name := range []string{"r0", "r1", "r2", "r3", "r4", "r5"} {
		r := b.replay(t, ingest.ReplayRetry, func(r *ingest.Replay) {
			if i%3 == 2 {
				r.Channel, r.ChannelID = "sales", sales.ID
			}
		})
		names[r.ID] = name
		ids = append(ids, r.ID)
	}
	b.Exec(`update replay set state = $1 where replay_id::text = any($2)`, ingest.ReplayFailed, ids[1:3])
	b.Exec(`update replay set state = $1 where replay_id::text = $2`, ingest.ReplayRunning, ids[4])
	for _, tc := range []struct {
		name string
		q    control.ReplayQuery
		want string
	}{
		{"newest first", control.ReplayQuery{Limit: 10}, "r5 r4 r3 r2 r1 r0"},
		{"page", control.ReplayQuery{Limit: 2}, "r5 r4"},
		{"next page", control.ReplayQuery{Limit: 2, Before: ids[4]}, "r3 r2"},
		{"behind the last", control.ReplayQuery{Limit: 2, Before: ids[0]}, ""},
		{"channel", control.ReplayQuery{Limit: 10, Channel: "sales"}, "r5 r2"},
		{"states", control.ReplayQuery{Limit: 10, States: []ingest.ReplayState{ingest.ReplayFailed, ingest.ReplayRunning}}, "r4 r2 r1"},
		{"state, channel, page", control.ReplayQuery{Limit: 1, Channel: "support", Before: ids[4], States: []ingest.ReplayState{ingest.ReplayFailed}}, "r1"},
		{"another tenant", control.ReplayQuery{Limit: 10, Tenant: "other"}, ""},
	} {
		if tc.q.Tenant == "" {
			tc.q.Tenant = "acme"
		}
		list, err := b.Replays(t.Context(), tc.q)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		var got []string
		for _, r := range list {
			got = append(got, names[r.ID])
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("%s: got %q, want %q", tc.name, s, tc.want)
		}
	}
}

func TestCancelReplay(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, state := range []ingest.ReplayState{ingest.ReplayQueued, ingest.ReplayRunning, ingest.ReplaySucceeded, ingest.ReplayFailed, ingest.ReplayCancelled} {
		r := b.replay(t, ingest.ReplayRetry)
		b.Exec(`update replay set state = $1::smallint, error = 'e', end_time = case when $1::smallint > 2 then '2026-01-01 00:00:00Z'::timestamptz end where replay_id::text = $2`, state, r.ID)
		before := audits(b.DB)
		got, err := b.CancelReplay(t.Context(), "acme", r.ID, control.Audit{Actor: "a", Action: "replay.cancel", Resource: "r"})
		if err != nil {
			t.Fatal(err)
		}
		if state.Done() {
			if got.State != state || got.Ended.Year() != 2026 || got.Ended.Month() != time.January || audits(b.DB) != before {
				t.Errorf("%v: got state %v, ended %v, %d audit entries; want it as it was, and none", state, got.State, got.Ended, audits(b.DB)-before)
			}
			continue
		}
		if got.State != ingest.ReplayCancelled || got.Ended.IsZero() || audits(b.DB) != before+1 {
			t.Errorf("%v: got state %v, ended %v, %d audit entries; want it cancelled, with one", state, got.State, got.Ended, audits(b.DB)-before)
		}
	}
}

// A cancellation that has to wait for a step under way takes out what that step put into the outbox.
func TestCancelReplayWaitsForStep(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.numbered(t, 5)
	b.Exec(`delete from outbox`)
	r := b.replay(t, ingest.ReplayEvents)
	b.Exec(`update replay set state = $1`, ingest.ReplayRunning)
	tx, err := b.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	if _, err := tx.Exec(t.Context(), `select from replay for update`); err != nil {
		t.Fatal(err)
	}
	cancelled := make(chan error, 1)
	go func() {
		_, err := b.CancelReplay(context.WithoutCancel(t.Context()), "acme", r.ID, admin)
		cancelled <- err
	}()
	eventually(t, 5*time.Second, func() (bool, string) {
		return b.Int(`select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`) == 1, "the cancellation does not wait"
	})
	if _, err := tx.Exec(t.Context(), `insert into outbox (bucket, channel_id, day, seq, replay_id) select 0, channel_id, day, seq, $1 from event`, r.ID); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := <-cancelled; err != nil {
		t.Fatal(err)
	}
	if n := b.Int(`select count(*) from outbox`); n != 0 {
		t.Errorf("%d events of a cancelled replay will still be published", n)
	}
}

var _ control.Store = (*storetest.DB)(nil)
