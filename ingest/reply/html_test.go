package reply

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

func TestFromHTML(t *testing.T) {
	t.Parallel()
	old := `<div>Which size do you want?</div><p>Best regards<br>Ann</p>`
	for _, tt := range []struct{ name, html, want string }{
		{"empty", "", ""},
		{"nothing to cut", "<p>Hello,</p><p>where is my parcel?</p>", "Hello,\n\nwhere is my parcel?"},
		{"Gmail", `<div dir="ltr">Forty.</div><br><div class="gmail_quote gmail_quote_container"><div dir="ltr" class="gmail_attr">On Tue, May 7, 2024 at 10:31 AM Ann &lt;<a href="mailto:ann@example.com">ann@example.com</a>&gt; wrote:<br></div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex;border-left:1px solid">` + old + `</blockquote></div>`, "Forty."},
		{"Gmail, answer below", `<div class="gmail_quote"><div class="gmail_attr">On Tue, May 7, 2024 Ann wrote:</div><blockquote class="gmail_quote">` + old + `</blockquote></div><div>Forty.</div>`, "Forty."},
		{"Gmail, indented paragraph", `<div>See:</div><blockquote style="margin:0 0 0 40px;border:none;padding:0px"><div>Forty or more.</div></blockquote>`, "See:\nForty or more."},
		{"Gmail, quoted by its button", `<div>See:</div><blockquote class="gmail_quote" style="border-left:1px solid"><div>Forty or more.</div></blockquote>`, "See:\nForty or more."},
		{"Gmail, signature", `<div>Forty.</div><div class="gmail_signature" data-smartmail="gmail_signature"><div>Bob Example</div><div>Chief of Everything</div></div>`, "Forty."},
		{"Gmail, forwarded", `<div>Please look.</div><div class="gmail_quote"><div class="gmail_attr">---------- Forwarded message ---------<br>From: Ann &lt;ann@example.com&gt;<br>Subject: Size<br></div>Which size?</div>`, "Please look.\n---------- Forwarded message ---------\nFrom: Ann <ann@example.com>\nSubject: Size\nWhich size?"},
		{"Apple Mail, answers in between", `<div>Hello Ann,</div><blockquote type="cite"><div>On 7 May 2024, at 10:31, Ann wrote:</div><div>Which size?</div></blockquote><div>Forty.</div><blockquote type="cite"><div>Which colour?</div></blockquote><div>Red.</div>`, "Hello Ann,\n\nForty.\n\nRed."},
		{"Thunderbird", `Forty.<br><div class="moz-cite-prefix">Am 07.05.2024 um 10:31 schrieb Ann:<br></div><blockquote type="cite" cite="mid:1@example.com">` + old + `</blockquote><pre class="moz-signature">-- 
Bob</pre>`, "Forty."},
		{"Outlook for the web", `<div>Forty.</div><div id="appendonsend"></div><hr style="display:inline-block;width:98%"><div id="divRplyFwdMsg" dir="ltr"><b>Avsändare:</b> Ann &lt;ann@example.com&gt;<br><b>Skickades:</b> den 7 maj 2024 10:31<br></div>` + old, "Forty."},
		{"Outlook, header in a language that is not known", `<p class=MsoNormal>Forty.</p><div style='border:none;border-top:solid #E1E1E1 1.0pt;padding:3.0pt 0cm 0cm 0cm'><p class=MsoNormal><b>Aaa:</b> Ann &lt;ann@example.com&gt; <br><b>Bbb:</b> 7. 5. 2024 10:31<br><b>Ccc:</b> Bob<br><b>Ddd:</b> Size</p></div>` + old, "Forty."},
		{"Outlook, line above own words", `<p>Forty.</p><div style="border-top:solid #E1E1E1 1.0pt"><p>And one more thing.</p></div><p>Red.</p>`, "Forty.\n\nAnd one more thing.\n\nRed."},
		{"Outlook, forwarded with nothing above", `<div id="divRplyFwdMsg"><b>From:</b> Ann &lt;ann@example.com&gt;<br><b>Sent:</b> Tuesday, May 7, 2024 10:31 AM<br><b>To:</b> Bob<br><b>Subject:</b> Size</div><div>Which size?</div>`, "From: Ann <ann@example.com>\nSent: Tuesday, May 7, 2024 10:31 AM\nTo: Bob\nSubject: Size\nWhich size?"},
		{"Yahoo", `<div>Forty.</div><div id="yahoo_quoted_123" class="yahoo_quoted"><div>On Tuesday, May 7, 2024 at 10:31:00 AM, Ann &lt;ann@example.com&gt; wrote:</div>` + old + `</div>`, "Forty."},
		{"GMX", `<div>Vierzig.</div><div name="quote" style="margin:10px;border-left:2px solid #C3D9E5"><div><b>Gesendet:</b> Dienstag, 07. Mai 2024 um 10:31 Uhr<br/><b>Von:</b> Ann</div>` + old + `</div>`, "Vierzig."},
		{"Proton Mail", `<div>Forty.</div><div class="protonmail_signature_block">Sent with Proton Mail</div><div class="protonmail_quote">On Tuesday, Ann wrote:<blockquote class="protonmail_quote" type="cite">` + old + `</blockquote></div>`, "Forty."},
		{"Yandex", `<div>Сорок.</div><div>07.05.2024, 10:31, "Анна" &lt;anna@example.ru&gt;:</div><blockquote>` + old + `</blockquote>`, "Сорок."},
		{"Zimbra", `<div>Forty.<br><hr id="zwchr" data-marker="__DIVIDER__"><div data-marker="__HEADERS__"><b>From: </b>"Ann"</div><div data-marker="__QUOTED_TEXT__">` + old + `</div></div>`, "Forty."},
		{"blockquote before the quotation", `Forty.<blockquote>as I said</blockquote><div>On 7 May 2024 at 10:31, Ann &lt;ann@example.com&gt; wrote:</div><blockquote><div><blockquote>Which size?</blockquote></div></blockquote>`, "Forty.\nas I said"},
		{"quotation and footer", `<div><div>Forty.</div><blockquote>Which size?</blockquote></div><div>Sent to you by the Shop</div>`, "Forty.\n\nSent to you by the Shop"},
		{"header in one line", `Forty.<div><hr><div><b>From: ann@example.com</b> <b>Date: Thu, 7 May 2024 10:31:00 +0200</b></div><div>Which size?</div></div>`, "Forty."},
		{"last blockquote", `<div>Forty.</div><blockquote>Which size?</blockquote>`, "Forty."},
		{"element that is not closed", `<div>Forty.</div><div class="gmail_quote"><div>Which size?`, "Forty."},
		{"all is quotation", `<blockquote type="cite"><div>Which size?</div></blockquote>`, "> Which size?"},
		{"style and comments are not words", `<head><style>p{}</style><title>x</title></head><body><!-- c --><div id="appendonsend"></div><p>Which size?</p></body>`, "Which size?"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, cut := FromHTML(tt.html, "", 1<<18)
			if diff := cmp.Diff(got, tt.want); diff != "" || cut {
				t.Errorf("FromHTML, cut %t (-got +want):\n%s", cut, diff)
			}
		})
	}
}

func TestFromHTMLLimit(t *testing.T) {
	t.Parallel()
	got, cut := FromHTML("<p>"+strings.Repeat("word ", 1000), "", 100)
	if !cut || len(got) > 100 || len(got) < 50 {
		t.Errorf("got %d octets, cut %t", len(got), cut)
	}
}

func TestHostileHTML(t *testing.T) {
	n := 256 << 10
	for name, s := range map[string]string{
		"blockquotes":      strings.Repeat("<blockquote>a", n/13),
		"closed":           strings.Repeat("a<blockquote>b</blockquote>", n/27),
		"cited":            strings.Repeat("a<blockquote type=cite>b</blockquote>", n/37),
		"gmail_quote":      strings.Repeat("<div class=gmail_quote>", n/23),
		"borders":          strings.Repeat("<div style='border-top:solid #E1E1E1'>a:<br>b:<br>", n/50),
		"attributes":       "<div " + strings.Repeat("a=b ", n/4) + ">",
		"comment":          "<!--" + strings.Repeat("-", n),
		"one text":         strings.Repeat("a", n),
		"less-than":        strings.Repeat("<", n),
		"one class":        "<div class='" + strings.Repeat("gmail_quot ", n/11) + "'>",
		"words to cut off": strings.Repeat("<br>On 1 May 2024 at 10:31, you wrote:", n/38),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			FromHTML(s, "", 1<<18)
			if took := time.Since(start); took > 2*time.Second { // 80 times what is allowed, for the race detector on a machine that is busy
				t.Errorf("took %v", took)
			} else {
				t.Logf("took %v", took)
			}
		})
	}
}

func FuzzFromHTML(f *testing.F) {
	f.Add(`Forty.<div class="gmail_quote">On Tue, May 7, 2024 Ann wrote:<blockquote class="gmail_quote">Which?</blockquote></div>`)
	f.Add(`<p>a</p><blockquote>b</blockquote><div style="border-top:solid #b5c4df"><b>a:</b><br><b>b:</b><br><b>c:</b></div>d`)
	f.Add(`a<hr id=stopSpelling>b<pre class="moz-signature">c`)
	f.Fuzz(func(t *testing.T, s string) {
		got, cut := FromHTML(s, "", 1000)
		if !utf8.ValidString(got) || strings.ContainsAny(got, "\x00\r") || len(got) > 1000 {
			t.Errorf("%d octets, not clean: %q", len(got), got)
		}
		if again, c := FromHTML(s, "", 1000); again != got || c != cut {
			t.Errorf("not the same twice: %q, %q", got, again)
		}
	})
}
