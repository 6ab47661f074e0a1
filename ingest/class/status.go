package class

import "strings"

// statusAt reads an enhanced status code, RFC 3463 §2, at the beginning of s. It gives "" where there is none.
func statusAt(s string) string {
	if len(s) < 5 || s[0] != '2' && s[0] != '4' && s[0] != '5' || s[1] != '.' {
		return ""
	}
	subject := digits(s[2:])
	if subject == 0 || subject > 2 || len(s) < 4+subject || s[2+subject] != '.' {
		return ""
	}
	detail := digits(s[3+subject:])
	if detail == 0 || detail > 3 {
		return ""
	}
	end := 3 + subject + detail
	// What goes on is an IP address, a version or a word.
	if end < len(s) && (isAlnum(s[end]) || s[end] == '.' && end+1 < len(s) && isDigit(s[end+1])) {
		return ""
	}
	if s[2] > '7' || subject > 1 { // there are eight subjects, RFC 3463 §3.1
		return ""
	}
	return s[:end]
}

// findStatus is the status code in s that says most: the first with a detail, else the first with a subject, else the
// first. Those of class 2 count only if want2 is set.
func findStatus(s string, want2 bool) string {
	best, bestRank := "", 0
	for i := 0; i+5 <= len(s); i++ {
		c := s[i]
		if c != '4' && c != '5' && (c != '2' || !want2) || s[i+1] != '.' {
			continue
		}
		if i > 0 && (isAlnum(s[i-1]) || s[i-1] == '.' && i > 1 && isDigit(s[i-2])) {
			continue
		}
		code := statusAt(s[i:])
		if code == "" || i > 0 && s[i-1] == '[' && strings.HasPrefix(s[i+len(code):], "]") {
			continue
		}
		if rank := statusRank(code); rank > bestRank {
			best, bestRank = code, rank
		}
	}
	return best
}

// statusRank is how much a code says: 1 is the class alone, 2 the subject, 3 the detail. That time ran out says less
// than why.
func statusRank(code string) int {
	switch {
	case code == "":
		return 0
	case strings.HasSuffix(code, ".0.0"):
		return 1
	case strings.HasSuffix(code, ".0"), strings.HasPrefix(code[1:], ".0."), code[1:] == ".4.7":
		return 2
	}
	return 3
}

// replyCodes are the SMTP reply codes of failures: RFC 5321 §4.2.3, RFC 1846, RFC 4954, RFC 7504, and what servers
// send besides.
const replyCodes = "421 422 430 432 441 442 446 447 449 450 451 452 453 454 455 458 459 471 " +
	"500 501 502 503 504 510 511 512 513 515 517 521 523 524 525 530 533 534 535 538 540 541 542 543 546 547 550 551 552 553 554 555 556 557 558"

// findReply is the SMTP reply code in s that says most: 554 and 5xx of the sequence of commands say less than others. It
// stands where a reply begins: behind a blank, a bracket or a mark, and before a blank, a hyphen or a mark.
func findReply(s string, class byte) string {
	best, bestRank := "", 0
	for i := 0; i+3 <= len(s); i++ {
		if s[i] != '4' && s[i] != '5' || !isDigit(s[i+1]) || !isDigit(s[i+2]) {
			continue
		}
		if i > 0 && strings.IndexByte(" \t\n;:<([>'\"=,#", s[i-1]) < 0 {
			continue
		}
		after := byte(' ')
		if i+3 < len(s) {
			after = s[i+3]
		}
		if strings.IndexByte(" \t\n-:;,.<\"'#]", after) < 0 || (after == '.' || after == ',') && i+4 < len(s) && isDigit(s[i+4]) {
			continue
		}
		code := s[i : i+3]
		if !strings.Contains(replyCodes, code) || quantity(s[i+3:]) {
			continue
		}
		rank := 4
		switch {
		case class != 0 && code[0] != class:
			rank = 1
		case code == "503" || code == "554":
			rank = 2
		case code[0] == '4':
			rank = 3
		}
		if i > 0 && s[i-1] == '[' && after == ']' {
			rank = 1
		}
		if rank > bestRank {
			best, bestRank = code, rank
		}
	}
	return best
}

// quantity tells that a number counts something and is no reply.
func quantity(rest string) bool {
	rest = strings.TrimLeft(rest, " ")
	return hasPrefixAny(rest, []string{"minutes", "seconds", "hours", "bytes", "octets", "kb", "messages", "times", "days", "for rcpt"}) != ""
}

// findCommand is the SMTP command that the text says was refused: CONN, HELO, MAIL, RCPT or DATA; "" where it does not
// say. s is in lower case.
func findCommand(s string) string {
	for _, c := range commandPhrases {
		if containsAny(s, c.phrases) != "" {
			return c.command
		}
	}
	return ""
}

// commandPhrases are the words in which servers say at what command they failed, in the order in which they count.
var commandPhrases = []struct {
	command string
	phrases []string
}{
	{"RCPT", []string{"in reply to rcpt", "after rcpt", "following rcpt", "like our rcpt", "[rcpt_to]", "does not like recipient",
		"most progress was rcpt", "smtp:rcpt", "sent <<< rcpt to", "smtp error, rcpt to", "for rcpt to command", ">>> rcpt to"}},
	{"MAIL", []string{"in reply to mail", "after mail from", "[mail_from]", "sender was rejected", "like our mail", ">>> mail from",
		"sent <<< mail from"}},
	{"DATA", []string{"in reply to data", "in reply to end of data", "after end of data", "after data", "like our data",
		"like our final data", "failed after i sent the message", "[data]", "[bodycommand]", "for text command", "accept your message (data)",
		">>> data", "step: data", "smtp command\ndata"}},
	{"HELO", []string{"in reply to ehlo", "in reply to helo", "after helo", "after ehlo", "my name was rejected", "like our ehlo", ">>> ehlo", ">>> helo"}},
	{"CONN", []string{"refused to talk to me", "initial connection", "[connect]", "while receiving the initial server greeting", "did not like our connect"}},
}

func digits(s string) int {
	n := 0
	for n < len(s) && isDigit(s[n]) {
		n++
	}
	return n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isAlnum(c byte) bool { return isDigit(c) || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' }
