package contract

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/mailintake/mailintake/ingest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// The names of the classes are those of the API.
func TestClass(t *testing.T) {
	t.Parallel()
	for n, name := range mailintakev1.MessageClass_name {
		want := mailintakev1.MessageClass(n)
		if n == 0 {
			name = "" // not known
		}
		if got := Class(ingest.Class(name)); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
	if got := Class("OF_A_NEWER_PARSER"); got != 0 {
		t.Errorf("got %v", got)
	}
}

// What is not there is absent, and not an empty message.
func TestAbsent(t *testing.T) {
	t.Parallel()
	if AutoReply(ingest.AutoReply{}) != nil || Bounce(nil) != nil || Thread(ingest.Thread{}, "c") != nil || Invitation(nil) != nil ||
		MailingList(ingest.List{}) != nil || Recipient(ingest.Recipient{}) != nil || Addresses(nil) != nil || Texts([]string{}) != nil ||
		Time(time.Time{}) != nil || Time(time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)) != nil {
		t.Error("an absent value is there")
	}
}

// Nothing that a sender writes keeps a message from being encoded.
func TestNotUTF8(t *testing.T) {
	t.Parallel()
	const bad = "a\xffb"
	for _, m := range []proto.Message{
		Addresses([]ingest.Address{{Name: bad, Email: bad}})[0],
		Part(&ingest.Part{Path: bad, ContentType: bad, Charset: bad, Filename: bad, ContentID: bad, SHA256: bad}),
		Multiparts([]ingest.Multipart{{Path: bad, ContentType: bad}})[0], Header([]ingest.Field{{Name: bad, Value: bad}})[0],
		Defects([]ingest.Defect{{Code: bad, Where: bad, Text: bad}})[0], Evidence([]ingest.Evidence{{Rule: bad, Source: bad, Value: bad}})[0],
		MailingList(ingest.List{ID: bad, Unsubscribe: bad, Post: bad}), Recipient(ingest.Recipient{Address: bad, Alias: bad, Tag: bad, Source: bad}),
		Invitation(&ingest.Invite{Method: bad, UID: bad, Sequence: math.MaxInt, Summary: bad, Location: bad, Organizer: ingest.Address{Name: bad}, Recurs: bad, Status: bad, Timezone: bad, Text: bad}),
		AutoReply(ingest.AutoReply{Reason: bad}), Thread(ingest.Thread{ID: bad, Method: bad, Merged: []string{bad}, Hint: bad}, "c"),
		Bounce(&ingest.Bounce{Recipients: []ingest.BounceRecipient{{Address: bad, Original: bad, Action: bad, Status: bad, ReplyCode: bad, Reason: bad, Diagnostic: bad}},
			Action: bad, Status: bad, ReportingMTA: bad, OriginalMessageID: bad, OriginalSubject: bad, FeedbackType: bad}),
		Authentication(ingest.Auth{SPF: bad, AuthservID: bad, SPFDomain: bad, DKIMDomains: []ingest.DKIMResult{{Domain: bad, Selector: bad, Verdict: bad, By: bad, Detail: bad}}}),
	} {
		if _, err := proto.Marshal(m); err != nil {
			t.Errorf("%T: %v", m, err)
		}
	}
}

func TestThread(t *testing.T) {
	t.Parallel()
	got := Thread(ingest.Thread{ID: "t", Parent: ingest.MessageID{1, 15: 2}, Confidence: 90, ParentMissing: true}, "tenants/a/emailChannels/b")
	want := &mailintakev1.MessageThread{Id: "t", Parent: "tenants/a/emailChannels/b/messages/01000000-0000-0000-0000-000000000002", Confidence: 90, ParentMissing: true}
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Error(d)
	}
}
