package class

import (
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// classifier is the work on one message.
type classifier struct {
	in       Input
	mail     *ingest.Mail
	header   *header
	subject  string // in lower case, without blanks around it
	from     ingest.Address
	evidence []ingest.Evidence
	told     *notice // see notice; nil until it is asked for
}

// maxEvidence is how many facts are kept.
const maxEvidence = 12

// Classify tells what kind of message it is. It is total: whatever the input, there is a class.
//
// Where several classes apply the first of this order counts, since it says most about what is to be done: COMPLAINT,
// READ_RECEIPT, BOUNCE, AUTO_REPLY, CALENDAR, LIST, SYSTEM, HUMAN. A bounce is looked for before an automatic answer
// because most mailers mark bounces as auto-replied; an invitation before a list because it asks for an answer.
func Classify(in Input) Result {
	c := &classifier{in: in, mail: in.Mail}
	if c.mail == nil {
		c.mail = new(ingest.Mail)
	}
	c.header = readHeader(in.Header)
	c.subject = strings.ToLower(strings.TrimSpace(cut(c.mail.Subject, 500)))
	if len(c.mail.From) > 0 {
		c.from = c.mail.From[0]
	}
	var r Result
	r.Class, r.Bounce = c.class()
	r.AutoReply = c.permission(r.Class)
	r.Evidence = c.evidence
	return r
}

func (c *classifier) class() (ingest.Class, *ingest.Bounce) {
	if b := c.complaint(); b != nil {
		return ingest.ClassComplaint, b
	}
	if b := c.receipt(); b != nil {
		return ingest.ClassReadReceipt, b
	}
	if b := c.bounce(); b != nil {
		return ingest.ClassBounce, b
	}
	switch {
	case c.automatic():
		return ingest.ClassAutoReply, nil
	case c.calendar():
		return ingest.ClassCalendar, nil
	case c.list():
		return ingest.ClassList, nil
	case c.system():
		return ingest.ClassSystem, nil
	}
	return ingest.ClassHuman, nil
}

// note adds a fact to the evidence.
func (c *classifier) note(rule, source, value string) {
	if len(c.evidence) < maxEvidence {
		c.evidence = append(c.evidence, ingest.Evidence{Rule: rule, Source: cut(source, 100), Value: cut(strings.TrimSpace(value), 200)})
	}
}

// noteField adds a header field to the evidence.
func (c *classifier) noteField(rule string, kind int) {
	c.note(rule, c.header.names[kind], c.header.values[kind])
}

// report gives the parts for machines whose type ends as one of suffixes, without those of attached messages.
func (c *classifier) reports(suffixes ...string) []*Report {
	var list []*Report
	for i := range c.in.Reports {
		r := &c.in.Reports[i]
		if hasSuffixAny(r.ContentType, suffixes) && !c.attached(r.Path) {
			list = append(list, r)
		}
	}
	return list
}

// attached tells parts that lie inside an attached message.
func (c *classifier) attached(path string) bool {
	for i := range c.mail.Parts {
		p := &c.mail.Parts[i]
		if p.Path == path && p.Attached {
			return true
		}
		if strings.HasPrefix(p.ContentType, "message/") && len(path) > len(p.Path) && path[len(p.Path)] == '.' && strings.HasPrefix(path, p.Path) {
			return true
		}
	}
	return false
}

// original is what is known of the message that a report is about: the header of the first one that is attached.
func (c *classifier) original() originalMessage {
	for _, r := range c.reports("rfc822", "rfc822-headers", "rfc822-header", "global-headers") {
		if o := readOriginal(r.Text); o.messageID != "" || o.subject != "" || len(o.to) > 0 {
			return o
		}
	}
	return originalMessage{}
}
