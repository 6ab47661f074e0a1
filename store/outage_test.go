package store_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store"
	"github.com/mailintake/mailintake/store/storetest"
)

// every calls each method of the control.Store once.
func every(ctx context.Context, db *storetest.DB, c control.Channel, replay string) map[string]error {
	errs := map[string]error{}
	_, errs["CreateChannel"] = db.CreateChannel(ctx, control.NewChannel{Tenant: "acme", Channel: "new", Settings: settings()}, admin)
	_, errs["Channel"] = db.Channel(ctx, "acme", "support")
	_, errs["Channels"] = db.Channels(ctx, control.ChannelQuery{Tenant: "acme", Limit: 1})
	_, errs["UpdateChannel"] = db.UpdateChannel(ctx, c.ID, 1, settings(), nil, admin)
	_, errs["DeleteChannel"] = db.DeleteChannel(ctx, c.ID, 1, admin)
	_, errs["UndeleteChannel"] = db.UndeleteChannel(ctx, c.ID, 1, admin)
	_, errs["Password"] = db.Password(ctx, c.ID)
	_, errs["Message"] = db.Message(ctx, "acme", "support", ingest.MessageID{})
	_, errs["Messages"] = db.Messages(ctx, control.MessageQuery{Tenant: "acme", Channel: "support", Limit: 1})
	_, errs["ReadRaw"] = db.ReadRaw(ctx, "acme", "support", ingest.MessageID{}, 0, 1)
	_, errs["CreateReplay"] = db.CreateReplay(ctx, ingest.Replay{Tenant: "acme", Channel: "support", ChannelID: c.ID, Kind: ingest.ReplayRetry}, admin)
	_, errs["Replay"] = db.Replay(ctx, "acme", replay)
	_, errs["Replays"] = db.Replays(ctx, control.ReplayQuery{Tenant: "acme", Limit: 1})
	_, errs["CancelReplay"] = db.CancelReplay(ctx, "acme", replay, admin)
	return errs
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	db := storetest.NewServer(t)
	b := &bench{DB: db, channel: newChannel(t, db, "support")}
	r := b.replay(t, ingest.ReplayEvents)
	if _, version, err := db.Ping(t.Context()); err != nil || version == "" {
		t.Errorf("Ping: %q, %v", version, err)
	}
	db.Server.Kill()
	// At first over connections that were open, whose backends may outlive the server for a moment, then over new ones.
	eventually(t, 20*time.Second, func() (bool, string) {
		good := true
		for name, err := range every(t.Context(), db, b.channel, r.ID) {
			ours := errors.Is(err, control.ErrNotFound) || errors.Is(err, control.ErrConflict) || errors.Is(err, control.ErrAlreadyExists)
			good = good && errors.Is(err, control.ErrUnavailable)
			if err != nil && !ours && !errors.Is(err, control.ErrUnavailable) {
				t.Errorf("server killed: %s: got %v, want ErrUnavailable", name, err)
			}
		}
		return good, "the server still answers"
	})
	if _, _, err := db.Ping(t.Context()); !store.Unavailable(err) {
		t.Errorf("Ping: got %v, want it to count as unavailable", err)
	}
	db.Resume()
	for name, err := range every(t.Context(), db, b.channel, r.ID) {
		if errors.Is(err, control.ErrUnavailable) {
			t.Errorf("server back: %s: got %v", name, err)
		}
	}

	// A server that takes connections and says nothing.
	goOn := db.Pause()
	fresh := open(t, db)
	if _, err := fresh.Channel(t.Context(), "acme", "support"); !errors.Is(err, control.ErrUnavailable) {
		t.Errorf("server hangs: got %v, want ErrUnavailable", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := db.Channel(ctx, "acme", "support"); !errors.Is(err, context.Canceled) || errors.Is(err, control.ErrUnavailable) {
		t.Errorf("a call that was cancelled: got %v, want context.Canceled", err)
	}
	goOn()
}

// A fault of ours must not tell people to try again later.
func TestOurFaultsAreNotUnavailability(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.mustCommit(t, message(1, []byte("x")))
	b.Exec(`update message set ref = 'nonsense'`)
	if _, err := b.Message(t.Context(), "acme", "support", r.IDs[ref(1)]); err == nil || errors.Is(err, control.ErrUnavailable) || errors.Is(err, control.ErrNotFound) {
		t.Errorf("an unreadable row: got %v", err)
	}
	if _, err := b.Channel(t.Context(), "acme", "a\x00b"); err == nil || errors.Is(err, control.ErrUnavailable) {
		t.Errorf("a value that Postgres does not take: got %v", err)
	}
	st := settings()
	st.Port = 70000
	if _, err := b.UpdateChannel(t.Context(), b.channel.ID, 1, st, nil, admin); err == nil || errors.Is(err, control.ErrUnavailable) {
		t.Errorf("a port that breaks a constraint: got %v", err)
	}
	if store.Unavailable(nil) || store.Unavailable(errors.New("x")) {
		t.Error("nothing or anything counts as unavailable")
	}
	for _, url := range []string{"postgres://user:hunter2@host:99999/x", "://hunter2"} {
		if _, err := store.Open(t.Context(), store.Config{URL: url}); err == nil {
			t.Errorf("%s was taken for a URL", url)
		} else if s := err.Error(); containsAny(s, "hunter2@") {
			t.Errorf("the error shows the password: %s", s)
		}
	}
}

// A database that hangs: the replica gives up before its lease ends, and takes its channels back as soon as it answers.
func TestReplicaOverAPause(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes a quarter of a minute")
	}
	db := storetest.NewServer(t)
	const n = 10
	addChannels(db, n)
	w := newWorld()
	a := w.join(t, db, "a")
	b := w.join(t, db, "b")
	eventually(t, 20*time.Second, func() (bool, string) {
		return a.count()+b.count() == n && a.count() >= 4 && b.count() >= 4, fmt.Sprintf("a %d, b %d", a.count(), b.count())
	})
	old := a.ID()
	goOn := db.Pause()
	paused := time.Now()
	eventually(t, 2*testTTL, func() (bool, string) {
		return a.count() == 0 && b.count() == 0, fmt.Sprintf("a acts on %d, b on %d", a.count(), b.count())
	})
	if took := time.Since(paused); took > testTTL {
		t.Errorf("given up after %v, want before the TTL of %v", took, testTTL)
	}
	if len(a.Buckets()) != 0 || a.ID() != "" {
		t.Errorf("a still has %d buckets under id %q", len(a.Buckets()), a.ID())
	}
	more := time.NewTimer(testTTL)
	<-more.C
	goOn()
	back := time.Now()
	eventually(t, 15*time.Second, func() (bool, string) {
		return a.count()+b.count() == n, fmt.Sprintf("a %d, b %d", a.count(), b.count())
	})
	t.Logf("all channels taken up again %v after the database", time.Since(back).Round(time.Millisecond))
	if took := time.Since(back); took > testTTL+5*time.Second {
		t.Errorf("taken up again after %v", took)
	}
	if a.ID() == old {
		t.Error("a goes on under the session that it gave up")
	}
	w.settled(t, db, n, a, b)
	bucketsOnce(t, a, b)
	w.check(t)
}

// A restart that is shorter than the lease costs nothing.
func TestReplicaOverARestart(t *testing.T) {
	t.Parallel()
	db := storetest.NewServer(t)
	const n = 6
	addChannels(db, n)
	w := newWorld()
	// As long as in production: a server needs its time to recover.
	a := w.join(t, db, "a", func(m *member) { m.TTL = store.TTL })
	w.settled(t, db, n, a)
	id := a.ID()
	db.Server.Kill()
	db.Resume()
	eventually(t, 10*time.Second, func() (bool, string) {
		return db.Int(`select count(*) from replica where heartbeat_at > pg_postmaster_start_time()`) == 1, "no sign of life since the restart"
	})
	if a.ID() != id || a.count() != n || !a.gaveUp.IsZero() {
		t.Errorf("a is %q with %d channels, gave up %v; want %q with %d", a.ID(), a.count(), a.gaveUp, id, n)
	}
	w.check(t)
}
