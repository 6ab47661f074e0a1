package poll_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/poll"
	"github.com/mailintake/mailintake/internal/mailtest"
	"github.com/mailintake/mailintake/store/storetest"
)

// soon visits a channel again after a moment.
func soon(s *control.Settings) { s.PollInterval = 20 * time.Millisecond }

// schedule runs a scheduler until the test ends or stop is called.
func (b *bench) schedule(t testing.TB, own ...ingest.Ownership) (s *poll.Scheduler, stop func()) {
	t.Helper()
	s = poll.NewScheduler(b.poller, b.poller.Log)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			t.Errorf("Run: %v", err)
		}
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	s.Own(own)
	return s, stop
}

// state is what people see of the channel.
func (x *box) state() ingest.State {
	x.t.Helper()
	return ingest.State(x.Int(`select state from channel_status where channel_id = $1`, x.id))
}

func (x *box) failures() int64 {
	x.t.Helper()
	return x.Int(`select failures from channel_status where channel_id = $1`, x.id)
}

// hooks are a Store that tests look into.
type hooks struct {
	poll.Store
	polled func(ids []ingest.ChannelID, err error)
	commit func(own ingest.Ownership) error // refuses a commit
	saved  func(own ingest.Ownership, h ingest.Health)
}

func (s *hooks) Polled(ctx context.Context, owner ingest.ReplicaID, ids []ingest.ChannelID) ([]*ingest.Channel, error) {
	chs, err := s.Store.Polled(ctx, owner, ids)
	if s.polled != nil {
		s.polled(ids, err)
	}
	return chs, err
}

func (s *hooks) Commit(ctx context.Context, own ingest.Ownership, b *ingest.Batch) (ingest.Receipt, error) {
	if s.commit != nil {
		if err := s.commit(own); err != nil {
			return ingest.Receipt{}, err
		}
	}
	return s.Store.Commit(ctx, own, b)
}

func (s *hooks) SaveHealth(ctx context.Context, own ingest.Ownership, revision int64, h ingest.Health) error {
	err := s.Store.SaveHealth(ctx, own, revision, h)
	if s.saved != nil {
		s.saved(own, h)
	}
	return err
}

// A panic stays in the channel that it happened in, wherever in a visit that is.
func TestPanicIsContained(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	atOpen, atEvent, good := b.box(t, ingest.IMAP, soon), b.box(t, ingest.POP3, soon), b.box(t, ingest.POP3, soon)
	open, event := b.poller.Open, b.poller.Event
	b.poller.Open = func(ctx context.Context, m *ingest.Mailbox, readOnly bool) (ingest.Session, error) {
		if m.Port == atOpen.imap.Port() {
			panic("at login")
		}
		return open(ctx, m, readOnly)
	}
	b.poller.Event = func(c ingest.Committed) (string, []byte, error) {
		if c.Channel.ID == atEvent.id {
			panic("in the transaction")
		}
		return event(c)
	}
	atEvent.deliver(mail(1))
	good.deliver(mail(1))
	b.schedule(t, atOpen.own, atEvent.own, good.own)
	for _, x := range []*box{atOpen, atEvent} {
		await(t, "state of a channel that panics", func() bool { return x.state() == ingest.StateBackingOff && x.failures() >= 2 })
	}
	await(t, "mail of the good one", func() bool { return good.count("message") == 1 })
	good.deliver(mail(2))
	await(t, "more mail of the good one", func() bool { return good.count("message") == 2 })
	if n := b.metric(t, "mailintake_visit_panics_total"); n < 4 {
		t.Errorf("%v panics counted, want 4 or more", n)
	}
	if st := good.state(); st != ingest.StateActive {
		t.Errorf("the good channel is %v", st)
	}
}

// Channels of a host that stalls take no more than their share of the places, from their first visit on.
func TestStallingHostDelaysNobody(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	silent, err := mailtest.RunRaw("127.0.0.2:0", mailtest.Silent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(silent.Close)
	const stalled = 3 * poll.HostVisits
	var own []ingest.Ownership
	for range stalled {
		own = append(own, b.claim(t, b.channel(t, ingest.POP3, "127.0.0.2", silent.Port(), soon)))
	}
	var mu sync.Mutex
	loaded, now, most := map[ingest.ChannelID]bool{}, 0, 0 // visits to the host that stalls
	b.poller.Store = &hooks{Store: b.poller.Store, polled: func(ids []ingest.ChannelID, _ error) {
		mu.Lock()
		defer mu.Unlock()
		loaded[ids[0]] = true
	}}
	open := b.poller.Open
	b.poller.Open = func(ctx context.Context, m *ingest.Mailbox, readOnly bool) (ingest.Session, error) {
		if m.Host == "127.0.0.2" {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			defer func() {
				mu.Lock()
				now--
				mu.Unlock()
			}()
		}
		return open(ctx, m, readOnly)
	}
	s, _ := b.schedule(t, own...)
	await(t, "load of all channels", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(loaded) == stalled && most >= poll.HostVisits
	})
	good := b.box(t, ingest.POP3, soon)
	good.deliver(mail(1))
	s.Own([]ingest.Ownership{good.own})
	await(t, "mail of another host", func() bool { return good.count("message") == 1 })
	mu.Lock()
	n := most
	mu.Unlock()
	if n != poll.HostVisits {
		t.Errorf("%d visits to the host that stalls go on at once, want %d", n, poll.HostVisits)
	}
}

// Disown ends the visit that goes on, waits for it, and no other begins.
func TestDisownWaits(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	x := b.box(t, ingest.IMAP, soon)
	b.imap.Dialer.IOTimeout = patience
	x.deliver(mails(1, 5)...)
	x.fetchFault(3, &mailtest.FetchFault{Stall: true, After: 10})
	s, _ := b.schedule(t, x.own)
	if err := x.imap.Await(t.Context(), "UID FETCH", 2); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.Disown([]ingest.ChannelID{x.id})
	if took := time.Since(began); took > patience/4 {
		t.Errorf("Disown took %v: the visit was not stopped", took)
	}
	if n := b.metric(t, "mailintake_visits_running"); n != 0 {
		t.Errorf("%v visits go on after Disown", n)
	}
	if n := b.metric(t, "mailintake_channels_owned"); n != 0 {
		t.Errorf("%v channels are owned after Disown", n)
	}
	if x.failures() != 0 {
		t.Error("being disowned counts as a failure of the channel")
	}
	x.fetchFault(0, nil)
	x.claim()
	s.Own([]ingest.Ownership{x.own})
	await(t, "the rest after coming back", func() bool { return x.count("message") == 5 })
	s.DisownAll()
	x.holds("once", mails(1, 5)...)
}

// A channel that was taken over in the middle of a visit is dropped; nothing is stored or settled by the old owner.
func TestFencedCommit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p ingest.Protocol) {
		b := newBench(t)
		x := b.box(t, p, func(s *control.Settings) { soon(s); s.Settlement = ingest.SettleDelete })
		x.deliver(mails(1, 5)...)
		taken := make(chan ingest.Ownership, 1)
		b.poller.Store = &hooks{Store: b.poller.Store, commit: func(own ingest.Ownership) error {
			if own.Epoch == x.own.Epoch && len(taken) == 0 {
				taken <- b.claim(t, x.id)
			}
			return nil
		}}
		s, stop := b.schedule(t, x.own)
		await(t, "the fence", func() bool { return b.metric(t, "mailintake_fenced_total") == 1 })
		await(t, "the channel to be dropped", func() bool { return b.metric(t, "mailintake_channels_owned") == 0 })
		if n := x.count("message"); n != 0 || x.inbox.Len() != 5 || len(x.changes()) > 0 {
			t.Errorf("the old owner stored %d, left %d, sent %q", n, x.inbox.Len(), x.changes())
		}
		if x.failures() != 0 {
			t.Error("the old owner reported a failure")
		}
		s.Own([]ingest.Ownership{<-taken})
		await(t, "the new owner's work", func() bool { return x.inbox.Len() == 0 })
		stop()
		x.holds("once", mails(1, 5)...)
	})
}

// Failures of our own database are no failures of the channel, and nothing is settled.
func TestDatabaseErrorsAreNotTheChannels(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	x := b.box(t, ingest.POP3, func(s *control.Settings) { soon(s); s.Settlement = ingest.SettleDelete })
	x.deliver(mails(1, 3)...)
	var failed atomic.Int32
	b.poller.Store = &hooks{Store: b.poller.Store, commit: func(ingest.Ownership) error {
		if failed.Add(1) <= 2 {
			if n := x.inbox.Len(); n != 3 || x.sent("DELE") > 0 {
				t.Errorf("%d messages are left before anything is stored", n)
			}
			return errors.New("the database is away")
		}
		return nil
	}, saved: func(_ ingest.Ownership, h ingest.Health) {
		if h.State != ingest.StateActive || h.Failures != 0 {
			t.Errorf("health was saved as %v with %d failures", h.State, h.Failures)
		}
	}}
	b.schedule(t, x.own)
	await(t, "mail", func() bool { return x.inbox.Len() == 0 })
	x.holds("once", mails(1, 3)...)
	await(t, "state", func() bool { return x.state() == ingest.StateActive })
}

// Health is written when it changes, and else once in a while.
func TestHealthIsSavedOnChange(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	x := b.box(t, ingest.POP3, soon)
	var mu sync.Mutex
	var saved []ingest.State
	saves := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(saved)
	}
	b.poller.Store = &hooks{Store: b.poller.Store, saved: func(_ ingest.Ownership, h ingest.Health) {
		mu.Lock()
		defer mu.Unlock()
		saved = append(saved, h.State)
	}}
	s, _ := b.schedule(t, x.own)
	visits := func(n int) {
		t.Helper()
		if err := x.pop3.Await(t.Context(), "QUIT", x.pop3.Count("QUIT")+n); err != nil {
			t.Fatal(err)
		}
	}
	visits(6)
	if n := saves(); n != 1 {
		t.Errorf("%d saves in six visits without news, want 1", n)
	}
	await(t, "a pause between visits", func() bool { return s.Saved(x.id) })
	visits(6)
	if n := saves(); n != 2 {
		t.Errorf("%d saves when a minute had passed, want 2", n)
	}
	x.deliver(mail(1))
	await(t, "news", func() bool { return saves() == 3 })
	x.pop3.SetLoginError("[SYS/TEMP] come back later")
	await(t, "trouble", func() bool { return x.state() == ingest.StateBackingOff })
	x.pop3.SetLoginError("")
	await(t, "recovery", func() bool { return x.state() == ingest.StateActive })
	mu.Lock()
	defer mu.Unlock()
	if !slices.Contains(saved, ingest.StateBackingOff) || saved[len(saved)-1] != ingest.StateActive {
		t.Errorf("saved %v", saved)
	}
}

// A new owner keeps to the pause that the failures of a channel earned; who changes the channel ends it.
func TestNextAttemptIsHonoured(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	x := b.box(t, ingest.IMAP, soon)
	other := b.box(t, ingest.IMAP, soon)
	x.Exec(`update channel_status set state = 5, failures = 3, auth_failures = 3, next_attempt = now() + interval '1 hour' where channel_id = $1`, x.id)
	var mu sync.Mutex
	loads := 0
	b.poller.Store = &hooks{Store: b.poller.Store, polled: func(ids []ingest.ChannelID, _ error) {
		mu.Lock()
		defer mu.Unlock()
		if ids[0] == x.id {
			loads++
		}
	}}
	x.deliver(mail(1))
	b.schedule(t, x.own)
	b.schedule(t, other.own) // another replica, which tells how time goes by
	await(t, "visits of another channel", func() bool { return other.imap.Logins() >= 5 })
	mu.Lock()
	n := loads
	mu.Unlock()
	if x.imap.Logins() != 0 || n == 0 {
		t.Errorf("%d logins and %d loads within the pause, want no login", x.imap.Logins(), n)
	}
	x.Exec(`update channel_status set failures = 0, auth_failures = 0, next_attempt = null where channel_id = $1`, x.id)
	x.Exec(`update channel set revision = revision + 1, changed_at = now() where channel_id = $1`, x.id)
	await(t, "mail after the change", func() bool { return x.count("message") == 1 })
}

// A change of a channel, or a wish to have it visited, brings its visit forward.
func TestChangeIsNoticed(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	x := b.box(t, ingest.POP3, func(s *control.Settings) { s.PollInterval = time.Hour })
	b.schedule(t, x.own)
	await(t, "first visit", func() bool { return x.state() == ingest.StateActive })
	x.deliver(mail(1))
	x.Exec(`update channel set wake = wake + 1, changed_at = now() where channel_id = $1`, x.id)
	await(t, "mail", func() bool { return x.count("message") == 1 })
}

// A poll without news adds nothing to the write-ahead log.
func TestQuietVisitWritesNoWAL(t *testing.T) {
	t.Parallel()
	b := benchOn(t, storetest.NewServer(t))
	for _, p := range []ingest.Protocol{ingest.IMAP, ingest.POP3} {
		x := b.box(t, p, func(s *control.Settings) { s.Settlement = ingest.SettleDelete })
		x.deliver(mails(1, 50)...)
		x.visits(3)
		const position = `select (pg_current_wal_insert_lsn() - '0/0')::bigint`
		// The server has chores of its own: one visit of some that adds nothing is proof.
		least := int64(1 << 60)
		for range 10 {
			before := x.Int(position)
			x.visit()
			least = min(least, x.Int(position)-before)
		}
		if least != 0 {
			t.Errorf("%v: a visit without news writes %d octets of WAL", p, least)
		}
	}
}
