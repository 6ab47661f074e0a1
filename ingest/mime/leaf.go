package mime

import (
	"bytes"
	"strings"

	"github.com/mailintake/mailintake/ingest/class"
)

// What a leaf does with its octets.
const (
	discard  = iota // nothing
	epilogue        // what comes behind a closing boundary: left out
	preamble        // what comes before the first boundary: text if none follows
	part            // a part, listed
)

// leaf decodes, counts, hashes and, for text, keeps the body of one part. A walker has one and uses it again.
type leaf struct {
	walker *walker
	kind   int
	index  int // in Mail.Parts
	sum    *tally
	decode decoder
	sub    expander  // reads what is packed in the part
	uu     *uuReader // takes uuencoded files out of text

	keep   bool // for the text of the message
	report bool // for classification

	calendar bool   // for the invitation
	method   string // of the calendar, as its Content-Type has it

	html    bool
	body    body
	limit   int // octets that are still kept
	held    [2]byte
	heldLen int // of a line end that belongs to the boundary if one follows
}

// start begins a leaf of a kind; encoding is one of decoder's.
func (l *leaf) start(w *walker, kind, encoding int) {
	sum := l.sum
	if sum == nil {
		sum = newTally()
	} else {
		sum.reset()
	}
	l.decode.begin(encoding, w.eol, l)
	*l = leaf{walker: w, kind: kind, sum: sum, decode: l.decode}
}

// list says which of Mail.Parts the leaf is.
func (l *leaf) list(index int) {
	l.index = index
	l.sum.copy = l.walker.copyOf(l.walker.mail.Parts[index].Path)
}

// keepText keeps the octets for the text of the message; the part is HTML or plain text as params describe it.
func (l *leaf) keepText(html bool, params params, group int) {
	p := l.walker.parser
	l.keep, l.html = true, html
	l.limit = maxKeptOctets - len(p.kept)
	if html {
		l.limit = min(l.limit, maxHTMLOctets)
	} else {
		l.limit = min(l.limit, maxPlainOctets-p.plain)
	}
	l.limit = max(l.limit, 0)
	l.body = body{start: len(p.kept), charset: params.charset(), html: html, group: group}
	if !html {
		l.body.flowed = strings.EqualFold(params.get("format"), "flowed")
		l.body.delSp = strings.EqualFold(params.get("delsp"), "yes")
	}
}

// keepReport keeps the octets for classification.
func (l *leaf) keepReport() {
	l.keep, l.report = true, true
	l.limit = max(min(class.MaxReport, class.MaxReports-l.walker.reported), 0)
	l.body = body{start: len(l.walker.kept)}
}

// replay takes lines that were taken for header first.
func (l *leaf) replay(lines []byte, eol byte) {
	n := len(lines)
	if n > 0 && lines[n-1] == eol {
		n--
		if n > 0 && eol == '\n' && lines[n-1] == '\r' {
			n--
		}
	}
	l.write(lines[:n])
	l.heldLen = copy(l.held[:], lines[n:])
}

func (l *leaf) write(p []byte) {
	if l.kind == discard || len(p) == 0 {
		return
	}
	if l.kind == epilogue {
		if len(bytes.TrimSpace(p)) > 0 {
			w := l.walker
			w.defect(EpilogueText, w.place(w.frames[len(w.frames)-1].path), "")
			l.kind = discard
		}
		return
	}
	if l.heldLen > 0 {
		l.decode.write(l.held[:l.heldLen])
		l.heldLen = 0
	}
	l.decode.write(p)
}

// decoded takes octets out of the decoder.
func (l *leaf) decoded(p []byte) {
	l.sum.add(p)
	if l.kind == preamble && l.sum.size > maxPreamble {
		l.walker.defect(PreambleLong, l.walker.place(l.walker.frames[len(l.walker.frames)-1].path), "")
		l.walker.promotePreamble()
	}
	if l.sub != nil {
		l.sub.write(p)
	}
	if l.uu != nil {
		l.uu.write(p)
	} else {
		l.keepOctets(p)
	}
}

// keepOctets keeps octets up to the limit.
func (l *leaf) keepOctets(p []byte) {
	if !l.keep {
		return
	}
	if len(p) > l.limit {
		p, l.body.cut = p[:l.limit], true
	}
	l.limit -= len(p)
	l.walker.kept = append(l.walker.kept, p...)
}

// promote makes a part of a preamble.
func (l *leaf) promote(path string) {
	l.kind = part
	l.index = l.walker.addTextPart(path)
	l.sum.copy.release()
}

// finish ends the leaf; drop says that the line end which is held back belongs to a boundary.
func (l *leaf) finish(drop bool) {
	w := l.walker
	switch l.kind {
	case discard, epilogue:
		l.kind = discard
		return
	case preamble:
		if l.keep {
			w.kept = w.kept[:l.body.start]
		}
		l.kind = discard
		return
	}
	if l.heldLen > 0 && !drop {
		l.decode.write(l.held[:l.heldLen])
	}
	l.decode.finish()
	l.kind = discard
	parts := w.mail.Parts
	path := parts[l.index].Path
	for code, seen := range l.decode.defects {
		if seen {
			w.defect(decoderDefects[code], path, "")
		}
	}
	if l.sub != nil {
		l.sub.finish()
	}
	if l.uu != nil {
		l.uu.finish()
	}
	parts = w.mail.Parts
	if name := l.decode.uu.name; name != "" && parts[l.index].Filename == "" {
		parts[l.index].Filename = w.packedName(path, name)
	}
	parts[l.index].Size, parts[l.index].SHA256 = l.sum.finish(false)
	if l.report {
		w.addReport(path, parts[l.index].ContentType, w.kept[l.body.start:])
		w.kept = w.kept[:l.body.start]
		return
	}
	if l.calendar {
		w.addInvitation(l, path)
		return
	}
	if l.keep {
		l.body.end = len(w.kept)
		if !l.html {
			w.plain += l.body.end - l.body.start
		}
		w.bodies = append(w.bodies, l.body)
	}
}
