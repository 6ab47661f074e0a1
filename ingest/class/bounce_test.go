package class

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mailintake/mailintake/ingest"
)

const daemon = "From: Mail Delivery System <mailer-daemon@mx.example.org>\nTo: jane@example.org\nReturn-Path: <>\nSubject: Undelivered Mail Returned to Sender\n"

func TestDeliveryStatus(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, report string
		want         []ingest.BounceRecipient
	}{
		{
			"as RFC 3464 has it", "Reporting-MTA: dns; mx.example.org\n\nOriginal-Recipient: rfc822;info@example.net\nFinal-Recipient: rfc822; A@example.net\nAction: failed\nStatus: 5.2.2\nDiagnostic-Code: smtp; 552 5.2.2 over\n quota\n",
			[]ingest.BounceRecipient{{Address: "A@example.net", Original: "info@example.net", Action: "failed", Status: "5.2.2", ReplyCode: "552", Reason: "mailbox_full", Diagnostic: "552 5.2.2 over quota"}},
		},
		{
			"no blank line, names in other words", "Reporting-MTA: dns; mx\nFinal recipient: RFC822; <a@example.net>\nAction : FAILED\nStatus: 5.1.1 (no such user)\n",
			[]ingest.BounceRecipient{{Address: "a@example.net", Action: "failed", Status: "5.1.1", Reason: "user_unknown", Hard: true}},
		},
		{
			"a blank line within the diagnostic", "Reporting-MTA: dns; mx\n\nDiagnostic-Code: smtp; 550-turn on\n\n550 relaying denied\nStatus: 5.0.0\nAction: failed\nFinal-Recipient: rfc822; a@example.net\n",
			[]ingest.BounceRecipient{{Address: "a@example.net", Action: "failed", Status: "5.0.0", ReplyCode: "550", Reason: "relaying_denied", Diagnostic: "550-turn on 550 relaying denied"}},
		},
		{
			"two without a blank line", "Final-Recipient: rfc822; a@example.net\nStatus: 4.4.1\nAction: delayed\nFinal-Recipient: rfc822; b@example.net\nAction: delivered\nStatus: 2.1.5\nDiagnostic-Code: smtp; 250 2.1.5 ok\n",
			[]ingest.BounceRecipient{
				{Address: "a@example.net", Action: "delayed", Status: "4.4.1", Reason: "network_error"},
				{Address: "b@example.net", Action: "delivered", Status: "2.1.5", ReplyCode: "250", Reason: "delivered", Diagnostic: "250 2.1.5 ok"},
			},
		},
		{
			"the diagnostic says more than the status", "Final-Recipient: rfc822; a@example.net\nAction: failed\nStatus: 5.0.0\nDiagnostic-Code: smtp; 550 5.1.6 gone\n",
			[]ingest.BounceRecipient{{Address: "a@example.net", Action: "failed", Status: "5.1.6", ReplyCode: "550", Reason: "moved", Hard: true, Diagnostic: "550 5.1.6 gone"}},
		},
		{
			"internationalised", "Final-Recipient: utf-8; \u200bжук@example.net\nAction: failed\nStatus: 5.1.1\n",
			[]ingest.BounceRecipient{{Address: "\u200bжук@example.net", Action: "failed", Status: "5.1.1", Reason: "user_unknown", Hard: true}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := input(daemon, "")
			in.Reports = []Report{{Path: "2", ContentType: "message/delivery-status", Text: tt.report}}
			got := Classify(in)
			if got.Class != ingest.ClassBounce {
				t.Fatalf("class %s", got.Class)
			}
			if diff := cmp.Diff(got.Bounce.Recipients, tt.want); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
		})
	}
}

func TestNotice(t *testing.T) {
	t.Parallel()
	type recipient struct{ Address, Status, Reply, Reason string }
	for _, tt := range []struct {
		name, text string
		want       []recipient
	}{
		{
			"two of qmail", "This is the qmail-send program.\n\n<a@example.net>:\nRemote host said: 550 5.1.1 unknown user\nGiving up.\n\n<b@example.net>:\nRemote host said: 552 5.2.2 mailbox full\n\n--- Below this line is a copy of the message.\n\nTo: c@example.net\n",
			[]recipient{{"a@example.net", "5.1.1", "550", "user_unknown"}, {"b@example.net", "5.2.2", "552", "mailbox_full"}},
		},
		{
			"Exim", "A message that you sent could not be delivered to one or more of its\nrecipients. The following address(es) failed:\n\n  a@example.net\n    SMTP error from remote mail server after RCPT TO:<a@example.net>:\n    host mx.example.net [192.0.2.20]: 550 no such user\n\n------ This is a copy of the message, including all the headers. ------\n",
			[]recipient{{"a@example.net", "5.0.911", "550", "user_unknown"}},
		},
		{
			"Exchange names the recipient twice", "Delivery has failed to these recipients or groups:\n\nJane (a@example.net)<mailto:a@example.net>\nThe mailbox is full.\n\nDiagnostic information for administrators:\n\na@example.net\n#550 5.2.2 STOREDRV; quota exceeded ##\n\nOriginal message headers:\n\nReceived: from x\n",
			[]recipient{{"a@example.net", "5.2.2", "550", "mailbox_full"}},
		},
		{
			"in a sentence, and a contact that did not fail", "Your message wasn't delivered to a@example.net because the domain name couldn't be found: host not found.\nFor further assistance, contact help@example.org.\n",
			[]recipient{{"a@example.net", "5.0.912", "", "host_unknown"}},
		},
		{
			"Chinese without blanks", "您发送给a@example.net的邮件被退回: 550 mailbox not found\n",
			[]recipient{{"a@example.net", "5.0.910", "550", "filtered"}},
		},
		{
			"nobody is named: the original went to somebody", "The message could not be delivered: 550 5.7.1 relaying denied\n\n--- Original message follows.\n\nMessage-ID: <1@example.org>\nTo: a@example.net\nSubject: x\n",
			[]recipient{{"a@example.net", "5.7.1", "550", "relaying_denied"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := Classify(input(daemon, tt.text))
			if got.Bounce == nil {
				t.Fatalf("class %s", got.Class)
			}
			var list []recipient
			for _, r := range got.Bounce.Recipients {
				list = append(list, recipient{r.Address, r.Status, r.ReplyCode, r.Reason})
			}
			if diff := cmp.Diff(list, tt.want); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
		})
	}
}

func TestForwardedReport(t *testing.T) {
	t.Parallel()
	in := input("From: Jane <jane@example.org>\nSubject: Fwd: Undelivered Mail Returned to Sender\nContent-Type: multipart/mixed; boundary=b\n", "What is this?")
	in.Reports = []Report{{Path: "2", ContentType: "message/delivery-status", Text: "Final-Recipient: rfc822; a@example.net\nAction: failed\nStatus: 5.1.1\n"}}
	if got := Classify(in); got.Class != ingest.ClassHuman {
		t.Errorf("a part of the report: %s", got.Class)
	}
	in = input("From: Jane <jane@example.org>\nSubject: Your server\n", "Look at this.")
	in.Mail.Parts = []ingest.Part{{Path: "1", ContentType: "text/plain"}, {Path: "2", ContentType: "message/rfc822"}, {Path: "2.2", ContentType: "message/delivery-status"}}
	in.Reports = []Report{{Path: "2.2", ContentType: "message/delivery-status", Text: "Final-Recipient: rfc822; a@example.net\nAction: failed\nStatus: 5.1.1\n"}}
	if got := Classify(in); got.Class != ingest.ClassHuman {
		t.Errorf("the whole notice attached: %s", got.Class)
	}
}

func TestOriginal(t *testing.T) {
	t.Parallel()
	in := input(daemon, "<a@example.net>: 550 unknown")
	in.Reports = []Report{{Path: "2", ContentType: "message/rfc822", Text: "Received: from x\n by y\nMessage-Id:\n <1@example.org>\nSubject: Your\n request\nTo: <a@example.net>\n\n"}}
	got := Classify(in).Bounce
	if got == nil || got.OriginalMessageID != "1@example.org" || got.OriginalSubject != "Your request" {
		t.Errorf("got %+v", got)
	}
}

func TestComplaintAndReceipt(t *testing.T) {
	t.Parallel()
	in := input("From: fbl@example.net\n", "This is an abuse report.")
	in.Reports = []Report{
		{Path: "2", ContentType: "message/feedback-report", Text: "Feedback-Type: Fraud\nOriginal-Rcpt-To: <a@example.org>\nOriginal-Rcpt-To: b@example.org\nOriginal-Rcpt-To: a@example.org\n"},
		{Path: "3", ContentType: "message/rfc822", Text: "Message-ID: <1@example.org>\nSubject: x\n"},
	}
	got := Classify(in)
	want := &ingest.Bounce{
		Recipients: []ingest.BounceRecipient{{Address: "a@example.org"}, {Address: "b@example.org"}}, OriginalMessageID: "1@example.org", OriginalSubject: "x", FeedbackType: "fraud",
	}
	if diff := cmp.Diff(got.Bounce, want); diff != "" || got.Class != ingest.ClassComplaint {
		t.Errorf("%s (-got +want):\n%s", got.Class, diff)
	}

	in = input("From: jane@example.org\n", "Your message was read.")
	in.Reports = []Report{{Path: "2", ContentType: "message/disposition-notification", Text: "Reporting-UA: x; y\nFinal-Recipient: rfc822;jane@example.org\nOriginal-Message-ID: <1@example.org>\nDisposition: manual-action/MDN-sent-manually; displayed\n"}}
	got = Classify(in)
	want = &ingest.Bounce{
		Recipients: []ingest.BounceRecipient{{Address: "jane@example.org", Diagnostic: "manual-action/MDN-sent-manually; displayed"}}, ReportingMTA: "x; y", OriginalMessageID: "1@example.org",
	}
	if diff := cmp.Diff(got.Bounce, want); diff != "" || got.Class != ingest.ClassReadReceipt {
		t.Errorf("%s (-got +want):\n%s", got.Class, diff)
	}
}

func TestFindStatus(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, status, reply string }{
		{"550 5.1.1 <a@example.org>... User Unknown", "5.1.1", "550"},
		{"550-5.7.26 Unauthenticated email\n550 5.7.26 go away", "5.7.26", "550"},
		{"(#5.4.4)", "5.4.4", ""},
		{"host 5.6.7.8 said no", "", ""},
		{"mx [5.1.1.1] version 5.1.2.3", "", ""},
		{"5.0.0 and then 5.2.2", "5.2.2", ""},
		{"554 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.2 Connection timed out>", "4.4.2", "421"},
		{"waited 550 seconds", "", ""},
		{"port 5500, id 550AB", "", ""},
		{"said: 571 No PTR", "", ""},
		{"4.9.1 is none", "", ""},
	} {
		if got := findStatus(tt.text, false); got != tt.status {
			t.Errorf("status of %q: %q, want %q", tt.text, got, tt.status)
		}
		class := byte(0)
		if tt.status != "" {
			class = tt.status[0]
		}
		if got := findReply(tt.text, class); got != tt.reply {
			t.Errorf("reply of %q: %q, want %q", tt.text, got, tt.reply)
		}
	}
}

func TestFindAddress(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ text, want string }{
		{"<a.b+c@example.org>", "a.b+c@example.org"},
		{"mail to a@example.org.", "a@example.org"},
		{`"john doe"@example.org said`, `"john doe"@example.org`},
		{"'a@example.org'", "a@example.org"},
		{"a@[192.0.2.1]", "a@[192.0.2.1]"},
		{"给a@example.org的", "a@example.org"},
		{"@example.org and @", ""},
		{"a@ b@example.org", "b@example.org"},
	} {
		if got, _, _, _ := findAddress(tt.text, 0); got != tt.want {
			t.Errorf("%q: %q, want %q", tt.text, got, tt.want)
		}
	}
}
