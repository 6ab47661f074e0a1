package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

type messageShowCmd struct {
	Message string `arg:"" help:"CHANNEL/ID or full name."`
	All     bool   `help:"The whole text in its order, with quotations and signature."`
}

// Run shows the message.
func (c *messageShowCmd) Run(ctx context.Context, con *console, cl *client) error {
	name, err := cl.messageName(c.Message)
	if err != nil {
		return err
	}
	return cl.with(func(s services) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		m, err := s.messages.GetMessage(ctx, &mailintakev1.GetMessageRequest{Name: name, View: mailintakev1.MessageView_MESSAGE_VIEW_TEXT})
		if err != nil {
			return cl.failed("show message "+c.Message, err)
		}
		return cl.printer(con).one(m, func(w io.Writer) error {
			return showMessage(w, terminalOf(w), m, cl.shortName(m.GetName()), c.All)
		})
	})
}

// showMessage writes a message to be read. Nothing that a sender wrote reaches the terminal as a command. name is how to
// call the message in another command.
func showMessage(w io.Writer, t terminal, m *mailintakev1.Message, name string, all bool) error {
	var b strings.Builder
	f := newFacts(&b)
	f.add("Subject", m.GetSubject())
	f.add("From", people(m.GetFrom()))
	f.add("Sender", people(m.GetSender()))
	f.add("Reply-To", people(m.GetReplyTo()))
	f.add("To", people(m.GetTo()))
	f.add("Cc", people(m.GetCc()))
	f.add("Date", stamp(m.GetDate()))
	f.add("Received", stamp(m.GetReceiveTime()))
	describeVerdicts(f, m)
	if err := f.flush(); err != nil {
		return err
	}
	for _, line := range invitationLines(t, m.GetInvitation(), m.GetText()) {
		b.WriteString(line + "\n")
	}
	b.WriteByte('\n')
	for _, line := range textLines(t, m, all) {
		b.WriteString(line + "\n")
	}
	if err := writeAttachments(&b, t, m, name); err != nil {
		return err
	}
	writeDefects(&b, t, m.GetDefects())
	_, err := io.WriteString(w, b.String())
	return err
}

// people is an address field of which a few are enough.
func people(list []*mailintakev1.Address) string {
	const shown = 8
	if len(list) <= shown {
		return addresses(list)
	}
	return fmt.Sprintf("%s and %d more", addresses(list[:shown]), len(list)-shown)
}

// describeVerdicts adds what is known about a message beyond what it says.
func describeVerdicts(f facts, m *mailintakev1.Message) {
	f.add("class", className(m.GetMessageClass()))
	for i, e := range m.GetEvidence() {
		label := "because"
		if i > 0 {
			label = "and"
		}
		f.add(label, evidence(e))
	}
	if a := m.GetAutoReply(); a != nil {
		text := "may be sent"
		if !a.GetAllowed() {
			text = "must not be sent: " + words(a.GetReason())
		}
		f.add("auto reply", text)
	}
	for i, r := range m.GetBounce().GetRecipients() {
		if i == 10 {
			f.add("about", fmt.Sprintf("… and %d more", len(m.GetBounce().GetRecipients())-i))
			break
		}
		f.add("about", bounceRecipient(r))
	}
	f.add("about message", strings.TrimSpace(m.GetBounce().GetOriginalMessageId()+" "+m.GetBounce().GetOriginalSubject()))
	f.add("origin", origin(m.GetAuthentication()))
	if th := m.GetThread(); th != nil {
		f.add("thread", threadText(th))
		f.add("answers", th.GetParent())
		f.add("perhaps of thread", th.GetSubjectHint())
	}
	f.add("also in", strings.Join(m.GetSiblings(), ", "))
	if r := m.GetMatchedRecipient(); r != nil {
		text := r.GetAddress()
		if r.GetTag() != "" {
			text += ", tag " + r.GetTag()
		}
		if r.GetSource() != "" {
			text += ", by " + r.GetSource()
		}
		f.add("for", text)
	}
	if p := m.GetPriority(); p != "NORMAL" {
		f.add("priority", strings.ToLower(p))
	}
	f.add("list", m.GetMailingList().GetId())
	f.add("language", m.GetLanguage())
	f.add("protection", words(m.GetProtection()))
}

func evidence(e *mailintakev1.Evidence) string {
	text := e.GetRule()
	switch {
	case e.GetSource() != "" && e.GetValue() != "":
		text += " (" + e.GetSource() + ": " + e.GetValue() + ")"
	case e.GetSource()+e.GetValue() != "":
		text += " (" + e.GetSource() + e.GetValue() + ")"
	}
	return cut(text, 160)
}

func bounceRecipient(r *mailintakev1.BounceRecipient) string {
	parts := []string{r.GetAddress(), strings.TrimSpace(r.GetAction() + " " + r.GetStatus())}
	if r.GetReason() != "" {
		parts = append(parts, words(r.GetReason()))
	}
	if r.GetHard() {
		parts = append(parts, "another try will fail as well")
	}
	text := strings.Join(parts, ", ")
	if r.GetDiagnostic() != "" {
		text += ": " + r.GetDiagnostic()
	}
	return cut(text, 240)
}

// origin tells what is known of where a message comes from.
func origin(a *mailintakev1.Authentication) string {
	if a == nil {
		return ""
	}
	text := fmt.Sprintf("SPF %s, DKIM %s, DMARC %s", a.GetSpf(), a.GetDkim(), a.GetDmarc())
	var domains []string
	for _, d := range a.GetDkimResults() {
		domains = append(domains, d.GetDomain()+" "+d.GetVerdict())
	}
	if len(domains) > 0 {
		text += " (" + strings.Join(domains, ", ") + ")"
	}
	if a.GetAligned() {
		text += ", belongs to the domain of From"
	}
	if a.GetAuthservId() != "" {
		text += ", says " + a.GetAuthservId()
	}
	return text
}

func threadText(th *mailintakev1.MessageThread) string {
	text := th.GetId()
	switch th.GetMethod() {
	case "NEW":
		text += ", begins with this message"
	case "":
	default:
		text += ", found by " + words(th.GetMethod())
	}
	switch {
	case th.GetParentMissing():
		text += ", answers a message that is not here"
	case th.GetParentErased():
		text += ", answers a message that was erased"
	}
	if th.GetMessageIdReused() {
		text += ", shares its Message-ID with another message"
	}
	return text
}

// words is a stable code as people would write it.
func words(code string) string { return strings.ToLower(strings.ReplaceAll(code, "_", " ")) }

// invitationLines tell an invitation, unless the text of the message does.
func invitationLines(t terminal, i *mailintakev1.Invitation, text string) []string {
	if i == nil || i.GetText() != "" && strings.TrimSpace(text) == strings.TrimSpace(i.GetText()) {
		return nil
	}
	head := "invitation"
	if i.GetMethod() != "" {
		head += " (" + words(i.GetMethod()) + ")"
	}
	out := []string{"", t.bold(plain(head))}
	if i.GetText() != "" {
		return append(out, t.wrap(i.GetText())...)
	}
	out = append(out, t.wrap(i.GetSummary())...)
	if at := i.GetStartTime(); at != nil {
		out = append(out, at.AsTime().Local().Format(time.RFC1123))
	}
	return out
}

// textLines are the text as it is read: first what the sender wrote anew, then the rest with less weight.
func textLines(t terminal, m *mailintakev1.Message, all bool) []string {
	reply, text := m.GetReplyText(), m.GetText()
	if strings.TrimSpace(reply) == "" {
		reply = text
	}
	var out []string
	rest := restOf(text, reply)
	switch {
	case all:
		out = t.wrap(text)
	case len(rest) == 0:
		out = t.wrap(reply)
	case t.tty:
		out = append(t.wrap(reply), "")
		for _, line := range t.wrap(strings.Join(rest, "\n")) {
			out = append(out, t.dim(line))
		}
	default:
		out = append(t.wrap(reply), "", fmt.Sprintf("(%s of quotation and signature; --all shows them)", count(len(rest), "line")))
	}
	if m.GetTextTruncated() {
		out = append(out, "… (the text goes on; message raw has all of it)")
	}
	return out
}

// restOf are the lines of text that reply does not have, which is made of lines of text in their order.
func restOf(text, reply string) []string {
	var rest []string
	left := strings.Split(strings.TrimSpace(reply), "\n")
	blank := true // of the rest so far: it does not begin with empty lines
	for line := range strings.SplitSeq(text, "\n") {
		for len(left) > 0 && strings.TrimSpace(left[0]) == "" {
			left = left[1:]
		}
		trimmed := strings.TrimSpace(line)
		if len(left) > 0 && trimmed == strings.TrimSpace(left[0]) {
			left = left[1:]
			continue
		}
		if trimmed == "" && blank {
			continue
		}
		blank = trimmed == ""
		rest = append(rest, line)
	}
	for len(rest) > 0 && strings.TrimSpace(rest[len(rest)-1]) == "" {
		rest = rest[:len(rest)-1]
	}
	return rest
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// writeAttachments lists what can be saved, and how.
func writeAttachments(b *strings.Builder, t terminal, m *mailintakev1.Message, name string) error {
	table := newTable(b, "PART", "NAME", "TYPE", "SIZE", "SHOWN")
	n := 0
	for _, p := range m.GetParts() {
		if p.GetBody() || p.GetAttached() {
			continue
		}
		if n++; n == 1 {
			b.WriteString("\n" + t.bold("attachments") + "\n")
		}
		inline := ""
		if p.GetInline() {
			inline = "in the text"
		}
		table.row(p.GetPath(), cut(p.GetFilename(), 60), cut(p.GetContentType(), 60), octets(p.GetSizeBytes()), inline)
	}
	if n == 0 {
		return nil
	}
	if err := table.flush(); err != nil {
		return err
	}
	b.WriteString("save one with: mailintake message attachment " + plain(name) + " PART\n")
	return nil
}

// writeDefects tells what is wrong with a message and what was made of it.
func writeDefects(b *strings.Builder, t terminal, defects []*mailintakev1.Defect) {
	for i, d := range defects {
		if i == 0 {
			b.WriteString("\n" + t.bold("defects") + "\n")
		}
		text := defectWords(d.GetCode())
		if d.GetWhere() != "" {
			where := d.GetWhere()
			if strings.Trim(where, "0123456789.") == "" {
				where = "part " + where
			}
			text += " (" + where + ")"
		}
		if d.GetText() != "" {
			text += ": " + d.GetText()
		}
		b.WriteString("- " + strings.Join(t.wrap(plain(text)), "\n  ") + "\n")
	}
}
