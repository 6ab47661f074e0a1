package mime

import (
	"bytes"
	"slices"
	"strings"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/html"
)

// page is a body part in HTML, in UTF-8, with the text that is made of it.
type page struct{ source, text string }

// chooseText makes Mail.Text of the body parts in the order of the message. Of a multipart/alternative the plain text
// is taken, and the HTML only where there is no plain text. HTML that stands beside plain text is left out where the
// message begins with the plain text and that is no shorter: it is the same again, or a page sent along.
func (p *parser) chooseText() {
	shown := p.shownBodies(false)
	texts := make([]string, len(shown))
	var plain, html int // octets
	for i, b := range shown {
		var source string
		if texts[i], source = p.bodyText(b); b.html {
			p.pages = append(p.pages, page{source, texts[i]})
		}
		if n := len(strings.TrimSpace(texts[i])); b.html {
			html += n
		} else {
			plain += n
		}
	}
	if plain > 0 {
		p.pages = nil
	}
	leave := len(shown) > 0 && !shown[0].html && plain > 0 && plain >= html
	var out string
	for i, b := range shown {
		s := texts[i]
		p.mail.TextCut = p.mail.TextCut || b.cut
		switch {
		case b.html && leave || strings.TrimSpace(s) == "":
		case out == "":
			out = s
		case len(out) < ingest.MaxText:
			if !strings.HasSuffix(out, "\n") {
				out += "\n"
			}
			out += s
		default:
			p.mail.TextCut = true
		}
	}
	if len(out) > ingest.MaxText {
		p.mail.TextCut = true
		out = shorten(out, ingest.MaxText)
	}
	p.mail.Text = out
	if p.view != nil {
		p.makeHTML()
	}
}

// shownBodies are the body parts that a mail client shows, which prefers HTML to plain text or the other way round, and
// notes whether there is HTML at all. Empty ones are left out.
func (p *parser) shownBodies(html bool) []body {
	filled := make([]body, 0, len(p.bodies))
	preferred := make(map[int]bool) // there is what is preferred, by group
	for _, b := range p.bodies {
		p.mail.HasHTML = p.mail.HasHTML || b.html && b.end > b.start
		if len(bytes.TrimSpace(p.kept[b.start:b.end])) == 0 {
			continue
		}
		filled = append(filled, b)
		if b.group > 0 && b.html == html {
			preferred[b.group] = true
		}
	}
	return slices.DeleteFunc(filled, func(b body) bool { return b.html != html && preferred[b.group] })
}

// bodyText is one body part as plain text with LF line ends, and as what it was made from.
func (p *parser) bodyText(b body) (text, source string) {
	source = p.decodeBody(b)
	if b.html {
		text, cut := html.Text(source, ingest.MaxText)
		p.mail.TextCut = p.mail.TextCut || cut
		return clean(text), source
	}
	text = unixLines(clean(source))
	if b.flowed {
		text = unflow(text, b.delSp)
	}
	return text, source
}

// decodeBody is one body part in UTF-8; it may hold NUL.
func (p *parser) decodeBody(b body) string {
	raw := p.kept[b.start:b.end]
	note := func(code, text string) { p.defect(code, "", text) }
	declared := b.charset
	if b.html {
		if _, known := lookup(declared); !known {
			if meta := html.MetaCharset(raw); meta != "" {
				if _, known := lookup(meta); known {
					declared = meta
				}
			}
		}
	}
	if b.cut {
		// The cut may have gone through a character; UTF-8 can tell.
		for i := 0; i < 3 && len(raw) > 0 && raw[len(raw)-1] >= 0x80; i++ {
			if hasWholeEnd(raw) {
				break
			}
			raw = raw[:len(raw)-1]
		}
	}
	s := p.decodeText(raw, declared, note)
	if strings.IndexByte(s, 0) >= 0 {
		p.defect(NulRemoved, "", "")
	}
	return s
}

// hasWholeEnd tells whether the last character of raw is whole in UTF-8.
func hasWholeEnd(raw []byte) bool {
	for n := 1; n <= 4 && n <= len(raw); n++ {
		c := raw[len(raw)-n]
		if c >= 0xc0 {
			return n == 2 && c < 0xe0 || n == 3 && c < 0xf0 && c >= 0xe0 || n == 4 && c >= 0xf0
		}
	}
	return false
}

// unixLines makes LF of all line ends.
func unixLines(s string) string {
	if strings.IndexByte(s, '\r') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for {
		i := strings.IndexByte(s, '\r')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		if i+1 == len(s) || s[i+1] != '\n' {
			b.WriteByte('\n')
		}
		s = s[i+1:]
	}
}
