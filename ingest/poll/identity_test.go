package poll_test

import (
	"testing"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/internal/mailtest"
)

// A mailbox is numbered anew: nothing stored comes twice, what is new comes in, and two messages that are equal to the
// last octet stay two, however often that happens.
func TestResetKeepsTwinsApart(t *testing.T) {
	t.Parallel()
	x := newBench(t).box(t, ingest.IMAP, nil)
	x.deliver(mail(1), mail(2), mail(1), mail(3))
	x.visit()
	want := [][]byte{mail(1), mail(1), mail(2), mail(3)}
	x.holds("before", want...)
	for i := range 3 {
		x.inbox.SetUIDValidity(uint32(10 + i))
		fresh := mail(100 + i)
		x.deliver(fresh)
		want = append(want, fresh)
		if i == 1 {
			x.deliver(mail(1)) // a third one
			want = append(want, mail(1))
		}
		x.visit()
		x.holds("after a reset", want...)
		if n := x.visit(); n.Stored+n.Duplicate > 0 {
			t.Errorf("the visit after reset %d brought in %+v", i, n)
		}
	}
}

// After a reset the UIDs are the same and name other messages.
func TestResetSameUIDsOtherMails(t *testing.T) {
	t.Parallel()
	x := newBench(t).box(t, ingest.IMAP, func(s *control.Settings) { s.Settlement = ingest.SettleDelete })
	x.deliver(mails(1, 3)...)
	// The first generation is stored, but a refusal keeps it from being settled.
	x.imap.SetFaults(mailtest.IMAPFaults{Command: func(name string) string {
		if name == "STORE" {
			return "not now"
		}
		return ""
	}})
	if _, err := x.try(); err == nil {
		t.Fatal("the refusal to settle is not told")
	}
	x.imap.SetFaults(mailtest.IMAPFaults{})
	x.inbox.Remove(1, 2, 3)
	x.inbox.SetUIDValidity(77)
	x.deliver(mails(11, 3)...)
	x.imap.Forget()
	x.visit()
	x.holds("both generations", append(mails(1, 3), mails(11, 3)...)...)
	if n := x.inbox.Len(); n != 0 {
		t.Errorf("%d messages are left, want none", n)
	}
}

// A reset while a long first reading goes on, and a crash in the middle of reading anew.
func TestResetInTheMiddle(t *testing.T) {
	t.Parallel()
	for _, how := range []ingest.Settlement{ingest.SettleLeave, ingest.SettleMarkSeen} {
		t.Run(how.String(), func(t *testing.T) {
			t.Parallel()
			x := newBench(t).box(t, ingest.IMAP, func(s *control.Settings) { s.Settlement, s.InitialSync = how, ingest.SyncNewOnly })
			x.deliverOld(mails(0, 250)...)
			x.visit()
			x.deliver(mails(1000, 450)...)
			x.visit()
			for validity := uint32(50); validity < 53; validity++ {
				x.inbox.SetUIDValidity(validity)
				x.deliver(mail(2000 + int(validity)))
				for _, step := range []string{"before commit 1", "after commit 1", "after commit 2", "before commit 3"} {
					c := &crasher{hard: true, stop: func(s string) bool { return s == step }}
					if _, err := x.tryWith(c.poller(x)); err == nil && step != "before commit 3" {
						t.Fatalf("no crash at %s", step)
					}
					x.crashed()
				}
				if n := x.Int(`select uid_validity from channel_state where channel_id = $1`, x.id); n != int64(validity) {
					t.Fatalf("the cursor is of generation %d, want %d", n, validity)
				}
			}
			x.visit()
			want := append(mails(1000, 450), mail(2050), mail(2051), mail(2052))
			x.holds("after three resets", want...)
			if n := x.Int(`select count(*) from channel_state where channel_id = $1 and started is not null`, x.id); n != 1 {
				t.Error("the first reading is not over")
			}
		})
	}
}

// The connection breaks in the middle of a visit, and the mailbox that the next connection opens is numbered anew.
func TestResetBetweenTwoConnectionsOfAVisit(t *testing.T) {
	t.Parallel()
	x := newBench(t).box(t, ingest.IMAP, func(s *control.Settings) { s.Folder = "Other" })
	folder := x.folders["Other"]
	for _, m := range mails(0, 250) {
		folder.Append(m)
	}
	renumbered := false
	x.imap.SetFaults(mailtest.IMAPFaults{Fetch: func(uid uint32) mailtest.FetchFault {
		if uid != 100 || renumbered {
			return mailtest.FetchFault{}
		}
		renumbered = true
		folder.Remove(1, 2, 3, 4, 5)
		folder.SetUIDValidity(99)
		return mailtest.FetchFault{Cut: true}
	}})
	x.visitUntil(4)
	x.visits(2)
	if n := x.Int(`select count(distinct sha256) from message where channel_id = $1`, x.id); n != 250 && n != 245 {
		t.Errorf("%d messages are stored, want 245, or 250 with those that were removed", n)
	}
	for _, m := range mails(5, 245) {
		if x.times(m) != 1 {
			t.Errorf("%s is stored %d times", subject(m), x.times(m))
		}
	}
}

// A mark that somebody took away is not set again because other mail came.
func TestMarkSeenOnce(t *testing.T) {
	t.Parallel()
	x := newBench(t).box(t, ingest.IMAP, func(s *control.Settings) { s.Settlement = ingest.SettleMarkSeen })
	x.deliver(mails(1, 2)...)
	x.visit()
	x.inbox.SetFlags(1)
	x.deliver(mail(3))
	x.visit()
	for _, m := range x.inbox.Messages() {
		if seen := len(m.Flags) == 1 && m.Flags[0] == `\Seen`; seen != (m.UID != 1) {
			t.Errorf("UID %d has flags %q", m.UID, m.Flags)
		}
	}
}

func TestPOP3AllUIDLsChange(t *testing.T) {
	t.Parallel()
	for _, replay := range []bool{false, true} {
		x := newBench(t).box(t, ingest.POP3, nil)
		x.deliver(append(mails(1, 4), mail(1))...)
		x.visit()
		for i, prefix := range []string{"a", "b"} {
			x.inbox.RenewUIDLs(prefix)
			x.deliver(mail(50 + i))
			id := ""
			if replay {
				id = x.replay(ingest.Range{})
			}
			if n := x.visit(); n.Duplicate != 5+i || n.Stored != 1 {
				t.Errorf("all UIDLs changed: got %+v, want %d duplicates, 1 stored", n, 5+i)
			}
			if replay {
				x.replayed(id)
			}
		}
		x.holds("after two changes", append(mails(1, 4), mail(1), mail(50), mail(51))...)
	}
}

// UIDLs that two messages share, and servers that know none.
func TestPOP3WithoutUsableUIDL(t *testing.T) {
	t.Parallel()
	for name, without := range map[string][]string{"shared": nil, "none": {"UIDL", "CAPA"}, "none and no TOP": {"UIDL", "TOP", "CAPA"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			x := b.boxPOP3(t, mailtest.POP3Options{Without: without}, nil)
			if without == nil {
				x.pop3.SetFaults(mailtest.POP3Faults{UIDL: func(n int, uidl string) string {
					if n <= 3 {
						return "same"
					}
					return uidl
				}})
			}
			x.deliver(mail(1), mail(2), mail(2), mail(3), mail(4))
			x.visit()
			want := [][]byte{mail(1), mail(2), mail(2), mail(3), mail(4)}
			x.holds("first", want...)
			x.visit()
			x.inbox.Remove(1) // the numbers of all others change
			x.deliver(mail(5))
			x.visit()
			x.holds("with other numbers", append(want, mail(5))...)
		})
	}
}

// A server without UIDL, and a message that cuts the connection: those behind it are not taken for gone.
func TestPOP3WithoutUIDLAfterACut(t *testing.T) {
	t.Parallel()
	x := newBench(t).boxPOP3(t, mailtest.POP3Options{Without: []string{"UIDL", "CAPA"}}, nil)
	x.deliver(mails(1, 10)...)
	x.pop3.SetFaults(mailtest.POP3Faults{Retr: func(n int) mailtest.RetrFault {
		if n == 4 {
			return mailtest.RetrFault{Cut: true, After: 50}
		}
		return mailtest.RetrFault{}
	}})
	x.visitUntil(4)
	x.visits(1)
	rest := append(mails(1, 3), mails(5, 6)...)
	x.holds("all but the fourth", rest...)
	if n := x.ledger(ingest.Deferred); n != 1 {
		t.Errorf("%d messages are deferred, want 1", n)
	}
	x.pop3.SetFaults(mailtest.POP3Faults{})
	x.visits(1)
	x.holds("all", append(rest, mail(4))...)
}

// What vanishes between LIST and RETR is gone, not an error.
func TestGone(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p ingest.Protocol) {
		x := newBench(t).box(t, p, nil)
		x.deliver(mails(1, 5)...)
		gone := func() bool { x.inbox.Remove(3); return true }
		if x.imap != nil {
			x.imap.SetFaults(mailtest.IMAPFaults{Command: func(name string) string {
				if name == "FETCH" && x.imap.Count("UID FETCH 1:5 (UID INTERNALDATE BODY.PEEK[])") > 0 {
					gone()
				}
				return ""
			}})
		} else {
			x.pop3.SetFaults(mailtest.POP3Faults{Retr: func(n int) mailtest.RetrFault {
				if n == 3 && gone() {
					return mailtest.RetrFault{Refuse: "no such message"}
				}
				return mailtest.RetrFault{}
			}})
		}
		if n := x.visit(); n.Stored != 4 || n.Gone != 1 {
			t.Errorf("got %+v, want 4 stored and 1 gone", n)
		}
		x.visit()
		x.holds("rest", mail(1), mail(2), mail(4), mail(5))
	})
}

func TestPOP3QuitFails(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		quit   mailtest.QuitFault
		fails  bool
		remain int
	}{
		"refused": {mailtest.QuitRefused, true, 3}, "cut before": {mailtest.QuitCutBefore, true, 3},
		"cut after": {mailtest.QuitCutAfter, true, 0}, "deletes none": {mailtest.QuitDeletesNone, false, 3},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x := newBench(t).box(t, ingest.POP3, func(s *control.Settings) { s.Settlement = ingest.SettleDelete })
			x.deliver(mails(1, 3)...)
			x.pop3.SetFaults(mailtest.POP3Faults{Quit: tt.quit})
			for range 2 {
				if _, err := x.try(); tt.fails != (err != nil) && x.inbox.Len() == 3 {
					t.Errorf("got error %v, want one: %v", err, tt.fails)
				}
				if n := x.inbox.Len(); n != tt.remain {
					t.Errorf("%d messages are left, want %d", n, tt.remain)
				}
			}
			x.pop3.SetFaults(mailtest.POP3Faults{})
			x.visit()
			x.settledWell(name, ingest.SettleDelete, 3)
			x.holds("once", mails(1, 3)...)
		})
	}
}

// What was deleted cannot come back: the same octets delivered anew are a new message.
func TestDeletedAndDeliveredAnew(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p ingest.Protocol) {
		x := newBench(t).box(t, p, func(s *control.Settings) { s.Settlement = ingest.SettleDelete })
		for i := range 3 {
			x.deliver(mail(1))
			x.visit()
			if got := x.times(mail(1)); got != i+1 {
				t.Errorf("delivered %d times, stored %d times", i+1, got)
			}
			if n := x.inbox.Len(); n != 0 {
				t.Errorf("%d messages are left, want none", n)
			}
		}
	})
}

// A cut in the middle of a body loses nothing and doubles nothing.
func TestCutOnce(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p ingest.Protocol) {
		x := newBench(t).box(t, p, func(s *control.Settings) { s.Settlement = ingest.SettleDelete })
		x.deliver(mails(1, 30)...)
		cuts := 0
		once := func(n int) bool {
			cuts++
			return n == 12 && cuts <= 12
		}
		if x.imap != nil {
			x.imap.SetFaults(mailtest.IMAPFaults{Fetch: func(uid uint32) mailtest.FetchFault { return mailtest.FetchFault{Cut: once(int(uid)), After: 40} }})
		} else {
			x.pop3.SetFaults(mailtest.POP3Faults{Retr: func(n int) mailtest.RetrFault { return mailtest.RetrFault{Cut: once(n), After: 40} }})
		}
		n, err := x.try()
		if err == nil || ingest.KindOf(err) != ingest.KindTemporary {
			t.Errorf("got error %v, want a temporary one", err)
		}
		if n.Stored != 11 {
			t.Errorf("got %+v, want 11 stored before the cut", n)
		}
		x.visitUntil(1)
		x.holds("all", mails(1, 30)...)
		if left := x.inbox.Len(); left != 0 {
			t.Errorf("%d messages are left, want none", left)
		}
		if n := x.ledger(ingest.Deferred) + x.ledger(ingest.Quarantined); n > 0 {
			t.Errorf("%d messages are deferred for one cut", n)
		}
	})
}

// A visit without news asks little, changes nothing on the server and writes nothing to the database.
func TestQuietVisit(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p ingest.Protocol) {
		x := newBench(t).box(t, p, nil)
		x.deliver(mails(1, 300)...)
		x.visit()
		x.visit()
		x.forget()
		w := &writes{Store: x.poller.Store}
		quiet := *x.poller
		quiet.Store = w
		ctx := t.Context()
		if n, err := x.tryWith(ctx, &quiet); err != nil || n.Stored > 0 {
			t.Fatalf("got %+v, %v", n, err)
		}
		if w.n > 0 {
			t.Errorf("%d writes to the database, want none", w.n)
		}
		// CAPABILITY or CAPA is asked before and after the login.
		if got := x.commands(); len(got) > 8 || len(x.changes()) > 0 {
			t.Errorf("the server was asked %q", got)
		}
	})
}

// RFC 1939 §7 lets a server use a UIDL anew once its message is gone. What comes under it is read, not taken for known
// and deleted unread; the same message that a server failed to delete is deleted again, and announced no second time.
func TestPOP3UIDLUsedAnew(t *testing.T) {
	t.Parallel()
	x := newBench(t).boxPOP3(t, mailtest.POP3Options{}, func(s *control.Settings) { s.Settlement = ingest.SettleDelete })
	put := func(raw []byte) {
		x.inbox.SetUIDL(x.inbox.Append(raw), "same")
	}
	for i := range 3 {
		put(mail(i))
		if n := x.visit(); n.Stored != 1 || n.Listed != n.Sum() {
			t.Errorf("message %d under the same UIDL: got %+v, want it stored", i, n)
		}
		if n := x.inbox.Len(); n != 0 {
			t.Errorf("message %d: %d left on the server, want none", i, n)
		}
	}
	put(mail(1))
	if n := x.visit(); n.Stored != 0 || n.Known != 1 {
		t.Errorf("a message that came back under its UIDL: got %+v, want it known", n)
	}
	if n := x.inbox.Len(); n != 0 {
		t.Errorf("%d left on the server, want none", n)
	}
	x.holds("each once", mails(0, 3)...)
	if n := x.events("received"); n != 3 {
		t.Errorf("%d events, want 3", n)
	}
}
