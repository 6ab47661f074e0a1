package class

import (
	"strings"
)

// automatic recognises an answer that no person wrote, RFC 3834. X-Auto-Response-Suppress does not count: many programs
// set it on every mail they send.
func (c *classifier) automatic() bool {
	h := c.header
	found := false
	switch token := h.token(autoSubmitted); {
	case strings.HasPrefix(token, "auto-replied"), token == "auto-reply", token == "vacation":
		c.noteField("auto-submitted", autoSubmitted)
		found = true
	}
	switch h.token(precedence) {
	case "auto_reply", "auto-reply", "autoreply":
		c.noteField("precedence", precedence)
		found = true
	}
	if h.present[vacation] && (lower(h.values[vacation]) != "no" && lower(h.values[vacation]) != "false") {
		c.noteField("vacation-header", vacation)
		found = true
	}
	if h.present[inboxRules] && h.present[autoSuppress] {
		// Rules of Exchange forward as well as answer, but only answers ask for no answer.
		c.noteField("inbox-rule", inboxRules)
		found = true
	}
	if phrase := c.automaticSubject(); phrase != "" && !h.present[listID] {
		c.note("auto-reply-subject", "Subject", c.mail.Subject)
		found = true
	}
	if found && h.present[autoSuppress] {
		c.noteField("response-suppressed", autoSuppress)
	}
	return found
}

// automaticSubject gives the words with which programs begin the subject of an answer, where it begins so. People's words
// come behind: "Re: Out of office" was written by somebody.
func (c *classifier) automaticSubject() string {
	subject := c.subject
	if strings.HasPrefix(subject, "[") { // ticket systems set their tag before it
		if _, rest, ok := strings.Cut(subject, "] "); ok {
			subject = rest
		}
	}
	for _, s := range []string{subject, strings.TrimLeft(c.subject, "[(<* ")} { // or the tag itself says it
		if phrase := hasPrefixAny(s, automaticSubjects); phrase != "" {
			return phrase
		}
	}
	// "AUTO: Jane Doe is out of the office" is Notes; a car dealer may begin with "Auto:" as well.
	if strings.HasPrefix(subject, "auto: ") {
		return containsAny(subject, []string{"out of the office", "abwesend", "nicht im büro", "außer haus", "absent", "fuera de la oficina", "fuori ufficio", "ausente", "afwezig"})
	}
	switch subject {
	case "out of office", "out of the office", "auto reply", "away from office", "abwesend":
		return subject
	}
	return ""
}

// calendar recognises an invitation or an answer to one, RFC 6047.
func (c *classifier) calendar() bool {
	if i := c.mail.Calendar; i != nil && (i.Method != "" || i.UID != "") {
		if i.Method != "" && i.Method != "PUBLISH" {
			c.note("calendar-method", "text/calendar", i.Method)
			return true
		}
	}
	for i := range c.mail.Parts {
		p := &c.mail.Parts[i]
		if p.ContentType == "text/calendar" && !p.Attached && c.mail.Calendar == nil {
			c.note("calendar-part", p.Path, p.ContentType)
			return true
		}
	}
	if strings.HasPrefix(lower(c.header.values[contentType]), "text/calendar") {
		c.noteField("calendar-part", contentType)
		return true
	}
	return false
}

// list recognises mail that came by a mailing list or goes to many, RFC 2919 and RFC 2369. A person's answer that came by
// a list is the list's as well.
func (c *classifier) list() bool {
	h := c.header
	found := false
	if h.present[listID] || c.mail.List.ID != "" {
		c.noteField("list-id", listID)
		found = true
	}
	if h.present[mailingList] {
		c.noteField("mailing-list", mailingList)
		found = true
	}
	token := h.token(precedence)
	many := token == "bulk" || token == "list" || token == "junk"
	if h.present[listUnsubscribe] {
		c.noteField("list-unsubscribe", listUnsubscribe)
		found = true
	}
	if h.present[listPost] {
		c.noteField("list-post", listPost)
		found = true
	}
	if token == "list" || many && (h.present[bulk] || found) {
		c.noteField("precedence", precedence)
		found = true
	}
	// Who says bulk and nothing else writes to many; programs that answer or report say so as well, but in other fields.
	if !found && token == "bulk" && !h.present[autoSubmitted] && !h.present[ticket] && !h.present[generated] && !isNoReply(localPart(c.from.Email)) {
		c.noteField("precedence", precedence)
		found = true
	}
	if found && isListSender(localPart(c.from.Email)) {
		c.note("list-sender", "From", c.from.Email)
	}
	return found
}

// isListSender tells local parts of list managers.
func isListSender(local string) bool {
	return strings.HasPrefix(local, "owner-") || hasSuffixAny(local, []string{"-bounces", "-owner", "-request", "-admin", "-errors"})
}

// system recognises mail that a program made and that is none of the others.
func (c *classifier) system() bool {
	h := c.header
	found := false
	if token := h.token(autoSubmitted); token != "" && token != "no" {
		c.noteField("auto-submitted", autoSubmitted)
		found = true
	}
	for _, kind := range [...]int{generated, ticket} {
		if h.present[kind] {
			c.noteField("generated-header", kind)
			found = true
		}
	}
	local := localPart(c.from.Email)
	if isNoReply(local) {
		c.note("no-reply-sender", "From", c.from.Email)
		found = true
	}
	if isRobot(local) {
		c.note("robot-sender", "From", c.from.Email)
		found = true
	}
	switch h.token(precedence) {
	case "bulk", "junk":
		c.noteField("precedence", precedence)
		found = true
	}
	if strings.HasPrefix(c.subject, "cron <") {
		c.note("cron-subject", "Subject", c.mail.Subject)
		found = true
	}
	return found
}

// isNoReply tells local parts that say that nobody reads answers.
func isNoReply(local string) bool {
	if strings.ContainsAny(local, "-_.") {
		local = strings.Join(strings.FieldsFunc(local, func(r rune) bool { return r == '-' || r == '_' || r == '.' }), "")
	}
	return containsAny(local, []string{"noreply", "donotreply", "dontreply", "nichtantworten", "nepasrepondre", "noresponder", "noreponse", "naoresponda", "keineantwort"}) != ""
}

// isRobot tells local parts of programs.
func isRobot(local string) bool {
	switch local {
	case "mailer-daemon", "postmaster", "nagios", "icinga", "zabbix", "cron", "cronjob", "root", "notifications", "notification", "notify", "alerts", "alert",
		"monitoring", "mailbot", "automailer", "bounce", "bounces", "jenkins", "www-data", "nobody":
		return true
	}
	return strings.HasPrefix(local, "mailer-daemon") || strings.HasPrefix(local, "bounce-") || strings.HasPrefix(local, "bounces+")
}
