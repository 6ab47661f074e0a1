package html

import (
	"strings"
	"unicode"
)

// tag is what the text needs to know of an element.
type tag struct {
	appearance
	href     string
	text     string // what stands for the element itself
	start    int    // number of a list or of its item
	ordered  bool
	letters  bool
	cite     bool
	hints    hints // of a table
	span     int   // columns of a cell
	numbered bool  // start is given
	breaks   int   // line ends around it
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
