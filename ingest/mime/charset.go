package mime

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/emersion/go-message/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// The charsets that are not tables of golang.org/x/text.
const (
	utf8Name  = "utf-8"
	asciiName = "us-ascii"
	utf7Name  = "utf-7"
	utf16Name = "utf-16"
)

// lookup finds a charset by the name that a sender gave it. For the names of our own it returns one of the constants
// above; for all others the name that go-message knows.
func lookup(name string) (canonical string, ok bool) {
	name = strings.ToLower(strings.Trim(name, " \t\"'"))
	name, _, _ = strings.Cut(name, "*") // a language, RFC 2231 §5
	if name == "" || len(name) > 40 {
		return "", false
	}
	switch name {
	case "utf-8", "utf8", "unicode-1-1-utf-8", "x-utf8", "utf-8mb4", "utf8mb4", "utf_8":
		return utf8Name, true
	case "us-ascii", "ascii", "ansi_x3.4-1968", "iso646-us", "7bit", "us":
		return asciiName, true
	case "utf-7", "utf7", "unicode-1-1-utf-7", "x-unicode-2-0-utf-7":
		return utf7Name, true
	case "utf-16", "utf16", "ucs-2", "iso-10646-ucs-2", "unicode":
		return utf16Name, true
	case "gb2312", "gb_2312-80", "gbk", "cp936", "ms936", "x-gbk", "gb18030", "euc-cn":
		return "gb18030", true // each is a part of the last
	case "cp1252", "iso8859-1", "iso_8859-1", "iso-8859-1", "latin1", "latin-1", "iso-8859-1-windows-1252", "x-cp1252", "8859-1":
		return "windows-1252", true // as browsers read ISO 8859-1
	case "cp932", "ms932", "shift-jis", "x-sjis", "windows-31j":
		return "shift_jis", true
	case "ks_c_5601-1987", "ks_c_5601", "ksc5601", "cp949", "uhc", "x-windows-949":
		return "euc-kr", true
	}
	if e, err := htmlindex.Get(name); err == nil {
		// Browsers refuse some charsets by a decoder that gives U+FFFD alone; go-message knows one of these.
		return name, e != encoding.Replacement || name == "hz-gb-2312"
	}
	if rest, found := strings.CutPrefix(name, "cp125"); found {
		return "windows-125" + rest, true
	}
	if rest, found := strings.CutPrefix(name, "iso8859-"); found {
		name = "iso-8859-" + rest
	}
	// The probe is one octet: Reader tells unknown names at once.
	if _, err := charset.Reader(name, strings.NewReader("")); err == nil {
		return name, true
	}
	return "", false
}

// decodeCharset makes UTF-8 of text in a charset. Octets that the charset does not have become U+FFFD. ok is false for
// an unknown charset, and for text in UTF-8 or ASCII that is not.
func decodeCharset(raw []byte, name string) (s string, ok bool) {
	canonical, known := lookup(name)
	if !known {
		return "", false
	}
	switch canonical {
	case utf8Name, asciiName:
		raw = bytes.TrimPrefix(raw, []byte("\xef\xbb\xbf"))
		return string(raw), utf8.Valid(raw)
	case utf7Name:
		return decodeUTF7(raw), true
	case utf16Name:
		return decodeWith(unicode.UTF16(endianness(raw), unicode.UseBOM), raw), true
	case "gb18030":
		return decodeWith(simplifiedchinese.GB18030, raw), true
	}
	if e, err := htmlindex.Get(canonical); err == nil && e != encoding.Replacement {
		return decodeWith(e, raw), true
	}
	r, err := charset.Reader(canonical, bytes.NewReader(raw))
	if err != nil {
		return "", false
	}
	out, _ := io.ReadAll(r)
	return strings.ToValidUTF8(string(out), "\uFFFD"), true
}

// decodeWith decodes piece by piece into what it returns, so that text is held once and not three times.
func decodeWith(e encoding.Encoding, raw []byte) string {
	const piece = 4 << 10
	d := e.NewDecoder()
	buf := make([]byte, min(piece, 3*len(raw)+16))
	var b strings.Builder
	b.Grow(len(raw) + len(raw)/4)
	for {
		n, used, err := d.Transform(buf, raw, true)
		b.Write(buf[:n])
		raw = raw[used:]
		switch {
		case err == nil:
			return strings.ToValidUTF8(b.String(), "\uFFFD")
		case !errors.Is(err, transform.ErrShortDst) || n == 0 && used == 0:
			b.WriteString("\uFFFD")
			return strings.ToValidUTF8(b.String(), "\uFFFD")
		}
	}
}

// endianness guesses the byte order of UTF-16 without a mark: in Western text the high octets are zero. RFC 2781 §4.3
// says big-endian.
func endianness(raw []byte) unicode.Endianness {
	high, low := 0, 0
	for i := 0; i+1 < min(len(raw), 1000); i += 2 {
		if raw[i] == 0 {
			high++
		}
		if raw[i+1] == 0 {
			low++
		}
	}
	if low > high {
		return unicode.LittleEndian
	}
	return unicode.BigEndian
}

// decodeText makes UTF-8 of text: by its declared charset, then as UTF-8 if it is valid, then by the fallback. The
// codes of what was wrong are passed to note.
func (p *parser) decodeText(raw []byte, declared string, note func(code, text string)) string {
	canonical, known := "", false
	if declared != "" {
		if canonical, known = lookup(declared); !known {
			note(CharsetUnknown, declared)
		}
	}
	if isASCII(raw) && (canonical == "" || canonical == utf8Name || canonical == asciiName) {
		if bytes.IndexByte(raw, 0x1b) < 0 {
			return string(raw)
		}
		if canonical == "" && bytes.Contains(raw, []byte("\x1b$")) { // ISO-2022-JP without saying so
			if s, ok := decodeCharset(raw, "iso-2022-jp"); ok {
				return s
			}
		}
		return string(raw)
	}
	if known {
		s, ok := decodeCharset(raw, canonical)
		if ok {
			if canonical != utf8Name && strings.Contains(s, "\uFFFD") {
				note(CharsetWrong, declared)
			}
			return s
		}
		note(CharsetWrong, declared)
		if canonical == utf8Name && hasMultibyte(raw) {
			return strings.ToValidUTF8(s, "\uFFFD") // UTF-8 with some damage
		}
	}
	if s, ok := decodeCharset(raw, utf8Name); ok {
		return s
	}
	s, _ := decodeCharset(raw, p.fallback)
	return strings.ToValidUTF8(s, "\uFFFD")
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// hasMultibyte tells whether there is a whole character of UTF-8 beyond ASCII.
func hasMultibyte(b []byte) bool {
	for i := 0; i < len(b); {
		if b[i] < 0x80 {
			i++
			continue
		}
		if _, n := utf8.DecodeRune(b[i:]); n > 1 {
			return true
		}
		i++
	}
	return false
}

// decodeUTF7 reads RFC 2152.
func decodeUTF7(raw []byte) string {
	var b strings.Builder
	b.Grow(len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '+' {
			b.WriteByte(raw[i])
			continue
		}
		i++
		if i < len(raw) && raw[i] == '-' {
			b.WriteByte('+')
			continue
		}
		var units []uint16
		var bits uint32
		n := 0
		for ; i < len(raw) && base64Value(raw[i]) != 0xff; i++ {
			bits = bits<<6 | uint32(base64Value(raw[i]))
			if n += 6; n >= 16 {
				n -= 16
				units = append(units, uint16(bits>>n))
				bits &= 1<<n - 1
			}
		}
		b.WriteString(string(utf16.Decode(units)))
		if i < len(raw) && raw[i] != '-' {
			i-- // it is text
		}
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

// clean makes a string fit to be stored: valid UTF-8 without NUL.
func clean(s string) string {
	ok := true
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == 0 || c >= 0x80 {
			ok = false
			break
		}
	}
	if ok {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "")
	}
	return s
}

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
