package mime

import (
	"strconv"
	"strings"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/tnef"
)

// winmail lists what lies in a TNEF stream: files, attached messages and the body in each of its forms. The body is that
// of the message where the message has no other.
type winmail struct {
	p       *parser
	in      container
	stem    string // name of the container without its extension; bodies are called by it
	decoder *tnef.Decoder
	count   int
	kind    tnef.Kind
	path    string // of the object that is read
	current *packed

	body   body // of the object that is read, and of what the RTF holds
	limit  int  // octets of it that are still kept
	rtf    *tnef.Extractor
	bodies []spareBody
}

// spareBody is a body that counts where the message has no other.
type spareBody struct {
	body
	part    int  // in Mail.Parts; -1 for none
	fromRTF bool // made of RTF, which is listed as it is
}

func newWinmail(p *parser, c container) *winmail {
	m := &winmail{p: p, in: c, stem: "winmail"}
	if stem, _, _ := cutLast(c.name, "."); stem != "" {
		m.stem = stem
	}
	m.decoder = tnef.NewDecoder(m)
	return m
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

func (m *winmail) write(p []byte) { m.decoder.Write(p) }

// Begin begins an object, for tnef.Receiver.
func (m *winmail) Begin(k tnef.Kind) {
	m.count++
	m.kind, m.path = k, m.in.path+"."+strconv.Itoa(m.count)
	part := ingest.Part{Path: m.path, Attached: m.in.attached, ContentType: "application/octet-stream"}
	switch k {
	case tnef.Message:
		part.ContentType = "application/ms-tnef"
	case tnef.Text:
		part.ContentType, part.Filename = "text/plain", m.stem+"-body.txt"
	case tnef.HTML:
		part.ContentType, part.Filename = "text/html", m.stem+"-body.html"
	case tnef.RTF:
		part.ContentType, part.Filename = "application/rtf", m.stem+"-body.rtf"
	}
	m.current = m.p.addPacked(part)
	if k == tnef.Message && m.current != nil {
		m.current.sub = m.p.expand(part.ContentType, container{path: m.path, depth: m.in.depth, nested: m.in.nested, attached: true})
	}
	m.limit = 0
	if k != tnef.File && k != tnef.Message && !m.in.attached {
		m.beginBody()
	}
}

// beginBody begins to keep a body.
func (m *winmail) beginBody() {
	html := m.kind == tnef.HTML
	m.limit = maxSpareOctets - m.p.spared
	if !html {
		m.limit = min(m.limit, maxPlainOctets)
	}
	m.limit = max(min(m.limit, maxKeptOctets-len(m.p.kept)), 0)
	m.body = body{start: len(m.p.kept), html: html}
	m.rtf = nil
	if m.kind == tnef.RTF {
		m.rtf = tnef.NewExtractor(m.limit, m.keep)
	}
}

// Octets takes octets of the object, for tnef.Receiver.
func (m *winmail) Octets(p []byte) {
	m.current.write(p)
	switch {
	case m.kind == tnef.File || m.kind == tnef.Message || m.in.attached:
	case m.kind == tnef.RTF:
		m.rtf.Write(p)
	default:
		m.keep(p)
	}
}

// keep keeps octets of a body.
func (m *winmail) keep(p []byte) {
	if len(p) > m.limit {
		p, m.body.cut = p[:m.limit], true
	}
	m.limit -= len(p)
	m.p.spared += len(p)
	m.p.kept = append(m.p.kept, p...)
}

// End ends the object, for tnef.Receiver.
func (m *winmail) End(o tnef.Object) {
	part := m.current.finish()
	index := -1
	if part != nil {
		index = m.current.index
		m.describe(part, index, o)
	}
	m.current = nil
	if m.kind == tnef.File || m.kind == tnef.Message || m.in.attached {
		return
	}
	m.body.charset = o.Charset
	if m.rtf != nil {
		m.rtf.Finish()
		m.body.cut = m.body.cut || m.rtf.Cut()
		m.body.html, m.body.charset = m.rtf.HTML(), utf8Name
		index = -1
	}
	m.body.end = len(m.p.kept)
	m.bodies = append(m.bodies, spareBody{body: m.body, part: index, fromRTF: m.rtf != nil})
}

// describe adds what is known at the end of an object.
func (m *winmail) describe(part *ingest.Part, index int, o tnef.Object) {
	part.Charset = o.Charset
	if o.Kind != tnef.File && o.Kind != tnef.Message {
		return
	}
	part.Filename = m.p.packedName(part.Path, o.Name)
	part.ContentID = contentID(o.ContentID)
	part.Inline = o.Inline
	if o.Kind == tnef.File && o.ContentType != "" {
		if t, ok := cleanType(o.ContentType); ok && !strings.HasPrefix(t, "multipart/") {
			part.ContentType = t
		}
	}
	if part.ContentID != "" && !part.Inline {
		m.p.refer(part.ContentID, index)
	}
}

func (m *winmail) finish() {
	result := m.decoder.Finish()
	if result.Damage != "" {
		m.p.defect(TNEFDamaged, m.in.path, result.Damage)
	}
	// The forms of the body are alternatives. What RTF gives is needed only where that form is missing.
	m.p.groups++
	var have [2]bool
	for pass := range 2 {
		for i := range m.bodies {
			b := &m.bodies[i]
			form := 0
			if b.html {
				form = 1
			}
			if b.fromRTF != (pass == 1) || have[form] || b.end == b.start {
				continue
			}
			if b.fromRTF && !b.html && have[1] {
				continue // the text of HTML is better than that of RTF
			}
			have[form] = true
			b.group = m.p.groups
			if b.html && b.charset == "" {
				b.charset = result.Charset
				if b.part >= 0 {
					m.p.mail.Parts[b.part].Charset = result.Charset
				}
			}
			m.p.spare = append(m.p.spare, *b)
		}
	}
}

// useSpare makes the bodies that were packed in TNEF those of a message that says nothing else.
func (p *parser) useSpare() {
	if len(p.spare) == 0 {
		return
	}
	for _, b := range p.shownBodies(false) {
		if text, _ := p.bodyText(b); strings.TrimSpace(text) != "" {
			return
		}
	}
	for _, b := range p.spare {
		p.bodies = append(p.bodies, b.body)
		if b.part >= 0 {
			p.mail.Parts[b.part].Body = true
		}
	}
}
