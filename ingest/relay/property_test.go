package relay

import (
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Whatever happens to relays, the stream carries each channel's sequence dense, once and in order, and each replay once.
func TestRelayProperty(t *testing.T) {
	t.Parallel()
	server := startNATS(t)
	nc := dial(t, inProcess(server))
	js := jetStream(t, nc)
	if _, err := ensure(t.Context(), nc, js, StreamSettings{Duplicates: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	var tenants atomic.Int64
	rapid.Check(t, func(rt *rapid.T) {
		s, err := js.Stream(t.Context(), StreamName)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Purge(t.Context()); err != nil {
			t.Fatal(err)
		}
		tenant := fmt.Sprintf("t%d", tenants.Add(1))
		o := newOutbox()
		batch := rapid.IntRange(1, 30).Draw(rt, "batch")
		var relays []*running
		replays := map[int][]string{}
		counts := map[string]int64{}
		startOne := func() {
			relays = append(relays, start(t, o, inProcess(server), func(r *Relay) {
				r.Batch = batch
				r.Wake = nil
			}))
		}
		rt.Repeat(map[string]func(*rapid.T){
			"add": func(rt *rapid.T) {
				o.add(tenant, rapid.IntRange(0, 5).Draw(rt, "channel"), rapid.IntRange(1, 40).Draw(rt, "events"))
			},
			"replay": func(rt *rapid.T) {
				ch := rapid.IntRange(0, 5).Draw(rt, "channel")
				o.mu.Lock()
				last := o.last[ingestID(ch)]
				o.mu.Unlock()
				if last > 0 {
					id := fmt.Sprintf("r%d", len(replays[ch]))
					replays[ch] = append(replays[ch], id)
					counts[fmt.Sprint(ch, id)] = last
					o.replay(id, ch, 1, last)
				}
			},
			"start": func(*rapid.T) {
				if len(relays) < 3 {
					startOne()
				}
			},
			"stop": func(*rapid.T) {
				if len(relays) > 0 {
					relays[0].stop(t)
					relays = relays[1:]
				}
			},
			"crash": func(rt *rapid.T) {
				// The next deletes fail and the relays stop: what they published stays in the outbox.
				n := rapid.IntRange(1, 3).Draw(rt, "deletes")
				o.onDelete(func([]int64) error {
					if n--; n > 0 {
						return nil
					}
					return errInjected
				})
				for _, r := range relays {
					r.stop(t)
				}
				relays = nil
				o.onDelete(nil)
			},
		})
		startOne()
		o.untilEmpty(t)
		for _, r := range relays {
			r.stop(t)
			if r.gaps() != 0 {
				t.Errorf("gaps reported: %s", r.log)
			}
		}
		a := scan(t, nc)
		for ch := range 6 {
			if last := o.last[ingestID(ch)]; last > 0 {
				a.wantDense(t, ch, 1, last)
			}
			for _, id := range replays[ch] {
				if got, want := a.replays[channelName(ch)][id], span(1, counts[fmt.Sprint(ch, id)]); !slices.Equal(got, want) {
					t.Errorf("channel %d: replay %s has %s, want 1 to %d once each", ch, id, brief(got), len(want))
				}
			}
		}
		if t.Failed() {
			rt.FailNow()
		}
	})
}
