package embedded

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func startNATSTest(t *testing.T, cfg NATSConfig) *NATS {
	t.Helper()
	n, err := StartNATS(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}

func stream(t *testing.T, nc *nats.Conn, replicas int) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := js.CreateOrUpdateStream(t.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s.>"}, Replicas: replicas}); err != nil {
		t.Fatal(err)
	}
	return js
}

func TestNATSKeepsStreams(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for i, always := range []bool{false, true} {
		begin := time.Now()
		n := startNATSTest(t, NATSConfig{Dir: dir, SyncAlways: always})
		t.Logf("start %d: %v", i, time.Since(begin))
		if n.URL() != "" {
			t.Errorf("URL %q without a listener", n.URL())
		}
		nc, err := n.Connect(nats.Name("test"))
		if err != nil {
			t.Fatal(err)
		}
		ack, err := stream(t, nc, 1).Publish(t.Context(), "s.a", []byte("x"))
		if err != nil {
			t.Fatal(err)
		}
		if want := uint64(i + 1); ack.Sequence != want {
			t.Errorf("sequence %d, want %d: the stream did not survive", ack.Sequence, want)
		}
		nc.Close()
		n.Stop()
		n.Stop()
	}
}

func TestNATSListens(t *testing.T) {
	t.Parallel()
	n := startNATSTest(t, NATSConfig{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	nc, err := nats.Connect(n.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	if !strings.HasPrefix(n.URL(), "nats://127.0.0.1:") || strings.HasSuffix(n.URL(), ":4222") {
		t.Errorf("URL %s", n.URL())
	}
	if nc.ConnectedServerVersion() != n.Version() {
		t.Errorf("version %s, want %s", nc.ConnectedServerVersion(), n.Version())
	}
}

func TestNATSPortTaken(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	_, err = StartNATS(NATSConfig{Dir: t.TempDir(), Addr: ln.Addr().String()})
	if !errors.Is(err, ErrAddrInUse) || !strings.Contains(err.Error(), ln.Addr().String()) {
		t.Errorf("got %v, want ErrAddrInUse naming %s", err, ln.Addr())
	}
}

func TestNATSFolderTaken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	n := startNATSTest(t, NATSConfig{Dir: dir})
	if _, err := StartNATS(NATSConfig{Dir: dir}); !errors.Is(err, ErrDirInUse) {
		t.Errorf("got %v, want ErrDirInUse", err)
	}
	n.Stop()
	startNATSTest(t, NATSConfig{Dir: dir})
}

func TestNATSBadAddress(t *testing.T) {
	t.Parallel()
	for _, addr := range []string{"4222", "127.0.0.1:nats", "127.0.0.1:70000"} {
		if _, err := StartNATS(NATSConfig{Dir: t.TempDir(), Addr: addr}); err == nil {
			t.Errorf("%s was accepted", addr)
		}
	}
}

func TestClusterSurvivesItsLeader(t *testing.T) {
	t.Parallel()
	begin := time.Now()
	c, err := StartNATSCluster(t.TempDir(), 3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Stop)
	t.Logf("cluster of 3: %v", time.Since(begin))
	nc, err := nats.Connect(c.URL(), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js := stream(t, nc, 3)
	if _, err := js.Publish(t.Context(), "s.a", []byte("1")); err != nil {
		t.Fatal(err)
	}
	leader := c.StreamLeader("S")
	if leader < 0 {
		t.Fatal("no stream leader")
	}
	c.StopServer(leader)
	ack, err := publishOnce(t, js, "s.a", "2")
	if err != nil {
		t.Fatalf("after the leader stopped: %v", err)
	}
	if ack.Sequence != 2 {
		t.Errorf("sequence %d, want 2", ack.Sequence)
	}
	if err := c.StartServer(leader); err != nil {
		t.Fatal(err)
	}
}

// publishOnce repeats a publication until it is acknowledged: while a leader is elected requests are lost. The message
// id keeps it single.
func publishOnce(t *testing.T, js jetstream.JetStream, subject, id string) (ack *jetstream.PubAck, err error) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		ack, err = js.Publish(ctx, subject, []byte(id), jetstream.WithMsgID(id))
		cancel()
		if err == nil {
			return ack, nil
		}
	}
	return nil, err
}
