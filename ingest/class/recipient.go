package class

import (
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// readBounce puts together what report, text, header and original say.
func (c *classifier) readBounce(d deliveryStatus) *ingest.Bounce {
	n := c.notice()
	if len(n.entries) == 0 {
		// Who writes to a dead address of his own gets the notice where the mail should have gone.
		from := make(addressSet)
		from.add(c.mail.From)
		again := readNotice(c.mail.Text, "", from)
		if len(again.entries) == 1 && c.header.values[failedRecipients] == "" {
			n = again
		}
	}
	o := c.original()
	if o.messageID == "" && o.subject == "" && len(o.to) == 0 {
		o = readOriginal(n.original)
	}
	n.complete(c.failedRecipients(), o.to)
	if len(d.recipients) == 0 {
		// The report may stand in the text, where a multipart is broken or was never one.
		if i := strings.Index(lower(cut(c.mail.Text, maxNotice)), "final-recipient:"); i >= 0 {
			text := cut(c.mail.Text, maxNotice)
			start := strings.LastIndex(text[:i], "\n\n")
			d = readDeliveryStatus(stopAtBoundary(text[max(start, 0):]))
		}
	}
	if len(d.recipients) == 0 && len(n.entries) == 0 {
		// A notice that wraps another notice: the inner one says who failed.
		for i := range c.in.Reports {
			if r := &c.in.Reports[i]; strings.HasSuffix(r.ContentType, "delivery-status") && len(d.recipients) == 0 {
				d = readDeliveryStatus(r.Text)
			}
		}
	}
	b := &ingest.Bounce{ReportingMTA: cut(d.reportingMTA, 255), OriginalMessageID: o.messageID, OriginalSubject: o.subject}
	if b.OriginalMessageID == "" {
		b.OriginalMessageID = d.messageID
	}
	if len(d.recipients) > 0 {
		c.reported(b, d, n, o)
	} else {
		c.name(b, n, o)
	}
	if len(b.Recipients) == maxRecipients {
		c.note("recipients-cut", "", "")
	}
	if len(b.Recipients) > 0 {
		r := b.Recipients[0]
		b.Action, b.Status, b.Hard = r.Action, r.Status, r.Hard
	}
	return b
}

// notice is the text of the message, read as a notice.
func (c *classifier) notice() *notice {
	if c.told != nil {
		return c.told
	}
	skip := make(addressSet)
	skip.add(c.mail.To)
	skip.add(c.mail.Cc)
	skip.add(c.mail.From)
	c.told = readNotice(c.mail.Text, c.domain(), skip)
	return c.told
}

// domain is that of the sender of a notice.
func (c *classifier) domain() string {
	if i := strings.LastIndexByte(c.from.Email, '@'); i >= 0 {
		return c.from.Email[i+1:]
	}
	return ""
}

// stopAtBoundary cuts a text at the first line that looks like a boundary.
func stopAtBoundary(text string) string {
	if i := strings.Index(text, "\n--"); i > 0 {
		return text[:i]
	}
	return text
}

// reported adds the recipients of a report; where it is vague the text refines it.
func (c *classifier) reported(b *ingest.Bounce, d deliveryStatus, n *notice, o originalMessage) {
	seen := make(map[string]int)
	for _, g := range d.recipients {
		r := ingest.BounceRecipient{Address: g.final, Original: g.original, Action: g.action}
		if r.Address == "" || !isMailbox(r.Address) && isMailbox(g.original) {
			r.Address, r.Original = g.original, ""
		}
		if r.Address == "" {
			r.Address = c.fallback(n, o)
		}
		if len(d.recipients) == 1 && len(n.entries) == 1 && !isAddress(r.Address) {
			r.Address = n.entries[0].address
		}
		if r.Original == "" || strings.EqualFold(r.Original, r.Address) {
			r.Original = ""
		}
		context := n.text
		if i := n.find(r.Address); i >= 0 && r.Original == "" && !strings.EqualFold(n.entries[i].original, r.Address) {
			r.Original = n.entries[i].original
		}
		if i := n.find(r.Address); i >= 0 && len(n.entries) > 1 {
			context = n.entries[i].text
		} else if len(d.recipients) > 1 {
			context = linesAbout(n.text, r.Address)
		}
		if g.diagnostic == "" && len(g.statusText) > len("5.1.1")+1 {
			context = g.statusText + "\n" + context // a comment, or a reply in the place of the code
		}
		if len(d.recipients) > 1 {
			context = cut(context, 1000) // a hundred times all of a long text takes too long
		}
		f := failure{diagnostic: g.diagnostic, context: context, kind: g.diagnosticType, action: g.action, remote: g.diagnostic != "", category: g.category}
		if i := n.find(r.Address); g.diagnostic == "" && i >= 0 {
			f.diagnostic = n.entries[i].text
		}
		f.status = refine(g.status, f.diagnostic)
		if len(d.recipients) == 1 {
			f.subject, f.heading = c.subject, n.heading(r.Address)
		}
		c.judge(&r, &f)
		if r.Address == "" {
			// Nobody is named; what happened is known all the same.
			if len(b.Recipients) == 0 {
				b.Action, b.Status, b.Hard = r.Action, r.Status, r.Hard
			}
			continue
		}
		key := lower(r.Address)
		if i, again := seen[key]; again {
			// A recipient that is reported twice: the one that says more stays.
			if statusRank(r.Status) > statusRank(b.Recipients[i].Status) {
				b.Recipients[i] = r
			}
			continue
		}
		if len(b.Recipients) == maxRecipients {
			return
		}
		seen[key] = len(b.Recipients)
		b.Recipients = append(b.Recipients, r)
	}
}

// isAddress tells an addr-spec from what stands in the place of one.
func isAddress(s string) bool {
	_, start, end, ok := findAddress(s, 0)
	return ok && start == 0 && end == len(s)
}

// refine takes the code of the diagnostic where it says more than the one of the field.
func refine(status, diagnostic string) string {
	other := findStatus(cut(diagnostic, 2000), false)
	if other != "" && statusRank(other) >= statusRank(status) {
		return other
	}
	return status
}

// name adds the recipients that a text names.
func (c *classifier) name(b *ingest.Bounce, n *notice, o originalMessage) {
	failed := c.failedRecipients()
	if len(failed) > len(n.entries) {
		old := n.entries
		n.entries = nil
		for _, address := range failed {
			e := entry{address: address}
			for i := range old {
				if strings.EqualFold(old[i].address, address) {
					e.add(old[i].text)
				}
			}
			n.entries = append(n.entries, e)
		}
		if len(n.entries) == 1 {
			n.entries[0].add(n.text)
		}
	}
	if len(n.entries) == 0 {
		if address := c.fallback(n, o); address != "" {
			n.entries = []entry{{address: address}}
			n.entries[0].add(n.text)
		}
	}
	if len(n.entries) == 0 {
		r := ingest.BounceRecipient{Action: c.action(n.text)}
		f := failure{diagnostic: n.text, action: r.Action, status: findStatus(n.text, false), subject: c.subject}
		c.judge(&r, &f)
		b.Action, b.Status, b.Hard = r.Action, r.Status, r.Hard
	}
	for i := range n.entries {
		e := &n.entries[i]
		r := ingest.BounceRecipient{Address: e.address, Original: e.original, Action: c.action(n.text)}
		if strings.EqualFold(r.Original, r.Address) {
			r.Original = ""
		}
		f := failure{diagnostic: e.text, action: r.Action}
		if cause := finalCause(e.text); n.guessed && strings.Contains(lower(cause), lower(e.address)) {
			f.diagnostic = cause
		}
		f.status = findStatus(f.diagnostic, false)
		if len(n.entries) == 1 {
			f.context, f.subject = n.text, c.subject
		}
		c.judge(&r, &f)
		b.Recipients = append(b.Recipients, r)
	}
}

// failedRecipients are the addresses of X-Failed-Recipients.
func (c *classifier) failedRecipients() []string {
	var failed []string
	for from, v := 0, decodeWords(c.header.values[failedRecipients]); len(failed) < maxRecipients; {
		address, _, end, ok := findAddress(v, from)
		if !ok {
			break
		}
		failed = append(failed, address)
		from = end
	}
	return failed
}

// ours tells the address that the notice went to.
func (c *classifier) ours(address string) bool {
	set := make(addressSet)
	set.add(c.mail.To)
	return set.has(address)
}

// fallback is the recipient where nothing names one: whom the original went to.
func (c *classifier) fallback(n *notice, o originalMessage) string {
	if len(n.entries) > 0 {
		return n.entries[0].address
	}
	if o.envelope != "" && !c.ours(o.envelope) {
		return o.envelope
	}
	if len(o.to) > 0 {
		return o.to[0]
	}
	return ""
}

// action tells from the text of a notice whether delivery goes on.
func (c *classifier) action(text string) string {
	low := c.subject + "\n" + lower(cut(text, 4000))
	if containsAny(low, []string{"warning message only", "has been delayed", "is delayed for more", "not yet been delivered", "will be retried", "temporary failure report", "still being retried", "could not send m", "message delayed", "delivery status notification (delay)", "warning: message"}) != "" {
		return "delayed"
	}
	return "failed"
}

// judge fills in status, reply code, reason and diagnostic.
func (c *classifier) judge(r *ingest.BounceRecipient, f *failure) {
	f.diagnostic = cut(f.diagnostic, 4000)
	f.context = cut(f.context, 8000)
	f.address = r.Address
	var class byte
	if f.status != "" {
		class = f.status[0]
	}
	if f.reply = findReply(f.diagnostic, class); f.reply == "" {
		f.reply = findReply(f.context, class)
		if code := findStatus(f.context, false); statusRank(f.status) == 1 && statusRank(code) > 1 && code[0] == class {
			f.status = code
		}
	}
	if class != 0 && f.reply != "" && f.reply[0] != class {
		f.reply = "" // it belongs to another attempt
	}
	f.command = findCommand(lower(f.diagnostic))
	if f.command == "" {
		f.command = findCommand(lower(f.context))
	}
	f.remote = f.remote || f.reply != ""
	r.Reason = f.cause()
	r.Hard = isHard(r.Reason)
	r.Status, r.ReplyCode = f.status, f.reply
	if r.Reason == delivered && len(f.diagnostic) > 3 && digits(f.diagnostic) == 3 && f.diagnostic[0] == '2' {
		r.ReplyCode = f.diagnostic[:3]
	}
	if r.Status == "" {
		r.Status = assumedStatus(r.Reason, f)
	}
	switch r.Action {
	case "failed", "delayed", "delivered", "relayed", "expanded":
	default: // not one of RFC 3464 §2.3.3
		r.Action = "failed"
		if strings.HasPrefix(r.Status, "2.") {
			r.Action = "delivered"
		}
	}
	r.Diagnostic = cut(strings.Join(strings.Fields(f.diagnostic), " "), maxDiagnostic)
}

// linesAbout are the lines of a text that name an address, with the two that follow each, up to 1,000 octets or a line more.
func linesAbout(text, address string) string {
	var b strings.Builder
	address = lower(address)
	follow := 0
	eachLine(text, func(line, low string) {
		if strings.Contains(low, address) {
			follow = 3
		}
		if follow > 0 && b.Len() < 1000 {
			b.WriteString(line)
			b.WriteByte('\n')
			follow--
		}
	})
	return b.String()
}
