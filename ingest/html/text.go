package html

import (
	"bytes"
	"strings"
	"unicode"
)

// Text renders HTML as plain text of at most limit octets with LF line ends and without white space around it. What a
// reader sees in a browser is there, in its order: links with their address, lists with their marks, tables of data
// with a row to a line, quotations behind "> ". What a reader does not see is left out, and so are pictures but for
// their description. The text is not wrapped, and no character of it is markup. cut says that there was more.
func Text(s string, limit int) (text string, cut bool) {
	t := &plainText{limit: limit, want: -1}
	walk(s, t)
	out := bytes.TrimSpace(t.out)
	if len(out) > limit {
		return strings.TrimSpace(shorten(string(out), limit)), true
	}
	return string(out), t.cut
}

const (
	maxIndent = 40 // octets in front of a line
	maxLink   = 2000
	ruler     = "________________________________"
)

// plainText is the sink that lays out text.
type plainText struct {
	out   []byte
	limit int
	cut   bool

	want   int  // line ends that the next word needs before it, at most 2; -1 at the beginning
	space  bool // white space waits for the next word
	joiner rune // a character that joins letters waits for the next one
	filled bool // the line holds a space that does not break, and nothing else: it is a blank line
	indent string
	marker string // what the next line begins with instead of its indent, the mark of a list; empty if nothing

	now   place
	outer []place
	sheet stylesheet[appearance]
	// The last address that was written behind a picture.
	pictured string
}

// place is where the text stands.
type place struct {
	indent    string
	kept      bool // white space is kept
	invisible bool
	zero      bool // the font has no size
	list      *list
	table     *table
	href      string // of the link that began at from
	from      int
}

func (t *plainText) full() bool {
	if len(t.out) > t.limit {
		t.cut = true
	}
	return t.cut
}

func (t *plainText) rawText(name, s string) {
	switch name {
	case "style":
		t.sheet.read(s, appearanceOf, appearance.over)
	case "textarea":
		t.text(s)
	case "xmp", "plaintext":
		t.keep(s)
	}
}

func (t *plainText) open(e *element[tag]) {
	d := &e.data
	if d.breaks == 0 && e.name == "tr" {
		d.breaks = 1 // of a row that the walker added
	}
	nested := (e.name == "ul" || e.name == "ol") && t.now.list != nil
	if nested {
		d.breaks = min(d.breaks, 1)
	}
	t.newline(d.breaks)
	t.outer = append(t.outer, t.now)
	now := &t.now
	now.href = ""
	switch d.size {
	case sizeZero:
		now.zero = true
	case sizeSome:
		now.zero = false
	}
	if d.visibility != sizeUnset {
		now.invisible = d.visibility == sizeZero
	}
	if d.space != spaceUnset {
		now.kept = d.space == spaceKept
	}
	switch e.name {
	case "pre":
		now.kept = d.space != spaceNormal
	case "a":
		now.href, now.from = d.href, len(t.out)
	case "q":
		t.write("“")
	case "rt":
		t.write("(")
	case "ul", "ol":
		now.list = &list{ordered: d.ordered, next: d.start, letters: d.letters}
	case "li":
		t.openItem(d)
	case "dd":
		t.setIndent("    ")
	case "blockquote":
		if d.cite {
			t.setIndent("> ")
		} else {
			t.setIndent("    ")
		}
	case "table":
		if now.table != nil {
			now.table.nests()
		}
		now.table, now.list = &table{hints: d.hints}, nil
	case "tr":
		if now.table != nil {
			now.table.openRow(t)
		}
	case "td", "th":
		t.space = t.space || t.want == 0
		if now.table != nil {
			now.table.openCell(t, e.name == "th", d.span)
		}
	}
}

func (t *plainText) close(e *element[tag]) {
	d := &e.data
	switch e.name {
	case "a":
		t.closeLink()
	case "q":
		t.write("”")
	case "rt":
		t.write(")")
	case "li":
		t.marker = ""
	case "td", "th":
		if t.now.table != nil {
			t.now.table.closeCell(t)
		}
		t.space = t.space || t.want == 0
	}
	done := t.now
	n := len(t.outer) - 1
	t.now, t.outer = t.outer[n], t.outer[:n]
	if e.name == "table" && done.table.isData() {
		t.newline(2)
		done.table.write(t)
		t.newline(2)
		return
	}
	t.newline(d.breaks)
}

func (t *plainText) setIndent(more string) {
	if len(t.now.indent)+len(more) <= maxIndent {
		t.now.indent += more
	}
}

func (t *plainText) void(name string, d tag) {
	switch name {
	case "br":
		t.breakLine()
	case "hr":
		t.newline(1)
		t.write(ruler)
		t.newline(1)
	case "img":
		if d.text != "" && !t.now.invisible {
			apart := strings.HasPrefix(d.text, "[")
			t.space = t.space || apart
			t.write(d.text)
			t.space = t.space || apart
		}
	}
}

// newline makes sure that n line ends stand before what follows.
func (t *plainText) newline(n int) {
	if n == 0 {
		return
	}
	t.space, t.joiner = false, 0
	if t.filled {
		t.filled = false
		n = 2
	}
	if t.want >= 0 {
		t.want = max(t.want, n)
	}
}

// breakLine adds a line end to those that are there.
func (t *plainText) breakLine() {
	t.space, t.joiner, t.filled = false, 0, false
	if t.want >= 0 {
		t.want = min(t.want+1, 2)
	}
}

// write writes a word or several.
func (t *plainText) write(s string) {
	if s == "" {
		return
	}
	if t.want != 0 {
		t.beginLine()
	} else if t.space {
		t.out = append(t.out, ' ')
	}
	t.space, t.joiner, t.filled = false, 0, false
	t.out = append(t.out, s...)
}

// beginLine writes the line ends that are due and what the new line begins with. A blank line inside a quotation is
// part of it.
func (t *plainText) beginLine() {
	if t.want > 0 {
		t.out = append(bytes.TrimRight(t.out, " \t"), '\n')
		if t.want > 1 {
			t.out = append(t.out, strings.TrimRight(commonPrefix(t.indent, t.now.indent), " ")...)
			t.out = append(t.out, '\n')
		}
	}
	if t.marker != "" {
		t.out = append(t.out, t.marker...)
	} else {
		t.out = append(t.out, t.now.indent...)
	}
	t.want, t.marker, t.indent = 0, "", t.now.indent
}

func commonPrefix(a, b string) string {
	n := 0
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return a[:n]
}

// oneLine folds white space and control characters into single spaces.
func oneLine(s string) string {
	plain := true
	for i := 0; i < len(s) && plain; i++ {
		plain = s[i] > ' ' && s[i] < 0x7f || s[i] == ' ' && i > 0 && i < len(s)-1 && s[i-1] != ' '
	}
	if plain {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
