package relay

import (
	"slices"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

func TestTailsForgetTheLaneUsedLeast(t *testing.T) {
	t.Parallel()
	tails := newTails(3)
	for ch := range ingest.ChannelID(3) {
		tails.put(lane{channel: ch}, tail{position: uint64(ch)})
	}
	tails.get(lane{channel: 0})
	tails.doubt(lane{channel: 9}) // a lane that was never read takes a place as well
	for ch, want := range map[ingest.ChannelID]bool{0: true, 1: false, 2: true, 9: true} {
		if _, known, _ := tails.get(lane{channel: ch}); known != want {
			t.Errorf("channel %d is known: %v, want %v", ch, known, want)
		}
	}
	if _, _, fresh := tails.get(lane{channel: 9}); fresh {
		t.Error("a doubted lane is used")
	}
	if _, known, _ := tails.get(lane{channel: 0, replay: "r1"}); known {
		t.Error("a channel's replays share the lane of its events")
	}
	tails.put(lane{channel: 9}, tail{position: 7})
	if end, _, fresh := tails.get(lane{channel: 9}); !fresh || end.position != 7 {
		t.Errorf("after a read the lane is %+v, fresh: %v", end, fresh)
	}
	if len(tails.index) != 3 || tails.order.Len() != 3 {
		t.Errorf("%d lanes kept, want 3", len(tails.index))
	}
}

func TestHolds(t *testing.T) {
	t.Parallel()
	h := newHolds()
	now := time.Unix(1700000000, 0)
	var pauses []time.Duration
	for range 11 {
		until, _ := h.add(1, "bad", now)
		pauses = append(pauses, until.Sub(now))
		if got := h.begin(until.Add(-1)); !slices.Equal(got, []ingest.ChannelID{1}) {
			t.Fatalf("during the hold %v are left out, want 1", got)
		}
		now = until
		if got := h.begin(now); got != nil {
			t.Fatalf("after the hold %v are left out", got)
		}
	}
	if pauses[0] != minHold || pauses[1] != 2*minHold || pauses[10] != maxHold {
		t.Errorf("pauses are %v, want doubling from %v to %v", pauses, minHold, maxHold)
	}
	if _, news := h.add(1, "bad", now); news {
		t.Error("the same reason is news")
	}
	if _, news := h.add(1, "worse", now); !news {
		t.Error("another reason is no news")
	}
	if !h.release(1) || h.release(1) {
		t.Error("release does not tell whether the channel was held")
	}
	until, _ := h.add(2, "bad", now)
	h.begin(until.Add(holdMemory + 1))
	if len(h.channels) != 0 {
		t.Error("a hold is kept for ever")
	}
}
