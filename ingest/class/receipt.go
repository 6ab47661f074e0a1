package class

import (
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// rejection is the disposition notification with which a recipient's filter refuses a message, RFC 5429 §2.2.1: it was
// deleted by a program, and the notification says that it was rejected. Nobody has received the message then.
func (c *classifier) rejection() *Report {
	for _, r := range c.reports("/disposition-notification", "/global-disposition-notification") {
		deleted := false
		eachField(r.Text, func(name, value string, _ bool) {
			value = lower(value)
			deleted = deleted || name == "disposition" && strings.Contains(value, "automatic-action") && strings.Contains(value, "deleted")
		})
		if deleted && (strings.Contains(lower(c.header.values[autoSubmitted]), "rejected") || strings.Contains(lower(cut(c.mail.Text, 500)), "rejected")) {
			return r
		}
	}
	return nil
}

// receipt recognises a message disposition notification, RFC 8098.
func (c *classifier) receipt() *ingest.Bounce {
	reports := c.reports("/disposition-notification", "/global-disposition-notification")
	if len(reports) == 0 {
		value := lower(c.header.values[contentType])
		if !strings.HasPrefix(value, "multipart/report") || !strings.Contains(value, "disposition-notification") {
			return nil
		}
		c.noteField("disposition-report", contentType)
		return new(ingest.Bounce)
	}
	if c.rejection() != nil {
		return nil
	}
	c.note("disposition-notification", reports[0].Path, reports[0].ContentType)
	b := new(ingest.Bounce)
	var r ingest.BounceRecipient
	eachField(reports[0].Text, func(name, value string, _ bool) {
		switch name {
		case "final-recipient":
			r.Address = typedAddress(value)
		case "original-recipient":
			r.Original = typedAddress(value)
		case "original-message-id":
			b.OriginalMessageID = bareID(value)
		case "disposition":
			r.Diagnostic = cut(value, maxDiagnostic)
		case "reporting-ua":
			b.ReportingMTA = cut(value, 255)
		}
	})
	if r.Address == "" {
		r.Address = r.Original
	}
	if strings.EqualFold(r.Address, r.Original) {
		r.Original = ""
	}
	if r.Address != "" {
		b.Recipients = []ingest.BounceRecipient{r}
	}
	o := c.original()
	if b.OriginalMessageID == "" {
		b.OriginalMessageID = o.messageID
	}
	b.OriginalSubject = o.subject
	return b
}
