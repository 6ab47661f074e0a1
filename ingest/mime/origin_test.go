package mime

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

func parseString(s string, o Options) *ingest.Mail {
	return Parse(strings.NewReader(s), int64(len(s)), o)
}

func TestPriority(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		header string
		want   ingest.Priority
	}{
		{"", ""},
		{"Importance: High\n", ingest.PriorityHigh},
		{"X-Priority: 1 (Highest)\n", ingest.PriorityHigh},
		{"X-Priority: 3\nX-MSMail-Priority: Normal\n", ingest.PriorityNormal},
		{"X-Priority: 3\nImportance: high\n", ingest.PriorityHigh},
		{"Priority: non-urgent\n", ingest.PriorityLow},
		{"X-Priority: 5\nImportance: normal\n", ingest.PriorityLow},
		{"Priority: whatever\n", ""},
	} {
		if got := parseString(test.header+"\nx\n", Options{}).Priority; got != test.want {
			t.Errorf("%q: got %q, want %q", test.header, got, test.want)
		}
	}
}

func TestListFields(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		header string
		want   ingest.List
	}{
		{"List-Id: Some people <people.lists.example.org>\nList-Unsubscribe: <mailto:leave@example.org>,\n <https://example.org/leave>\nList-Post: NO (closed)\n",
			ingest.List{ID: "people.lists.example.org", Unsubscribe: "mailto:leave@example.org", Post: "NO"}},
		{"List-ID: bare.example.org\nList-Post: <mailto:post@example.org>\nList-Unsubscribe: <https://example.org/a\n b>\n",
			ingest.List{ID: "bare.example.org", Unsubscribe: "https://example.org/ab", Post: "mailto:post@example.org"}},
		{"List-Unsubscribe: <none>, <\n", ingest.List{}},
	} {
		if diff := cmp.Diff(test.want, parseString(test.header+"\nx\n", Options{}).List); diff != "" {
			t.Errorf("%q: (-want +got)\n%s", test.header, diff)
		}
	}
}

func TestRecipient(t *testing.T) {
	t.Parallel()
	own := []string{"support@example.com", "sales@example.com", "hilfe@münchen.example"}
	for _, test := range []struct {
		name   string
		header string
		want   ingest.Recipient
	}{
		{"to", "To: Help <Support@Example.com>\n", ingest.Recipient{Address: "support@example.com", Alias: "support@example.com", Source: "To"}},
		{"alias behind the mailbox", "Delivered-To: support@example.com\nTo: sales@example.com\n",
			ingest.Recipient{Address: "sales@example.com", Alias: "sales@example.com", Source: "To"}},
		{"original recipient first", "X-Original-To: sales@example.com\nTo: support@example.com\n",
			ingest.Recipient{Address: "sales@example.com", Alias: "sales@example.com", Source: "X-Original-To"}},
		{"tag", "To: a@b.example, support+Order-4711@example.com\n",
			ingest.Recipient{Address: "support+order-4711@example.com", Alias: "support@example.com", Tag: "order-4711", Source: "To"}},
		{"the tagged form says more", "To: support@example.com\nDelivered-To: support+t1@example.com\n",
			ingest.Recipient{Address: "support+t1@example.com", Alias: "support@example.com", Tag: "t1", Source: "Delivered-To"}},
		{"blind copy", "To: undisclosed-recipients:;\nReceived: from a by b for <sales@example.com>; Mon, 6 Jun 2005 20:21:22 +0200\n",
			ingest.Recipient{Address: "sales@example.com", Alias: "sales@example.com", Source: "Received"}},
		{"international", "To: hilfe@xn--mnchen-3ya.example\n", ingest.Recipient{Address: "hilfe@xn--mnchen-3ya.example", Alias: "hilfe@münchen.example", Source: "To"}},
		{"not for us", "To: other@example.com, support@example.com.evil.example\n", ingest.Recipient{}},
		{"prefix alone", "To: support2@example.com\n", ingest.Recipient{}},
	} {
		if diff := cmp.Diff(test.want, parseString(test.header+"\nx\n", Options{Addresses: own}).Recipient); diff != "" {
			t.Errorf("%s: (-want +got)\n%s", test.name, diff)
		}
	}
}

func TestFingerprint(t *testing.T) {
	t.Parallel()
	const mail = "Message-ID: <a@b>\nFrom: a@b.example\nSubject: x\nDate: Mon, 6 Jun 2005 20:21:22 +0200\n"
	of := func(s string) string { return parseString(s, Options{}).Fingerprint }
	first := of("Received: from a by b\nDelivered-To: sales@example.com\n" + mail + "\nTr\xe4\n")
	if got := of("Received: from c by d\nX-Original-To: support@example.com\n" + mail + "Content-Transfer-Encoding: quoted-printable\n\nTr=E4\n"); got != first {
		t.Error("copies of one message differ")
	}
	if of(mail+"\nother\n") == first {
		t.Error("another text has the same fingerprint")
	}
}
