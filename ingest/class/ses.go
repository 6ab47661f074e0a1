package class

import (
	"encoding/json"
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// sesNotification is a notification of Amazon SES, which SNS sends by mail as JSON.
type sesNotification struct {
	Kind   string `json:"notificationType"` // Bounce, Complaint or Delivery
	Event  string `json:"eventType"`
	Bounce struct {
		Type       string `json:"bounceType"` // Permanent, Transient or Undetermined
		Recipients []struct {
			Address    string `json:"emailAddress"`
			Action     string `json:"action"`
			Status     string `json:"status"`
			Diagnostic string `json:"diagnosticCode"`
		} `json:"bouncedRecipients"`
		ReportingMTA string `json:"reportingMTA"`
	} `json:"bounce"`
	Complaint struct {
		Recipients []struct {
			Address string `json:"emailAddress"`
		} `json:"complainedRecipients"`
		Type string `json:"complaintFeedbackType"`
	} `json:"complaint"`
	Delivery struct {
		Recipients   []string `json:"recipients"`
		Response     string   `json:"smtpResponse"`
		ReportingMTA string   `json:"reportingMTA"`
	} `json:"delivery"`
	Mail struct {
		MessageID string `json:"messageId"`
		Headers   struct {
			MessageID string `json:"messageId"`
			Subject   string `json:"subject"`
		} `json:"commonHeaders"`
	} `json:"mail"`
}

// readSES reads a notification out of a text; nil where it is none. The whole must be JSON, but SNS adds a footer.
func readSES(text string) *sesNotification {
	const longest = 128 << 10
	if len(text) > longest {
		return nil
	}
	text = strings.TrimSpace(text)
	if !strings.HasPrefix(text, "{") || !strings.Contains(text, "otificationType") && !strings.Contains(text, "eventType") {
		return nil
	}
	// The lines are longer than a mail may have; who folds them breaks strings, which have no line ends of their own.
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\n ", ""), "\n", "")
	var n sesNotification
	var envelope struct {
		Type    string
		Message string
	}
	if json.NewDecoder(strings.NewReader(text)).Decode(&envelope) == nil && strings.HasPrefix(envelope.Message, "{") {
		text = envelope.Message
	}
	if json.NewDecoder(strings.NewReader(text)).Decode(&n) != nil {
		return nil
	}
	if n.Kind == "" {
		n.Kind = n.Event
	}
	switch n.Kind {
	case "Bounce", "Complaint", "Delivery":
	default:
		return nil
	}
	for _, s := range []*string{&n.Bounce.ReportingMTA, &n.Delivery.Response, &n.Delivery.ReportingMTA, &n.Mail.MessageID, &n.Mail.Headers.MessageID,
		&n.Mail.Headers.Subject, &n.Complaint.Type} {
		*s = clean(*s)
	}
	for i := range n.Bounce.Recipients {
		r := &n.Bounce.Recipients[i]
		r.Address, r.Action, r.Status, r.Diagnostic = clean(r.Address), clean(r.Action), clean(r.Status), clean(r.Diagnostic)
	}
	for i := range n.Complaint.Recipients {
		n.Complaint.Recipients[i].Address = clean(n.Complaint.Recipients[i].Address)
	}
	for i := range n.Delivery.Recipients {
		n.Delivery.Recipients[i] = clean(n.Delivery.Recipients[i])
	}
	return &n
}

func (n *sesNotification) bounce() *ingest.Bounce {
	b := &ingest.Bounce{ReportingMTA: cut(typedValue(n.Bounce.ReportingMTA+n.Delivery.ReportingMTA), 255)}
	n.about(b)
	for _, r := range n.Bounce.Recipients {
		kind, text := diagnosticOf(r.Diagnostic)
		out := ingest.BounceRecipient{Address: typedAddress(r.Address), Action: firstWord(lower(r.Action))}
		f := failure{diagnostic: text, kind: kind, action: out.Action, status: refine(statusAt(strings.TrimSpace(r.Status)), text)}
		new(classifier).judge(&out, &f)
		if b.Recipients = append(b.Recipients, out); len(b.Recipients) == maxRecipients {
			break
		}
	}
	for _, address := range n.Delivery.Recipients {
		if len(b.Recipients) == maxRecipients {
			break
		}
		out := ingest.BounceRecipient{Address: typedAddress(address), Action: "delivered", Reason: delivered, Status: findStatus(n.Delivery.Response, true),
			Diagnostic: cut(n.Delivery.Response, maxDiagnostic)}
		if digits(n.Delivery.Response) == 3 {
			out.ReplyCode = n.Delivery.Response[:3]
		}
		b.Recipients = append(b.Recipients, out)
	}
	if len(b.Recipients) > 0 {
		b.Action, b.Status, b.Hard = b.Recipients[0].Action, b.Recipients[0].Status, b.Recipients[0].Hard
	}
	return b
}

func (n *sesNotification) complaint(b *ingest.Bounce) {
	n.about(b)
	b.FeedbackType = cut(lower(firstWord(n.Complaint.Type)), 50)
	for _, r := range n.Complaint.Recipients {
		if b.Recipients = append(b.Recipients, ingest.BounceRecipient{Address: typedAddress(r.Address)}); len(b.Recipients) == maxRecipients {
			break
		}
	}
}

// about says which message it is about.
func (n *sesNotification) about(b *ingest.Bounce) {
	b.OriginalMessageID = bareID(n.Mail.Headers.MessageID)
	if b.OriginalMessageID == "" {
		b.OriginalMessageID = bareID(n.Mail.MessageID)
	}
	b.OriginalSubject = cut(n.Mail.Headers.Subject, 998)
}
