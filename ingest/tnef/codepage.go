package tnef

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
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

// charmapOf is the table of a code page of one octet for each character; nil for others.
func charmapOf(page int) *charmap.Charmap {
	switch page {
	case 437:
		return charmap.CodePage437
	case 850:
		return charmap.CodePage850
	case 852:
		return charmap.CodePage852
	case 855:
		return charmap.CodePage855
	case 866:
		return charmap.CodePage866
	case 874:
		return charmap.Windows874
	case 1250:
		return charmap.Windows1250
	case 1251:
		return charmap.Windows1251
	case 1253:
		return charmap.Windows1253
	case 1254:
		return charmap.Windows1254
	case 1255:
		return charmap.Windows1255
	case 1256:
		return charmap.Windows1256
	case 1257:
		return charmap.Windows1257
	case 1258:
		return charmap.Windows1258
	case 10000:
		return charmap.Macintosh
	case 10007:
		return charmap.MacintoshCyrillic
	case 932, 936, 949, 950, 1361, utf8Page:
		return nil
	}
	return charmap.Windows1252
}

// wide is the encoding of a code page whose characters may have more than one octet; nil for others.
func wide(page int) encoding.Encoding {
	switch page {
	case 932:
		return japanese.ShiftJIS
	case 936:
		return simplifiedchinese.GBK
	case 949, 1361:
		return korean.EUCKR
	case 950:
		return traditionalchinese.Big5
	}
	return nil
}

// decodeText makes UTF-8 of text in a code page. Text that is UTF-8 already stays: some writers care for nothing.
func decodeText(raw []byte, page int) string {
	if utf8.Valid(raw) {
		return string(raw)
	}
	if table := charmapOf(page); table != nil {
		var b strings.Builder
		for _, c := range raw {
			b.WriteRune(table.DecodeByte(c))
		}
		return b.String()
	}
	return decodeWide(raw, page)
}

// decodeWide makes UTF-8 of text in a code page that charmapOf does not know.
func decodeWide(raw []byte, page int) string {
	if e := wide(page); e != nil {
		if out, err := e.NewDecoder().Bytes(raw); err == nil {
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
