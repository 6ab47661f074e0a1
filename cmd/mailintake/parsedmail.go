package main

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/mime"
)

// parsedMail is what parse prints of one file. Every field is always there; the types do not change with what was found.
type parsedMail struct {
	File        string             `json:"file"`
	Subject     string             `json:"subject"`
	From        []parsedAddress    `json:"from"`
	To          []parsedAddress    `json:"to"`
	Cc          []parsedAddress    `json:"cc"`
	Date        *string            `json:"date"` // RFC 3339; null if missing or unreadable
	MessageID   string             `json:"message_id"`
	InReplyTo   []string           `json:"in_reply_to"`
	References  []string           `json:"references"`
	Text        string             `json:"text"`
	ReplyText   string             `json:"reply_text"`
	HasHTML     bool               `json:"has_html"`
	Attachments []parsedAttachment `json:"attachments"`
	Class       ingest.Class       `json:"class"`
	Bounce      *parsedBounce      `json:"bounce"` // null unless it is a delivery status notification
	Language    string             `json:"language"`
	Defects     []parsedDefect     `json:"defects"`
	*explained                     // with --explain
}

type parsedAddress struct {
	Name    string `json:"name"`
	Address string `json:"address"`
}

type parsedAttachment struct {
	Filename    string `json:"filename"`
	ContentType string `json:"content_type"`
	Size        int64  `json:"size"`
	SHA256      string `json:"sha256"`
	Inline      bool   `json:"inline"`
}

type parsedBounce struct {
	Recipients []string `json:"recipients"`
	Action     string   `json:"action"`
	Status     string   `json:"status"`
	Hard       bool     `json:"hard"`
}

type parsedDefect struct {
	Code  string `json:"code"`
	Where string `json:"where"`
	Text  string `json:"text"`
}

// explained is what --explain adds.
type explained struct {
	Evidence   []parsedEvidence   `json:"evidence"` // what class and auto_reply rest on, strongest first
	AutoReply  ingest.AutoReply   `json:"auto_reply"`
	Report     *ingest.Bounce     `json:"report"`      // all of a notification, receipt or complaint; null if it is none
	Sender     []parsedAddress    `json:"sender"`      // Sender
	ReplyTo    []parsedAddress    `json:"reply_to"`    // Reply-To
	Received   *string            `json:"received"`    // time of the topmost Received field
	Priority   ingest.Priority    `json:"priority"`    // HIGH, NORMAL, LOW or empty
	List       ingest.List        `json:"list"`        // mailing list
	Recipient  ingest.Recipient   `json:"recipient"`   // which of the channel's addresses it is for
	Calendar   *ingest.Invite     `json:"calendar"`    // invitation
	Thread     parsedThread       `json:"thread"`      // what threading goes by
	Auth       ingest.Auth        `json:"auth"`        // what the header says about the origin
	Protection ingest.Protection  `json:"protection"`  // signed or encrypted
	Multiparts []ingest.Multipart `json:"multiparts"`  // inner nodes of the tree
	Parts      []ingest.Part      `json:"parts"`       // leaves of the tree
	TextCut    bool               `json:"text_cut"`    // text was longer
	Print      string             `json:"fingerprint"` // equal for copies of one message
	Parser     int                `json:"parser"`      // version of the parser
}

type parsedEvidence struct {
	Rule   string `json:"rule"`
	Source string `json:"source"`
	Value  string `json:"value"`
}

// parsedThread says what a message answers. Whether that is stored, only the service knows.
type parsedThread struct {
	Root    string   `json:"root"`    // Message-ID that the conversation began with, as far as this message tells
	Parents []string `json:"parents"` // Message-IDs that it may answer, nearest first
}

// parsedLine is one line of JSON, with its end.
func parsedLine(file string, m *ingest.Mail, explain bool) ([]byte, error) {
	p := parsedMail{
		File: file, Subject: m.Subject, From: parsedAddresses(m.From), To: parsedAddresses(m.To), Cc: parsedAddresses(m.Cc), Date: rfc3339(m.Date),
		MessageID: m.MessageID, InReplyTo: listOf(m.InReplyTo), References: listOf(m.References), Text: m.Text, ReplyText: m.ReplyText,
		HasHTML: m.HasHTML, Attachments: []parsedAttachment{}, Class: m.Class, Language: m.Language, Defects: []parsedDefect{},
	}
	for _, a := range m.Attachments() {
		p.Attachments = append(p.Attachments, parsedAttachment{a.Filename, a.ContentType, a.Size, a.SHA256, a.Inline})
	}
	if b := m.Bounce; b != nil && m.Class == ingest.ClassBounce {
		p.Bounce = &parsedBounce{Recipients: []string{}, Action: b.Action, Status: b.Status, Hard: b.Hard}
		for _, r := range b.Recipients {
			p.Bounce.Recipients = append(p.Bounce.Recipients, r.Address)
		}
	}
	for _, d := range m.Defects {
		p.Defects = append(p.Defects, parsedDefect(d))
	}
	if explain {
		p.explained = explainMail(m)
	}
	var line bytes.Buffer
	e := json.NewEncoder(&line)
	e.SetEscapeHTML(false)
	err := e.Encode(p)
	return line.Bytes(), err
}

func explainMail(m *ingest.Mail) *explained {
	x := &explained{
		Evidence: []parsedEvidence{}, AutoReply: m.AutoReply, Report: m.Bounce, Sender: parsedAddresses(m.Sender), ReplyTo: parsedAddresses(m.ReplyTo),
		Received: rfc3339(m.Received), Priority: m.Priority, List: m.List, Recipient: m.Recipient, Calendar: m.Calendar, Auth: m.Auth,
		Protection: m.Protection, Multiparts: listOf(m.Multiparts), Parts: listOf(m.Parts), TextCut: m.TextCut, Print: m.Fingerprint, Parser: mime.Version,
	}
	for _, e := range m.Evidence {
		x.Evidence = append(x.Evidence, parsedEvidence(e))
	}
	x.Thread.Parents = parents(m)
	switch {
	case len(m.References) > 0:
		x.Thread.Root = m.References[0]
	case len(m.InReplyTo) > 0:
		x.Thread.Root = m.InReplyTo[0]
	default:
		x.Thread.Root = m.MessageID
	}
	return x
}

// parents are the messages that m may answer: the last of References is the nearest (RFC 5322 §3.6.4).
func parents(m *ingest.Mail) []string {
	list := listOf(m.InReplyTo)
	for i := len(m.References) - 1; i >= 0; i-- {
		known := false
		for _, p := range list {
			known = known || p == m.References[i]
		}
		if !known {
			list = append(list, m.References[i])
		}
	}
	return list
}

func parsedAddresses(list []ingest.Address) []parsedAddress {
	out := make([]parsedAddress, len(list))
	for i, a := range list {
		out[i] = parsedAddress{a.Name, a.Email}
	}
	return out
}

// rfc3339 is nil for a time that is unknown, or that RFC 3339 §5.6 cannot say: years have four digits, offsets at most
// 23 hours.
func rfc3339(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	b, err := t.Truncate(time.Second).MarshalText()
	if err != nil {
		if b, err = t.UTC().Truncate(time.Second).MarshalText(); err != nil {
			return nil
		}
	}
	s := string(b)
	return &s
}

// listOf is a list that JSON writes as [] where it is empty, and that can be added to.
func listOf[T any](list []T) []T { return append([]T{}, list...) }
