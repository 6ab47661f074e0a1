package relay

import (
	"context"
	"fmt"
	"strconv"
	"sync"
)

// maxReads is how many lanes are read from the stream at a time.
const maxReads = 16

// share is one lane's part of a batch.
type share struct {
	lane     lane
	wildcard string
	items    []*item // in order
	before   tail    // what was known of the lane
	known    bool    // whether anything was known
	read     bool    // whether the stream is to be asked
	end      tail    // where the lane ends
	stored   int     // how many of the first items are in the stream
	wrong    error   // why the lane cannot go on
}

// settle finds out where the lanes of items end in the stream, marks the items that are stored as done, holds the
// channels whose stream and outbox contradict each other, and returns the rest with their expectations set. An error
// means that the stream cannot be read now.
func (m *mover) settle(ctx context.Context, items []*item) ([]*item, error) {
	shares := m.shares(items)
	if err := m.readEnds(ctx, shares); err != nil {
		return nil, err
	}
	lost := false // some lane is empty although its first event is not number 1
	for _, s := range shares {
		lost = lost || s.read && s.wrong == nil && s.end.position == 0 && s.lane.replay == "" && s.items[0].row.Sequence > 1
	}
	if lost { // whether that is an alarm depends on the age of the stream, which may be a new one
		info, err := m.ensure(ctx)
		if err != nil {
			m.info = nil
			return nil, err
		}
		m.info = info
	}
	ready := make(map[*item]bool, len(items))
	for _, s := range shares {
		if s.wrong != nil {
			m.tails.doubt(s.lane)
			m.hold(s.items[s.stored], s.wrong)
			continue
		}
		m.tails.put(s.lane, s.end)
		for _, it := range s.items[:s.stored] {
			m.done = append(m.done, it.row.ID)
			m.release(it)
		}
		m.expect(s, ready)
	}
	rest := make([]*item, 0, len(ready))
	for _, it := range items {
		if ready[it] {
			rest = append(rest, it)
		}
	}
	return rest, nil
}

// shares divides items by lane, leaving out those whose channel is held.
func (m *mover) shares(items []*item) []*share {
	var shares []*share
	index := make(map[lane]*share)
	for _, it := range items {
		if m.holds.skip[it.row.ChannelID] {
			continue
		}
		l := it.row.lane()
		s := index[l]
		if s == nil {
			s = &share{lane: l, wildcard: it.row.wildcard()}
			fresh := false
			s.before, s.known, fresh = m.tails.get(l)
			s.end = s.before
			switch {
			case !s.known && l.replay == "" && it.row.Sequence == 1:
				// A new channel: that its lane is empty need not be asked, the server refuses if it is not.
			default:
				s.read = !fresh || it.row.Sequence <= s.end.sequence
			}
			index[l] = s
			shares = append(shares, s)
		}
		s.items = append(s.items, it)
	}
	return shares
}

// readEnds asks the stream for the ends of the lanes that are not known.
func (m *mover) readEnds(ctx context.Context, shares []*share) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	slots := make(chan struct{}, maxReads)
	for _, s := range shares {
		if !s.read {
			continue
		}
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			if err := m.examine(ctx, s); err != nil {
				m.metrics.tailReads.WithLabelValues("error").Inc()
				cancel(err)
				return
			}
			result := "found"
			if s.end.position == 0 {
				result = "missing"
			}
			m.metrics.tailReads.WithLabelValues(result).Inc()
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// examine reads the end of a lane and finds how many of its items are stored. It returns an error when the stream
// cannot be read; contradictions go to s.wrong.
func (m *mover) examine(ctx context.Context, s *share) (err error) {
	s.end, err = m.reader.last(ctx, s.wildcard)
	switch {
	case isForeign(err):
		s.wrong = err
		return nil
	case err != nil:
		return err
	case s.end.position == 0:
		return nil
	case s.lane.replay != "": // a replay only repeats; that its events are the right ones needs no proof
		for s.stored < len(s.items) && s.items[s.stored].row.Sequence <= s.end.sequence {
			s.stored++
		}
		return nil
	}
	return m.confirm(ctx, s)
}

// confirm compares the items up to the lane's end with what the stream has under their sequences.
func (m *mover) confirm(ctx context.Context, s *share) error {
	claimed := 0
	for claimed < len(s.items) && s.items[claimed].row.Sequence <= s.end.sequence {
		claimed++
	}
	if claimed == 0 {
		return nil
	}
	first := s.items[0].row.Sequence
	at := s.end
	if first < s.end.sequence {
		from := uint64(1)
		if s.known && s.before.sequence < first && s.before.position < s.end.position {
			from = s.before.position + 1
		}
		var err error
		if at, err = m.reader.find(ctx, s.wildcard, first, from, s.end); err != nil {
			return foreign(s, err)
		}
	}
	for i, it := range s.items[:claimed] {
		row := it.row
		for at.sequence < row.Sequence && at.position != 0 && at.position < s.end.position {
			var err error
			if at, err = m.reader.next(ctx, s.wildcard, at.position+1); err != nil {
				return foreign(s, err)
			}
		}
		s.stored = i
		switch {
		case at.sequence == row.Sequence && at.eventID == row.EventID:
			s.stored = i + 1
		case at.sequence == row.Sequence:
			m.metrics.conflicts.Inc()
			s.wrong = fmt.Errorf("the stream has event %s under this sequence (message %d): the database seems to be set back behind what it announced; "+
				"reconcile the channel before its events can flow", at.eventID, at.position)
			return nil
		default: // the stream goes on without this event
			oldest, err := m.reader.next(ctx, s.wildcard, 1)
			if err != nil {
				return foreign(s, err)
			}
			if oldest.sequence <= row.Sequence && oldest.position != 0 {
				m.metrics.conflicts.Inc()
				s.wrong = fmt.Errorf("the stream goes from before this sequence to %d without this event; "+
					"reconcile the channel before its events can flow", s.end.sequence)
				return nil
			}
			s.stored = i + 1 // it was there, and retention has removed it
		}
	}
	return nil
}

// foreign turns a message that is not ours into a reason to hold the channel; other errors pass.
func foreign(s *share, err error) error {
	if isForeign(err) {
		s.wrong = err
		return nil
	}
	return err
}

// expect puts the lane's expectation on its first item that is not stored, notes where the sequence jumps, and adds the
// items to ready.
func (m *mover) expect(s *share, ready map[*item]bool) {
	previous := s.end.sequence
	// An empty lane before an event that is not the first: retention may have emptied it, if enough time has passed.
	expired := s.end.position == 0 && !neverExpires(m.info, m.info.Created) &&
		(s.before.sequence == 0 || !neverExpires(m.info, s.before.seen))
	for i, it := range s.items[s.stored:] {
		row := it.row
		delete(it.msg.Header, headerExpected)
		delete(it.msg.Header, headerExpectedSubject)
		if i == 0 {
			it.msg.Header[headerExpected] = []string{strconv.FormatUint(s.end.position, 10)}
			it.msg.Header[headerExpectedSubject] = []string{s.wildcard}
		}
		it.gapAfter = -1
		if row.Sequence <= previous {
			m.hold(it, fmt.Errorf("the outbox has sequence %d behind sequence %d", row.Sequence, previous))
			return
		}
		if s.lane.replay == "" && row.Sequence > previous+1 && !(i == 0 && expired) {
			it.gapAfter = previous
		}
		previous = row.Sequence
		ready[it] = true
	}
}
