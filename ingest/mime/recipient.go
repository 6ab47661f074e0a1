package mime

import (
	"strings"

	"golang.org/x/net/idna"

	"github.com/mailintake/mailintake/ingest"
)

// The fields that name whom a message was for, the most telling first. Original recipients come before what the sender
// wrote, and that before Delivered-To, which often names the mailbox behind an alias rather than the alias. None is an
// Internet standard but To, Cc and Resent-*; RFC 9228 describes Delivered-To.
var recipientFields = [...]string{
	"X-Original-To", "Envelope-To", "X-Envelope-To", "To", "Cc", "Resent-To", "Resent-Cc", "Bcc", "Delivered-To", "X-Delivered-To", "X-Forwarded-To",
}

const maxRecipientFields = 20 // of one name that are looked at: each hop may add a Delivered-To

// findRecipient tells which of the channel's addresses the message was for. The first field that has one counts, but the
// same address with a tag behind a plus sign (RFC 5233 §1) says more than without.
func (p *parser) findRecipient(own []string) {
	if len(own) == 0 {
		return
	}
	addresses := make([]mailbox, len(own))
	for i, a := range own {
		addresses[i] = newMailbox(a)
	}
	var found ingest.Recipient
	try := func(field string, list []ingest.Address) {
		for _, a := range list {
			m := newMailbox(a.Email)
			for i := range addresses {
				tag, ok := m.isFor(&addresses[i])
				if !ok || found.Address != "" && (found.Tag != "" || tag == "" || found.Alias != own[i]) {
					continue
				}
				found = ingest.Recipient{Address: strings.ToLower(a.Email), Alias: own[i], Tag: tag, Source: field}
			}
		}
	}
	for _, field := range recipientFields {
		switch field {
		case "To":
			try(field, p.mail.To)
		case "Cc":
			try(field, p.mail.Cc)
		default:
			n := 0
			for i := range p.header {
				if f := &p.header[i]; strings.EqualFold(f.Name, field) && n < maxRecipientFields {
					n++
					quiet := parser{mail: new(ingest.Mail), fallback: p.fallback} // what is wrong with such a field is nobody's concern
					try(field, quiet.addresses(f.Value, field))
				}
			}
		}
	}
	if found.Address == "" {
		found = p.receivedFor(addresses, own)
	}
	p.mail.Recipient = found
}

// receivedFor looks for the address in the "for" clauses of Received, RFC 5321 §4.4, the topmost first.
func (p *parser) receivedFor(addresses []mailbox, own []string) ingest.Recipient {
	n := 0
	for i := range p.header {
		f := &p.header[i]
		if !strings.EqualFold(f.Name, "Received") {
			continue
		}
		if n++; n > maxRecipientFields {
			break
		}
		words := strings.Fields(dropComments(f.Value))
		for j := 0; j+1 < len(words); j++ {
			if !strings.EqualFold(words[j], "for") {
				continue
			}
			address := cleanEmail(strings.TrimRight(words[j+1], ";"))
			m := newMailbox(address)
			for k := range addresses {
				if tag, ok := m.isFor(&addresses[k]); ok {
					return ingest.Recipient{Address: strings.ToLower(address), Alias: own[k], Tag: tag, Source: "Received"}
				}
			}
		}
	}
	return ingest.Recipient{}
}

// mailbox is an addr-spec in the form in which two are compared: lower case, the domain in ASCII (RFC 5891 §5.4). Local
// parts may differ by case (RFC 5321 §2.4); no mail server in use tells them apart.
type mailbox struct{ local, domain string }

func newMailbox(address string) mailbox {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return mailbox{}
	}
	m := mailbox{strings.ToLower(address[:i]), strings.ToLower(strings.TrimSuffix(address[i+1:], "."))}
	if !isASCII([]byte(m.domain)) {
		if ascii, err := idna.Lookup.ToASCII(m.domain); err == nil {
			m.domain = ascii
		}
	}
	return m
}

// isFor tells whether m is the address own, or own with a tag.
func (m mailbox) isFor(own *mailbox) (tag string, ok bool) {
	if m.domain == "" || m.domain != own.domain {
		return "", false
	}
	if m.local == own.local {
		return "", true
	}
	return strings.CutPrefix(m.local, own.local+"+")
}
