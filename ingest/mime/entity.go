package mime

import (
	"bytes"
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// entity is what a header says about the body below it.
type entity struct {
	contentType string // type/subtype, lower case
	typed       bool   // the header has a Content-Type
	params      params // of Content-Type
	encoding    int    // of decoder
	disposition string // lower case; empty if there is none
	dispParams  params // of Content-Disposition
	contentID   string
}

// endHeader makes a part, a multipart or a message of the header that was read, and begins its body.
func (w *walker) endHeader() {
	path, root := w.nextPath()
	h := &w.hdr
	top := len(w.frames) == 0 && w.prefix == ""
	where := path
	if top {
		where = ""
	}
	w.headerDefects(where)
	e := w.readEntity(where, top)
	if root && !top && !(w.entity && len(w.frames) == 0) && len(h.fields) > 0 { // of an attached message
		w.addReport(strings.TrimSuffix(path, ".1"), "message/rfc822", h.raw)
	}

	parent := &frame{}
	if len(w.frames) > 0 {
		parent = &w.frames[len(w.frames)-1]
	}
	if !e.typed && parent.digest {
		e.contentType = "message/rfc822"
	}
	w.inHeader = false
	w.bol = !h.midLine
	w.entities++
	lines := h.body()
	group, attached := parent.group, parent.attached || w.attached

	switch {
	case w.entities > maxEntities || len(w.mail.Parts) >= maxParts:
		// The rest of the message is one opaque part: no boundary counts any more.
		w.defect(TooManyParts, "", "")
		for i := range w.frames {
			w.frames[i].boundary, w.frames[i].guessed, w.frames[i].closed = nil, nil, true
		}
		w.open = 0
		w.leaf.start(w, part, identity)
		w.leaf.list(w.addPart(ingest.Part{Path: path, ContentType: "application/octet-stream", Attached: attached}))

	case strings.HasPrefix(e.contentType, "multipart/") && !w.tooDeep(path):
		if e.encoding != identity {
			w.defect(EncodingForbidden, path, "")
		}
		w.pushMultipart(path, root, &e, group, attached)

	case isMessage(e.contentType) && !w.tooDeep(path):
		p := w.describe(path, &e)
		p.Attached = attached
		index := w.addPart(p)
		if e.encoding == identity {
			sum := newTally()
			sum.copy = w.copyOf(path)
			sum.write(lines)
			w.frames = append(w.frames, frame{path: path, part: index, sum: sum, attached: true})
			w.inHeader = true
			h.begin(true)
			return
		}
		w.leaf.start(w, part, e.encoding)
		w.leaf.list(index)
		w.defect(EncodingForbidden, path, "")
		if w.nested == maxEncoded {
			w.defect(TooDeep, path, "")
			break
		}
		sub := newWalker(w.parser, path+".", w.depth+len(w.frames)+1, minBuffer)
		sub.attached, sub.nested = true, w.nested+1
		w.leaf.sub = sub

	default:
		p := w.describe(path, &e)
		html := e.contentType == "text/html"
		p.Attached = attached
		p.Body = !attached && isBodyText(&e) && packing(p.ContentType, p.Filename) == notPacked
		w.leaf.start(w, part, e.encoding)
		w.leaf.list(w.addPart(p))
		if !attached {
			w.protectPart(path, &e)
		}
		if p.Body {
			w.leaf.keepText(html, e.params, group)
		} else if isReport(e.contentType) {
			w.leaf.keepReport()
		} else if !attached && isCalendar(e.contentType, p.Filename) {
			w.leaf.keepCalendar(&e)
		}
		if p.ContentID != "" && e.disposition == "" && !p.Body {
			w.refer(p.ContentID, w.leaf.index)
		}
		w.leaf.sub = w.expand(p.ContentType, w.container(p, &e))
		if p.ContentType == "text/plain" && e.disposition != "attachment" && w.leaf.sub == nil {
			w.leaf.takeFiles(w.container(p, &e))
		}
	}
	if lines != nil {
		w.leaf.replay(lines, w.eol)
	}
}

// headerDefects notes what was wrong with the lines of a header.
func (w *walker) headerDefects(where string) {
	h := &w.hdr
	if h.full {
		w.defect(HeaderTooLong, where, "")
	}
	if h.spaced {
		w.defect(HeaderSpace, where, "")
	}
	if bytes.IndexByte(h.raw, 0) >= 0 {
		w.defect(NulRemoved, where, "")
	}
	if w.eol == '\n' && hasBareCR(h.raw) {
		w.defect(BareCR, where, "")
	}
	if h.crlf && h.lf {
		w.defect(LinesMixed, where, "")
	}
	if h.junk > 0 {
		w.defect(HeaderLine, where, "")
	}
	if h.envelope {
		w.defect(EnvelopeLine, where, "")
	}
	if h.suspect >= 0 || h.blank && len(h.fields) == 0 {
		if len(h.fields) == 0 {
			w.defect(HeaderMissing, where, "")
		} else {
			w.defect(HeaderUnended, where, "")
		}
	}
}

// hasBareCR looks for a CR that no LF follows.
func hasBareCR(raw []byte) bool {
	for {
		i := bytes.IndexByte(raw, '\r') + 1
		if i == 0 || i == len(raw) {
			return false
		}
		if raw[i] != '\n' {
			return true
		}
		raw = raw[i:]
	}
}

// tooDeep tells whether another level is beyond the limit.
func (w *walker) tooDeep(path string) bool {
	if w.depth+len(w.frames) < maxDepth {
		return false
	}
	w.defect(TooDeep, path, "")
	return true
}

// pushMultipart begins a multipart. Until its first boundary shows, what comes may turn out to be all it holds.
func (w *walker) pushMultipart(path string, root bool, e *entity, group int, attached bool) {
	f := frame{path: path, multipart: true, group: group, attached: attached}
	if root {
		// RFC 9051 §6.4.5.1: the parts of a message are numbered below the message, not below its multipart.
		f.path = ""
		if len(w.frames) > 0 {
			f.path = w.frames[len(w.frames)-1].path
		}
	}
	switch e.contentType {
	case "multipart/digest":
		f.digest = true
	case "multipart/alternative":
		w.groups++
		f.group = w.groups
	}
	w.setBoundary(&f, e)
	w.mail.Multiparts = append(w.mail.Multiparts, ingest.Multipart{Path: w.place(f.path), ContentType: e.contentType})
	w.frames = append(w.frames, f)
	w.open++
	w.leaf.start(w, preamble, e.encoding)
	w.leaf.sum.copy = w.copyOf(w.childPath(&f, 1))
	w.leaf.sum.copy.hold()
	if !attached && !w.attached {
		w.leaf.keepText(false, e.params, 0)
		w.protectMultipart(w.place(f.path), e)
	}
}

// addPart lists a part and gives its index.
func (w *walker) addPart(p ingest.Part) int {
	w.mail.Parts = append(w.mail.Parts, p)
	return len(w.mail.Parts) - 1
}

// describe is what the header alone says about a part.
func (w *walker) describe(path string, e *entity) ingest.Part {
	return ingest.Part{
		Path:        path,
		ContentType: e.contentType,
		Charset:     shorten(clean(e.params.charset()), 100),
		Filename:    w.filename(path, e),
		ContentID:   e.contentID,
		Inline:      e.disposition == "inline",
	}
}

// isMessage tells types whose body is a message with a header of its own.
func isMessage(contentType string) bool {
	return contentType == "message/rfc822" || contentType == "message/global" || contentType == "message/news"
}

// isBodyText tells body text from attachments: text that a mail client shows without being asked. A file name alone
// makes no attachment.
func isBodyText(e *entity) bool {
	return (e.contentType == "text/plain" || e.contentType == "text/html") && e.disposition != "attachment"
}

// readEntity reads the fields that say what the body is. The first of each counts (as in most mail clients); of the
// message itself the other fields are read too.
func (w *walker) readEntity(where string, top bool) entity {
	h := &w.hdr
	var e entity
	var name [64]byte
	var seen [4]bool
	first := func(i int, field string) bool {
		if seen[i] {
			w.defect(DuplicateField, where, field)
			return false
		}
		seen[i] = true
		return true
	}
	for _, f := range h.fields {
		n := h.name(f, &name)
		if len(n) < 10 || n[0] != 'c' {
			continue
		}
		switch string(n) {
		case "content-type":
			if first(0, "Content-Type") {
				value := h.value(f)
				var found paramReader
				e.contentType, e.params, found = parseParams(value)
				w.paramDefects(where, found)
				var sound bool
				e.contentType, sound = cleanType(e.contentType)
				if e.typed = value != ""; e.typed && !sound {
					w.defect(ContentTypeBad, where, value)
				}
			}
		case "content-transfer-encoding":
			if first(1, "Content-Transfer-Encoding") {
				value := h.value(f)
				var known bool
				if e.encoding, known = parseEncoding(value); !known {
					w.defect(EncodingUnknown, where, value)
				}
			}
		case "content-disposition":
			if first(2, "Content-Disposition") {
				var d string
				var found paramReader
				d, e.dispParams, found = parseParams(h.value(f))
				w.paramDefects(where, found)
				d = strings.TrimSpace(dropComments(d))
				e.disposition = strings.ToLower(d)
				if e.disposition != "inline" && e.disposition != "" {
					e.disposition = "attachment" // unknown ones are attachments, RFC 2183 §2.8
				}
			}
		case "content-id":
			if first(3, "Content-ID") {
				e.contentID = contentID(h.value(f))
			}
		}
	}
	if e.contentType == "" {
		e.contentType = "text/plain" // RFC 2045 §5.2
	}
	if top {
		w.declared = e.params.charset()
		w.readFields()
		w.keepHeader()
		if w.view != nil {
			w.keepView()
		}
	}
	return e
}

// contentID is the identifier without its brackets, RFC 2392.
func contentID(s string) string {
	if i := strings.IndexByte(s, '<'); i >= 0 {
		s = s[i+1:]
		if j := strings.IndexByte(s, '>'); j >= 0 {
			s = s[:j]
		}
	}
	return shorten(clean(strings.TrimSpace(s)), maxMessageID)
}

// addTextPart lists the body of a multipart that has no parts.
func (w *walker) addTextPart(path string) int {
	attached := w.attached || w.frames[len(w.frames)-1].attached
	return w.addPart(ingest.Part{Path: path, ContentType: "text/plain", Body: w.leaf.keep, Attached: attached, Charset: shorten(clean(w.leaf.body.charset), 100)})
}
