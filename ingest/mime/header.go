package mime

import (
	"bytes"
	"strings"
)

// header collects the header of an entity line by line, RFC 5322 §2.2, and sorts out what is none.
type header struct {
	raw    []byte // the lines
	fields []field

	message bool // of a message, not of a part: empty lines and envelope lines may come before it
	midLine bool // the last piece was no whole line
	skip    bool // the rest of the current line is left out
	dropped bool // the last field was left out
	full    bool // a limit was reached

	// suspect is where in raw the first of the last lines begins that are no fields, -1 if the last line was fine. They
	// are either junk, if fields follow, or body, if none do.
	suspect      int
	suspectLines int
	junk         int  // lines that turned out to be junk
	envelope     bool // an envelope line was left out
	ended        bool // by an empty line
	blank        bool // empty lines came before
	spaced       bool // white space before a colon
	crlf, lf     bool // line ends that were seen
}

// field is one header field; the positions are those in header.raw.
type field struct {
	name, nameEnd int
	value, end    int
}

// What header.line says about a line.
const (
	headerGoesOn = iota
	headerEnded  // the line is empty
	headerOver   // the line is body already, and so are those from suspect on
)

// maxSuspectLines is how many lines without a field are waited for before they are taken for body.
const maxSuspectLines = 8

// maxName is the length of a field name or an envelope line in octets: that of the longest line, RFC 5322 §2.1.1.
const maxName = 998

// begin makes the header ready for another entity.
func (h *header) begin(message bool) {
	*h = header{raw: h.raw[:0], fields: h.fields[:0], message: message, suspect: -1}
}

// line takes a line, or a piece of a line that is longer than the walker's buffer; ends tells whether it is the last
// piece.
func (h *header) line(line []byte, ends bool) int {
	if h.suspect >= 0 && len(h.raw)+len(line) > maxHeader {
		return headerOver
	}
	if h.midLine {
		h.midLine = !ends
		if !h.skip {
			h.keep(line)
		}
		return headerGoesOn
	}
	h.skip = false
	if n := len(line); ends && n > 0 && line[n-1] == '\n' {
		cr := n > 1 && line[n-2] == '\r'
		h.crlf, h.lf = h.crlf || cr, h.lf || !cr
	}
	switch text := bytes.Trim(line, "\r\n"); {
	case len(text) == 0:
		if h.message && len(h.raw) == 0 && !h.full {
			h.blank = true
			return headerGoesOn // empty lines before the header
		}
		h.ended = true
		return headerEnded
	case text[0] == ' ' || text[0] == '\t':
		if len(h.raw) == 0 && len(bytes.TrimLeft(text, " \t")) == 0 {
			h.skip = true // white space before the header
			break
		}
		if len(h.fields) == 0 || h.suspect >= 0 {
			h.doubt()
			break
		}
		h.skip = h.dropped
		// A line of white space goes on a field (RFC 5322 §4.2), as senders that fold badly write it.
	default:
		n := nameLength(text)
		if n == 0 {
			if len(h.fields) == 0 && h.suspect < 0 && isEnvelope(text) {
				h.envelope, h.skip = true, true
				break
			}
			if text[0] == ':' && len(h.fields) > 0 && h.suspect < 0 {
				h.junk, h.skip, h.dropped = h.junk+1, true, true // a field that lost its name
				break
			}
			if h.blank && len(h.raw) == 0 {
				return headerOver // the empty line was the end of an empty header
			}
			if h.suspect < 0 && !h.dropped && h.isParameter(text) {
				break // a folded parameter that lost its white space goes on the field
			}
			if h.suspectLines == maxSuspectLines {
				return headerOver
			}
			h.doubt()
			break
		}
		h.trust()
		if len(h.fields) == maxFields || len(h.raw)+n >= maxHeader {
			h.full, h.skip, h.dropped = true, true, true
			break
		}
		h.dropped = false
		at := len(h.raw)
		at += len(line) - len(bytes.TrimLeft(line, "\r\n"))
		colon := at + n + bytes.IndexByte(text[n:], ':')
		h.spaced = h.spaced || colon > at+n
		h.fields = append(h.fields, field{name: at, nameEnd: at + n, value: min(colon+1, maxHeader)})
	}
	h.midLine = !ends
	if !h.skip {
		h.keep(line)
	}
	return headerGoesOn
}

// keep appends a line, up to the limit.
func (h *header) keep(line []byte) {
	if n := maxHeader - len(h.raw); len(line) > n {
		line, h.full = line[:n], true
	}
	h.raw = append(h.raw, line...)
	if n := len(h.fields); n > 0 && h.suspect < 0 {
		h.fields[n-1].end = len(h.raw)
	}
}

// doubt begins or goes on with lines that are no fields.
func (h *header) doubt() {
	if h.suspect < 0 {
		h.suspect, h.suspectLines = len(h.raw), 0
	}
	h.suspectLines++
}

// trust settles that the lines in doubt were junk inside the header, since a field follows: they are left out, as other
// parsers do.
func (h *header) trust() {
	if h.suspect >= 0 {
		h.junk += h.suspectLines
		h.suspect, h.suspectLines = -1, 0
	}
}

// body gives the lines that belong to the body.
func (h *header) body() []byte {
	if h.suspect < 0 {
		return nil
	}
	return h.raw[h.suspect:]
}

// nameLength is how long the field name at the beginning of a line is, 0 if there is none. RFC 5322 §2.2 has printable
// ASCII without colon; white space before the colon is obsolete, §4.5.
func nameLength(line []byte) int {
	i := 0
	for i < len(line) && i < maxName && line[i] > ' ' && line[i] < 0x7f && line[i] != ':' {
		i++
	}
	n := i
	for i < len(line) && i < maxName && (line[i] == ' ' || line[i] == '\t') {
		i++
	}
	if n == 0 || i == len(line) || line[i] != ':' {
		return 0
	}
	if bytes.HasPrefix(line[i:], []byte("://")) {
		return 0 // a link at the beginning of a body
	}
	return n
}

// isParameter tells a line such as boundary="x" below a Content- field.
func (h *header) isParameter(line []byte) bool {
	if len(h.fields) == 0 {
		return false
	}
	f := h.fields[len(h.fields)-1]
	const prefix = "content-"
	if name := h.raw[f.name:f.nameEnd]; len(name) < len(prefix) || !bytes.EqualFold(name[:len(prefix)], []byte(prefix)) {
		return false
	}
	const longest = 30
	i := bytes.IndexByte(line[:min(len(line), longest)], '=')
	return i > 0 && isToken(string(line[:i]))
}

// isEnvelope tells an mbox separator, RFC 4155, also with the quoting that some programs leave on it.
func isEnvelope(line []byte) bool {
	return len(line) <= maxName && (bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From ")))
}

// name gives a field name in lower case; it is valid until the next call.
func (h *header) name(f field, buf *[64]byte) []byte {
	raw := h.raw[f.name:f.nameEnd]
	if len(raw) > len(buf) {
		return nil
	}
	for i, c := range raw {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		buf[i] = c
	}
	return buf[:len(raw)]
}

// value gives the unfolded body of a field, RFC 5322 §2.2.3, without white space around it.
func (h *header) value(f field) string {
	raw := h.raw[min(f.value, f.end):f.end]
	raw = bytes.Trim(raw, " \t\r\n")
	if bytes.IndexByte(raw, 0) >= 0 {
		raw = bytes.ReplaceAll(raw, []byte{0}, nil)
	}
	if bytes.IndexByte(raw, '\n') < 0 && bytes.IndexByte(raw, '\r') < 0 {
		return string(raw)
	}
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		c := raw[i]
		if c != '\r' && c != '\n' {
			b.WriteByte(c)
			continue
		}
		for i+1 < len(raw) && (raw[i+1] == '\r' || raw[i+1] == '\n') {
			i++
		}
		if i+1 < len(raw) && raw[i+1] != ' ' && raw[i+1] != '\t' {
			b.WriteByte(' ')
		}
	}
	return b.String()
}
