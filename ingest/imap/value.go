package imap

import (
	"fmt"
	"strings"
)

// value reads one value of whatever form (RFC 9051 §4) and calls atom, if not nil, for the atoms in it. Nothing is
// kept: strings and literals are skipped.
func (g *guard) value(atom func(string)) error {
	depth := 0
	for {
		c, err := g.byte()
		if err != nil {
			return err
		}
		switch c {
		case '\n':
			return violation("a response that ends in the middle")
		case ' ', '\r', '~':
		case '(':
			if depth++; depth > maxDepth {
				return limitError("", fmt.Sprintf("lists nested more than %d deep", maxDepth))
			}
		case ')':
			if depth == 0 { // a value is missing; the list that it belongs to ends
				g.unread()
				return nil
			}
			depth--
		case '"':
			if _, err := g.quoted(); err != nil {
				return err
			}
		case '{':
			n, err := g.literal()
			if err != nil {
				return err
			}
			if err := g.skip(n); err != nil {
				return err
			}
		default:
			text, err := g.atom(c)
			if err != nil {
				return err
			}
			if atom != nil {
				atom(text)
			}
		}
		if depth == 0 && c != ' ' && c != '~' && c != '\r' {
			return nil
		}
	}
}

// atom reads the rest of an atom that begins with first. It is generous: whatever is no separator belongs to it, as in
// flags with brackets. It is cut at 64 octets.
func (g *guard) atom(first byte) (string, error) {
	b := []byte{first}
	for {
		c, err := g.byte()
		if err != nil {
			return "", err
		}
		if strings.IndexByte(" ()\r\n", c) >= 0 {
			g.unread()
			return string(b), nil
		}
		if len(b) < 64 {
			b = append(b, c)
		}
	}
}

// short reads an atom, string or NIL that should be short: what is longer than 64 octets, or a list, becomes "".
func (g *guard) short() (string, error) {
	c, err := g.byte()
	for err == nil && c == ' ' {
		c, err = g.byte()
	}
	if err != nil {
		return "", err
	}
	switch c {
	case '"':
		text, err := g.quoted()
		if len(text) > 64 {
			text = ""
		}
		return text, err
	case '{':
		n, err := g.literal()
		if err != nil {
			return "", err
		}
		if n > 64 {
			return "", g.skip(n)
		}
		b := make([]byte, n)
		for i := range b {
			if b[i], err = g.byte(); err != nil {
				return "", err
			}
		}
		return string(b), nil
	case '(', ')', '\n':
		g.unread()
		return "", g.value(nil)
	}
	return g.atom(c)
}

// quoted reads a quoted string behind its opening quote (RFC 9051 §4.3). Its length is bounded by that of the response.
func (g *guard) quoted() (string, error) {
	var b []byte
	for {
		c, err := g.byte()
		if err != nil {
			return "", err
		}
		switch c {
		case '"':
			return string(b), nil
		case '\\':
			if c, err = g.byte(); err != nil {
				return "", err
			}
		case '\n':
			return "", violation("a quoted string that does not end")
		}
		b = append(b, c)
	}
}

// literal reads the size of a literal behind its opening brace, up to the line end (RFC 9051 §4.3).
func (g *guard) literal() (int64, error) {
	var n int64
	digits := 0
	for {
		c, err := g.byte()
		if err != nil {
			return 0, err
		}
		switch {
		case c >= '0' && c <= '9':
			if digits++; digits > 18 {
				return 0, violation("a literal of more octets than can be")
			}
			n = n*10 + int64(c-'0')
		case c == '+' && digits > 0:
		case c == '}' && digits > 0:
			if c, err = g.byte(); err == nil && c == '\r' {
				c, err = g.byte()
			}
			if err != nil {
				return 0, err
			}
			if c != '\n' {
				return 0, violation("a literal without a line end behind its size")
			}
			return n, nil
		default:
			return 0, violation("a literal whose size is no number")
		}
	}
}

// skipBody drops a body that nobody wants. Servers that answer for other messages, or twice, are let off up to the
// volume of what was asked for.
func (g *guard) skipBody(n int64, s *sink) error {
	if n <= s.spare(n) {
		return g.drop(n)
	}
	return g.skip(n)
}
