package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

// answerable is a letter that may be answered by a program, from a sender.
func answerable(uid uint32, from string, change func(*ingest.Mail)) ingest.Item {
	it := letter(uid, change)
	it.Mail.From = []ingest.Address{{Email: from}}
	it.Mail.AutoReply = ingest.AutoReply{Allowed: true, Reason: "OK"}
	return it
}

func TestRateBreaker(t *testing.T) {
	t.Parallel()
	ok := ingest.AutoReply{Allowed: true, Reason: "OK"}
	for _, together := range []bool{true, false} {
		for _, tc := range []struct {
			name string
			item func(uid uint32) ingest.Item
			want string
		}{
			{"one sender", func(uid uint32) ingest.Item { return answerable(uid, "Robot@example.com", nil) }, "RATE_SENDER"},
			{"one thread, the senders change", func(uid uint32) ingest.Item {
				return answerable(uid, fmt.Sprintf("robot%d@example.com", uid), references("0@x", fmt.Sprintf("%d@x", uid-1)))
			}, "RATE_THREAD"},
			{"many senders and threads", func(uid uint32) ingest.Item { return answerable(uid, fmt.Sprintf("robot%d@example.com", uid), nil) }, ""},
		} {
			t.Run(fmt.Sprintf("%s, together %v", tc.name, together), func(t *testing.T) {
				t.Parallel()
				b := setup(t)
				b.polled.Started = time.Now()
				var items []ingest.Item
				for uid := range uint32(8) {
					items = append(items, tc.item(uid+1))
				}
				for uid, c := range b.told(t, together, items...) {
					want := ok
					if tc.want != "" && uid > 5 {
						want = ingest.AutoReply{Reason: tc.want}
					}
					if diff := cmp.Diff(want, c.Item.Mail.AutoReply); diff != "" {
						t.Errorf("message %d (-want +got):\n%s", uid, diff)
					}
					if diff := cmp.Diff(want, b.stored(t, c.ID).Mail.AutoReply); diff != "" {
						t.Errorf("message %d as it is stored (-want +got):\n%s", uid, diff)
					}
					if items[uid-1].Mail.AutoReply != ok {
						t.Error("the caller's mail was changed")
					}
				}
				// Time heals.
				b.Exec(`update message set stored_at = now() - interval '11 minutes'`)
				if late := b.told(t, true, tc.item(9)); late[9].Item.Mail.AutoReply != ok {
					t.Errorf("after eleven minutes: got %+v", late[9].Item.Mail.AutoReply)
				}
			})
		}
	}
}

func TestHistoricalMailIsNotAnswered(t *testing.T) {
	t.Parallel()
	began := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name              string
		started, baseline time.Time
		received, relayed time.Time // by the server, and by the topmost Received field
		want              string
	}{
		{"the initial sync goes on", time.Time{}, time.Time{}, began, began, "HISTORICAL"},
		{"new mail", began, began, began.Add(time.Hour), time.Time{}, "OK"},
		{"older than the channel", began, began, began.Add(-time.Hour), time.Time{}, "HISTORICAL"},
		{"older by its header, as POP3 tells nothing", began, began, time.Time{}, began.Add(-time.Hour), "HISTORICAL"},
		{"new by the server, whatever the header", began, began, began.Add(time.Hour), began.Add(-time.Hour), "OK"},
		{"no time at all", began, began, time.Time{}, time.Time{}, "OK"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.polled.Started, b.polled.Baseline = tc.started, tc.baseline
			it := answerable(1, "ann@example.com", nil)
			it.Received, it.Mail.Received = tc.received, tc.relayed
			refused := answerable(2, "bob@example.com", nil)
			refused.Mail.AutoReply = ingest.AutoReply{Reason: "LIST"}
			told := b.told(t, true, it, refused)
			if got := told[1].Item.Mail.AutoReply; got.Reason != tc.want || got.Allowed != (tc.want == "OK") {
				t.Errorf("got %+v, want %s", got, tc.want)
			}
			if got := told[2].Item.Mail.AutoReply; got != refused.Mail.AutoReply {
				t.Errorf("what the class refused became %+v", got)
			}
		})
	}
}
