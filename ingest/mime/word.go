package mime

import (
	"strings"
	"unicode/utf8"
)

// headerText decodes the encoded words (RFC 2047) of a header field and makes UTF-8 of the rest. Words of one charset
// that follow each other are joined before they are decoded, since senders split characters between them; words may
// hold spaces and stand inside other text; a charset that is not known is read like text without one. What has not the
// form of an encoded word stays as it is. where is the field, for defects.
func (p *parser) headerText(s, where string) string {
	at := strings.Index(s, "=?")
	if at < 0 {
		return p.rawText(s, where)
	}
	var b strings.Builder
	b.Grow(len(s))
	var run wordRun
	flush := func() {
		if run.charset == "" {
			return
		}
		run.endGroup()
		b.WriteString(clean(p.decodeText(run.octets, run.charset, func(code, text string) {
			if code != CharsetUnknown { // ENCODED_WORD says it
				p.defect(code, where, text)
			}
		})))
		run.charset, run.octets = "", run.octets[:0]
	}
	from := 0 // what stands before is written
	for at >= 0 {
		w, ok := parseWord(s[at:])
		if !ok {
			at = next(s, at+2)
			continue
		}
		if _, known := lookup(w.charset); !known {
			p.defect(EncodedWord, where, w.charset)
		}
		between := s[from:at]
		if run.charset == "" || strings.Trim(between, " \t\r\n") != "" || !strings.EqualFold(run.charset, w.charset) {
			joined := run.charset != "" && strings.Trim(between, " \t\r\n") == ""
			flush()
			if !joined {
				b.WriteString(p.rawText(between, where))
			}
			run.charset = w.charset
		}
		run.add(w)
		from = at + w.length
		at = next(s, from)
	}
	flush()
	b.WriteString(p.rawText(s[from:], where))
	return b.String()
}

// next finds the next possible beginning of an encoded word.
func next(s string, from int) int {
	i := strings.Index(s[from:], "=?")
	if i < 0 {
		return -1
	}
	return from + i
}

// rawText makes UTF-8 of text that is not encoded: it should be ASCII, is mostly UTF-8, and otherwise in the charset
// of the body or the fallback.
func (p *parser) rawText(s, where string) string {
	if utf8.ValidString(s) {
		return clean(s)
	}
	p.defect(HeaderRaw8Bit, where, "")
	declared := p.declared
	if name, ok := lookup(declared); !ok || name == utf8Name || name == asciiName {
		declared = ""
	}
	return clean(p.decodeText([]byte(s), declared, func(string, string) {}))
}

// word is one encoded word.
type word struct {
	charset string
	base64  bool
	payload string
	length  int // octets of the whole
}

// parseWord reads the encoded word that s begins with. It looks no further than the next beginning of another.
func parseWord(s string) (w word, ok bool) {
	const maxCharset = 60
	i := strings.IndexByte(s[2:min(len(s), maxCharset)], '?')
	if i <= 0 || len(s) < i+7 || s[i+4] != '?' {
		return w, false
	}
	w.charset = s[2 : i+2]
	if j := strings.IndexByte(w.charset, '*'); j > 0 {
		w.charset = w.charset[:j] // a language, RFC 2231 §5
	}
	switch s[i+3] {
	case 'b', 'B':
		w.base64 = true
	case 'q', 'Q':
	default:
		return w, false
	}
	begin := i + 5
	for j := begin; ; j++ {
		k := strings.IndexByte(s[j:], '?')
		if k < 0 || j+k+1 == len(s) {
			return w, false
		}
		j += k
		if s[j+1] == '=' {
			w.payload, w.length = s[begin:j], j+2
			return w, true
		}
		if j > begin && s[j-1] == '=' {
			return w, false // another word begins
		}
	}
}

// wordRun collects the octets of words of one charset.
type wordRun struct {
	charset string
	octets  []byte
	group   uint32 // base64 digits that wait for more: some senders split groups between words
	n       int
}

func (r *wordRun) add(w word) {
	if !w.base64 {
		r.endGroup()
		for i := 0; i < len(w.payload); i++ {
			c := w.payload[i]
			switch {
			case c == '_':
				c = ' '
			case c == '=' && i+2 < len(w.payload):
				if hi, lo := unhex(w.payload[i+1]), unhex(w.payload[i+2]); hi != 0xff && lo != 0xff {
					c = hi<<4 | lo
					i += 2
				}
			}
			r.octets = append(r.octets, c)
		}
		return
	}
	for i := 0; i < len(w.payload); i++ {
		v := base64Value(w.payload[i])
		if v == 0xff {
			if w.payload[i] == '=' {
				r.endGroup()
			}
			continue
		}
		r.group = r.group<<6 | uint32(v)
		if r.n++; r.n == 4 {
			r.octets = append(r.octets, byte(r.group>>16), byte(r.group>>8), byte(r.group))
			r.group, r.n = 0, 0
		}
	}
}

func (r *wordRun) endGroup() {
	switch r.n {
	case 2:
		r.octets = append(r.octets, byte(r.group>>4))
	case 3:
		r.octets = append(r.octets, byte(r.group>>10), byte(r.group>>2))
	}
	r.group, r.n = 0, 0
}
