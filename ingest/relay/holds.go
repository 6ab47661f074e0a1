package relay

import (
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// Pauses of a held channel, and how long an expired hold is remembered so that the pause keeps growing.
const (
	minHold    = time.Second
	maxHold    = 5 * time.Minute
	holdMemory = 10 * time.Minute
)

// holds are the channels whose next row cannot be published. It is not safe for concurrent use.
type holds struct {
	channels map[ingest.ChannelID]*hold
	// skip are the channels held since the outbox was last read: the rows in hand must not overtake.
	skip map[ingest.ChannelID]bool
}

type hold struct {
	until  time.Time
	pause  time.Duration
	reason string
}

func newHolds() *holds {
	return &holds{channels: make(map[ingest.ChannelID]*hold), skip: make(map[ingest.ChannelID]bool)}
}

// begin starts a new read of the outbox and returns the channels to leave out.
func (h *holds) begin(now time.Time) (except []ingest.ChannelID) {
	clear(h.skip)
	for id, held := range h.channels {
		switch {
		case now.Before(held.until):
			except = append(except, id)
		case now.After(held.until.Add(holdMemory)): // its rows are gone, or another replica's
			delete(h.channels, id)
		}
	}
	return except
}

// add holds a channel for longer than the last time; news says that the reason is a new one.
func (h *holds) add(id ingest.ChannelID, reason string, now time.Time) (until time.Time, news bool) {
	held := h.channels[id]
	if held == nil {
		held = &hold{}
		h.channels[id] = held
	}
	news = held.reason != reason
	held.reason = reason
	held.pause = min(max(2*held.pause, minHold), maxHold)
	held.until = now.Add(held.pause)
	h.skip[id] = true
	return held.until, news
}

// release forgets a channel whose event was published or found in the stream; it reports whether it was held.
func (h *holds) release(id ingest.ChannelID) bool {
	_, held := h.channels[id]
	if held {
		delete(h.channels, id)
	}
	return held
}
