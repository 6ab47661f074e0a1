package tnef

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
)

const utf8Page = 65001

// charsetName is the name of a code page as mail has it, RFC 2978; empty for one that is not known.
func charsetName(page int) string {
	switch page {
	case 437, 850, 852, 855, 858, 860, 862, 863, 865, 866:
		return fmt.Sprintf("ibm%d", page)
	case 874, 1250, 1251, 1252, 1253, 1254, 1255, 1256, 1257, 1258:
		return fmt.Sprintf("windows-%d", page)
	case 28591, 28592, 28593, 28594, 28595, 28596, 28597, 28598, 28599, 28603, 28605:
		return fmt.Sprintf("iso-8859-%d", page-28590)
	case 38598:
		return "iso-8859-8-i"
	case 932:
		return "shift_jis"
	case 936:
		return "gbk"
	case 949, 51949:
		return "euc-kr"
	case 950:
		return "big5"
	case 1200:
		return "utf-16le"
	case 1201:
		return "utf-16be"
	case 10000:
		return "macintosh"
	case 20127:
		return "us-ascii"
	case 20866:
		return "koi8-r"
	case 21866:
		return "koi8-u"
	case 20932, 51932:
		return "euc-jp"
	case 50220, 50221, 50222:
		return "iso-2022-jp"
	case 50225:
		return "iso-2022-kr"
	case 52936:
		return "hz-gb-2312"
	case 54936, 51936, 20936:
		return "gb18030"
	case 65000:
		return "utf-7"
	case utf8Page:
		return "utf-8"
	}
	return ""
}

// table is how the octets of a code page become characters: by a table of single octets or, where characters may have
// more, by an encoding; by neither for UTF-8.
type table struct {
	page   int
	single *charmap.Charmap
	wide   encoding.Encoding
}

// tableOf is the table of a code page; Windows-1252 for those that are not known.
func tableOf(page int) table {
	t := table{page: page}
	var e encoding.Encoding
	switch page {
	case utf8Page:
		return t
	case 437:
		e = charmap.CodePage437
	case 850:
		e = charmap.CodePage850
	case 852:
		e = charmap.CodePage852
	case 855:
		e = charmap.CodePage855
	case 858:
		e = charmap.CodePage858
	case 860:
		e = charmap.CodePage860
	case 862:
		e = charmap.CodePage862
	case 863:
		e = charmap.CodePage863
	case 865:
		e = charmap.CodePage865
	case 10007:
		e = charmap.MacintoshCyrillic
	case 1200, 1201, 65000, 0:
		// Strings of octets are not in these.
	default:
		e, _ = htmlindex.Get(charsetName(page))
	}
	switch e := e.(type) {
	case *charmap.Charmap:
		t.single = e
	case nil:
		t.single = charmap.Windows1252
	default:
		if e == encoding.Replacement {
			t.single = charmap.Windows1252
		} else {
			t.wide = e
		}
	}
	return t
}

// decodeText makes UTF-8 of text in a code page. Text that is UTF-8 already stays: some writers care for nothing.
func decodeText(raw []byte, page int) string {
	if utf8.Valid(raw) {
		return string(raw)
	}
	return tableOf(page).decode(raw)
}

// decode makes UTF-8 of text.
func (t table) decode(raw []byte) string {
	if t.single != nil {
		var b strings.Builder
		for _, c := range raw {
			b.WriteRune(t.single.DecodeByte(c))
		}
		return b.String()
	}
	if t.wide != nil {
		if out, err := t.wide.NewDecoder().Bytes(raw); err == nil {
			raw = out
		}
	}
	return strings.ToValidUTF8(string(raw), "\uFFFD")
}

// decodeUTF16 makes UTF-8 of a string in UTF-16, little-endian, up to its NUL.
func decodeUTF16(raw []byte) string {
	units := make([]uint16, 0, len(raw)/2)
	for i := 0; i+1 < len(raw); i += 2 {
		u := uint16(raw[i]) | uint16(raw[i+1])<<8
		if u == 0 {
			break
		}
		units = append(units, u)
	}
	return string(utf16.Decode(units))
}
