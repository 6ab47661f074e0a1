package html

import (
	"html"
	"strings"
	"unicode/utf8"
)

// maxAttributes is how many attributes of one tag are kept; a mail has about ten.
const maxAttributes = 64

// scanner reads HTML into text and tags as the tokenizer of the standard does (WHATWG HTML §13.2.5), in one pass and
// without copying. It differs where a browser would lose the rest of the document for one character: a quotation mark
// or a comment that never ends, a title that is never closed, hide nothing but themselves.
type scanner struct {
	rest string // what is not read yet; valid UTF-8 without NUL

	kind       kind
	text       string // of a textToken, with its entities
	name       string // of a tag, lower case
	attributes []attribute

	raw string // name of the element whose content is text up to its end tag; empty elsewhere
	// There is no end of these in the rest. What was looked for in vain is not looked for again, which keeps the whole
	// pass linear.
	noComment, noDouble, noSingle bool
	noEnd                         map[string]bool // by element
}

type kind int

const (
	textToken kind = iota
	rawToken       // text of an element that holds no markup: script, style and so on
	startToken
	endToken
)

// attribute is one attribute of a tag as it stands.
type attribute struct {
	name  string // lower case
	value string // with its entities
}

func newScanner(s string) *scanner {
	return &scanner{rest: clean(s)}
}

// next reads one token and is false at the end.
func (z *scanner) next() bool {
	z.attributes = z.attributes[:0]
	if z.raw != "" && z.rawText() {
		return true
	}
	for z.rest != "" {
		s := z.rest
		i := strings.IndexByte(s, '<')
		for i >= 0 && !isMarkup(s[i:]) {
			j := strings.IndexByte(s[i+1:], '<')
			if j < 0 {
				i = -1
				break
			}
			i += 1 + j
		}
		if i != 0 {
			if i < 0 {
				i = len(s)
			}
			z.kind, z.text, z.rest = textToken, s[:i], s[i:]
			return true
		}
		switch {
		case isLetter(s[1]):
			if z.tag(1) {
				z.kind = startToken
				z.beginRaw()
				return true
			}
		case s[1] == '/' && len(s) > 2 && isLetter(s[2]):
			if z.tag(2) {
				z.kind = endToken
				z.attributes = z.attributes[:0]
				return true
			}
		default:
			z.comment()
		}
	}
	return false
}

// isMarkup tells whether the < that s begins with is more than a character.
func isMarkup(s string) bool {
	if len(s) < 2 {
		return false
	}
	return isLetter(s[1]) || s[1] == '!' || s[1] == '?' || s[1] == '/' && len(s) > 2
}

// comment passes over a comment, a declaration or what the standard takes for one.
func (z *scanner) comment() {
	s := z.rest
	if strings.HasPrefix(s, "<!--") && !z.noComment {
		body := s[len("<!--"):]
		if strings.HasPrefix(body, ">") || strings.HasPrefix(body, "->") {
			z.rest = body[strings.IndexByte(body, '>')+1:]
			return
		}
		// It ends with --> or with --!>.
		for at := 0; ; {
			i := strings.Index(body[at:], "--")
			if i < 0 {
				break
			}
			at += i + 2
			switch end := body[at:]; {
			case strings.HasPrefix(end, ">"):
				z.rest = end[1:]
				return
			case strings.HasPrefix(end, "!>"):
				z.rest = end[2:]
				return
			}
			at-- // the second dash may be the first of the next pair
		}
		z.noComment = true
	}
	_, z.rest, _ = strings.Cut(s, ">")
}

// tag reads the tag whose name begins at position at of the rest; it is false where the document ends inside the tag.
func (z *scanner) tag(at int) bool {
	s := z.rest
	i := at
	for i < len(s) && !isSpace(s[i]) && s[i] != '/' && s[i] != '>' {
		i++
	}
	z.name = lower(s[at:i])
	for i < len(s) {
		switch c := s[i]; {
		case c == '>':
			z.rest = s[i+1:]
			return true
		case c == '/' || isSpace(c):
			i++
		default:
			i = z.attribute(i)
		}
	}
	z.rest = ""
	return false
}

// attribute reads the attribute at position i of the rest and returns where it ends.
func (z *scanner) attribute(i int) int {
	s := z.rest
	begin := i
	i++ // an equals sign here is part of the name
	for i < len(s) && !isSpace(s[i]) && s[i] != '/' && s[i] != '>' && s[i] != '=' {
		i++
	}
	name, value := s[begin:i], ""
	after := skipSpace(s, i)
	if after < len(s) && s[after] == '=' {
		i = skipSpace(s, after+1)
		value, i = z.value(i)
	}
	if len(z.attributes) < maxAttributes && len(name) < 64 {
		name = lower(name)
		for _, a := range z.attributes {
			if a.name == name {
				return i // the first one counts
			}
		}
		z.attributes = append(z.attributes, attribute{name, value})
	}
	return i
}

// value reads the value of an attribute at position i of the rest.
func (z *scanner) value(i int) (value string, end int) {
	s := z.rest
	if i < len(s) && (s[i] == '"' && !z.noDouble || s[i] == '\'' && !z.noSingle) {
		if n := strings.IndexByte(s[i+1:], s[i]); n >= 0 {
			return s[i+1 : i+1+n], i + n + 2
		}
		if s[i] == '"' {
			z.noDouble = true
		} else {
			z.noSingle = true
		}
	}
	begin := i
	for i < len(s) && !isSpace(s[i]) && s[i] != '>' {
		i++
	}
	return s[begin:i], i
}

// beginRaw looks whether the start tag just read makes what follows text. The content of noscript is markup, since
// nobody runs scripts here.
func (z *scanner) beginRaw() {
	switch z.name {
	case "script", "style", "title", "textarea", "iframe", "noembed", "noframes", "xmp":
		z.raw = z.name
	case "plaintext":
		z.raw = z.name
	}
}

// rawText reads up to the end tag of the raw element. Without one, scripts and styles take the rest with them and
// others are no raw text.
func (z *scanner) rawText() bool {
	name := z.raw
	z.raw = ""
	end := -1
	if name == "plaintext" {
		end = len(z.rest)
	} else if !z.noEnd[name] {
		end = endTag(z.rest, name)
	}
	if end < 0 {
		if z.noEnd == nil {
			z.noEnd = make(map[string]bool)
		}
		z.noEnd[name] = true
		if name != "script" && name != "style" {
			return false
		}
		end = len(z.rest)
	}
	z.kind, z.name, z.text, z.rest = rawToken, name, z.rest[:end], z.rest[end:]
	return true
}

// endTag is where the end tag of an element begins, -1 if there is none.
func endTag(s, name string) int {
	for at := 0; ; at += 2 {
		i := strings.Index(s[at:], "</")
		if i < 0 {
			return -1
		}
		at += i
		rest := s[at+2:]
		if len(rest) > len(name) && strings.EqualFold(rest[:len(name)], name) {
			if c := rest[len(name)]; isSpace(c) || c == '/' || c == '>' {
				return at
			}
		}
	}
}

// get is the value of an attribute with its entities resolved, empty if the tag has none.
func (z *scanner) get(name string) string {
	for _, a := range z.attributes {
		if a.name == name {
			return unescape(a.value)
		}
	}
	return ""
}

// has tells whether the tag has an attribute, be it empty.
func (z *scanner) has(name string) bool {
	for _, a := range z.attributes {
		if a.name == name {
			return true
		}
	}
	return false
}

// unescape resolves the entities of an attribute's value. In text a few names are entities without their semicolon,
// too; here only if no letter, digit or equals sign follows, which keeps "?a=1&copy=2" as it is (§13.2.5.73).
func unescape(s string) string {
	i := strings.IndexByte(s, '&')
	if i < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for ; i >= 0; i = strings.IndexByte(s, '&') {
		b.WriteString(s[:i])
		s = s[i:]
		n := 1
		for n < len(s) && n < 40 && (isLetter(s[n]) || isDigit(s[n]) || s[n] == '#' && n == 1) {
			n++
		}
		whole := n < len(s) && s[n] == ';'
		entity := s[:n]
		switch {
		case whole:
			b.WriteString(html.UnescapeString(s[:n+1]))
			n++
		case strings.HasPrefix(entity, "&#"):
			b.WriteString(html.UnescapeString(entity))
		case n < len(s) && s[n] == '=' || html.UnescapeString(entity) != html.UnescapeString(entity+";"):
			b.WriteString(entity)
		default:
			b.WriteString(html.UnescapeString(entity))
		}
		s = s[n:]
	}
	b.WriteString(s)
	return b.String()
}

// clean makes valid UTF-8 without NUL of s, and LF of its line ends (§13.2.3.5).
func clean(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	if strings.IndexByte(s, '\r') >= 0 {
		s = strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
	}
	return s
}

// lower makes ASCII letters small. Other letters stay: some of them have a small form in ASCII, such as the Kelvin sign,
// and must not turn into a name that means something.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i]-'A' < 26 {
			b := []byte(s)
			for ; i < len(b); i++ {
				if b[i]-'A' < 26 {
					b[i] |= 0x20
				}
			}
			return string(b)
		}
	}
	return s
}

// shorten cuts a string to n octets, between characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	n = max(n, 0)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

func skipSpace(s string, i int) int {
	for i < len(s) && isSpace(s[i]) {
		i++
	}
	return i
}

func isSpace(c byte) bool  { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f' }
func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }
