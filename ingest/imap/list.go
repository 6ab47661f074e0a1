package imap

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"

	goimap "github.com/emersion/go-imap/v2"

	"github.com/mailintake/mailintake/ingest"
)

const (
	maxPage     = 10_000 // the size of a page where the caller does not limit it
	minWindow   = 64     // UIDs that one window covers at least
	smallWindow = 512    // UIDs whose items are fetched without knowing which of them exist
)

// List gives the messages with UIDs above those that the cursor covers, lowest first. If the server has assigned none
// (UIDNEXT), it answers without asking the server.
//
// UIDs are taken in windows, so that neither a mailbox of a million messages nor gaps of a billion UIDs matter: a window
// is searched for UIDs and its small items are fetched in the same flight. A UID that SEARCH knows is listed even if
// FETCH tells nothing about it, with Size -1. A server without UIDVALIDITY, or with 0, gives refs of UIDValidity 0;
// a cursor of another UIDVALIDITY resets there too.
//
// Page.Next covers everything up to the end of the last window, and up to UIDNEXT-1 when nothing is left; so it may be
// lower than a cursor that was beyond UIDNEXT. List with a cursor of LastUID 4294967295 therefore tells where a
// mailbox stands, at the price of no round trip.
func (s *session) List(ctx context.Context, after ingest.Cursor, limit ingest.Limit) (ingest.Page, error) {
	page := ingest.Page{Total: int(s.state.exists), UIDNext: uint32(s.state.uidNext)}
	if after.UIDValidity != 0 && after.UIDValidity != s.state.uidValidity || after.Folder != "" && after.Folder != s.folder {
		page.Reset, after = true, ingest.Cursor{}
	}
	page.Next = ingest.Cursor{Folder: s.folder, UIDValidity: s.state.uidValidity, Floor: after.Floor}
	top, err := s.highest(ctx)
	if err != nil {
		return ingest.Page{}, err
	}
	keep := limit.Messages
	if keep <= 0 || keep > maxPage {
		keep = maxPage
	}
	done := max(after.Floor, after.LastUID)
	if s.state.exists == 0 {
		done = max(done, top)
	}
	for width := s.window(done, top, keep); done < top && len(page.Entries) == 0; width *= 16 {
		w := window{lo: done + 1, hi: top, keep: keep}
		if uint64(top-done) > width {
			w.hi = done + uint32(width)
		}
		var cut bool
		if page.Entries, cut, err = s.listWindow(ctx, w); err != nil {
			return ingest.Page{}, err
		}
		done = w.hi
		if n := fit(page.Entries, limit.Octets); n < len(page.Entries) {
			page.Entries, cut = page.Entries[:n], true
		}
		if cut {
			done = page.Entries[len(page.Entries)-1].Ref.UID
		}
	}
	page.More = done < top
	page.Next.LastUID = min(done, top)
	return page, nil
}

// window is a range of UIDs, both ends included, of which at most the lowest keep are listed.
type window struct {
	lo, hi uint32
	keep   int
}

// window is how many UIDs to look at first: about as many as hold a page, going by the average gap.
func (s *session) window(done, top uint32, keep int) uint64 {
	if done >= top {
		return minWindow
	}
	density := max(uint64(top)/max(uint64(s.state.exists), 1), 1)
	return max(minWindow, uint64(keep)*min(density, math.MaxUint32))
}

// highest is the highest UID that a message can have: UIDNEXT-1 (RFC 9051 §2.3.1.1), or, where the server does not
// tell, that of the last message. QUIRK: 163.com and others send no UIDNEXT, or 0.
func (s *session) highest(ctx context.Context) (uint32, error) {
	switch {
	case s.topKnown:
		return s.top, nil
	case s.state.uidNext > 0:
		s.top = uint32(s.state.uidNext - 1)
	case s.state.exists > 0:
		sink := newSink()
		sink.lo, sink.hi, sink.keep = 1, math.MaxUint32, 16
		err := s.command(ctx, "list", 1, sink, func() error {
			return s.client.Fetch(goimap.SeqSetNum(0), &goimap.FetchOptions{UID: true}).Close()
		})
		if err != nil {
			return 0, err
		}
		sink.mu.Lock()
		defer sink.mu.Unlock()
		for uid := range sink.entries {
			s.top = max(s.top, uid)
		}
		if s.top == 0 {
			s.top = math.MaxUint32 // not told: look everywhere
		}
	}
	s.topKnown = true
	return s.top, nil
}

// listWindow lists a window and says whether there was more in it than it may keep.
func (s *session) listWindow(ctx context.Context, w window) (entries []ingest.Entry, cut bool, err error) {
	sink := newSink()
	sink.lo, sink.hi, sink.keep = w.lo, w.hi, w.keep
	width := uint64(w.hi) - uint64(w.lo) + 1
	small := width <= uint64(max(2*w.keep, smallWindow))
	commands := 1
	if small {
		sink.keep, commands = int(width), 2
	}
	sink.extra = int64(min(width, uint64(s.state.exists)))*12 + int64(sink.keep)*perRef
	all := goimap.UIDSet{{Start: goimap.UID(w.lo), Stop: goimap.UID(w.hi)}}
	err = s.command(ctx, "list", commands, sink, func() error {
		search := s.client.UIDSearch(&goimap.SearchCriteria{UID: []goimap.UIDSet{all}}, nil)
		if small {
			if err := s.items(all); err != nil {
				return err
			}
		}
		_, err := search.Wait()
		return err
	})
	if err != nil {
		return nil, false, err
	}
	uids, more := sink.listed()
	if !small {
		for _, set := range uidSets(uids) {
			if err := s.command(ctx, "list", 1, sink, func() error { return s.items(set) }); err != nil {
				return nil, false, err
			}
		}
	}
	sink.mu.Lock()
	defer sink.mu.Unlock()
	for uid := range sink.entries {
		if _, known := slices.BinarySearch(uids, uid); !known {
			entries = append(entries, s.entry(uid, sink.entries[uid]))
		}
	}
	for _, uid := range uids {
		a, told := sink.entries[uid]
		if !told {
			a = attributes{size: -1}
		}
		entries = append(entries, s.entry(uid, a))
	}
	slices.SortFunc(entries, func(a, b ingest.Entry) int { return cmp.Compare(a.Ref.UID, b.Ref.UID) })
	if len(entries) > w.keep {
		entries, more = entries[:w.keep], true
	}
	return entries, more, nil
}

// items fetches the small items of a set. A refusal is no error: what SEARCH found is listed in any case, and fetching
// the bodies will tell what is wrong.
func (s *session) items(set goimap.UIDSet) error {
	err := s.client.Fetch(set, &goimap.FetchOptions{UID: true, RFC822Size: true, InternalDate: true, Flags: true}).Close()
	if _, refused := errors.AsType[*goimap.Error](err); refused {
		return nil
	}
	return err
}

func (s *session) entry(uid uint32, a attributes) ingest.Entry {
	return ingest.Entry{Ref: s.ref(uid), Size: a.size, Received: a.received, Number: int(a.seq), Deleted: a.deleted}
}

// fit is how many entries have at most octets together; at least one, and all if octets is 0.
func fit(entries []ingest.Entry, octets int64) int {
	if octets <= 0 {
		return len(entries)
	}
	for i, e := range entries {
		if octets -= max(e.Size, 0); octets < 0 {
			return max(i, 1)
		}
	}
	return len(entries)
}
