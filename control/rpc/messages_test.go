package rpc_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// deliver puts n messages into channel support, the raw octets of which are raw.
func (b *bench) deliver(n int, raw []byte) {
	for i := range n {
		m := control.Message{
			Tenant: "acme", Channel: "support", ID: ingest.MessageID(uuid.Must(uuid.NewV7())), EventID: fmt.Sprint("event-", i+1), Sequence: int64(i + 1),
			Ref: ingest.Ref{Folder: "INBOX", UIDValidity: 9, UID: uint32(i + 1)}, Received: time.Date(2026, 1, i+1, 0, 0, 0, 0, time.UTC), Stored: b.store.clock,
			Size: int64(len(raw)), SHA256: sha256.Sum256(raw), Preview: "Hello",
			Mail: ingest.Mail{
				Subject: "Order \xff", From: []ingest.Address{{Name: "Ann", Email: "ann@example.com"}}, Sender: []ingest.Address{{Email: "s@example.com"}},
				ReplyTo: []ingest.Address{{Email: "r@example.com"}}, To: []ingest.Address{{Email: "t@example.com"}}, Cc: []ingest.Address{{Email: "c@example.com"}},
				Date: time.Date(-5, 1, 1, 0, 0, 0, 0, time.UTC), MessageID: fmt.Sprintf("m%d@example.com", i+1), InReplyTo: []string{"a@b"}, References: []string{"c@d", "e@f"},
				Text: "Hello\nthere", TextCut: true, HasHTML: true, ReplyText: "Hello", Language: "en", Class: ingest.ClassHuman,
				Evidence: []ingest.Evidence{{Rule: "from-person", Source: "From", Value: "Ann"}}, AutoReply: ingest.AutoReply{Allowed: true, Reason: "OK"},
				Auth:     ingest.Auth{SPF: ingest.VerdictPass, DKIM: ingest.VerdictFail, DKIMDomains: []ingest.DKIMResult{{Domain: "example.com", Verdict: ingest.VerdictUnknown, By: "self"}}, Ignored: 1},
				Calendar: &ingest.Invite{Method: "REQUEST", UID: "u", Sequence: 1 << 40, Organizer: ingest.Address{Email: "o@example.com"}, Start: time.Date(2026, 2, 1, 9, 0, 0, 0, time.UTC)},
				Priority: ingest.PriorityHigh, List: ingest.List{ID: "l.example.com"}, Recipient: ingest.Recipient{Address: "support@example.com", Source: "To"},
				Protection: ingest.ProtectionPGPSigned,
				Parts:      []ingest.Part{{Path: "1", ContentType: "text/plain", Charset: "utf-8", Filename: "f", ContentID: "id", Inline: true, Body: true, Size: 5, SHA256: "00"}},
				Defects:    []ingest.Defect{{Code: "BAD_DATE", Where: "Date", Text: "year"}},
			},
		}
		m.Parser, m.Siblings = 2, []string{"tenants/acme/emailChannels/sales/messages/01900000-0000-7000-8000-000000000000"}
		m.Thread = ingest.Thread{ID: "01900000-0000-7000-8000-000000000001", Parent: ingest.MessageID{1}, Method: "REFERENCES", Confidence: 100, Merged: []string{"a"}, Reused: true}
		b.store.messages, b.store.raw[m.ID] = append(b.store.messages, m), raw
	}
}

func TestGetMessage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "support", func(c *mailintakev1.EmailChannel) { c.FallbackCharset = "KOI8-R" })
	b.deliver(1, []byte("raw"))
	name := b.store.messages[0].Name()
	got, err := b.messages.GetMessage(t.Context(), &mailintakev1.GetMessageRequest{Name: name})
	if err != nil {
		t.Fatal(err)
	}
	address := func(name, email string) []*mailintakev1.Address {
		return []*mailintakev1.Address{{Name: name, Email: email}}
	}
	wanted := &mailintakev1.Message{
		Name: name, EventId: "event-1", Sequence: 1, Ref: "imap:INBOX;UIDVALIDITY=9;UID=1", ReceiveTime: timestamppb.New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)),
		StoreTime: timestamppb.New(b.store.clock), SizeBytes: 3, Sha256: hash("raw"), Subject: "Order \uFFFD", From: address("Ann", "ann@example.com"),
		Sender: address("", "s@example.com"), ReplyTo: address("", "r@example.com"), To: address("", "t@example.com"), Cc: address("", "c@example.com"),
		MessageIdHeader: "m1@example.com", InReplyTo: []string{"a@b"}, References: []string{"c@d", "e@f"}, Preview: "Hello", Text: "Hello\nthere", TextTruncated: true, HasHtml: true,
		Parts:   []*mailintakev1.Part{{Path: "1", ContentType: "text/plain", Charset: "utf-8", Filename: "f", ContentId: "id", Inline: true, Body: true, SizeBytes: 5, Sha256: "00"}},
		Defects: []*mailintakev1.Defect{{Code: "BAD_DATE", Where: "Date", Text: "year"}}, ReplyText: "Hello", Language: "en", MessageClass: mailintakev1.MessageClass_HUMAN,
		Evidence: []*mailintakev1.Evidence{{Rule: "from-person", Source: "From", Value: "Ann"}}, AutoReply: &mailintakev1.AutoReplyVerdict{Allowed: true, Reason: "OK"},
		Authentication: &mailintakev1.Authentication{Spf: "pass", Dkim: "fail", Dmarc: "unknown", Ignored: 1,
			DkimResults: []*mailintakev1.DkimResult{{Domain: "example.com", Verdict: "unknown", By: "self"}}},
		Invitation: &mailintakev1.Invitation{Method: "REQUEST", Uid: "u", Sequence: 1<<31 - 1, Organizer: &mailintakev1.Address{Email: "o@example.com"},
			StartTime: timestamppb.New(time.Date(2026, 2, 1, 9, 0, 0, 0, time.UTC))},
		Priority: "HIGH", MailingList: &mailintakev1.MailingList{Id: "l.example.com"}, MatchedRecipient: &mailintakev1.MatchedRecipient{Address: "support@example.com", Source: "To"},
		Protection: "PGP_SIGNED", ParserVersion: 2, Siblings: []string{"tenants/acme/emailChannels/sales/messages/01900000-0000-7000-8000-000000000000"},
		Thread: &mailintakev1.MessageThread{Id: "01900000-0000-7000-8000-000000000001", Parent: "tenants/acme/emailChannels/support/messages/01000000-0000-0000-0000-000000000000",
			Method: "REFERENCES", Confidence: 100, Merged: []string{"a"}, MessageIdReused: true},
	}
	if diff := cmp.Diff(got, wanted, protocmp.Transform()); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	full, err := b.messages.GetMessage(t.Context(), &mailintakev1.GetMessageRequest{Name: name, View: mailintakev1.MessageView_MESSAGE_VIEW_FULL})
	wanted.Html, wanted.RemoteContentBlocked = "<b>raw</b>", true
	wanted.Header, wanted.Multiparts = []*mailintakev1.HeaderField{{Name: "Subject", Value: "raw koi8-r"}}, []*mailintakev1.Multipart{{ContentType: "multipart/mixed"}}
	if diff := cmp.Diff(full, wanted, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("full view: %v, got -, want +:\n%s", err, diff)
	}
	full, err = b.messages.GetMessage(t.Context(), &mailintakev1.GetMessageRequest{Name: name, View: mailintakev1.MessageView_MESSAGE_VIEW_FULL, AllowRemoteContent: true})
	if err != nil || full.GetRemoteContentBlocked() || !full.GetHtmlTruncated() {
		t.Errorf("full view with remote content: %v, %v", full, err)
	}
	wanted.Html, wanted.RemoteContentBlocked, wanted.Header, wanted.Multiparts = "", false, nil, nil
	basic, err := b.messages.GetMessage(t.Context(), &mailintakev1.GetMessageRequest{Name: name, View: mailintakev1.MessageView_MESSAGE_VIEW_BASIC})
	wanted.Text, wanted.ReplyText = "", ""
	if diff := cmp.Diff(basic, wanted, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("basic view: %v, got -, want +:\n%s", err, diff)
	}
	_, err = b.messages.GetMessage(t.Context(), &mailintakev1.GetMessageRequest{Name: strings.ToUpper(name)})
	want(t, err, codes.InvalidArgument, "INVALID_FIELD", "name")
	_, err = b.messages.GetMessage(t.Context(), &mailintakev1.GetMessageRequest{Name: name, AllowRemoteContent: true})
	want(t, err, codes.InvalidArgument, "INVALID_FIELD", "allow_remote_content")
	_, err = b.messages.GetMessage(t.Context(), &mailintakev1.GetMessageRequest{Name: name, View: 9})
	want(t, err, codes.InvalidArgument, "INVALID_FIELD", "view")
	_, err = b.messages.GetMessage(t.Context(), &mailintakev1.GetMessageRequest{Name: control.MessageName("acme", "support", ingest.MessageID{})})
	want(t, err, codes.NotFound, "RESOURCE_NOT_FOUND")
}

func TestListMessages(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "support")
	b.deliver(12, nil)
	b.store.messages[4].Mail.Class, b.store.messages[4].Thread.ID = ingest.ClassBounce, "01900000-0000-7000-8000-000000000002"
	b.store.messages[5].Thread.ID = "01900000-0000-7000-8000-000000000002"
	walk := func(r *mailintakev1.ListMessagesRequest) string {
		t.Helper()
		var got []string
		for {
			reply, err := b.messages.ListMessages(t.Context(), r)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range reply.GetMessages() {
				got = append(got, fmt.Sprint(m.GetSequence()))
				if (m.GetText() != "") != (r.GetView() == mailintakev1.MessageView_MESSAGE_VIEW_TEXT) {
					t.Errorf("text in view %v: %q", r.GetView(), m.GetText())
				}
			}
			if r.PageToken = reply.GetNextPageToken(); r.PageToken == "" {
				return strings.Join(got, " ")
			}
			got = append(got, "|")
		}
	}
	const parent = "tenants/acme/emailChannels/support"
	for _, tt := range []struct {
		r    *mailintakev1.ListMessagesRequest
		want string
	}{
		{&mailintakev1.ListMessagesRequest{Parent: parent, PageSize: 5}, "12 11 10 9 8 | 7 6 5 4 3 | 2 1"},
		{&mailintakev1.ListMessagesRequest{Parent: parent, PageSize: 6, OrderBy: "sequence"}, "1 2 3 4 5 6 | 7 8 9 10 11 12"},
		{&mailintakev1.ListMessagesRequest{Parent: parent, View: mailintakev1.MessageView_MESSAGE_VIEW_TEXT}, "12 11 10 9 8 7 6 5 4 3 | 2 1"},
		{&mailintakev1.ListMessagesRequest{Parent: parent, Filter: `receive_time >= "2026-01-03T00:00:00Z" AND receive_time < "2026-01-05T01:00:00+01:00"`}, "4 3"},
		{&mailintakev1.ListMessagesRequest{Parent: parent, Filter: `message_id_header = "<m7@example.com>"`}, "7"},
		{&mailintakev1.ListMessagesRequest{Parent: parent, Filter: `message_class = "BOUNCE"`}, "5"},
		{&mailintakev1.ListMessagesRequest{Parent: parent, Filter: `message_class = "HUMAN" AND thread.id = "01900000-0000-7000-8000-000000000002"`}, "6"},
		{&mailintakev1.ListMessagesRequest{Parent: parent, Filter: `message_id_header = "no \"such\""`}, ""},
	} {
		if got := walk(tt.r); got != tt.want {
			t.Errorf("%v: got %s, want %s", tt.r, got, tt.want)
		}
	}
	for field, r := range map[string]*mailintakev1.ListMessagesRequest{
		"parent":     {Parent: "tenants/acme"},
		"page_size":  {Parent: parent, PageSize: -1},
		"page_token": {Parent: parent, PageToken: strings.Repeat("x", 2000)},
		"order_by":   {Parent: parent, OrderBy: "subject"},
		"view":       {Parent: parent, View: 7},
		"filter":     {Parent: parent, Filter: strings.Repeat(" ", 2049)},
	} {
		_, err := b.messages.ListMessages(t.Context(), r)
		want(t, err, codes.InvalidArgument, "INVALID_FIELD", field)
	}
	for _, filter := range []string{`receive_time > "2026-01-03T00:00:00Z"`, `receive_time >= "yesterday"`, `receive_time >= "0001-01-01T00:00:00Z"`, `subject = "x"`,
		`message_id_header = "a" OR message_id_header = "b"`, `message_id_header = ""`, `message_id_header = "a" AND message_id_header = "b"`,
		`receive_time < "2026-01-03T00:00:00Z" AND receive_time < "2026-01-04T00:00:00Z"`, "message_id_header = \"\x00\"", `thread.id = "x"`, `thread.id = ""`, `thread.id != "01900000-0000-7000-8000-000000000002"`,
		`thread.id = "01900000-0000-7000-8000-000000000002" AND thread.id = "01900000-0000-7000-8000-000000000002"`, `thread.id = "01900000-0000-7000-8000-00000000000A"`,
		`message_class = "SPAM"`, `message_class = "bounce"`, `message_class = ""`, `message_class = "MESSAGE_CLASS_UNSPECIFIED"`, `message_class = "LIST" AND message_class = "LIST"`,
		`message_class = "LIST" OR message_class = "HUMAN"`, `thread = "x"`, `.id = "x"`} {
		_, err := b.messages.ListMessages(t.Context(), &mailintakev1.ListMessagesRequest{Parent: parent, Filter: filter})
		want(t, err, codes.InvalidArgument, "INVALID_FIELD", "filter")
	}
}

func TestListRefusesFull(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "support")
	_, err := b.messages.ListMessages(t.Context(), &mailintakev1.ListMessagesRequest{Parent: "tenants/acme/emailChannels/support", View: mailintakev1.MessageView_MESSAGE_VIEW_FULL})
	want(t, err, codes.InvalidArgument, "INVALID_FIELD", "view")
}

// A message that is larger than clients take goes without its HTML, and says so.
func TestFullViewIsBounded(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "support")
	b.deliver(1, bytes.Repeat([]byte("x"), 2<<20))
	b.parser.Inspect = func(io.Reader, int64, *control.Settings, bool) control.View {
		return control.View{HTML: strings.Repeat("x", 5<<19), Header: []ingest.Field{{Name: "X", Value: strings.Repeat("y", 1<<20)}}}
	}
	m, err := b.messages.GetMessage(t.Context(), &mailintakev1.GetMessageRequest{Name: b.store.messages[0].Name(), View: mailintakev1.MessageView_MESSAGE_VIEW_FULL})
	if err != nil || m.GetHtml() != "" || !m.GetHtmlTruncated() || len(m.GetHeader()) != 1 {
		t.Errorf("html of %d octets, truncated %v, header %d: %v", len(m.GetHtml()), m.GetHtmlTruncated(), len(m.GetHeader()), err)
	}
	b.parser = wholeParser()
	b.store.raw[b.store.messages[0].ID] = nil
	_, err = b.messages.GetMessage(t.Context(), &mailintakev1.GetMessageRequest{Name: b.store.messages[0].Name(), View: mailintakev1.MessageView_MESSAGE_VIEW_FULL})
	want(t, err, codes.DataLoss, "RAW_INCOMPLETE")
}

func TestReadRawMessage(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "support")
	raw := bytes.Repeat([]byte("0123456789\r\n\x00\xff"), 50_000) // 700,000 octets
	b.deliver(1, raw)
	name := b.store.messages[0].Name()
	read := func(offset int64) ([]byte, error) {
		stream, err := b.messages.ReadRawMessage(t.Context(), &mailintakev1.ReadRawMessageRequest{Name: name, Offset: offset})
		if err != nil {
			return nil, err
		}
		var got []byte
		for {
			r, err := stream.Recv()
			if errors.Is(err, io.EOF) {
				return got, nil
			}
			if err != nil {
				return got, err
			}
			if n := len(r.GetData()); n == 0 || n > 256<<10 {
				t.Errorf("got a piece of %d octets", n)
			}
			got = append(got, r.GetData()...)
		}
	}
	for _, offset := range []int64{0, 1, 256 << 10, 256<<10 + 1, int64(len(raw)) - 1, int64(len(raw))} {
		got, err := read(offset)
		if err != nil || !bytes.Equal(got, raw[offset:]) {
			t.Errorf("from %d: got %d octets, want %d: %v", offset, len(got), len(raw)-int(offset), err)
		}
	}
	for _, offset := range []int64{-1, int64(len(raw)) + 1} {
		_, err := read(offset)
		want(t, err, codes.InvalidArgument, "INVALID_FIELD", "offset")
	}
	b.store.raw[b.store.messages[0].ID] = raw[:300_000]
	got, err := read(0)
	want(t, err, codes.DataLoss, "RAW_INCOMPLETE")
	if len(got) != 300_000 {
		t.Errorf("got %d octets of what is there", len(got))
	}
	b.deliver(2, nil)
	name = b.store.messages[1].Name()
	if got, err := read(0); err != nil || len(got) != 0 {
		t.Errorf("an empty message: %d octets, %v", len(got), err)
	}
}
