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
	kind       string // type of the diagnostic, lower case
	status     string
	reply      string
	command    string
	action     string
	remote     bool // a server answered, the failure is not the sender's own system's
}

// cause tells the reason of a failure.
//
// The status code decides where it is exact. Else the words of the diagnostic decide, in the order of reasonPhrases. A
// vague status code comes next, then what remains.
func (f *failure) cause() string {
	if strings.HasPrefix(f.status, "2.") || f.action == "delivered" || f.action == "relayed" || f.action == "expanded" {
		return delivered
	}
	text := lower(f.diagnostic)
	byWords := reasonOfWords(text)
	byStatus, exact := reasonOfStatus(f.status)
	switch {
	case exact && !(byStatus == userUnknown && overridesUnknown(byWords)):
		return byStatus
	case byWords == userUnknown:
		return f.unknownUser(byStatus)
	case byWords != "":
		return byWords
	}
	if f.kind == "x-unix" || f.kind == "x-postfix" && strings.Contains(text, "command") {
		return mailerError
	}
	if byStatus != "" {
		return byStatus
	}
	if byWords = reasonOfWords(lower(f.context)); byWords != "" {
		if byWords == userUnknown {
			return f.unknownUser("")
		}
		return byWords
	}
	switch {
	case strings.HasPrefix(f.reply, "50"):
		return syntaxError
	case f.action == "delayed":
		return expired
	case f.command == "CONN" || f.command == "HELO":
		return blocked
	case strings.TrimSpace(f.diagnostic) != "":
		return onHold
	}
	return undefined
}

// unknownUser settles what "user unknown" means: a server that took the recipient and refused the message later may
// have a filter that hides behind these words.
func (f *failure) unknownUser(byStatus string) string {
	if byStatus == filtered && f.command != "RCPT" {
		return filtered
	}
	if f.reply != "" && f.command != "RCPT" && f.command != "MAIL" {
		return filtered
	}
	return userUnknown
}

// overridesUnknown tells causes that count more than the status of an unknown user, which many servers give to all.
func overridesUnknown(reason string) bool {
	switch reason {
	case mailboxFull, relayingDenied, blocked, moved, senderRejected, suspended, noPTR, notAccepting, spamDetected, hostUnknown:
		return true
	}
	return false
}

// reasonOfWords finds the first reason whose words a text in lower case has.
func reasonOfWords(text string) string {
	if text == "" {
		return ""
	}
	for i := range reasonPhrases {
		if containsAny(text, reasonPhrases[i].phrases) != "" {
			return reasonPhrases[i].reason
		}
	}
	return ""
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
		return notAccepting, true
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
	case "6.0", "6.1", "6.2", "6.3", "6.5", "6.6", "6.7", "6.8", "6.9":
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
