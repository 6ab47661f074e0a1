package class

import "strings"

// assumedStatus is the status code of a failure for which the message gives none: class, subject 0 ("undefined") and a
// detail of 900 and up that stands for the reason. RFC 3463 and the registry of RFC 5248 leave these numbers free, so
// that nobody takes them for a server's word; the numbers are those of Sisimai, which others know as well.
func assumedStatus(reason string, f *failure) string {
	detail, ok := assumedDetails[reason]
	if !ok {
		return ""
	}
	if f.reply != "" && strings.Contains(lower(f.diagnostic), "after mail from") {
		// Exim says that it was refused before it could name a recipient: the sending side is meant, whatever the words are.
		detail = assumedDetails[onHold]
	}
	if f.action == "delayed" || len(f.reply) == 3 && f.reply[0] == '4' || f.abandoned() {
		return "4.0." + detail
	}
	return "5.0." + detail
}

// abandoned tells that a mailer gave up after failures that were all temporary: class 4, RFC 3463 §2.
func (f *failure) abandoned() bool {
	return f.reply == "" && containsAny(oneLine(lower(f.diagnostic)), []string{"retry timeout exceeded", "failing for a long time", "retry time not reached"}) != ""
}

// assumedDetails are the details by reason.
var assumedDetails = map[string]string{
	undefined: "900", onHold: "901", syntaxError: "902", relayingDenied: "909", filtered: "910", userUnknown: "911", hostUnknown: "912", moved: "916",
	senderRejected: "918", suspended: "921", mailboxFull: "922", lengthLimit: "923", systemError: "930", systemFull: "931", notAccepting: "932",
	messageTooBig: "934", mailerError: "939", networkError: "944", tooManyConns: "945", tooFast: "945", expired: "947", contentError: "960", securityError: "970",
	blocked: "971", authFailure: "972", noPTR: "973", badReputation: "975", policyViolation: "972", notCompliant: "974", spamDetected: "980", virusDetected: "971",
}
