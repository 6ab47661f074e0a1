package html

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"line breaks", "a<br>b<br/><br>c<br>", "a\nb\n\nc"},
		{"paragraphs", "<p>a</p>\n<p>b", "a\n\nb"},
		{"blocks", "<div>a</div><div>b<div>c</div></div>d", "a\nb\nc\nd"},
		{"blank lines", "<div>a</div><div><br></div><div><br></div><div>b<br></div><div>c</div>", "a\n\nb\nc"},
		{"white space", "a <b>b</b>\n c&nbsp;d \u00a0 e\u2003f", "a b c d e f"},
		{"characters of markup", "1 < 2 &lt; 3 & 4 * _x_ [y] #z", "1 < 2 < 3 & 4 * _x_ [y] #z"},
		{"entities", "&eacute;&#x20ac;&#8364;&#150;&hellip;&#1234567890;&#0;&unknown;&copy", "é€€–…\uFFFD\uFFFD&unknown;©"},
		{"emoji", "&#128512;👩\u200d👩\u200d👧 \u200c\u200c &zwnj;x", "😀👩\u200d👩\u200d👧 x"},
		{"fillers of previews", "a&shy;b\u200bc\ufeff&#847; &zwnj; &#847;d", "abc d"},
		{"not shown", "<script>x</script>a<style>y</style><!-- z -->b<title>t</title><template>u</template><noframes>v</noframes>", "ab"},
		{"head", "<head><title>t</title></head>a", "a"},
		{"head without end", "<head>a", "a"},
		{"script without end", "a<script>never closed", "a"},
		{"comment without end", "<!-- never closed >a", "a"},
		{"quote without end", "<p title='never closed>c</p>", "c"},
		{"title without end", "<title>a<p>b</p>", "a\n\nb"},
		{"tag without end", "a<b", "a"},
		{"less-than at the end", "a<", "a<"},
		{"greater-than in an attribute", "<p title='a > b'>c", "c"},
		{"no script", "<noscript>a</noscript>b", "ab"},
		{"upper case", "<P>A</P><H1>B</H1>", "A\n\nB"},
		{"lists", "<ul><li>a<ul><li>b<li>c</ul><li>d</ul>e", "- a\n  - b\n  - c\n- d\n\ne"},
		{"numbered lists", "<ol start=3><li>a<li value=9>b<li>c</ol><ol type=a><li>d<li>e</ol>", "3. a\n9. b\n10. c\n\na. d\nb. e"},
		{"paragraphs in a list", "<ul><li><p>a</p><p>b</p></li></ul>", "- a\n\n  b"},
		{"empty item", "<ul><li></li></ul>a", "a"},
		{"list in a line", "<ul><li style='display:inline'>a</li> <li style='display:inline'>b</li></ul>", "a b"},
		{"definitions", "<dl><dt>a<dd>b<dt>c<dd>d</dl>", "a\n    b\nc\n    d"},
		{"rows", "<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>", "a b\nc"},
		{"data", "<table><tr><th>Item<th>Price<tr><td>Pen<td>1,00&nbsp;&euro;<tr><td>Ink<br>blue<td></table>x", "Item | Price\nPen | 1,00 €\nInk blue\n\nx"},
		{"data with spaces between", "<table border=1><tr><td>a<td> <td>b<tr><td>c<td>&nbsp;<td>d</table>", "a | b\nc | d"},
		{"data over columns", "<table border=1><tr><td>a<td>b<td>c<tr><td colspan=2>sum<td>d</table>", "a | b | c\nsum |  | d"},
		{"data in a quotation", "<blockquote>x<table border=1><tr><td>a<td>b<tr><td>c<td>d</table>y</blockquote>", "> x\n>\n> a | b\n> c | d\n>\n> y"},
		{"layout", "<table border=0><tr><td><table><tr><td>a</td></tr></table></td><td><table><tr><td>b</table></table>", "a\nb"},
		{"layout with a role", "<table role=presentation border=1><tr><td>a<td>b</table>", "a b"},
		{"text between cells", "<table>a<tr>b<td>c</table>d", "a\nb c\nd"},
		{"link", "<a href='http://x/y?a=1&copy=2'>z</a>.", "z <http://x/y?a=1&copy=2>."},
		{"link that is its text", "<a href=\"https://x.example/\">x.example</a> <a href=http://www.x.example/a>http://x.example/<wbr>a</a>", "x.example http://x.example/a"},
		{"link to mail", "<a href=mailto:a@b>a@b</a> <a href='mailto:c%40d?subject=x'>write</a>", "a@b write <c@d>"},
		{"link to a telephone", "<a href=tel:+4930123>+49 (30) 123</a> <a href='tel:+49-30'>call</a>", "+49 (30) 123 call <+49-30>"},
		{"link to a script", "<a href='javascript:x'>z</a><a name=href>y</a>", "zy"},
		{"link of Outlook", "<a href='https://x.safelinks.protection.outlook.com/?url=https%3A%2F%2Fa.example%2Fb&amp;data=1'>https://a.example/b</a>", "https://a.example/b"},
		{"link of a picture and of words", "<a href=http://x><img alt=Shop></a><br><a href=http://x>Go</a>", "[Shop] <http://x>\nGo"},
		{"link around blocks", "<a href=http://x><div>a</div><div>b</div></a>c", "a\nb <http://x>\nc"},
		{"link without text", "<a href=http://x><img src=y></a>a", "a"},
		{"pictures", "<img alt='a &amp; b'>c<img alt=''><img src=x><img alt=😀><img alt=t width=1 height=1>", "[a & b] c😀"},
		{"preformatted", "<pre>a\n  b\r\n\tc</pre>d", "a\n  b\n\tc\n\nd"},
		{"white space kept by style", "<div style='white-space:pre-wrap'>a\n  b<p style='white-space:normal'>c\n d</p></div>", "a\n  b\n\nc d"},
		{"ruler", "a<hr>b", "a\n________________________________\nb"},
		{"quotation", "a<blockquote>b<p>c</p><blockquote type=cite>d</blockquote></blockquote>e", "a\n\n> b\n>\n> c\n>\n> > d\n\ne"},
		{"indent", "a<blockquote style='border:none;margin:0 0 0 40px'>b</blockquote>", "a\n\n    b"},
		{"quotation marks", "<q>a</q>", "“a”"},
		{"hidden by style", "<div style='display:none;max-height:0'>x<p>y</p></div>a<span style='visibility:hidden'>x<b style='visibility:visible'>b</b></span><i style='OPACITY:0'>x</i>", "ab"},
		{"hidden by attribute", "a<p hidden>x<p>b", "a\n\nb"},
		{"hidden by its height", "<div style='max-height:0px;overflow:hidden'>x</div>a", "a"},
		{"hidden by its font", "<div style='font-size:0'>x<div style='font-size:0px'>y<font style='font-size:14px'>a</font></div></div><span style='font-size:0'>z</span>", "a"},
		{"hidden by its place", "<div style='position:absolute;left:-9999px'>x</div>a", "a"},
		{"hidden by a style sheet", "<style>.pre{display:none !important} @media print{.a{display:none}}</style><p class=pre>x</p><p class='b a'>a</p>", "a"},
		{"hidden without end", "<table><tr><td><div style='display:none'>x</td><td>a</table>", "a"},
		{"shown again", "<style>.x{display:none}</style><p class=x style='display:block'>a", "a"},
		{"foreign content", "a<svg><text>x</text></svg><math><mi>x</mi></math>b<svg><g><p>c", "ab\n\nc"},
		{"forms", "<form>a<select><option>x</select><button>b</button><input value=x><textarea>c</textarea></form>d", "abc\nd"},
		{"Outlook", "<p class=MsoNormal>a<o:p></o:p></p><p class=MsoNormal><o:p>&nbsp;</o:p></p><p class=MsoNormal>b</p><p class=MsoNormal>c</p>", "a\n\nb\nc"},
		{"margins of a style sheet", "<style>p{margin:0cm 0cm .0001pt}</style><p>a</p><p>b</p><p style='margin-bottom:1em'>c</p><p>d", "a\nb\n\nc\n\nd"},
		{"conditional comments", "<!--[if mso]>x<![endif]-->a<![if !mso]>b<![endif]><!--[if !mso]><!-->c<!--<![endif]-->", "abc"},
		{"inline blocks", "<span style='display:block'>a</span>b<div style='display:inline'>c</div>d", "a\nbcd"},
		{"names without meaning", "<foo>a</foo><x:y>b</x:y>", "ab"},
		{"ruby", "<ruby>漢<rp>(</rp><rt>かん</rt><rp>)</rp></ruby>", "漢(かん)"},
		{"NUL and invalid octets", "a\x00b\xffc", "ab\uFFFDc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, cut := Text(tt.in, 1000)
			if diff := cmp.Diff(tt.want, got); diff != "" || cut {
				t.Errorf("%q: cut %v, -want +got:\n%s", tt.in, cut, diff)
			}
		})
	}
}

func TestTextLimit(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in    string
		limit int
		want  string
		cut   bool
	}{
		{"abc", 3, "abc", false},
		{"<p>abc</p>  ", 3, "abc", false},
		{"abcd", 3, "abc", true},
		{"ab<p>cd", 3, "ab", true},
		{"aä", 2, "a", true},
		{"a", 0, "", true},
		{"", 0, "", false},
	} {
		if got, cut := Text(tt.in, tt.limit); got != tt.want || cut != tt.cut {
			t.Errorf("%q at %d: got %q, %v, want %q, %v", tt.in, tt.limit, got, cut, tt.want, tt.cut)
		}
	}
}

func TestMetaCharset(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		`<meta charset=UTF-8>`: "utf-8",
		`<META content='text/html; charset = "koi8-r"' http-equiv=Content-Type>`:   "koi8-r",
		`<meta http-equiv="Content-Type" content="text/html;charset=iso-8859-1"/>`: "iso-8859-1",
		`<!-- <meta charset=x> --><meta name=a><meta charset=" big5 ">`:            "big5",
		`<meta content="charset charset=gb2312">`:                                  "gb2312",
		`<meta charset=`: "",
		`<p>charset=x`:   "",
		"":               "",
	} {
		if got := MetaCharset([]byte(in)); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
