package class

import "strings"

// How inline looks for addresses.
const (
	behindWords = iota // behind words of failure
	behindTo           // behind them or in a line To, as the notice describes the message
	anywhere           // the first that is left
)

// inline finds addresses within lines, "could not be delivered to a@example.org because".
func (n *notice) inline(skip addressSet, how int) {
	eachLine(n.text, func(line, low string) {
		if how == anywhere && len(n.entries) > 0 || strings.IndexByte(line, '@') < 0 || isContact(low) ||
			strings.Contains(low, "message-id") || strings.Contains(low, "mts-id") {
			return
		}
		if how == behindWords && hasPrefixAny(strings.TrimLeft(low, " \t"), []string{"to:", "cc:"}) != "" {
			return
		}
		for from := 0; ; {
			address, start, end, ok := findAddress(line, from)
			if !ok {
				return
			}
			from = end
			before := strings.TrimRight(low[max(0, start-60):start], " <\"'([:*,;=")
			if skip.has(address) || n.find(address) >= 0 || endsInWord(before, senderWords) {
				continue
			}
			if how != anywhere && !endsInWord(before, recipientWords) || len(n.entries) == maxRecipients {
				continue
			}
			n.guessed = how == anywhere
			n.entries = append(n.entries, entry{address: address})
		}
	})
	n.shareText()
}

// names finds recipients without a domain, which are local to the host that reports: lines with nothing but a name, or a
// name and a remark in columns, behind a line that announces recipients.
func (n *notice) names(domain string) {
	if domain == "" {
		return
	}
	before, announced := "", false
	eachLine(n.text, func(line, low string) {
		name, remark := strings.TrimLeft(line, " \t"), ""
		indented := len(name) < len(line)
		if i := strings.IndexAny(name, " \t"); i >= 0 {
			name, remark = name[:i], name[i:]
		}
		columns := strings.TrimSpace(remark) == "" || strings.HasPrefix(remark, "  ") || remark[0] == '\t'
		if announced && indented && columns && isName(name) && len(n.entries) < maxRecipients {
			e := entry{address: name + "@" + domain, completed: true}
			e.add(remark)
			n.entries = append(n.entries, e)
			return
		}
		announced = strings.HasSuffix(strings.TrimRight(low, " "), ":") && containsAny(before+" "+low, []string{"recipient", "to the following"}) != "" &&
			hasIntroduction(before+" "+low)
		before = cut(low, 200)
	})
	if len(n.entries) == 1 {
		n.shareText()
	}
}

// complete gives names that stood without a domain the one that they have in the given addresses.
func (n *notice) complete(lists ...[]string) {
	for i := range n.entries {
		e := &n.entries[i]
		for _, list := range lists {
			for _, address := range list {
				if e.completed && localPart(address) == localPart(e.address) {
					e.address, e.completed = address, false
				}
			}
		}
	}
}

// isName tells a local part of letters, digits, dots, hyphens and low lines.
func isName(s string) bool {
	if s == "" || len(s) > 64 || !isAlnum(s[0]) || !isAlnum(s[len(s)-1]) {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !isAlnum(s[i]) && strings.IndexByte("._-", s[i]) < 0 {
			return false
		}
	}
	return true
}

// expandedFrom is the address that a line says another was made of, "(expanded from: <a@example.org>)".
func expandedFrom(line, low string) string {
	for _, words := range expansionWords {
		if i := strings.Index(low, words); i >= 0 {
			address, start, _, ok := findAddress(line, i+len(words))
			if ok && isMailbox(address) && strings.Trim(line[i+len(words):start], " :<\"'") == "" {
				return address
			}
		}
	}
	return ""
}
