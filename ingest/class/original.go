package class

import "strings"

// originalMessage is what is known of the message that a report is about.
type originalMessage struct {
	messageID, subject string
	to                 []string // addresses of its To, in order
	// envelope is whom the last server took it for, "for <a@example.org>" of its newest Received, RFC 5321 §4.4.
	envelope string
}

// readOriginal reads the header of an original, which may be broken off anywhere. Only the first header counts.
func readOriginal(text string) originalMessage {
	var o originalMessage
	const longest = 64 << 10
	text = cut(text, longest)
	text = strings.TrimLeft(text, "\n -=")
	var name, value string
	received := 0
	keep := func() {
		switch name {
		case "message-id":
			if o.messageID == "" {
				o.messageID = bareID(value)
			}
		case "subject":
			if o.subject == "" {
				o.subject = cut(strings.TrimSpace(value), 998)
			}
		case "received":
			if received++; received == 1 {
				if i := strings.Index(value, " for <"); i >= 0 {
					if address, start, _, ok := findAddress(value, i); ok && start == i+len(" for <") {
						o.envelope = address
					}
				}
			}
		case "to", "x-hmxmroriginalrecipient":
			for from := 0; len(o.to) < maxRecipients; {
				address, _, end, ok := findAddress(value, from)
				if !ok {
					break
				}
				o.to = append(o.to, address)
				from = end
			}
		}
		name, value = "", ""
	}
	fields, blanks := 0, 0
	for len(text) > 0 {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		if strings.TrimSpace(line) == "" {
			// Notices have blank lines in a header now and then.
			if blanks++; fields > 2 && !followsField(text) {
				break
			}
			continue
		}
		if (line[0] == ' ' || line[0] == '\t') && name != "" && fieldPrefix(lower(strings.TrimSpace(line))) == 0 {
			if len(value) < 4000 {
				value += " " + strings.TrimSpace(line)
			}
			continue
		}
		t := strings.TrimSpace(line)
		if i := fieldPrefix(t); i > 0 && i < 60 {
			keep()
			name, value = lower(t[:i-1]), t[i:]
			fields++
		}
	}
	keep()
	return o
}

// followsField tells whether a header field is the next thing in a text.
func followsField(text string) bool {
	text = strings.TrimLeft(text, "\n")
	line, _, _ := strings.Cut(text[:min(len(text), 1000)], "\n")
	i := fieldPrefix(lower(strings.TrimSpace(line)))
	return i > 0 && strings.Contains("message-id: subject: to: from: date: mime-version: received: content-type: return-path: reply-to: sender:", lower(strings.TrimSpace(line))[:i])
}
