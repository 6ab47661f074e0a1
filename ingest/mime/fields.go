package mime

import (
	"strings"
)

// readFields reads the fields of the message's own header, RFC 5322 §3.6. Of a field that may stand once the first
// counts; recipients are collected from all of them.
func (w *walker) readFields() {
	m, h := w.mail, &w.hdr
	var name [64]byte
	var seen [8]bool
	first := func(i int, field string) bool {
		if seen[i] {
			w.defect(DuplicateField, field, "")
			return false
		}
		seen[i] = true
		return true
	}
	received := false
	for _, f := range h.fields {
		switch string(h.name(f, &name)) {
		case "subject":
			if first(0, "Subject") {
				m.Subject = oneLine(w.headerText(h.value(f), "Subject"))
			}
		case "from":
			if len(m.From) > 0 {
				w.defect(DuplicateField, "From", "")
				break
			}
			m.From = w.addresses(h.value(f), "From")
		case "sender":
			if first(1, "Sender") {
				m.Sender = w.addresses(h.value(f), "Sender")
			}
		case "reply-to":
			if first(2, "Reply-To") {
				m.ReplyTo = w.addresses(h.value(f), "Reply-To")
			}
		case "to":
			m.To = append(m.To, w.addresses(h.value(f), "To")...)
		case "cc":
			m.Cc = append(m.Cc, w.addresses(h.value(f), "Cc")...)
		case "date":
			if first(3, "Date") {
				value := h.value(f)
				var ok bool
				if m.Date, ok = parseDate(value); !ok {
					w.defect(DateBad, "Date", value)
				}
			}
		case "received":
			if !received {
				received = true
				value := h.value(f)
				if i := strings.LastIndexByte(value, ';'); i >= 0 {
					m.Received, _ = parseDate(value[i+1:])
				}
				if m.Received.IsZero() {
					w.defect(DateBad, "Received", "")
				}
			}
		case "message-id":
			if first(4, "Message-ID") {
				m.MessageID = w.messageID(h.value(f))
			}
		case "in-reply-to":
			if first(5, "In-Reply-To") {
				m.InReplyTo = w.identifiers(h.value(f), "In-Reply-To")
			}
		case "references":
			if first(6, "References") {
				m.References = w.identifiers(h.value(f), "References")
			}
		}
	}
	if !seen[3] {
		w.defect(DateMissing, "", "")
	}
	if len(m.From) == 0 {
		w.defect(FromMissing, "", "")
	}
}

// messageID is what stands between the first angle brackets, or the whole where there are none. White space that
// folding brought in is left out.
func (w *walker) messageID(s string) string {
	if i := strings.IndexByte(s, '<'); i >= 0 {
		if j := strings.IndexByte(s[i:], '>'); j >= 0 {
			if id := w.identifier(s[i+1:i+j], "Message-ID"); id != "" {
				return id
			}
		}
	}
	w.defect(MessageIDBad, "Message-ID", s)
	return w.identifier(strings.Trim(s, "<> \t"), "Message-ID")
}

// identifier cleans one message identifier; it is empty if it is beyond the limit.
func (w *walker) identifier(s, field string) string {
	if len(s) > maxMessageID {
		w.defect(MessageIDBad, field, "longer than a line can be")
		return ""
	}
	if strings.ContainsAny(s, " \t") {
		s = strings.NewReplacer(" ", "", "\t", "").Replace(s)
	}
	return clean(s)
}

// identifiers reads the message identifiers of In-Reply-To and References, RFC 5322 §3.6.4: what stands between angle
// brackets; where nothing does, the words of References, and of In-Reply-To those with an at sign, or one that stands
// alone. Of more than maxReferences the first and the last are kept: the first names the thread, the last are the nearest.
func (w *walker) identifiers(s, field string) []string {
	var list []string
	add := func(id string) {
		if id = w.identifier(id, field); id == "" {
			return
		}
		if len(list) == maxReferences {
			w.defect(TooManyIdentifiers, field, "")
			copy(list[1:], list[2:])
			list = list[:maxReferences-1]
		}
		list = append(list, id)
	}
	for rest := s; ; {
		i := strings.IndexByte(rest, '<')
		if i < 0 {
			break
		}
		rest = rest[i+1:]
		j := strings.IndexAny(rest, "<>")
		if j < 0 {
			break
		}
		if rest[j] == '>' {
			add(rest[:j])
			rest = rest[j+1:]
		}
	}
	if list == nil && !strings.ContainsAny(s, "<>") { // In-Reply-To of old may be a sentence, RFC 822 §4.6.2
		words := strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' })
		for _, word := range words {
			if len(words) == 1 || field == "References" {
				add(word)
			} else if i := strings.IndexByte(word, '@'); i > 0 && i < len(word)-1 {
				add(word)
			}
		}
	}
	return list
}

// oneLine makes one line of text: control characters and line ends become spaces.
func oneLine(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] < 0x20 || s[i] == 0x7f {
			s = strings.Map(func(r rune) rune {
				if r < 0x20 || r == 0x7f {
					return ' '
				}
				return r
			}, s)
			break
		}
	}
	return strings.TrimSpace(s)
}
