package poll_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/internal/mailtest"
)

func TestSyncAll(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p ingest.Protocol) {
		x := newBench(t).box(t, p, nil)
		x.deliverOld(mails(1, 3)...)
		x.visit()
		x.holds("everything", mails(1, 3)...)
		x.deliver(mails(4, 2)...)
		if n := x.visit(); n.Stored != 2 {
			t.Errorf("second visit: got %+v, want 2 stored", n)
		}
		x.holds("and what came", mails(1, 5)...)
		if got := x.changes(); len(got) > 0 {
			t.Errorf("LEAVE sent %q", got)
		}
		if x.imap != nil && x.sent("SELECT") > 0 {
			t.Error("LEAVE opened the folder for writing")
		}
	})
}

// More messages than one batch holds, and more than one page.
func TestManyBatches(t *testing.T) {
	t.Parallel()
	each(t, func(t *testing.T, p ingest.Protocol) {
		x := newBench(t).box(t, p, nil)
		x.deliver(mails(0, 450)...)
		if n := x.visit(); n.Listed != 450 || n.Stored != 450 {
			t.Errorf("got %+v, want 450 listed and stored", n)
		}
		x.holds("all", mails(0, 450)...)
		if n := x.Int(`select count(*) from (select m.seq, lag(m.seq) over (order by l.n) as before
  from message m join (select ref, (regexp_match(ref, '([0-9a-f]{8}|[0-9]+)(?:[0-9a-f]{8})?$'))[1] as uid, row_number() over () as n from message where channel_id = $1 order by seq) l using (ref)
  where m.channel_id = $1) z where before > seq`, x.id); n != 0 {
			t.Errorf("%d events out of order", n)
		}
	})
}

func TestNewOnlyTakesNothingOldAndEverythingNew(t *testing.T) {
	t.Parallel()
	for _, old := range []int{0, 3, 450} {
		each(t, func(t *testing.T, p ingest.Protocol) {
			x := newBench(t).box(t, p, func(s *control.Settings) { s.InitialSync = ingest.SyncNewOnly })
			x.deliverOld(mails(0, old)...)
			x.visit()
			x.holds("first visit")
			if x.imap != nil && x.count("ledger") > 0 {
				t.Error("history takes rows although the floor says all of it")
			}
			x.deliver(mails(1000, 2)...)
			x.visit()
			x.holds("what came then", mails(1000, 2)...)
			x.visit()
			x.holds("once", mails(1000, 2)...)
		})
	}
}

// What comes between a first visit that broke off and the next is new unless the first one decided nothing at all.
func TestNewOnlyBrokenOffOnPOP3(t *testing.T) {
	t.Parallel()
	x := newBench(t).box(t, ingest.POP3, func(s *control.Settings) { s.InitialSync = ingest.SyncNewOnly })
	x.deliverOld(mails(0, 450)...)
	for crash := 1; ; crash++ {
		c := &crasher{at: crash}
		_, err := x.tryWith(c.poller(x))
		decided := x.count("ledger") > 0
		x.deliver(mail(1000 + crash))
		if decided {
			x.visit()
			x.holds("decided before the crash", mail(1000+crash))
			return
		}
		if err == nil {
			t.Fatal("a visit that was not disturbed decided nothing")
		}
	}
}

func TestNewOnlyAfterReset(t *testing.T) {
	t.Parallel()
	x := newBench(t).box(t, ingest.IMAP, func(s *control.Settings) { s.InitialSync = ingest.SyncNewOnly })
	x.deliverOld(mails(0, 5)...)
	x.visit()
	x.deliver(mails(10, 3)...)
	x.visit()
	x.deliver(mail(20))
	x.inbox.SetUIDValidity(9)
	x.deliver(mail(21))
	n := x.visit()
	if n.Listed != 10 || n.Stored != 2 || n.Duplicate != 3 || n.Skipped != 5 {
		t.Errorf("after the reset: got %+v, want 10 listed, 2 stored, 3 duplicates, 5 skipped", n)
	}
	x.holds("after the reset", mail(10), mail(11), mail(12), mail(20), mail(21))
	if got := x.visit(); got.Stored+got.Duplicate+got.Skipped != 0 {
		t.Errorf("the next visit found %+v, want nothing", got)
	}
	if x.metric(t, "mailintake_mailbox_resets_total") != 1 {
		t.Error("the reset was not counted once")
	}
}

func TestSyncSince(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)
	dated := func(i int, at time.Time) []byte {
		return append([]byte("Received: from a by b; "+at.Format(time.RFC1123Z)+"\r\n"), mail(i)...)
	}
	each(t, func(t *testing.T, p ingest.Protocol) {
		x := newBench(t).box(t, p, func(s *control.Settings) { s.InitialSync, s.SyncSince = ingest.SyncSince, since })
		var old, young [][]byte
		for i := range 250 {
			at := since.Add(time.Duration(i-230) * time.Hour)
			m := dated(i, at)
			if _, err := x.inbox.Deliver(m, at); err != nil {
				t.Fatal(err)
			}
			if at.Before(since) {
				old = append(old, m)
			} else {
				young = append(young, m)
			}
		}
		if n := x.visit(); n.Listed != 250 || n.Skipped != len(old) || n.Stored != len(young) {
			t.Errorf("got %+v, want 250 listed, %d skipped, %d stored", n, len(old), len(young))
		}
		x.holds("since", young...)
		// After the start the date is of no account.
		late := dated(900, since.AddDate(-1, 0, 0))
		if _, err := x.inbox.Deliver(late, since.AddDate(-1, 0, 0)); err != nil {
			t.Fatal(err)
		}
		x.visit()
		x.holds("late", append(young, late)...)
		if x.imap != nil {
			if floor := x.Int(`select floor_uid from channel_state where channel_id = $1`, x.id); floor != 200 {
				t.Errorf("floor is %d, want 200, the last UID of the page that is history alone", floor)
			}
		}
	})
}

// The channel is pointed at another folder: its old mail is history, also when the visit breaks off half way.
func TestOtherFolder(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	x := b.box(t, ingest.IMAP, func(s *control.Settings) { s.InitialSync = ingest.SyncNewOnly })
	x.visit()
	x.deliver(mail(1))
	x.visit()
	x.Exec(`update channel set folder = 'Other' where channel_id = $1`, x.id)
	other := x.folders["Other"]
	for _, m := range mails(100, 250) {
		if _, err := other.Deliver(m, time.Now().AddDate(-1, 0, 0)); err != nil {
			t.Fatal(err)
		}
	}
	other.Append(mail(500))
	c := &crasher{stop: func(step string) bool { return step == "after commit 1" }}
	if _, err := x.tryWith(c.poller(x)); err == nil {
		t.Fatal("the crash did not happen")
	}
	x.claim()
	x.visit()
	x.holds("other folder", mail(1), mail(500))
}

// A UID that becomes visible after a higher one is found.
func TestLateLowerUID(t *testing.T) {
	t.Parallel()
	for _, before := range [][]uint32{{1}, nil} {
		t.Run(fmt.Sprint(before, " before"), func(t *testing.T) {
			t.Parallel()
			x := newBench(t).box(t, ingest.IMAP, func(s *control.Settings) { s.Folder = "Other" })
			// show lets the folder hold exactly the messages that bear these UIDs.
			show := func(uids ...uint32) {
				_ = x.commands()
				box := mailtest.NewMailbox()
				for _, uid := range append(slices.Clone(before), uids...) {
					box.SetNextUID(uid)
					box.Append(mail(int(uid)))
				}
				x.folders["Other"] = box
			}
			var want [][]byte
			for _, uid := range before {
				want = append(want, mail(int(uid)))
			}
			show(14)
			x.visit()
			show(12, 14)
			x.visit()
			want = append(want, mail(12), mail(14))
			x.holds("UID 12 after 14", want...)
			// The same with a new owner, which remembers nothing.
			show(11, 12, 14)
			x.claim()
			x.visit()
			x.holds("UID 11 after 14", append(want, mail(11))...)
			if n := x.Int(`select last_uid from channel_state where channel_id = $1`, x.id); n != 14 {
				t.Errorf("the cursor stands at %d, want 14", n)
			}
		})
	}
}

func TestFlaggedDeletedIsSkipped(t *testing.T) {
	t.Parallel()
	x := newBench(t).box(t, ingest.IMAP, func(s *control.Settings) { s.Settlement = ingest.SettleDelete })
	x.deliver(mails(1, 3)...)
	x.inbox.SetFlags(2, `\Deleted`)
	if n := x.visit(); n.Skipped != 1 || n.Stored != 2 {
		t.Errorf("got %+v, want 1 skipped, 2 stored", n)
	}
	x.holds("rest", mail(1), mail(3))
	if n := x.Int(`select count(*) from ledger where channel_id = $1 and reason = $2`, x.id, string(ingest.ReasonFlaggedDeleted)); n != 1 {
		t.Errorf("%d refs on record as flagged, want 1", n)
	}
	if left := x.inbox.Messages(); len(left) != 1 || left[0].UID != 2 {
		t.Errorf("%d messages are left, want the flagged one, which is not ours to delete", len(left))
	}
}
