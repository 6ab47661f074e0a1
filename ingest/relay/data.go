package relay

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/contract"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// The types of event that ingestion makes.
const (
	TypeReceived    = "received"    // a stored message
	TypeBounced     = "bounced"     // the same, of class BOUNCE
	TypeAutoReply   = "auto_reply"  // the same, of class AUTO_REPLY
	TypeQuarantined = "quarantined" // a message that is not brought in
	TypeAmended     = "amended"     // a stored message that reads differently since it was parsed again
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
// QuarantinedEvent, at most MaxData octets. The type says by the class what a stored message is, so that consumers can
// subscribe to what people wrote. It fits ingest.Item.Event. Items that announce nothing are an error.
func EventData(c ingest.Committed) (typ string, data []byte, err error) {
	switch c.Item.Standing {
	case ingest.Stored:
		data, err = receivedData(c)
		return arrivalType(c.Item.Mail), data, err
	case ingest.Quarantined:
		data, err = marshal(quarantined(c))
		return TypeQuarantined, data, err
	}
	return "", nil, fmt.Errorf("event data: an item that is %s announces nothing", c.Item.Standing)
}

// arrivalType is the type of the event that announces a stored message.
func arrivalType(m *ingest.Mail) string {
	switch {
	case m == nil:
	case m.Class == ingest.ClassBounce:
		return TypeBounced
	case m.Class == ingest.ClassAutoReply:
		return TypeAutoReply
	}
	return TypeReceived
}

// receivedData cuts the event by ever tighter limits until it fits.
func receivedData(c ingest.Committed) ([]byte, error) {
	e := received(c)
	for cut := (cutter{list: maxListed, text: maxText}); ; cut.list, cut.text = cut.list/2, cut.text*2/3 {
		cut.message(e.ProtoReflect(), "")
		e.Truncated = cut.truncated
		data, err := marshal(e)
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

// AmendedData makes the data of the event that announces what parsing again changed, protojson of AmendedEvent.
func AmendedData(a ingest.Amendment) (typ string, data []byte, err error) {
	e := &mailintakev1.AmendedEvent{
		Message:          contract.MessageName(a.Channel.Name(), a.ID),
		EmailChannel:     eventChannel(a.Channel),
		Sequence:         a.Sequence,
		Changed:          contract.Texts(a.Changed),
		OldParserVersion: int32(a.OldParser),
		ParserVersion:    int32(a.Parser),
		Replay:           "tenants/" + a.Channel.Tenant + "/replays/" + contract.Text(a.Replay),
	}
	if a.Mail != nil {
		e.MessageClass = contract.Class(a.Mail.Class)
	}
	data, err = marshal(e)
	return TypeAmended, data, err
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

// received is the event, whole.
func received(c ingest.Committed) *mailintakev1.ReceivedEvent {
	mail := c.Item.Mail
	if mail == nil {
		mail = &ingest.Mail{}
	}
	sum := c.Item.Octets.SHA256()
	return &mailintakev1.ReceivedEvent{
		Message:      contract.MessageName(c.Channel.Name(), c.ID),
		EmailChannel: eventChannel(c.Channel),
		Sequence:     c.Sequence,
		Source:       eventSource(c, c.Item.Octets.Size()),
		Sha256:       hex.EncodeToString(sum[:]),
		Rfc: &mailintakev1.EventHeader{
			MessageId:  contract.Text(mail.MessageID),
			InReplyTo:  contract.Texts(mail.InReplyTo),
			References: contract.Texts(mail.References),
			Date:       contract.Time(mail.Date),
			Subject:    contract.Text(mail.Subject),
		},
		From:             contract.Addresses(mail.From),
		Sender:           contract.Addresses(mail.Sender),
		ReplyTo:          contract.Addresses(mail.ReplyTo),
		To:               contract.Addresses(mail.To),
		Cc:               contract.Addresses(mail.Cc),
		Times:            eventTimes(c),
		Preview:          preview(mail),
		HasHtml:          mail.HasHTML,
		Parts:            contract.Parts(mail.Parts),
		Defects:          contract.Defects(mail.Defects),
		MessageClass:     contract.Class(mail.Class),
		Evidence:         contract.Evidence(mail.Evidence),
		AutoReply:        contract.AutoReply(mail.AutoReply),
		Bounce:           contract.Bounce(mail.Bounce),
		Authentication:   contract.Authentication(mail.Auth),
		Thread:           contract.Thread(c.Thread, c.Channel.Name()),
		Siblings:         contract.Texts(c.Siblings),
		Invitation:       contract.Invitation(mail.Calendar),
		Priority:         contract.Text(string(mail.Priority)),
		MailingList:      contract.MailingList(mail.List),
		MatchedRecipient: contract.Recipient(mail.Recipient),
		Language:         contract.Text(mail.Language),
		Protection:       contract.Text(string(mail.Protection)),
		ParserVersion:    int32(c.Item.Parser),
	}
}

// preview prefers what the sender wrote anew.
func preview(mail *ingest.Mail) string {
	if p := ingest.Preview(mail.ReplyText); p != "" {
		return p
	}
	return ingest.Preview(mail.Text)
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
	return &mailintakev1.EventTimes{ReceiveTime: contract.Time(received), StoreTime: contract.Time(c.At)}
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
