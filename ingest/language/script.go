package language

import "unicode"

// script is a kind of letters.
type script uint8

const (
	latin script = iota
	cyrillic
	greek
	hebrew
	arabic
	devanagari
	thai
	han
	kana
	hangul
	other
	scripts
)

// scriptOf is the script of a letter beyond ASCII, or scripts where it is none.
func scriptOf(r rune) script {
	switch {
	case r < 0xc0:
		return scripts
	case r < 0x250:
		if r == 0xd7 || r == 0xf7 {
			return scripts
		}
		return latin
	case r >= 0x300 && r < 0x370: // combining marks, mostly of Latin letters
		return latin
	case r >= 0x370 && r < 0x400, r >= 0x1f00 && r < 0x2000:
		return greek
	case r >= 0x400 && r < 0x530:
		return cyrillic
	case r >= 0x590 && r < 0x600:
		return hebrew
	case r >= 0x600 && r < 0x780, r >= 0xfb50 && r < 0xfe00, r >= 0xfe70 && r < 0xff00:
		if r == 0x60c || r == 0x61b || r == 0x61f || r >= 0x660 && r <= 0x66d || r >= 0x6f0 && r <= 0x6f9 {
			return scripts
		}
		return arabic
	case r >= 0x900 && r < 0x980:
		return devanagari
	case r >= 0xe00 && r < 0xe80:
		return thai
	case r >= 0x1e00 && r < 0x1f00:
		return latin
	case r >= 0x3040 && r < 0x3100, r >= 0xff66 && r < 0xffa0:
		return kana
	case r >= 0x3400 && r < 0xa000, r >= 0x20000 && r < 0x30000:
		return han
	case r >= 0xac00 && r < 0xd7b0, r >= 0x1100 && r < 0x1200:
		return hangul
	}
	if unicode.IsLetter(r) {
		return other
	}
	return scripts
}

// isUnspaced says that a token is in a script that has no spaces, so that it is a sentence.
func isUnspaced(token string) bool {
	for _, r := range token {
		switch scriptOf(r) {
		case han, kana, thai, hangul:
			return true
		}
	}
	return false
}
