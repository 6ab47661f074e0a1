package html

import (
	"strings"
	"testing"
)

// vector is an attack on who shows the mail, or a remote picture.
type vector struct {
	name, in, want string
	blocked        bool
}

// vectors are of the kinds that OWASP's filter evasion cheat sheet and the work on mutation XSS list.
func vectors() []vector {
	return []vector{
		{"script element", `<script>alert(1)</script>x`,
			`x`, false},
		{"script with a source", `<SCRIPT SRC=//evil.example/x.js></SCRIPT >x`,
			`x`, false},
		{"script in script", `<scr<script>ipt>alert(1)</scr</script>ipt>x`,
			`ipt&gt;alert(1)ipt&gt;x`, false},
		{"script that never ends", `x<script>alert(1)`,
			`x`, false},
		{"script with a slash", `<script/xss src="http://evil.example/x.js"></script>x`,
			`x`, false},
		{"script behind a broken tag", `<<SCRIPT>alert(1);//<</SCRIPT>x`,
			`&lt;x`, false},
		{"event handler", `<b onmouseover=alert(1)>x</b>`,
			`<b>x</b>`, false},
		{"event handler without spaces", `<img/src="cid:a"/onerror=alert(1)>`,
			`<img src="cid:a">`, false},
		{"event handler after a quote", `<img src="cid:a""onerror="alert(1)">`,
			`<img src="cid:a">`, false},
		{"event handler in a broken attribute", `<img """><script>alert(1)</script>">`,
			`<img>&#34;&gt;`, false},
		{"event handler in upper case", `<P OnClick='alert(1)'>x`,
			`<p>x</p>`, false},
		{"event handler on body", `<body onload=alert(1) bgcolor=#fff>x</body>`,
			`<div style="background-color:#fff">x</div>`, false},
		{"javascript link", `<a href="javascript:alert(1)">x</a>`,
			`<a>x</a>`, false},
		{"javascript in mixed case", `<a href=JaVaScRiPt:alert(1)>x</a>`,
			`<a>x</a>`, false},
		{"javascript in entities", `<a href="&#106;&#97;&#118;&#97;&#115;&#99;&#114;&#105;&#112;&#116;:alert(1)">x</a>`,
			`<a>x</a>`, false},
		{"javascript in entities without semicolons", `<a href="&#0000106&#0000097&#0000118&#0000097&#0000115&#0000099&#0000114&#0000105&#0000112&#0000116&#0000058alert(1)">x</a>`,
			`<a>x</a>`, false},
		{"javascript in hexadecimal entities", `<a href="&#x6A&#x61&#x76&#x61&#x73&#x63&#x72&#x69&#x70&#x74&#x3A;alert(1)">x</a>`,
			`<a>x</a>`, false},
		{"javascript with a tab", "<a href=\"java\tscript:alert(1)\">x</a>",
			`<a>x</a>`, false},
		{"javascript with an encoded tab", `<a href="jav&#x09;ascript:alert(1)">x</a>`,
			`<a>x</a>`, false},
		{"javascript with a line end", `<a href="jav&#x0A;ascript:alert(1)">x</a>`,
			`<a>x</a>`, false},
		{"javascript behind control characters", `<a href=" &#14; &#1;javascript:alert(1)">x</a>`,
			`<a>x</a>`, false},
		{"javascript with a named colon", `<a href="javascript&colon;alert(1)">x</a>`,
			`<a>x</a>`, false},
		{"javascript picture", `<img src="javascript:alert(1)">`,
			`<img>`, false},
		{"javascript background", `<table background="javascript:alert(1)"><tr><td>x</table>`,
			`<table><tbody><tr><td>x</td></tr></tbody></table>`, false},
		{"javascript in a low source", `<img lowsrc="javascript:alert(1)" dynsrc="javascript:alert(1)">`,
			`<img>`, false},
		{"vbscript", `<a href='vbscript:msgbox("x")'>x</a>`,
			`<a>x</a>`, false},
		{"data link", `<a href="data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==">x</a>`,
			`<a>x</a>`, false},
		{"data picture of SVG", `<img src="data:image/svg+xml;base64,PHN2Zy8+">`,
			`<img>`, false},
		{"data picture that is HTML", `<img src="data:text/html,<script>alert(1)</script>">`,
			`<img>`, false},
		{"data picture with a charset", `<img src="data:image/png;charset=utf-8;base64,QUJD">`,
			`<img src="data:image/png;base64,QUJD">`, false},
		{"data picture with line ends", `<img src="data:image/gif;base64,QU&#10;JD  RA==">`,
			`<img src="data:image/gif;base64,QUJDRA==">`, false},
		{"data picture without base64", `<img src="data:image/png,%00">`,
			`<img>`, false},
		{"file link", `<a href="file:///etc/passwd">x</a>`,
			`<a>x</a>`, false},
		{"blob link", `<a href="blob:http://x/y">x</a>`,
			`<a>x</a>`, false},
		{"relative link", `<a href="/admin?delete=1">x</a>`,
			`<a>x</a>`, false},
		{"fragment link", `<a href="#top">x</a>`,
			`<a>x</a>`, false},
		{"link without scheme", `<a href="//evil.example/">x</a>`,
			`<a href="https://evil.example/" rel="noopener noreferrer nofollow" target="_blank">x</a>`, false},
		{"link to a host alone", `<a href="www.example.com">x</a>`,
			`<a href="http://www.example.com" rel="noopener noreferrer nofollow" target="_blank">x</a>`, false},
		{"link with quotes", `<a href='http://x/"onclick="alert(1)'>x</a>`,
			`<a href="http://x/%22onclick=%22alert(1)" rel="noopener noreferrer nofollow" target="_blank">x</a>`, false},
		{"link that knows its opener", `<a href="http://x/" target="_top" rel="opener">x</a>`,
			`<a href="http://x/" rel="noopener noreferrer nofollow" target="_blank">x</a>`, false},
		{"style expression", `<p style="width:expression(alert(1))">x</p>`,
			`<p>x</p>`, false},
		{"style expression in comments", `<p style="width:exp/**/ression(alert(1));color:red">x</p>`,
			`<p style="color:red">x</p>`, false},
		{"style expression in escapes", `<p style="width:e\78pression(alert(1))">x</p>`,
			`<p>x</p>`, false},
		{"style with javascript", `<p style="background-image:url(javascript:alert(1))">x</p>`,
			`<p>x</p>`, false},
		{"style with an escaped address", `<p style="background:\75\72\6c('javascript:alert(1)')">x</p>`,
			`<p>x</p>`, false},
		{"style with a binding", `<p style="-moz-binding:url(http://evil.example/x.xml#a);behavior:url(x.htc)">x</p>`,
			`<p>x</p>`, false},
		{"style over the page", `<div style="position:fixed;top:0;left:0;width:100%;height:100%;z-index:9999;background:#fff">x</div>`,
			`<div style="width:100%;height:100%;background:#fff">x</div>`, false},
		{"style out of its place", `<div style="margin-left:-500px;margin:0 -9px;text-indent:-9999px;transform:scale(9)">x</div>`,
			`<div>x</div>`, false},
		{"style with a quote", `<p style='font-family:"a&quot;b";color:red'>x</p>`,
			`<p>x</p>`, false},
		{"style with an end of the attribute", `<p style="color:red&quot;onclick=&quot;alert(1)">x</p>`,
			`<p>x</p>`, false},
		{"style with an at rule", `<p style="@import 'http://evil.example/x.css';color:red">x</p>`,
			`<p style="color:red">x</p>`, false},
		{"style with a variable", `<p style="--x:url(http://evil.example/);color:var(--x)">x</p>`,
			`<p>x</p>`, false},
		{"style with a gradient", `<p style="background:linear-gradient(red,blue);color:blue">x</p>`,
			`<p style="color:blue">x</p>`, false},
		{"style that fetches", `<p style="background:#eee url('http://evil.example/x.png') no-repeat">x</p>`,
			`<p style="background:#eee no-repeat">x</p>`, true},
		{"style that fetches twice", `<p style="background:url(cid:a),url(http://evil.example/x.png)">x</p>`,
			`<p>x</p>`, false},
		{"style that fetches in a list", `<ul style="list-style:url(http://evil.example/x.png)"><li>x</ul>`,
			`<ul><li>x</li></ul>`, false},
		{"style with a picture of the mail", `<p style="background-image:url(cid:a@b)">x</p>`,
			`<p style="background-image:url(&#39;cid:a@b&#39;)">x</p>`, false},
		{"style element", `<style>p{color:red} @import url(http://evil.example/x.css); body{background:url(javascript:alert(1))}</style><p>x`,
			`<p style="color:red">x</p>`, false},
		{"style element that breaks out", `<style>a{b:"</style><img src=x onerror=alert(1)>"}</style>x`,
			`<img>&#34;}x`, false},
		{"style element for the page around", `<style>body,html,*{display:none} .page{position:fixed}</style><p class=page>x`,
			`<p style="display:none">x</p>`, false},
		{"style element in SVG", `<svg><style><img src=x onerror=alert(1)></style></svg>x`,
			`x`, false},
		{"style element in noscript", `<noscript><style></noscript><img src=x onerror=alert(1)></style>`,
			``, false},
		{"link to a style sheet", `<link rel=stylesheet href="http://evil.example/x.css">x`,
			`x`, false},
		{"meta refresh", `<meta http-equiv=refresh content="0;url=javascript:alert(1)">x`,
			`x`, false},
		{"base", `<base href="javascript:alert(1)//"><a href="x">x</a>`,
			`<a>x</a>`, false},
		{"iframe", `<iframe src="javascript:alert(1)">x</iframe>y`,
			`y`, false},
		{"iframe with a document", `<iframe srcdoc="<script>alert(1)</script>"></iframe>y`,
			`y`, false},
		{"frameset", `<frameset><frame src="javascript:alert(1)"></frameset>`,
			``, false},
		{"object", `<object data="data:text/html,<script>alert(1)</script>">x</object>`,
			`x`, false},
		{"embed", `<embed src="http://evil.example/x.swf" allowscriptaccess=always>x`,
			`x`, false},
		{"applet", `<applet code=x.class archive=http://evil.example/x.jar>x</applet>`,
			`x`, false},
		{"form", `<form action="http://evil.example/" method=post><input name=password><button formaction="javascript:alert(1)">Log in</button></form>`,
			`<div>Log in</div>`, false},
		{"picture button", `<input type=image src="http://evil.example/x.png" onerror=alert(1)>x`,
			`x`, false},
		{"select", `<select><option>a</option></select>x`,
			`x`, false},
		{"textarea that breaks out", `<textarea></textarea><img src=x onerror=alert(1)></textarea>`,
			`<img>`, false},
		{"SVG script", `<svg onload=alert(1)><script>alert(1)</script></svg>x`,
			`x`, false},
		{"SVG link", `<svg><a xlink:href="javascript:alert(1)"><text>x</text></a></svg>y`,
			`y`, false},
		{"SVG animation", `<svg><animate onbegin=alert(1) attributeName=x dur=1s></svg>x`,
			`x`, false},
		{"SVG foreign object", `<svg><foreignObject><body onload=alert(1)><p>x</p></foreignObject></svg>`,
			`<p>x</p>`, false},
		{"math link", `<math href="javascript:alert(1)">x</math>y`,
			`y`, false},
		{"mutation in math", `<math><mtext><table><mglyph><style><!--</style><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;">`,
			`<table><tbody><tr><td><img title="--&gt;&lt;img src=1 onerror=alert(1)&gt;"></td></tr></tbody></table>`, false},
		{"mutation in forms", `<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`,
			`<div></div><div></div>`, false},
		{"mutation in SVG", `<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">`,
			``, false},
		{"mutation in noscript", `<noscript><p title="</noscript><img src=x onerror=alert(1)>">`,
			`<p title="&lt;/noscript&gt;&lt;img src=x onerror=alert(1)&gt;"></p>`, false},
		{"mutation in a comment", `<svg><!--<p title="--><img src=x onerror=alert(1)>">`,
			``, false},
		{"mutation in XMP", `<xmp><p title="</xmp><svg/onload=alert(1)>">`,
			`&lt;p title=&#34;`, false},
		{"mutation in a template", `<template><img src=x onerror=alert(1)></template>x`,
			`x`, false},
		{"mutation in an attribute", `<p title="&lt;img src=x onerror=alert(1)&gt;">x</p>`,
			`<p title="&lt;img src=x onerror=alert(1)&gt;">x</p>`, false},
		{"mutation in back quotes", "<img alt=\"``onerror=alert(1)\" src=\"cid:a\">",
			"<img alt=\"``onerror=alert(1)\" src=\"cid:a\">", false},
		{"comment that is none", `<!--><img src=x onerror=alert(1)>-->`,
			`<img>--&gt;`, false},
		{"comment with a bang", `<!--x--!><img src=x onerror=alert(1)>-->`,
			`<img>--&gt;`, false},
		{"conditional comment", `<!--[if gte IE 4]><script>alert(1)</script><![endif]-->x`,
			`x`, false},
		{"declaration", `<!DOCTYPE x [<!ENTITY a "b">]>x`,
			`]&gt;x`, false},
		{"processing instruction", `<?xml version="1.0"?><?import namespace="t" implementation="#default#time2">x`,
			`x`, false},
		{"CDATA", `<![CDATA[<img src=x onerror=alert(1)>]]>`,
			`]]&gt;`, false},
		{"NUL in a tag", "<scr\x00ipt>alert(1)</scr\x00ipt>x",
			`x`, false},
		{"NUL in a scheme", "<a href=\"java\x00script:alert(1)\">x</a>",
			`<a>x</a>`, false},
		{"Kelvin sign and long s", `<linK rel=x><ſcript>alert(1)</ſcript>`,
			`&lt;ſcript&gt;alert(1)`, false},
		{"invalid UTF-8", "<p title=\"\xc0\xbe\xff\"onclick=alert(1)>x\xfe",
			"<p title=\"�\">x�</p>", false},
		{"UTF-7", `+ADw-script+AD4-alert(1)+ADw-/script+AD4-`,
			`+ADw-script+AD4-alert(1)+ADw-/script+AD4-`, false},
		{"identifiers and names", `<p id=location name=cookie class="btn admin" data-x=1 aria-label=y slot=z is=w>x</p>`,
			`<p>x</p>`, false},
		{"out of the element", `</div></div></td></table></body></html><div>x`,
			`<div>x</div>`, false},
		{"out of a list", `<ul><li><div><li>x</li></div></ul></div>y`,
			`<ul><li><div></div></li><li>x</li></ul>y`, false},
		{"out of a heading", `<h1><div><h2>x</h1></div></div>y`,
			`<h1><div><h2>x</h2></div>y</h1>`, false},
		{"link in a link", `<a href="http://a/">x<div><a href="http://b/">y</div></a>`,
			`<a href="http://a/" rel="noopener noreferrer nofollow" target="_blank">x<div></div></a><div><a href="http://b/" rel="noopener noreferrer nofollow" target="_blank">y</a></div>`, false},
		{"table in a row", `<table><tr><table><td>x</table></table>y`,
			`<table><tbody><tr><td><table><tbody><tr><td>x</td></tr></tbody></table></td></tr></tbody></table>y`, false},
		{"text in a table", `<table>x<tr>y<td>z</table>`,
			`<table><tbody><tr><td>x</td></tr><tr><td>y</td><td>z</td></tr></tbody></table>`, false},
		{"remote picture", `<img src="http://evil.example/x.png" width=1 height=1 alt=a>`,
			`<img alt="a" height="1" width="1">`, true},
		{"remote picture without scheme", `<img src=//evil.example/x.png>`,
			`<img>`, true},
		{"remote picture in a set", `<img srcset="http://evil.example/x.png 2x" src=http://evil.example/y.png sizes=100vw>`,
			`<img>`, true},
		{"remote background", `<body background="http://evil.example/x.png"><table background=https://evil.example/y.png><tr><td>x</table>`,
			`<div><table><tbody><tr><td>x</td></tr></tbody></table></div>`, true},
		{"remote video", `<video src="http://evil.example/x.mp4" poster="http://evil.example/x.png" autoplay>x</video><audio src=//evil.example/x></audio>`,
			`x`, false},
		{"picture element", `<picture><source srcset="http://evil.example/x.webp"><img src="cid:a"></picture>`,
			`<img src="cid:a">`, false},
		{"picture of the mail", `<img src="cid:image001.png@01D00000.00000000" usemap="#m" ismap>`,
			`<img src="cid:image001.png@01D00000.00000000">`, false},
		{"image map", `<map name=m><area href="javascript:alert(1)" shape=rect></map>x`,
			`x`, false},
		{"bgsound and layers", `<bgsound src="javascript:alert(1)"><layer src="http://evil.example/x.html"></layer>x`,
			`x`, false},
		{"meta characters in text", `a &lt;b&gt; &amp;amp; "c" 'd' &#x3c;script&#x3e;`,
			`a &lt;b&gt; &amp;amp; &#34;c&#34; &#39;d&#39; &lt;script&gt;`, false},
	}
}

func TestVectors(t *testing.T) {
	t.Parallel()
	for _, v := range vectors() {
		t.Run(v.name, func(t *testing.T) {
			t.Parallel()
			got, report := Safe(v.in, 1<<20, Policy{})
			if got != v.want || report != (Report{RemoteBlocked: v.blocked}) {
				t.Errorf("%q:\n got %q, %+v\nwant %q", v.in, got, report, v.want)
			}
			checkSafe(t, v.in, 1<<20, Policy{})
			checkSafe(t, v.in, 1<<20, Policy{RemoteContent: true})
		})
	}
}

// What belongs to the look of a mail stays.
func TestSafe(t *testing.T) {
	t.Parallel()
	remote := Policy{RemoteContent: true}
	for _, tt := range []struct {
		name, in, want string
		policy         Policy
	}{
		{"link", `<a href=" HTTP://x.example/a?b=1&copy=2 " title=t>x</a>`,
			`<a href="http://x.example/a?b=1&amp;copy=2" rel="noopener noreferrer nofollow" target="_blank" title="t">x</a>`, Policy{}},
		{"mail and telephone", `<a href="mailto:a@b?subject=c d">x</a><a href=tel:+49-30>y</a>`,
			`<a href="mailto:a@b?subject=c%20d" rel="noopener noreferrer nofollow" target="_blank">x</a><a href="tel:+49-30" rel="noopener noreferrer nofollow" target="_blank">y</a>`, Policy{}},
		{"remote picture", `<img src=//x.example/y.png alt="a &amp; b">`, `<img alt="a &amp; b" src="https://x.example/y.png">`, remote},
		{"remote background", `<td background=x><table background="http://x.example/y.png"><td style="background:#eee url( http://x.example/z.png ) no-repeat">x`,
			`<table background="http://x.example/y.png"><tbody><tr><td style="background:#eee no-repeat url(&#39;http://x.example/z.png&#39;)">x</td></tr></tbody></table>`, remote},
		{"table", `<table border=1 cellpadding="2" cellspacing=0 width="100%" align=center bgcolor="#FFFFFF"><col width=10><tr valign=top><td colspan=2 nowrap rowspan=3 height=20px>x<th>y</table>`,
			`<table align="center" bgcolor="#FFFFFF" border="1" cellpadding="2" cellspacing="0" width="100%"><colgroup><col width="10"></colgroup><tbody><tr valign="top"><td colspan="2" height="20px" nowrap="" rowspan="3">x</td><th>y</th></tr></tbody></table>`, Policy{}},
		{"font", `<FONT color=red face="Arial, 'Courier New'" size=+1>x</FONT>`, `<font color="red" face="Arial, &#39;Courier New&#39;" size="+1">x</font>`, Policy{}},
		{"lists", `<ol start=3 type=a><li value=5>x<ul type=disc><li>y</ol>z`, `<ol start="3" type="a"><li value="5">x<ul type="disc"><li>y</li></ul></li></ol>z`, Policy{}},
		{"style", `<p style='FONT-FAMILY: "Segoe UI",sans-serif; margin: 0cm 0cm .0001pt; COLOR:#1F497D !important; mso-x:y; width:50%'>x`,
			`<p style="font-family:&#39;Segoe UI&#39;,sans-serif;margin:0cm 0cm .0001pt;color:#1F497D;width:50%">x</p>`, Policy{}},
		{"style sheet", `<style><!-- p.MsoNormal, li.MsoNormal {margin:0cm; font-size:11.0pt} a:link {color:blue} @media print {p {color:red}} td p {color:green} #x{color:navy} --></style><p class="MsoNormal b" id=x style="font-size:9pt">x`,
			`<p style="margin:0cm;color:navy;font-size:9pt">x</p>`, Policy{}},
		{"colours of the body", `<html><head><title>t</title></head><body bgcolor="#eeeeee" text=navy style="margin:5px">x`,
			`<div style="background-color:#eeeeee;color:navy;margin:5px">x</div>`, Policy{}},
		{"a mail in the mail", `x<body bgcolor=red>y`, `xy`, Policy{}},
		{"Outlook", `<p class=MsoNormal><o:p>&nbsp;</o:p></p><!--[if mso]>x<![endif]--><![if !mso]>y<![endif]><v:shape>z</v:shape>`, "<p>\u00a0</p>yz", Policy{}},
		{"formatting that goes on", `<p><font color=red>x<p>y</font>z`, `<p><font color="red">x</font></p><p><font color="red">y</font>z</p>`, Policy{}},
		{"quotation", `<blockquote type=cite cite="mid:x">x</blockquote>`, `<blockquote type="cite">x</blockquote>`, Policy{}},
		{"preformatted", "<pre>\n\n  x\r\n</pre>", "<pre>\n\n  x\n</pre>", Policy{}},
		{"hidden", `<div style="display:none; max-height:0px">x</div>`, `<div style="display:none;max-height:0px">x</div>`, Policy{}},
		{"right to left", `<div dir=rtl lang=ar>س</div>`, "<div dir=\"rtl\" lang=\"ar\">\u0633</div>", Policy{}},
		{"sections", `<header>a<main>b</main></header><figure><figcaption>c</figcaption></figure>`, `<div>a<div>b</div></div><div><div>c</div></div>`, Policy{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, _ := Safe(tt.in, 1<<20, tt.policy)
			if got != tt.want {
				t.Errorf("%q:\n got %q\nwant %q", tt.in, got, tt.want)
			}
			checkSafe(t, tt.in, 1<<20, tt.policy)
		})
	}
}

// What is too long or too deep is cut, and the rest is whole.
func TestSafeLimits(t *testing.T) {
	t.Parallel()
	for name, in := range map[string]string{
		"text":     strings.Repeat("ä&amp;<", 1000),
		"elements": strings.Repeat("<div><b>x", 1000),
		"tables":   strings.Repeat("<table><tr><td>x", 1000),
		"lists":    strings.Repeat("<ul><li>x", 1000),
		"pictures": strings.Repeat("<img alt='"+strings.Repeat("x", 300)+"'>", 100),
	} {
		for _, limit := range []int{0, 1, 9, 10, 99, 1000, 5000} {
			if _, report := Safe(in, limit, Policy{}); !report.Cut {
				t.Errorf("%s: not cut at %d", name, limit)
			}
			checkSafe(t, in, limit, Policy{})
		}
		checkSafe(t, in, 1<<20, Policy{})
	}
	deep := strings.Repeat("<div>", 5000) + "x" + strings.Repeat("</div>", 5000) + "y"
	got, report := Safe(deep, 1<<20, Policy{})
	if !report.Cut || strings.Count(got, "<div>") != maxDepth || !strings.HasSuffix(got, "y") {
		t.Errorf("got %q, %+v", got, report)
	}
}
