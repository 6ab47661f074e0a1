package class

import (
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// complaint recognises an abuse report (RFC 5965), and those that providers send in another form.
func (c *classifier) complaint() *ingest.Bounce {
	b := new(ingest.Bounce)
	if reports := c.reports("/feedback-report"); len(reports) > 0 {
		c.note("feedback-report", reports[0].Path, reports[0].ContentType)
		readFeedback(reports[0].Text, b)
	} else if !c.plainComplaint(b) {
		return nil
	}
	o := c.original()
	if b.OriginalMessageID == "" {
		b.OriginalMessageID = o.messageID
	}
	b.OriginalSubject = o.subject
	if len(b.Recipients) == 0 && len(o.to) > 0 {
		b.Recipients = append(b.Recipients, ingest.BounceRecipient{Address: o.to[0]})
	}
	if b.FeedbackType == "" {
		b.FeedbackType = "abuse"
	}
	return b
}

// readFeedback reads the fields of a feedback report, RFC 5965 §3.
func readFeedback(text string, b *ingest.Bounce) {
	eachField(text, func(name, value string, _ bool) {
		switch name {
		case "feedback-type":
			if b.FeedbackType == "" {
				b.FeedbackType = cut(lower(firstWord(value)), 50)
			}
		case "original-rcpt-to", "removal-recipient":
			for from := 0; len(b.Recipients) < maxRecipients; {
				address, _, end, ok := findAddress(value, from)
				if !ok {
					break
				}
				if !reportedBefore(b, address) {
					b.Recipients = append(b.Recipients, ingest.BounceRecipient{Address: address})
				}
				from = end
			}
		case "original-message-id":
			if b.OriginalMessageID == "" {
				b.OriginalMessageID = bareID(value)
			}
		case "reporting-mta":
			if b.ReportingMTA == "" {
				b.ReportingMTA = cut(typedValue(value), 255)
			}
		}
	})
}

func reportedBefore(b *ingest.Bounce, address string) bool {
	for i := range b.Recipients {
		if strings.EqualFold(b.Recipients[i].Address, address) {
			return true
		}
	}
	return false
}

// plainComplaint recognises complaints without a report: of Outlook.com's junk mail programme, of Apple Mail's button to
// unsubscribe, and of Amazon SES.
func (c *classifier) plainComplaint(b *ingest.Bounce) bool {
	switch {
	case strings.HasPrefix(c.subject, "complaint about message from ") && len(c.reports("rfc822", "rfc822-headers")) > 0:
		c.note("complaint-subject", "Subject", c.mail.Subject)
		b.FeedbackType = "abuse"
		return true
	case c.subject == "unsubscribe" && strings.HasPrefix(c.mail.Text, "Apple Mail sent this email to unsubscribe"):
		c.note("unsubscribe-request", "text", c.mail.Text)
		b.FeedbackType = "opt-out"
		if c.from.Email != "" {
			b.Recipients = append(b.Recipients, ingest.BounceRecipient{Address: c.from.Email})
		}
		return true
	}
	if n := readSES(c.mail.Text); n != nil && n.Kind == "Complaint" {
		c.note("ses-complaint", "text", c.mail.Text)
		n.complaint(b)
		return true
	}
	return false
}
