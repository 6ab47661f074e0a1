package mime

import (
	"bytes"
	"strconv"
	"strings"
)

// walker finds entities in octets: it splits headers into fields, recognises the boundaries of all open multiparts, and
// hands bodies to leaves in pieces as large as the buffer allows. The caller puts octets into space() and calls scan.
type walker struct {
	*parser
	buf        []byte
	start, end int // what is in buf and not yet consumed

	eol    byte   // last octet of a line end: LF, or CR in messages that have no LF
	needle []byte // a line end and two dashes
	began  bool   // eol is settled

	prefix   string // path of the encoded message that this walker reads, with a dot; empty for the whole message
	depth    int    // frames around this walker
	nested   int    // encoded messages around this walker
	attached bool   // the message read here is attached to another: no body text of that
	entity   bool   // what is read here is no message but a part of one, that was packed
	frames   []frame
	open     int // multiparts among frames

	inHeader bool
	hdr      header
	leaf     leaf
	bol      bool // the next octet of a body begins a line
}

// frame is a multipart or a message that the current entity lies in.
type frame struct {
	path      string // as in ingest.Part; the root multipart has none
	boundary  []byte // as declared; nil in a message frame, or where none is
	pad       string // white space at its end, which RFC 2046 §5.1.1 forbids; it may stand before closing dashes
	guessed   []byte // found by guess; it counts as well
	multipart bool
	digest    bool // children are message/rfc822 by default, RFC 2046 §5.1.5
	group     int  // multipart/alternative around the children, 0 for none
	attached  bool // children lie in an attached message: no body text of the outer one
	children  int
	seen      bool // a boundary was seen
	closed    bool // the closing boundary was seen

	part int    // message: index in Mail.Parts
	sum  *tally // message: what its part holds
}

func newWalker(p *parser, prefix string, depth, size int) *walker {
	w := &walker{parser: p, prefix: prefix, depth: depth, buf: make([]byte, size), inHeader: true}
	w.hdr.begin(true)
	return w
}

// space is where the next octets go.
func (w *walker) space() []byte { return w.buf[w.end:] }

func (w *walker) full() bool { return w.end == len(w.buf) }

// write feeds a walker that reads out of a decoder, as an expander.
func (w *walker) write(p []byte) {
	for len(p) > 0 {
		n := copy(w.space(), p)
		w.end += n
		p = p[n:]
		if w.full() {
			w.scan(false)
		}
	}
}

func (w *walker) finish() { w.scan(true) }

// scan consumes what is in the buffer as far as it can tell what it is; with final set, all of it. Afterwards there is
// room in the buffer.
func (w *walker) scan(final bool) {
	if !w.began {
		w.beginLines()
	}
	for {
		var more bool
		if w.inHeader {
			more = w.scanHeader(final)
		} else {
			more = w.scanBody(final)
		}
		if !more {
			break
		}
	}
	if final {
		w.closeFrames(0, false)
		return
	}
	copy(w.buf, w.buf[w.start:w.end])
	w.start, w.end = 0, w.end-w.start
}

// beginLines looks at the first octets of the message.
func (w *walker) beginLines() {
	w.began = true
	w.eol, w.needle = '\n', []byte("\n--")
	first := w.buf[:min(w.end, minBuffer)]
	// A CR at the very end may have its LF behind it. A few LF between many CR are no line ends, and the other way round.
	feeds := bytes.Count(first, []byte("\n"))
	if bare := bytes.Count(bytes.TrimSuffix(first, []byte("\r")), []byte("\r")) - bytes.Count(first, []byte("\r\n")); bare > 2*feeds {
		w.eol, w.needle = '\r', []byte("\r--")
		w.defect(BareCR, w.place(""), "")
	}
	if bytes.HasPrefix(first, []byte("\xef\xbb\xbf")) {
		w.start = 3
	}
}

// consume passes n octets to the messages they lie in.
func (w *walker) consume(n int) {
	for i := range w.frames {
		if sum := w.frames[i].sum; sum != nil {
			sum.write(w.buf[w.start : w.start+n])
		}
	}
	w.start += n
}

// scanHeader takes one line of a header; it reports false when it needs more octets.
func (w *walker) scanHeader(final bool) bool {
	data := w.buf[w.start:w.end]
	n := bytes.IndexByte(data, w.eol) + 1
	if n == 0 {
		switch {
		case len(data) == 0 && final:
			w.endHeader()
			return true
		case final, w.start == 0 && w.full():
			n = len(data)
		default:
			return false
		}
	}
	line := data[:n]
	if w.open > 0 && !w.hdr.midLine && len(line) > 2 && line[0] == '-' && line[1] == '-' {
		if i, _ := w.match(line); i >= 0 {
			w.endHeader() // the header ends here; scanBody sees the boundary again
			return true
		}
	}
	switch w.hdr.line(line, line[n-1] == w.eol) {
	case headerEnded: // by an empty line, which is body if lines before it are
		if w.hdr.body() == nil {
			w.consume(n)
		}
		w.endHeader()
	case headerOver: // the line is not of the header, and lines before it were not either
		w.endHeader()
	default:
		w.consume(n)
	}
	return true
}

// scanBody passes body octets to the leaf up to the next boundary; it reports false when it needs more octets.
func (w *walker) scanBody(final bool) bool {
	data := w.buf[w.start:w.end]
	if w.open == 0 {
		w.emit(len(data))
		return false
	}
	for search := 0; ; {
		// Find the next line that begins with two dashes.
		dash := -1
		if w.bol && search == 0 && len(data) > 0 && data[0] == '-' {
			if len(data) == 1 && !final {
				return false
			}
			if bytes.HasPrefix(data, w.needle[1:]) {
				dash = 0
			}
		}
		if dash < 0 {
			i := bytes.Index(data[search:], w.needle)
			if i < 0 {
				n := len(data)
				if !final {
					n -= w.undecided(data)
				}
				w.emit(n)
				return false
			}
			dash = search + i + 1
		}
		before := dash - w.lineEnd(data[:dash])
		n := bytes.IndexByte(data[dash:], w.eol) + 1
		if n == 0 {
			if !final && !(before == 0 && w.start == 0 && w.full()) {
				w.emit(before)
				return false
			}
			n = len(data) - dash
		}
		line := data[dash : dash+n]
		i, last := w.match(line)
		if i < 0 && w.leaf.kind == preamble && len(line) <= maxBoundaryLine {
			if rest := data[dash+n:]; final || len(rest) >= guessLook {
				i = w.guess(line, rest)
			} else {
				w.emit(before)
				return false
			}
		}
		if i >= 0 {
			w.emit(before)
			w.delimiter(i, last, dash-before, n)
			return true
		}
		search = dash + 1
	}
}

// lineEnd is how many octets the line end at the end of data has.
func (w *walker) lineEnd(data []byte) int {
	n := len(data)
	if n == 0 || data[n-1] != w.eol {
		return 0
	}
	if w.eol == '\n' && n > 1 && data[n-2] == '\r' {
		return 2
	}
	return 1
}

// undecided is how many octets at the end of data may belong to a boundary that goes on behind it.
func (w *walker) undecided(data []byte) int {
	n := len(data)
	if n > 0 && data[n-1] == '-' {
		if e := w.lineEnd(data[:n-1]); e > 0 {
			return e + 1
		}
		return 0
	}
	if n > 0 && data[n-1] == '\r' {
		return 1
	}
	return w.lineEnd(data)
}

// emit passes n octets to the leaf.
func (w *walker) emit(n int) {
	if n == 0 {
		return
	}
	w.leaf.write(w.buf[w.start : w.start+n])
	w.consume(n)
	w.bol = false
}

// delimiter acts on a boundary of frame i: a line of n octets behind a line end of skip octets, which belongs to it.
func (w *walker) delimiter(i int, last bool, skip, n int) {
	// Without skip the line end before the boundary was the last one of a header and is consumed already.
	w.closeFrames(i+1, skip == 0)
	w.consume(skip + n)
	f := &w.frames[i]
	f.seen = true
	w.bol = true
	if last {
		f.closed = true
		w.leaf.kind = epilogue
		return
	}
	if f.closed {
		w.defect(PartAfterClose, w.place(f.path), "")
		f.closed = false
	}
	f.children++
	w.inHeader = true
	w.hdr.begin(false)
}

// closeFrames ends the current leaf and the frames from i on. drop says that the last line end which was consumed
// belongs to the boundary that ends them.
func (w *walker) closeFrames(i int, drop bool) {
	if w.leaf.kind == preamble && len(w.frames) > i {
		// A multipart that ends without a boundary: what was taken for its preamble is all that it holds.
		f := &w.frames[len(w.frames)-1]
		w.defect(BoundaryNeverSeen, w.place(f.path), "")
		w.promotePreamble()
		f.closed = true
	}
	w.leaf.finish(drop)
	for len(w.frames) > i {
		f := &w.frames[len(w.frames)-1]
		if f.multipart {
			if !f.closed {
				w.defect(MultipartUnclosed, w.place(f.path), "")
			}
			w.open--
		} else {
			part := &w.mail.Parts[f.part]
			part.Size, part.SHA256 = f.sum.finish(drop)
		}
		w.frames = w.frames[:len(w.frames)-1]
	}
}

// promotePreamble makes the first part of a multipart out of what stands before its first boundary.
func (w *walker) promotePreamble() {
	w.frames[len(w.frames)-1].children++
	path, _ := w.nextPath()
	w.leaf.promote(path)
}

// place is a path as defects have it.
func (w *walker) place(path string) string {
	if path == "" {
		return strings.TrimSuffix(w.prefix, ".")
	}
	return path
}

// nextPath is the path of the entity that begins now, and whether it stands in the place of the whole message.
func (w *walker) nextPath() (path string, root bool) {
	if len(w.frames) == 0 {
		return w.prefix + "1", true
	}
	f := &w.frames[len(w.frames)-1]
	if !f.multipart {
		return f.path + ".1", true
	}
	return w.childPath(f, f.children), false
}

// childPath is the path of the nth child of a multipart.
func (w *walker) childPath(f *frame, n int) string {
	if f.path == "" {
		return w.prefix + strconv.Itoa(n)
	}
	return f.path + "." + strconv.Itoa(n)
}
