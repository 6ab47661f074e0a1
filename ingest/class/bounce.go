package class

import (
	"strings"
	"unicode"

	"github.com/mailintake/mailintake/ingest"
)

// maxDiagnostic is how much is kept of what a server said, in octets.
const maxDiagnostic = 500

// bounce recognises a delivery status notification (RFC 3464) or one in free form, and reads it.
func (c *classifier) bounce() *ingest.Bounce {
	if n := readSES(c.mail.Text); n != nil && n.Kind != "Complaint" {
		c.note("ses-notification", "text", c.mail.Text)
		return n.bounce()
	}
	reports := c.reports("/delivery-status", "/global-delivery-status")
	if r := c.rejection(); r != nil {
		reports = append(reports, r)
	}
	if len(reports) == 0 && !c.looksLikeNotice() || len(reports) > 0 && c.forwarded() {
		return nil
	}
	var d deliveryStatus
	for _, r := range reports {
		c.note("delivery-status", r.Path, r.ContentType)
		more := readDeliveryStatus(r.Text)
		if d.reportingMTA == "" {
			d.reportingMTA = more.reportingMTA
		}
		if d.messageID == "" {
			d.messageID = more.messageID
		}
		d.recipients = append(d.recipients, more.recipients...)
	}
	return c.readBounce(d)
}

// forwarded tells the mail of a person who passes a notification on, with its parts.
func (c *classifier) forwarded() bool {
	return hasPrefixAny(c.subject, []string{"fwd:", "fw:", "re:", "aw:", "wg:", "tr:", "rv:", "enc:", "i:", "vs:", "转发:", "答复:"}) != "" &&
		c.from.Email != "" && !isDaemon(c.from) && !c.header.nullReturnPath() && !strings.HasPrefix(lower(c.header.values[contentType]), "multipart/report")
}

// looksLikeNotice tells a bounce without a report: it must come from a mailer or have no return path, and it must speak
// of a failed delivery as the programs do that write such mail. One alone is not enough, because people quote bounces and
// automatic answers have no return path either.
func (c *classifier) looksLikeNotice() bool {
	daemon := isDaemon(c.from) || len(c.mail.From) == 0 || c.from.Email == "" && c.from.Name == ""
	null := c.header.nullReturnPath()
	failed := c.header.present[failedRecipients]
	machine := isNoReply(localPart(c.from.Email))
	if !daemon && !null && !failed && !machine {
		return c.listRefusal() || c.unmistakable()
	}
	var points int
	if failed {
		c.noteField("failed-recipients", failedRecipients)
		points += 2
	}
	if phrase := containsAny(c.subject, bounceSubjects); phrase != "" {
		c.note("bounce-subject", "Subject", c.mail.Subject)
		points++
	}
	if strings.Contains(lower(c.header.values[contentType]), "delivery-status") {
		c.noteField("report-type", contentType)
		points += 2
	}
	text, returned := splitOriginal(c.mail.Text)
	low := lower(cut(text, 8<<10))
	if phrase := containsAny(low, noticePhrases); phrase != "" {
		c.note("bounce-phrase", "text", phrase)
		points++
	}
	coded := findReply(low, 0) != "" || findStatus(low, false) != ""
	original := returned != "" || c.returned()
	if points > 0 && original {
		points++
	}
	if points == 0 && daemon && coded && strings.Contains(text, "@") {
		c.note("smtp-reply", "text", findStatus(low, false)+" "+findReply(low, 0))
		points++
	}
	if points == 0 && daemon && (original || null && c.from.Email == "") {
		// A program that returns the message or has no address, and tells who failed or why.
		if cause := finalCause(low); cause != "" {
			c.note("bounce-cause", "text", cause)
			points++
		} else if strings.HasPrefix(localPart(c.from.Email), "mailer-daemon") && !c.notice().guessed {
			c.note("returned-message", "text", c.notice().entries[0].address)
			points++
		}
	}
	// Parcels are undeliverable as well: who is no mailer must return the original or give a code.
	needed := 1
	switch {
	case daemon || failed:
	case !original && !coded:
		needed = 100
	case null:
		needed = 2
	default:
		needed = 3
	}
	if points < needed || c.automaticSubject() != "" && !failed {
		c.evidence = c.evidence[:0]
		return false
	}
	switch {
	case daemon:
		c.note("mailer-sender", "From", c.from.Name+" <"+c.from.Email+">")
	case null:
		c.noteField("null-return-path", returnPath)
	}
	return true
}

// returned tells a message with another one attached, or with the header of one.
func (c *classifier) returned() bool {
	for i := range c.mail.Parts {
		switch p := &c.mail.Parts[i]; p.ContentType {
		case "message/rfc822", "text/rfc822-headers", "message/global", "message/global-headers":
			if !p.Attached {
				return true
			}
		}
	}
	return len(c.reports("rfc822", "rfc822-headers")) > 0
}

// finalCause is the first line of a text that names an address and says why it cannot be reached.
func finalCause(text string) (cause string) {
	eachLine(text, func(line, low string) {
		if cause != "" || strings.IndexByte(line, '@') < 0 {
			return
		}
		switch reasonOfWords(oneLine(low)) {
		case userUnknown, hostUnknown, mailboxFull, suspended, moved, notAccepting:
			cause = line
		}
	})
	return cause
}

// unmistakable tells the notice of a mailer that hides behind an address like any other: no name in From, no message that
// it answers, a subject of bounces, and a text that opens as only programs begin and goes on with an address or comes with the original.
func (c *classifier) unmistakable() bool {
	if c.from.Name != "" || len(c.mail.InReplyTo)+len(c.mail.References) > 0 || hasPrefixAny(c.subject, []string{"fwd:", "fw:", "wg:", "tr:"}) != "" {
		return false
	}
	if containsAny(c.subject, bounceSubjects) == "" {
		return false
	}
	opening, lines := "", 0
	eachLine(cut(c.mail.Text, 1000), func(_, low string) {
		if lines < 2 && strings.IndexFunc(low, unicode.IsLetter) >= 0 {
			lines++
			opening = strings.TrimSpace(opening + " " + strings.Trim(low, " -*#=\t"))
		}
	})
	phrase := containsAny(opening, openings)
	if phrase == "" || c.notice().guessed && !c.returned() {
		return false
	}
	c.note("bounce-subject", "Subject", c.mail.Subject)
	c.note("bounce-opening", "text", phrase)
	return true
}

// listRefusal recognises what a mailing list answers to mail that it does not take.
func (c *classifier) listRefusal() bool {
	if local := localPart(c.from.Email); !hasSuffixAny(local, []string{"-admin", "-owner", "-bounces", "-request"}) && !strings.HasPrefix(local, "owner-") {
		return false
	}
	text := lower(cut(c.mail.Text, 500))
	if phrase := containsAny(text, []string{"not a member of this mailing list", "duplicated message-id", "post to this list was rejected", "your message to the list was rejected"}); phrase != "" {
		c.note("list-refusal", "text", phrase)
		return true
	}
	return false
}

// isDaemon tells the senders that mailers use for bounces.
func isDaemon(a ingest.Address) bool {
	local := localPart(a.Email)
	switch local {
	case "mailer-daemon", "mailerdaemon", "mail-daemon", "maildaemon", "postmaster", "post_master", "poostmaster", "mail.delivery.system", "mdaemon", "maildelivery",
		"mail-delivery-system", "mailsystem", "microsoftexchange":
		return true
	}
	if strings.HasPrefix(local, "mailer-daemon") || strings.HasPrefix(local, "microsoftexchange") || strings.HasPrefix(local, "postmaster") {
		return true
	}
	name := lower(a.Name)
	return containsAny(name, []string{"mailer-daemon", "mail deliver", "mailer daemon", "postmaster", "mail delivery", "system administrator", "ndr administrator", "microsoft outlook", "mail administrator"}) != "" &&
		(local == "" || containsAny(name, []string{"mailer-daemon", "mail deliver", "mailer daemon", "mail delivery"}) != "" || containsAny(local, []string{"admin", "noreply", "no-reply", "system"}) != "")
}

// openings begin the text of notices, in lower case.
var openings = []string{
	"failed recipient", "failed addresses", "non-delivery report", "delivery failure report", "email below could not be delivered", "e-mail below could not be delivered",
	"message below could not be delivered", "could not deliver message to", "your message could not be delivered to", "your mail could not be delivered to", "your message was not delivered to",
	"could not be delivered to the following recipient", "following mail could not be delivered", "created automatically by mail delivery software",
	"votre message n'a pas pu", "ihre nachricht konnte nicht zugestellt", "su mensaje no pudo", "il messaggio non è stato recapitato",
}

// bounceSubjects are words of subjects of bounces, in lower case.
var bounceSubjects = []string{
	"undeliver", "failure notice", "returned mail", "delivery status notification", "mail delivery fail", "delivery fail", "delivery notification", "delivery report",
	"mail failure", "failed mail", "returned message", "delivery status", "delivery has failed", "failed delivery", "failure delivery", "delivery problem", "mail system error",
	"message delivery has failed", "could not be delivered", "not delivered", "error sending your mail", "mail delivery", "delayed mail", "mail status report", "non-delivery", "nondeliver", "non delivery",
	"warning: message", "could not send", "message you sent blocked", "mail could not be", "postmaster notify", "message delayed", "delivery delay", "mail failed", "email delivery failure", "rejected mail",
	"unzustellbar", "nicht zustellbar", "zustellung fehlgeschlagen", "zustellfehler", "non remis", "échec de la remise", "non distribu", "no entregado", "no se puede entregar", "impossibile recapitare", "mancato recapito",
	"não entregue", "não foi possível entregar", "onbestelbaar", "niet bezorg", "ej levererat", "kan ikke leveres", "niedostarczone", "nedoručiteln", "не доставлено", "недоставленное", "не удается доставить",
	"送信エラー", "メールエラー", "エラーメール", "エラー通知", "配信エラー", "配信不能", "配信できません", "配信できなかった", "不達", "退信", "無法傳遞", "未传递", "배달되지",
}

// noticePhrases are words that the text of bounces has and few other mails have, in lower case.
var noticePhrases = []string{
	"this is the qmail-send program", "mail delivery software", "this is the mail system at host", "this is the postfix program", "permanent fatal errors", "had delivery errors", "had delivery problems",
	"delivery problems", "following address(es)", "following recipient(s)", "could not be delivered", "couldn't be delivered", "unable to deliver", "was not delivered", "wasn't delivered", "cannot be delivered",
	"did not reach the following", "transcript of session follows", "delivery to the following", "delivery has failed", "i wasn't able to deliver", "undeliverable to", "was undeliverable", "failed permanently",
	"delivery status notification", "error delivering your mail", "error has occurred while attempting to deliver", "trouble delivering your message", "message could not be sent", "mail could not be delivered",
	"not been delivered", "unable to deliver message", "was rejected by a remote", "user(s) account is disabled", "did not receive this message", "failure reasons", "has been delayed",
	"not yet been delivered", "original message follows", "requested action not taken", "was automatically rejected", "no valid recipients", "error while attempting to deliver", "mail failure - malformed",
	"final-recipient:", "was not relayed", "could not send mail", "delevery to the", "address has failed", "recipients returned permanent", "group you tried to contact", "groups.google.com/support",
	"送信できませんでした", "配信できませんでした", "не может быть доставлено", "не может\nбыть", "nicht zugestellt werden", "n'a pas pu être", "no se pudo entregar", "non è stato possibile recapitare",
}
