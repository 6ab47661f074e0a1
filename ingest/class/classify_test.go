package class

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/mailintake/mailintake/ingest"
)

// input makes what the parser would of a header and a text.
func input(header, text string) Input {
	m := &ingest.Mail{Text: text}
	in := Input{Mail: m}
	for line := range strings.Lines(header) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		in.Header = append(in.Header, ingest.Field{Name: name, Value: value})
		address := func() []ingest.Address {
			label, spec, ok := strings.Cut(strings.TrimSuffix(value, ">"), "<")
			if !ok {
				label, spec = "", value
			}
			return []ingest.Address{{Name: strings.TrimSpace(label), Email: spec}}
		}
		switch strings.ToLower(name) {
		case "from":
			m.From = address()
		case "reply-to":
			m.ReplyTo = address()
		case "to":
			m.To = address()
		case "subject":
			m.Subject = value
		}
	}
	return in
}

func TestClass(t *testing.T) {
	t.Parallel()
	const person = "From: Jane Doe <jane@example.org>\nTo: support@example.com\n"
	for _, tt := range []struct {
		name   string
		header string
		text   string
		class  ingest.Class
		reason string // of the permission to answer
		rule   string // first evidence
	}{
		{"a person", person + "Subject: Where is my order?\n", "Hello", ingest.ClassHuman, "OK", ""},
		{"no header at all", "", "", ingest.ClassHuman, "NO_ADDRESS", ""},
		{"auto-replied", person + "Subject: Re: x\nAuto-Submitted: auto-replied; owner-email=\"jane@example.org\"\n", "", ingest.ClassAutoReply, "AUTO_SUBMITTED", "auto-submitted"},
		{"Auto-Submitted: no", person + "Auto-Submitted: No\n", "", ingest.ClassHuman, "OK", ""},
		{"suppressed alone is a person", person + "X-Auto-Response-Suppress: All\n", "", ingest.ClassHuman, "SUPPRESSED", ""},
		{"suppressed for other things", person + "X-Auto-Response-Suppress: DR, RN, NRN\n", "", ingest.ClassHuman, "OK", ""},
		{"rule of Exchange forwards", person + "X-MS-Exchange-Inbox-Rules-Loop: jane@example.org\n", "", ingest.ClassHuman, "OK", ""},
		{"rule of Exchange answers", person + "X-MS-Exchange-Inbox-Rules-Loop: jane@example.org\nX-Auto-Response-Suppress: All\n", "", ingest.ClassAutoReply, "AUTO_SUBMITTED", "inbox-rule"},
		{"German out of office", person + "Subject: Automatische Antwort: Ihre Bestellung\n", "", ingest.ClassAutoReply, "AUTO_SUBMITTED", "auto-reply-subject"},
		{"Japanese out of office", person + "Subject: 自動応答: 注文\n", "", ingest.ClassAutoReply, "AUTO_SUBMITTED", "auto-reply-subject"},
		{"Notes out of office", person + "Subject: AUTO: Jane Doe is out of the office (returning 05/01)\n", "", ingest.ClassAutoReply, "AUTO_SUBMITTED", "auto-reply-subject"},
		{"a German car", person + "Subject: Auto: Anfrage zum Angebot\n", "", ingest.ClassHuman, "OK", ""},
		{"a person answers an out of office", person + "Subject: Re: Out of Office: your mail\n", "", ingest.ClassHuman, "OK", ""},
		{"ticket system", person + "Subject: [example.org #33575] AutoReply: no light\n", "", ingest.ClassAutoReply, "AUTO_SUBMITTED", "auto-reply-subject"},
		{"precedence auto_reply", person + "Precedence: auto_reply\n", "", ingest.ClassAutoReply, "AUTO_SUBMITTED", "precedence"},
		{"list", person + "List-Id: Talk <talk.example.org>\nPrecedence: list\n", "", ingest.ClassList, "LIST", "list-id"},
		{"newsletter", person + "List-Unsubscribe: <https://example.org/u>\n", "", ingest.ClassList, "LIST", "list-unsubscribe"},
		{"bulk", person + "Precedence: bulk\n", "", ingest.ClassList, "LIST", "precedence"},
		{"calendar", person + "Content-Type: text/calendar; method=REQUEST\n", "", ingest.ClassCalendar, "OK", "calendar-part"},
		{"monitoring", "From: Nagios <nagios@example.org>\nAuto-Submitted: auto-generated\n", "", ingest.ClassSystem, "AUTO_SUBMITTED", "auto-submitted"},
		{"no-reply", "From: Shop <no-reply@example.org>\nSubject: Your order\n", "", ingest.ClassSystem, "ROBOT_SENDER", "no-reply-sender"},
		{"cron", "From: root@example.org (Cron Daemon)\nSubject: Cron <root@host> run-parts\n", "", ingest.ClassSystem, "ROBOT_SENDER", "robot-sender"},
		{"null return path", person + "Return-Path: <>\n", "", ingest.ClassHuman, "NULL_RETURN_PATH", ""},
		{"loop", person + "X-Loop: support@example.com\n", "", ingest.ClassHuman, "LOOP", ""},
		{"hops", person + strings.Repeat("Received: from a by b\n", 26), "", ingest.ClassHuman, "HOPS", ""},
		{"answers go to a robot", person + "Reply-To: noreply@example.org\n", "", ingest.ClassHuman, "ROBOT_SENDER", ""},
		{"our own", "From: Support <Support@Example.com>\n", "", ingest.ClassHuman, "OWN_ADDRESS", ""},
		{
			"a person quotes a bounce", person + "Subject: Fwd: Undelivered Mail Returned to Sender\n",
			"What does this mean?\n\n> This is the mail system at host mx.example.org.\n> <a@example.net>: host mx[192.0.2.1] said: 550 5.1.1 unknown\n",
			ingest.ClassHuman, "OK", "",
		},
		{
			"qmail", "From: MAILER-DAEMON@mx.example.org\nTo: jane@example.org\nSubject: failure notice\nReturn-Path: <>\n",
			"Hi. This is the qmail-send program at mx.example.org.\nI'm afraid I wasn't able to deliver your message to the following addresses.\n\n<a@example.net>:\nSorry, no mailbox here by that name. (#5.1.1)\n",
			ingest.ClassBounce, "NULL_RETURN_PATH", "bounce-subject",
		},
		{"postmaster writes himself", "From: postmaster@example.org\nSubject: Your question\n", "We have increased the quota.", ingest.ClassSystem, "ROBOT_SENDER", "robot-sender"},
		{"away, without return path", person + "Return-Path: <>\nSubject: Automatic reply: could not be delivered\n", "was not delivered", ingest.ClassAutoReply, "AUTO_SUBMITTED", "auto-reply-subject"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := input(tt.header, tt.text)
			in.Own = []string{"support@example.com"}
			got := Classify(in)
			if got.Class != tt.class {
				t.Errorf("class %s, want %s; %v", got.Class, tt.class, got.Evidence)
			}
			want := ingest.AutoReply{Allowed: tt.reason == "OK", Reason: tt.reason}
			if diff := cmp.Diff(got.AutoReply, want); diff != "" {
				t.Errorf("answer (-got +want):\n%s", diff)
			}
			rule := ""
			if len(got.Evidence) > 0 {
				rule = got.Evidence[0].Rule
			}
			// What forbids an answer alone is no evidence of the class.
			if rule != tt.rule && (tt.rule != "" || tt.class != ingest.ClassHuman) {
				t.Errorf("evidence %q, want %q", rule, tt.rule)
			}
		})
	}
}

// TestTablesAreLower keeps the tables in the form in which they are compared.
func TestTablesAreLower(t *testing.T) {
	t.Parallel()
	tables := map[string][]string{
		"automaticSubjects": automaticSubjects, "bounceSubjects": bounceSubjects, "noticePhrases": noticePhrases, "introductions": introductions,
		"originalMarkers": originalMarkers, "recipientWords": recipientWords, "senderWords": senderWords, "surelyUnknown": surelyUnknown,
		"openings": openings, "expansionWords": expansionWords,
	}
	for _, row := range reasonPhrases {
		tables["reasonPhrases "+row.reason] = row.phrases
	}
	for _, row := range commandPhrases {
		tables["commandPhrases "+row.command] = row.phrases
	}
	for name, table := range tables {
		seen := make(map[string]bool)
		for _, phrase := range table {
			if phrase != lower(phrase) || phrase == "" || seen[phrase] {
				t.Errorf("%s: %q has capitals, is empty or stands twice", name, phrase)
			}
			seen[phrase] = true
		}
	}
}
