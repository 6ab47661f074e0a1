package main

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

func TestPrintable(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"text", "Grüße aus 東京\r\n", "Grüße aus 東京"},
		{"blanks stay", "a   b  c  ", "a   b  c"},
		{"tabs", "\ta\tb", "        a       b"},
		{"tabs behind wide characters", "東\tb", "東      b"},
		{"escape sequence", "a\x1b[2Jb\x1b]0;t\x07", "a [2Jb ]0;t"},
		{"C1 control", "a\u009b31mb", "a 31mb"},
		{"direction and invisible", "a\u202eb\u2066c\u00add\u200be", "abcde"},
		{"joiners", "👩\u200d🔧 می\u200cخواهم", "👩\u200d🔧 می\u200cخواهم"},
		{"line breaks", "a\rb\u2028c\vd", "a b c d"},
		{"not UTF-8", "a\xffb", "a b"},
	} {
		if got := printable(tt.in); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestWrap(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, in string
		want     []string
	}{
		{"short", "one two\nthree\n", []string{"one two", "three"}},
		{"long", "one two three four five six", []string{"one two three four", "five six"}},
		{"quoted", "> one two three four five", []string{"> one two three four", "> five"}},
		{"quoted twice", ">> one two three four five", []string{">> one two three", ">> four five"}},
		{"quoted apart", "> > one two three four five", []string{"> > one two three", "> > four five"}},
		{"indented", " - one two three four five", []string{" - one two three", " four five"}},
		{"laid out", "name          amount         total", []string{"name          amount         total"}},
		{"code", "    if a { return one two three four }", []string{"    if a { return one two three four }"}},
		{"address", "see https://example.com/a/very/long/path now", []string{"see", "https://example.com/a/very/long/path", "now"}},
		{"wide", "東京都港区六本木一丁目二番三号", []string{"東京都港区六本木一丁", "目二番三号"}},
		{"wide after narrow", "at 東京都港区六本木一丁目", []string{"at 東京都港区六本木", "一丁目"}},
		{"empty lines", "a\n\nb\n\n", []string{"a", "", "b"}},
		{"wide word that fits no more", "https://example.com/ 東京都港区六本木一丁目", []string{"https://example.com/", "東京都港区六本木一丁", "目"}},
		{"marks alone", strings.Repeat("> ", 15), []string{strings.TrimRight(strings.Repeat("> ", 15), " ")}},
	} {
		got := terminal{columns: 20}.wrap(tt.in)
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

// Whatever a mail says, no line commands the terminal and no word is lost.
func TestWrapKeepsEverything(t *testing.T) {
	t.Parallel()
	pieces := rapid.SliceOf(rapid.OneOf(rapid.SampledFrom([]string{" ", "> ", ">", "\n", "\t", "\x1b[31m", "東京都港区六本木一丁目", "\u202e", "\xff", "https://example.com/a/long/path"}), rapid.String()))
	strip := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r == ' ' || r == '>' || r == '\n' {
				return -1
			}
			return r
		}, s)
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := strings.Join(pieces.Draw(rt, "text"), "")
		lines := terminal{columns: rapid.IntRange(minColumns, maxColumns).Draw(rt, "columns")}.wrap(text)
		for _, line := range lines {
			if !utf8.ValidString(line) || printable(line) != line {
				rt.Errorf("%q is not printable", line)
			}
		}
		var whole strings.Builder
		for line := range strings.SplitSeq(text, "\n") {
			whole.WriteString(printable(line))
		}
		if got, want := strip(strings.Join(lines, "")), strip(whole.String()); got != want {
			rt.Errorf("got %q, want %q", got, want)
		}
	})
}

func TestRestOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, reply, want string }{
		{"all is new", "a\nb", "a\nb", ""},
		{"quotation below", "a\n\n> q\n> r\n", "a", "> q\n> r"},
		{"quotation above", "> q\n\na\n", "a", "> q"},
		{"between", "> q\na\n> r\nb\n-- \nsig", "a\nb", "> q\n> r\n-- \nsig"},
		{"blank lines differ", "a\n\n\n\nb\n\n> q", "a\n\nb", "> q"},
	} {
		if got := strings.Join(restOf(tt.text, tt.reply), "\n"); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestShowMessage(t *testing.T) {
	t.Parallel()
	m := &mailintakev1.Message{
		Name: "tenants/acme/emailChannels/support/messages/m1", Subject: "Re: Order\x1b[2J", From: []*mailintakev1.Address{{Name: "Ann", Email: "ann@example.com"}},
		MessageClass: mailintakev1.MessageClass_HUMAN, Evidence: []*mailintakev1.Evidence{{Rule: "from-person", Source: "From", Value: "Ann"}, {Rule: "no-list"}},
		AutoReply:      &mailintakev1.AutoReplyVerdict{Reason: "NULL_RETURN_PATH"},
		Authentication: &mailintakev1.Authentication{Spf: "pass", Dkim: "fail", Dmarc: "unknown", AuthservId: "mx.example.com", DkimResults: []*mailintakev1.DkimResult{{Domain: "example.com", Verdict: "fail"}}},
		Thread:         &mailintakev1.MessageThread{Id: "t1", Method: "IN_REPLY_TO", ParentMissing: true},
		Text:           "Thanks,\x1b[31m it came.\n\n> When?\n> Soon.\n", ReplyText: "Thanks,\x1b[31m it came.",
		Parts: []*mailintakev1.Part{{Path: "1", Body: true}, {Path: "2", Filename: "a\u202eb.pdf", ContentType: "application/pdf", SizeBytes: 2048}, {Path: "3", ContentType: "message/rfc822"},
			{Path: "3.1", Attached: true, ContentType: "image/png"}},
		Defects: []*mailintakev1.Defect{{Code: "CHARSET_UNKNOWN", Where: "1", Text: "x-foo\x07"}, {Code: "FROM_THE_FUTURE"}},
	}
	var b strings.Builder
	if err := showMessage(&b, terminal{columns: 80}, m, "support/m1", false); err != nil {
		t.Fatal(err)
	}
	const want = `Subject     Re: Order [2J
From        Ann <ann@example.com>
class       human
because     from-person (From: Ann)
and         no-list
auto reply  must not be sent: null return path
origin      SPF pass, DKIM fail, DMARC unknown (example.com fail), says mx.example.com
thread      t1, found by in reply to, answers a message that is not here

Thanks, [31m it came.

(2 lines of quotation and signature; --all shows them)

attachments
PART  NAME     TYPE             SIZE     SHOWN
2     a b.pdf  application/pdf  2.0 KiB  -
3     -        message/rfc822   0 B      -
save one with: mailintake message attachment support/m1 PART

defects
- the declared charset is not known; another was assumed (part 1): x-foo
- from the future
`
	var got strings.Builder
	for line := range strings.Lines(b.String()) {
		got.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	if d := cmp.Diff(want, got.String()); d != "" {
		t.Error(d)
	}
	b.Reset()
	if err := showMessage(&b, terminal{columns: 80, tty: true}, m, "support/m1", false); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.String(), "\nThanks, [31m it came.\n\n\x1b[2m> When?\x1b[22m\n\x1b[2m> Soon.\x1b[22m\n") || strings.Contains(b.String(), "\x1b[31m") {
		t.Errorf("on a terminal:\n%q", b.String())
	}
	b.Reset()
	if err := showMessage(&b, terminal{columns: 80}, m, "support/m1", true); err != nil || !strings.Contains(b.String(), "it came.\n\n> When?\n> Soon.\n") {
		t.Errorf("with --all: %v\n%s", err, b.String())
	}
}

func TestDescribeChanges(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	p := &mailintakev1.Replay_Progress{Changed: 3, ChangedFields: map[string]int64{"text": 2, "subject": 3, "class": 2}, Examples: []*mailintakev1.Replay_MessageChange{
		{Message: "tenants/acme/emailChannels/support/messages/m1", Fields: []*mailintakev1.Replay_FieldChange{{Field: "subject", OldValue: "=?x?=", NewValue: "Größe\x1b[0m"}}}}}
	if err := describeChanges(&b, p); err != nil {
		t.Fatal(err)
	}
	const want = "\nchanged fields:\n       3  subject\n       2  class\n       2  text\n\ntenants/acme/emailChannels/support/messages/m1\n  subject\n    - =?x?=\n    + Größe [0m\n\n… and 2 more\n"
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Error(d)
	}
}
