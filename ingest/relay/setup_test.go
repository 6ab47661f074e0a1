package relay

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/internal/embedded"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 60 * time.Second

// outbox keeps rows in memory, as the store does: ids rise, rows go only by Delete.
type outbox struct {
	mu      sync.Mutex
	nextID  int64
	rows    []Row
	last    map[ingest.ChannelID]int64
	changed chan struct{} // closed and renewed at every change
	wake    chan struct{}
	// beforeDelete may refuse a delete; nil lets all pass.
	beforeDelete func(ids []int64) error
	published    []Row // every row ever put in
}

func newOutbox() *outbox {
	return &outbox{last: map[ingest.ChannelID]int64{}, changed: make(chan struct{}), wake: make(chan struct{}, 1)}
}

func (o *outbox) Next(ctx context.Context, buckets []int16, except []ingest.ChannelID, limit int) ([]Row, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var rows []Row
	for _, r := range o.rows {
		if len(rows) < limit && slices.Contains(buckets, r.Bucket) && !slices.Contains(except, r.ChannelID) {
			rows = append(rows, r)
		}
	}
	return rows, ctx.Err()
}

func (o *outbox) Delete(ctx context.Context, ids []int64) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	if o.beforeDelete != nil {
		if err := o.beforeDelete(ids); err != nil {
			return err
		}
	}
	gone := make(map[int64]bool, len(ids))
	for _, id := range ids {
		gone[id] = true
	}
	o.rows = slices.DeleteFunc(o.rows, func(r Row) bool { return gone[r.ID] })
	o.signal()
	return nil
}

func (o *outbox) signal() {
	close(o.changed)
	o.changed = make(chan struct{})
}

// channelName is the last segment of a test channel's name.
func channelName(ch int) string { return fmt.Sprintf("c%04d", ch) }

// add puts the channel's next n events in.
func (o *outbox) add(tenant string, ch, n int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for range n {
		id := ingest.ChannelID(ch)
		o.last[id]++
		typ := TypeReceived
		if o.last[id]%5 == 0 {
			typ = TypeQuarantined
		}
		o.put(Row{
			Bucket: int16(ch % 4), ChannelID: id, Tenant: tenant, Channel: channelName(ch), Sequence: o.last[id],
			EventID: eventID(tenant, ch, o.last[id]), Type: typ, Time: time.Unix(1700000000, 0),
			Data: fmt.Appendf(nil, `{"message":"tenants/%s/emailChannels/%s/messages/%d","preview":%q}`, tenant, channelName(ch), o.last[id], strings.Repeat("x", 400)),
		})
	}
}

func eventID(tenant string, ch int, seq int64) string {
	return fmt.Sprintf("%s-%d-%d", tenant, ch, seq)
}

// put appends a row; o.mu must be held.
func (o *outbox) put(r Row) {
	o.nextID++
	r.ID = o.nextID
	o.rows = append(o.rows, r)
	o.published = append(o.published, r)
	o.signal()
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// replay puts the channel's events from first to last in again.
func (o *outbox) replay(id string, ch int, first, last int64) {
	o.mu.Lock()
	defer o.mu.Unlock()
	var again []Row
	for _, r := range o.published {
		if r.ChannelID == ingest.ChannelID(ch) && r.ReplayID == "" && r.Sequence >= first && r.Sequence <= last {
			r.ReplayID = id
			again = append(again, r)
		}
	}
	for _, r := range again {
		o.put(r)
	}
}

// until waits for the rows to be as ok wants them.
func (o *outbox) until(t *testing.T, what string, ok func(rows []Row) bool) {
	t.Helper()
	deadline := time.After(patience)
	for {
		o.mu.Lock()
		fine, changed, left := ok(o.rows), o.changed, len(o.rows)
		o.mu.Unlock()
		if fine {
			return
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("outbox still has %d rows after %v, want %s", left, patience, what)
		}
	}
}

func (o *outbox) untilEmpty(t *testing.T) {
	t.Helper()
	o.until(t, "none", func(rows []Row) bool { return len(rows) == 0 })
}

func (o *outbox) onDelete(f func(ids []int64) error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.beforeDelete = f
}

// logBuffer is a log that tests can wait for.
type logBuffer struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newLogBuffer() *logBuffer { return &logBuffer{changed: make(chan struct{})} }

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.changed)
	b.changed = make(chan struct{})
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// until waits for a line that contains all words.
func (b *logBuffer) until(t *testing.T, words ...string) {
	t.Helper()
	deadline := time.After(patience)
	for {
		b.mu.Lock()
		text, changed := b.text.String(), b.changed
		b.mu.Unlock()
		for line := range strings.Lines(text) {
			if !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) }) {
				return
			}
		}
		select {
		case <-changed:
		case <-deadline:
			t.Fatalf("no line with %q in the log:\n%s", words, text)
		}
	}
}

// running is a relay at work.
type running struct {
	cancel  context.CancelFunc
	done    chan error
	nc      *nats.Conn
	metrics *Metrics
	log     *logBuffer
}

var allBuckets = []int16{0, 1, 2, 3}

// start runs a relay on its own connection until stop or the end of the test.
func start(t *testing.T, o *outbox, d DialOptions, change ...func(*Relay)) *running {
	t.Helper()
	log := newLogBuffer()
	logger := slog.New(slog.NewTextHandler(log, nil))
	d.Log = logger
	nc := dial(t, d)
	r := &Relay{
		Conn: nc, Outbox: o, Owned: func() []int16 { return allBuckets }, Wake: o.wake,
		Poll: 5 * time.Millisecond, Timeout: 2 * time.Second, Log: logger, Metrics: NewMetrics(prometheus.NewRegistry()),
	}
	for _, f := range change {
		f(r)
	}
	ctx, cancel := context.WithCancel(context.Background())
	run := &running{cancel: cancel, done: make(chan error, 1), nc: nc, metrics: r.Metrics, log: log}
	go func() { run.done <- r.Run(ctx) }()
	t.Cleanup(func() { run.stop(t) })
	return run
}

// stop ends the relay and waits for it.
func (r *running) stop(t *testing.T) {
	t.Helper()
	r.cancel()
	select {
	case err := <-r.done:
		if err != nil {
			t.Errorf("Run: %v", err)
		}
		r.done <- nil // for a second stop
		r.nc.Close()
	case <-time.After(patience):
		t.Error("Run does not end")
	}
}

func (r *running) gaps() float64 { return testutil.ToFloat64(r.metrics.gaps) }

func dial(t *testing.T, d DialOptions) *nats.Conn {
	t.Helper()
	nc, err := Dial(d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// startNATS runs a server that only this process reaches.
func startNATS(t *testing.T) *embedded.NATS {
	t.Helper()
	n, err := embedded.StartNATS(embedded.NATSConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}

func inProcess(n *embedded.NATS) DialOptions { return DialOptions{InProcess: n.InProcess()} }

func jetStream(t *testing.T, nc *nats.Conn) jetstream.JetStream {
	t.Helper()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

// audit is what the stream holds, per channel.
type audit struct {
	first   map[string][]int64            // sequences of first publications, in stream order
	replays map[string]map[string][]int64 // channel, replay: sequences
	ids     map[string]string             // channel/sequence: event id
}

func scan(t *testing.T, nc *nats.Conn) audit {
	t.Helper()
	a := audit{map[string][]int64{}, map[string]map[string][]int64{}, map[string]string{}}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := Scan(ctx, nc, 0, 0, func(e Entry) error {
		switch {
		case e.Sequence == 0:
		case e.ReplayID == "":
			a.first[e.Channel] = append(a.first[e.Channel], e.Sequence)
			a.ids[fmt.Sprintf("%s/%d", e.Channel, e.Sequence)] = e.EventID
		default:
			if a.replays[e.Channel] == nil {
				a.replays[e.Channel] = map[string][]int64{}
			}
			a.replays[e.Channel][e.ReplayID] = append(a.replays[e.Channel][e.ReplayID], e.Sequence)
		}
		return nil
	})
	if err != nil {
		t.Fatalf("scan: %v", err)
	}
	return a
}

// wantDense checks that the channel's sequence in the stream is first..last, each once and in order.
func (a audit) wantDense(t testing.TB, ch int, first, last int64) {
	t.Helper()
	if got := a.first[channelName(ch)]; !slices.Equal(got, span(first, last)) {
		t.Errorf("channel %d: stream has sequences %s, want %d to %d once each", ch, brief(got), first, last)
	}
}

func span(first, last int64) []int64 {
	var s []int64
	for i := first; i <= last; i++ {
		s = append(s, i)
	}
	return s
}

// brief shows where a sequence is not dense.
func brief(seqs []int64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "(%d of them)", len(seqs))
	for i, s := range seqs {
		if i == 0 || i == len(seqs)-1 || s != seqs[i-1]+1 {
			fmt.Fprintf(&b, " [%d]=%d", i, s)
		}
	}
	return b.String()
}

var errInjected = errors.New("injected fault")
