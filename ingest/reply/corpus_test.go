package reply

import (
	"encoding/base64"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailintake/mailintake/internal/corpus"
)

var table = corpus.Page()

func readFile(t testing.TB, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// plainPart is the first text/plain of a mail of the corpus, all of which are in order.
func plainPart(t testing.TB, raw string) string {
	t.Helper()
	msg, err := mail.ReadMessage(strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	kind, params, _ := mime.ParseMediaType(msg.Header.Get("Content-Type"))
	body, encoding := io.Reader(msg.Body), msg.Header.Get("Content-Transfer-Encoding")
	if strings.HasPrefix(kind, "multipart/") {
		part, err := multipart.NewReader(msg.Body, params["boundary"]).NextRawPart()
		if err != nil {
			t.Fatal(err)
		}
		body, encoding = part, part.Header.Get("Content-Transfer-Encoding")
	}
	switch strings.ToLower(encoding) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	b, err := io.ReadAll(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// demand is what the test suite of another project demands of the words of one of its files. Each field that is set, and
// each element of has and lacks, is one case. White space is collapsed before texts are compared.
type demand struct {
	file  string
	want  string
	has   []string
	lacks []string
}

// TestCorpus holds Text and FromHTML against what the test suites of three projects demand, read from their sources and
// written down in our words. Where the sets contradict each other, or the task, somebody has to win:
//
//	what                          talon                    email_reply_parser    here
//	"-- " and "Sent from my …"    text tests keep them,    hidden                cut: a signature is no new word
//	                              signature tests cut them
//	"Thanks," and a name          nine HTML tests keep,    not tested            kept: it says something
//	                              one signature test cuts
//	"Regards," with a name        cut where the name is    not tested            the same
//	                              in the next line, kept
//	                              where it is in the same
//	quotation between answers     all is kept              visible               cut: it is no new word
//	forwarded message             kept                     not tested            kept
func TestCorpus(t *testing.T) {
	dir := corpus.Dir(t)
	exceptions := map[string]string{ // case: reason
		"talon/expected/tests/fixtures/standard_replies/iphone_reply_text want":       "the text tests of talon do not know signatures; email_reply_parser cuts this one",
		"talon/expected/tests/fixtures/standard_replies/sparrow_reply_text want":      "the text tests of talon do not know signatures; RFC 3676 delimits this one",
		"talon/expected/tests/fixtures/reply-separated-by-hr.html want":               "talon loses the name above the line because it removes the element that holds both",
		"talon/expected/tests/fixtures/signature/emails/stripped/short_url_body want": "thanks are kept, as nine HTML tests of talon demand",
	}
	total, equal := map[string]int{}, map[string]int{}
	check := func(set, name, got string, ok bool) {
		total[set]++
		reason, known := exceptions[name]
		switch {
		case ok && known:
			t.Errorf("%s is as demanded now: take it off the exceptions", name)
		case ok:
			equal[set]++
		case known:
			t.Logf("%s: %s", name, reason)
		default:
			t.Errorf("%s: got %q", name, got)
		}
	}
	run := func(set string, d demand, got string) {
		got = collapse(got)
		if d.want != "" {
			check(set, d.file+" want", got, got == collapse(d.want))
		}
		for _, s := range d.has {
			check(set, d.file+" has "+s, got, strings.Contains(got, collapse(s)))
		}
		for _, s := range d.lacks {
			check(set, d.file+" lacks "+s, got, !strings.Contains(got, collapse(s)))
		}
	}
	for _, d := range emailReplyParserDemands() {
		d.file = "email_reply_parser/msg/test/emails/" + d.file
		run("email_reply_parser", d, Text(readFile(t, dir, d.file)))
	}
	for _, d := range zapierDemands() {
		d.file = "zapier-reply-parser/msg/test/emails/" + d.file
		run("zapier", d, Text(readFile(t, dir, d.file)))
	}
	// talon: the reply of each standard mail is in a file beside it, or "Hello".
	mails, _ := filepath.Glob(filepath.Join(dir, "talon/msg/tests/fixtures/standard_replies/*.eml"))
	for _, path := range mails {
		d := demand{file: "talon/expected/tests/fixtures/standard_replies/" + strings.TrimSuffix(filepath.Base(path), ".eml") + "_reply_text", want: "Hello"}
		if b, err := os.ReadFile(filepath.Join(dir, d.file)); err == nil {
			d.want = string(b)
		}
		run("talon text", d, Text(plainPart(t, readFile(t, path))))
	}
	run("talon text", demand{file: "talon/msg/tests/fixtures/reply-quotations-share-block.eml", has: []string{"Hi Katharine."}, lacks: []string{"From", "wrote"}},
		Text(plainPart(t, readFile(t, dir, "talon/msg/tests/fixtures/reply-quotations-share-block.eml"))))
	pages, _ := filepath.Glob(filepath.Join(dir, "talon/expected/tests/fixtures/html_replies/*.html"))
	for _, path := range pages {
		got, _ := FromHTML(readFile(t, path), "", 1<<18)
		run("talon HTML", demand{file: path[len(dir)+1:], want: "Hi. I am fine.\n\nThanks,\nAlex"}, got)
	}
	for _, d := range []demand{
		{file: "talon/expected/tests/fixtures/OLK_SRC_BODY_SECTION.html", want: "Reply"},
		{file: "talon/expected/tests/fixtures/reply-separated-by-hr.html", want: "Hi there"},
	} {
		got, _ := FromHTML(readFile(t, dir, d.file), "", 1<<18)
		run("talon HTML", d, got)
	}
	bodies, _ := filepath.Glob(filepath.Join(dir, "talon/expected/tests/fixtures/signature/emails/stripped/*_body"))
	for _, path := range bodies {
		// "#sig#" is how somebody marked the lines that a program had to learn from.
		body := strings.ReplaceAll(readFile(t, path), "#sig#", "")
		signature := strings.ReplaceAll(readFile(t, strings.TrimSuffix(path, "body")+"signature"), "#sig#", "")
		d := demand{file: path[len(dir)+1:], want: strings.TrimSuffix(collapse(body), collapse(signature))}
		run("talon signatures", d, Text(body))
	}
	all, right := 0, 0
	for _, set := range slices.Sorted(maps.Keys(total)) {
		t.Logf("%-20s %3d of %3d", set, equal[set], total[set])
		all, right = all+total[set], right+equal[set]
	}
	t.Logf("%-20s %3d of %3d, %.1f %%", "all", right, all, 100*float64(right)/float64(all))
	var text strings.Builder
	fmt.Fprintf(&text, "| set | as demanded | of | per cent |\n|---|---:|---:|---:|\n")
	for _, set := range slices.Sorted(maps.Keys(total)) {
		fmt.Fprintf(&text, "| %s | %d | %d | %.1f |\n", set, equal[set], total[set], 100*float64(equal[set])/float64(total[set]))
	}
	fmt.Fprintf(&text, "| all | %d | %d | %.1f |\n\nWhere we differ, and why:\n\n", right, all, 100*float64(right)/float64(all))
	for _, name := range slices.Sorted(maps.Keys(exceptions)) {
		fmt.Fprintf(&text, "- `%s`: %s\n", name, exceptions[name])
	}
	corpus.Section(t, *table, "reply", text.String())
	if all < 110 {
		t.Errorf("%d cases, want 110 at least: something was not read", all)
	}
	if right*100 < all*95 {
		t.Errorf("%d of %d cases are as demanded, want 95 %%", right, all)
	}
}

func collapse(s string) string { return strings.Join(strings.Fields(s), " ") }

func emailReplyParserDemands() []demand {
	another := "Here is another email"
	return []demand{
		{file: "correct_sig.txt", want: "this is an email with a correct -- signature.", lacks: []string{"rick"}},
		{file: "email_1_1.txt", want: "Hi folks What is the best way to clear a Riak bucket of all key, values after running a test? I am currently using the Java HTTP API.",
			lacks: []string{"-Abhishek Kona", "riak-users"}},
		{file: "email_1_2.txt", has: []string{"Hi, You can list the keys for the bucket", "you’ll need to delete them all individually."}, lacks: []string{"wrote:", "> ", "Hi folks", "-Abhishek", "riak-users"}},
		{file: "email_1_3.txt", want: "Oh thanks. Having the function would be great.", lacks: []string{"-Abhishek Kona", "Russell Brown", "riak-users"}},
		{file: "email_1_4.txt", want: "Awesome! I haven't had another problem with it.", lacks: []string{"wrote", "Loader"}},
		{file: "email_1_5.txt", has: []string{"One: Here's what I've got.", "- And another one", "on and on for a while."}},
		{file: "email_1_6.txt", has: []string{"I get proper rendering as well."}, lacks: []string{"On Dec 16", "Corey Donohoe", "Was this"}},
		{file: "email_1_7.txt", want: ":+1:", lacks: []string{"On Tue", "Steps 0-2"}},
		{file: "email_1_8.txt", want: "I will reply under this one and under this.", lacks: []string{"wrote", "okay?", "inline", "this is my signature"}},
		{file: "email_2_1.txt", want: "Outlook with a reply", lacks: []string{"---", "From:"}},
		{file: "email_2_2.txt", want: "Outlook with a reply directly above line", lacks: []string{"___"}},
		{file: "email_2_3.txt", want: "Outlook with a reply directly above line", lacks: []string{"A new comment"}},
		{file: "email_BlackBerry.txt", want: another},
		{file: "email_iPhone.txt", want: another, lacks: []string{"Sent from my iPhone"}},
		{file: "email_multi_word_sent_from_my_mobile_device.txt", want: another},
		{file: "email_sent_from_my_not_signature.txt", want: another + " Sent from my desk, is much easier then my mobile phone."},
		{file: "email_bullets.txt", want: "test 2 this should list second and have spaces and retain this formatting - how about bullets - and another", lacks: []string{"Joe Smith", "Give us an example"}},
		{file: "email_long_quote.txt", has: []string{"Hi folks", "I am currently using the Java HTTP API."}, lacks: []string{"riak-users"}},
		{file: "email_one_is_not_on.txt", has: []string{"One outstanding question I had:", "when I run..."}, lacks: []string{"On Oct 1, 2012", "lastLocation"}},
		{file: "email_sig_delimiter_in_middle_of_line.txt", want: "Hi there! Stuff happened. And here is a fix -- this is not a signature. kthxbai"},
		{file: "greedy_on.txt", has: []string{"On your remote host you can run:", "the tunnel is not working."}, lacks: []string{"On 9 Jan 2014", "odd issue", "github.com"}},
		{file: "pathological.txt", want: "I think you're onto something. I will try to fix the problem as soon as I get back to a computer.", lacks: []string{"John Sullivan"}},
	}
}

func zapierDemands() []demand {
	return []demand{
		{file: "email_2_3.txt", want: "Outlook with a reply above headers using unusual format", lacks: []string{"From:", "Respond to Kim"}},
		{file: "email_gmail.txt", want: "This is a test for inbox replying to a github message.", lacks: []string{"notifications@github.com", "outdated"}},
		{file: "email_headers_no_delimiter.txt", want: "And another reply!", lacks: []string{"A reply", "Sent from my iPhone", "second line"}},
		{file: "email_partial_quote_header.txt", has: []string{"On your remote host you can run:", "telnet 127.0.0.1 52698", "This should connect to TextMate"}, lacks: []string{"George Plymale"}},
	}
}
