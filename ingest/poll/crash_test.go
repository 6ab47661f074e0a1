package poll_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/poll"
)

// crasher stops a visit at one of its steps: softly, by cancelling its context, or hard, as kill -9 does: nothing
// reaches the server or the database any more, and the connection is cut.
type crasher struct {
	stop func(step string) bool // asked at each step; may be nil
	at   int                    // stop at the step of this number, from 1; 0 is never
	hard bool

	mu     sync.Mutex
	cancel context.CancelFunc
	kick   func()
	seen   map[string]int
	steps  []string
	dead   bool
	box    *box
}

var errDead = errors.New("the process is dead")

// poller is the poller of x with the crasher between it and everything else.
func (c *crasher) poller(x *box) (context.Context, *poll.Poller) {
	ctx, cancel := context.WithCancel(context.Background())
	x.t.Cleanup(cancel)
	c.cancel, c.kick, c.seen, c.box = cancel, x.kick, map[string]int{}, x
	p := *x.poller
	p.Store = &crashStore{p.Store, c}
	open := p.Open
	p.Open = func(ctx context.Context, m *ingest.Mailbox, readOnly bool) (s ingest.Session, err error) {
		err = c.around("open", func() error {
			s, err = open(ctx, m, readOnly)
			return err
		})
		if err != nil && s != nil {
			_ = s.Close()
			return nil, err
		}
		return &crashSession{s, c}, err
	}
	return ctx, &p
}

// step is a point at which the visit may stop.
func (c *crasher) step(name string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead {
		return errDead
	}
	c.seen[name]++
	name = fmt.Sprint(name, " ", c.seen[name])
	c.steps = append(c.steps, name)
	if len(c.steps) != c.at && (c.stop == nil || !c.stop(name)) {
		return nil
	}
	c.cancel()
	if !c.hard {
		return nil
	}
	c.dead = true
	c.kick()
	return errDead
}

// around runs one operation between two steps.
func (c *crasher) around(what string, do func() error) error {
	if err := c.step("before " + what); err != nil {
		return err
	}
	err := do()
	if dead := c.step("after " + what); dead != nil {
		return dead
	}
	return err
}

type crashStore struct {
	poll.Store
	*crasher
}

func (s *crashStore) Known(ctx context.Context, ch ingest.ChannelID, refs []ingest.Ref) (known map[ingest.Ref]ingest.Standing, err error) {
	err = s.around("known", func() error { known, err = s.Store.Known(ctx, ch, refs); return err })
	return known, err
}

func (s *crashStore) Unsettled(ctx context.Context, ch ingest.ChannelID, limit int) (refs []ingest.Ref, err error) {
	err = s.around("unsettled", func() error { refs, err = s.Store.Unsettled(ctx, ch, limit); return err })
	return refs, err
}

func (s *crashStore) Commit(ctx context.Context, own ingest.Ownership, b *ingest.Batch) (r ingest.Receipt, err error) {
	err = s.around("commit", func() error { r, err = s.Store.Commit(ctx, own, b); return err })
	return r, err
}

func (s *crashStore) Settled(ctx context.Context, own ingest.Ownership, refs []ingest.Ref, how ingest.Settlement) error {
	return s.around("settled", func() error { return s.Store.Settled(ctx, own, refs, how) })
}

type crashSession struct {
	ingest.Session
	*crasher
}

func (s *crashSession) List(ctx context.Context, after ingest.Cursor, limit ingest.Limit) (page ingest.Page, err error) {
	err = s.around("list", func() error { page, err = s.Session.List(ctx, after, limit); return err })
	return page, err
}

func (s *crashSession) Fetch(ctx context.Context, refs []ingest.Ref, each func(ingest.Arrival) error) (missing ingest.Missing, err error) {
	n := 0
	err = s.around("fetch", func() error {
		missing, err = s.Session.Fetch(ctx, refs, func(a ingest.Arrival) error {
			if n++; n == 1 || n == len(refs)/2 || n == len(refs) {
				return s.around("body", func() error { return each(a) })
			}
			return each(a)
		})
		return err
	})
	return missing, err
}

// Settle also checks that everything it is given is stored already.
func (s *crashSession) Settle(ctx context.Context, refs []ingest.Ref, how ingest.Settlement) error {
	return s.around("settle", func() error {
		known, err := s.box.Known(context.Background(), s.box.id, refs)
		if err != nil {
			return err
		}
		for _, r := range refs {
			if st := known[r]; st != ingest.Stored && st != ingest.Duplicate {
				s.box.t.Errorf("%v is settled although it is %v", r, st)
			}
		}
		return s.Session.Settle(ctx, refs, how)
	})
}

func (s *crashSession) Close() error {
	err := s.around("close", s.Session.Close)
	if errors.Is(err, errDead) {
		_ = s.Session.Close() // its connection is cut: this frees what is left of it here
	}
	return err
}

// Whatever step a visit ends at, the next ones finish its work: each message is stored and announced once, and the
// server is left as the settlement says.
func TestCrashAtEveryStep(t *testing.T) {
	t.Parallel()
	const messages = 202 // two batches
	for _, tt := range []struct {
		protocol ingest.Protocol
		how      ingest.Settlement
	}{
		{ingest.IMAP, ingest.SettleLeave}, {ingest.IMAP, ingest.SettleMarkSeen}, {ingest.IMAP, ingest.SettleDelete},
		{ingest.POP3, ingest.SettleLeave}, {ingest.POP3, ingest.SettleDelete},
	} {
		for _, hard := range []bool{false, true} {
			if !hard && tt.how == ingest.SettleLeave {
				continue // nothing is settled: the hard way is the harder test
			}
			t.Run(fmt.Sprintf("%v %v hard=%v", tt.protocol, tt.how, hard), func(t *testing.T) {
				t.Parallel()
				b := newBench(t)
				fill := func() *box {
					x := b.box(t, tt.protocol, func(s *control.Settings) { s.Settlement = tt.how })
					x.deliver(mails(0, messages)...)
					return x
				}
				clean := &crasher{}
				x := fill()
				if _, err := x.tryWith(clean.poller(x)); err != nil {
					t.Fatal(err)
				}
				t.Logf("%d steps: %s", len(clean.steps), strings.Join(clean.steps, ", "))
				for _, step := range clean.steps {
					x := fill()
					c := &crasher{hard: hard, stop: func(s string) bool { return s == step }}
					_, err := x.tryWith(c.poller(x))
					if !slices.Contains(c.steps, step) {
						t.Fatalf("the visit did not come to %s", step)
					}
					if err == nil && !strings.HasPrefix(step, "after close") && !strings.Contains(step, "settled") {
						t.Logf("%s: the visit went well all the same", step)
					}
					x.crashed()
					failed := x.visitUntil(3)
					x.settledWell(step, tt.how, messages)
					if failed > 0 {
						t.Logf("%s: %d more visits failed", step, failed)
					}
				}
			})
		}
	}
}

// crashed lets another replica take over once the server has noticed.
func (x *box) crashed() {
	x.t.Helper()
	await(x.t, "end of the connections", func() bool {
		if x.imap != nil {
			return x.imap.Open() == 0
		}
		return x.pop3.Open() == 0
	})
	x.claim()
}

// settledWell checks what is stored and what is left on the server.
func (x *box) settledWell(step string, how ingest.Settlement, messages int) {
	x.t.Helper()
	if n := x.Int(`select count(distinct sha256) from message where channel_id = $1`, x.id); int(n) != messages {
		x.t.Errorf("%s: %d different messages are stored, want %d", step, n, messages)
	}
	if n := x.count("message"); n != messages {
		x.t.Errorf("%s: %d messages are stored, want %d", step, n, messages)
	}
	if n := x.events("received"); n != messages {
		x.t.Errorf("%s: %d messages are announced, want %d", step, n, messages)
	}
	if n := x.Int(`select count(*) from ledger where channel_id = $1 and unsettled`, x.id); n != 0 {
		x.t.Errorf("%s: %d messages still wait to be settled", step, n)
	}
	left := x.inbox.Messages()
	seen := 0
	for _, m := range left {
		if slices.Contains(m.Flags, `\Seen`) {
			seen++
		}
	}
	wantLeft, wantSeen := messages, 0
	switch how {
	case ingest.SettleDelete:
		wantLeft = 0
	case ingest.SettleMarkSeen:
		wantSeen = messages
	}
	if len(left) != wantLeft || seen != wantSeen {
		x.t.Errorf("%s: %d messages are left on the server, %d of them seen, want %d and %d", step, len(left), seen, wantLeft, wantSeen)
	}
}
