package language

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// What is looked at of a text: so many letters, in at most so many octets.
const (
	maxLetters = 1000
	maxOctets  = 16 << 10
)

// Detect gives the primary BCP 47 subtag of the language that text is written in ("en", "de", "ja"), or "" where it
// cannot tell: in a few words, a mixture, or a language that it does not know. It looks at the first 1,000 letters and
// passes over quoted lines, signatures behind "-- ", addresses, links, and words with digits.
func Detect(text string) string {
	var s sample
	s.read(text)
	return s.decide()
}

// sample is what is counted in a text.
type sample struct {
	letters [scripts]int
	total   int
	latin   tally
	cyrl    tally
	arab    tally
}

// decide names the language of the script that most letters have.
func (s *sample) decide() string {
	best := latin
	for k := range scripts {
		if s.letters[k] > s.letters[best] {
			best = k
		}
	}
	// Japanese has Chinese characters as well, and both come with Latin names of products.
	asian := s.letters[han] + s.letters[kana] + s.letters[hangul]
	if asian >= 4 && asian*3 >= s.total {
		switch {
		case s.letters[hangul]*2 > asian:
			return "ko"
		case s.letters[kana]*10 >= asian:
			return "ja"
		case s.letters[hangul] == 0:
			return "zh"
		}
		return ""
	}
	if s.letters[best]*10 < s.total*6 || s.letters[best] < 6 {
		return ""
	}
	switch best {
	case latin:
		return s.latin.best(tables().latin)
	case cyrillic:
		return s.cyrl.best(tables().cyrillic)
	case arabic:
		return s.arab.best(tables().arabic)
	case greek:
		return "el"
	case hebrew:
		return "he"
	case devanagari:
		return "hi"
	case thai:
		return "th"
	}
	return ""
}

// read counts the letters and words of a text, line by line.
func (s *sample) read(text string) {
	if len(text) > maxOctets {
		text = text[:maxOctets]
	}
	if strings.ContainsAny(text, "\u0300\u0301\u0302\u0303\u0306\u0307\u0308\u030a\u030b\u030c\u0323\u0327\u0328") {
		text = norm.NFC.String(text) // Apple's programs write letters and accents apart
	}
	for text != "" && s.total < maxLetters {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimSpace(line)
		if line == "--" && s.total > 0 {
			return
		}
		if strings.HasPrefix(line, ">") {
			continue
		}
		for token := range strings.FieldsSeq(line) {
			if isNoise(token) {
				continue
			}
			if s.token(token); s.total >= maxLetters {
				return
			}
		}
	}
}

// isNoise says that a token is an address, a link, a number or a file rather than words.
func isNoise(token string) bool {
	for i := range len(token) {
		switch c := token[i]; {
		case c >= '0' && c <= '9', c == '@', c == '_', c == '\\', c == '=':
			return len(token) < 64 && !isUnspaced(token) || c == '@'
		case c == ':' && strings.HasPrefix(token[i:], "://"):
			return true
		}
	}
	return strings.HasPrefix(token, "www.") || strings.HasPrefix(token, "<http")
}

// token counts the words between the marks of a token, "l'article", "e-mail".
func (s *sample) token(token string) {
	var buf [48]byte
	word := buf[:0]
	kind := other
	for _, r := range token {
		k := latin
		switch {
		case r < utf8.RuneSelf:
			c := byte(r)
			if c >= 'A' && c <= 'Z' {
				c |= 0x20
			}
			if c < 'a' || c > 'z' {
				s.word(word, kind)
				word = word[:0]
				continue
			}
			r = rune(c)
		default:
			if k = scriptOf(r); k == scripts {
				if r != '\u200c' { // within Persian words
					s.word(word, kind)
					word = word[:0]
					continue
				}
				k = arabic
			} else {
				r = lower(r)
			}
		}
		if len(word) == 0 {
			kind = k
		}
		s.letters[k]++
		s.total++
		if len(word)+utf8.UTFMax <= cap(word) {
			word = utf8.AppendRune(word, r)
		}
	}
	s.word(word, kind)
}

func lower(r rune) rune {
	if r == 'İ' {
		return 'i'
	}
	return unicode.ToLower(r)
}

func (s *sample) word(word []byte, k script) {
	if len(word) == 0 {
		return
	}
	switch k {
	case latin:
		s.latin.add(word, tables().latin)
	case cyrillic:
		s.cyrl.add(word, tables().cyrillic)
	case arabic:
		s.arab.add(word, tables().arabic)
	}
}
