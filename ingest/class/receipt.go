package class

import (
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

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
