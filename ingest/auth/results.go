package auth

import "strings"

// results is one Authentication-Results field, RFC 8601 §2.2.
type results struct {
	id     string // authserv-id as it stands; empty where the field has none
	list   []result
	broken bool // the field is not well-formed: what it says may not be what its author meant
}

// result is what one method came to.
type result struct {
	method     string // lower case: spf, dkim, dmarc …
	value      string // lower case: pass, fail …
	reason     string
	properties []property
	broken     bool // as of results
}

// property says what was checked.
type property struct {
	name  string // lower case: smtp.mailfrom, header.d …
	value string
}

// property gives the first value of a name, empty if there is none.
func (r *result) property(name string) string {
	for _, p := range r.properties {
		if p.name == name {
			return p.value
		}
	}
	return ""
}

// parseResults reads the value of a field.
func parseResults(value string) results {
	var r results
	s := scanner{rest: value}
	for i := 0; i < len(value); i++ {
		if value[i] < ' ' && value[i] != '\t' || value[i] == 0x7f {
			s.broken = true
		}
	}
	s.space()
	start := s.rest
	r.id = s.word("=")
	s.space()
	if strings.HasPrefix(s.rest, "=") {
		// QUIRK: Exchange Online begins with the first result, against RFC 8601 §2.2.
		r.id, s.rest = "", ";"+start
	} else if s.rest != "" && s.rest[0] != ';' {
		if version := s.word("="); version != "1" { // the only one there is, §2.2
			s.broken = true
		}
		s.space()
	}
	if s.rest != "" && s.rest[0] != ';' {
		s.broken = true
	}
	const most = 100
	for !s.broken && s.rest != "" && len(r.list) < most {
		s.rest = s.rest[1:] // the semicolon
		if one, ok := s.result(); ok {
			r.list = append(r.list, one)
		}
	}
	r.broken = s.broken
	return r
}

// scanner goes through a field.
type scanner struct {
	rest   string
	broken bool
}

// result reads up to the next semicolon. ok is false for "none" and for a lone word: QUIRK: Exchange writes the domain
// of the recipient between results.
func (s *scanner) result() (r result, ok bool) {
	s.space()
	r.method = strings.ToLower(s.word("=/"))
	s.space()
	if strings.HasPrefix(s.rest, "/") { // the version of the method
		s.rest = s.rest[1:]
		s.space()
		if s.word("=") != "1" {
			r.broken = true
		}
		s.space()
	}
	if !strings.HasPrefix(s.rest, "=") {
		s.skip()
		return r, false
	}
	s.rest = s.rest[1:]
	s.space()
	r.value = strings.ToLower(s.word("="))
	for s.space(); s.rest != "" && s.rest[0] != ';'; s.space() {
		before := s.rest
		name := strings.ToLower(s.word("="))
		s.space()
		if !strings.HasPrefix(s.rest, "=") {
			r.broken = true
			if s.rest == before { // a character that begins nothing
				s.rest = s.rest[1:]
			}
			continue
		}
		s.rest = s.rest[1:]
		s.space()
		value := s.word("")
		if name == "reason" {
			r.reason = value
			continue
		}
		if old := r.property(name); old != "" && old != value {
			r.broken = true // one of them was smuggled in
		}
		const most = 50
		if len(r.properties) < most {
			r.properties = append(r.properties, property{name, value})
		}
	}
	return r, r.method != "" && r.value != ""
}

// word reads up to white space, a semicolon, a comment or one of the characters in ends. Quoted strings within are taken
// as what they stand for.
func (s *scanner) word(ends string) string {
	var b strings.Builder
	i := 0
	for i < len(s.rest) {
		c := s.rest[i]
		if c == '"' {
			text, n, ok := quoted(s.rest[i:])
			if !ok {
				s.broken = true
			}
			b.WriteString(text)
			i += n
			continue
		}
		if c == ' ' || c == '\t' || c == ';' || c == '(' || strings.IndexByte(ends, c) >= 0 {
			break
		}
		if c == ')' {
			s.broken = true
		}
		b.WriteByte(c)
		i++
	}
	s.rest = s.rest[i:]
	return b.String()
}

// quoted reads a quoted string, RFC 5322 §3.2.4.
func quoted(s string) (text string, n int, ok bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			return b.String(), i + 1, true
		case c == '\\' && i+1 < len(s):
			i++
			b.WriteByte(s[i])
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), len(s), false
}

// space skips white space and comments, RFC 5322 §3.2.2.
func (s *scanner) space() {
	for s.rest != "" {
		switch c := s.rest[0]; {
		case c == ' ' || c == '\t':
			s.rest = s.rest[1:]
		case c == '(':
			n, ok := comment(s.rest)
			s.rest = s.rest[n:]
			if !ok {
				s.broken = true
			}
		default:
			return
		}
	}
}

// comment gives the length of the comment that s begins with.
func comment(s string) (n int, ok bool) {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1, true
			}
		}
	}
	return len(s), false
}

// skip goes to the next semicolon.
func (s *scanner) skip() {
	for s.space(); s.rest != "" && s.rest[0] != ';'; s.space() {
		if s.word("") == "" && s.rest != "" && s.rest[0] != ';' {
			s.rest = s.rest[1:]
		}
	}
}
