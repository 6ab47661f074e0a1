package tnef

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

// extract reads RTF in pieces of a size.
func extract(raw string, size int) (text string, html bool) {
	var b strings.Builder
	x := NewExtractor(1<<20, func(p []byte) { b.Write(p) })
	for len(raw) > 0 {
		n := min(size, len(raw))
		x.Write([]byte(raw[:n]))
		raw = raw[n:]
	}
	x.Finish()
	return b.String(), x.HTML()
}

func TestExtractor(t *testing.T) {
	t.Parallel()
	const fonts = `{\fonttbl{\f0\fswiss\fcharset0 Arial;}{\f1\fnil\fcharset204 Arial CYR;}{\f2\fcharset128 MS Gothic;}{\f3\fcharset2 Symbol;}}`
	for _, c := range []struct {
		name, rtf, want string
		html            bool
	}{
		{"empty", "", "", false},
		{"no RTF", "just text", "", false},
		{"text", `{\rtf1\ansi` + fonts + `{\colortbl;\red0;}\pard one\par two\line three}`, "one\ntwo\nthree", false},
		{"from text", `{\rtf1\ansi\fromtext ` + fonts + "\\f0 one \\par\r\ntwo}", "one \ntwo", false},
		{"braces and backslashes", `{\rtf1 a\{b\}c\\d}`, `a{b}c\d`, false},
		{"code page", `{\rtf1\ansi\ansicpg1252 K\'e4se}`, "Käse", false},
		{"code page of the font", `{\rtf1\ansi\ansicpg1252` + fonts + `\f1 \'cf\'f0\'e8\'e2\'e5\'f2 \f0 \'e4}`, "Привет ä", false},
		{"two octets a character", `{\rtf1\ansi` + fonts + `\f2 \'93\'fa\'96\'7b\'8c\'ea!}`, "日本語!", false},
		{"second octet as it is", `{\rtf1\ansi` + fonts + `\f2 \'83\\\'83A}`, "ソア", false},
		{"the font of a group ends with it", `{\rtf1\ansi\ansicpg1252` + fonts + `{\f1 \'ff}\'ff}`, "яÿ", false},
		{"Unicode", `{\rtf1\uc1 \u8364?5 \u-3913?}`, "€5 \uf0b7", false},
		{"Unicode with no stand-in", `{\rtf1\uc0 \u228x}`, "äx", false},
		{"Unicode with two", `{\rtf1\uc2 \u26085\'93\'fax}`, "日x", false},
		{"beyond the BMP", `{\rtf1 \u-10179?\u-8704?}`, "😀", false},
		{"half a character", `{\rtf1 \u-10179?x}`, "\uFFFDx", false},
		{"symbols", `{\rtf1 \ldblquote a\rdblquote \emdash b\~c\tab d\bullet}`, "“a”—b\u00a0c\td•", false},
		{"destinations", `{\rtf1 a{\*\unknown x}{\info{\title t}}{\pict 00ff}{\stylesheet s}{\header h}b}`, "ab", false},
		{"link", `{\rtf1 see {\field{\*\fldinst{HYPERLINK "http://x/"}}{\fldrslt here}}.}`, "see here.", false},
		{"hidden", `{\rtf1 a{\v hidden}b\v x\v0 c}`, "abc", false},
		{"table", `{\rtf1 a\cell b\cell\row c}`, "a\tb\t\nc", false},
		{"binary", "{\\rtf1 a{\\pict\\bin4 }}}}}b\\bin2 {{c}", "abc", false},
		{"list", `{\rtf1 {\pntext\'b7\tab}item}`, "·\titem", false},
		{"unbalanced", `{\rtf1 a}}}{b`, "ab", false},
		{"cut in a word", `{\rtf1 a\par`, "a\n", false},
		{"HTML", `{\rtf1\ansi\ansicpg1252\fromhtml1 \deff0` + fonts + "\r\n" + `\uc1\pard\plain\deftab360 \f0\fs24` + "\r\n" +
			`{\*\htmltag19 <html>}{\*\htmltag2 \par }{\*\htmltag64 <p>}\htmlrtf {\htmlrtf0 a {\*\htmltag84 &lt;}\'e4{\*\htmltag92 <b>}\htmlrtf \b\htmlrtf0 bold` +
			`\htmlrtf \par x}\htmlrtf0{\*\mhtmltag64 <no>}{\pntext no}{\*\htmltag72 </p>}}`, "<html>\n<p>a &lt;ä<b>bold</p>", true},
		{"HTML link", `{\rtf1\fromhtml1 {\*\htmltag84 <a href="tel:1">}\htmlrtf {\field{\*\fldinst{HYPERLINK "tel:1"}}{\fldrslt\cf1\ul \htmlrtf0 1\htmlrtf }\htmlrtf0 \htmlrtf }\htmlrtf0 {\*\htmltag92 </a>}.}`,
			`<a href="tel:1">1</a>.`, true},
		{"HTML in RTF that has none", `{\rtf1 {\*\htmltag19 <html>}a}`, "a", false},
	} {
		for _, size := range []int{1, 7, 1 << 20} {
			got, html := extract(c.rtf, size)
			if diff := cmp.Diff(c.want, got); diff != "" || html != c.html {
				t.Errorf("%s, pieces of %d: HTML %v: %s", c.name, size, html, diff)
			}
		}
	}
}

// What costs much in a careless reader costs no more than text.
func TestExtractorTime(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"{", "}", "{}", `\`, `\'`, `\'e4`, `\'e4a`, `\f1 \'93\'fa`, `\u1?`, `\par`, `\a`, `\a1`, `{\*\x`, `\bin9999999 `, `\u-10179?`, "{\\fonttbl{\\f1\\fcharset128 x;}}", "a", "\x00", "\x93\xfa", `\uc100\u1`, `\emdash`} {
		raw := `{\rtf1{\fonttbl{\f1\fcharset128 x;}}\f1 ` + strings.Repeat(s, 1<<20/len(s))
		start := time.Now()
		got, _ := extract(raw, 4096)
		took := time.Since(start)
		t.Logf("%q: %v", s, took)
		if took > time.Second || len(got) > 4*len(raw) || !utf8.ValidString(got) || strings.IndexByte(got, 0) >= 0 {
			t.Errorf("%q: %v for 1 MiB, %d octets of text", s, took, len(got))
		}
	}
}

func TestExtractorLimit(t *testing.T) {
	t.Parallel()
	for limit, want := range []string{"", "a", "a", "aä", "aäb"} {
		var b strings.Builder
		x := NewExtractor(limit, func(p []byte) { b.Write(p) })
		x.Write([]byte(`{\rtf1 a\'e4b}`))
		x.Finish()
		if b.String() != want || x.Cut() != (limit < 4) {
			t.Errorf("limit %d: %q, cut %v", limit, b.String(), x.Cut())
		}
	}
}

func FuzzExtractor(f *testing.F) {
	f.Add(`{\rtf1\ansi\ansicpg932{\fonttbl{\f1\fcharset128 x;}}\f1 \'93\'fa\u8364?{\*\x y}\bin2 {{}`, 3)
	f.Add(`{\rtf1\fromhtml1{\*\htmltag19 <p>}\htmlrtf \par\htmlrtf0 a}`, 1)
	f.Fuzz(func(t *testing.T, raw string, size int) {
		got, html := extract(raw, 1<<20)
		again, htmlAgain := extract(raw, max(size&0xff, 1))
		if got != again || html != htmlAgain {
			t.Errorf("differs with the size of the pieces: %q, %q", got, again)
		}
		if !utf8.ValidString(got) || strings.IndexByte(got, 0) >= 0 || len(got) > 4*len(raw) {
			t.Errorf("bad text: %q", got)
		}
	})
}
