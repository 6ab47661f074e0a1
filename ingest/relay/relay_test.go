package relay

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mailintake/mailintake/internal/embedded"
)

func TestRelayPublishesEveryChannelInOrder(t *testing.T) {
	t.Parallel()
	server := startNATS(t)
	o := newOutbox()
	for range 30 {
		for ch := range 20 {
			o.add("acme", ch, 1+ch%3)
		}
	}
	run := start(t, o, inProcess(server))
	o.untilEmpty(t)
	o.add("acme", 3, 7) // more for a channel whose end is known
	o.add("acme", 99, 1)
	o.untilEmpty(t)

	a := scan(t, dial(t, inProcess(server)))
	for ch := range 20 {
		last := int64(30 * (1 + ch%3))
		if ch == 3 {
			last += 7
		}
		a.wantDense(t, ch, 1, last)
	}
	a.wantDense(t, 99, 1, 1)
	if got, want := testutil.ToFloat64(run.metrics.published), float64(len(o.published)); got != want {
		t.Errorf("published_total is %v, want %v", got, want)
	}
	if run.gaps() != 0 {
		t.Error("a gap was reported in a dense sequence")
	}
}

func TestRelayCrashBetweenAckAndDelete(t *testing.T) {
	t.Parallel()
	for _, window := range []time.Duration{2 * time.Minute, 100 * time.Millisecond} {
		t.Run(window.String(), func(t *testing.T) {
			t.Parallel()
			server := startNATS(t)
			nc := dial(t, inProcess(server))
			o := newOutbox()
			settings := func(r *Relay) { r.Stream.Duplicates = window; r.Batch = 10 }
			for crash := range 5 {
				for ch := range 12 {
					o.add("acme", ch, 20)
				}
				if crash > 0 {
					o.replay(fmt.Sprintf("r%d", crash), 4, 1, 15)
				}
				died := make(chan struct{})
				var once sync.Once
				left := crash + 1 // deletes that go well before the crash
				o.onDelete(func([]int64) error {
					if left--; left > 0 {
						return nil
					}
					once.Do(func() { close(died) })
					return errInjected
				})
				run := start(t, o, inProcess(server), settings)
				select {
				case <-died:
				case <-time.After(patience):
					t.Fatal("the relay deleted nothing")
				}
				run.stop(t)
				o.onDelete(nil)
				if window < time.Second {
					outlast(t, nc)
				}
			}
			start(t, o, inProcess(server), settings)
			o.untilEmpty(t)
			a := scan(t, nc)
			for ch := range 12 {
				a.wantDense(t, ch, 1, 100)
			}
			for crash := 1; crash < 5; crash++ {
				if got := a.replays[channelName(4)][fmt.Sprintf("r%d", crash)]; !slices.Equal(got, span(1, 15)) {
					t.Errorf("replay r%d: stream has %s, want 1 to 15 once each", crash, brief(got))
				}
			}
		})
	}
}

// outlast returns when the duplicate window has forgotten what was published before the call.
func outlast(t *testing.T, nc *nats.Conn) {
	t.Helper()
	js := jetStream(t, nc)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	id := nats.NewInbox()
	for first := true; ; first = false {
		ack, err := js.PublishMsg(ctx, nats.NewMsg(SubjectPrefix+"probe.probe.window.x.y.z"), jetstream.WithMsgID(id))
		if err != nil {
			t.Fatalf("probe the duplicate window: %v", err)
		}
		if !ack.Duplicate && !first {
			return
		}
	}
}

func TestRelayTwoRelaysOnTheSameBuckets(t *testing.T) {
	t.Parallel()
	server := startNATS(t)
	o := newOutbox()
	for ch := range 30 {
		o.add("acme", ch, 40)
	}
	quiet := func(r *Relay) { r.Batch = 37; r.Wake = nil }
	start(t, o, inProcess(server), quiet)
	start(t, o, inProcess(server), quiet)
	start(t, o, inProcess(server), quiet)
	for round := range 20 {
		for ch := range 30 {
			o.add("acme", ch, 1+rand.IntN(3))
		}
		o.replay(fmt.Sprintf("r%d", round), rand.IntN(30), 1, 40)
	}
	o.untilEmpty(t)
	a := scan(t, dial(t, inProcess(server)))
	for ch := range 30 {
		a.wantDense(t, ch, 1, o.last[ingestID(ch)])
		for id, seqs := range a.replays[channelName(ch)] {
			if !slices.Equal(seqs, span(1, 40)) {
				t.Errorf("replay %s of channel %d: stream has %s, want 1 to 40 once each", id, ch, brief(seqs))
			}
		}
	}
}

func TestRelaySurvivesRestartsOfNATS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	server, err := embedded.StartNATS(embedded.NATSConfig{Dir: dir, Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Stop() })
	url := server.URL()
	addr := strings.TrimPrefix(url, "nats://")
	server.Stop() // the relay starts while the server is away

	o := newOutbox()
	run := start(t, o, DialOptions{URL: url}, func(r *Relay) { r.Batch = 25 })
	for round := range 5 {
		for ch := range 10 {
			o.add("acme", ch, 100)
		}
		server, err = embedded.StartNATS(embedded.NATSConfig{Dir: dir, Addr: addr})
		if err != nil {
			t.Fatal(err)
		}
		want := 1000 - 200*round // stop the server in the middle of the work
		o.until(t, "fewer rows", func(rows []Row) bool { return len(rows) < want })
		server.Stop()
	}
	if server, err = embedded.StartNATS(embedded.NATSConfig{Dir: dir, Addr: addr}); err != nil {
		t.Fatal(err)
	}
	o.untilEmpty(t)
	a := scan(t, dial(t, DialOptions{URL: url}))
	for ch := range 10 {
		a.wantDense(t, ch, 1, 500)
	}
	if run.gaps() != 0 {
		t.Errorf("gaps reported: %s", run.log)
	}
	if strings.Contains(run.log.String(), "goroutine ") {
		t.Error("the log has a stack trace")
	}
}

func TestRelayStreamLost(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	tests := []struct {
		name string
		lose func(t *testing.T, js jetstream.JetStream)
		gaps float64
		from int64 // first sequence that is in the stream afterwards
	}{
		{"deleted", func(t *testing.T, js jetstream.JetStream) {
			if err := js.DeleteStream(ctx, StreamName); err != nil {
				t.Fatal(err)
			}
		}, 5, 31},
		{"purged", func(t *testing.T, js jetstream.JetStream) {
			s, err := js.Stream(ctx, StreamName)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Purge(ctx); err != nil {
				t.Fatal(err)
			}
		}, 5, 31},
		{"end cut off", func(t *testing.T, js jetstream.JetStream) {
			// What a copy restored from a backup looks like: the last events of a channel are not there.
			s, err := js.Stream(ctx, StreamName)
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				last, err := s.GetLastMsgForSubject(ctx, SubjectPrefix+"acme."+channelName(2)+".*")
				if err != nil {
					t.Fatal(err)
				}
				if err := s.DeleteMsg(ctx, last.Sequence); err != nil {
					t.Fatal(err)
				}
			}
		}, 1, 1},
		{"emptied by retention", func(t *testing.T, js jetstream.JetStream) {
			config := StreamSettings{}.config()
			config.MaxMsgsPerSubject = 1000 // the oldest may go now, so that an absence proves nothing
			s, err := js.UpdateStream(ctx, config)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Purge(ctx); err != nil {
				t.Fatal(err)
			}
		}, 0, 31},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := startNATS(t)
			nc := dial(t, inProcess(server))
			o := newOutbox()
			first := start(t, o, inProcess(server))
			for ch := range 5 {
				o.add("acme", ch, 30)
			}
			o.untilEmpty(t)
			first.stop(t)
			tt.lose(t, jetStream(t, nc))

			run := start(t, o, inProcess(server))
			for ch := range 5 {
				o.add("acme", ch, 10)
			}
			o.untilEmpty(t)
			if got := run.gaps(); got != tt.gaps {
				t.Errorf("gap_total is %v, want %v", got, tt.gaps)
			}
			a := scan(t, nc)
			for ch := range 5 {
				if tt.name == "end cut off" && ch == 2 {
					want := append(span(1, 27), span(31, 40)...)
					if got := a.first[channelName(ch)]; !slices.Equal(got, want) {
						t.Errorf("channel 2: stream has %s, want 1..27, 31..40", brief(got))
					}
					run.log.until(t, "missing in the stream", "first_missing=28", "last_missing=30")
					continue
				}
				a.wantDense(t, ch, tt.from, 40)
			}
		})
	}
}

func TestRelayStreamDeletedUnderARunningRelay(t *testing.T) {
	t.Parallel()
	server := startNATS(t)
	nc := dial(t, inProcess(server))
	o := newOutbox()
	run := start(t, o, inProcess(server))
	o.add("acme", 1, 10)
	o.untilEmpty(t)
	if err := jetStream(t, nc).DeleteStream(context.Background(), StreamName); err != nil {
		t.Fatal(err)
	}
	o.add("acme", 1, 10)
	o.add("acme", 2, 10)
	o.untilEmpty(t)
	a := scan(t, nc)
	a.wantDense(t, 1, 11, 20)
	a.wantDense(t, 2, 1, 10)
	if got := run.gaps(); got != 1 {
		t.Errorf("gap_total is %v, want 1", got)
	}
}
