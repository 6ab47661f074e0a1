package store_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"io"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store/storetest"
)

// octets is a message in memory.
type octets []byte

func (o octets) Size() int64                  { return int64(len(o)) }
func (o octets) SHA256() ingest.Digest        { return sha256.Sum256(o) }
func (o octets) Content() ingest.Digest       { return sha256.Sum256(bytes.TrimSuffix(o, []byte("\r\n"))) }
func (o octets) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(o)), nil }
func (o octets) Close() error                 { return nil }

func received(c ingest.Committed) (string, []byte, error) {
	typ := "received"
	if c.Item.Standing != ingest.Stored {
		typ = "quarantined"
	}
	return typ, fmt.Appendf(nil, `{"sequence":"%d"}`, c.Sequence), nil
}

func message(uid uint32, body []byte) ingest.Item {
	o := octets(body)
	return ingest.Item{Ref: ref(uid), Standing: ingest.Stored, Size: o.Size(), Content: o.Content(), Octets: o, Event: received, Parser: 1,
		Mail: &ingest.Mail{Subject: fmt.Sprintf("message %d", uid), Text: "hello"}}
}

func ref(uid uint32) ingest.Ref { return ingest.Ref{Folder: "INBOX", UIDValidity: 7, UID: uid} }

// bench is a database with one channel that one replica owns.
type bench struct {
	*storetest.DB
	channel control.Channel
	own     ingest.Ownership
	polled  *ingest.Channel
}

func setup(t *testing.T) *bench {
	t.Helper()
	b := &bench{DB: storetest.New(t)}
	b.channel, b.own, b.polled = owned(t, b.DB, "support")
	return b
}

// owned makes a channel that one replica owns.
func owned(t testing.TB, db *storetest.DB, id string) (control.Channel, ingest.Ownership, *ingest.Channel) {
	t.Helper()
	ch := newChannel(t, db, id)
	own := claim(t, db, ch.ID)
	chs, err := db.Polled(t.Context(), own.Replica, []ingest.ChannelID{ch.ID})
	if err != nil || len(chs) != 1 {
		t.Fatalf("Polled: got %d channels, error %v", len(chs), err)
	}
	return ch, own, chs[0]
}

func settings() control.Settings {
	return control.Settings{DisplayName: "Support", EmailAddress: "support@example.com", Enabled: true, Labels: map[string]string{"team": "a"},
		Protocol: ingest.IMAPS, Host: "imap.example.com", StartTLS: true, Username: "support", PollInterval: 60e9, MaxMessageBytes: 40 << 20}
}

func newChannel(t testing.TB, db *storetest.DB, id string) control.Channel {
	t.Helper()
	c, err := db.CreateChannel(t.Context(), control.NewChannel{Tenant: "acme", Channel: id, Settings: settings(), Password: ingest.NewSecret("pässword")},
		control.Audit{Actor: "test", Action: "channel.create", Resource: control.ChannelName("acme", id)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// claim makes a new replica the owner of a channel, as a take-over does.
func claim(t testing.TB, db *storetest.DB, ch ingest.ChannelID) ingest.Ownership {
	t.Helper()
	db.Exec(`delete from replica`)
	db.Exec(`insert into replica (replica_id, capacity, host, polls, relays) values (gen_random_uuid(), 100, 'test', true, true)`)
	db.Exec(`update channel_state set owner = (select replica_id from replica), epoch = epoch + 1 where channel_id = $1`, ch)
	epoch := db.Int(`select epoch from channel_state where channel_id = $1`, ch)
	return ingest.Ownership{Channel: ch, Replica: replicaID(t, db), Epoch: epoch}
}

func replicaID(t testing.TB, db *storetest.DB) ingest.ReplicaID {
	t.Helper()
	hi := db.Int(`select ('x' || left(replace(replica_id::text, '-', ''), 16))::bit(64)::bigint from replica`)
	lo := db.Int(`select ('x' || right(replace(replica_id::text, '-', ''), 16))::bit(64)::bigint from replica`)
	h := fmt.Sprintf("%016x%016x", uint64(hi), uint64(lo))
	return ingest.ReplicaID(h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:])
}

func (b *bench) commit(t *testing.T, items ...ingest.Item) (ingest.Receipt, error) {
	t.Helper()
	last := uint32(0)
	for _, it := range items {
		last = max(last, it.Ref.UID)
	}
	return b.Commit(t.Context(), b.own, &ingest.Batch{Channel: b.polled, Items: items, Cursor: ingest.Cursor{Folder: "INBOX", UIDValidity: 7, LastUID: last}})
}

func (b *bench) mustCommit(t *testing.T, items ...ingest.Item) ingest.Receipt {
	t.Helper()
	r, err := b.commit(t, items...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCommitStoresOctetsOfAnySize(t *testing.T) {
	t.Parallel()
	b := setup(t)
	sizes := []int{0, 1, 1000, 256 << 10, 256<<10 + 1, 700_000}
	var items []ingest.Item
	for i, n := range sizes {
		body := make([]byte, n)
		rand.Read(body)
		items = append(items, message(uint32(i+1), body))
	}
	r := b.mustCommit(t, items...)
	if r.FirstSequence != 1 || r.Events != len(sizes) {
		t.Fatalf("got first sequence %d and %d events, want 1 and %d", r.FirstSequence, r.Events, len(sizes))
	}
	for i, it := range items {
		want, _ := io.ReadAll(must(it.Octets.Open()))
		var got []byte
		for {
			part, err := b.ReadRaw(t.Context(), "acme", "support", r.IDs[it.Ref], int64(len(got)), 100_000)
			if err != nil {
				t.Fatal(err)
			}
			if len(part) == 0 {
				break
			}
			got = append(got, part...)
		}
		if !bytes.Equal(got, want) {
			t.Errorf("message %d: read back %d octets that differ from the %d stored", i, len(got), len(want))
		}
	}
	m, err := b.Message(t.Context(), "acme", "support", r.IDs[ref(3)])
	if err != nil {
		t.Fatal(err)
	}
	if m.Mail.Subject != "message 3" || m.Mail.Text != "hello" || m.Size != 1000 || m.Sequence != 3 || m.Ref != ref(3) {
		t.Errorf("got %+v", m)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func TestCommitTwiceStoresOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustCommit(t, message(1, []byte("one")), message(2, []byte("two")))
	r := b.mustCommit(t, message(2, []byte("two")), message(3, []byte("three")))
	want := map[ingest.Ref]ingest.Standing{ref(2): ingest.Stored}
	if diff := cmp.Diff(want, r.Known); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
	if len(r.IDs) != 1 || r.FirstSequence != 3 {
		t.Errorf("got ids %v from sequence %d, want message 3 alone as sequence 3", r.IDs, r.FirstSequence)
	}
	for _, table := range []string{"ledger", "message", "raw", "event", "outbox"} {
		if n := b.Int(`select count(*) from ` + table); n != 3 {
			t.Errorf("%s has %d rows, want 3", table, n)
		}
	}
	if n := b.Int(`select next_seq from channel_state`); n != 4 {
		t.Errorf("next sequence is %d, want 4", n)
	}
}

func TestCommitIsFenced(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustCommit(t, message(1, []byte("one")))
	claim(t, b.DB, b.channel.ID)
	_, err := b.commit(t, message(2, []byte("two")))
	if ingest.KindOf(err) != ingest.KindFenced {
		t.Fatalf("got error %v, want kind fenced", err)
	}
	if n := b.Int(`select count(*) from ledger`); n != 1 {
		t.Errorf("ledger has %d rows, want 1: a fenced commit must write nothing", n)
	}
	if n := b.Int(`select last_uid from channel_state`); n != 1 {
		t.Errorf("cursor is at %d, want 1", n)
	}
}

// A commit that began before a take-over and ends after it must find out: the claimer waits for its row lock or it
// waits for the claimer's.
func TestCommitRacesTakeOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const rounds = 30
	fenced, stored := 0, 0
	for i := range rounds {
		own := b.own
		errs := make(chan error, 1)
		go func() {
			_, err := b.Commit(context.Background(), own, &ingest.Batch{Channel: b.polled, Items: []ingest.Item{message(uint32(i+1), []byte("x"))},
				Cursor: ingest.Cursor{Folder: "INBOX", UIDValidity: 7, LastUID: uint32(i + 1)}})
			errs <- err
		}()
		b.own = claim(t, b.DB, b.channel.ID)
		switch err := <-errs; {
		case err == nil:
			stored++
		case ingest.KindOf(err) == ingest.KindFenced:
			fenced++
		default:
			t.Fatal(err)
		}
	}
	if n := b.Int(`select count(*) from message`); n != int64(stored) {
		t.Errorf("%d messages, want the %d whose commit succeeded (%d fenced)", n, stored, fenced)
	}
	if n := b.Int(`select count(*) from (select epoch - lag(epoch) over (order by seq) d from message) x where d < 0`); n != 0 {
		t.Errorf("%d messages have a lower epoch than the one before", n)
	}
}

func TestDeferredIsTriedAgainAndStoredOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	missing := ingest.Item{Ref: ref(1), Standing: ingest.Deferred, Reason: ingest.ReasonMissingBody, Size: 10}
	b.mustCommit(t, missing)
	b.mustCommit(t, missing)
	b.Exec(`update ledger set last_try = now() - interval '1 hour'`)
	got, err := b.Deferred(t.Context(), b.channel.ID, 10)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]ingest.DeferredRef{{Ref: ref(1), Attempts: 2}}, got); diff != "" {
		t.Errorf("deferred (-want +got):\n%s", diff)
	}
	gaveUp := missing
	gaveUp.Standing, gaveUp.Event = ingest.Quarantined, received
	b.mustCommit(t, gaveUp)
	b.mustCommit(t, message(1, []byte("here it is")))
	b.mustCommit(t, missing) // too late: stored stays stored
	if n := b.Int(`select standing from ledger`); n != int64(ingest.Stored) {
		t.Errorf("standing is %d, want stored", n)
	}
	if n := b.Int(`select count(*) from event`); n != 2 {
		t.Errorf("%d events, want 2: quarantined and received", n)
	}
}

func TestUnsettledUntilSettled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	one, two := message(1, []byte("one")), message(2, []byte("two"))
	one.Settle = true
	b.mustCommit(t, one, two)
	got, err := b.Unsettled(t.Context(), b.channel.ID, 10)
	if err != nil || len(got) != 1 || got[0] != ref(1) {
		t.Fatalf("got %v, %v; want message 1", got, err)
	}
	if err := b.Settled(t.Context(), b.own, []ingest.Ref{ref(1)}, ingest.SettleDelete); err != nil {
		t.Fatal(err)
	}
	if got, _ := b.Unsettled(t.Context(), b.channel.ID, 10); len(got) != 0 {
		t.Errorf("still unsettled: %v", got)
	}
	twins, err := b.Twins(t.Context(), b.channel.ID, []ingest.Digest{one.Content, two.Content})
	if err != nil {
		t.Fatal(err)
	}
	if !twins[one.Content][0].Deleted || twins[two.Content][0].Deleted {
		t.Errorf("got %v; want message 1 marked as deleted by us and message 2 not", twins)
	}
}

func TestKnown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	pop := message(0, []byte("by POP3"))
	pop.Ref = ingest.Ref{UIDL: "a;b UID=1/%\x7f"}
	b.mustCommit(t, message(1, []byte("one")), pop)
	got, err := b.Known(t.Context(), b.channel.ID, []ingest.Ref{ref(1), ref(2), pop.Ref})
	if err != nil {
		t.Fatal(err)
	}
	want := map[ingest.Ref]ingest.Standing{ref(1): ingest.Stored, pop.Ref: ingest.Stored}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("known (-want +got):\n%s", diff)
	}
}

// held is a message whose octets stop in the middle until they are let go, as when the process is paused.
type held struct {
	octets
	reached, release chan struct{}
}

func (h *held) Open() (io.ReadCloser, error) {
	return io.NopCloser(io.MultiReader(bytes.NewReader(h.octets[:1]), readerFunc(func([]byte) (int, error) {
		close(h.reached)
		<-h.release
		return 0, io.EOF
	}))), nil
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// No timeout of the server ends a COPY whose client is paused, so nothing may be locked meanwhile: the channel can be
// taken over at once, and who wakes up is fenced.
func TestPauseInTheMiddleOfOctetsLocksNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	it := message(1, []byte("x"))
	h := &held{octets: octets("x"), reached: make(chan struct{}), release: make(chan struct{})}
	it.Octets = h
	errs := make(chan error, 1)
	go func() {
		_, err := b.Commit(context.Background(), b.own, &ingest.Batch{Channel: b.polled, Items: []ingest.Item{it},
			Cursor: ingest.Cursor{Folder: "INBOX", UIDValidity: 7, LastUID: 1}})
		errs <- err
	}()
	<-h.reached
	if n := b.Int(`select count(*) from (select 1 from channel_state where channel_id = $1 for update skip locked) x`, b.channel.ID); n != 1 {
		t.Error("the channel's row is locked while the octets are written")
	} else {
		claim(t, b.DB, b.channel.ID)
	}
	close(h.release)
	if err := <-errs; ingest.KindOf(err) != ingest.KindFenced {
		t.Errorf("got %v, want fenced", err)
	}
	if n := b.Int(`select count(*) from raw`); n != 0 {
		t.Errorf("%d pieces of a fenced commit are stored", n)
	}
}

// Octets of a message that turns out to be known are not kept.
func TestKnownMessageLeavesNoOctets(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustCommit(t, message(1, []byte("one")))
	b.mustCommit(t, message(1, []byte("one")), message(2, []byte("two")))
	if n := b.Int(`select count(*) from raw`); n != 2 {
		t.Errorf("%d pieces, want 2", n)
	}
}
