package reply

import (
	"strings"
	"unicode/utf8"
)

// An attribution takes at most this many lines and octets. Programs wrap it at the address and at 72 characters.
const (
	attributionLines  = 5
	attributionOctets = 600
)

// attribution finds the line that introduces a quotation, "On …, Ann wrote:", where it ends with line i.
func (m *message) attribution(i int) (introduction, bool) {
	if !endsAttribution(m.lines[i]) {
		return introduction{}, false
	}
	m.checks++
	var spans [attributionLines]string // from line i-n up to line i
	n := 0
	for j := i; n < attributionLines && j >= 0 && m.kinds[j] == own; j-- {
		span := strings.TrimLeft(m.lines[j], " \t")
		if n > 0 {
			span += " " + spans[n-1]
		}
		if len(span) > attributionOctets {
			break
		}
		spans[n] = span
		n++
	}
	if n == 0 || !mayIntroduce(spans[n-1]) {
		return introduction{}, false
	}
	// One that begins with its date comes before one that begins with a name, for the date may stand a line higher.
	best, found := 0, unlikely
	for k := range n {
		if v := judge(spans[k]); v > found {
			best, found = k, v
		}
		if found == dated {
			break
		}
	}
	if found == unlikely {
		return introduction{}, false
	}
	for found == dated && best+1 < n && beginsWithOpener(spans[best+1]) && judge(spans[best+1]) == dated && !endsSentence(m.lines[i-best-1]) {
		best++
	}
	in := introduction{from: i - best, to: i + 1, weak: found == possible}
	if at := openerWithin(spans[best]); at > 0 && at < len(m.lines[in.from]) {
		words := strings.TrimRight(strings.TrimLeft(m.lines[in.from], " \t")[:at], " -–—*")
		in.words, in.weak = words, false
	}
	return in, true
}

// mayIntroduce says that a text has a word for writing or an address, without which no part of it is an attribution.
func mayIntroduce(s string) bool {
	var w words
	w.read(strings.ToLower(s))
	return w.verb > 0 || w.addr > 0
}

// endsAttribution says whether an attribution may end with this line. It is asked of each line.
func endsAttribution(line string) bool {
	switch c := line[len(line)-1]; {
	case c == ':', c == '>', c == '-', c == '*':
		return true
	case c == 'e':
		return strings.HasSuffix(line, "wrote")
	case c >= utf8.RuneSelf:
		return strings.HasSuffix(line, "：")
	}
	return false
}

func endsSentence(line string) bool {
	return strings.IndexByte(".!?:", line[len(line)-1]) >= 0
}

// verdict is how sure it is that some lines are an attribution.
type verdict uint8

const (
	unlikely verdict = iota
	possible         // if lines with ">" follow
	named            // a name and an address, and that he wrote
	dated            // begins with a date
)

// judge tells by the build of a text whether it is an attribution. Date, name and the word for writing stand in all
// orders in the languages, but
//
//   - it ends with a colon, or with the word for writing
//   - a date of two numbers or more is in its first words, or there is an address
//   - the writer is not "you", "I" or "my neighbour": that is how people tell of letters
func judge(s string) verdict {
	s = strings.TrimRight(strings.TrimLeft(s, " -–—*_>\u00a0"), " -–—*_\u00a0")
	colon := strings.HasSuffix(s, ":") || strings.HasSuffix(s, "：")
	var w words
	w.read(strings.ToLower(s))
	if w.n > 40 || !colon && w.verb != w.n && !w.ends {
		return unlikely
	}
	switch {
	case w.verb > 0 && w.n-w.verb > 10, w.verb == 0 && w.addr == 0:
		return unlikely
	case w.verb == 0:
		// Gmail: "2014-10-17 11:28 GMT+03:00 Ann <ann@example.com>:", once without the clock and the colon.
		switch {
		case !w.ends || w.digit == 0 || w.digit > 3 || w.n > 16:
			return unlikely
		case colon && w.numbers >= 2 && w.clock:
			return dated
		}
		return possible
	case w.personal:
		return possible
	case w.digit > 0 && w.digit <= 5 && w.digit <= w.verb && w.dates() && (w.clock || w.addr > 0 || w.opener && w.comma):
		return dated
	case w.addr > 0 && (w.clock || w.year) && w.digit > 0 && colon && w.n <= 24:
		return named
	case w.addr > 0 && w.verb-w.addr >= 0 && w.verb-w.addr <= 2 && w.n <= 9:
		return named
	case w.n <= 10 || w.opener:
		return possible
	}
	return unlikely
}

// words is what judge wants to know of a text. Places are numbers of words from 1, 0 is nowhere.
type words struct {
	n        int
	digit    int // the first with a number
	numbers  int // with a number
	addr     int // the last with "@"
	verb     int // the last that means writing
	clock    bool
	year     bool // or a date in digits
	comma    bool // one ends with a comma
	opener   bool // the first is how such lines begin
	ends     bool // the last is an address in brackets
	personal bool // who writes is a pronoun, or somebody's something
}

func (w *words) dates() bool { return w.numbers >= 2 || w.year || w.addr > 0 }

func (w *words) read(s string) {
	before := ""   // the word before the current one
	after := false // the word before the current one is the verb
	name := ""     // first word behind the numbers of the date
	for word := range strings.FieldsSeq(s) {
		w.n++
		if i := strings.LastIndexAny(word, ">]"); i > 0 && i+1 < len(word) && isWriting(strings.Trim(word[i+1:], ":-")) {
			// The space before "wrote" is missing.
			w.addr, w.n = w.n, w.n+1
			w.verb = w.n
			continue
		}
		core, wide := trimMarks(word), isWide(word)
		if i := strings.IndexByte(core, '('); i > 0 {
			core = core[:i]
		}
		switch {
		case strings.IndexByte(word, '@') >= 0:
			w.addr = w.n
		case (len(word) <= 16 || wide && len(word) <= 48) && hasDigit(word):
			w.numbers++
			if w.digit == 0 {
				w.digit = w.n
			}
			if isClock(word) {
				w.clock = true
			}
			if isYear(core) {
				w.year = true
			}
			if w.verb == 0 {
				name = ""
			}
		case name == "" && w.digit > 0 && (!isDateWord(core) || isPersonal(core)):
			name = core
		}
		if word[len(word)-1] == ',' || strings.Contains(word, "，") || strings.Contains(word, "、") {
			w.comma = true
		}
		if w.n == 1 {
			w.opener = isOpener(core)
		}
		if after && core != "je" && isPersonal(core) { // Croatian: "napisao je"
			w.personal = true
		}
		after = false
		if isWriting(core) || wide && containsWriting(word) {
			w.verb, after = w.n, true
			w.personal = isPersonal(before) || isPersonal(name)
		}
		before = core
		w.ends = strings.HasSuffix(strings.TrimRight(word, ":："), ">") && w.addr == w.n
	}
}

// isWide says that a word has letters beyond ASCII.
func isWide(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return true
		}
	}
	return false
}

// trimMarks takes punctuation off both ends of a word.
func trimMarks(s string) string {
	for s != "" {
		r, n := rune(s[0]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRuneInString(s)
		}
		if !isMark(r) {
			break
		}
		s = s[n:]
	}
	for s != "" {
		r, n := rune(s[len(s)-1]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeLastRuneInString(s)
		}
		if !isMark(r) {
			break
		}
		s = s[:len(s)-n]
	}
	return s
}

func isMark(r rune) bool {
	switch r {
	case ':', ',', '.', ';', '(', ')', '[', ']', '<', '>', '"', '\'', '*', '_', '-', '–', '—', '„', '“', '”', '«', '»', '：', '，', '、':
		return true
	}
	return false
}

func hasDigit(s string) bool {
	for i := range len(s) {
		if isDigit(s[i]) {
			return true
		}
	}
	return false
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// isClock finds 10:30, 10.30 and 10h30 in a word.
func isClock(s string) bool {
	for i := 1; i+2 < len(s); i++ {
		switch s[i] {
		case ':', '.', 'h':
			if isDigit(s[i-1]) && isDigit(s[i+1]) && isDigit(s[i+2]) && (i+3 == len(s) || !isDigit(s[i+3]) && (s[i] == ':' || s[i+3] != '.')) {
				return true
			}
		}
	}
	return false
}

// isYear finds 2024, 2024-05-03, 3.5.24, 3/5/2024 and 2024年5月3日.
func isYear(s string) bool {
	if len(s) >= 4 && (s[:2] == "19" || s[:2] == "20") && isDigit(s[2]) && isDigit(s[3]) {
		return true
	}
	if strings.Contains(s, "年") || strings.Contains(s, "년") {
		return true
	}
	return s != "" && isDigit(s[0]) && strings.Count(s, ".")+strings.Count(s, "/")+strings.Count(s, "-") == 2
}

// beginsWithOpener says that a text begins as attributions do, with a capital, and has a number soon.
func beginsWithOpener(s string) bool {
	first, rest, _ := strings.Cut(s, " ")
	return first != "" && first[0] != strings.ToLower(first)[0] && isOpener(strings.ToLower(strings.Trim(first, "-–—*>"))) && numberSoon(rest)
}

// numberSoon says that one of the next three words has a number.
func numberSoon(s string) bool {
	n := 0
	for word := range strings.FieldsSeq(s) {
		if hasDigit(word) {
			return true
		}
		if n++; n == 3 {
			break
		}
	}
	return false
}

// openerWithin finds an attribution that begins behind other words of its line, "see you On 3 May 2024 at 10:30 …".
func openerWithin(s string) int {
	first, _, _ := strings.Cut(s, " ")
	if hasDigit(first) || isOpener(strings.ToLower(strings.Trim(first, "-–—*>,."))) {
		return 0
	}
	for at := len(first); at < len(s); {
		begin := strings.IndexAny(s[at:], "OALEIDoaleid")
		if begin < 0 {
			return 0
		}
		at += begin
		end := strings.IndexByte(s[at:], ' ')
		if end < 0 {
			return 0
		}
		switch s[at : at+end] {
		case "On", "Am", "At", "Le", "El", "Em", "Il", "Op", "Den", "Dnia", "Dne":
			if (s[at-1] == ' ' || s[at-1] == '-') && numberSoon(s[at+end:]) && judge(s[at:]) == dated {
				return at
			}
		}
		at++
	}
	return 0
}
