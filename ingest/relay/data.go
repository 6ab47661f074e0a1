package relay

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mailintake/mailintake/ingest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// The types of event that ingestion makes.
const (
	TypeReceived    = "received"
	TypeQuarantined = "quarantined"
)

// Limits of an event's data, so that the whole event stays below 64 KiB.
const (
	MaxData    = 60 << 10             // octets
	MaxPreview = ingest.PreviewLength // characters

	maxListed = 50  // entries of a list before it is cut
	maxText   = 998 // characters of one string: RFC 5322 §2.1.1 allows no longer line
	maxDetail = 500 // characters for people
)

// EventData makes the data of the event that a committed item announces, protojson of ReceivedEvent or
// QuarantinedEvent, at most MaxData octets. It fits ingest.Item.Event. Items that announce nothing are an error.
func EventData(c ingest.Committed) (typ string, data []byte, err error) {
	switch c.Item.Standing {
	case ingest.Stored:
		data, err = receivedData(c)
		return TypeReceived, data, err
	case ingest.Quarantined:
		data, err = marshal(quarantined(c))
		return TypeQuarantined, data, err
	}
	return "", nil, fmt.Errorf("event data: an item that is %s announces nothing", c.Item.Standing)
}

// receivedData builds the event with ever tighter limits until it fits.
func receivedData(c ingest.Committed) ([]byte, error) {
	for cut := (cutter{list: maxListed, text: maxText}); ; cut = (cutter{list: cut.list / 2, text: cut.text * 2 / 3}) {
		data, err := marshal(cut.received(c))
		if err != nil || len(data) <= MaxData {
			return data, err
		}
		if cut.list == 0 {
			return nil, fmt.Errorf("event data: %d octets remain after cutting every list", len(data))
		}
	}
}

// marshal is protojson without the random spaces that it puts in against comparison of its output.
func marshal(m proto.Message) ([]byte, error) {
	loose, err := protojson.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("event data: %w", err)
	}
	var tight bytes.Buffer
	if err := json.Compact(&tight, loose); err != nil {
		return nil, fmt.Errorf("event data: %w", err)
	}
	return tight.Bytes(), nil
}

func quarantined(c ingest.Committed) *mailintakev1.QuarantinedEvent {
	return &mailintakev1.QuarantinedEvent{
		EmailChannel: eventChannel(c.Channel),
		Sequence:     c.Sequence,
		Source:       eventSource(c, c.Item.Size),
		Reason:       string(c.Item.Reason),
		Detail:       clean(c.Item.Detail, maxDetail),
		Times:        eventTimes(c),
	}
}

// cutter shortens what senders can make long and keeps the names of the fields that it shortened.
type cutter struct {
	list, text int // entries of a list, characters of a string
	truncated  []string
}

func (k *cutter) received(c ingest.Committed) *mailintakev1.ReceivedEvent {
	mail := c.Item.Mail
	if mail == nil {
		mail = &ingest.Mail{}
	}
	e := &mailintakev1.ReceivedEvent{
		Message:      c.Channel.Name() + "/messages/" + uuidText(c.ID),
		EmailChannel: eventChannel(c.Channel),
		Sequence:     c.Sequence,
		Source:       eventSource(c, c.Item.Octets.Size()),
		Rfc: &mailintakev1.EventHeader{
			MessageId:  k.string("rfc.message_id", mail.MessageID),
			InReplyTo:  k.strings("rfc.in_reply_to", mail.InReplyTo),
			References: k.references(mail.References),
			Date:       timestamp(mail.Date),
			Subject:    k.string("rfc.subject", mail.Subject),
		},
		From:    k.addresses("from", mail.From),
		Sender:  k.addresses("sender", mail.Sender),
		ReplyTo: k.addresses("reply_to", mail.ReplyTo),
		To:      k.addresses("to", mail.To),
		Cc:      k.addresses("cc", mail.Cc),
		Times:   eventTimes(c),
		Preview: ingest.Preview(mail.Text),
		HasHtml: mail.HasHTML,
		Parts:   k.parts(mail.Parts),
		Defects: k.defects(mail.Defects),
	}
	sum := c.Item.Octets.SHA256()
	e.Sha256 = hex.EncodeToString(sum[:])
	e.Truncated = k.truncated
	return e
}

// note records once that a field was cut.
func (k *cutter) note(field string) {
	if len(k.truncated) == 0 || k.truncated[len(k.truncated)-1] != field {
		k.truncated = append(k.truncated, field)
	}
}

func (k *cutter) string(field, s string) string {
	whole := strings.ToValidUTF8(s, "\uFFFD")
	short := clean(whole, k.text)
	if len(short) < len(whole) {
		k.note(field)
	}
	return short
}

func (k *cutter) strings(field string, in []string) []string {
	if len(in) > k.list {
		k.note(field)
		in = in[:k.list]
	}
	var out []string
	for _, s := range in {
		out = append(out, k.string(field, s))
	}
	return out
}

// references keeps the first one, which names the thread, and the last ones, which name the parents (RFC 5322 §3.6.4).
func (k *cutter) references(in []string) []string {
	if n := len(in); n > k.list && k.list > 1 {
		k.note("rfc.references")
		in = append([]string{in[0]}, in[n-k.list+1:]...)
	}
	return k.strings("rfc.references", in)
}

func (k *cutter) addresses(field string, in []ingest.Address) []*mailintakev1.Address {
	if len(in) > k.list {
		k.note(field)
		in = in[:k.list]
	}
	var out []*mailintakev1.Address
	for _, a := range in {
		out = append(out, &mailintakev1.Address{Name: k.string(field, a.Name), Email: k.string(field, a.Email)})
	}
	return out
}

func (k *cutter) parts(in []ingest.Part) []*mailintakev1.Part {
	if len(in) > k.list {
		k.note("parts")
		in = in[:k.list]
	}
	var out []*mailintakev1.Part
	for _, p := range in {
		out = append(out, &mailintakev1.Part{
			Path:        k.string("parts", p.Path),
			ContentType: k.string("parts", p.ContentType),
			Charset:     k.string("parts", p.Charset),
			Filename:    k.string("parts", p.Filename),
			ContentId:   k.string("parts", p.ContentID),
			Inline:      p.Inline,
			Body:        p.Body,
			SizeBytes:   p.Size,
			Sha256:      p.SHA256,
		})
	}
	return out
}

func (k *cutter) defects(in []ingest.Defect) []*mailintakev1.Defect {
	if len(in) > k.list {
		k.note("defects")
		in = in[:k.list]
	}
	var out []*mailintakev1.Defect
	for _, d := range in {
		out = append(out, &mailintakev1.Defect{
			Code: d.Code, Where: k.string("defects", d.Where), Text: k.string("defects", d.Text),
		})
	}
	return out
}

func eventChannel(c *ingest.Channel) *mailintakev1.EventChannel {
	return &mailintakev1.EventChannel{Name: c.Name(), EmailAddress: clean(c.Address, maxText), Script: clean(c.Script, maxText)}
}

// eventSource tells where the message lay. A ref that a server made absurdly long is left out of the event: the
// ledger has it.
func eventSource(c ingest.Committed, size int64) *mailintakev1.EventSource {
	ref := c.Item.Ref
	return &mailintakev1.EventSource{
		Protocol:    mailintakev1.EmailChannel_Protocol(c.Channel.Mailbox.Protocol),
		Ref:         clean(ref.String(), 2*maxText),
		Folder:      clean(ref.Folder, maxText),
		UidValidity: ref.UIDValidity,
		Uid:         ref.UID,
		Uidl:        clean(ref.UIDL, maxText),
		SizeBytes:   size,
	}
}

// eventTimes takes the server's time of arrival, or that of the topmost Received field where the server tells none.
func eventTimes(c ingest.Committed) *mailintakev1.EventTimes {
	received := c.Item.Received
	if received.IsZero() && c.Item.Mail != nil {
		received = c.Item.Mail.Received
	}
	return &mailintakev1.EventTimes{ReceiveTime: timestamp(received), StoreTime: timestamp(c.At)}
}

// timestamp is nil for times that are unknown or beyond what a Timestamp can express (years 1 to 9999).
func timestamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	if ts := timestamppb.New(t); ts.IsValid() {
		return ts
	}
	return nil
}

// clean makes s valid UTF-8 of at most limit characters.
func clean(s string, limit int) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	n := 0
	for i := range s {
		if n == limit {
			return s[:i]
		}
		n++
	}
	return s
}

// uuidText is the text form of a UUID (RFC 9562 §4).
func uuidText(id ingest.MessageID) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16])
}
