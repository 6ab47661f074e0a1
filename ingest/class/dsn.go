package class

import (
	"mime"
	"strings"
)

// deliveryStatus is what a message/delivery-status part says, RFC 3464.
type deliveryStatus struct {
	reportingMTA string
	messageID    string // of the original, where an X- field has it
	recipients   []statusGroup
}

// statusGroup are the fields of one recipient, RFC 3464 §2.3.
type statusGroup struct {
	final, original string // addr-specs, or what stands in their place
	action          string // lower case
	status          string // the code alone
	statusText      string // the field as it stands
	diagnosticType  string // lower case; empty where the field names none
	diagnostic      string
	category        string // reason by X-PowerMTA-BounceCategory
	seenRecipient   bool
	seenAny         bool
}

// maxRecipients is how many recipients of a notification are kept.
const maxRecipients = 100

// readDeliveryStatus reads a report. Groups are separated by blank lines (RFC 3464 §2.1); writers that forget them, set
// more of them or fold without white space are understood as well: a group ends where a field comes that it has already.
func readDeliveryStatus(text string) deliveryStatus {
	var d deliveryStatus
	var g statusGroup
	flush := func() {
		if g.seenAny && (g.final != "" || g.original != "" || g.status != "" || g.action != "") && len(d.recipients) < maxRecipients {
			d.recipients = append(d.recipients, g)
		}
		g = statusGroup{}
	}
	blank := false
	eachField(text, func(name, value string, gap bool) {
		blank = blank || gap
		field := recipientField(name)
		if field == "" {
			d.messageField(name, value)
			return
		}
		if g.seenAny && (blank && g.seenRecipient || g.has(field)) {
			flush()
		}
		blank = false
		g.set(field, value)
	})
	flush()
	// A group without a recipient says something only where there is no other.
	kept := d.recipients[:0]
	for _, r := range d.recipients {
		if r.final != "" || r.original != "" {
			kept = append(kept, r)
		}
	}
	if len(kept) > 0 {
		d.recipients = kept
	}
	return d
}

// eachField calls f for each field of a report. A line that is no field goes on the one before it. gap says that blank
// lines stand before the field.
func eachField(text string, f func(name, value string, gap bool)) {
	const longest = 4000 // octets of one value
	var name, value string
	gap, pendingGap := false, false
	flush := func() {
		if name != "" {
			f(name, strings.TrimSpace(value), gap)
		}
		name, value = "", ""
	}
	for len(text) > 0 {
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimRight(line, " \t\r")
		if line == "" {
			pendingGap = true
			continue
		}
		n, v, ok := splitField(line)
		if ok {
			flush()
			name, value, gap, pendingGap = n, v, pendingGap, false
			continue
		}
		if name != "" && len(value) < longest && !strings.HasPrefix(line, "--") {
			value += " " + strings.TrimSpace(line)
		}
	}
	flush()
}

// splitField takes a line apart that begins a field; the name is in lower case with hyphens for blanks.
func splitField(line string) (name, value string, ok bool) {
	i := strings.IndexByte(line, ':')
	if i < 2 || i > 40 || line[0] == ' ' || line[0] == '\t' {
		return "", "", false
	}
	name = lower(strings.TrimRight(line[:i], " "))
	if !isAlnum(name[0]) || isDigit(name[0]) {
		return "", "", false
	}
	for j := 0; j < len(name); j++ {
		if !isAlnum(name[j]) && name[j] != '-' && name[j] != '_' {
			if name[j] != ' ' || recipientField(strings.ReplaceAll(name, " ", "-")) == "" {
				return "", "", false
			}
		}
	}
	return strings.ReplaceAll(name, " ", "-"), strings.TrimSpace(line[i+1:]), true
}

// recipientField gives the field of a recipient that a name means, or nothing.
func recipientField(name string) string {
	switch name {
	case "final-recipient", "original-recipient", "action", "status", "diagnostic-code":
		return name
	case "final-rcpt", "finalrecipient", "recipient", "x-final-recipient":
		return "final-recipient"
	case "originalrecipient":
		return "original-recipient"
	case "diagnosticcode", "diagnostic":
		return "diagnostic-code"
	case "x-powermta-bouncecategory":
		return "category"
	case "remote-mta", "last-attempt-date", "final-log-id", "will-retry-until", "x-actual-recipient", "x-display-name", "x-supplementary-info":
		return "other"
	}
	return ""
}

// has tells that a field which a group has once at most is there.
func (g *statusGroup) has(field string) bool {
	switch field {
	case "final-recipient":
		return g.final != ""
	case "original-recipient":
		return g.original != ""
	case "action":
		return g.action != ""
	case "status":
		return g.statusText != ""
	}
	return false
}

func (g *statusGroup) set(field, value string) {
	switch field {
	case "final-recipient":
		g.final = typedAddress(value)
		g.seenRecipient = true
	case "original-recipient":
		g.original = typedAddress(value)
		g.seenRecipient = true
	case "action":
		g.action = firstWord(lower(value))
	case "status":
		g.statusText = value
		if g.status = findStatus(cut(value, 200), true); g.status == "" && len(value) > 0 && (value[0] == '4' || value[0] == '5') && digits(value) == 1 {
			g.status = value[:1] + ".0.0"
		}
	case "category":
		g.category = powerMTACategory(lower(value))
	case "diagnostic-code":
		if g.diagnostic == "" {
			g.diagnosticType, g.diagnostic = diagnosticOf(value)
		} else if len(g.diagnostic) < 4000 {
			g.diagnostic += " " + value
		}
	}
	g.seenAny = true
}

// messageField keeps what is said of the whole message, RFC 3464 §2.2.
func (d *deliveryStatus) messageField(name, value string) {
	switch name {
	case "reporting-mta":
		if d.reportingMTA == "" {
			d.reportingMTA = typedValue(value)
		}
	case "x-original-message-id", "original-message-id", "x-message-id":
		if d.messageID == "" {
			d.messageID = bareID(value)
		}
	}
}

// typedAddress is the address of a field with an address type, RFC 3464 §2.3.1: "rfc822; a@example.org".
func typedAddress(value string) string {
	value = decodeWords(value)
	if strings.IndexFunc(value, func(r rune) bool { return r >= 0x80 }) >= 0 {
		// "utf-8; …", RFC 6533 §3
		return cut(strings.Trim(firstWord(typedValue(value)), "<>"), maxAddress)
	}
	if address, _, _, ok := findAddress(value, 0); ok {
		return address
	}
	v := strings.Trim(typedValue(value), "<>\"' ")
	if strings.ContainsAny(v, " \t") || v == "" {
		v = firstWord(v)
	}
	return cut(v, maxAddress)
}

// decodeWords decodes encoded words (RFC 2047), which some mailers make of addresses.
func decodeWords(s string) string {
	if !strings.Contains(s, "=?") {
		return s
	}
	decoded, err := new(mime.WordDecoder).DecodeHeader(s)
	if err != nil {
		return s
	}
	return clean(decoded)
}

// clean makes valid UTF-8 without NUL of what was decoded here; all other text is clean when it comes.
func clean(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "") }

// typedValue is a value without its type.
func typedValue(value string) string {
	if i := strings.IndexByte(value, ';'); i >= 0 && i <= 30 && !strings.ContainsAny(strings.TrimSpace(value[:i]), " @") {
		value = value[i+1:]
	}
	return strings.TrimSpace(value)
}

// diagnosticOf splits the type off a diagnostic code, RFC 3464 §2.3.6.
func diagnosticOf(value string) (kind, text string) {
	if i := strings.LastIndex(value, " (delivery attempts: "); i > 0 { // Amazon SES counts
		value = value[:i]
	}
	text = typedValue(value)
	if len(text) < len(value) {
		if i := strings.IndexByte(value, ';'); i >= 0 {
			kind = lower(strings.TrimSpace(value[:i]))
		}
	}
	return kind, text
}

func firstWord(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.IndexAny(s, " \t(;,"); i >= 0 {
		s = s[:i]
	}
	return s
}

// bareID is a message identifier without its brackets, RFC 5322 §3.6.4.
func bareID(s string) string {
	if i := strings.IndexByte(s, '<'); i >= 0 {
		s = s[i+1:]
		if j := strings.IndexByte(s, '>'); j >= 0 {
			s = s[:j]
		}
	}
	return cut(firstWord(s), 998)
}

// powerMTACategory is the reason that PowerMTA gives a bounce; nothing for the vague ones.
func powerMTACategory(category string) string {
	switch category {
	case "bad-mailbox":
		return userUnknown
	case "bad-domain":
		return hostUnknown
	case "inactive-mailbox":
		return suspended
	case "quota-issues":
		return mailboxFull
	case "spam-related", "spam-block", "spam-content":
		return spamDetected
	case "policy-related":
		return policyViolation
	case "content-related":
		return contentError
	case "message-expired":
		return expired
	case "relaying-issues":
		return relayingDenied
	case "no-answer-from-host", "routing-errors", "bad-connection", "dns-failure":
		return networkError
	}
	return ""
}
