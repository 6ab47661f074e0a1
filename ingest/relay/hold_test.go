package relay

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/mailintake/mailintake/ingest"
)

func ingestID(ch int) ingest.ChannelID { return ingest.ChannelID(ch) }

// startServer runs a server with options that the embedded one does not offer.
func startServer(t *testing.T, change func(*server.Options)) DialOptions {
	t.Helper()
	o := &server.Options{DontListen: true, JetStream: true, StoreDir: t.TempDir(), NoSigs: true, NoLog: true}
	change(o)
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	if !s.ReadyForConnections(patience) {
		t.Fatal("server does not start")
	}
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	return DialOptions{InProcess: s}
}

func TestRelayPoisonedRowHoldsItsChannelAlone(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		spoil  func(*Row)
		reason string
	}{
		{"not JSON", func(r *Row) { r.Data = []byte(`{"message":`) }, "cannot be encoded"},
		{"not an object", func(r *Row) { r.Data = []byte(`[]`) }, "not a JSON object"},
		{"beyond max_payload", func(r *Row) { r.Data = []byte(`{"preview":"` + strings.Repeat("x", 20000) + `"}`) }, "max_payload"},
		{"beyond the stream's limit", func(r *Row) { r.Data = []byte(`{"preview":"` + strings.Repeat("x", 9000) + `"}`) }, "maximum allowed"},
		{"bad type", func(r *Row) { r.Type = "a.b" }, "event type"},
		{"header injection", func(r *Row) { r.TraceParent = "x\r\nNats-Rollup: all" }, "cannot carry"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			d := startServer(t, func(o *server.Options) { o.MaxPayload = 16 << 10 })
			nc := dial(t, d)
			config := StreamSettings{}.config()
			config.MaxMsgSize = 8 << 10
			if _, err := jetStream(t, nc).CreateStream(context.Background(), config); err != nil {
				t.Fatal(err)
			}
			o := newOutbox()
			for ch := range 8 {
				o.add("acme", ch, 30)
			}
			poisoned := func(r Row) bool { return r.ChannelID == 3 && r.Sequence == 11 }
			var whole Row
			o.mu.Lock()
			for i := range o.rows {
				if poisoned(o.rows[i]) {
					whole = o.rows[i]
					tt.spoil(&o.rows[i])
				}
			}
			o.mu.Unlock()
			run := start(t, o, d)
			o.until(t, "only channel 3 from 11", func(rows []Row) bool { return len(rows) == 20 })
			run.log.until(t, "events of a channel are held", "emailChannels/c0003", "sequence=11", tt.reason)
			for ch := range 8 { // more for the others while it is held, more than one read of the outbox
				o.add("acme", ch, 200)
			}
			o.until(t, "only channel 3", func(rows []Row) bool { return len(rows) == 220 })
			a := scan(t, nc)
			for ch := range 8 {
				last := int64(230)
				if ch == 3 {
					last = 10
				}
				a.wantDense(t, ch, 1, last)
			}
			if got := testutil.ToFloat64(run.metrics.held); got != 1 {
				t.Errorf("held_channels is %v, want 1", got)
			}
			o.mu.Lock() // the row is mended
			for i := range o.rows {
				if poisoned(o.rows[i]) {
					o.rows[i] = whole
				}
			}
			o.mu.Unlock()
			o.untilEmpty(t)
			scan(t, nc).wantDense(t, 3, 1, 230)
			run.log.until(t, "flow again", "emailChannels/c0003")
		})
	}
}

func TestRelayNeverDeletesAnEventThatTheStreamHasOtherwise(t *testing.T) {
	t.Parallel()
	server := startNATS(t)
	nc := dial(t, inProcess(server))
	o := newOutbox()
	run := start(t, o, inProcess(server))
	for ch := range 3 {
		o.add("acme", ch, 10)
	}
	o.untilEmpty(t)
	run.stop(t)

	// The database is set back to 7 and announces other events as 8 and 9, behind the stream's end.
	o.mu.Lock()
	for seq := int64(8); seq <= 9; seq++ {
		o.put(Row{ChannelID: 1, Bucket: 1, Tenant: "acme", Channel: channelName(1), Sequence: seq, EventID: eventID("other", 1, seq),
			Type: TypeReceived, Time: time.Unix(1700000000, 0), Data: []byte(`{}`)})
	}
	o.mu.Unlock()
	run = start(t, o, inProcess(server))
	o.add("acme", 2, 10)
	run.log.until(t, "events of a channel are held", "emailChannels/c0001", "sequence=8", eventID("acme", 1, 8))
	o.until(t, "the two rows in conflict", func(rows []Row) bool { return len(rows) == 2 && rows[0].ChannelID == 1 })
	a := scan(t, nc)
	a.wantDense(t, 1, 1, 10)
	a.wantDense(t, 2, 1, 20)
	if got := testutil.ToFloat64(run.metrics.conflicts); got < 1 {
		t.Errorf("conflicts_total is %v, want at least 1", got)
	}
}

func TestRelayForeignMessageHoldsItsChannelAlone(t *testing.T) {
	t.Parallel()
	server := startNATS(t)
	nc := dial(t, inProcess(server))
	js := jetStream(t, nc)
	o := newOutbox()
	run := start(t, o, inProcess(server))
	o.add("acme", 1, 3)
	o.add("acme", 2, 3)
	o.untilEmpty(t)
	ack, err := js.Publish(context.Background(), SubjectPrefix+"acme."+channelName(1)+".received", []byte("hello"))
	if err != nil {
		t.Fatal(err)
	}
	o.add("acme", 1, 3)
	o.add("acme", 2, 3)
	run.log.until(t, "events of a channel are held", "emailChannels/c0001", "not an event of mailintake", "nats stream rmm")
	o.until(t, "only channel 1", func(rows []Row) bool { return len(rows) == 3 })

	s, err := js.Stream(context.Background(), StreamName)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.DeleteMsg(context.Background(), ack.Sequence); err != nil {
		t.Fatal(err)
	}
	o.untilEmpty(t)
	a := scan(t, nc)
	a.wantDense(t, 1, 1, 6)
	a.wantDense(t, 2, 1, 6)
}

func TestRelayStreamThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	server := startNATS(t)
	nc := dial(t, inProcess(server))
	js := jetStream(t, nc)
	config := StreamSettings{}.config()
	config.AllowAtomicPublish = false
	if _, err := js.CreateStream(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	o := newOutbox()
	o.add("acme", 1, 5)
	run := start(t, o, inProcess(server))
	run.log.until(t, "wait in the outbox", "allow_atomic")
	config.AllowAtomicPublish = true
	if _, err := js.UpdateStream(context.Background(), config); err != nil {
		t.Fatal(err)
	}
	o.untilEmpty(t)
	run.log.until(t, "relayed again")
	scan(t, nc).wantDense(t, 1, 1, 5)
	if n := strings.Count(run.log.String(), "wait in the outbox"); n != 1 {
		t.Errorf("the same trouble was logged %d times, want once", n)
	}
}

func TestCheckServer(t *testing.T) {
	t.Parallel()
	for version, ok := range map[string]bool{
		"2.12.0": true, "2.12.0-RC.1": true, "2.15.2": true, "3.0.0": true, "2.11.9": false, "1.30.0": false, "": false, "x.y": false,
	} {
		if err := checkServer(version); (err == nil) != ok {
			t.Errorf("checkServer(%q) = %v, want accepted: %v", version, err, ok)
		}
	}
}
