package relay

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mailintake/mailintake/internal/embedded"
)

// verdict is what the proxy does with a piece of the conversation.
type verdict int

const (
	pass    verdict = iota
	swallow         // never delivered; the connection stays
	cut             // half of it is delivered, then both ends are closed
	stall           // delivered when release is closed
)

// proxy stands between relay and server and judges what goes by.
type proxy struct {
	target  string
	ln      net.Listener
	judge   func(toServer bool, piece []byte) verdict
	release chan struct{}
	wg      sync.WaitGroup
	mu      sync.Mutex
	conns   []net.Conn
}

func startProxy(t *testing.T, target string, judge func(toServer bool, piece []byte) verdict) *proxy {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{target: target, ln: ln, judge: judge, release: make(chan struct{})}
	p.wg.Go(p.accept)
	t.Cleanup(func() {
		ln.Close()
		p.mu.Lock()
		for _, c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		p.wg.Wait()
	})
	return p
}

func (p *proxy) url() string { return "nats://" + p.ln.Addr().String() }

func (p *proxy) accept() {
	for {
		client, err := p.ln.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("tcp", p.target)
		if err != nil {
			client.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, client, server)
		p.mu.Unlock()
		p.wg.Go(func() { p.pump(client, server, true) })
		p.wg.Go(func() { p.pump(server, client, false) })
	}
}

func (p *proxy) pump(from, to net.Conn, toServer bool) {
	defer from.Close()
	defer to.Close()
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		piece := buf[:n]
		switch p.judge(toServer, piece) {
		case swallow:
			continue
		case cut:
			to.Write(piece[:n/2])
			return
		case stall:
			<-p.release
		}
		if _, err := to.Write(piece); err != nil {
			return
		}
	}
}

func TestRelayOutcomeUnknown(t *testing.T) {
	t.Parallel()
	// Every third piece that the faults are about meets its fate.
	every3 := func(v verdict, concerned func(toServer bool, piece []byte) bool) func(bool, []byte) verdict {
		var n atomic.Int64
		return func(toServer bool, piece []byte) verdict {
			if concerned(toServer, piece) && n.Add(1)%3 == 0 {
				return v
			}
			return pass
		}
	}
	isAck := func(toServer bool, piece []byte) bool { return !toServer && bytes.Contains(piece, []byte(`"batch":`)) }
	isBatch := func(toServer bool, piece []byte) bool {
		return toServer && bytes.Contains(piece, []byte(headerBatchID))
	}
	tests := []struct {
		name  string
		judge func(toServer bool, piece []byte) verdict
		code  string
	}{
		{"stored, connection lost before the ack", every3(cut, isAck), "disconnected"},
		{"stored, ack never comes", every3(swallow, isAck), "timeout"},
		{"connection lost within a batch", every3(cut, isBatch), "disconnected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			n, err := embedded.StartNATS(embedded.NATSConfig{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(n.Stop)
			p := startProxy(t, strings.TrimPrefix(n.URL(), "nats://"), tt.judge)
			o := newOutbox()
			for ch := range 10 {
				o.add("acme", ch, 60)
			}
			o.replay("r1", 2, 1, 40)
			run := start(t, o, DialOptions{URL: p.url()}, func(r *Relay) {
				r.Batch = 40
				r.Timeout = 300 * time.Millisecond
				r.Stream.Duplicates = 100 * time.Millisecond
			})
			o.untilEmpty(t)
			a := scan(t, dial(t, inProcess(n)))
			for ch := range 10 {
				a.wantDense(t, ch, 1, 60)
			}
			if got := a.replays[channelName(2)]["r1"]; brief(got) != brief(span(1, 40)) {
				t.Errorf("replay: stream has %s, want 1 to 40", brief(got))
			}
			if got := testutil.ToFloat64(run.metrics.refused.WithLabelValues(tt.code)); got == 0 {
				t.Errorf("no batch ended in %q: the fault did not happen", tt.code)
			}
		})
	}
}

// A batch that was given up and reaches the server after all must not store its events a second time.
func TestRelayLateBatchIsRefused(t *testing.T) {
	t.Parallel()
	n, err := embedded.StartNATS(embedded.NATSConfig{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	target := strings.TrimPrefix(n.URL(), "nats://")
	var stalled atomic.Bool
	held := make(chan struct{})
	p := startProxy(t, target, func(toServer bool, piece []byte) verdict {
		if toServer && bytes.Contains(piece, []byte(headerBatchID)) && stalled.CompareAndSwap(false, true) {
			close(held)
			return stall
		}
		return pass
	})
	o := newOutbox()
	o.add("acme", 1, 50)
	slow := start(t, o, DialOptions{URL: p.url()}, func(r *Relay) {
		r.Timeout = 200 * time.Millisecond
		r.Stream.Duplicates = 100 * time.Millisecond
	})
	<-held
	start(t, o, inProcess(n)) // another replica takes over
	o.untilEmpty(t)
	nc := dial(t, inProcess(n))
	outlast(t, nc) // now nothing but the expectation can refuse the late batch
	close(p.release)
	o.add("acme", 1, 10)
	o.untilEmpty(t)
	slow.stop(t)
	scan(t, nc).wantDense(t, 1, 1, 60)
}

func TestRelayClusterLeadersStop(t *testing.T) {
	t.Parallel()
	cluster, err := embedded.StartNATSCluster(t.TempDir(), 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Stop)
	d := DialOptions{URL: cluster.URL()}
	o := newOutbox()
	settings := func(r *Relay) {
		r.Stream.Replicas = 3
		r.Stream.Duplicates = 100 * time.Millisecond
		r.Batch = 20
	}
	run := start(t, o, d, settings)
	start(t, o, d, settings)
	const channels, rounds = 40, 3
	for round := range rounds {
		for ch := range channels {
			o.add("acme", ch, 50)
		}
		full := channels * 50
		o.until(t, "fewer rows", func(rows []Row) bool { return len(rows) < full*9/10 })
		leader := cluster.StreamLeader(StreamName)
		if leader < 0 {
			leader = round
		}
		cluster.StopServer(leader)
		o.until(t, "fewer rows", func(rows []Row) bool { return len(rows) < full*6/10 })
		if err := cluster.StartServer(leader); err != nil {
			t.Fatal(err)
		}
		o.untilEmpty(t)
	}
	a := scan(t, dial(t, d))
	for ch := range channels {
		a.wantDense(t, ch, 1, rounds*50)
	}
	if run.gaps() != 0 {
		t.Errorf("gaps reported:\n%s", run.log)
	}
}

// The order rests on this: within an atomic batch the server compares the expectation of a first message with the last
// message on a wildcard, whatever the types of event are.
func TestServerChecksExpectationOnWildcard(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		replicas int
	}{{"R1", 1}, {"R3", 3}}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var d DialOptions
			if tt.replicas == 1 {
				d = startServer(t, func(*server.Options) {})
			} else {
				cluster, err := embedded.StartNATSCluster(t.TempDir(), tt.replicas)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(cluster.Stop)
				d.URL = cluster.URL()
			}
			nc := dial(t, d)
			js := jetStream(t, nc)
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			defer cancel()
			for {
				if _, err := ensure(ctx, nc, js, StreamSettings{Replicas: tt.replicas}); err == nil {
					break
				} else if ctx.Err() != nil {
					t.Fatal(err)
				}
			}
			w, err := newWire(nc, 10*time.Second)
			if err != nil {
				t.Fatal(err)
			}
			defer w.close()
			n := 0
			message := func(typ string, expected int) *nats.Msg {
				n++
				m := nats.NewMsg("email.v1.acme.a." + typ)
				m.Header.Set(headerMsgID, fmt.Sprint(n))
				if expected >= 0 {
					m.Header.Set(headerExpected, fmt.Sprint(expected))
					m.Header.Set(headerExpectedSubject, "email.v1.acme.a.*")
				}
				return m
			}
			code := func(msgs ...*nats.Msg) string {
				last, err := w.publish(ctx, msgs)
				if err != nil {
					return refusedCode(err)
				}
				return fmt.Sprintf("stored to %d", last)
			}
			steps := []struct {
				name string
				got  string
				want string
			}{
				{"two types in an empty lane", code(message("received", 0), message("quarantined", -1)), "stored to 2"},
				{"end of another type than the first message's", code(message("received", 2)), "stored to 3"},
				{"right for its own subject, stale for the lane", code(message("quarantined", 2)), "10071"},
				{"empty lane expected", code(message("bounced", 0)), "10071"},
				{"a replay does not move the lane", code(&nats.Msg{Subject: "email.v1.acme.a.replayed.r1.received", Header: nats.Header{}}), "stored to 4"},
				{"end before the replay", code(message("received", 3), message("received", -1)), "stored to 6"},
				{"stale batch is refused whole", code(message("received", 3), message("received", -1), message("received", -1)), "10071"},
				{"right again", code(message("received", 6)), "stored to 7"},
			}
			for _, s := range steps {
				if s.got != s.want {
					t.Errorf("%s: %s, want %s", s.name, s.got, s.want)
				}
			}
		})
	}
}
