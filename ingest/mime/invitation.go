package mime

import (
	"bytes"
	"strings"

	"github.com/mailintake/mailintake/ingest/calendar"
)

// isCalendar tells parts that hold a calendar. They are attachments: a program reads them, and the text beside them says
// the same to people.
func isCalendar(contentType, filename string) bool {
	switch contentType {
	case "text/calendar", "text/x-vcalendar", "application/ics":
		return true
	case "application/octet-stream":
		return strings.HasSuffix(strings.ToLower(filename), ".ics")
	}
	return false
}

// keepCalendar keeps the octets of a calendar, unless one was read before: the first counts.
func (l *leaf) keepCalendar(e *entity) {
	if l.walker.mail.Calendar != nil {
		return
	}
	l.keep, l.calendar, l.method = true, true, e.params.get("method")
	l.limit = calendar.MaxOctets
	l.body = body{start: len(l.walker.kept), charset: e.params.get("charset")}
}

// addInvitation reads the calendar that a leaf kept.
func (p *parser) addInvitation(l *leaf, path string) {
	raw := calendar.Unfold(p.kept[l.body.start:])
	p.kept = p.kept[:l.body.start]
	if i := bytes.LastIndexByte(raw, '\n'); l.body.cut && i >= 0 {
		raw = raw[:i] // the cut may have gone through a character
	}
	text := p.decodeText(raw, l.body.charset, func(code, text string) { p.defect(code, path, text) })
	p.mail.Calendar = calendar.Parse([]byte(text), l.method)
}

// useInvitation makes the invitation the text of a message that has no other.
func (p *parser) useInvitation() {
	if p.mail.Calendar != nil && strings.TrimSpace(p.mail.Text) == "" {
		p.mail.Text = p.mail.Calendar.Text
	}
}
