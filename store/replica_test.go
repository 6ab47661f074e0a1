package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store"
	"github.com/mailintake/mailintake/store/storetest"
)

// testTTL is short enough to wait for and long enough for a machine that is busy.
const testTTL = 3 * time.Second

// world knows who acts on which channel and what must never be.
type world struct {
	mu       sync.Mutex
	acting   map[ingest.ChannelID]*member
	last     map[ingest.ChannelID]*member
	epochs   map[ingest.ChannelID]int64
	mistakes []string
}

func newWorld() *world {
	return &world{acting: map[ingest.ChannelID]*member{}, last: map[ingest.ChannelID]*member{}, epochs: map[ingest.ChannelID]int64{}}
}

func (w *world) wrong(format string, args ...any) {
	w.mistakes = append(w.mistakes, fmt.Sprintf(format, args...))
}

func (w *world) check(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for i, m := range w.mistakes {
		if i == 10 {
			t.Errorf("and %d more", len(w.mistakes)-i)
			break
		}
		t.Error(m)
	}
}

// member is one replica of a world.
type member struct {
	store.Replica
	name    string
	w       *world
	held    map[ingest.ChannelID]int64
	owns    int // calls
	gaveUp  time.Time
	disowns []ingest.ChannelID
	hold    chan struct{} // if set, Disown waits for it
	stop    func()
}

func (m *member) Own(own []ingest.Ownership) {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.owns++
	for _, o := range own {
		if other := m.w.acting[o.Channel]; other != nil && other != m {
			m.w.wrong("channel %d: %s begins under epoch %d while %s still acts", o.Channel, m.name, o.Epoch, other.name)
		}
		// A replica that could not hand a channel back takes it up again under the epoch that it had.
		again := m.w.last[o.Channel] == m && o.Epoch == m.w.epochs[o.Channel] && m.held[o.Channel] == 0
		if o.Epoch <= m.w.epochs[o.Channel] && !again {
			m.w.wrong("channel %d: %s begins under epoch %d after epoch %d", o.Channel, m.name, o.Epoch, m.w.epochs[o.Channel])
		}
		m.w.acting[o.Channel], m.w.last[o.Channel], m.w.epochs[o.Channel], m.held[o.Channel] = m, m, o.Epoch, o.Epoch
	}
}

func (m *member) Disown(chs []ingest.ChannelID) {
	m.w.mu.Lock()
	hold := m.hold
	m.w.mu.Unlock()
	if hold != nil {
		<-hold
	}
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	for _, ch := range chs {
		if m.held[ch] == 0 {
			m.w.wrong("channel %d: %s shall give back what it does not have", ch, m.name)
		}
		delete(m.held, ch)
		delete(m.w.acting, ch)
		m.disowns = append(m.disowns, ch)
	}
}

func (m *member) DisownAll() {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	m.gaveUp = time.Now()
	for ch := range m.held {
		delete(m.w.acting, ch)
	}
	clear(m.held)
}

func (m *member) count() int {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	return len(m.held)
}

func (m *member) holding() []ingest.ChannelID {
	m.w.mu.Lock()
	defer m.w.mu.Unlock()
	var chs []ingest.ChannelID
	for ch := range m.held {
		chs = append(chs, ch)
	}
	slices.Sort(chs)
	return chs
}

func (w *world) total() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.acting)
}

// join makes a member over a store of its own and lets it run until the test ends or stop is called.
func (w *world) join(t *testing.T, db *storetest.DB, name string, change ...func(*member)) *member {
	t.Helper()
	m := &member{name: name, w: w, held: map[ingest.ChannelID]int64{}}
	m.Replica = store.Replica{Store: open(t, db), Channels: m, Relay: true, TTL: testTTL, Log: slog.New(slog.DiscardHandler)}
	for _, f := range change {
		f(m)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := m.Run(ctx); err != nil {
			t.Errorf("%s: Run: %v", name, err)
		}
	}()
	m.stop = func() { cancel(); <-done }
	t.Cleanup(m.stop)
	return m
}

// settled waits until n channels are acted upon, each by the owner that the database names.
func (w *world) settled(t *testing.T, db *storetest.DB, n int, members ...*member) {
	t.Helper()
	eventually(t, 2*testTTL+10*time.Second, func() (bool, string) {
		owned := db.Int(`select count(*) from channel_state s join replica r on r.replica_id = s.owner`)
		sum := 0
		state := fmt.Sprintf("%d in the database", owned)
		for _, m := range members {
			mine := db.Int(`select count(*) from channel_state where owner::text = $1`, string(m.ID()))
			if int(mine) != m.count() {
				return false, fmt.Sprintf("%s acts on %d, the database says %d", m.name, m.count(), mine)
			}
			sum += m.count()
			state += fmt.Sprintf(", %s %d", m.name, m.count())
		}
		return int(owned) == n && sum == n && w.total() == n, state
	})
}

func bucketsOnce(t *testing.T, members ...*member) {
	t.Helper()
	eventually(t, 2*testTTL+10*time.Second, func() (bool, string) {
		var all []int16
		state := ""
		for _, m := range members {
			all = append(all, m.Buckets()...)
			state += fmt.Sprintf("%s %d ", m.name, len(m.Buckets()))
		}
		slices.Sort(all)
		return len(all) == store.RelayBuckets && len(slices.Compact(all)) == store.RelayBuckets, state
	})
}

func TestReplicasShareAndHandOver(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const n = 60
	addChannels(db, n)
	w := newWorld()
	a := w.join(t, db, "a")
	w.settled(t, db, n, a)
	bucketsOnce(t, a)
	b := w.join(t, db, "b")
	c := w.join(t, db, "c")
	eventually(t, 2*testTTL, func() (bool, string) {
		x, y, z := len(a.Buckets()), len(b.Buckets()), len(c.Buckets())
		return min(x, y, z) >= 20 && max(x, y, z) <= 22, fmt.Sprintf("a %d, b %d, c %d buckets, want a third each", x, y, z)
	})
	bucketsOnce(t, a, b, c)
	// One channel leaves a turn, so that the new ones do not make all logins at once.
	eventually(t, 40*time.Second, func() (bool, string) {
		state := fmt.Sprintf("a %d, b %d, c %d", a.count(), b.count(), c.count())
		return a.count() <= 22 && a.count()+b.count()+c.count() == n, state
	})
	if b.count() < 18 || c.count() < 18 {
		t.Errorf("got b %d and c %d of %d, want a third each", b.count(), c.count(), n)
	}
	w.settled(t, db, n, a, b, c)

	// A stop hands back at once, long before the TTL.
	began := time.Now()
	a.stop()
	if a.ID() != "" || a.Buckets() != nil || a.count() != 0 {
		t.Errorf("after Run: id %q, %d buckets, %d channels, want none", a.ID(), len(a.Buckets()), a.count())
	}
	eventually(t, testTTL, func() (bool, string) {
		return b.count()+c.count() == n, fmt.Sprintf("b %d, c %d", b.count(), c.count())
	})
	if took := time.Since(began); took > testTTL {
		t.Errorf("taken over after %v, want less than the TTL of %v", took, testTTL)
	}
	w.settled(t, db, n, b, c)
	bucketsOnce(t, b, c)
	w.check(t)
}

// A replica that cannot reach the database any more gives up before the others may take over.
func TestReplicaCutOff(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const n = 20
	addChannels(db, n)
	w := newWorld()
	a := w.join(t, db, "a")
	w.settled(t, db, n, a)
	b := w.join(t, db, "b")
	eventually(t, 20*time.Second, func() (bool, string) { return b.count() >= 9, fmt.Sprintf("b has %d", b.count()) })
	w.settled(t, db, n, a, b)
	lost := a.count()
	sessions := a.ID()

	cut := time.Now()
	a.Store.Close()
	eventually(t, testTTL+5*time.Second, func() (bool, string) { return b.count() == n, fmt.Sprintf("b has %d of %d", b.count(), n) })
	took := time.Since(cut)
	w.mu.Lock()
	gave := a.gaveUp
	w.mu.Unlock()
	if gave.IsZero() || gave.Sub(cut) > testTTL {
		t.Errorf("a gave up after %v, want before the TTL of %v", gave.Sub(cut), testTTL)
	}
	t.Logf("%d channels: given up after %v, taken over after %v", lost, gave.Sub(cut).Round(time.Millisecond), took.Round(time.Millisecond))
	if n := db.Int(`select count(*) from replica where replica_id::text = $1`, string(sessions)); n != 0 {
		t.Error("the dead replica is still on record")
	}
	w.settled(t, db, n, b)
	bucketsOnce(t, b)
	w.check(t)
}

// A replica that died without a word: nobody gives up anything, the row just grows old.
func TestReplicaDead(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const n = 7
	addChannels(db, n)
	db.Exec(`insert into replica (replica_id, capacity, host, polls, relays) values ('00000000-0000-0000-0000-00000000dead', 100, 'x', true, true)`)
	db.Exec(`update channel_state set owner = '00000000-0000-0000-0000-00000000dead', epoch = 5`)
	db.Exec(`update relay_bucket set owner = '00000000-0000-0000-0000-00000000dead', epoch = 5 where bucket < 40`)
	w := newWorld()
	a := w.join(t, db, "a")
	w.settled(t, db, n, a)
	bucketsOnce(t, a)
	if got := db.Int(`select count(*) from channel_state where epoch = 6`); got != n {
		t.Errorf("%d channels have the next epoch, want all %d", got, n)
	}
	if got := db.Int(`select count(*) from relay_bucket where epoch = 6`); got != 40 {
		t.Errorf("%d buckets have the next epoch, want the 40 of the dead", got)
	}
	w.check(t)
}

func TestReplicaTakenForDead(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const n = 5
	addChannels(db, n)
	w := newWorld()
	a := w.join(t, db, "a")
	w.settled(t, db, n, a)
	old := a.ID()
	db.Exec(`delete from replica`)
	eventually(t, 2*testTTL, func() (bool, string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return !a.gaveUp.IsZero(), "a has not given up"
	})
	w.settled(t, db, n, a)
	if a.ID() == old {
		t.Error("a goes on under its old id")
	}
	if got := db.Int(`select min(epoch) from channel_state`); got != 2 {
		t.Errorf("lowest epoch is %d, want 2 after the second claim", got)
	}
	w.check(t)
}

func TestReplicasSettleNearFairShares(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const n = 100
	addChannels(db, n)
	w := newWorld()
	a := w.join(t, db, "a")
	w.settled(t, db, n, a)
	b := w.join(t, db, "b")
	eventually(t, 40*time.Second, func() (bool, string) {
		return b.count() >= 49 && a.count()+b.count() == n, fmt.Sprintf("a %d, b %d", a.count(), b.count())
	})
	w.settled(t, db, n, a, b)
	// It stays there: nothing moves for some turns.
	w.mu.Lock()
	before, given := a.owns+b.owns, len(a.disowns)+len(b.disowns)
	w.mu.Unlock()
	turns := time.NewTimer(testTTL)
	<-turns.C
	w.mu.Lock()
	if a.owns+b.owns != before || len(a.disowns)+len(b.disowns) != given {
		t.Error("channels still move although the shares are fair")
	}
	w.mu.Unlock()
	w.check(t)
}

func TestCapacityWeighs(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const n = 80
	w := newWorld()
	big := w.join(t, db, "big", func(m *member) { m.Capacity = 300 })
	small := w.join(t, db, "small", func(m *member) { m.Capacity = 100 })
	eventually(t, testTTL, func() (bool, string) { return big.ID() != "" && small.ID() != "", "not joined" })
	addChannels(db, n)
	w.settled(t, db, n, big, small)
	if big.count() != 60 || small.count() != 20 {
		t.Errorf("got %d and %d, want 60 and 20", big.count(), small.count())
	}
	w.check(t)
}

func TestRelayOnlyGetsNoChannels(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const n = 10
	addChannels(db, n)
	w := newWorld()
	relay := w.join(t, db, "relay", func(m *member) { m.Channels = nil })
	poll := w.join(t, db, "poll", func(m *member) { m.Relay = false })
	w.settled(t, db, n, poll)
	bucketsOnce(t, relay)
	if relay.owns != 0 {
		t.Error("the relay was given channels")
	}
	if len(poll.Buckets()) != 0 {
		t.Errorf("the poller has %d buckets", len(poll.Buckets()))
	}
	w.check(t)
}

// Channels that are switched off or deleted are given back, also by a replica that has less than its share and finds
// nothing to claim.
func TestUnwantedChannelsAreReleased(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	var all []control.Channel
	for i := range 7 {
		all = append(all, newChannel(t, db, fmt.Sprintf("c%d", i)))
	}
	db.Exec(`insert into replica (replica_id, heartbeat_at, capacity, host, polls, relays) values ('00000000-0000-0000-0000-000000000001', now() + interval '1 hour', 100, 'x', true, true)`)
	// Another live replica has more than its share and does not let go, so that a stays below its own.
	db.Exec(`update channel_state set owner = '00000000-0000-0000-0000-000000000001', epoch = 1 where channel_id in (select channel_id from channel where channel in ('c0', 'c1', 'c2', 'c3', 'c4'))`)
	w := newWorld()
	a := w.join(t, db, "a")
	eventually(t, testTTL, func() (bool, string) { return a.count() == 2, fmt.Sprintf("a has %d", a.count()) })
	off := all[5].Settings
	off.Enabled = false
	if _, err := db.UpdateChannel(t.Context(), all[5].ID, all[5].Revision, off, nil, control.Audit{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, testTTL, func() (bool, string) {
		return slices.Equal(a.holding(), []ingest.ChannelID{all[6].ID}), fmt.Sprintf("a has %v", a.holding())
	})
	if _, err := db.DeleteChannel(t.Context(), all[6].ID, all[6].Revision, control.Audit{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, testTTL, func() (bool, string) { return a.count() == 0, fmt.Sprintf("a has %v", a.holding()) })
	eventually(t, testTTL, func() (bool, string) {
		n := db.Int(`select count(*) from channel_state where channel_id in ($1, $2) and owner is not null`, all[5].ID, all[6].ID)
		return n == 0, fmt.Sprintf("%d still have an owner in the database", n)
	})
	w.check(t)
}

// What a lost answer leaves behind: the database says that a owns a channel, a does not know of it.
func TestLostAnswerToClaim(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const n = 3
	addChannels(db, n)
	w := newWorld()
	a := w.join(t, db, "a")
	w.settled(t, db, n, a)
	addChannels2 := newChannel(t, db, "late")
	db.Exec(`update channel_state set owner = (select replica_id from replica), epoch = epoch + 1 where channel_id = $1 and owner is null`, addChannels2.ID)
	w.settled(t, db, n+1, a)
	// And the other way round: what it believes to have has gone to another.
	lost := a.holding()[0]
	db.Exec(`insert into replica (replica_id, heartbeat_at, capacity, host, polls, relays) values ('00000000-0000-0000-0000-000000000001', now() + interval '1 hour', 1, 'x', false, false)`)
	db.Exec(`update channel_state set owner = '00000000-0000-0000-0000-000000000001', epoch = epoch + 1 where channel_id = $1`, lost)
	eventually(t, 2*testTTL, func() (bool, string) {
		return a.count() == n && !slices.Contains(a.holding(), lost), fmt.Sprintf("a still acts on channel %d", lost)
	})
	w.check(t)
}

// A release that the database does not answer in time leaves the channel in our name: we must take it up again.
func TestReleaseThatFails(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const n = 12
	addChannels(db, n)
	w := newWorld()
	a := w.join(t, db, "a")
	w.settled(t, db, n, a)
	tx, err := open(t, db).Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	if _, err := tx.Exec(t.Context(), `select from channel_state for no key update`); err != nil {
		t.Fatal(err)
	}
	b := w.join(t, db, "b")
	eventually(t, 2*testTTL, func() (bool, string) {
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(a.disowns) > 0, "a has not tried to give anything back"
	})
	// The release waits for the lock, is given up, and a finds the channel in its name again.
	eventually(t, 3*testTTL, func() (bool, string) {
		mine := db.Int(`select count(*) from channel_state where owner::text = $1`, string(a.ID()))
		w.mu.Lock()
		tries := len(a.disowns)
		w.mu.Unlock()
		return tries > 1 && int(mine) == n, fmt.Sprintf("%d tries, %d in a's name", tries, mine)
	})
	if err := tx.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, 20*time.Second, func() (bool, string) {
		return a.count() <= 7 && a.count()+b.count() == n, fmt.Sprintf("a %d, b %d", a.count(), b.count())
	})
	w.settled(t, db, n, a, b)
	w.check(t)
}

// A visit that is slow to end delays a hand-over, not the signs of life.
func TestSlowDisownIsNotDeath(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const n = 12
	addChannels(db, n)
	w := newWorld()
	hold := make(chan struct{})
	a := w.join(t, db, "a", func(m *member) { m.hold = hold })
	w.settled(t, db, n, a)
	id := a.ID()
	b := w.join(t, db, "b")
	wait := time.NewTimer(2 * testTTL) // longer than a replica lives without a sign of life
	<-wait.C
	if a.ID() != id || a.count() != n {
		t.Errorf("a is %q with %d channels, want %q with %d", a.ID(), a.count(), id, n)
	}
	if got := db.Int(`select count(*) from replica where replica_id::text = $1 and heartbeat_at > now() - interval '2 seconds'`, string(id)); got != 1 {
		t.Error("a has given no sign of life while it waited for a visit to end")
	}
	close(hold)
	w.mu.Lock()
	a.hold = nil
	w.mu.Unlock()
	eventually(t, 20*time.Second, func() (bool, string) { return b.count() >= 5, fmt.Sprintf("b has %d", b.count()) })
	w.settled(t, db, n, a, b)
	w.check(t)
}

// Commits that take all connections must not look like death either.
func TestBusyPoolIsNotDeath(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	const n = 4
	addChannels(db, n)
	w := newWorld()
	a := w.join(t, db, "a")
	w.settled(t, db, n, a)
	id := a.ID()
	pool := a.Store.Pool()
	for range pool.Config().MaxConns {
		conn, err := pool.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Release()
	}
	wait := time.NewTimer(testTTL + testTTL/2)
	<-wait.C
	if a.ID() != id || a.count() != n {
		t.Errorf("a is %q with %d channels, want %q with %d", a.ID(), a.count(), id, n)
	}
	if !a.gaveUp.IsZero() {
		t.Error("a gave up everything because all connections were taken")
	}
}

// An owner that sleeps in a transaction holds its row's lock, which hides the orphan from those who would claim it. The
// server ends the transaction.
func TestSleeperInTransactionLosesItsChannel(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.Exec(`update replica set heartbeat_at = now() - interval '1 hour'`)
	tx, err := b.Pool().Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback(context.WithoutCancel(t.Context()))
	began := time.Now()
	if _, err := tx.Exec(t.Context(), `select from channel_state for no key update`); err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	w.epochs[b.channel.ID] = b.own.Epoch
	a := w.join(t, b.DB, "a")
	eventually(t, store.TTL, func() (bool, string) { return a.count() == 1, "the channel is not claimed" })
	if took := time.Since(began); took < store.TTL/2-time.Second {
		t.Errorf("claimed after %v, before the server can have ended the transaction", took)
	}
	if _, err := tx.Exec(t.Context(), `select 1`); err == nil {
		t.Error("the sleeper's transaction still lives")
	}
	if _, err := b.commit(t, message(1, []byte("late"))); ingest.KindOf(err) != ingest.KindFenced {
		t.Errorf("the sleeper's commit: got %v, want fenced", err)
	}
	w.check(t)
}

func TestEndReplicas(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if err := b.EndReplicas(t.Context()); err != nil {
		t.Fatal(err)
	}
	w := newWorld()
	w.epochs[b.channel.ID] = b.own.Epoch
	a := w.join(t, b.DB, "a")
	eventually(t, testTTL/2, func() (bool, string) { return a.count() == 1, "the channel is not claimed at once" })
	w.check(t)
}
