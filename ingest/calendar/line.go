package calendar

import (
	"bytes"
	"io"
	"mime/quotedprintable"
	"strings"
	"unicode"
	"unicode/utf8"
)

// line is one content line, RFC 5545 §3.1.
type line struct {
	name   string // upper case
	params []param
	value  string
}

// param is one parameter of a content line. A list of values is kept as one string, since people are named
// "CN=Doe, John" without quotation marks.
type param struct {
	name  string // upper case
	value string
}

// param gives the first parameter of a name, empty if there is none.
func (l *line) param(name string) string {
	for _, p := range l.params {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// Unfold joins folded lines, RFC 5545 §3.1. It comes before the charset is decoded, because a fold may lie within a
// character.
func Unfold(raw []byte) []byte {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		n := lineEnd(raw[i:])
		if n > 0 && i+n < len(raw) && (raw[i+n] == ' ' || raw[i+n] == '\t') {
			i += n
			continue
		}
		out = append(out, raw[i])
	}
	return out
}

// lineEnd is how long the line end is that p begins with: CRLF, LF or CR. A CR that comes twice, as programs leave it
// that change line ends again, is one with its LF.
func lineEnd(p []byte) int {
	n := 0
	for n < 2 && n < len(p) && p[n] == '\r' {
		n++
	}
	if n < len(p) && p[n] == '\n' {
		return n + 1
	}
	return min(n, 1)
}

// lines calls each for all content lines of a calendar whose lines are unfolded. What has no name is taken for the rest
// of the line before, which lost its folding.
func lines(raw []byte, each func(line)) {
	var pending line
	var value []byte // of pending
	begun, bare := false, 0
	flush := func() {
		if begun {
			pending.value = string(value)
			pending.decode()
			each(pending)
		}
		begun = false
	}
	for len(raw) > 0 {
		n := bytes.IndexAny(raw, "\r\n")
		if n < 0 {
			n = len(raw)
		}
		text := string(raw[:n])
		raw = raw[n:]
		raw = raw[lineEnd(raw):]
		if strings.TrimSpace(text) == "" {
			continue
		}
		if begun && bytes.HasSuffix(value, []byte("=")) && pending.isQuotedPrintable() {
			value = append(value[:len(value)-1], strings.TrimLeft(text, " \t")...)
			continue
		}
		if l, ok := split(text); ok {
			flush()
			pending, begun, bare = l, true, 0
			value = append(value[:0], l.value...)
			continue
		}
		const most = 50 // lines; what follows is no calendar
		if bare++; begun && bare <= most {
			value = append(append(value, `\n`...), text...)
		}
	}
	flush()
}

// split takes a content line apart.
func split(text string) (line, bool) {
	text = strings.TrimLeft(strings.TrimPrefix(text, "\ufeff"), " \t")
	n := 0
	for n < len(text) && isName(text[n]) {
		n++
	}
	if n == 0 || n == len(text) || text[n] != ':' && text[n] != ';' {
		return line{}, false
	}
	l := line{name: strings.ToUpper(text[:n])}
	colon := endOfParams(text, n)
	if colon < 0 {
		return line{}, false
	}
	l.value = text[colon+1:]
	const most = 40 // parameters that are looked at; nobody needs twenty
	for rest := text[n:colon]; len(rest) > 0 && len(l.params) < most; {
		rest = rest[1:] // the semicolon
		end := endOfParam(rest)
		if name, value, ok := strings.Cut(rest[:end], "="); ok {
			value = strings.Trim(value, " \t")
			value = strings.ReplaceAll(value, `"`, "")
			l.params = append(l.params, param{strings.ToUpper(strings.TrimSpace(name)), uncaret(value)})
		}
		rest = rest[end:]
	}
	return l, true
}

// endOfParams finds the colon before the value, from the end of the name. A quotation mark that is never closed is none.
func endOfParams(text string, at int) int {
	quoted := false
	for i := at; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case c == ':' && !quoted:
			return i
		}
	}
	if i := strings.IndexByte(text[at:], ':'); i >= 0 {
		return at + i
	}
	return -1
}

// endOfParam finds the semicolon behind a parameter.
func endOfParam(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case c == ';' && !quoted:
			return i
		}
	}
	return len(s)
}

func isName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.'
}

// uncaret undoes the escapes of parameters, RFC 6868 §3.2.
func uncaret(s string) string {
	if strings.IndexByte(s, '^') < 0 {
		return s
	}
	return strings.NewReplacer("^^", "^", "^n", "\n", "^'", `"`).Replace(s)
}

// isQuotedPrintable tells a value as vCalendar 1.0 encodes it; its lines end in "=" where they go on.
func (l *line) isQuotedPrintable() bool {
	return strings.EqualFold(l.param("ENCODING"), "QUOTED-PRINTABLE")
}

// decode undoes that encoding.
func (l *line) decode() {
	if !l.isQuotedPrintable() {
		return
	}
	out, err := io.ReadAll(quotedprintable.NewReader(strings.NewReader(l.value)))
	if err == nil {
		l.value = string(out)
	}
}

// unescape undoes the escapes of TEXT, RFC 5545 §3.3.11. A backslash before anything else stands for itself.
func unescape(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' || i+1 == len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch c := s[i]; c {
		case 'n', 'N':
			b.WriteByte('\n')
		case '\\', ';', ',', ':', '"':
			b.WriteByte(c)
		default:
			b.WriteByte('\\')
			b.WriteByte(c)
		}
	}
	return b.String()
}

// oneLine makes text for one line out of a value: valid UTF-8, white space and control characters folded, cut to limit
// octets.
func oneLine(s string, limit int) string {
	return cut(strings.Join(strings.FieldsFunc(strings.ToValidUTF8(cut(s, 2*limit+utf8.UTFMax), "\ufffd"), isBlank), " "), limit)
}

// multiLine makes text of several lines out of a value: valid UTF-8 with LF and without other control characters, cut
// to limit octets.
func multiLine(s string, limit int) string {
	s = strings.ToValidUTF8(cut(s, 2*limit+utf8.UTFMax), "\ufffd")
	s = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(s)
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
	return strings.TrimSpace(cut(s, limit))
}

func isBlank(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }

// cut shortens to limit octets, at the end of a character.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}
