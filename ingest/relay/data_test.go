package relay

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"github.com/mailintake/mailintake/ingest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// octets is a message in memory.
type octets []byte

func (o octets) Size() int64                  { return int64(len(o)) }
func (o octets) SHA256() ingest.Digest        { return sha256.Sum256(o) }
func (o octets) Content() ingest.Digest       { return sha256.Sum256(bytes.TrimSuffix(o, []byte("\r\n"))) }
func (o octets) Open() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(o)), nil }
func (o octets) Close() error                 { return nil }

func committed(item ingest.Item) ingest.Committed {
	return ingest.Committed{
		Channel: &ingest.Channel{
			ID: 5, Tenant: "acme", Channel: "support", Address: "support@acme.example", Script: "scripts/default",
			Mailbox: ingest.Mailbox{Protocol: ingest.IMAPS},
		},
		ID:       ingest.MessageID{0x01, 0x90, 0xa6, 0xc2, 0x7c, 0x1f, 0x7e, 0x4e, 0x9f, 0x8f, 1, 2, 3, 4, 5, 6},
		Sequence: 12,
		At:       time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
		Item:     &item,
	}
}

func TestEventDataReceived(t *testing.T) {
	t.Parallel()
	typ, data, err := EventData(committed(ingest.Item{
		Ref: ingest.Ref{Folder: "INBOX", UIDValidity: 9, UID: 4}, Standing: ingest.Stored,
		Received: time.Date(2026, 3, 1, 11, 59, 0, 0, time.UTC), Octets: octets("abc"),
		Mail: &ingest.Mail{
			Subject: "Größe?", From: []ingest.Address{{Name: "Zoë", Email: "z@x.example"}}, To: []ingest.Address{{Email: "support@acme.example"}},
			Date: time.Date(2026, 3, 1, 12, 58, 0, 0, time.FixedZone("", 3600)), MessageID: "m1@x.example", References: []string{"a", "b"},
			Text: "  Hello,\r\n\r\n my\torder\x00 is late.\n", HasHTML: true,
			Parts:   []ingest.Part{{Path: "1", ContentType: "text/plain", Body: true, Size: 30, SHA256: "ff"}},
			Defects: []ingest.Defect{{Code: "NUL_REMOVED", Where: "1"}},
			Class:   ingest.ClassHuman, Evidence: []ingest.Evidence{{Rule: "from-person", Source: "From"}}, AutoReply: ingest.AutoReply{Allowed: true, Reason: "OK"},
			Auth: ingest.Auth{SPF: ingest.VerdictPass, DMARC: ingest.VerdictNone, AuthservID: "mx.acme.example"}, Priority: ingest.PriorityHigh, Language: "en",
			Recipient: ingest.Recipient{Address: "support+vip@acme.example", Alias: "support@acme.example", Tag: "vip", Source: "To"},
		}, Parser: 7,
	}))
	if err != nil {
		t.Fatal(err)
	}
	if typ != "received" {
		t.Errorf("type is %q", typ)
	}
	const want = `{"message":"tenants/acme/emailChannels/support/messages/0190a6c2-7c1f-7e4e-9f8f-010203040506",` +
		`"emailChannel":{"name":"tenants/acme/emailChannels/support","emailAddress":"support@acme.example","script":"scripts/default"},` +
		`"sequence":"12","source":{"protocol":"IMAPS","ref":"imap:INBOX;UIDVALIDITY=9;UID=4","folder":"INBOX","uidValidity":9,"uid":4,"sizeBytes":"3"},` +
		`"sha256":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",` +
		`"rfc":{"messageId":"m1@x.example","references":["a","b"],"date":"2026-03-01T11:58:00Z","subject":"Größe?"},` +
		`"from":[{"name":"Zoë","email":"z@x.example"}],"to":[{"email":"support@acme.example"}],` +
		`"times":{"receiveTime":"2026-03-01T11:59:00Z","storeTime":"2026-03-01T12:00:00Z"},` +
		`"preview":"Hello, my order is late.","hasHtml":true,` +
		`"parts":[{"path":"1","contentType":"text/plain","body":true,"sizeBytes":"30","sha256":"ff"}],` +
		`"defects":[{"code":"NUL_REMOVED","where":"1"}],` +
		`"messageClass":"HUMAN","evidence":[{"rule":"from-person","source":"From"}],"autoReply":{"allowed":true,"reason":"OK"},` +
		`"authentication":{"spf":"pass","dkim":"unknown","dmarc":"none","authservId":"mx.acme.example"},` +
		`"priority":"HIGH","matchedRecipient":{"address":"support+vip@acme.example","alias":"support@acme.example","tag":"vip","source":"To"},` +
		`"language":"en","parserVersion":7}`
	if d := cmp.Diff(string(data), want); d != "" {
		t.Errorf("data (-got +want):\n%s", d)
	}
}

func TestEventDataQuarantined(t *testing.T) {
	t.Parallel()
	typ, data, err := EventData(committed(ingest.Item{
		Ref: ingest.Ref{UIDL: "abc\xff"}, Standing: ingest.Quarantined, Reason: ingest.ReasonTooLarge, Detail: "60 MB", Size: 62914560,
	}))
	if err != nil {
		t.Fatal(err)
	}
	if typ != "quarantined" {
		t.Errorf("type is %q", typ)
	}
	const want = `{"emailChannel":{"name":"tenants/acme/emailChannels/support","emailAddress":"support@acme.example","script":"scripts/default"},` +
		`"sequence":"12","source":{"protocol":"IMAPS","ref":"pop3:UIDL=abc%FF","uidl":"abc` + "\uFFFD" + `","sizeBytes":"62914560"},` +
		`"reason":"MESSAGE_TOO_LARGE","detail":"60 MB","times":{"storeTime":"2026-03-01T12:00:00Z"}}`
	if d := cmp.Diff(string(data), want); d != "" {
		t.Errorf("data (-got +want):\n%s", d)
	}
}

func TestEventDataOfSilentItem(t *testing.T) {
	t.Parallel()
	for _, s := range []ingest.Standing{ingest.Deferred, ingest.Skipped, ingest.Duplicate} {
		if _, _, err := EventData(committed(ingest.Item{Standing: s})); err == nil {
			t.Errorf("an item that is %s has an event", s)
		}
	}
}

// Whatever senders write, the event is small, valid, and says what was cut.
func TestEventDataIsBounded(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(rt *rapid.T) {
		text := func(label string) string {
			unit := rapid.SampledFrom([]string{"a", "\x00", "\u0001", "ü", "😀", "\"", "<", "\u2028", "\xff", " "}).Draw(rt, label)
			return strings.Repeat(unit, rapid.SampledFrom([]int{0, 1, 40, 998, 5000}).Draw(rt, label+" length"))
		}
		count := func(label string) int { return rapid.SampledFrom([]int{0, 1, 51, 300}).Draw(rt, label) }
		addresses := func(label string) []ingest.Address {
			return slices.Repeat([]ingest.Address{{Name: text(label), Email: text(label)}}, count(label))
		}
		mail := &ingest.Mail{
			Subject: text("subject"), From: addresses("from"), Sender: addresses("sender"), ReplyTo: addresses("reply-to"),
			To: addresses("to"), Cc: addresses("cc"), Date: time.Date(rapid.SampledFrom([]int{-5, 1, 2026, 20000}).Draw(rt, "year"), 1, 1, 0, 0, 0, 0, time.UTC),
			MessageID: text("message-id"), InReplyTo: slices.Repeat([]string{text("in-reply-to")}, count("in-reply-to")),
			References: slices.Repeat([]string{text("references")}, count("references")), Text: text("text"),
			Parts: slices.Repeat([]ingest.Part{{
				Path: text("path"), ContentType: text("type"), Charset: text("charset"), Filename: text("filename"), ContentID: text("cid"),
				Size: 1, SHA256: strings.Repeat("f", 64),
			}}, count("parts")),
			Defects:  slices.Repeat([]ingest.Defect{{Code: "X", Where: text("where"), Text: text("defect")}}, count("defects")),
			Evidence: slices.Repeat([]ingest.Evidence{{Rule: "r", Source: text("source"), Value: text("value")}}, count("evidence")),
			Bounce: &ingest.Bounce{Recipients: slices.Repeat([]ingest.BounceRecipient{{Address: text("recipient"), Diagnostic: text("diagnostic")}}, count("recipients")),
				OriginalSubject: text("original")},
			Calendar: &ingest.Invite{Summary: text("summary"), Attendees: addresses("attendees"), Text: text("invitation")},
			List:     ingest.List{ID: text("list"), Unsubscribe: text("unsubscribe")}, Language: text("language"),
		}
		c := committed(ingest.Item{Ref: ingest.Ref{UIDL: text("uidl")}, Standing: ingest.Stored, Mail: mail, Octets: octets("x")})
		c.Channel.Script, c.Channel.Address = text("script"), text("address")
		_, data, err := EventData(c)
		if err != nil {
			rt.Fatal(err)
		}
		if len(data) > MaxData {
			rt.Fatalf("%d octets", len(data))
		}
		var e mailintakev1.ReceivedEvent
		if err := protojson.Unmarshal(data, &e); err != nil {
			rt.Fatal(err)
		}
		if n := utf8.RuneCountInString(e.Preview); n > MaxPreview {
			rt.Errorf("preview has %d characters", n)
		}
		// What is not named as cut is whole.
		whole := len(e.To) == len(mail.To)
		for i := range e.To {
			whole = whole && e.To[i].Name == strings.ToValidUTF8(mail.To[i].Name, "\uFFFD") && e.To[i].Email == strings.ToValidUTF8(mail.To[i].Email, "\uFFFD")
		}
		if cut := slices.Contains(e.Truncated, "to"); cut == whole {
			rt.Errorf("truncated says %v of to, which is whole: %v", cut, whole)
		}
		m, err := Encode(Row{Tenant: "acme", Channel: "support", Sequence: 1, EventID: "e", Type: TypeReceived, Data: data})
		if err != nil || m.Size() > 64<<10 {
			rt.Errorf("the event has %d octets: %v", m.Size(), err)
		}
		if !json.Valid(m.Data) {
			rt.Error("invalid JSON")
		}
	})
}

func TestEventTypes(t *testing.T) {
	t.Parallel()
	for class, want := range map[ingest.Class]string{
		"": "received", ingest.ClassHuman: "received", ingest.ClassAutoReply: "auto_reply", ingest.ClassBounce: "bounced", ingest.ClassComplaint: "received",
		ingest.ClassReadReceipt: "received", ingest.ClassList: "received", ingest.ClassCalendar: "received", ingest.ClassSystem: "received",
	} {
		got, data, err := EventData(committed(ingest.Item{Standing: ingest.Stored, Octets: octets("x"), Mail: &ingest.Mail{Class: class}}))
		if err != nil || got != want {
			t.Errorf("class %s: got type %s, want %s (%v)", class, got, want, err)
		}
		if class != "" && !strings.Contains(string(data), `"messageClass":"`+string(class)+`"`) {
			t.Errorf("class %s is not in %s", class, data)
		}
		if _, err := Encode(Row{Tenant: "acme", Channel: "support", Sequence: 1, EventID: "e", Type: got, Data: data}); err != nil {
			t.Error(err)
		}
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, text, reply, want string }{
		{"none", "", "", ""},
		{"what is new", "Yes.\n> Is it?", "Yes.", "Yes."},
		{"nothing is new", "> Is it?", " \n", "> Is it?"},
	} {
		if got := preview(&ingest.Mail{Text: tt.text, ReplyText: tt.reply}); got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A second round cuts what the first one left.
func TestCutterNames(t *testing.T) {
	t.Parallel()
	e := &mailintakev1.ReceivedEvent{
		Preview: "preview stays", Rfc: &mailintakev1.EventHeader{Subject: "subject", References: []string{"1", "2", "3", "4", "5"}},
		To:     []*mailintakev1.Address{{Email: "long name"}, {Email: "b"}},
		Bounce: &mailintakev1.Bounce{Recipients: []*mailintakev1.BounceRecipient{{Diagnostic: "refused"}}, Status: "5.1"},
	}
	cut := cutter{list: 4, text: 5}
	cut.message(e.ProtoReflect(), "")
	cut.list, cut.text = 2, 3
	cut.message(e.ProtoReflect(), "")
	if d := cmp.Diff([]string{"rfc.references", "rfc.subject", "to", "bounce.recipients"}, cut.truncated); d != "" {
		t.Error(d)
	}
	want := &mailintakev1.ReceivedEvent{
		Preview: "preview stays", Rfc: &mailintakev1.EventHeader{Subject: "sub", References: []string{"1", "5"}}, To: []*mailintakev1.Address{{Email: "lon"}, {Email: "b"}},
		Bounce: &mailintakev1.Bounce{Recipients: []*mailintakev1.BounceRecipient{{Diagnostic: "ref"}}, Status: "5.1"},
	}
	if d := cmp.Diff(want, e, protocmp.Transform()); d != "" {
		t.Error(d)
	}
}

func TestEventDataKeepsFirstAndLastReferences(t *testing.T) {
	t.Parallel()
	var refs []string
	for _, n := range span(1, 100) {
		refs = append(refs, strings.Repeat("r", int(n)))
	}
	_, data, err := EventData(committed(ingest.Item{Ref: ingest.Ref{UIDL: "u"}, Standing: ingest.Stored, Octets: octets("x"), Mail: &ingest.Mail{References: refs}}))
	if err != nil {
		t.Fatal(err)
	}
	var e mailintakev1.ReceivedEvent
	if err := protojson.Unmarshal(data, &e); err != nil {
		t.Fatal(err)
	}
	want := append([]string{refs[0]}, refs[100-maxListed+1:]...)
	if d := cmp.Diff(e.Rfc.References, want); d != "" {
		t.Errorf("references (-got +want):\n%s", d)
	}
	if d := cmp.Diff(e.Truncated, []string{"rfc.references"}); d != "" {
		t.Errorf("truncated (-got +want):\n%s", d)
	}
}

func TestAmendedData(t *testing.T) {
	t.Parallel()
	c := committed(ingest.Item{})
	typ, data, err := AmendedData(ingest.Amendment{Channel: c.Channel, ID: c.ID, Sequence: 13, Replay: "r1", Changed: []string{"text", "subject"}, OldParser: 1, Parser: 2,
		Mail: &ingest.Mail{Class: ingest.ClassList}})
	const want = `{"message":"tenants/acme/emailChannels/support/messages/0190a6c2-7c1f-7e4e-9f8f-010203040506",` +
		`"emailChannel":{"name":"tenants/acme/emailChannels/support","emailAddress":"support@acme.example","script":"scripts/default"},` +
		`"sequence":"13","changed":["text","subject"],"oldParserVersion":1,"parserVersion":2,"replay":"tenants/acme/replays/r1","messageClass":"LIST"}`
	if d := cmp.Diff(want, string(data)); err != nil || typ != "amended" || d != "" {
		t.Errorf("type %s, %v: %s", typ, err, d)
	}
	if _, err := Encode(Row{Tenant: "acme", Channel: "support", Sequence: 13, EventID: "e", Type: typ, Data: data}); err != nil {
		t.Error(err)
	}
}
