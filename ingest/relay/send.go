package relay

import (
	"context"
	"errors"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
)

// stalePauses are the waits after refusals as stale. The first retry only needs the tails read again; the later ones
// give a batch that is in process elsewhere the time to finish.
var stalePauses = [...]time.Duration{0, 50 * time.Millisecond, 200 * time.Millisecond}

// maxGapLines is how many channels with gaps are logged by name per read of the outbox: a lost stream concerns all.
const maxGapLines = 10

// send publishes items, which fit into one batch, or finds out that they are stored. A batch that is refused for its
// content is halved until the item at fault is alone, whose channel is then held. When send returns nil every item is
// stored, or its channel held; an error means that NATS or the stream cannot be used now.
func (m *mover) send(ctx context.Context, items []*item) error {
	for try := 0; ; try++ {
		ready, err := m.settle(ctx, items)
		if err != nil || len(ready) == 0 {
			return err
		}
		items = ready
		err = m.publish(ctx, items)
		if err == nil {
			return nil
		}
		refused, ok := errors.AsType[*refusal](err)
		if !ok || refused.general() {
			// Whether the batch is stored is not known, or the stream is not what it was.
			m.doubt(items)
			m.info = nil
			return err
		}
		if refused.stale() {
			m.doubt(items)
			if try < len(stalePauses) {
				wait(ctx, nil, stalePauses[try])
				continue
			}
		}
		if refused.ErrCode == codeBatchTooLarge {
			m.batch = max(1, len(items)/2)
		}
		if len(items) == 1 {
			m.hold(items[0], err)
			return nil
		}
		half := len(items) / 2
		if err := m.send(ctx, items[:half]); err != nil {
			return err
		}
		return m.send(ctx, items[half:])
	}
}

// doubt marks the lanes of items to be read again.
func (m *mover) doubt(items []*item) {
	for _, it := range items {
		m.tails.doubt(it.row.lane())
	}
}

// publish sends one batch, whose expectations are set, and takes in the acknowledgement.
func (m *mover) publish(ctx context.Context, items []*item) error {
	msgs := make([]*nats.Msg, len(items))
	for i, it := range items {
		msgs[i] = it.msg
	}
	start := time.Now()
	last, err := m.wire.publish(ctx, msgs)
	if err != nil {
		if ctx.Err() == nil {
			m.metrics.refused.WithLabelValues(refusedCode(err)).Inc()
		}
		return err
	}
	now := time.Now()
	m.metrics.publish.Observe(now.Sub(start).Seconds())
	m.metrics.published.Add(float64(len(items)))
	first := last - uint64(len(items)) + 1
	for i, it := range items {
		row := it.row
		m.tails.put(row.lane(), tail{
			position: first + uint64(i), sequence: row.Sequence, eventID: row.EventID, seen: now,
		})
		m.done = append(m.done, row.ID)
		m.release(it)
		if it.gapAfter >= 0 {
			// The server has confirmed that the lane ended there, so that the events between are not in the stream.
			m.metrics.gaps.Inc()
			if m.gaps++; m.gaps <= maxGapLines {
				m.log.Error("earlier events of a channel are missing in the stream; replay them (kind events)",
					"channel", it.channelName(), "first_missing", it.gapAfter+1, "last_missing", row.Sequence-1)
			}
		}
	}
	return nil
}

// refusedCode is the label of a failed batch.
func refusedCode(err error) string {
	refused, ok := errors.AsType[*refusal](err)
	switch {
	case ok:
		return strconv.Itoa(int(refused.ErrCode))
	case errors.Is(err, errNoAnswer):
		return "timeout"
	case errors.Is(err, errNoStream):
		return "no_stream"
	case errors.Is(err, errDisconnected), errors.Is(err, nats.ErrConnectionClosed), errors.Is(err, nats.ErrReconnectBufExceeded):
		return "disconnected"
	}
	return "other"
}
