package html

import (
	"html"
	"strings"
	"unicode/utf8"
)

// text writes text with its white space folded, as a browser shows it.
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
