package relay

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Sizes and pauses. A batch may hold 1,000 messages by the server's default; 200 is where the rate stops rising.
const (
	DefaultBatch   = 200
	DefaultPoll    = 250 * time.Millisecond
	DefaultTimeout = 5 * time.Second

	maxBatchOctets = 4 << 20 // of one atomic batch, which the server keeps in memory until the commit
	maxReadOctets  = 8 << 20 // aimed at for one read of the outbox
	maxReadBatches = 5       // batches that one read of the outbox may fill
	maxTails       = 65536
	maxIdle        = time.Second
	maxBackoff     = 5 * time.Second
	maxOffline     = 250 * time.Millisecond // between looks at a connection that is down
	deleteTimeout  = 5 * time.Second        // for deleting published rows when the relay is told to stop
)

// Relay moves events from the outbox to the stream. Set the fields, then call Run; they do not change after that.
type Relay struct {
	Conn   *nats.Conn // from Dial; not closed by the relay
	Outbox Outbox
	// Owned tells the buckets that are this replica's now. Two replicas that believe to own the same bucket do no harm.
	Owned func() []int16
	// Wake says that there may be new rows; nil is allowed, then Poll alone decides.
	Wake <-chan struct{}
	// Stream is what the stream is created with where it is absent.
	Stream StreamSettings
	// Batch is how many events are published at once, 1 to 1,000; 0 means DefaultBatch.
	Batch int
	// Poll is the first pause when the outbox is empty; it doubles up to a second. 0 means DefaultPoll.
	Poll time.Duration
	// Timeout is how long an acknowledgement may take before its outcome is doubted; 0 means DefaultTimeout.
	Timeout time.Duration
	Log     *slog.Logger // nil for none
	Metrics *Metrics     // required
}

// Run relays until ctx ends and then returns nil. It never gives up: while NATS, the stream or the outbox cannot be
// used it waits with backoff, rows stay where they are, and the log says so once per change. The only errors are those
// of a Relay that is put together wrongly.
func (r *Relay) Run(ctx context.Context) error {
	if r.Conn == nil || r.Outbox == nil || r.Owned == nil || r.Metrics == nil {
		return errors.New("relay: Conn, Outbox, Owned and Metrics are required")
	}
	m, err := newMover(r)
	if err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return fmt.Errorf("relay: %w", err)
	}
	defer m.wire.close()

	health := health{log: m.log}
	idle := m.poll
	for ctx.Err() == nil {
		moved, err := m.pass(ctx)
		pause := time.Duration(0)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil:
			pause = health.failed(err)
			idle = m.poll
		case moved > 0:
			health.fine()
			idle = m.poll
		default:
			health.fine()
			pause = idle
			idle = min(2*idle, maxIdle)
		}
		wake := r.Wake
		if err != nil {
			wake = nil // news does not help against a failure
		}
		if wait(ctx, wake, pause) {
			idle = m.poll
		}
	}
	return nil
}

// wait pauses; it reports whether wake ended the pause.
func wait(ctx context.Context, wake <-chan struct{}, pause time.Duration) bool {
	if pause <= 0 {
		return false
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case _, ok := <-wake:
		if !ok { // closed: no more news, but the pause stands
			select {
			case <-ctx.Done():
			case <-timer.C:
			}
		}
		return ok
	}
	return false
}

// health logs when the relay stops working and when it works again, and says how long to wait.
type health struct {
	log      *slog.Logger
	since    time.Time
	failures int
	text     string
}

func (h *health) failed(err error) (pause time.Duration) {
	if h.failures == 0 {
		h.since = time.Now()
	}
	h.failures++
	offline := errors.Is(err, errDisconnected)
	if text := err.Error(); text != h.text && !offline { // the connection logs for itself
		h.text = text
		h.log.Warn("events cannot be relayed and wait in the outbox", "error", err)
	}
	limit := maxBackoff
	if offline {
		limit = maxOffline
	}
	d := min(50*time.Millisecond<<min(h.failures, 8), limit)
	return d/2 + rand.N(d/2+1)
}

func (h *health) fine() {
	if h.text != "" {
		h.log.Info("events are relayed again", "after", time.Since(h.since).Round(time.Millisecond), "failures", h.failures)
	}
	h.failures, h.text = 0, ""
}

// mover is the state of one Run.
type mover struct {
	outbox    Outbox
	owned     func() []int16
	settings  StreamSettings
	log       *slog.Logger
	metrics   *Metrics
	nc        *nats.Conn
	js        jetstream.JetStream
	wire      *wire
	reader    reader
	batch     int
	poll      time.Duration
	info      *jetstream.StreamInfo // nil until the stream is known to be usable
	tails     *tails
	holds     *holds
	rowOctets int     // running mean of a row's size
	gaps      int     // in the rows in hand
	done      []int64 // rows that are in the stream and not yet deleted
}

func newMover(r *Relay) (*mover, error) {
	m := &mover{
		outbox: r.Outbox, owned: r.Owned, settings: r.Stream, log: r.Log, metrics: r.Metrics, nc: r.Conn,
		batch: r.Batch, poll: r.Poll, tails: newTails(maxTails), holds: newHolds(), rowOctets: 4 << 10,
	}
	if m.log == nil {
		m.log = slog.New(slog.DiscardHandler)
	}
	if m.batch <= 0 {
		m.batch = DefaultBatch
	}
	m.batch = min(m.batch, 1000)
	if m.poll <= 0 {
		m.poll = DefaultPoll
	}
	timeout := r.Timeout
	if timeout <= 0 {
		timeout = DefaultTimeout
	}
	m.reader = reader{nc: r.Conn, timeout: timeout}
	var err error
	if m.js, err = jetstream.New(r.Conn, jetstream.WithDefaultTimeout(timeout)); err != nil {
		return nil, err
	}
	m.wire, err = newWire(r.Conn, timeout)
	return m, err
}
