package reply

import (
	"strings"

	"golang.org/x/net/html"

	rendered "github.com/mailintake/mailintake/ingest/html"
)

// maxToken is the longest tag, comment or text in octets that is looked into. HTML behind a longer one counts as written
// by the sender.
const maxToken = 1 << 20

// FromHTML does for a body that is HTML what Text does for plain text. It leaves out the elements in which mail programs
// put what they quote and their signatures, renders the rest in at most limit octets, and gives it to Text. It says
// whether the text was cut at limit. It is empty where nothing of s can be read as text. whole is what ingest/html makes
// of s as a whole, for callers that have it, or empty: it serves where there is nothing to leave out, since rendering
// is what takes the time.
func FromHTML(s, whole string, limit int) (text string, cut bool) {
	var o outline
	o.read(s)
	if len(o.cuts) == 0 && whole != "" {
		return Text(whole), false
	}
	text, cut = rendered.Text(o.without(s), limit)
	if text = Text(text); strings.Trim(text, "> \n") != "" {
		return text, cut
	}
	if whole == "" {
		whole, cut = rendered.Text(s, limit)
	}
	return Text(whole), cut
}

// quoteMark stands where a quotation was, so that Text knows that words behind it are not part of it.
const quoteMark = "<div>&gt;</div>"

// outline is where in an HTML text the quotations and signatures are.
type outline struct {
	at   int // octets read
	open open

	cuts  []region
	loose int // number in cuts of the last blockquote that only might be a quotation, from 1

	hidden string    // element whose text is not shown
	lines  [8]string // last lines of text outside of cuts, the newest first
	said   bool      // there is text outside of cuts
	border int       // where the header of Outlook may begin, from 1
	labels int       // lines in it that begin with a label
	depth  int       // of div in it
	checks int       // how often an attribution was looked for
}

// region is a part of the text in octets.
type region struct {
	from, to int
	silent   bool // a signature: nothing stands for it
	possible bool // a blockquote of which nothing says that it is a quotation
	indent   bool // a blockquote that only moves its paragraphs to the right
	inner    int  // where its start tag ends
	tail     int  // where its end tag begins
}

// open is the element that is being skipped.
type open struct {
	name  string // empty if there is none
	depth int    // how many of its name are open
	first string // the beginning of its text, until it is known not to announce a forwarded message
	known bool
}

// without is s without the cuts.
func (o *outline) without(s string) string {
	var b strings.Builder
	at := 0
	for i, c := range o.cuts {
		b.WriteString(s[at:c.from])
		if c.indent || c.possible && i+1 != o.loose {
			// The renderer would put ">" before its lines.
			b.WriteString("<div>")
			b.WriteString(s[c.inner:c.tail])
			b.WriteString("</div>")
			at = c.to
			continue
		}
		if !c.silent {
			b.WriteString(quoteMark)
		}
		at = c.to
	}
	b.WriteString(s[at:])
	return b.String()
}

func (o *outline) read(s string) {
	z := html.NewTokenizer(strings.NewReader(s))
	z.SetMaxBuf(maxToken)
	for {
		kind := z.Next()
		from := o.at
		o.at += len(z.Raw())
		switch kind {
		case html.ErrorToken:
			o.end(len(s))
			return
		case html.TextToken:
			if !o.text(z.Raw()) {
				return
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			e := element(z)
			if o.start(e, from, kind == html.SelfClosingTagToken) {
				o.cuts = append(o.cuts, region{from: from, to: len(s)})
				return
			}
		case html.EndTagToken:
			name, _ := z.TagName()
			if o.close(string(name), from) {
				o.cuts = append(o.cuts, region{from: o.border - 1, to: len(s)})
				return
			}
		}
	}
}

// end closes what is open.
func (o *outline) end(at int) {
	if o.open.name != "" {
		last := &o.cuts[len(o.cuts)-1]
		last.tail, last.to = at, at
	}
}

// start reads a tag that opens an element. It says whether all that follows is a quotation.
func (o *outline) start(t tag, from int, selfClosing bool) (rest bool) {
	if o.open.name != "" {
		if t.name == o.open.name && !selfClosing {
			o.open.depth++
		}
		return false
	}
	switch t.name {
	case "script", "style", "title", "head":
		o.hidden = t.name
		return false
	case "br", "p", "div", "tr", "li", "hr", "table", "blockquote", "pre", "h1", "h2", "h3":
		o.line()
	case "body":
		o.hidden = ""
	}
	if o.border > 0 && t.name == "div" {
		o.depth++
	}
	switch {
	case beginsRest(t):
		return o.said
	case selfClosing:
	case isSignature(t):
		o.skip(t.name, region{from: from, silent: true})
	case isQuote(t):
		o.skip(t.name, region{from: from})
	case t.name == "blockquote" && isIndent(t):
		o.skip(t.name, region{from: from, indent: true})
		o.said = true
	case t.name == "blockquote":
		o.skip(t.name, region{from: from, possible: !o.attributed()})
		if o.said {
			o.loose = len(o.cuts)
		}
	case t.name == "div" && o.border == 0 && isHeaderBorder(t.style):
		o.border, o.labels, o.depth = from+1, 0, 1
	}
	return false
}

func (o *outline) skip(name string, r region) {
	o.open = open{name: name, depth: 1, known: r.silent || name == "blockquote"}
	r.inner = o.at
	o.cuts = append(o.cuts, r)
}

// close reads a tag that closes an element. It says whether all that follows the border is a quotation.
func (o *outline) close(name string, from int) (rest bool) {
	if o.open.name != "" {
		if name == o.open.name {
			if o.open.depth--; o.open.depth == 0 {
				last := &o.cuts[len(o.cuts)-1]
				last.tail, last.to = from, o.at
				o.open.name = ""
			}
		}
		return false
	}
	switch name {
	case o.hidden:
		o.hidden = ""
	case "p", "div", "tr", "li", "td":
		o.line()
	}
	if o.border > 0 && name == "div" {
		if o.depth--; o.depth == 0 {
			if o.labels >= 3 && o.said {
				return true
			}
			o.border = 0
		}
	}
	return false
}

// text reads text. It says false if a forwarded message begins in a quotation of its own: then nothing is one.
func (o *outline) text(raw []byte) bool {
	if o.open.name != "" {
		if o.open.known {
			return true
		}
		o.open.first = strings.TrimLeft(o.open.first+string(raw[:min(len(raw), 200)]), " \t\r\n")
		if len(o.open.first) >= 4 {
			o.open.known = true
			line, _, _ := strings.Cut(o.open.first, "\n")
			if isForward(strings.TrimSpace(line)) {
				o.cuts = o.cuts[:len(o.cuts)-1]
				return false
			}
		}
		return true
	}
	if o.hidden != "" {
		return true
	}
	s := strings.TrimSpace(string(raw[:min(len(raw), attributionOctets)]))
	if s == "" || s == "&nbsp;" {
		return true
	}
	if o.border == 0 {
		o.said = true
	}
	if len(o.lines[0]) < attributionOctets {
		o.lines[0] = strings.TrimSpace(o.lines[0] + " " + html.UnescapeString(s))
	}
	return true
}

// line begins a new line of text.
func (o *outline) line() {
	if o.lines[0] == "" {
		return
	}
	if i := strings.IndexByte(o.lines[0], ':'); o.border > 0 && i > 0 && i < 40 {
		o.labels++
	}
	copy(o.lines[1:], o.lines[:])
	o.lines[0] = ""
}

// attributed says that the last lines introduce a quotation.
func (o *outline) attributed() bool {
	if o.checks++; o.checks > 100 {
		return false
	}
	var last []string
	for i := len(o.lines) - 1; i >= 0; i-- {
		if o.lines[i] != "" {
			last = append(last, o.lines[i])
		}
	}
	if len(last) == 0 {
		return false
	}
	m := newMessage(strings.Join(last, "\n"))
	i := len(m.lines) - 1
	if m.kinds[i] != own {
		return false
	}
	_, ok := m.attribution(i)
	return ok
}
