package ingest

import (
	"encoding/json"
	"strings"
	"unicode/utf8"
)

// maxShown is how many octets of a value a Change shows.
const maxShown = 200

// Changes are the fields in which two readings of one message differ, in the order of the proto Message. Fingerprint and
// the times that servers give are not among them: nobody sees those in a Message.
func Changes(old, new *Mail) []Change {
	var list []Change
	for _, f := range fieldsOf() {
		before, after := f.of(old), f.of(new)
		if before != after {
			list = append(list, Change{Field: f.name, Old: shown(before), New: shown(after)})
		}
	}
	return list
}

type field struct {
	name string
	of   func(*Mail) string
}

func fieldsOf() []field {
	return []field{
		{"subject", func(m *Mail) string { return m.Subject }},
		{"from", func(m *Mail) string { return text(m.From) }},
		{"sender", func(m *Mail) string { return text(m.Sender) }},
		{"reply_to", func(m *Mail) string { return text(m.ReplyTo) }},
		{"to", func(m *Mail) string { return text(m.To) }},
		{"cc", func(m *Mail) string { return text(m.Cc) }},
		{"date", func(m *Mail) string {
			if m.Date.IsZero() {
				return ""
			}
			return text(m.Date)
		}},
		{"message_id_header", func(m *Mail) string { return m.MessageID }},
		{"in_reply_to", func(m *Mail) string { return text(m.InReplyTo) }},
		{"references", func(m *Mail) string { return text(m.References) }},
		{"text", func(m *Mail) string { return m.Text }},
		{"text_truncated", func(m *Mail) string { return text(m.TextCut) }},
		{"has_html", func(m *Mail) string { return text(m.HasHTML) }},
		{"parts", func(m *Mail) string { return text(m.Parts) }},
		{"defects", func(m *Mail) string { return text(m.Defects) }},
		{"reply_text", func(m *Mail) string {
			if m.ReplyText == "" {
				return m.Text
			}
			return m.ReplyText
		}},
		{"language", func(m *Mail) string { return m.Language }},
		{"message_class", func(m *Mail) string { return string(m.Class) }},
		{"evidence", func(m *Mail) string { return text(m.Evidence) }},
		{"auto_reply", func(m *Mail) string { return text(m.AutoReply) }},
		{"bounce", func(m *Mail) string { return text(m.Bounce) }},
		{"authentication", func(m *Mail) string { return text(m.Auth) }},
		{"invitation", func(m *Mail) string { return text(m.Calendar) }},
		{"priority", func(m *Mail) string { return string(m.Priority) }},
		{"mailing_list", func(m *Mail) string { return text(m.List) }},
		{"matched_recipient", func(m *Mail) string { return text(m.Recipient) }},
		{"protection", func(m *Mail) string { return string(m.Protection) }},
		{"multiparts", func(m *Mail) string { return text(m.Multiparts) }},
	}
}

// text is a value as JSON, and nothing for what holds nothing: a list that is nil and one that is empty say the same.
func text(v any) string {
	doc, err := json.Marshal(v)
	if err != nil { // a year that JSON has no form for
		return err.Error()
	}
	switch s := string(doc); s {
	case "null", "[]", "{}":
		return ""
	default:
		return s
	}
}

// shown cuts a value between two characters.
func shown(s string) string {
	if len(s) <= maxShown {
		return s
	}
	end := maxShown
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return strings.ToValidUTF8(s[:end], "\uFFFD")
}
