package mime

import (
	"bytes"
	"strings"
)

// setBoundary takes the boundary that a multipart declares.
func (w *walker) setBoundary(f *frame, e *entity) {
	declared, encoded := e.params.boundary()
	b := strings.TrimRight(declared, " \t")
	if b == "" || len(b) > maxBoundary {
		w.defect(BoundaryMissing, w.place(f.path), "")
		return
	}
	f.boundary, f.pad = []byte(b), declared[len(b):]
	if encoded || !isBoundaryValue(b) {
		w.defect(BoundaryBad, w.place(f.path), b)
	}
	for i := range w.frames {
		if bytes.Equal(w.frames[i].boundary, f.boundary) {
			w.defect(BoundaryReused, w.place(f.path), b)
		}
	}
}

// isBoundaryValue tells boundaries as RFC 2046 §5.1.1 allows them.
func isBoundaryValue(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case isLetter(c), isDigit(c), strings.IndexByte("'()+_,-./:=? ", c) >= 0:
		default:
			return false
		}
	}
	return len(s) <= 70
}

// match finds the multipart whose boundary line is, innermost first; those that are closed count only if no other
// does. It returns -1 for other lines. last is set for a closing boundary.
func (w *walker) match(line []byte) (i int, last bool) {
	if len(line) > maxBoundaryLine {
		return -1, false
	}
	line = bytes.TrimRight(line, " \t\r\n")
	if len(line) < 2 {
		return -1, false
	}
	line = line[2:]
	closed, closedLast := -1, false
	for i := len(w.frames) - 1; i >= 0; i-- {
		f := &w.frames[i]
		if !f.multipart {
			continue
		}
		is, last := isBoundary(line, f.boundary, f.pad)
		if !is {
			is, last = isBoundary(line, f.guessed, "")
		}
		switch {
		case !is:
		case !f.closed:
			return i, last
		case closed < 0:
			closed, closedLast = i, last
		}
	}
	return closed, closedLast
}

// isBoundary tells whether what follows two dashes is a boundary, and whether it is the closing one.
func isBoundary(line, boundary []byte, pad string) (is, last bool) {
	if boundary == nil || !bytes.HasPrefix(line, boundary) {
		return false, false
	}
	rest := string(line[len(boundary):])
	return rest == "" || strings.TrimPrefix(rest, pad) == "--", rest != ""
}

// guessLook is how many octets behind a line guess looks at.
const guessLook = len("\r\ncontent-")

// guess takes a line for a boundary of the current multipart, which has shown none yet: if a header field of a part
// follows or, where none is declared, an empty header. The declared boundary goes on to count, since one damaged line may
// be all that is wrong. rest is what follows the line.
func (w *walker) guess(line, rest []byte) int {
	f := &w.frames[len(w.frames)-1]
	name := bytes.TrimRight(line, " \t\r\n")[2:]
	if len(name) == 0 || len(name) > maxBoundary {
		return -1
	}
	const field = "content-"
	if len(rest) < len(field) || !bytes.EqualFold(rest[:len(field)], []byte(field)) {
		if f.boundary != nil || len(rest) == 0 || rest[0] != '\r' && rest[0] != '\n' || bytes.IndexByte(name, ' ') >= 0 {
			return -1
		}
	}
	f.guessed = bytes.Clone(name)
	w.defect(BoundaryGuessed, w.place(f.path), string(name))
	return len(w.frames) - 1
}
