// Package contract says what is known of a message in the words of the API and of the events (proto/mailintake/v1). All
// strings that it makes are valid UTF-8.
package contract

import (
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mailintake/mailintake/ingest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// Text makes a string fit for the wire, which takes valid UTF-8 only.
func Text(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// Texts is Text for a list; an empty one is nil.
func Texts(list []string) []string {
	return each(list, func(s *string) string { return Text(*s) })
}

// Time is nil for times that are unknown or beyond what a Timestamp can express (years 1 to 9999).
func Time(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	if ts := timestamppb.New(t); ts.IsValid() {
		return ts
	}
	return nil
}

// each converts a list; an empty one is nil.
func each[T, P any](list []T, convert func(*T) P) []P {
	if len(list) == 0 {
		return nil
	}
	out := make([]P, len(list))
	for i := range list {
		out[i] = convert(&list[i])
	}
	return out
}

// Addresses are the mailboxes of an address field.
func Addresses(list []ingest.Address) []*mailintakev1.Address { return each(list, address) }

func address(a *ingest.Address) *mailintakev1.Address {
	return &mailintakev1.Address{Name: Text(a.Name), Email: Text(a.Email)}
}

// Parts are the leaves of the MIME tree.
func Parts(list []ingest.Part) []*mailintakev1.Part { return each(list, Part) }

// Part is one leaf.
func Part(p *ingest.Part) *mailintakev1.Part {
	return &mailintakev1.Part{
		Path: Text(p.Path), ContentType: Text(p.ContentType), Charset: Text(p.Charset), Filename: Text(p.Filename), ContentId: Text(p.ContentID),
		Inline: p.Inline, Body: p.Body, SizeBytes: p.Size, Sha256: Text(p.SHA256), Attached: p.Attached,
	}
}

// Multiparts are the inner nodes of the MIME tree.
func Multiparts(list []ingest.Multipart) []*mailintakev1.Multipart {
	return each(list, func(m *ingest.Multipart) *mailintakev1.Multipart {
		return &mailintakev1.Multipart{Path: Text(m.Path), ContentType: Text(m.ContentType)}
	})
}

// Header is a message's header.
func Header(list []ingest.Field) []*mailintakev1.HeaderField {
	return each(list, func(f *ingest.Field) *mailintakev1.HeaderField {
		return &mailintakev1.HeaderField{Name: Text(f.Name), Value: Text(f.Value)}
	})
}

// Defects are what is wrong with a message.
func Defects(list []ingest.Defect) []*mailintakev1.Defect {
	return each(list, func(d *ingest.Defect) *mailintakev1.Defect {
		return &mailintakev1.Defect{Code: Text(d.Code), Where: Text(d.Where), Text: Text(d.Text)}
	})
}

// MailingList is nil where there is none.
func MailingList(l ingest.List) *mailintakev1.MailingList {
	if l == (ingest.List{}) {
		return nil
	}
	return &mailintakev1.MailingList{Id: Text(l.ID), Unsubscribe: Text(l.Unsubscribe), Post: Text(l.Post)}
}

// Recipient is nil where none of the channel's addresses was found.
func Recipient(r ingest.Recipient) *mailintakev1.MatchedRecipient {
	if r.Address == "" {
		return nil
	}
	return &mailintakev1.MatchedRecipient{Address: Text(r.Address), Alias: Text(r.Alias), Tag: Text(r.Tag), Source: Text(r.Source)}
}

// Invitation is nil where there is none.
func Invitation(i *ingest.Invite) *mailintakev1.Invitation {
	if i == nil {
		return nil
	}
	out := &mailintakev1.Invitation{
		Method: Text(i.Method), Uid: Text(i.UID), Sequence: number(i.Sequence), Summary: Text(i.Summary), Location: Text(i.Location),
		Attendees: Addresses(i.Attendees), StartTime: Time(i.Start), EndTime: Time(i.End), AllDay: i.AllDay, Recurrence: Text(i.Recurs),
		Status: Text(i.Status), TimeZone: Text(i.Timezone), Text: Text(i.Text),
	}
	if i.Organizer != (ingest.Address{}) {
		out.Organizer = address(&i.Organizer)
	}
	return out
}

// number keeps a count that senders can make up within its type.
func number(n int) int32 { return int32(min(max(n, -1<<31), 1<<31-1)) }
