package class

import "strings"

// notice is a bounce in free form, as far as it can be read: who failed, and what the text says about each.
type notice struct {
	text     string // up to the copy of the original
	original string // the copy, or what there is of it
	entries  []entry
	// guessed says that nothing in the text tells that the entries failed.
	guessed bool
}

// entry is one address that a notice says failed.
type entry struct {
	address string
	text    string // what is said about it, a line each
	// original is the address that was expanded to this one, where the notice says so.
	original  string
	completed bool // the notice names no domain
}

// maxNotice is how much of a notice is read, in octets.
const maxNotice = 64 << 10

// splitOriginal parts the text of a notice from the copy of the message that it is about.
func splitOriginal(text string) (note, original string) {
	text = text[:len(cut(text, maxNotice))]
	for at := 0; at < len(text); {
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			end = len(text)
		} else {
			end += at
		}
		line := text[at:end]
		if len(line) <= 200 && len(line) >= len("To: a@b") {
			low := lower(strings.TrimSpace(line))
			if containsAny(low, originalMarkers) != "" {
				return text[:at], text[min(end+1, len(text)):]
			}
			if at > 0 && hasPrefixAny(low, originalFields) == low[:fieldPrefix(low)] && fieldPrefix(low) > 0 && line[0] != ' ' {
				return text[:at], text[at:]
			}
		}
		at = end + 1
	}
	return text, ""
}

// fieldPrefix is the length of a field name with its colon at the beginning of a line.
func fieldPrefix(line string) int {
	i := strings.IndexByte(line, ':')
	if i < 1 || strings.IndexByte(line[:i], ' ') >= 0 {
		return 0
	}
	return i + 1
}

// readNotice finds the recipients in the text of a notice. skip are addresses that did not fail: whom the notice went
// to and who sent it. domain completes names that stand without one.
func readNotice(text, domain string, skip addressSet) *notice {
	n := new(notice)
	n.text, n.original = splitOriginal(text)
	if n.leading(skip); len(n.entries) == 0 {
		n.transcript(skip)
	}
	for _, how := range []int{behindWords, behindTo, anywhere} {
		if len(n.entries) == 0 {
			n.inline(skip, how)
		}
		if len(n.entries) == 0 && how == behindWords {
			n.names(domain)
		}
	}
	n.guessed = n.guessed || len(n.entries) == 0
	return n
}

// leading finds addresses that begin a line behind words such as "the following addresses", and gives each the lines
// that follow it.
func (n *notice) leading(skip addressSet) {
	introduced, session := false, false
	current := -1
	unfinished := "" // a line that breaks off before the address that was expanded
	eachLine(n.text, func(line, low string) {
		if unfinished != "" {
			line = unfinished + " " + strings.TrimSpace(line)
			low, unfinished = lower(line), ""
		}
		if len(line) < 500 && hasSuffixAny(strings.TrimRight(low, " "), expansionWords) {
			unfinished = line
			return
		}
		introduced = introduced || hasIntroduction(low)
		if strings.Contains(low, "transcript of session") || strings.Contains(low, "technical details") {
			session = true
		}
		address, rest, strong := leadingAddress(line)
		if address != "" && len(rest) < len(line) {
			if i := n.find(address); i >= 0 {
				current = i
			} else if !session && (introduced || strong) && !skip.has(address) && !isContact(low) {
				if len(n.entries) == maxRecipients {
					return
				}
				n.entries = append(n.entries, entry{address: address, original: expandedFrom(line, low)})
				current = len(n.entries) - 1
				n.entries[current].add(rest)
				return
			}
		}
		if from := expandedFrom(line, low); from != "" && introduced && !session {
			switch {
			case current >= 0 && n.entries[current].original == "":
				n.entries[current].original = from
			case current < 0 && !skip.has(from):
				// "an undisclosed address (generated from a@example.org)"
				n.entries = append(n.entries, entry{address: from})
				current = len(n.entries) - 1
				return
			}
		}
		if session && len(n.entries) > 1 {
			if i := n.mentioned(line); i >= 0 {
				current = i
			}
		}
		if current >= 0 {
			n.entries[current].add(line)
		}
	})
}

// transcript finds addresses in the lines of an SMTP session: "554 <a@example.org>... Host unknown" of sendmail, which
// stands behind the lines that it is about, and "RCPT TO:".
func (n *notice) transcript(skip addressSet) {
	var before strings.Builder
	eachLine(n.text, func(line, low string) {
		t := strings.TrimLeft(line, " \t<>=")
		if len(t) > 8 && digits(t) == 3 && t[3] == ' ' && strings.Contains(t, "...") {
			address, start, _, ok := findAddress(t, 4)
			if ok && start <= 5 && !skip.has(address) && len(n.entries) < maxRecipients {
				i := n.find(address)
				if i < 0 {
					n.entries = append(n.entries, entry{address: address})
					i = len(n.entries) - 1
				}
				n.entries[i].add(before.String())
				n.entries[i].add(line)
				before.Reset()
				return
			}
		}
		if before.Len() < 4000 {
			before.WriteString(line)
			before.WriteByte('\n')
		}
	})
	if len(n.entries) > 0 {
		return
	}
	eachLine(n.text, func(line, low string) {
		if i := strings.Index(low, "rcpt to:"); i >= 0 {
			if address, _, _, ok := findAddress(line, i); ok && !skip.has(address) && n.find(address) < 0 && len(n.entries) < maxRecipients {
				n.entries = append(n.entries, entry{address: address})
			}
		}
	})
	n.shareText()
}

// shareText gives the whole text to a notice about one address; of several each gets the lines that name it.
func (n *notice) shareText() {
	if len(n.entries) == 1 {
		n.entries[0].add(n.text)
		return
	}
	eachLine(n.text, func(line, low string) {
		if i := n.mentioned(line); i >= 0 {
			n.entries[i].add(line)
		}
	})
}

// heading is the text above the first place where an address stands, or all of it where it does not: the last 1,000 octets.
func (n *notice) heading(address string) string {
	text := n.text
	if i := strings.Index(lower(text), lower(address)); i >= 0 {
		text = text[:i]
	}
	return text[max(0, len(text)-1000):]
}

// find is the entry of an address, or -1.
func (n *notice) find(address string) int {
	for i := range n.entries {
		if strings.EqualFold(n.entries[i].address, address) {
			return i
		}
	}
	return -1
}

// mentioned is the entry whose address stands in a line, or -1.
func (n *notice) mentioned(line string) int {
	for from := 0; ; {
		address, _, end, ok := findAddress(line, from)
		if !ok {
			return -1
		}
		if i := n.find(address); i >= 0 {
			return i
		}
		from = end
	}
}

// add appends a line to what is said about an address, up to 4,000 octets.
func (e *entry) add(s string) {
	if s = strings.TrimSpace(s); s != "" && len(e.text) < 4000 {
		e.text += cut(s, 4000) + "\n"
	}
}

// leadingAddress is the address that a line begins with, behind bullets, brackets and quotation marks, and what follows
// it. strong says that the form alone tells that it is a heading, as with "<a@example.org>:".
func leadingAddress(line string) (address, rest string, strong bool) {
	if i := strings.Index(line, "<mailto:"); i >= 0 && i < 100 {
		if a, _, end, ok := findAddress(line, i+len("<mailto:")); ok {
			return a, strings.TrimLeft(line[end:], ">"), false
		}
	}
	t := strings.TrimLeft(line, " \t*->#•|\u00a0")
	bracket := strings.HasPrefix(line, "<") || strings.HasPrefix(line, "\"") || strings.HasPrefix(t, "<")
	if strings.HasPrefix(line, "\"") {
		t = line
	}
	t = strings.TrimLeft(t, "<\"'")
	a, start, end, ok := findAddress(t, 0)
	if !ok || start != 0 {
		// "name:id:<a@example.org> :" is how SendGrid writes it.
		if ok && start > 1 && start < 80 && t[start-1] == '<' && strings.Count(t[:start], ":") == 2 && strings.IndexByte(t[:start], ' ') < 0 {
			return a, t[end:], false
		}
		return "", line, false
	}
	rest = t[end:]
	if rest != "" && strings.IndexByte(" >:\",;([<'\t\u3000", rest[0]) < 0 && rest[0] < 0x80 {
		return "", line, false
	}
	rest = strings.TrimLeft(rest, ">\"'")
	strong = bracket && strings.HasPrefix(rest, ":")
	return a, strings.TrimLeft(rest, ": "), strong
}

// isContact tells lines that name whom to ask.
func isContact(low string) bool {
	return containsAny(low, []string{"contact", "please send mail to", "send an email to", "for further assistance", "forward this", "reply-to:"}) != ""
}

// hasIntroduction tells lines behind which the failed addresses stand.
func hasIntroduction(low string) bool { return containsAny(low, introductions) != "" }

// endsInWord tells that s ends in one of words, which are in lower case as s is, and not in a longer one.
func endsInWord(s string, words []string) bool {
	for _, w := range words {
		if strings.HasSuffix(s, w) {
			if i := len(s) - len(w); i == 0 || !isAlnum(s[i-1]) || w[0] >= 0x80 {
				return true
			}
		}
	}
	return false
}

func hasSuffixAny(s string, suffixes []string) bool {
	for _, x := range suffixes {
		if strings.HasSuffix(s, x) {
			return true
		}
	}
	return false
}

// eachLine calls f with each line that is not empty, and the line in lower case.
func eachLine(text string, f func(line, low string)) {
	for len(text) > 0 {
		var line string
		if line, text, _ = strings.Cut(text, "\n"); line != "" {
			f(line, lower(line))
		}
	}
}
