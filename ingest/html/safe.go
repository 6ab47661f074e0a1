package html

import (
	"html"
	"strings"
)

// Policy says what Safe lets through beyond what is safe anyway.
type Policy struct {
	// RemoteContent keeps pictures that are fetched from other servers when the mail is shown. They tell the sender
	// that, when and from where it was read.
	RemoteContent bool
}

// Report is what Safe left out.
type Report struct {
	Cut           bool // the mail was too long or nested too deeply, and its end or some of its elements are missing
	RemoteBlocked bool // there are pictures that RemoteContent would show
}

// Safe makes of any HTML a fragment of at most limit octets that is safe to show inside another page and looks as much
// as possible as it did. Safe of its own result changes nothing.
//
// What it lets through is listed in policy.go and style.go. Scripts, forms, frames, plugins, foreign content and whatever
// the list does not name is left out; links open a page of their own and tell nobody where they were followed. Pictures
// are shown if they lie in the mail (cid:) or in the HTML (data:). Style sheets are applied to the elements and dropped,
// as are identifiers and classes, so that nothing meets those of the page around. The fragment is nested so that a
// browser parses it to the very same elements: no end tag of it closes an element of that page.
//
// cid: addresses stay as they are, for the page to replace. The page should put the fragment into an element that clips
// what is too wide.
func Safe(s string, limit int, p Policy) (fragment string, report Report) {
	w := &safeWriter{policy: p, limit: limit, written: make(map[string]bool)}
	for _, name := range writtenElements() {
		w.written[name] = true
	}
	tooDeep := walk(s, w).tooDeep
	w.report.Cut = w.report.Cut || tooDeep
	// The policy has the last word, whatever was thought of before.
	return policyOf(p).Sanitize(w.out.String()), w.report
}

// safeWriter is the sink that writes HTML. It brings elements and the values of attributes into a form that is known
// to be harmless; which of them may stay is for the policy to say.
type safeWriter struct {
	policy  Policy
	limit   int
	written map[string]bool // elements
	report  Report
	out     strings.Builder
	ending  int // octets of the end tags of what is open
	sheet   stylesheet[[]declaration]
	kept    []attribute // of the tag that is written, to be used again
	// The last thing written is the start tag of pre, which swallows a line end (WHATWG HTML §13.2.6.4.7).
	afterPre bool
}

// markup is how an element is written.
type markup struct {
	start string // start tag; empty if the element is not written, but what it holds is
	end   string
}

func (w *safeWriter) full() bool { return w.report.Cut }

// write writes s if there is room for it and for all end tags.
func (w *safeWriter) write(s string, ending int) bool {
	if w.report.Cut || w.out.Len()+len(s)+w.ending+ending > w.limit {
		w.report.Cut = true
		return false
	}
	w.out.WriteString(s)
	w.afterPre = w.afterPre && s == ""
	return true
}

func (w *safeWriter) rawText(name, s string) {
	switch name {
	case "style":
		w.sheet.read(s, w.safeStyle, overStyle)
	case "textarea":
		w.text(s)
	case "xmp", "plaintext":
		w.text(html.EscapeString(s))
	}
}

func (w *safeWriter) look(z *scanner) (m markup, as effect) {
	name := plain(z.name)
	if name == "body" {
		name = "div"
	}
	if !w.written[name] {
		return m, nothing
	}
	var b strings.Builder
	b.WriteByte('<')
	b.WriteString(name)
	w.attributes(&b, name, z)
	b.WriteByte('>')
	m.start = b.String()
	if traitsOf(name)&void == 0 {
		m.end = "</" + name + ">"
	}
	return m, shows
}

func (w *safeWriter) open(e *element[markup]) {
	if e.data.start == "" && w.written[e.name] { // one that the walker added
		e.data = markup{"<" + e.name + ">", "</" + e.name + ">"}
	}
	if !w.write(e.data.start, len(e.data.end)) {
		e.data = markup{}
	}
	w.ending += len(e.data.end)
	w.afterPre = w.afterPre || e.name == "pre" && e.data.start != ""
}

func (w *safeWriter) close(e *element[markup]) {
	w.out.WriteString(e.data.end)
	w.ending -= len(e.data.end)
	w.afterPre = w.afterPre && e.data.end == ""
}

func (w *safeWriter) void(name string, m markup) {
	if name == "br" {
		m.start = "<br>"
	}
	w.write(m.start, 0)
}

// text writes text piece by piece: its entities may need several times the octets that they have now.
func (w *safeWriter) text(s string) {
	const piece = 16 << 10
	for len(s) > piece {
		n := len(shorten(s, piece))
		if i := strings.LastIndexByte(s[:n], '&'); i > n-40 && i > 0 {
			n = i // not through an entity
		}
		w.textPiece(s[:n])
		if s = s[n:]; w.report.Cut {
			return
		}
	}
	w.textPiece(s)
}

func (w *safeWriter) textPiece(s string) {
	s = html.EscapeString(clean(html.UnescapeString(s)))
	if w.afterPre {
		s = strings.TrimPrefix(s, "\n")
		if strings.HasPrefix(s, "\n") {
			s = "\n" + s
		}
	}
	if room := w.limit - w.out.Len() - w.ending; len(s) > room && !w.report.Cut {
		s = shortenEscaped(s, room)
		w.write(s, 0)
		w.report.Cut = true
		return
	}
	w.write(s, 0)
}

// shortenEscaped cuts escaped text to n octets, between characters and entities.
func shortenEscaped(s string, n int) string {
	s = shorten(s, n)
	if i := strings.LastIndexByte(s, '&'); i >= 0 && strings.IndexByte(s[i:], ';') < 0 {
		s = s[:i]
	}
	return s
}
