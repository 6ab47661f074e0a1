package imap

import (
	"slices"
	"sync"
	"time"
)

// sink takes what the answers to one flight of commands bring. The reader goroutine fills it, the caller's goroutine
// reads it when the commands have ended. A nil sink takes nothing.
type sink struct {
	extra      int64 // octets of answers that are allowed beyond maxVolume
	maxMessage int64
	arrivals   chan *arrival // to the goroutine that runs Fetch; nil when no bodies are wanted
	failed     <-chan struct{}

	mu       sync.Mutex
	lo, hi   uint32 // the UIDs that a listing is about
	keep     int    // how many of them at most, the lowest
	uids     []uint32
	overflow bool // there were more
	entries  map[uint32]attributes
	state    mailbox
	wanted   map[uint32]bool // UIDs whose bodies are to come
	single   bool            // there is one such UID, and a response may name it behind the body
	large    map[uint32]int64
	unwanted int64 // octets of bodies that may still be dropped
	behind   bool  // a body came before its UID and was dropped
}

// mailbox is what SELECT told (RFC 9051 §6.3.2).
type mailbox struct {
	exists      uint32
	uidNext     uint64 // 0 if not told; may be 1<<32 when no UID is left
	uidValidity uint32 // 0 if not told
	readOnly    bool
}

func newSink() *sink { return &sink{entries: map[uint32]attributes{}, large: map[uint32]int64{}} }

func (s *sink) exists(n uint32) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.exists = n
}

func (s *sink) status(r result) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	switch n, ok := r.number(); r.code {
	case "UIDNEXT":
		if ok && n <= 1<<32 {
			s.state.uidNext = n
		}
	case "UIDVALIDITY":
		if ok && n < 1<<32 {
			s.state.uidValidity = uint32(n)
		}
	}
}

func (s *sink) mailbox() mailbox {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// found takes a number of a SEARCH response. Only the lowest are kept, so that a listing of any length fits.
func (s *sink) found(n uint64) {
	if s == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n < uint64(s.lo) || n > uint64(s.hi) || s.hi == 0 {
		return
	}
	s.uids = append(s.uids, uint32(n))
	if len(s.uids) >= 2*s.keep+64 {
		s.trim()
	}
}

func (s *sink) trim() {
	slices.Sort(s.uids)
	s.uids = slices.Compact(s.uids)
	if len(s.uids) > s.keep {
		s.uids, s.overflow = s.uids[:s.keep], true
	}
}

// listed are the UIDs found, ascending, and whether there were more than are kept.
func (s *sink) listed() ([]uint32, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trim()
	return s.uids, s.overflow
}

// attributes takes what a FETCH response told about a message. Responses without UID, about messages that were not
// asked for, or beyond what was asked for are dropped; several about one message add up.
func (s *sink) attributes(uid uint32, a attributes) {
	if s == nil || uid == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	old, seen := s.entries[uid]
	if !seen && (uid < s.lo || uid > s.hi || len(s.entries) >= 2*s.keep) {
		return
	}
	if seen {
		if a.size < 0 {
			a.size = old.size
		}
		if a.received.IsZero() {
			a.received = old.received
		}
		if !a.flags {
			a.flags, a.deleted = old.flags, old.deleted
		}
	}
	s.entries[uid] = a
}

func (s *sink) received(uid uint32) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.entries[uid].received
}

// wants tells whether the body at hand should be handed over. UID 0 is one that the response has not named yet.
func (s *sink) wants(uid uint32) bool {
	if s == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.arrivals == nil {
		return false
	}
	s.behind = s.behind || uid == 0
	return s.wanted[uid] || uid == 0 && s.single && len(s.wanted) == 1
}

// complete notes that the whole body of uid was read; false if it is not one that is wanted.
func (s *sink) complete(uid uint32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ok := s.wanted[uid]
	delete(s.wanted, uid)
	return ok
}

func (s *sink) tooLarge(uid uint32, n int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.single && uid == 0 {
		for uid = range s.wanted {
		}
	}
	delete(s.wanted, uid)
	s.large[uid] = n
}

// spare says how many of n octets of an unwanted body may be dropped for free.
func (s *sink) spare(n int64) int64 {
	if s == nil {
		return 0
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n > s.unwanted {
		return 0
	}
	s.unwanted -= n
	return n
}

// hand gives a message to the goroutine that runs Fetch and waits until it is through with it.
func (s *sink) hand(a *arrival) error {
	a.ack = make(chan struct{})
	select {
	case s.arrivals <- a:
		<-a.ack
	case <-s.failed:
	}
	return a.fetched.guard.Err()
}
