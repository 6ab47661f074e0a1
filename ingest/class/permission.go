package class

import (
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// The reasons of AutoReply; they are stored and sent, and never renamed. The first that applies, in this order, is given.
const (
	permitted          = "OK"
	notWrittenByPerson = "CLASS"            // the class alone forbids it: bounces, complaints, receipts, system mail
	autoSubmittedMail  = "AUTO_SUBMITTED"   // Auto-Submitted other than "no", RFC 3834 §2, or another mark of automatic mail
	listMail           = "LIST"             // by a mailing list or to many, RFC 3834 §2
	nullReturn         = "NULL_RETURN_PATH" // nobody can take an answer, RFC 3834 §2
	precedenceBulk     = "PRECEDENCE"       // bulk, junk or list
	suppressed         = "SUPPRESSED"       // X-Auto-Response-Suppress asks for none
	noAddress          = "NO_ADDRESS"       // From and Reply-To have no usable address
	robotSender        = "ROBOT_SENDER"     // no-reply, mailer-daemon, owner-, -request …, RFC 3834 §2
	ownAddress         = "OWN_ADDRESS"      // the sender is the channel itself
	loopMarker         = "LOOP"             // X-Loop, or an address that received it before
	tooManyHops        = "HOPS"             // more than maxHops Received fields
)

// maxHops is how many Received fields a message may have that is answered. RFC 5321 §6.3 takes 100 for a loop; mail that
// people write passes ten at most.
const maxHops = 25

// permission tells whether a program may answer, RFC 3834 §2. Class HUMAN and CALENDAR may be answered: an invitation was
// sent by a person as well.
func (c *classifier) permission(class ingest.Class) ingest.AutoReply {
	reason := c.refusal(class)
	return ingest.AutoReply{Allowed: reason == permitted, Reason: reason}
}

func (c *classifier) refusal(class ingest.Class) string {
	h := c.header
	if token := h.token(autoSubmitted); class == ingest.ClassAutoReply || token != "" && token != "no" {
		return autoSubmittedMail
	}
	if class == ingest.ClassList || h.present[listID] || h.present[listUnsubscribe] || h.present[mailingList] {
		return listMail
	}
	if h.nullReturnPath() {
		return nullReturn
	}
	switch class {
	case ingest.ClassHuman, ingest.ClassCalendar, ingest.ClassSystem:
	default:
		return notWrittenByPerson
	}
	switch h.token(precedence) {
	case "bulk", "junk", "list":
		return precedenceBulk
	}
	if suppresses(h.values[autoSuppress]) {
		return suppressed
	}
	to := c.replyTo()
	if to == "" {
		return noAddress
	}
	if local := localPart(to); isNoReply(local) || isRobot(local) || isListSender(local) || isNoReply(localPart(c.from.Email)) {
		return robotSender
	}
	for _, own := range c.in.Own {
		if strings.EqualFold(own, to) || strings.EqualFold(own, c.from.Email) {
			return ownAddress
		}
	}
	if h.loops > 0 {
		return loopMarker
	}
	if h.received > maxHops {
		return tooManyHops
	}
	if class == ingest.ClassSystem {
		return notWrittenByPerson
	}
	return permitted
}

// replyTo is the address that an answer would go to.
func (c *classifier) replyTo() string {
	for _, list := range [][]ingest.Address{c.mail.ReplyTo, c.mail.From} {
		for _, a := range list {
			if at := strings.LastIndexByte(a.Email, '@'); at > 0 && at < len(a.Email)-1 {
				return a.Email
			}
		}
	}
	return ""
}

// suppresses reads X-Auto-Response-Suppress (MS-OXCMAIL §2.2.3.2.14): a list of the kinds of answers not wanted.
func suppresses(value string) bool {
	for len(value) > 0 {
		var item string
		item, value, _ = strings.Cut(value, ",")
		switch lower(strings.TrimSpace(item)) {
		case "all", "oof", "autoreply":
			return true
		}
	}
	return false
}
