package pop3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// The limits of a listing: enough for maildrops that nobody has cleaned for years, and some 80 MB of memory at worst.
const (
	maxListingLines  = 300_000
	maxListingOctets = 24 << 20
	maxListingLine   = 512
	// maxUIDL is beyond the 70 octets of RFC 1939 §7. QUIRK: Fastmail and others send longer ones, which serve well.
	maxUIDL = 256
)

var errListingTooLong = fmt.Errorf("listing of more than %d messages or %d MiB", maxListingLines, maxListingOctets>>20)

// entry is one message of the listing.
type entry struct {
	number    int
	size      int64  // as LIST says, -1 if unknown
	uidl      string // the UIDL of its Ref; while anonymous, what the server said, if anything
	anonymous bool   // has no usable UIDL, and no fingerprint yet
	doomed    bool   // DELE was sent
	retrieved bool   // RETR was answered +OK
	settled   bool
}

// List pages through the listing, which is read once per session with UIDL and LIST. Total is exact; sizes are what
// LIST says. A message whose UIDL is missing, shared with another message of the listing or malformed gets a
// fingerprint of its content (see fingerprints) when the page that holds it is made.
func (s *session) List(ctx context.Context, after ingest.Cursor, limit ingest.Limit) (ingest.Page, error) {
	if err := s.usable(ctx, "list"); err != nil {
		return ingest.Page{}, err
	}
	if err := s.loadListing(ctx); err != nil {
		return ingest.Page{}, err
	}
	from, _ := slices.BinarySearchFunc(s.entries, after.Number+1, func(e entry, n int) int { return e.number - n })
	to := from
	for octets := int64(0); to < len(s.entries); to++ {
		octets += max(s.entries[to].size, 0)
		if limit.Messages > 0 && to-from >= limit.Messages || limit.Octets > 0 && octets > limit.Octets && to > from {
			break
		}
	}
	if err := s.fingerprints(ctx, to); err != nil {
		return ingest.Page{}, err
	}
	page := ingest.Page{Next: after, More: to < len(s.entries), Total: len(s.entries)}
	for _, e := range s.entries[from:to] {
		page.Entries = append(page.Entries, ingest.Entry{Ref: ingest.Ref{UIDL: e.uidl}, Size: e.size, Number: e.number})
		page.Next.Number = e.number
	}
	return page, nil
}

// loadListing reads the listing unless this session has done so.
func (s *session) loadListing(ctx context.Context) error {
	if s.listed {
		return nil
	}
	uidl, sizes, err := s.readTables(ctx)
	if err != nil {
		return err
	}
	if uidl.refused != nil {
		empty := sizes.refused == nil && len(sizes.rows)+sizes.orphans == 0
		if sizes.refused != nil {
			if empty, err = s.empty(ctx); err != nil {
				return err
			}
		}
		if !empty {
			if err := s.judgeNoUIDL(*uidl.refused); err != nil {
				return err
			}
			s.noUIDL = true
			if sizes.refused != nil {
				return s.broke("list", refusal("list", *sizes.refused))
			}
		}
	}
	if uidl.lostWithout(sizes) || sizes.lostWithout(uidl) {
		return s.broke("list", &ingest.Error{
			Op: "list", Kind: ingest.KindProtocol, Reason: ingest.ReasonProtocol,
			Err: fmt.Errorf("%d lines of UIDL and %d of LIST have no message number", uidl.orphans, sizes.orphans),
		})
	}
	s.entries = merge(uidl.rows, sizes.rows)
	s.index()
	s.listed = true
	return nil
}

// readTables asks UIDL and LIST, in one go where pipelining is allowed.
func (s *session) readTables(ctx context.Context) (uidl, sizes *table, err error) {
	uidl, sizes = &table{verb: "UIDL"}, &table{verb: "LIST"}
	tables := []*table{uidl, sizes}
	p := s.pipeline(ctx, "list", len(tables), func(i int) (string, int) { return tables[i].verb, 0 })
	defer p.close()
	for _, t := range tables {
		st, err := p.next()
		if err != nil {
			return nil, nil, err
		}
		if !st.ok {
			t.refused = &st
			continue
		}
		if err := t.read(newBody(s.wire.r, maxListingOctets, nil)); err != nil {
			return nil, nil, s.broke("list", err)
		}
	}
	return uidl, sizes, s.quiet("list")
}

// empty asks STAT whether there is any message. QUIRK: some old servers refuse to list an empty maildrop, contrary to
// RFC 1939 §5.
func (s *session) empty(ctx context.Context) (bool, error) {
	defer s.wire.Begin(ctx)()
	st, err := s.command("list", "STAT")
	if err != nil {
		return false, err
	}
	count, _, _ := strings.Cut(st.text, " ")
	return st.ok && count == "0", nil
}

// judgeNoUIDL decides whether a refused UIDL means that the server has none. A server that has it and cannot serve it
// now must not make all messages look new.
func (s *session) judgeNoUIDL(st status) error {
	e := refusal("list", st)
	if e.Kind == ingest.KindProtocol && !s.caps.has("UIDL") {
		return nil
	}
	if e.Kind == ingest.KindProtocol {
		e.Kind = ingest.KindTemporary
		e.Hint = "The server announces UIDL and refuses it; without it messages cannot be told apart."
	}
	return s.broke("list", e)
}

// index notes which entries can be found by their UIDL; those that share one become anonymous.
func (s *session) index() {
	s.byUIDL = make(map[string]int, len(s.entries))
	for i := range s.entries {
		e := &s.entries[i]
		if e.anonymous {
			continue
		}
		if first, taken := s.byUIDL[e.uidl]; taken {
			s.entries[first].anonymous, e.anonymous = true, true
			continue
		}
		s.byUIDL[e.uidl] = i
	}
	for i := range s.entries {
		if e := &s.entries[i]; e.anonymous {
			if first, ok := s.byUIDL[e.uidl]; ok && first == i {
				delete(s.byUIDL, e.uidl)
			}
		}
	}
}

// table is the answer to UIDL or LIST.
type table struct {
	verb    string
	refused *status
	rows    []row // by number; a number that came twice with two values has none
	orphans int   // lines without a readable message number
}

// lostWithout reports whether t has lines without a number and other cannot make up for them: then some message could
// be missing from both.
func (t *table) lostWithout(other *table) bool {
	return t.orphans > 0 && len(other.rows) < len(t.rows)+t.orphans
}

type row struct {
	number int
	value  string
	ok     bool
}

// read parses the lines "number value", RFC 1939 §5 and §7. Every line counts: it becomes a row or an orphan.
func (t *table) read(b *body) error {
	lines := 0
	err := b.eachLine(maxListingLine, func(line []byte, cut bool) error {
		if lines++; lines > maxListingLines {
			return errListingTooLong
		}
		line = bytes.Trim(line, " \t")
		number, value := line, []byte(nil)
		if i := bytes.IndexAny(line, " \t"); i >= 0 {
			number, value = line[:i], bytes.TrimLeft(line[i:], " \t")
		}
		n, err := strconv.ParseUint(string(number), 10, 31)
		if err != nil || n == 0 {
			t.orphans++
			return nil
		}
		t.rows = append(t.rows, row{int(n), string(value), !cut && len(value) > 0})
		return nil
	})
	if errors.Is(err, errBodyTooLarge) {
		err = errListingTooLong
	}
	if err != nil {
		return err
	}
	byNumber := func(a, b row) int { return a.number - b.number }
	if !slices.IsSortedFunc(t.rows, byNumber) {
		slices.SortStableFunc(t.rows, byNumber)
	}
	kept := t.rows[:0]
	for _, r := range t.rows {
		if last := len(kept) - 1; last >= 0 && kept[last].number == r.number {
			kept[last].ok = kept[last].ok && kept[last].value == r.value
			continue
		}
		kept = append(kept, r)
	}
	t.rows = kept
	return nil
}

// merge makes one entry of every number that UIDL or LIST names.
func merge(uidl, sizes []row) []entry {
	entries := make([]entry, 0, max(len(uidl), len(sizes)))
	for len(uidl) > 0 || len(sizes) > 0 {
		e := entry{size: -1, anonymous: true}
		switch {
		case len(sizes) == 0 || len(uidl) > 0 && uidl[0].number < sizes[0].number:
			e.number = uidl[0].number
		default:
			e.number = sizes[0].number
		}
		if len(uidl) > 0 && uidl[0].number == e.number {
			e.uidl, e.anonymous = uidl[0].value, !uidl[0].usable()
			uidl = uidl[1:]
		}
		if len(sizes) > 0 && sizes[0].number == e.number {
			e.size = sizes[0].size()
			sizes = sizes[1:]
		}
		entries = append(entries, e)
	}
	return entries
}

// usable reports whether the value can name a message: 1 to maxUIDL octets of 0x21 to 0x7E, RFC 1939 §7.
func (r row) usable() bool { return r.ok && len(r.value) <= maxUIDL && printable(r.value) }

// size is the value as octets, -1 if it is not a number that a message could have. Servers add words behind it.
func (r row) size() int64 {
	digits, _, _ := strings.Cut(r.value, " ")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 || !r.ok {
		return -1
	}
	return n
}
