package html

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

// pieces are what hostile and broken HTML is made of: put together at random they go deeper than random octets.
func pieces() []string {
	var list []string
	for _, name := range []string{
		"div", "p", "blockquote", "pre", "h1", "h2", "ul", "ol", "li", "dl", "dt", "dd", "table", "caption", "colgroup", "tbody", "thead",
		"tr", "td", "th", "a", "b", "i", "font", "span", "q", "svg", "math", "style", "script", "title", "textarea", "noscript", "select",
		"option", "template", "form", "button", "iframe", "xmp", "plaintext", "object", "marquee", "center", "body", "html", "head",
		"section", "o:p", "foreignObject", "mtext", "desc", "nobr", "ruby", "rt", "summary", "address", "frameset", "listing",
	} {
		list = append(list, "<"+name+">", "</"+name+">")
	}
	for _, name := range []string{"br", "hr", "img", "col", "wbr", "input", "image", "meta", "link", "base", "embed", "area", "source"} {
		list = append(list, "<"+name+">")
	}
	return append(list,
		"x", "word ", " ", "\n", "\t", "\r\n", "\r", "&nbsp;", "&lt;", "&amp;", "&#60;", "&#x3c", "&#0;", "&", "&lt", "ä", "\u00a0", "\u200d", "\x00", "\xff", "<", ">", "\"", "'", "=", "/",
		"<!--", "-->", "--!>", "<!", "<?", "</", "<![CDATA[", "]]>", "<!-->", "<![endif]-->", "<!--[if mso]>",
		"<a href=\"http://x/\">", "<a href=javascript:x>", "<a href=\"mailto:a@b\" onclick=x>", "<img src=http://x/y.png alt=\"z\">", "<img src=cid:a@b>",
		"<img src=\"data:image/png;base64,QUJD\">", "<img srcset=\"http://x 1x\">", "<p style=\"color:red;background:url(http://x)\">",
		"<div style=\"display:none\">", "<span hidden>", "<p align=center title='\"<b>'>", "<td colspan=2 nowrap>", "<table border=1 background=//x/y>",
		"<b style='a:b'>", "<a style=\"font:12px 'x y'\" id=b class=c>", "<style>p{color:red}.c{margin:-1px;color:blue}b{display:none}</style>",
		"<body bgcolor=red text=blue>", "<ol start=3 type=a>", "<li value=7>", "<p style=\"font-size:0\">", "<br/>", "<div/>", "<svg/>", "<a/href=http://x>",
		"<p style=\"white-space:pre\">", "<dialog>", "<div style='background:url(&#34;cid:x&#34;) #fff'>",
	)
}

// Elements put together at random.
func TestProperties(t *testing.T) {
	t.Parallel()
	soup := rapid.SliceOfN(rapid.SampledFrom(pieces()), 0, 60)
	rapid.Check(t, func(r *rapid.T) {
		in := strings.Join(soup.Draw(r, "pieces"), "")
		limit := rapid.SampledFrom([]int{0, 1, 10, 100, 500, 100_000}).Draw(r, "limit")
		checkText(r, in, limit)
		checkSafe(r, in, limit, Policy{RemoteContent: rapid.Bool().Draw(r, "remote")})
	})
}

// checkText holds a result of Text against what it promises.
func checkText(t rapid.TB, in string, limit int) {
	t.Helper()
	out, cut := Text(in, limit)
	if len(out) > limit || !utf8.ValidString(out) || strings.ContainsAny(out, "\x00\r") || strings.TrimSpace(out) != out {
		t.Errorf("%.300q: text %.300q", in, out)
	}
	if again, _ := Text(in, limit); again != out {
		t.Errorf("%.300q: text differs: %.300q, %.300q", in, out, again)
	}
	if whole, _ := Text(in, 1<<20); !cut && whole != out {
		t.Errorf("%.300q: not cut at %d, but %.300q is not %.300q", in, limit, out, whole)
	}
}

func FuzzText(f *testing.F) {
	for _, s := range pieces() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		checkText(t, in, 1000)
		MetaCharset([]byte(in))
	})
}

func FuzzSafe(f *testing.F) {
	for _, s := range pieces() {
		f.Add(s)
	}
	for _, v := range vectors() {
		f.Add(v.in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		checkSafe(t, in, 2000, Policy{})
		checkSafe(t, in, 1<<20, Policy{RemoteContent: true})
	})
}
