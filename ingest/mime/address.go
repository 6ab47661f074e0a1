package mime

import (
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// addresses reads an address list, RFC 5322 §3.4 with the obsolete forms of §4.4, one address at a time: a bad one
// costs itself only. Groups give their members. Semicolons separate like commas. It looks at every octet once.
func (p *parser) addresses(s, field string) []ingest.Address {
	a := addressReader{parser: p, field: field, s: s}
	return a.list(true)
}

// addressReader splits a field into addresses.
type addressReader struct {
	*parser
	field string
	s     string
	out   []ingest.Address

	// Of the current address.
	words   []byte // display name or bare address
	spaced  bool   // white space came after words
	quoted  bool   // words has a quoted string
	at      bool   // words has an at sign outside quotes
	angle   string
	angled  bool
	comment []byte

	noQuote, noComment, noAngle bool // there is no closing one in the rest
}

// list reads all addresses; again allows one more look into what was encoded as a whole.
func (a *addressReader) list(again bool) []ingest.Address {
	for i := 0; i < len(a.s); {
		if len(a.out) == maxAddresses {
			a.defect(TooManyAddresses, a.field, "")
			return a.out
		}
		c := a.s[i]
		switch {
		case c == ' ' || c == '\t' || c == '\r' || c == '\n':
			a.spaced = true
			i++
		case c == ',' || c == ';':
			a.end(again)
			i++
		case c == ':' && !a.angled && !a.at:
			// The name of a group; its members follow.
			a.reset()
			i++
		case c == '"' && !a.noQuote:
			n, text := quotedString(a.s[i:])
			if n == 0 {
				a.noQuote = true
				i++
				break
			}
			a.quote(a.s[i:i+n], text, i+n < len(a.s) && a.s[i+n] == '@')
			i += n
		case c == '(' && !a.noComment:
			n, text := comment(a.s[i:])
			if n == 0 {
				a.noComment = true
				i++
				break
			}
			if len(a.comment) > 0 {
				a.comment = append(a.comment, ' ')
			}
			a.comment = append(a.comment, text...)
			a.spaced = true
			i += n
		case c == '<' && !a.noAngle:
			n := angleEnd(a.s[i:])
			if n == 0 {
				a.noAngle = strings.IndexByte(a.s[i:], '>') < 0
				i++
				break
			}
			text := strings.TrimRight(a.s[i+1:i+n], ">")
			if !a.angled || !strings.Contains(a.angle, "@") {
				a.angle, a.angled = text, true
			}
			a.spaced = true
			i += n
		case c == '>':
			i++
		default:
			if a.spaced && len(a.words) > 0 {
				a.words = append(a.words, ' ')
			}
			a.spaced = false
			j := i + 1
			for j < len(a.s) && strings.IndexByte(" \t\r\n,;:\"(<>", a.s[j]) < 0 {
				j++
			}
			a.words = append(a.words, a.s[i:j]...)
			a.at = a.at || strings.IndexByte(a.s[i:j], '@') >= 0
			i = j
		}
	}
	a.end(again)
	return a.out
}

func (a *addressReader) reset() {
	a.words, a.comment = a.words[:0], a.comment[:0]
	a.angle, a.angled, a.spaced, a.quoted, a.at = "", false, false, false, false
}

// quote adds a quoted string: as it is where it is a local part (RFC 5322 §3.4.1), without quotes in a name.
func (a *addressReader) quote(raw string, text []byte, local bool) {
	if a.spaced && len(a.words) > 0 {
		a.words = append(a.words, ' ')
	}
	a.spaced, a.quoted = false, true
	if local {
		a.words = append(a.words, raw...)
	} else {
		a.words = append(a.words, text...)
	}
}

// end makes an address of what was collected.
func (a *addressReader) end(again bool) {
	if len(a.words) == 0 && !a.angled && len(a.comment) == 0 {
		a.reset()
		return
	}
	var name, email string
	words := string(a.words)
	switch {
	case a.angled:
		email = cleanEmail(a.angle)
		name = words
		if email == "" && strings.Contains(words, "@") {
			email, name = splitBare(words)
		}
		if name == "" {
			name = string(a.comment)
		}
	case a.at:
		email, name = splitBare(words)
		if name == "" {
			name = string(a.comment)
		}
	default:
		name = words
		if name == "" {
			name = string(a.comment)
		}
		if again && strings.Contains(name, "=?") || a.quoted && strings.Contains(name, "@") {
			// Some senders encode or quote the address together with the name.
			text := oneLine(a.headerText(name, a.field))
			if again && strings.Contains(text, "@") {
				inner := addressReader{parser: a.parser, field: a.field, s: text}
				if list := inner.list(false); len(list) == 1 && strings.Contains(list[0].Email, "@") {
					a.defect(AddressBad, a.field, text)
					a.out = append(a.out, list[0])
					a.reset()
					return
				}
			}
		}
	}
	name = oneLine(a.headerText(name, a.field))
	if strings.Contains(email, "=?") {
		email = oneLine(a.headerText(email, a.field))
	}
	email = oneLine(a.rawText(email, a.field))
	if !strings.Contains(email, "@") || strings.ContainsAny(email, " ") && !strings.HasPrefix(email, `"`) {
		a.defect(AddressBad, a.field, name+" <"+email+">")
	}
	if name == email && name != "" {
		name = "" // says nothing
	}
	if email == "" && name == "" {
		a.reset()
		return
	}
	a.out = append(a.out, ingest.Address{Name: name, Email: email})
	a.reset()
}

// isSpec tells an addr-spec whose local part is quoted.
func isSpec(s string) bool {
	return strings.HasPrefix(s, `"`) && strings.Contains(s, `"@`)
}

// splitBare finds the address in words without angle brackets; the other words are the name.
func splitBare(s string) (email, name string) {
	if isSpec(s) {
		return cleanEmail(s), ""
	}
	at := strings.IndexByte(s, '@')
	begin := strings.LastIndexByte(s[:at], ' ') + 1
	end := len(s)
	if i := strings.IndexByte(s[at:], ' '); i >= 0 {
		end = at + i
	}
	if begin == at || end == at+1 { // white space around the at sign, RFC 5322 §4.4
		if compact := strings.NewReplacer(" ", "", "\t", "").Replace(s); strings.Count(compact, "@") == 1 {
			return cleanEmail(compact), ""
		}
	}
	return cleanEmail(s[begin:end]), strings.TrimSpace(s[:begin] + s[end:])
}

// cleanEmail takes white space, routes (RFC 5322 §4.4), brackets and mailto: off an addr-spec.
func cleanEmail(s string) string {
	s = strings.Trim(s, " \t\r\n<>,;")
	if strings.HasPrefix(s, "@") {
		if i := strings.LastIndexByte(s, ':'); i >= 0 {
			s = s[i+1:]
		}
	}
	if len(s) > 7 && strings.EqualFold(s[:7], "mailto:") {
		s = s[7:]
	}
	if !strings.HasPrefix(s, `"`) {
		if strings.ContainsAny(s, " \t") && strings.Count(s, "@") == 1 {
			s = strings.NewReplacer(" ", "", "\t", "").Replace(s)
		}
		s = strings.Trim(s, `'"`)
		if strings.IndexByte(s, '(') >= 0 { // a comment
			var b strings.Builder
			for i := 0; i < len(s); i++ {
				if s[i] == '(' {
					if n, _ := comment(s[i:]); n > 0 {
						i += n - 1
						continue
					}
					b.WriteString(s[i:])
					break
				}
				b.WriteByte(s[i])
			}
			s = b.String()
		}
	}
	return s
}

// quotedString reads the quoted string that s begins with, RFC 5322 §3.2.4; n is 0 if it has no end.
func quotedString(s string) (n int, text []byte) {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return i + 1, text
		case '\\':
			if i+1 < len(s) {
				i++
			}
		}
		text = append(text, s[i])
	}
	return 0, nil
}

// comment reads the comment that s begins with, RFC 5322 §3.2.2, with those inside it; n is 0 if it has no end.
func comment(s string) (n int, text []byte) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			if depth++; depth == 1 {
				continue
			}
		case ')':
			if depth--; depth == 0 {
				return i + 1, text
			}
		case '\\':
			if i+1 < len(s) {
				i++
			}
		}
		text = append(text, s[i])
	}
	return 0, nil
}

// angleEnd is the length of what stands in angle brackets at the beginning of s, with them. Where the closing one is
// missing it ends before the next separator; 0 if there is no end to find.
func angleEnd(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '>':
			for i+1 < len(s) && s[i+1] == '>' {
				i++
			}
			return i + 1
		case '"':
			if n, _ := quotedString(s[i:min(len(s), i+maxLocalPart)]); n > 0 {
				i += n - 1
			}
		case '<':
			if strings.TrimSpace(s[1:i]) == "" {
				continue // doubled
			}
			return i
		case ',', ';':
			if s[1] != '@' { // not a route
				return i
			}
		}
	}
	return len(s)
}

// maxLocalPart bounds how far a quoted local part is looked for; RFC 5321 §4.5.3.1.1 allows 64 octets.
const maxLocalPart = 128
