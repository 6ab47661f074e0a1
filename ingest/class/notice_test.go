package class

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mailintake/mailintake/ingest"
)

// TestNoticeRecipients is about who failed, and under what address the sender knows him.
func TestNoticeRecipients(t *testing.T) {
	t.Parallel()
	type recipient struct{ Address, Original, Status, Reason string }
	const original = "\n------ This is a copy of the message. ------\n\nReceived: from a by mx.example.net with ESMTP\n for <box17@example.net>; Mon, 1 Jun 2026 10:00:00 +0000\nMessage-ID: <1@example.org>\nTo: Everybody <talk@lists.example.com>\nSubject: x\n"
	for _, tt := range []struct {
		name, header, text, report string
		want                       []recipient
	}{
		{
			name: "sendmail names the address that was expanded", header: daemon,
			text: "   ----- The following addresses had permanent fatal errors -----\nlena@mail.example.net\n    (reason: 550 5.1.1 unknown)\n    (expanded from: <info@example.net>)\n",
			want: []recipient{{"lena@mail.example.net", "info@example.net", "5.1.1", "user_unknown"}},
		},
		{
			name: "Postfix does, over two lines", header: daemon,
			text: "I'm sorry to have to inform you that your message could not be delivered to one or more recipients.\n\n<lena@example.net> (expanded from\n    <info@example.net>): mailbox is full\n",
			want: []recipient{{"lena@example.net", "info@example.net", "5.0.922", "mailbox_full"}},
		},
		{
			name: "Exim hides the address", header: daemon,
			text: "A message that you sent could not be delivered to one or more of its\nrecipients. The following address(es) failed:\n\n  an undisclosed address\n    (generated from info@example.net)\n    mailbox is full\n",
			want: []recipient{{"info@example.net", "", "5.0.922", "mailbox_full"}},
		},
		{
			name: "a name without a domain is local to the host that reports", header: "From: Mail Delivery Subsystem <MAILER-DAEMON@example.net>\nTo: list-bounces@example.org\nSubject: Mail Delivery Problem\n",
			text: "Your mail to the following recipients could not be delivered because they\nare not accepting mail from talk@lists.example.com:\n\n\tlena_k\n",
			want: []recipient{{"lena_k@example.net", "", "5.0.901", "on_hold"}},
		},
		{
			name: "the original has the domain", header: "From: MAILER-DAEMON@relay.example.net\nTo: jane@example.org\nSubject: Undeliverable mail\n",
			text: "Could not be delivered to the following recipients:\n\n   lena   No such user\n\n----- Original message follows -----\nMessage-ID: <1@example.org>\nTo: lena@example.com\n",
			want: []recipient{{"lena@example.com", "", "5.0.911", "user_unknown"}},
		},
		{
			name: "Exchange sets the type before the address, and says what the message was", header: "From: System Administrator <postmaster@example.net>\nTo: talk-bounces@example.org\nSubject: Undeliverable: hello\n",
			text: "Your message\n\n  To:      talk@lists.example.com\n  Subject: hello\n\ndid not reach the following recipient(s):\n\nc=US;a= ;p=ACME;o=North;dda:SMTP=lena@example.net; on Mon, 1 Jun 2026\n    The recipient name is not recognized\n",
			want: []recipient{{"lena@example.net", "", "5.0.911", "user_unknown"}},
		},
		{
			name: "userid is no id", header: daemon, text: "Invalid final delivery userid: lena@example.net\n\nOriginal message follows.\n",
			want: []recipient{{"lena@example.net", "", "5.0.911", "user_unknown"}},
		},
		{
			name: "nobody is named: whom the last server took the message for", header: daemon, text: "Your message could not be delivered: no such user.\n" + original,
			want: []recipient{{"box17@example.net", "", "5.0.911", "user_unknown"}},
		},
		{
			name: "time ran out after temporary failures", header: daemon, text: "The following address(es) failed:\n\n  lena@example.net\n    retry timeout exceeded\n",
			want: []recipient{{"lena@example.net", "", "4.0.947", "expired"}},
		},
		{
			name: "the status has words", header: daemon,
			report: "Final-Recipient: rfc822;lena@example.net\nAction: failed\nStatus: 5.0.0 (recipient reached disk quota)\n",
			want:   []recipient{{"lena@example.net", "", "5.0.0", "mailbox_full"}},
		},
		{
			name: "a reply in the place of the status", header: daemon,
			report: "Final-Recipient: rfc822;lena@example.net\nAction: failure\nStatus: 553 Exceeded maximum inbound message size\n",
			want:   []recipient{{"lena@example.net", "", "5.0.934", "message_too_big"}},
		},
		{
			name: "X.400", header: daemon,
			report: "Reporting-MTA: x400; mta a.example in /PRMD=X/ADMD= /C=GB/\n\nOriginal-Recipient: rfc822; lena@example.net\nFinal-Recipient: x400; /S=lena/OU=north/PRMD=X/ADMD= /C=GB/\nAction: failed\nStatus: 5.1.1\n",
			want:   []recipient{{"lena@example.net", "", "5.1.1", "user_unknown"}},
		},
		{
			name: "a host within the system", header: daemon,
			report: "Reporting-MTA: dns; mx\n\nOriginal-Recipient: rfc822;lena@example.net\nFinal-Recipient: rfc822;lena@ims-daemon\nAction: failed\nStatus: 5.1.1\n",
			want:   []recipient{{"lena@example.net", "", "5.1.1", "user_unknown"}},
		},
		{
			name: "both are addresses", header: daemon,
			report: "Original-Recipient: rfc822;lena@example.net\nFinal-Recipient: rfc822;lk@store.example.net\nAction: failed\nStatus: 5.1.1\n",
			want:   []recipient{{"lk@store.example.net", "lena@example.net", "5.1.1", "user_unknown"}},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := input(tt.header, tt.text)
			if tt.report != "" {
				in.Reports = []Report{{Path: "2", ContentType: "message/delivery-status", Text: tt.report}}
			}
			got := Classify(in)
			if got.Bounce == nil {
				t.Fatalf("class %s", got.Class)
			}
			var list []recipient
			for _, r := range got.Bounce.Recipients {
				list = append(list, recipient{r.Address, r.Original, r.Status, r.Reason})
			}
			if diff := cmp.Diff(list, tt.want); diff != "" {
				t.Errorf("(-got +want):\n%s", diff)
			}
		})
	}
}

// TestNoticeOrPerson is about notices of mailers that do not say that they are mailers, and about people who write nearly
// the same.
func TestNoticeOrPerson(t *testing.T) {
	t.Parallel()
	const gateway = "From: gateway@example.net\nTo: talk-bounces@example.org\n"
	attached := []ingest.Part{{Path: "1", ContentType: "text/plain"}, {Path: "2", ContentType: "message/rfc822"}}
	for _, tt := range []struct {
		name, header, text string
		parts              []ingest.Part
		want               ingest.Class
	}{
		{"a gateway", gateway + "Subject: Returned Mail - Error During Delivery\n", "------ Failed Recipients ------\n\n<lena@example.net>: mailbox unavailable. [Code 550]\n", nil, ingest.ClassBounce},
		{"on a list", gateway + "List-Id: Talk <talk.example.org>\nPrecedence: bulk\nSubject: Non-Delivery: hello\n", "--- Non-Delivery Report ---\nThe email below could not be delivered to the following user:\n\n\"lena@example.net\" <lena@example.net>\n", nil, ingest.ClassBounce},
		{"in French", gateway + "Subject: hello : non remis (delivery failed)\n", "*****\nVotre message n'a pas pu etre delivre a\nlena@example.net\n*****\n", nil, ingest.ClassBounce},
		{"it names nobody and returns the message", gateway + "Subject: Mail could not be delivered\n", "*** Message from the gateway ***\n\nThe following mail could not be delivered.\n", attached, ingest.ClassBounce},
		{"it names nobody and returns nothing", gateway + "Subject: Mail could not be delivered\n", "The following mail could not be delivered.\n", nil, ingest.ClassHuman},
		{"a person asks", gateway + "Subject: Delivery failed\n", "Hello,\nyour parcel could not be delivered to me. Write to bob@example.com.\n", nil, ingest.ClassHuman},
		{"a person with a name pastes", "From: Jane <jane@example.org>\nSubject: Delivery failed\n", "Your message could not be delivered to the following recipients:\n\nlena@example.net\n", nil, ingest.ClassHuman},
		{"a person says hello first", gateway + "Subject: Delivery failed\n", "Hello,\nlook what I got:\n\nYour message could not be delivered to the following recipients:\n\nlena@example.net\n", nil, ingest.ClassHuman},
		{"a person forwards", gateway + "Subject: Fwd: Delivery failed\n", "Your message could not be delivered to the following recipients:\n\nlena@example.net\n", nil, ingest.ClassHuman},
		{"a parcel service", "From: delivery@example.net\nSubject: Delivery problem with your parcel\n", "We could not find your door.\n", nil, ingest.ClassHuman},
		{"a program returns the message without a word", "From: MAILER-DAEMON@example.net\nSubject: ?\n", "<lena@example.net>:\n", attached, ingest.ClassBounce},
		{"a postmaster forwards a message", "From: postmaster@example.net\nSubject: Look at this\n", "We found this mail of bob@example.com.\nHis mailbox is full of it.\n", attached, ingest.ClassSystem},
		{"no sender, no return path", "Return-Path: <>\nAuto-Submitted: auto-replied\n", "You sent mail to lena@example.net. That is not a valid user here, no such user.\n", nil, ingest.ClassBounce},
		{"the tag of a subject says that it is automatic", "From: Jane <jane@example.org>\nSubject: [Automatyczna odpowiedź] hello\n", "x", nil, ingest.ClassAutoReply},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := input(tt.header, tt.text)
			in.Mail.Parts = tt.parts
			if got := Classify(in); got.Class != tt.want {
				t.Errorf("class %s, want %s; %v", got.Class, tt.want, got.Evidence)
			}
		})
	}
}

func TestRejection(t *testing.T) {
	t.Parallel()
	const report = "Reporting-UA: mx; a delivery agent\nFinal-Recipient: rfc822; lena@example.net\nOriginal-Message-ID: <1@example.org>\nDisposition: automatic-action/MDN-sent-automatically; deleted\n"
	in := input("From: Mail Delivery Subsystem <admin@example.net>\nReturn-Path: <>\nAuto-Submitted: auto-replied (rejected)\nSubject: Automatically rejected mail\n", "Your message to <lena@example.net> was automatically rejected:\nQuota exceeded\n")
	in.Reports = []Report{{Path: "2", ContentType: "message/disposition-notification", Text: report}}
	got := Classify(in)
	want := &ingest.Bounce{
		Recipients: []ingest.BounceRecipient{{Address: "lena@example.net", Action: "failed", Status: "5.0.922", Reason: "mailbox_full"}},
		Action:     "failed", Status: "5.0.922", OriginalMessageID: "1@example.org",
	}
	if got.Bounce != nil && len(got.Bounce.Recipients) == 1 {
		got.Bounce.Recipients[0].Diagnostic = ""
	}
	if diff := cmp.Diff(got.Bounce, want); diff != "" || got.Class != ingest.ClassBounce {
		t.Errorf("%s (-got +want):\n%s", got.Class, diff)
	}

	in = input("From: Lena <lena@example.net>\nSubject: Not read: hello\n", "Your message was deleted without being read.\n")
	in.Reports = []Report{{Path: "2", ContentType: "message/disposition-notification", Text: report}}
	if got := Classify(in); got.Class != ingest.ClassReadReceipt {
		t.Errorf("deleted by a person: %s", got.Class)
	}
}
