package mime

import (
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// readOrigin reads what the header says about urgency and mailing lists.
func (p *parser) readOrigin() {
	for i := range p.header {
		f := &p.header[i]
		switch strings.ToLower(f.Name) {
		case "importance", "priority", "x-priority", "x-msmail-priority":
			// Where fields disagree, the one that says something other than normal is meant.
			if v := priorityOf(f.Value); p.mail.Priority == "" || p.mail.Priority == ingest.PriorityNormal && v != "" {
				p.mail.Priority = v
			}
		case "list-id":
			if p.mail.List.ID == "" {
				p.mail.List.ID = shorten(listID(oneLine(p.headerText(f.Value, f.Name))), maxMessageID)
			}
		case "list-unsubscribe":
			if p.mail.List.Unsubscribe == "" {
				p.mail.List.Unsubscribe = firstURI(f.Value)
			}
		case "list-post":
			if p.mail.List.Post == "" {
				p.mail.List.Post = firstURI(f.Value)
				if p.mail.List.Post == "" && strings.EqualFold(strings.TrimSpace(dropComments(f.Value)), "NO") { // RFC 2369 §3.4
					p.mail.List.Post = "NO"
				}
			}
		}
	}
}

// priorityOf reads Importance (RFC 2156 §5.3.4: high, normal, low), Priority (§5.3.6: urgent, normal, non-urgent) and
// X-Priority (1 to 5, the highest first, often with words behind). It is empty for what says nothing.
func priorityOf(value string) ingest.Priority {
	word, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(value)), " ")
	switch strings.Trim(word, `"();,.`) {
	case "high", "highest", "urgent", "1", "2":
		return ingest.PriorityHigh
	case "normal", "medium", "3":
		return ingest.PriorityNormal
	case "low", "lowest", "non-urgent", "nonurgent", "4", "5":
		return ingest.PriorityLow
	}
	return ""
}

// listID is what stands between the last angle brackets, RFC 2919 §3, or the whole where there are none.
func listID(value string) string {
	if i := strings.LastIndexByte(value, '<'); i >= 0 {
		value = value[i+1:]
		if j := strings.IndexByte(value, '>'); j >= 0 {
			value = value[:j]
		}
	}
	return strings.TrimSpace(value)
}

// firstURI is the first URI in angle brackets, RFC 2369 §2; white space that folding brought in is left out.
func firstURI(value string) string {
	for {
		_, rest, found := strings.Cut(value, "<")
		if !found {
			return ""
		}
		uri, after, found := strings.Cut(rest, ">")
		if !found {
			return ""
		}
		if uri = strings.Join(strings.Fields(uri), ""); strings.Contains(uri, ":") {
			return uri
		}
		value = after
	}
}
