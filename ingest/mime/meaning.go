package mime

import (
	"bytes"
	"strings"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/class"
	"github.com/mailintake/mailintake/ingest/language"
	"github.com/mailintake/mailintake/ingest/reply"
)

// understand adds what the message means to what it says.
func (p *parser) understand() {
	m := p.mail
	p.readOrigin()
	p.findRecipient(p.own)
	m.Fingerprint = fingerprint(m)
	p.findReply()
	m.Language = language.Detect(m.ReplyText)
	r := class.Classify(class.Input{Mail: m, Header: p.header, Reports: p.reports, Own: p.own})
	m.Class, m.Evidence, m.AutoReply, m.Bounce = r.Class, r.Evidence, r.AutoReply, r.Bounce
	if b := m.Bounce; b != nil {
		b.OriginalSubject = shorten(p.headerText(b.OriginalSubject, ""), 998)
	}
}

// findReply sets Mail.ReplyText. HTML tells what is quoted better than the text that is made of it.
func (p *parser) findReply() {
	m := p.mail
	if len(p.pages) == 0 {
		m.ReplyText = reply.Text(m.Text)
		return
	}
	var b strings.Builder
	for _, page := range p.pages {
		if strings.TrimSpace(page.text) == "" {
			continue
		}
		text, _ := reply.FromHTML(page.source, page.text, ingest.MaxText-b.Len())
		if text = strings.TrimSpace(clean(text)); text == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(text)
	}
	if m.ReplyText = shorten(b.String(), ingest.MaxText); m.ReplyText == "" {
		m.ReplyText = m.Text
	}
}

// keepHeader keeps the fields of the message's own header for classification.
func (w *walker) keepHeader() {
	const longest = 2000 // octets; signatures and the like are longer, and nobody classifies by them
	w.header = make([]ingest.Field, len(w.hdr.fields))
	for i, f := range w.hdr.fields {
		w.header[i] = ingest.Field{
			Name:  clean(string(w.hdr.raw[f.name:f.nameEnd])),
			Value: clean(shorten(w.hdr.value(f), longest)),
		}
	}
}

// isReport tells parts that machines read.
func isReport(contentType string) bool {
	switch contentType {
	case "message/delivery-status", "message/global-delivery-status", "message/disposition-notification", "message/global-disposition-notification",
		"message/feedback-report", "text/rfc822-headers", "text/rfc822-header", "message/global-headers":
		return true
	}
	return false
}

// addReport keeps the text of a part that machines read, up to the limits of package class.
func (p *parser) addReport(path, contentType string, raw []byte) {
	raw = raw[:max(min(len(raw), class.MaxReport, class.MaxReports-p.reported), 0)]
	if len(raw) == 0 {
		return
	}
	p.reported += len(raw)
	text := unixLines(clean(p.decodeText(bytes.Clone(raw), "", func(string, string) {})))
	p.reports = append(p.reports, class.Report{Path: path, ContentType: contentType, Text: strings.Clone(text)})
}
