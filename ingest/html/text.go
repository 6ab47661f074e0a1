package html

import (
	"bytes"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
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

type list struct {
	ordered bool
	next    int
	letters bool
}

// tag is what the text needs to know of an element.
type tag struct {
	appearance
	href           string
	text           string // what stands for the element itself
	start          int    // number of a list or of its item
	ordered        bool
	letters        bool
	cite           bool
	hints          hints // of a table
	span           int   // columns of a cell
	breaks         int   // line ends around it
	numbered, tiny bool
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

// look reads what matters of a start tag.
func (t *plainText) look(z *scanner) (e tag, as effect) {
	t.sheet.each(z, func(a appearance) { e.appearance = e.over(a) })
	if z.name == "p" && strings.HasPrefix(z.get("class"), "Mso") && e.before == sizeUnset && e.after == sizeUnset {
		e.before, e.after = sizeZero, sizeZero // QUIRK: Outlook, whose style sheet is often lost on the way
	}
	if style := z.get("style"); style != "" {
		e.appearance = e.over(appearanceOf(declarations(style)))
	}
	if e.isHidden() || z.has("hidden") || z.name == "dialog" && !z.has("open") {
		return e, hides
	}
	e.breaks = breaks(plain(z.name))
	switch e.display {
	case displayInline:
		e.breaks = 0
	case displayBlock:
		e.breaks = max(e.breaks, 1)
	}
	switch z.name {
	case "p":
		if e.before == sizeZero && e.after == sizeZero {
			e.breaks = min(e.breaks, 1)
		}
	case "a":
		e.href = oneLine(shorten(z.get("href"), maxLink))
	case "img", "image":
		e.text = description(z)
	case "ul", "ol":
		e.ordered = z.name == "ol"
		e.start, _ = number(z.get("start"), 1)
		kind := z.get("type")
		e.letters = kind == "a" || kind == "A"
	case "li":
		e.start, e.numbered = number(z.get("value"), 0)
	case "blockquote":
		e.cite = e.border != sizeZero || lower(z.get("type")) == "cite" || z.has("cite")
	case "table":
		e.hints = hintsOf(z)
	case "td", "th":
		e.span, _ = number(z.get("colspan"), 1)
	}
	if e.appearance == (appearance{}) && e.href == "" && z.name != "q" && z.name != "rt" {
		as = nothing
	}
	return e, as
}

// description is what stands for a picture.
func description(z *scanner) string {
	alt := oneLine(shorten(z.get("alt"), maxLink))
	w, wide := number(z.get("width"), 0)
	h, high := number(z.get("height"), 0)
	if alt == "" || wide && w <= 1 || high && h <= 1 {
		return ""
	}
	if strings.IndexFunc(alt, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) < 0 {
		return alt // an emoji
	}
	return "[" + alt + "]"
}

// number reads a small number.
func number(s string, otherwise int) (n int, ok bool) {
	s = strings.TrimSpace(s)
	i := 0
	for i < len(s) && i < 9 && isDigit(s[i]) {
		n = 10*n + int(s[i]-'0')
		i++
	}
	if i == 0 {
		return otherwise, false
	}
	return n, true
}

// breaks is how many line ends stand around an element.
func breaks(name string) int {
	switch name {
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "dl", "pre", "hr", "xmp":
		return 2
	case "div", "li", "dt", "dd", "center", "table", "tr", "caption":
		return 1
	}
	return 0
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

// openItem gives an item of a list its mark.
func (t *plainText) openItem(d *tag) {
	mark := "- "
	if l := t.now.list; l != nil && l.ordered {
		if d.numbered {
			l.next = d.start
		}
		mark = itemNumber(l.next, l.letters) + ". "
		l.next++
	}
	if d.breaks == 0 {
		return // a list in one line, as menus are
	}
	t.marker = t.now.indent + mark
	t.setIndent(strings.Repeat(" ", len(mark)))
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
		if d.text != "" && !t.now.zero || d.text != "" && len(d.text) > 0 && !t.now.invisible {
			t.space = t.space || strings.HasPrefix(d.text, "[")
			t.write(d.text)
			t.space = t.space || strings.HasPrefix(d.text, "[")
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

func (t *plainText) text(s string) {
	if t.now.zero || t.now.invisible {
		return
	}
	if n := 4 * (t.limit - len(t.out) + 1); len(s) > n {
		s, t.cut = shorten(s, n), true
	}
	if strings.IndexByte(s, '&') >= 0 {
		s = clean(html.UnescapeString(s))
	}
	if t.now.kept {
		t.keep(s)
		return
	}
	begin := 0
	for i := 0; i < len(s); {
		if c := s[i]; c > ' ' && c < 0x7f {
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		kind := kindOf(r)
		if kind == visible {
			i += n
			continue
		}
		t.writeWord(s[begin:i])
		i += n
		begin = i
		switch kind {
		case blank:
			t.space = true
		case filler:
			t.space = true
			t.filled = t.filled || t.want != 0
		case joining:
			if t.want == 0 && !t.space {
				t.joiner = r
			}
		}
	}
	t.writeWord(s[begin:])
}

// writeWord writes a word behind the character that joins it to the one before.
func (t *plainText) writeWord(s string) {
	if s == "" {
		return
	}
	if t.joiner != 0 && t.want == 0 && !t.space {
		t.out = utf8.AppendRune(t.out, t.joiner)
	}
	t.write(s)
}

type runeKind int

const (
	visible runeKind = iota
	blank
	filler  // white space that a browser does not collapse
	joining // joins its neighbours, or is filler of a preview
	unseen
)

func kindOf(r rune) runeKind {
	switch {
	case r == ' ' || r == '\n' || r == '\t' || r == '\r' || r == '\f' || r == 0x2028 || r == 0x2029:
		return blank
	case r == 0xa0 || r >= 0x2000 && r <= 0x200a || r == 0x202f || r == 0x205f:
		return filler
	case r == 0x200c || r == 0x200d:
		return joining
	case r < ' ' || r >= 0x7f && r < 0xa0,
		r == 0xad || r == 0x34f || r == 0x180e || r == 0x200b || r >= 0x2060 && r <= 0x2064 || r == 0xfeff:
		return unseen
	}
	return visible
}

// keep writes text with its white space.
func (t *plainText) keep(s string) {
	for first := true; s != ""; first = false {
		line, rest, found := strings.Cut(s, "\n")
		if i := strings.IndexFunc(line, func(r rune) bool { k := kindOf(r); return k == unseen && r != 0x200b || k == filler }); i >= 0 {
			line = strings.Map(func(r rune) rune {
				switch kindOf(r) {
				case unseen:
					return -1
				case filler:
					return ' '
				}
				return r
			}, line)
		}
		if first && t.want == 0 || strings.TrimSpace(line) != "" {
			t.write(line)
		}
		if found {
			t.breakLine()
		}
		s = rest
	}
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
