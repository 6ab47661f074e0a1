package class

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/mailintake/mailintake/ingest"
	"pgregory.net/rapid"
)

// sane fails for a result that breaks a limit or is no valid text.
func sane(t interface {
	Helper()
	Errorf(string, ...any)
}, r Result,
) {
	t.Helper()
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(v.Field(i))
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.String:
			if s := v.String(); !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 || len(s) > 1000 {
				t.Errorf("a text of %d octets that is not sane: %.100q", len(s), s)
			}
		}
	}
	walk(reflect.ValueOf(r))
	for _, e := range r.Evidence {
		if e.Rule == "" || len(e.Value) > 200 {
			t.Errorf("evidence %+v", e)
		}
	}
	if len(r.Evidence) > maxEvidence {
		t.Errorf("%d pieces of evidence", len(r.Evidence))
	}
	if r.Class == "" || r.AutoReply.Reason == "" || r.AutoReply.Allowed != (r.AutoReply.Reason == permitted) {
		t.Errorf("class %q, answer %+v", r.Class, r.AutoReply)
	}
	withBounce := r.Class == ingest.ClassBounce || r.Class == ingest.ClassComplaint || r.Class == ingest.ClassReadReceipt
	if withBounce != (r.Bounce != nil) {
		t.Errorf("class %s with bounce %v", r.Class, r.Bounce != nil)
	}
	if r.Bounce == nil {
		return
	}
	if len(r.Bounce.Recipients) > maxRecipients {
		t.Errorf("%d recipients", len(r.Bounce.Recipients))
	}
	for _, one := range r.Bounce.Recipients {
		if len(one.Address) > maxAddress || len(one.Diagnostic) > maxDiagnostic || one.Address == "" {
			t.Errorf("recipient %+v", one)
		}
	}
}

// cleaned makes of arbitrary octets what the parser hands over.
func cleaned(s string) string { return clean(s) }

// FuzzClassify: whatever the message says, Classify returns, keeps its limits and says the same twice.
func FuzzClassify(f *testing.F) {
	f.Add("From: MAILER-DAEMON@a.example\nReturn-Path: <>\nSubject: failure notice\n", "<b@c.example>:\n550 5.1.1 unknown\n", "Final-Recipient: rfc822; b@c.example\nStatus: 5.1.1\n", "Message-ID: <x@y>\n")
	f.Add("From: no-reply@sns.amazonaws.com\n", "{\"notificationType\":\"Bounce\",\"bounce\":{\"bouncedRecipients\":[{\"emailAddress\":\"a@b\",\"diagnosticCode\":\"smtp; 550\\u0000\"}]}}", "", "")
	f.Add("From: a@b\nAuto-Submitted: auto-replied\nX-Failed-Recipients: =?utf-8?q?a=00?=@b\n", "", "Feedback-Type: abuse\n", "")
	f.Fuzz(func(t *testing.T, header, text, report, original string) {
		in := input(cleaned(header), cleaned(text))
		in.Reports = []Report{
			{Path: "2", ContentType: "message/delivery-status", Text: cleaned(report)},
			{Path: "3", ContentType: "message/rfc822", Text: cleaned(original)},
		}
		if strings.HasPrefix(report, "Feedback") {
			in.Reports[0].ContentType = "message/feedback-report"
		}
		if report == "" {
			in.Reports = in.Reports[1:]
		}
		r := Classify(in)
		sane(t, r)
		if diff := cmp.Diff(Classify(in), r); diff != "" {
			t.Errorf("not the same twice: %s", diff)
		}
	})
}

// FuzzDeliveryStatus: whatever a report says, it has no more recipients than are kept, and each has something to say.
func FuzzDeliveryStatus(f *testing.F) {
	f.Add("Reporting-MTA: dns; a\n\nFinal-Recipient: rfc822; a@b\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550\n more\n")
	f.Add("Final-Recipient:\nStatus:5\n:\n\n550-x: y\nAction: failed\nAction: delayed\n")
	f.Fuzz(func(t *testing.T, text string) {
		d := readDeliveryStatus(cleaned(text))
		if len(d.recipients) > maxRecipients {
			t.Errorf("%d recipients", len(d.recipients))
		}
		for _, g := range d.recipients {
			if g.status != "" && statusAt(g.status) != g.status {
				t.Errorf("status %q", g.status)
			}
			if len(g.final) > maxAddress || len(g.original) > maxAddress {
				t.Errorf("address %q %q", g.final, g.original)
			}
		}
	})
}

// Notices put together from what real ones are made of go deeper than random octets.
func TestProperties(t *testing.T) {
	t.Parallel()
	token := rapid.SampledFrom([]string{
		"\n", "\n\n", " ", "<", ">", ":", "\"", "@", "a@b.example", "<c@d.example>", "<e@f.example>:\n", "* g@h.example\n", "550 ", "5.1.1 ", "421 4.4.2 ", "552-5.2.2 ",
		"The following address(es) failed:\n", "could not be delivered to ", "Final-Recipient: rfc822; ", "Action: failed\n", "Status: 5.0.0\n", "Diagnostic-Code: smtp; ",
		"--- Below this line is a copy of the message.\n", "Received: from x\n", "Message-ID: <1@2>\n", "Subject: x\n", "To: i@j.example\n", "----- Transcript of session follows -----\n",
		">>> RCPT To:<a@b.example>\n", "<<< 550 no\n", "554 <a@b.example>... unknown\n", "{\"notificationType\":\"Bounce\"", "é", "未", "user unknown", "mailbox full", "blocked", "x", "<mailto:k@l.example>",
	})
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Join(rapid.SliceOfN(token, 0, 60).Draw(t, "text"), "")
		report := strings.Join(rapid.SliceOfN(token, 0, 40).Draw(t, "report"), "")
		in := input(daemon, text)
		in.Reports = []Report{{Path: "2", ContentType: "message/delivery-status", Text: report}}
		sane(t, Classify(in))
		in.Reports = nil
		sane(t, Classify(in))
	})
}

// TestAttacks: the time that a report or a text of the greatest length takes does not rise above what its length explains.
func TestAttacks(t *testing.T) {
	t.Parallel()
	rep := func(s string, n int) string { return strings.Repeat(s, n/len(s)+1)[:n] }
	const text, report = ingest.MaxText, MaxReport
	const limit = time.Second // alone on a slow machine it takes 50 ms at most, and where time grows with the square, minutes
	var many strings.Builder
	for i := range 2000 {
		many.WriteString("Final-Recipient: rfc822; a" + strings.Repeat("x", i%50) + string(rune('a'+i%26)) + "@example.net\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no\n\n")
	}
	var vague, naming strings.Builder
	for i := range maxRecipients {
		vague.WriteString("Final-Recipient: rfc822; " + strings.Repeat("a", i+1) + "@b.example\nAction: failed\n\n")
		naming.WriteString(strings.Repeat("a", i+1) + "@b.example " + rep("zz qq vv ", 500) + "\n")
	}
	everybody := input(daemon, naming.String())
	everybody.Reports = []Report{{Path: "2", ContentType: "message/delivery-status", Text: vague.String()}}
	for name, in := range map[string]Input{
		"everybody is named":   everybody,
		"everybody in a text":  input(daemon, "following addresses:\n"+naming.String()),
		"a long report":        {Reports: []Report{{Path: "2", ContentType: "message/delivery-status", Text: rep("Diagnostic-Code: smtp; 550 5.1.1 x\n", report)}}},
		"many recipients":      {Reports: []Report{{Path: "2", ContentType: "message/delivery-status", Text: many.String()[:report]}}},
		"blank lines":          {Reports: []Report{{Path: "2", ContentType: "message/delivery-status", Text: rep("\n", report)}}},
		"one line":             {Reports: []Report{{Path: "2", ContentType: "message/delivery-status", Text: "Status: " + rep("5.1.1 ", report-8)}}},
		"continuations":        {Reports: []Report{{Path: "2", ContentType: "message/delivery-status", Text: "Diagnostic-Code: x\n" + rep(" y\n", report-20)}}},
		"a long original":      {Reports: []Report{{Path: "2", ContentType: "message/delivery-status", Text: "Action: failed\n"}, {Path: "3", ContentType: "message/rfc822", Text: rep("To: a@b\n", report)}}},
		"text of at signs":     input(daemon, rep("@", text)),
		"text of addresses":    input(daemon, "following address:\n"+rep("<a@b>:\n", text)),
		"text of letters":      input(daemon, rep("a", text)+"@b"),
		"text of quotes":       input(daemon, rep("\"@", text)),
		"text of digits":       input(daemon, "could not be delivered "+rep("550 5.1.1 ", text)),
		"text of blank lines":  input(daemon, rep("\n", text)),
		"text of failed lines": input(daemon, "following address:\n"+rep("a@b 550 5.1.1 unknown\nc@d 4.2.2 full\n", text)),
		"transcript":           input(daemon, "Transcript of session\n"+rep("554 <a@b>... x\n", text)),
		"text in brackets":     input(daemon, rep("{", text)),
		"json in json":         input(daemon, "{\"notificationType\":"+rep("{\"a\":", text/4)),
		"json arrays":          input(daemon, "{\"notificationType\":\"Bounce\",\"x\":"+rep("[", text/4)),
		"failed recipients":    input(daemon+"X-Failed-Recipients: "+rep("a@b, ", 2000)+"\n", "x"),
	} {
		if in.Mail == nil {
			in.Mail = input(daemon, "").Mail
		}
		var r Result
		took := time.Hour
		for try := 0; try < 3 && took > limit; try++ { // other tests run as well
			start := time.Now()
			r = Classify(in)
			took = min(took, time.Since(start))
		}
		sane(t, r)
		t.Logf("%-22s %8v %s", name, took.Round(time.Microsecond), r.Class)
		if took > limit {
			t.Errorf("%s: %v", name, took)
		}
	}
}

func BenchmarkClassify(b *testing.B) {
	person := input("Return-Path: <jane@example.org>\nReceived: from a by b\nReceived: from c by d\nMIME-Version: 1.0\nDate: x\nMessage-ID: <1@example.org>\nFrom: Jane Doe <jane@example.org>\n"+
		"To: support@example.com\nSubject: Where is my order?\nContent-Type: text/plain; charset=utf-8\nDKIM-Signature: v=1\nX-Mailer: x\nReferences: <2@example.org>\nIn-Reply-To: <2@example.org>\n", strings.Repeat("Some words of a person.\n", 100))
	report := input(daemon, "This is the mail system at host mx.example.org.\n\nI'm sorry to have to inform you that your message could not\nbe delivered to one or more recipients. It's attached below.\n\n<a@example.net>: host mx.example.net[192.0.2.1] said: 550 5.1.1 <a@example.net>:\n  Recipient address rejected: unknown (in reply to RCPT TO command)\n")
	report.Reports = []Report{
		{Path: "2", ContentType: "message/delivery-status", Text: "Reporting-MTA: dns; mx.example.org\n\nFinal-Recipient: rfc822; a@example.net\nAction: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 <a@example.net>: Recipient address rejected: unknown\n"},
		{Path: "3", ContentType: "message/rfc822", Text: "Message-ID: <1@example.org>\nTo: a@example.net\nSubject: x\n"},
	}
	free := input(daemon, report.Mail.Text)
	for name, in := range map[string]Input{"person": person, "report": report, "notice": free} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				Classify(in)
			}
		})
	}
}
