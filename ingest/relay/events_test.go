package relay

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/nats-io/nats-server/v2/server"

	"github.com/mailintake/mailintake/internal/embedded"
)

func TestTail(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	nc := dial(t, inProcess(n))
	o := newOutbox()
	o.add("acme", 1, 5)
	o.add("acme", 2, 5)
	o.add("other", 3, 5)
	o.replay("r1", 1, 2, 3)
	start(t, o, inProcess(n))
	o.untilEmpty(t)

	tests := []struct {
		name string
		o    TailOptions
		want []string
	}{
		{"a channel with its replays", TailOptions{Subject: Filter("acme", channelName(1))}, []string{
			"c0001/1 received", "c0001/2 received", "c0001/3 received", "c0001/4 received", "c0001/5 quarantined",
			"c0001/2 received r1", "c0001/3 received r1"}},
		{"a tenant", TailOptions{Subject: Filter("other", "")}, []string{
			"c0003/1 received", "c0003/2 received", "c0003/3 received", "c0003/4 received", "c0003/5 quarantined"}},
		{"from a stream sequence", TailOptions{From: 16}, []string{"c0001/2 received r1", "c0001/3 received r1"}},
		{"from a time to come", TailOptions{Since: time.Now().Add(time.Hour)}, nil},
		{"from the past", TailOptions{Since: time.Now().Add(-time.Hour), Subject: Filter("", channelName(2))}, []string{
			"c0002/1 received", "c0002/2 received", "c0002/3 received", "c0002/4 received", "c0002/5 quarantined"}},
		{"beyond the end", TailOptions{From: 1000}, nil},
		{"nothing matches", TailOptions{Subject: Filter("nobody", "")}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			var got []string
			err := Tail(ctx, nc, tt.o, func(e Event) error {
				got = append(got, describe(e))
				return nil
			})
			if err != nil || ctx.Err() != nil {
				t.Fatal(err, ctx.Err())
			}
			if d := cmp.Diff(got, tt.want); d != "" {
				t.Errorf("events (-got +want):\n%s", d)
			}
		})
	}

	t.Run("content", func(t *testing.T) {
		var first Event
		err := Tail(context.Background(), nc, TailOptions{}, func(e Event) error {
			first = e
			return errInjected
		})
		if !errors.Is(err, errInjected) {
			t.Fatalf("Tail returned %v, want the error of each", err)
		}
		if first.EventID != eventID("acme", 1, 1) || first.StreamSequence != 1 || first.About != "tenants/acme/emailChannels/c0001/messages/1" ||
			!first.Time.Equal(time.Unix(1700000000, 0)) || !strings.Contains(string(first.Data), "preview") || !strings.Contains(string(first.Raw), "specversion") {
			t.Errorf("first event is %+v", first)
		}
	})
}

func describe(e Event) string {
	return strings.TrimSpace(e.Channel + "/" + string(rune('0'+e.Sequence)) + " " + e.Type + " " + e.ReplayID)
}

func TestTailFollowsAcrossARestart(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n, err := embedded.StartNATS(embedded.NATSConfig{Dir: dir, Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { n.Stop() })
	url := n.URL()
	o := newOutbox()
	o.add("acme", 1, 3)
	start(t, o, DialOptions{URL: url})
	o.untilEmpty(t)

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	got := make(chan string, 100)
	done := make(chan error, 1)
	nc := dial(t, DialOptions{URL: url})
	if _, err := Ping(ctx, nc); err != nil {
		t.Fatal(err)
	}
	go func() {
		done <- Tail(ctx, nc, TailOptions{From: 1, Follow: true}, func(e Event) error {
			got <- describe(e)
			return nil
		})
	}()
	want := func(texts ...string) {
		t.Helper()
		for _, w := range texts {
			select {
			case g := <-got:
				if g != w {
					t.Fatalf("got %s, want %s", g, w)
				}
			case <-ctx.Done():
				t.Fatalf("%s does not come", w)
			}
		}
	}
	want("c0001/1 received", "c0001/2 received", "c0001/3 received")
	n.Stop()
	if n, err = embedded.StartNATS(embedded.NATSConfig{Dir: dir, Addr: strings.TrimPrefix(url, "nats://")}); err != nil {
		t.Fatal(err)
	}
	o.add("acme", 1, 2)
	want("c0001/4 received", "c0001/5 quarantined")
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Tail: %v", err)
	}
}

func TestScan(t *testing.T) {
	t.Parallel()
	n := startNATS(t)
	nc := dial(t, inProcess(n))
	o := newOutbox()
	o.add("acme", 1, 3000)
	o.replay("r1", 1, 7, 7)
	start(t, o, inProcess(n))
	o.untilEmpty(t)
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	collect := func(from, to uint64) (all []Entry) {
		t.Helper()
		if err := Scan(ctx, nc, from, to, func(e Entry) error { all = append(all, e); return nil }); err != nil {
			t.Fatal(err)
		}
		return all
	}
	if got := collect(0, 0); len(got) != 3001 {
		t.Errorf("the whole stream has %d entries, want 3001", len(got))
	}
	got := collect(2999, 3000)
	if len(got) != 2 || got[0].Sequence != 2999 || got[1].Sequence != 3000 {
		t.Errorf("from 2999 to 3000: %+v", got)
	}
	last := collect(3001, 9999)
	if len(last) != 1 {
		t.Fatalf("from 3001: %d entries", len(last))
	}
	want := Entry{StreamSequence: 3001, Stored: last[0].Stored, Subject: "email.v1.acme.c0001.replayed.r1.received", Tenant: "acme", Channel: "c0001",
		Type: "received", EventID: eventID("acme", 1, 7), Sequence: 7, ReplayID: "r1"}
	if d := cmp.Diff(last[0], want); d != "" {
		t.Errorf("entry (-got +want):\n%s", d)
	}
	if got := collect(5000, 0); got != nil {
		t.Errorf("beyond the end: %+v", got)
	}
	stopped, stop := context.WithCancel(ctx)
	err := Scan(stopped, nc, 0, 0, func(Entry) error { stop(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("a scan that was cut short returned %v", err)
	}
}

func TestInspect(t *testing.T) {
	t.Parallel()
	// Each part has its own patience: it may wait long for its turn.
	patient := func(t *testing.T) context.Context {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		t.Cleanup(cancel)
		return ctx
	}
	t.Run("before the relay ran", func(t *testing.T) {
		t.Parallel()
		s, err := Inspect(patient(t), dial(t, inProcess(startNATS(t))))
		if err != nil {
			t.Fatal(err)
		}
		if !s.JetStream || s.Stream || len(s.Problems) > 0 || s.Version != server.VERSION || s.RoundTrip <= 0 {
			t.Errorf("status is %+v", s)
		}
	})
	t.Run("at work", func(t *testing.T) {
		t.Parallel()
		n := startNATS(t)
		o := newOutbox()
		o.add("acme", 1, 4)
		start(t, o, inProcess(n))
		o.untilEmpty(t)
		s, err := Inspect(patient(t), dial(t, inProcess(n)))
		if err != nil {
			t.Fatal(err)
		}
		if !s.Stream || s.Messages != 4 || s.Last != 4 || s.Channels != 1 || !s.AtomicBatches || s.MaxAge != 7*24*time.Hour ||
			s.Duplicates != 2*time.Minute || s.Replicas != 1 || len(s.Problems) > 0 {
			t.Errorf("status is %+v", s)
		}
	})
	t.Run("stream of another make", func(t *testing.T) {
		t.Parallel()
		nc := dial(t, inProcess(startNATS(t)))
		config := StreamSettings{}.config()
		config.Subjects = []string{"orders.>"}
		if _, err := jetStream(t, nc).CreateStream(patient(t), config); err != nil {
			t.Fatal(err)
		}
		s, err := Inspect(patient(t), nc)
		if err != nil || len(s.Problems) != 1 || !strings.Contains(s.Problems[0], "orders.>") {
			t.Errorf("status is %+v, %v", s, err)
		}
	})
	t.Run("without JetStream", func(t *testing.T) {
		t.Parallel()
		s, err := Inspect(patient(t), dial(t, startServer(t, func(o *server.Options) { o.JetStream = false })))
		if err != nil || s.JetStream || len(s.Problems) != 1 || !strings.Contains(s.Problems[0], "--jetstream") {
			t.Errorf("status is %+v, %v", s, err)
		}
	})
	t.Run("no server", func(t *testing.T) {
		t.Parallel()
		_, err := Inspect(patient(t), dial(t, DialOptions{URL: "nats://127.0.0.1:1"}))
		if !errors.Is(err, errDisconnected) {
			t.Errorf("Inspect returned %v", err)
		}
	})
}
