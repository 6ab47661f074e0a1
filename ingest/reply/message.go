package reply

import (
	"strings"
	"unicode/utf8"
)

// A text is read in at most so many lines: what follows counts as part of the last one. It is asked so often whether
// lines introduce a quotation. No mail that people read comes near, and both keep memory and time small.
const (
	maxLines  = 1 << 16
	maxChecks = 1000
)

// Text gives what the sender wrote anew in plain text: without quotation, the line that introduces it, and signature.
// Lines have no white space at their ends, and what stood between two quotations is divided by an empty line. It is
// never empty where text is not blank: what is a signature alone is kept, and if everything is quotation, text itself
// is returned. The result is valid UTF-8 without NUL.
func Text(text string) string {
	text = clean(text)
	m := newMessage(text)
	m.mark()
	if s := m.own(withoutSignature); s != "" {
		return s
	}
	if s := m.own(asItIs); s != "" {
		return s
	}
	return strings.TrimSpace(text)
}

// clean makes text valid UTF-8 without NUL, with line feeds alone.
func clean(text string) string {
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	if strings.IndexByte(text, 0) >= 0 {
		text = strings.ReplaceAll(text, "\x00", "")
	}
	if strings.IndexByte(text, '\r') >= 0 {
		text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	}
	return text
}

// kind is what a line is.
type kind uint8

const (
	own    kind = iota // written by the sender, as far as we know
	blank              // nothing, or white space
	quoted             // begins with ">", or belongs to such lines
	gone               // belongs to the introduction of a quotation, or to a quotation without ">"
)

// message is a text in lines.
type message struct {
	lines []string // without line ends and the white space before them
	kinds []kind
	// delimiters are the lines that were "-- " before their white space was cut, RFC 3676 §4.3.
	delimiters []int
	quotes     int  // how many lines begin with ">"
	introduced bool // a quotation was introduced
	checks     int  // how often a line was asked whether it introduces one, and looked as if it might
}

func newMessage(text string) *message {
	n := min(strings.Count(text, "\n")+1, maxLines)
	m := &message{lines: make([]string, 0, n), kinds: make([]kind, 0, n)}
	for more := true; more; {
		line := text
		if len(m.lines)+1 < maxLines {
			line, text, more = strings.Cut(text, "\n")
		} else {
			more = false
		}
		trimmed := trimRight(line)
		k := own
		switch {
		case trimmed == "":
			k = blank
		case isQuoted(trimmed) && !m.openLink():
			k = quoted
			m.quotes++
		case trimmed == "--" && len(line) == 3:
			m.delimiters = append(m.delimiters, len(m.lines))
		}
		m.lines = append(m.lines, trimmed)
		m.kinds = append(m.kinds, k)
	}
	m.joinWrapped()
	return m
}

// trimRight cuts white space and characters that cannot be seen off the end.
func trimRight(s string) string {
	for s != "" {
		switch c := s[len(s)-1]; {
		case c <= ' ':
			s = s[:len(s)-1]
		case c < utf8.RuneSelf:
			return s
		default:
			r, n := utf8.DecodeLastRuneInString(s)
			if !isBlank(r) {
				return s
			}
			s = s[:len(s)-n]
		}
	}
	return s
}

// isBlank says that a character beyond ASCII cannot be seen.
func isBlank(r rune) bool {
	switch r {
	case '\u00a0', '\u2002', '\u2003', '\u2009', '\u200b', '\u200c', '\u200d', '\u200e', '\u200f', '\u202a', '\u202b', '\u202c', '\u202f', '\u3000', '\ufeff':
		return true
	}
	return false
}

// isQuoted says that a line begins with the sign of quotation, with at most three spaces before it.
func isQuoted(line string) bool {
	for i := 0; i < len(line) && i < 4; i++ {
		switch line[i] {
		case '>':
			return true
		case ' ', '\t':
		default:
			return strings.HasPrefix(line[i:], "＞")
		}
	}
	return false
}

// openLink says that the last line ends within a link "<http…", so that a ">" at the beginning of the next closes it.
func (m *message) openLink() bool {
	n := len(m.lines)
	if n == 0 || m.kinds[n-1] != own {
		return false
	}
	i := strings.LastIndexByte(m.lines[n-1], '<')
	return i >= 0 && strings.HasPrefix(m.lines[n-1][i:], "<http") && !strings.ContainsAny(m.lines[n-1][i:], " >")
}

// joinWrapped finds lines that belong to the quoted line above them, because a program wrapped it without a new ">":
// the rest of an address that is in brackets, or of a long line.
func (m *message) joinWrapped() {
	if m.quotes == 0 {
		return
	}
	for i := 1; i < len(m.lines); i++ {
		if m.kinds[i] != own || m.kinds[i-1] != quoted {
			continue
		}
		if end := m.linkEnd(i); end > i {
			for ; i < end; i++ {
				m.kinds[i] = quoted
			}
			continue
		}
		if i+1 < len(m.lines) && m.kinds[i+1] == quoted && isRest(m.lines[i-1], m.lines[i]) {
			m.kinds[i] = quoted
		}
	}
}

// linkEnd is the line after the end of a link that began in the line above i, or i.
func (m *message) linkEnd(i int) int {
	if start := strings.TrimLeft(m.lines[i], " "); strings.HasPrefix(start, "(http") || strings.HasPrefix(start, "<http") {
		if i+1 < len(m.lines) && m.kinds[i+1] == quoted {
			return i + 1
		}
		return i
	}
	above := m.lines[i-1]
	open, end := strings.LastIndex(above, "(http"), ")"
	if open < 0 {
		open, end = strings.LastIndex(above, "<http"), ">"
	}
	if open < 0 || strings.Contains(above[open:], end) {
		return i
	}
	for j := i; j < len(m.lines) && j < i+3 && m.kinds[j] == own; j++ {
		if strings.Contains(m.lines[j], end) {
			return j + 1
		}
	}
	return i
}

// isRest says that a short line is the end of the quoted line above it, which was wrapped at 65 characters or more.
func isRest(above, line string) bool {
	if len(line) > 30 || utf8.RuneCountInString(above) < 65 || strings.HasSuffix(above, ">") {
		return false
	}
	return strings.IndexByte(".?!:", above[len(above)-1]) < 0 && line[0] >= 'a' && line[0] <= 'z'
}

// mark finds what introduces quotations, and marks it and the quotations that have no ">".
func (m *message) mark() {
	for i := 0; i < len(m.lines); {
		if m.kinds[i] != own {
			i++
			continue
		}
		if isForward(m.lines[i]) {
			m.keepForward(i)
			return
		}
		in, ok := m.introduction(i)
		if !ok {
			i++
			continue
		}
		next := m.skipBlank(in.to)
		answered := next < len(m.lines) && m.kinds[next] == quoted
		if in.weak && !answered {
			i = max(in.to, i+1)
			continue
		}
		m.introduced = true
		m.remove(in)
		if !answered && next < len(m.lines) {
			// A second introduction follows the first, or the quotation goes on to the end.
			if header, ok := m.headerBlock(next); ok {
				m.remove(header)
				i = m.skipBlank(header.to)
				if i < len(m.lines) && m.kinds[i] == quoted {
					continue
				}
			}
			for j := in.to; j < len(m.lines); j++ {
				m.kinds[j] = gone
			}
			return
		}
		i = next
	}
	if m.quotes == 1 && !m.introduced {
		m.keepLone()
	}
}

// introduction is what stands before a quotation: the lines from from up to to, and the end of the line at from behind
// the words that stand before it.
type introduction struct {
	from, to int
	words    string // that stand before it in the line at from and are the sender's
	weak     bool   // it counts if lines with ">" follow
}

// introduction finds one that is complete with line i or begins there.
func (m *message) introduction(i int) (introduction, bool) {
	if isOriginal(m.lines[i]) {
		return introduction{from: i, to: i + 1}, true
	}
	if m.checks > maxChecks {
		return introduction{}, false
	}
	if in, ok := m.headerBlock(i); ok {
		return in, true
	}
	return m.attribution(i)
}

// remove marks an introduction, and the rule that some programs draw above it.
func (m *message) remove(in introduction) {
	from := in.from
	if in.words != "" {
		m.lines[from] = in.words
		from++
	}
	for j := from; j < in.to; j++ {
		m.kinds[j] = gone
	}
	for j := from - 1; j >= 0 && (m.kinds[j] == blank || m.kinds[j] == own && isRule(m.lines[j])); j-- {
		if m.kinds[j] == own {
			m.kinds[j] = gone
		}
	}
}

func (m *message) skipBlank(i int) int {
	for i < len(m.lines) && m.kinds[i] == blank {
		i++
	}
	return i
}

// keepForward makes a forwarded message that begins in line i the sender's own words. If nothing was quoted before it,
// the whole text is.
func (m *message) keepForward(i int) {
	if !m.introduced {
		i = 0
	}
	for ; i < len(m.lines); i++ {
		m.kinds[i] = own
	}
	m.delimiters = nil
}

// keepLone makes a single line with ">" own that stands in the middle of a paragraph: it is decoration.
func (m *message) keepLone() {
	for i, k := range m.kinds {
		if k == quoted {
			if i > 0 && i+1 < len(m.lines) && m.kinds[i-1] == own && m.kinds[i+1] == own && strings.Trim(m.lines[i], "> ") != "" {
				m.kinds[i] = own
			}
			return
		}
	}
}

// Whether own cuts signatures.
const (
	withoutSignature = true
	asItIs           = false
)

// own joins the sender's lines.
func (m *message) own(cut bool) string {
	var b strings.Builder
	delimiters := m.delimiters
	for i := 0; i < len(m.lines); {
		if m.kinds[i] == quoted || m.kinds[i] == gone {
			i++
			continue
		}
		from := i
		for i < len(m.lines) && m.kinds[i] != quoted && m.kinds[i] != gone {
			i++
		}
		passage := passage{lines: m.lines[from:i]}
		for ; len(delimiters) > 0 && delimiters[0] < i; delimiters = delimiters[1:] {
			if d := delimiters[0]; d >= from {
				passage.delimiter = d - from + 1
			}
		}
		if cut {
			passage.cutSignature()
		}
		passage.write(&b)
	}
	return strings.TrimSpace(b.String())
}
