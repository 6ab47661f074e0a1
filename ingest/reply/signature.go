package reply

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// A signature is looked for so far from the end, in lines that are not blank.
const signatureLines = 20

// passage is what the sender wrote without a quotation in between.
type passage struct {
	lines     []string
	delimiter int    // one more than the line that was "-- ", RFC 3676 §4.3; 0 if there is none
	tail      string // what was written behind the signature
}

func (p *passage) write(b *strings.Builder) {
	for len(p.lines) > 0 && isEmpty(p.lines[0]) {
		p.lines = p.lines[1:]
	}
	p.trim()
	if len(p.lines) == 0 && p.tail == "" {
		return
	}
	if b.Len() > 0 {
		b.WriteString("\n\n")
	}
	for i, line := range p.lines {
		if i > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(line)
	}
	if p.tail != "" {
		if len(p.lines) > 0 {
			b.WriteString("\n\n")
		}
		b.WriteString(p.tail)
	}
}

func isEmpty(line string) bool { return line == "" }

// trim cuts blank lines and rules off the end.
func (p *passage) trim() {
	for n := len(p.lines); n > 0 && (p.lines[n-1] == "" || isRule(p.lines[n-1]) || p.lines[n-1] == "--"); n-- {
		p.lines = p.lines[:n-1]
	}
}

// cutSignature cuts what stands at the end and is a signature, as often as there is one.
func (p *passage) cutSignature() {
	if d := p.delimiter; d > 0 {
		p.lines = p.lines[:d-1]
	}
	for range signatureLines {
		p.trim()
		n := len(p.lines)
		if n == 0 {
			return
		}
		if isDevice(p.lines[n-1]) {
			p.lines = p.lines[:n-1]
			p.cutBareName()
			continue
		}
		if !p.cutDelimited() && !p.cutClosing() && !p.cutContact() && !p.cutDashName() {
			return
		}
	}
}

// above is the last line before line i that is not blank, and whether there is one.
func (p *passage) above(i int) (string, bool) {
	for i--; i >= 0; i-- {
		if p.lines[i] != "" {
			return p.lines[i], true
		}
	}
	return "", false
}

// cutDelimited cuts behind a line that is "--" or drawn, unless what follows reads like sentences.
func (p *passage) cutDelimited() bool {
	count, prose := 0, false
	for i := len(p.lines) - 1; i >= 0 && count <= signatureLines; i-- {
		line := p.lines[i]
		switch {
		case line == "":
			continue
		case line == "--" && (count <= 4 || !prose), isDelimiter(line) && count <= 12 && !prose:
			if _, ok := p.above(i); !ok && line[0] != '_' && line != "--" {
				return false // a list below a rule
			}
			p.lines = p.lines[:i]
			return true
		}
		count++
		prose = prose || isProse(line)
	}
	return false
}

// isDelimiter says that a line may divide the signature from the text.
func isDelimiter(line string) bool {
	switch line {
	case "—", "–", "__", "––", "——", "- -", "-- --":
		return true
	}
	return isRule(line) && !strings.ContainsAny(line, "*#~") // those are banners and headings
}

// isProse says that a line is part of a text rather than of a signature.
func isProse(line string) bool {
	if len(line) < 20 {
		return false
	}
	if len(line) > 400 || utf8.RuneCountInString(line) > 90 {
		return true
	}
	switch line[len(line)-1] {
	case '.', '?', '!':
		return strings.Count(line, " ") >= 4
	}
	return strings.HasSuffix(line, "。") || strings.HasSuffix(line, "？") || strings.HasSuffix(line, "！")
}

// cutClosing cuts from a formula such as "Best regards" on. A postscript and other sentences behind it stay.
func (p *passage) cutClosing() bool {
	count := 0
	for i := len(p.lines) - 1; i > 0 && count <= signatureLines; i-- {
		line := p.lines[i]
		if line == "" {
			continue
		}
		if isClosing(line) {
			if _, ok := p.above(i); !ok {
				return false
			}
			rest := p.lines[i+1:]
			at := postscript(rest)
			if at > 0 && at < len(rest) {
				tail := strings.TrimSpace(strings.Join(rest[at:], "\n"))
				if p.tail != "" {
					tail += "\n\n" + p.tail
				}
				p.tail = tail
			}
			if at == 0 && len(rest) > 0 {
				return false
			}
			p.lines = p.lines[:i]
			return true
		}
		count++
	}
	return false
}

// postscript is where in the lines behind a closing formula the text goes on: at a paragraph that is marked as a
// postscript or reads like sentences and is not what companies put below each mail.
func postscript(lines []string) int {
	for i, line := range lines {
		if line == "" || i > 0 && lines[i-1] != "" && !isProse(line) {
			continue
		}
		lower := strings.ToLower(line[:min(len(line), 80)])
		for _, mark := range [...]string{"ps", "p.s", "p. s", "pps", "nb:", "n.b"} {
			if rest, ok := strings.CutPrefix(lower, mark); ok && rest != "" && strings.IndexByte(" .:-,;", rest[0]) >= 0 {
				return i
			}
		}
		if isProse(line) {
			if isDisclaimer(lower) {
				return len(lines)
			}
			return i
		}
	}
	return len(lines)
}

// cutContact cuts the last paragraph if it is a name and at least two of address, link and telephone number.
func (p *passage) cutContact() bool {
	n := len(p.lines)
	from := n
	for from > 0 && p.lines[from-1] != "" {
		from--
	}
	if from < n && strings.HasSuffix(p.lines[from], ",") && strings.Count(p.lines[from], " ") < 4 {
		from++ // "Thanks," stays
	}
	if n-from < 2 || n-from > 12 {
		return false
	}
	above, ok := p.above(from)
	if !ok || strings.HasSuffix(above, ":") || !isName(p.lines[from]) {
		return false
	}
	contacts := 0
	for _, line := range p.lines[from+1:] {
		switch {
		case isContact(line):
			contacts++
		case isProse(line) || utf8.RuneCountInString(line) > 70:
			return false
		}
	}
	if contacts < 2 {
		return false
	}
	p.lines = p.lines[:from]
	return true
}

// isName says that a line is a few words with capitals, as names are.
func isName(line string) bool {
	if strings.ContainsAny(line, ":;@=") {
		return false
	}
	n := 0
	for word := range strings.FieldsSeq(strings.Trim(line, "*_ ")) {
		r, _ := utf8.DecodeRuneInString(word)
		if n++; n > 6 || unicode.IsDigit(r) || n == 1 && !unicode.IsLetter(r) {
			return false
		}
		if unicode.IsLower(r) && n == 1 {
			return false
		}
	}
	return n > 0 && strings.IndexByte("?!", line[len(line)-1]) < 0
}

// isContact says that a line is an address of mail, a link, or a telephone number, with or without its name before it.
func isContact(line string) bool {
	if strings.Count(line, " ") > 8 {
		return false
	}
	if at := strings.IndexByte(line, '@'); at > 0 && strings.IndexByte(line[at:], '.') > 0 {
		return true
	}
	if strings.Contains(line, "http://") || strings.Contains(line, "https://") || strings.Contains(line, "www.") {
		return true
	}
	digits, letters := 0, 0
	for _, r := range line {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		}
	}
	return digits >= 6 && letters <= digits
}

// cutBareName cuts the name above "Sent from my phone", if it is a paragraph of one line and not all there is.
func (p *passage) cutBareName() {
	n := len(p.lines)
	if n < 3 || p.lines[n-2] != "" || strings.Count(p.lines[n-1], " ") > 2 || !isName(p.lines[n-1]) || isProse(p.lines[n-1]) {
		return
	}
	for word := range strings.FieldsSeq(p.lines[n-1]) {
		if r, _ := utf8.DecodeRuneInString(word); !unicode.IsUpper(r) {
			return
		}
	}
	if strings.Count(p.lines[n-1], " ") == 0 {
		return // might be "Yes"
	}
	p.lines = p.lines[:n-1]
}

// cutDashName cuts a last line that is a name behind a dash, "-Ann", or behind a stroke as in Swedish, "/Ann".
func (p *passage) cutDashName() bool {
	n := len(p.lines)
	line := p.lines[n-1]
	name := strings.TrimLeft(line, "-–—/")
	if r, _ := utf8.DecodeRuneInString(name); len(line) == len(name) || len(line)-len(name) > 3 || !unicode.IsLetter(r) ||
		line[0] == '/' && !unicode.IsUpper(r) || strings.Count(name, " ") > 2 || strings.IndexByte("?!:;", name[len(name)-1]) >= 0 {
		return false
	}
	above, ok := p.above(n - 1)
	if !ok || strings.HasSuffix(above, ":") || strings.IndexByte("-*/", strings.TrimLeft(above, " ")[0]) >= 0 {
		return false
	}
	p.lines = p.lines[:n-1]
	return true
}
