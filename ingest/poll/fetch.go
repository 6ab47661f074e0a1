package poll

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// batch is what one transaction will hold, while it is being gathered.
type batch struct {
	entries  []ingest.Entry
	cursor   ingest.Cursor
	start    bool // the initial sync is decided with this batch
	restart  bool // the mailbox was numbered anew
	again    bool // a replay: refs that were deferred, given up or not wanted are tried again
	history  int  // items that are skipped because they are older than the channel
	fetch    []ingest.Ref
	received map[ingest.Ref]time.Time
	arrived  map[ingest.Ref]*arrival
	order    []*arrival
	missing  ingest.Missing
	attempts map[ingest.Ref]int        // tries of deferred refs so far
	items    []ingest.Item             // decided without a body
	settle   []ingest.Ref              // known and stored
	reused   map[ingest.Ref]bool       // POP3: refs whose message we deleted and that are listed again
	renamed  map[ingest.Ref]ingest.Ref // refs in the ledger that stand for such a ref on the server
	same     int                       // of those, messages that we have
	counts   *ingest.Counts
}

// arrival is a message whose body is complete.
type arrival struct {
	ref      ingest.Ref
	octets   ingest.Octets
	received time.Time
	mail     *ingest.Mail
}

// open reports whether a ref that was to be fetched has neither a body nor a reason why not.
func (b *batch) open(r ingest.Ref) bool {
	return b.arrived[r] == nil && b.missing[r] == nil && slices.Contains(b.fetch, r)
}

func (b *batch) onlyHistory() bool {
	return len(b.fetch) == 0 && len(b.items) == b.history && len(b.settle) == 0
}

func (b *batch) discard() {
	for _, a := range b.order {
		a.octets.Close()
	}
	b.order, b.arrived = nil, nil
}

// fetch brings the bodies of b.fetch into the spool. A message that breaks the protocol is closed in on by halves, on a
// new connection each time, and set apart, so that it does not stop those behind it. A connection that merely breaks
// ends the visit, unless the same message was the next one three times in a row: then that message is taken to be the
// cause. A message that was deferred before is under suspicion from the start. What has arrived stays in b whatever is returned.
func (v *visit) fetch(ctx context.Context, b *batch) error {
	var parts [][]ingest.Ref
	if len(b.fetch) > 0 {
		parts = [][]ingest.Ref{b.fetch}
	}
	suspicious := v.memory.suspects >= 2
	if i := slices.Index(b.fetch, v.memory.suspect); suspicious && i >= 0 && len(b.fetch) > 1 {
		parts = [][]ingest.Ref{b.fetch[:i], b.fetch[i : i+1], b.fetch[i+1:]}
	}
	for len(parts) > 0 {
		part := parts[0]
		parts = parts[1:]
		if len(part) == 0 {
			continue
		}
		if v.sess == nil {
			if err := v.reopen(ctx); err != nil {
				return err
			}
		}
		missing, err := v.sess.Fetch(ctx, part, func(a ingest.Arrival) error { return v.take(b, a) })
		oversize := false
		for r, why := range missing {
			// What was cut off with the connection is not the message's fault; it stays open.
			if err != nil && ingest.KindOf(why) == ingest.KindTemporary {
				continue
			}
			b.missing[r] = why
			oversize = oversize || ingest.KindOf(why) == ingest.KindTooLarge
		}
		if err == nil {
			continue
		}
		var own *storeError
		if ctx.Err() != nil || errors.As(err, &own) {
			return err
		}
		_ = v.sess.Close() // it is broken; what it had marked for deletion is marked again at the next visit
		v.sess, v.deleted = nil, nil
		kind := ingest.KindOf(err)
		rest := slices.DeleteFunc(slices.Clone(part), func(r ingest.Ref) bool { return !b.open(r) })
		switch {
		case len(rest) == 0 || oversize && (kind == ingest.KindTemporary || kind == ingest.KindTooLarge):
			// A message that is far too large cannot be stopped other than by hanging up; the others follow.
			parts = slices.Insert(parts, 0, rest)
		case kind == ingest.KindProtocol && len(rest) > 1:
			parts = slices.Insert(parts, 0, rest[:len(rest)/2], rest[len(rest)/2:])
		case kind == ingest.KindProtocol, kind == ingest.KindTemporary && b.attempts != nil,
			kind == ingest.KindTemporary && suspicious && len(rest) == 1 && rest[0] == v.memory.suspect:
			v.log.Warn("message set apart: it breaks the connection", "ref", rest[0], "error", err)
			b.missing[rest[0]] = err
			v.memory.suspects = 0
		case kind != ingest.KindTemporary:
			return err
		default:
			if rest[0] != v.memory.suspect {
				v.memory.suspect, v.memory.suspects = rest[0], 0
			}
			v.memory.suspects++
			return err
		}
	}
	return nil
}

// take drains one body into the spool. A body that ends early is dropped; the session says so in Missing.
func (v *visit) take(b *batch, a ingest.Arrival) error {
	body := &watched{r: a.Body}
	s := v.Spool.New()
	_, err := s.ReadFrom(body)
	if body.err != nil && !errors.Is(body.err, io.EOF) {
		s.Discard()
		return nil
	}
	if err != nil {
		s.Discard()
		return &storeError{err}
	}
	octets, err := s.Finish()
	if err != nil {
		return &storeError{err}
	}
	received := a.Received
	if received.IsZero() {
		received = b.received[a.Ref]
	}
	if old := b.arrived[a.Ref]; old != nil || !slices.Contains(b.fetch, a.Ref) {
		return octets.Close() // sent twice, or not asked for
	}
	got := &arrival{ref: a.Ref, octets: octets, received: received}
	b.arrived[a.Ref] = got
	b.order = append(b.order, got)
	v.Metrics.octets.Add(float64(octets.Size()))
	return nil
}

// watched remembers how the body ended, so that a broken body is told from a full disk.
type watched struct {
	r   io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.r.Read(p)
	if err != nil {
		w.err = err
	}
	return n, err
}
