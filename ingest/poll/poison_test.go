package poll_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/poll"
	"github.com/mailintake/mailintake/internal/mailtest"
)

// fetchFault makes the server treat message n, which bears UID n, in some way; nil mends it.
func (x *box) fetchFault(n int, f *mailtest.FetchFault) {
	var imap mailtest.IMAPFaults
	var pop mailtest.POP3Faults
	if f != nil {
		imap.Fetch = func(uid uint32) mailtest.FetchFault {
			if int(uid) == n {
				return *f
			}
			return mailtest.FetchFault{}
		}
		pop.Retr = func(number int) mailtest.RetrFault {
			if x.inbox.Messages()[number-1].UID == uint32(n) {
				return mailtest.RetrFault{Refuse: f.Refuse, Cut: f.Cut, Stall: f.Stall, After: f.After, Body: f.Body}
			}
			return mailtest.RetrFault{}
		}
	}
	if x.imap != nil {
		x.imap.SetFaults(imap)
		return
	}
	x.pop3.SetFaults(pop)
}

// fetched is whether the server was asked for the body of message n on its own or in a small set.
func (x *box) fetched(n int) bool {
	for _, c := range x.commands() {
		if c == fmt.Sprint("RETR ", n) || strings.HasPrefix(c, fmt.Sprintf("UID FETCH %d ", n)) && strings.Contains(c, "BODY.PEEK[]") {
			return true
		}
	}
	return false
}

// protocolBreak is a session that sees the protocol broken when message n comes in.
type protocolBreak struct {
	ingest.Session
	is func(ingest.Ref) bool
}

func (s *protocolBreak) Fetch(ctx context.Context, refs []ingest.Ref, each func(ingest.Arrival) error) (ingest.Missing, error) {
	return s.Session.Fetch(ctx, refs, func(a ingest.Arrival) error {
		if s.is(a.Ref) {
			return &ingest.Error{Op: "fetch", Kind: ingest.KindProtocol, Reason: ingest.ReasonProtocol, Err: errors.New("octets that make no sense")}
		}
		return each(a)
	})
}

// breaking is the poller of x for which message n breaks the protocol while on says so.
func (x *box) breaking(n int, on *bool) *poll.Poller {
	p := *x.poller
	open := p.Open
	p.Open = func(ctx context.Context, m *ingest.Mailbox, readOnly bool) (ingest.Session, error) {
		s, err := open(ctx, m, readOnly)
		if err != nil || !*on {
			return s, err
		}
		return &protocolBreak{s, func(r ingest.Ref) bool {
			return int(r.UID) == n || strings.HasPrefix(r.UIDL, fmt.Sprintf("%08x", n))
		}}, nil
	}
	return &p
}

// One message that cannot be read does not keep the others out. It is tried again, given up after some tries with one
// event, passed over from then on, and brought in by a replay once the server is mended.
func TestPoison(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]*mailtest.FetchFault{
		"protocol": nil,
		"cut":      {Cut: true, After: 30},
		"stall":    {Stall: true, After: 30},
		"refuse":   {Refuse: "this one is broken"},
		"omit":     {Omit: true},
		"empty":    {Body: []byte{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, p ingest.Protocol) {
				if !p.IsIMAP() && (name == "omit" || name == "empty") {
					t.Skip("POP3 has no way to leave a message out, and an empty one is a message there")
				}
				poison(t, p, fault)
			})
		})
	}
}

func poison(t *testing.T, p ingest.Protocol, fault *mailtest.FetchFault) {
	const bad = 25
	x := newBench(t).box(t, p, func(s *control.Settings) { s.Settlement = ingest.SettleDelete })
	x.deliver(mails(1, 50)...)
	broken := fault == nil
	poller := x.breaking(bad, &broken)
	x.fetchFault(bad, fault)
	visit := func() error {
		_, err := x.tryWith(context.Background(), poller)
		x.later()
		return err
	}
	others := append(mails(1, bad-1), mails(bad+1, 50-bad)...)
	for visits := 0; x.count("message") < len(others); visits++ {
		if err := visit(); visits > 3 {
			t.Fatalf("after %d visits %d messages are stored, want %d; the last one said: %v", visits, x.count("message"), len(others), err)
		}
	}
	x.holds("the others", others...)
	if x.imap != nil {
		if n := x.Int(`select last_uid from channel_state where channel_id = $1`, x.id); n != 50 {
			t.Errorf("the cursor stands at %d, want 50", n)
		}
	}
	// From here on it costs nobody else anything.
	for i := 0; x.ledger(ingest.Quarantined) == 0; i++ {
		if n := x.ledger(ingest.Deferred); n != 1 {
			t.Fatalf("%d messages are deferred, want 1", n)
		}
		fresh := mail(100 + i)
		x.deliver(fresh)
		if err := visit(); err != nil {
			t.Errorf("a visit failed for a message that is deferred: %v", err)
		}
		if others = append(others, fresh); x.times(fresh) != 1 {
			t.Errorf("new mail did not come in beside it")
		}
		if i > poll.MaxAttempts {
			t.Fatalf("not given up after %d more visits", i)
		}
	}
	if n := x.Int(`select attempts from ledger where channel_id = $1 and standing = 4`, x.id); n != poll.MaxAttempts {
		t.Errorf("given up after %d tries, want %d", n, poll.MaxAttempts)
	}
	x.forget()
	for range 2 {
		if err := visit(); err != nil {
			t.Error(err)
		}
	}
	if x.fetched(bad) || x.fetched(1) {
		t.Errorf("what was given up is asked for again: %q", x.commands())
	}
	if n := x.events("quarantined"); n != 1 {
		t.Errorf("%d quarantined events, want 1", n)
	}
	if left := x.inbox.Messages(); len(left) != 1 || left[0].UID != bad {
		t.Errorf("%d messages are left on the server, want the bad one alone", len(left))
	}
	// A replay while it is still broken changes nothing.
	x.replayed(func() string { id := x.replay(ingest.Range{}); x.until(visit, id); return id }())
	if n := x.events("quarantined"); n != 1 {
		t.Errorf("%d quarantined events after a replay in vain, want 1", n)
	}
	x.fetchFault(0, nil)
	broken = false
	id := x.replay(ingest.Range{})
	x.visit()
	x.replayed(id)
	x.holds("all", append(others, mail(bad))...)
	x.visit()
	if n := x.inbox.Len(); n != 0 {
		t.Errorf("%d messages are left on the server, want none", n)
	}
}

// until visits until a replay ends.
func (x *box) until(visit func() error, id string) {
	x.t.Helper()
	for i := 0; x.Int(`select state from replay where replay_id = $1`, id) == int64(ingest.ReplayRunning); i++ {
		if err := visit(); i > 4 {
			x.t.Fatalf("the replay does not end: %v", err)
		}
	}
}

// The last message of a batch costs the connection; what is behind it is listed on a new one.
func TestPoisonAtTheEndOfABatch(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p ingest.Protocol) {
		x := newBench(t).box(t, p, nil)
		x.deliver(mails(1, 250)...)
		broken := true
		if n, err := x.tryWith(t.Context(), x.breaking(200, &broken)); err != nil || n.Stored != 249 {
			t.Errorf("got %+v, %v, want 249 stored", n, err)
		}
	})
}

// Two bad messages side by side do not wait for each other.
func TestTwoPoisons(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p ingest.Protocol) {
		x := newBench(t).box(t, p, nil)
		x.deliver(mails(1, 20)...)
		cut := func(n uint32) bool { return n == 7 || n == 8 }
		if x.imap != nil {
			x.imap.SetFaults(mailtest.IMAPFaults{Fetch: func(uid uint32) mailtest.FetchFault { return mailtest.FetchFault{Cut: cut(uid), After: 20} }})
		} else {
			x.pop3.SetFaults(mailtest.POP3Faults{Retr: func(n int) mailtest.RetrFault { return mailtest.RetrFault{Cut: cut(uint32(n)), After: 20} }})
		}
		if failed := x.visitUntil(6); failed > 5 {
			t.Errorf("%d visits failed", failed)
		}
		x.holds("others", append(mails(1, 6), mails(9, 12)...)...)
		for i := 0; x.ledger(ingest.Quarantined) < 2; i++ {
			x.visits(1)
			if i > poll.MaxAttempts {
				t.Fatal("not given up")
			}
		}
	})
}

// A pause that the server asks for is no fault of the message that came next.
func TestThrottledFetchBlamesNoMessage(t *testing.T) {
	t.Parallel()
	x := newBench(t).box(t, ingest.IMAP, nil)
	x.deliver(mails(1, 5)...)
	x.fetchFault(3, &mailtest.FetchFault{Refuse: "[LIMIT] too much"})
	for range 5 {
		if _, err := x.try(); ingest.KindOf(err) != ingest.KindThrottled {
			t.Fatalf("got error %v, want a throttled one", err)
		}
	}
	if n := x.ledger(ingest.Deferred) + x.ledger(ingest.Quarantined); n != 0 {
		t.Errorf("%d messages are blamed", n)
	}
	x.fetchFault(0, nil)
	x.visit()
	x.holds("all", mails(1, 5)...)
}

func TestTooLarge(t *testing.T) {
	t.Parallel()
	const limit = 64 << 10
	for name, announced := range map[string]int64{"announced": 0, "told smaller": 100} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			each(t, func(t *testing.T, p ingest.Protocol) { tooLarge(t, p, announced, big(4, 2*limit)) })
		})
	}
}

// A literal so large that it cannot even be thrown away: the connection is given up, the others come in all the same.
func TestFarTooLarge(t *testing.T) {
	t.Parallel()
	x := newBench(t).box(t, ingest.IMAP, nil)
	x.deliver(mails(1, 7)...)
	x.fetchFault(4, &mailtest.FetchFault{Body: make([]byte, 65<<20), Cut: true, After: 1000})
	if n := x.visit(); n.Quarantined != 1 || n.Stored != 6 {
		t.Errorf("got %+v, want 1 quarantined, 6 stored", n)
	}
	if n := x.Int(`select count(*) from ledger where channel_id = $1 and reason = $2`, x.id, string(ingest.ReasonTooLarge)); n != 1 {
		t.Errorf("%d refs on record as too large, want 1", n)
	}
	x.visit()
	if n := x.events("quarantined"); n != 1 {
		t.Errorf("%d quarantined events, want 1", n)
	}
}

func tooLarge(t *testing.T, p ingest.Protocol, announced int64, giant []byte) {
	x := newBench(t).box(t, p, nil)
	x.deliver(mails(1, 3)...)
	x.deliver(giant)
	x.deliver(mails(5, 3)...)
	size := func(n int64, size int64) int64 {
		if n == 4 && announced > 0 {
			return announced
		}
		return size
	}
	if x.imap != nil {
		x.imap.SetFaults(mailtest.IMAPFaults{Size: func(uid uint32, n int64) int64 { return size(int64(uid), n) }})
	} else {
		x.pop3.SetFaults(mailtest.POP3Faults{Size: func(number int, n int64) int64 { return size(int64(number), n) }})
	}
	if n := x.visit(); n.Quarantined != 1 || n.Stored != 6 {
		t.Errorf("got %+v, want 1 quarantined, 6 stored", n)
	}
	if announced == 0 && x.fetched(4) {
		t.Error("the body was asked for although its size was told")
	}
	x.forget()
	x.visits(2)
	if x.fetched(4) {
		t.Error("what is too large is asked for again")
	}
	if n := x.events("quarantined"); n != 1 {
		t.Errorf("%d quarantined events, want 1", n)
	}
	if n := x.Int(`select count(*) from ledger where channel_id = $1 and reason = $2`, x.id, string(ingest.ReasonTooLarge)); n != 1 {
		t.Errorf("%d refs on record as too large, want 1", n)
	}
	x.Exec(`update channel set max_message_bytes = 1 << 30 where channel_id = $1`, x.id)
	id := x.replay(ingest.Range{})
	x.visit()
	x.replayed(id)
	x.holds("with a higher limit", append(append(mails(1, 3), mails(5, 3)...), giant)...)
}

// A server that refuses to settle does not keep new mail out, and the refusal is told.
func TestSettleRefused(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p ingest.Protocol) {
		x := newBench(t).box(t, p, func(s *control.Settings) { s.Settlement = ingest.SettleDelete })
		x.deliver(mails(0, 450)...)
		if x.imap != nil {
			x.imap.SetFaults(mailtest.IMAPFaults{Command: func(name string) string {
				if name == "STORE" {
					return "you may not"
				}
				return ""
			}})
		} else {
			x.pop3.SetFaults(mailtest.POP3Faults{Command: func(name, arg string) string {
				if name == "DELE" && arg == "1" {
					return "you may not"
				}
				return ""
			}})
		}
		for i := range 3 {
			_, err := x.try()
			if e, ok := errors.AsType[*ingest.Error](err); !ok || e.Op != "settle" || e.Server == "" {
				t.Errorf("got error %v, want the refusal in the server's words", err)
			}
			if i == 0 {
				x.holds("at once", mails(0, 450)...)
			}
		}
		x.deliver(mail(1000))
		if _, err := x.try(); err == nil {
			t.Error("the refusal is told no more")
		}
		x.holds("new mail", append(mails(0, 450), mail(1000))...)
		if x.pop3 != nil && x.inbox.Len() > 300 {
			t.Errorf("one message that cannot be deleted keeps %d others", x.inbox.Len())
		}
		if x.imap != nil {
			x.imap.SetFaults(mailtest.IMAPFaults{})
		} else {
			x.pop3.SetFaults(mailtest.POP3Faults{})
		}
		x.visit()
		x.settledWell("mended", ingest.SettleDelete, 451)
	})
}

// A message that the parser cannot stand comes in whole, as do those beside it.
func TestParserPanics(t *testing.T) {
	t.Parallel()
	x := newBench(t).box(t, ingest.IMAP, nil)
	x.deliver(mails(1, 5)...)
	p := *x.poller
	p.Parse = func(ctx context.Context, ch *ingest.Channel, o ingest.Octets) *ingest.Mail {
		m := parse(ctx, ch, o)
		if m.Subject == "message 3" {
			panic("cannot stand this one")
		}
		return m
	}
	if n, err := x.tryWith(t.Context(), &p); err != nil || n.Stored != 5 {
		t.Errorf("got %+v, %v, want 5 stored", n, err)
	}
	x.holds("all", mails(1, 5)...)
	if n := x.metric(t, "mailintake_visit_panics_total"); n != 1 {
		t.Errorf("%v panics counted, want 1", n)
	}
}

// Octets that neither UTF-8 nor Postgres can hold come in as they are.
func TestOctetsThatNothingElseHolds(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p ingest.Protocol) {
		x := newBench(t).box(t, p, nil)
		msgs := [][]byte{
			[]byte("Subject: \x00 nul\r\nFrom: \x00\xff <a\x00@b>\r\nMessage-ID: <\x00>\r\n\r\n\x00\xff\xfe\r\n"),
			[]byte("Subject: =?utf-8?B?AO2ggP8=?=\r\nContent-Type: text/plain; charset=\"\x00\"\r\n\r\nx\r\n"),
			[]byte("Content-Type: application/x; name=\"a\x00\xc3(\"\r\nContent-ID: <\x00>\r\n\r\n\\u0000\r\n"),
			[]byte("\r\n"),
			[]byte("no header at all\r\n"),
			append([]byte("Subject: "), append(bytes.Repeat([]byte("\xf0\x9f"), 30_000), "\r\n\r\n"...)...),
			[]byte("Date: Thu, 31 Dec 9999999 23:59:59 +9999\r\nReceived: x; Mon, 01 Jan 0000 00:00:00 +0000\r\n\r\n.\r\n..\r\n"),
			[]byte("Date: Mon, 01 Jan 0001 00:00:00 +1400\r\n\r\nx\r\n"),
		}
		x.deliver(msgs...)
		if n := x.visit(); n.Stored != len(msgs) {
			t.Errorf("got %+v, want %d stored", n, len(msgs))
		}
		x.holds("all", msgs...)
	})
}
