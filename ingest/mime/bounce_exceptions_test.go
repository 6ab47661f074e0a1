package mime

import "strings"

// bounceExceptions are the places where we differ from Sisimai, with the reason why. TestCorpusBounces fails for a
// difference that is not listed and for one that is listed but gone.
func bounceExceptions() map[string]string {
	reasons := make(map[string]string)
	for _, e := range []struct {
		reason string
		where  string // file and columns, a line each
	}{
		{"the original names no recipient, and neither does the report", `
			arf-11: recipients
			arf-15: recipients`},
		{"a person forwards a bounce; we take it for what the person wrote", `
			lhost-sendmail-14: class, recipients, status, status given, reply, hard, reason`},
		{"a file of two messages, of which we read the first", `
			rfc3464-28: recipients, status, status given, reply, hard, reason`},
		{"the server says that the user is unknown, and names him; Sisimai takes it for a filter where the SMTP command is not told", `
			lhost-activehunter-02: status, hard, reason
			lhost-amazonses-02: hard, reason
			lhost-apachejames-01: status, hard, reason
			lhost-exchange2003-04: status, hard, reason
			lhost-mailfoundry-01: status, hard, reason
			lhost-mxlogic-03: status, hard, reason
			lhost-postfix-07: status, hard, reason
			lhost-receivingses-01: hard, reason
			lhost-receivingses-02: hard, reason
			lhost-surfcontrol-01: hard, reason
			lhost-x1-01: status, hard, reason
			lhost-x1-02: status, hard, reason
			lhost-x2-01: status, hard, reason
			lhost-x2-02: status, hard, reason
			rfc3464-42: hard, reason`},
		{"no cause is given but that the address was rejected", `
			lhost-dragonfly-17: hard, reason`},
		{"the notice went to the address that failed, or the addresses were made the same", `
			lhost-einsundeins-03: address
			lhost-exim-61: address
			lhost-postfix-09: address
			lhost-qmail-08: address
			lhost-sendmail-39: address
			lhost-sendmail-54: address
			lhost-x3-06: address
			rhost-franceptt-04: address`},
		{"delivery goes on or ran out of time after temporary failures only; Sisimai gives class 5 or 4 by other signs", `
			lhost-gmail-08: status
			lhost-gmx-04: status
			lhost-mailru-10: status
			lhost-opensmtpd-04: status`},
		{"the report gives a status, for which Sisimai puts one of its own", `
			lhost-opensmtpd-06: status, status given
			lhost-opensmtpd-10: status, status given
			lhost-opensmtpd-12: status, status given
			lhost-opensmtpd-15: status, status given
			lhost-opensmtpd-16: status, status given`},
		{"Sisimai takes the code of an earlier attempt out of the transcript", `
			lhost-exchange2007-05: status, status given
			lhost-sendmail-56: status, status given, reply
			lhost-ezweb-02: reply
			rfc3464-06: reply`},
		{"the text has words of another cause than the report, which we believe", `
			rfc3464-01: reply
			lhost-sendmail-13: reason
			lhost-sendmail-21: reason`},
		{"nothing is said but that it failed: on_hold or undefined", `
			lhost-postfix-64: status, reason
			lhost-x3-05: status, reason`},
		{"the words fit both causes, and ours is the nearer one", `
			lhost-dragonfly-18: reason
			lhost-exchange2007-03: reason
			lhost-exim-46: reason
			lhost-gmail-03: reason
			lhost-postfix-74: reason
			lhost-receivingses-07: reason
			rfc3464-35: reason
			rfc3464-43: reason
			rhost-yahooinc-02: reason
			rhost-franceptt-08: reason
			rhost-franceptt-10: reason
			rhost-franceptt-11: reason
			rhost-franceptt-12: reason`},
		{"a provider's own rule that the words do not tell", `
			rhost-nttdocomo-02: reason
			rhost-nttdocomo-03: reason
			lhost-sendmail-16: reason`},
	} {
		for line := range strings.Lines(e.where) {
			file, columns, ok := strings.Cut(strings.TrimSpace(line), ": ")
			if !ok {
				continue
			}
			for column := range strings.SplitSeq(columns, ", ") {
				reasons["maildir/bsd/"+file+".eml "+column] = e.reason
			}
		}
	}
	return reasons
}
