package mime

import (
	"html"
	"io"
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// View is what is made of a message anew at each reading, because it is too long to be stored or follows from rules that
// change.
type View struct {
	// Header is the whole header of the message in its order, encoded words decoded.
	Header []ingest.Field
	// HTML is the body HTML as the sender wrote it, decoded to UTF-8: not safe to show. Parts that stand side by side are
	// joined, plain text among them as HTML; it is empty where the message has no HTML.
	HTML    string
	HTMLCut bool // HTML was longer than what is kept for it
}

// Inspect reads a message like Parse and gives what is not stored as well.
func Inspect(r io.Reader, size int64, o Options) (*ingest.Mail, View) {
	p := newParser(o)
	p.view = new(View)
	p.read(r, size)
	p.finish()
	return p.mail, *p.view
}

// keepView keeps the decoded header.
func (w *walker) keepView() {
	// A parser of its own, because what is wrong in a field that is not read for Mail is no defect of Mail.
	quiet := &parser{mail: new(ingest.Mail), fallback: w.fallback, declared: w.declared}
	w.view.Header = make([]ingest.Field, len(w.hdr.fields))
	for i, f := range w.hdr.fields {
		w.view.Header[i] = ingest.Field{
			Name:  clean(string(w.hdr.raw[f.name:f.nameEnd])),
			Value: clean(quiet.headerText(w.hdr.value(f), "")),
		}
	}
}

// makeHTML joins the body parts that a mail client would show, if one of them is HTML.
func (p *parser) makeHTML() {
	if !p.mail.HasHTML {
		return
	}
	// What is wrong in HTML that Mail.Text was not made of is no defect of Mail.
	defects := p.mail.Defects
	defer func() { p.mail.Defects = defects }()
	var out strings.Builder
	for _, b := range p.shownBodies(true) {
		s := clean(p.decodeBody(b))
		if strings.TrimSpace(s) == "" {
			continue
		}
		if out.Len() > 0 {
			out.WriteByte('\n')
		}
		if !b.html {
			s = "<div>" + strings.ReplaceAll(html.EscapeString(strings.TrimRight(unixLines(s), "\n")), "\n", "<br>\n") + "</div>"
		}
		out.WriteString(s)
		p.view.HTMLCut = p.view.HTMLCut || b.cut
	}
	p.view.HTML = out.String()
}
