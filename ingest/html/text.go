package html

import (
	"bytes"
	"html"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text renders HTML as plain text of at most limit octets, in one pass: tags go, blocks begin lines, lists
// get dashes, links keep their address, scripts, styles and comments are dropped. It understands broken HTML as far as
// a mail needs it and does not build a tree.
func Text(s string, limit int) (text string, cut bool) {
	r := htmlReader{s: strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", ""), limit: limit}
	r.run()
	text = strings.TrimSpace(r.out.String())
	if len(text) > limit {
		return shorten(text, limit), true
	}
	return text, r.cut
}

type htmlReader struct {
	s     string
	limit int
	cut   bool
	out   strings.Builder

	lines int  // line ends at the end of out, at most 2; 2 at the beginning
	space bool // white space waits for the next word
	pre   int  // depth of pre
	href  string

	// There is no end of these in the rest.
	noComment, noDouble, noSingle bool
	noClose                       map[string]bool
	from                          int // where in out the text of the current link begins
}

// The elements that are dropped with what they hold.
func isHidden(name string) bool {
	switch name {
	case "script", "style", "head", "title", "template", "noscript", "svg", "math", "object", "select", "textarea":
		return true
	}
	return false
}

// breaks is how many line ends stand before and after an element.
func breaks(name string) int {
	switch name {
	case "p", "h1", "h2", "h3", "h4", "h5", "h6", "blockquote", "ul", "ol", "dl", "table", "pre", "hr", "address", "figure":
		return 2
	case "div", "tr", "li", "dt", "dd", "section", "article", "header", "footer", "main", "nav", "aside", "form",
		"fieldset", "center", "body", "html", "caption", "thead", "tbody", "tfoot":
		return 1
	}
	return 0
}

func (r *htmlReader) run() {
	r.lines = 2
	for s := r.s; s != ""; {
		if r.out.Len() > r.limit {
			r.cut = true
			return
		}
		i := strings.IndexByte(s, '<')
		if i < 0 {
			r.text(s)
			break
		}
		if i > 0 {
			r.text(s[:i])
			s = s[i:]
		}
		n := r.markupLength(s)
		if n == 0 {
			r.text("<")
			s = s[1:]
			continue
		}
		name, closing := tagName(s[:n])
		tag := s[:n]
		s = s[n:]
		if name == "" {
			continue // a comment or a declaration
		}
		if !closing && isHidden(name) && !strings.HasSuffix(tag, "/>") {
			// Without an end only scripts and styles swallow the rest; a head that is not closed holds the body.
			end := -1
			if !r.noClose[name] {
				end = closeTag(s, name)
			}
			if end < 0 {
				if r.noClose == nil {
					r.noClose = make(map[string]bool)
				}
				r.noClose[name] = true
				if name == "script" || name == "style" {
					return
				}
				continue
			}
			s = s[end:]
			continue
		}
		r.tag(name, tag, closing)
	}
	r.endLink()
}

// markupLength is the length of the tag, comment or declaration that s begins with, 0 if it is none. What it looked for
// in vain up to the end of the text is not looked for again: that keeps the whole pass linear.
func (r *htmlReader) markupLength(s string) int {
	if len(s) < 2 {
		return 0
	}
	c := s[1]
	if strings.HasPrefix(s, "<!--") && !r.noComment {
		if i := strings.Index(s[4:], "-->"); i >= 0 {
			return 4 + i + 3
		}
		r.noComment = true
	}
	if c == '!' || c == '?' {
		if i := strings.IndexByte(s, '>'); i >= 0 {
			return i + 1
		}
		return len(s)
	}
	if !isLetter(c) && !(c == '/' && len(s) > 2 && isLetter(s[2])) {
		return 0
	}
	// A tag ends at the first > outside quotes. Quotes count only behind an equals sign.
	equals := false
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '>':
			return i + 1
		case c == '<' && !equals:
			return i // the tag was never ended
		case c == '"' && equals && !r.noDouble, c == '\'' && equals && !r.noSingle:
			n := strings.IndexByte(s[i+1:], c)
			if n >= 0 {
				i += n + 1
			} else if c == '"' {
				r.noDouble = true
			} else {
				r.noSingle = true
			}
			equals = false
		case c == '=':
			equals = true
		case c != ' ' && c != '\t' && c != '\r' && c != '\n':
			equals = false
		}
	}
	return len(s)
}

func tagName(tag string) (name string, closing bool) {
	i := 1
	if i < len(tag) && tag[i] == '/' {
		closing = true
		i++
	}
	j := i
	for j < len(tag) && j-i < 20 && (isLetter(tag[j]) || isDigit(tag[j])) {
		j++
	}
	return strings.ToLower(tag[i:j]), closing
}

// closeTag is where what follows the closing tag of an element begins, -1 if there is none.
func closeTag(s, name string) int {
	for at := 0; ; {
		i := strings.Index(s[at:], "</")
		if i < 0 {
			return -1
		}
		at += i
		if rest := s[at+2:]; len(rest) >= len(name) && strings.EqualFold(rest[:len(name)], name) {
			if j := strings.IndexByte(rest, '>'); j >= 0 {
				return at + 2 + j + 1
			}
			return len(s)
		}
		at += 2
	}
}

func (r *htmlReader) tag(name, tag string, closing bool) {
	switch name {
	case "br":
		r.newline(1, true)
		return
	case "a":
		r.endLink()
		if !closing {
			r.href, r.from = attribute(tag, "href"), r.out.Len()
		}
		return
	case "img":
		if alt := attribute(tag, "alt"); alt != "" {
			r.text(" " + alt + " ")
		}
		return
	case "td", "th":
		if closing && r.lines == 0 {
			r.space = true
		}
		return
	case "pre":
		if closing {
			r.pre = max(r.pre-1, 0)
		} else {
			r.pre++
		}
	}
	if n := breaks(name); n > 0 {
		r.newline(n, false)
		if name == "li" && !closing {
			r.write("- ")
			r.lines = 2
		}
	}
}

// newline makes sure that out ends with n line ends; with add it adds them to those that are there.
func (r *htmlReader) newline(n int, add bool) {
	r.space = false
	if add {
		n += r.lines
	}
	for r.lines < min(n, 2) {
		r.out.WriteByte('\n')
		r.lines++
	}
}

func (r *htmlReader) write(s string) {
	if s == "" {
		return
	}
	if r.space && r.lines == 0 {
		r.out.WriteByte(' ')
	}
	r.space = false
	r.lines = 0
	r.out.WriteString(s)
}

// text writes text with its white space collapsed, or as it is inside pre.
func (r *htmlReader) text(s string) {
	if n := 4 * (r.limit - r.out.Len() + 1); len(s) > n {
		s, r.cut = shorten(s, max(n, 0)), true
	}
	if strings.IndexByte(s, '&') >= 0 {
		s = html.UnescapeString(s)
	}
	if r.pre > 0 {
		for s != "" {
			line, rest, found := strings.Cut(s, "\n")
			r.write(strings.TrimSuffix(line, "\r"))
			if found {
				r.newline(1, true)
			}
			s = rest
		}
		return
	}
	for s != "" {
		i := strings.IndexAny(s, " \t\r\n\f\u00a0")
		switch {
		case i < 0:
			r.write(s)
			return
		case i > 0:
			r.write(s[:i])
		}
		r.space = true
		if s[i] == 0xc2 {
			i++
		}
		s = s[i+1:]
	}
}

// endLink adds the address of a link behind its text, unless the text says it already.
func (r *htmlReader) endLink() {
	href := r.href
	if href == "" {
		return
	}
	r.href = ""
	text := r.out.String()[r.from:]
	scheme := strings.ToLower(href[:min(len(href), 8)])
	switch {
	case strings.TrimSpace(text) == "":
		return
	case strings.HasPrefix(scheme, "mailto:"):
		if href = href[len("mailto:"):]; strings.Contains(text, href) {
			return
		}
	case !strings.HasPrefix(scheme, "http://") && !strings.HasPrefix(scheme, "https://"):
		return
	case strings.Contains(text, strings.TrimSuffix(href[strings.Index(href, "//")+2:], "/")):
		return
	}
	space := r.space
	r.space = true
	r.write("<" + href + ">")
	r.space = space
}

// attribute finds the value of an attribute of a tag.
func attribute(tag, name string) string {
	for rest := tag; ; {
		i := indexFold(rest, name)
		if i < 0 {
			return ""
		}
		before := rest[max(i-1, 0)]
		rest = rest[i+len(name):]
		value := strings.TrimLeft(rest, " \t\r\n")
		if i == 0 || isLetter(before) || before == '-' || !strings.HasPrefix(value, "=") {
			continue
		}
		value = strings.TrimLeft(value[1:], " \t\r\n")
		var end int
		if value != "" && (value[0] == '"' || value[0] == '\'') {
			quote := value[0]
			value = value[1:]
			end = strings.IndexByte(value, quote)
		} else {
			end = strings.IndexAny(value, " \t\r\n>")
		}
		if end >= 0 {
			value = value[:end]
		}
		const limit = 2000
		return oneLine(html.UnescapeString(shorten(value, limit)))
	}
}

// indexFold is strings.Index for ASCII of any case; word is lower case.
func indexFold(s, word string) int {
	for at := 0; at+len(word) <= len(s); at++ {
		i := strings.IndexAny(s[at:], word[:1]+strings.ToUpper(word[:1]))
		if i < 0 || at+i+len(word) > len(s) {
			return -1
		}
		at += i
		if strings.EqualFold(s[at:at+len(word)], word) {
			return at
		}
	}
	return -1
}

// MetaCharset finds the charset that an HTML page declares in its first 4 KiB.
func MetaCharset(raw []byte) string {
	head := bytes.ToLower(raw[:min(len(raw), 4<<10)])
	for {
		i := bytes.Index(head, []byte("<meta"))
		if i < 0 {
			return ""
		}
		head = head[i+len("<meta"):]
		tag := head
		if j := bytes.IndexByte(tag, '>'); j >= 0 {
			tag = tag[:j]
		}
		if j := bytes.Index(tag, []byte("charset=")); j >= 0 {
			value := bytes.TrimLeft(tag[j+len("charset="):], "\"' ")
			if k := bytes.IndexAny(value, "\"' ;/"); k >= 0 {
				value = value[:k]
			}
			return string(value)
		}
	}
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

// shorten cuts a string to n octets, between characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}

// oneLine folds white space and control characters into single spaces.
func oneLine(s string) string {
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
}
