package class

import (
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// maxAddress is the longest address that is read out of a text, in octets (RFC 5321 §4.5.3.1.3 allows 254 and brackets).
const maxAddress = 320

// findAddress is the first addr-spec in s from octet from on, with its place; ok is false where there is none. It looks
// at every octet a fixed number of times.
func findAddress(s string, from int) (address string, start, end int, ok bool) {
	for from < len(s) {
		i := strings.IndexByte(s[from:], '@')
		if i < 0 {
			return "", 0, 0, false
		}
		at := from + i
		if start, end, ok = addressAround(s, at); ok {
			return s[start:end], start, end, true
		}
		from = at + 1
	}
	return "", 0, 0, false
}

// addressAround tells where the address begins and ends whose at sign stands at octet at.
func addressAround(s string, at int) (start, end int, ok bool) {
	start, end = at, at+1
	if at > 0 && s[at-1] == '"' {
		// A quoted local part, RFC 5321 §4.1.2.
		low := max(0, at-maxAddress)
		i := strings.LastIndexByte(s[low:at-1], '"')
		if i < 0 {
			return 0, 0, false
		}
		start = low + i
	} else {
		for start > 0 && at-start < maxAddress && isAtom(s[start-1]) {
			start--
		}
		// Quotation marks and the like around an address are none of it, nor is the type that gateways to X.400 set before
		// it, "SMTP=a@example.org".
		for start < at && strings.IndexByte("'`*=|{", s[start]) >= 0 {
			start++
		}
		for _, kind := range [...]string{"smtp=", "rfc822=", "rfc-822="} {
			if at-start > len(kind) && strings.EqualFold(s[start:start+len(kind)], kind) {
				start += len(kind)
			}
		}
	}
	if end < len(s) && s[end] == '[' {
		i := strings.IndexByte(s[end:min(len(s), end+50)], ']')
		if i < 0 {
			return 0, 0, false
		}
		end += i + 1
	} else {
		for end < len(s) && end-at < maxAddress && isDomain(s[end]) {
			end++
		}
		for end > at+1 && (s[end-1] == '.' || s[end-1] == '-' || s[end-1] == '_') {
			end--
		}
	}
	return start, end, start < at && end > at+1 && end-start <= maxAddress
}

// isAtom tells octets of a local part, RFC 5322 §3.2.3 with the dot. Internationalised addresses (RFC 6531) cannot be told
// from the words of a language that sets no blanks.
func isAtom(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		strings.IndexByte("!#$%&'*+-/=?^_`{|}~.", c) >= 0
}

func isDomain(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '-' || c == '_'
}

// isMailbox tells an address that mail from elsewhere can go to; hosts without a domain and X.400 addresses are none.
func isMailbox(s string) bool {
	_, start, end, ok := findAddress(s, 0)
	if !ok || start != 0 || end != len(s) {
		return false
	}
	domain := s[strings.LastIndexByte(s, '@')+1:]
	return domain[0] == '[' || strings.IndexByte(domain, '.') > 0
}

// localPart is what stands before the at sign, in lower case.
func localPart(address string) string {
	if i := strings.LastIndexByte(address, '@'); i >= 0 {
		address = address[:i]
	}
	return strings.ToLower(address)
}

// addressSet are addresses in lower case.
type addressSet map[string]bool

func (set addressSet) add(list []ingest.Address) {
	for _, a := range list {
		if a.Email != "" {
			set[strings.ToLower(a.Email)] = true
		}
	}
}

func (set addressSet) has(address string) bool { return set[strings.ToLower(address)] }

// lower makes small letters of ASCII alone, so that places in s and in the result are the same.
func lower(s string) string {
	for i := 0; i < len(s); i++ {
		if 'A' <= s[i] && s[i] <= 'Z' {
			b := []byte(s)
			for ; i < len(b); i++ {
				if 'A' <= b[i] && b[i] <= 'Z' {
					b[i] += 'a' - 'A'
				}
			}
			return string(b)
		}
	}
	return s
}

// cut shortens s to n octets at most without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xc0 == 0x80 {
		n--
	}
	return s[:n]
}

// containsAny gives the first of phrases that s contains, or nothing.
func containsAny(s string, phrases []string) string {
	for _, p := range phrases {
		if strings.Contains(s, p) {
			return p
		}
	}
	return ""
}

// hasPrefixAny gives the first of prefixes that s begins with, or nothing.
func hasPrefixAny(s string, prefixes []string) string {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return p
		}
	}
	return ""
}
