package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/mailintake/mailintake/ingest"
)

// item is a row on its way to the stream.
type item struct {
	row  *Row
	msg  *nats.Msg
	size int // octets on the wire, headers included
	// gapAfter is the sequence after which the stream jumps to this row; -1 where it does not.
	gapAfter int64
}

func (it *item) channelName() string {
	return "tenants/" + it.row.Tenant + "/emailChannels/" + it.row.Channel
}

// pass reads the outbox once and publishes what it finds. It returns how many rows are in the stream and deleted. What
// was acknowledged before an error is deleted all the same.
func (m *mover) pass(ctx context.Context) (moved int, err error) {
	if m.info == nil {
		if m.info, err = m.ensure(ctx); err != nil {
			return 0, err
		}
	}
	if err := m.deleteDone(ctx); err != nil { // left over from a pass whose delete failed
		return 0, err
	}
	except := m.holds.begin(time.Now())
	m.metrics.held.Set(float64(len(m.holds.channels)))
	buckets := m.owned()
	if len(buckets) == 0 {
		return 0, nil
	}
	limit := min(max(maxReadOctets/m.rowOctets, m.batch), maxReadBatches*m.batch)
	rows, err := m.outbox.Next(ctx, buckets, except, limit)
	if err != nil {
		return 0, fmt.Errorf("read the outbox: %w", err)
	}
	if len(rows) == 0 {
		return 0, nil
	}
	items, spoiled := m.encode(rows)
	m.gaps = 0
	for len(items) > 0 && err == nil {
		n, octets := 0, 0
		for n < len(items) && n < m.batch && (n == 0 || octets+items[n].size <= maxBatchOctets) {
			octets += items[n].size
			n++
		}
		err = m.send(ctx, items[:n])
		items = items[n:]
	}
	if more := m.gaps - maxGapLines; more > 0 {
		m.log.Error("earlier events of more channels are missing in the stream; verify names them", "channels", more)
	}
	if err == nil { // what comes before a spoiled row has gone; now its channel stops
		for _, s := range spoiled {
			m.hold(s.item, s.reason)
		}
	}
	m.metrics.held.Set(float64(len(m.holds.channels)))
	moved = len(m.done)
	return moved, errors.Join(err, m.deleteDone(ctx))
}

// ensure makes sure of the stream within the usual timeout.
func (m *mover) ensure(ctx context.Context) (*jetstream.StreamInfo, error) {
	ctx, cancel := context.WithTimeout(ctx, m.reader.timeout)
	defer cancel()
	return ensure(ctx, m.nc, m.js, m.settings)
}

// deleteDone deletes the rows that are in the stream, also when ctx has just ended.
func (m *mover) deleteDone(ctx context.Context) error {
	if len(m.done) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	if err := m.outbox.Delete(ctx, m.done); err != nil {
		return fmt.Errorf("delete published rows: %w", err)
	}
	m.done = m.done[:0]
	return nil
}

// spoiled is a row that cannot become a message.
type spoiled struct {
	item   *item
	reason error
}

// encode makes messages of rows. Of every channel it returns the rows before the first one that cannot become a
// message, and that one in the second result.
func (m *mover) encode(rows []Row) ([]*item, []spoiled) {
	items := make([]*item, 0, len(rows))
	store := make([]item, len(rows))
	var bad []spoiled
	stopped := make(map[ingest.ChannelID]bool)
	octets := 0
	for i := range rows {
		row := &rows[i]
		octets += len(row.Data) + 512
		if stopped[row.ChannelID] {
			continue
		}
		it := &store[i]
		it.row = row
		if code, err := m.encodeItem(it); err != nil {
			m.metrics.refused.WithLabelValues(code).Inc()
			stopped[row.ChannelID] = true
			bad = append(bad, spoiled{it, err})
			continue
		}
		items = append(items, it)
	}
	m.rowOctets = max(1, (m.rowOctets+octets/len(rows))/2)
	return items, bad
}

// encodeItem makes the message of one row. The code is the metric's label when it fails.
func (m *mover) encodeItem(it *item) (code string, err error) {
	if it.msg, err = Encode(*it.row); err != nil {
		return "unencodable", fmt.Errorf("the event cannot be encoded: %w", err)
	}
	it.size = it.msg.Size() + batchHeaderOctets
	if limit := m.nc.MaxPayload(); limit > 0 && int64(it.size) > limit {
		return "too_large", fmt.Errorf("the event has %d octets and the server takes %d: raise max_payload of nats-server", it.size, limit)
	}
	return "", nil
}

// batchHeaderOctets is room for the headers that the batch adds: names, a batch id, numbers and the wildcard.
const batchHeaderOctets = 384

// hold stops a channel at an item, for a while.
func (m *mover) hold(it *item, reason error) {
	until, news := m.holds.add(it.row.ChannelID, reason.Error(), time.Now())
	if news {
		m.log.Error("events of a channel are held", "channel", it.channelName(), "sequence", it.row.Sequence,
			"event", it.row.EventID, "outbox_row", it.row.ID, "error", reason, "next_attempt", until)
	}
}

// release ends the hold of an item's channel after the item went through.
func (m *mover) release(it *item) {
	if m.holds.release(it.row.ChannelID) {
		m.log.Info("events of a channel flow again", "channel", it.channelName(), "sequence", it.row.Sequence)
	}
}
