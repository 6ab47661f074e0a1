package relay

import (
	"container/list"
	"time"
)

// tail is the end of a lane in the stream.
type tail struct {
	position uint64    // stream sequence of the last message; 0 if the lane is empty
	sequence int64     // its Mailintake-Sequence; 0 if the lane is empty
	eventID  string    // its event id
	seen     time.Time // when the relay learned this
}

// tails remembers the ends of the lanes used last. What it says is a guess that the server checks with every batch.
// It is not safe for concurrent use.
type tails struct {
	limit int
	order *list.List // of *tailEntry, used last in front
	index map[lane]*list.Element
}

type tailEntry struct {
	lane  lane
	tail  tail
	doubt bool // to be read again before the next use
}

func newTails(limit int) *tails {
	return &tails{limit: limit, order: list.New(), index: make(map[lane]*list.Element)}
}

// get returns what is known of a lane; fresh says that it may be used as an expectation.
func (t *tails) get(l lane) (end tail, known, fresh bool) {
	el, ok := t.index[l]
	if !ok {
		return tail{}, false, false
	}
	t.order.MoveToFront(el)
	e := el.Value.(*tailEntry)
	return e.tail, true, !e.doubt
}

// put stores the end of a lane and forgets the lane that was used least.
func (t *tails) put(l lane, end tail) {
	if el, ok := t.index[l]; ok {
		*el.Value.(*tailEntry) = tailEntry{lane: l, tail: end}
		t.order.MoveToFront(el)
		return
	}
	t.index[l] = t.order.PushFront(&tailEntry{lane: l, tail: end})
	if t.order.Len() > t.limit {
		oldest := t.order.Back()
		delete(t.index, oldest.Value.(*tailEntry).lane)
		t.order.Remove(oldest)
	}
}

// doubt marks a lane to be read before its next use. What is known of it stays as the place to search from.
func (t *tails) doubt(l lane) {
	el, ok := t.index[l]
	if !ok {
		t.put(l, tail{})
		el = t.index[l]
	}
	el.Value.(*tailEntry).doubt = true
}
