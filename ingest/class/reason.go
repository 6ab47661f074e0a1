package class

import "strings"

// The causes of a failed delivery; they are stored and sent in BounceRecipient.Reason and never renamed. Those that a
// second try will not change because the address or its domain is bad are hard.
const (
	authFailure     = "auth_failure"         // SPF, DKIM or DMARC of the message failed
	badReputation   = "bad_reputation"       // complaints or reputation of the sender
	blocked         = "blocked"              // the connecting host is refused
	contentError    = "content_error"        // format, header or attachment
	delivered       = "delivered"            // no failure
	expired         = "expired"              // tried for too long
	filtered        = "filtered"             // refused after the recipient was accepted, often by a filter of the recipient
	hostUnknown     = "host_unknown"         // the domain does not exist; hard
	lengthLimit     = "length_limit"         // longer than the recipient's limit
	mailboxFull     = "mailbox_full"         //
	mailerError     = "mailer_error"         // a program of the recipient failed
	messageTooBig   = "message_too_big"      // larger than a server's limit
	moved           = "moved"                // the address is given up; hard
	networkError    = "network_error"        // DNS, routing, loops
	notAccepting    = "not_accepting"        // the domain takes no mail; hard
	notCompliant    = "not_compliant"        // breaks RFC 5322 in the server's eyes
	noPTR           = "no_ptr"               // the sending host has no reverse DNS
	onHold          = "on_hold"              // something is said that is not understood
	policyViolation = "policy_violation"     //
	relayingDenied  = "relaying_denied"      //
	securityError   = "security_error"       // access, authentication, encryption
	senderRejected  = "sender_rejected"      // the envelope sender is refused
	spamDetected    = "spam_detected"        //
	suspended       = "suspended"            // the account is disabled for now
	syntaxError     = "syntax_error"         // of SMTP commands
	systemError     = "system_error"         // of the receiving system
	systemFull      = "system_full"          // the receiving system has no space
	tooFast         = "too_fast"             // rate limits
	tooManyConns    = "too_many_connections" //
	undefined       = "undefined"            // nothing is said
	userUnknown     = "user_unknown"         // no such address; hard
	virusDetected   = "virus_detected"       //
)

// accessDenied are words that mean one cause or the other, by the SMTP command that they answer.
const accessDenied = "access_denied"

// isHard tells causes that another try will meet again.
func isHard(reason string) bool {
	switch reason {
	case userUnknown, hostUnknown, moved, notAccepting:
		return true
	}
	return false
}

// failure is what one recipient's failure is judged by.
type failure struct {
	diagnostic string // of the report, or what a notice says about the address
	context    string // other text of the notice, for the SMTP command and where diagnostic says nothing
	heading    string // text of the notice above the first address; empty where it is about several
	subject    string // of the notice, lower case; empty where it is about several
	kind       string // type of the diagnostic, lower case
	status     string
	reply      string
	command    string
	action     string
	remote     bool // the diagnostic is what a server answered, not what a program says about it
	address    string
	category   string // reason that the sending system found itself; empty if it did not say
}

// cause tells the reason of a failure. What the notice says above a server's "user unknown" is nearer to the truth where
// it tells of a mailbox that is full or closed.
func (f *failure) cause() string {
	reason := f.answered()
	if reason == userUnknown {
		switch heading := reasonOfWords(oneLine(lower(f.heading))); heading {
		case mailboxFull, suspended:
			return heading
		}
	}
	return reason
}

// answered is the reason by what the server answered. The status code decides where it is exact. Else the words of the
// diagnostic decide, in the order of reasonPhrases. A vague status code comes next, then what remains.
func (f *failure) answered() string {
	if strings.HasPrefix(f.status, "2.") || f.action == "delivered" || f.action == "relayed" || f.action == "expanded" {
		return delivered
	}
	text := oneLine(lower(f.diagnostic))
	// What a server answers counts more than what a program tells around it.
	byWords := f.atCommand(reasonOfWords(answer(text, f.reply)))
	if byWords == "" {
		byWords = f.atCommand(reasonOfWords(text))
	}
	byStatus, exact := reasonOfStatus(f.status)
	if f.kind == "x-unix" && (byWords == "" || byWords == userUnknown || byWords == systemError || byWords == expired) {
		return mailerError
	}
	if f.category != "" && (byWords == "" || byWords == filtered || byWords == userUnknown) {
		return f.category
	}
	switch {
	case exact && !overrides(byWords, byStatus):
		return byStatus
	case byWords == userUnknown:
		return f.unknownUser(byStatus)
	case byWords != "":
		return byWords
	}
	if byStatus != "" {
		return byStatus
	}
	if byWords = f.atCommand(reasonOfWords(oneLine(lower(f.context)))); byWords != "" {
		if byWords == userUnknown {
			return f.unknownUser("")
		}
		return byWords
	}
	if byWords = f.atCommand(reasonOfWords(f.subject)); byWords != "" {
		return byWords
	}
	switch {
	case strings.HasPrefix(f.reply, "50"):
		return syntaxError
	case f.action == "delayed":
		return expired
	case f.command == "CONN" || f.command == "HELO":
		return blocked
	case strings.TrimSpace(f.diagnostic+f.context) != "":
		return onHold
	}
	return undefined
}

// atCommand settles what words about a name mean by the command that they answer: at MAIL it is the sender's, at HELO
// that of the sending host.
func (f *failure) atCommand(reason string) string {
	switch {
	case reason != userUnknown && reason != hostUnknown && reason != accessDenied:
		return reason
	case f.command == "MAIL":
		return senderRejected
	case f.command == "HELO" || f.command == "CONN":
		return blocked
	case reason == accessDenied:
		return securityError
	}
	return reason
}

// unknownUser settles what "user unknown" means. A server that took the recipient and refuses the message later may have
// a filter that hides behind these words; it names no recipient then.
func (f *failure) unknownUser(byStatus string) string {
	switch {
	case f.command == "RCPT" || byStatus == userUnknown || strings.HasPrefix(f.status, "5.1.") && len(f.status) < len("5.1.351"):
		return userUnknown
	case byStatus == filtered || byStatus == securityError:
		return filtered
	case f.reply == "" || containsAny(oneLine(lower(f.diagnostic)), surelyUnknown) != "":
		return userUnknown
	case f.command == "DATA" || f.remote && !strings.Contains(answer(lower(f.diagnostic), f.reply), lower(f.address)):
		return filtered
	}
	return userUnknown
}

// overrides tells that words count more than an exact status code: many servers give 5.1.1 to whatever they refuse at
// RCPT.
func overrides(byWords, byStatus string) bool {
	switch byWords {
	case notAccepting:
		return true
	case mailboxFull, messageTooBig, relayingDenied, blocked, moved, senderRejected, noPTR, spamDetected, hostUnknown, tooFast, tooManyConns, badReputation:
		return byStatus == userUnknown
	}
	return false
}

// reasonOfWords finds the first reason whose words a text in lower case has.
func reasonOfWords(text string) string {
	if text == "" {
		return ""
	}
	if missingDomain(text) {
		return hostUnknown
	}
	for i := range reasonPhrases {
		if containsAny(text, reasonPhrases[i].phrases) != "" {
			return reasonPhrases[i].reason
		}
	}
	return ""
}

// missingDomain tells "example.org does not exist" from the same words about a mailbox.
func missingDomain(text string) bool {
	i := strings.Index(text, " does not exist")
	if i < 0 {
		return false
	}
	name := text[strings.LastIndexByte(text[:i], ' ')+1 : i]
	return strings.IndexByte(name, '.') > 0 && strings.IndexByte(name, '@') < 0
}

// reasonOfStatus is the cause that an enhanced status code means (RFC 3463, RFC 4954, RFC 7372 and what large providers
// define). exact says that words do not change it.
func reasonOfStatus(status string) (reason string, exact bool) {
	if len(status) < 5 {
		return "", false
	}
	switch status[2:] {
	case "1.1", "1.3":
		return userUnknown, true
	case "1.0":
		return userUnknown, false
	case "1.2":
		return hostUnknown, true
	case "1.4", "2.0", "2.1", "2.4":
		return filtered, false
	case "1.6", "7.17", "7.18":
		return moved, true
	case "1.7", "1.8", "7.27":
		return senderRejected, true
	case "1.9", "3.0", "3.3", "3.5", "4.3":
		return systemError, false
	case "1.10":
		return notAccepting, false
	case "2.2":
		return mailboxFull, true
	case "2.3":
		return lengthLimit, true
	case "3.1":
		return systemFull, false
	case "3.2":
		return notAccepting, status[0] == '5'
	case "3.4", "7.16":
		return messageTooBig, true
	case "4.0", "4.1", "4.2", "4.4", "4.6", "4.5":
		return networkError, false
	case "4.7":
		return expired, false
	case "5.3":
		return tooManyConns, false
	case "5.4", "5.5", "5.1":
		return systemError, false
	case "6.1", "6.2", "6.3":
		return contentError, true
	case "6.0", "6.5", "6.6", "6.7", "6.8", "6.9":
		return contentError, false
	case "7.13":
		return suspended, true
	case "7.20", "7.21", "7.22", "7.23", "7.24", "7.26", "7.30", "7.509":
		return authFailure, true
	case "7.25":
		return noPTR, true
	case "7.1", "7.2":
		return securityError, false
	}
	if strings.HasPrefix(status[2:], "7.") {
		return securityError, false
	}
	return "", false
}

// oneLine makes single blanks of all white space.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

// answer is the part of a text that begins with a reply code.
func answer(text, reply string) string {
	if reply == "" {
		return ""
	}
	if i := strings.Index(text, reply); i >= 0 {
		return text[i:]
	}
	return ""
}
