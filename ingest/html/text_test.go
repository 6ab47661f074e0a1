package html

import "testing"

func TestText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                         "",
		"a<br>b<br/><br>c":         "a\nb\n\nc",
		"<p>a</p>\n<p>b":           "a\n\nb",
		"<div>a</div><div>b</div>": "a\nb",
		"a <b>b</b>\n c&nbsp;d":    "a b c d",
		"1 < 2 &lt; 3 & 4":         "1 < 2 < 3 & 4",
		"<script>x</script>a<style>y</style><!-- z -->b":        "ab",
		"<head><title>t</title></head>a":                        "a",
		"<head>a":                                               "a",
		"<script>never closed":                                  "",
		"<ul><li>a</li><li>b</li></ul>":                         "- a\n- b",
		"<table><tr><td>a</td><td>b</td></tr><tr><td>c</table>": "a b\nc",
		"<a href='http://x/y'>z</a>":                            "z <http://x/y>",
		"<a href=\"https://x.example/\">x.example</a>":          "x.example",
		"<a href=mailto:a@b>a@b</a>":                            "a@b",
		"<a href='javascript:x'>z</a>":                          "z",
		"<a name=href>z</a>":                                    "z",
		"<img alt='a &amp; b'>c":                                "[a & b] c",
		"<pre>a\n  b</pre>":                                     "a\n  b",
		"<p title='a > b'>c":                                    "c",
		"<p title='never closed>c</p>":                          "c",
		"<!-- never closed >a":                                  "a",
		"<b":                                                    "",
		"a<":                                                    "a<",
		"&#1234567890;&#0;&unknown;":                            "\uFFFD\uFFFD&unknown;",
		"<P>A</P><H1>B</H1>":                                    "A\n\nB",
	} {
		got, cut := Text(in, 1000)
		if got != want || cut {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
