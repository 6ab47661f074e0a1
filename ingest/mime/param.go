package mime

import (
	"strings"
)

const maxParams = 100

// params are the parameters of Content-Type or Content-Disposition, RFC 2045 §5.1, names in lower case. The first of a
// name counts.
type params []param

type param struct{ name, value string }

func (p params) get(name string) string {
	for i := range p {
		if p[i].name == name {
			return p[i].value
		}
	}
	return ""
}

// boundary is the boundary parameter. RFC 2046 §5.1.1 does not
// foresee that RFC 2231 encodes it; where it does, the encoded one counts only if there is no other.
func (p params) boundary() (value string, encoded bool) {
	value = p.get("boundary")
	if value == "" {
		value, encoded = p.extended("boundary", func(raw []byte) string { return string(raw) })
	}
	return value, encoded || strings.Contains(value, "=?")
}

// charset is the charset parameter, RFC 2231 undone.
func (p params) charset() string {
	if value := p.get("charset"); value != "" {
		return value
	}
	value, _ := p.extended("charset", func(raw []byte) string { return string(raw) })
	return value
}

// paramReader reads the body of a Content- field.
type paramReader struct {
	s         string // what is left
	commented bool   // a comment was left out
	repeated  string // a parameter that stands twice with different values
	unclosed  bool   // no comment in s has an end
}

// parseParams splits a field in its value and its parameters as far as they can be made out: values without quotes may
// hold spaces, quotes may be missing at the end, separators may be doubled. Comments go (RFC 2045 §5.1), but not those in
// or behind a file name without quotes: they belong to it.
func parseParams(s string) (value string, list params, found paramReader) {
	r := paramReader{s: s}
	value = r.typeName()
	for len(list) < maxParams {
		r.skip("; \t")
		if r.s == "" {
			break
		}
		i := strings.IndexAny(r.s, "=;")
		if i < 0 {
			break
		}
		if r.s[i] == ';' { // a word without a value
			r.s = r.s[i+1:]
			continue
		}
		name := r.s[:i]
		if j := strings.IndexByte(name, '('); j >= 0 {
			name, r.commented = name[:j], true
		}
		name = strings.ToLower(strings.TrimSpace(name))
		r.s = strings.TrimLeft(r.s[i+1:], " \t")
		isName := strings.HasPrefix(name, "filename") || strings.HasPrefix(name, "name")
		if !isName {
			r.skip(" \t")
		}
		v := r.value(isName)
		if !isToken(name) {
			continue
		}
		if old := list.get(name); old == "" {
			list = append(list, param{name, v})
		} else if old != v {
			r.repeated = name
		}
	}
	return value, list, r
}

// typeName takes what stands before the first semicolon that is not in a comment.
func (r *paramReader) typeName() string {
	for i := 0; i < len(r.s); i++ {
		switch r.s[i] {
		case ';':
			value := r.s[:i]
			r.s = r.s[i+1:]
			return strings.TrimSpace(value)
		case '(':
			r.commented = true
			if n, _ := comment(r.s[i:]); n > 0 {
				i += n - 1
			} else {
				i += strings.IndexByte(r.s[i:]+";", ';') - 1
			}
		}
	}
	value := r.s
	r.s = ""
	return strings.TrimSpace(value)
}

// skip leaves out separators and comments.
func (r *paramReader) skip(separators string) {
	for {
		r.s = strings.TrimLeft(r.s, separators)
		if r.s == "" || r.s[0] != '(' || r.unclosed {
			return
		}
		n, _ := comment(r.s)
		if n == 0 {
			r.unclosed = true
			return
		}
		r.s, r.commented = r.s[n:], true
	}
}

// value takes a value up to the next semicolon.
func (r *paramReader) value(isName bool) (v string) {
	if strings.HasPrefix(r.s, `"`) {
		v, r.s = cutQuoted(r.s)
		_, r.s, _ = strings.Cut(r.s, ";")
		return v
	}
	v, r.s, _ = strings.Cut(r.s, ";")
	v = strings.TrimSpace(v)
	if !isName && strings.HasSuffix(v, ")") {
		if i := strings.IndexByte(v, '('); i > 0 {
			v, r.commented = strings.TrimSpace(v[:i]), true
		}
	}
	return v
}

// cutQuoted reads a quoted string at the beginning of s. Where the closing quote is missing it ends at the semicolon.
// A backslash quotes only what needs it, so that Windows paths survive.
func cutQuoted(s string) (value, rest string) {
	var b []byte
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			if b == nil {
				return s[1:i], s[i+1:]
			}
			return string(b), s[i+1:]
		case c == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			if b == nil {
				b = append(make([]byte, 0, len(s)), s[1:i]...)
			}
			i++
			b = append(b, s[i])
		case b != nil:
			b = append(b, c)
		}
	}
	value, rest, _ = strings.Cut(s[1:], ";")
	return strings.TrimSpace(value), rest
}

// isToken tells tokens of RFC 2045 §5.1, a little wider.
func isToken(s string) bool {
	if s == "" {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, c) >= 0 {
			return false
		}
	}
	return true
}

// extended reads a parameter that RFC 2231 may have split and encoded: name*, name*0, name*0*, name*1 …; ok is false
// if there is none of these.
func (p params) extended(name string, fallback func(raw []byte) string) (value string, ok bool) {
	if v := p.get(name + "*"); v != "" {
		charset, raw := extendedValue(v)
		return decodeParam(raw, charset, fallback), true
	}
	var pieces [maxParams]*param
	n := 0
	for i := range p {
		rest, found := strings.CutPrefix(p[i].name, name+"*")
		if !found {
			continue
		}
		rest = strings.TrimSuffix(rest, "*")
		if at, ok := smallNumber(rest); ok && at < maxParams && pieces[at] == nil {
			pieces[at] = &p[i]
			n++
		}
	}
	if n == 0 {
		return "", false
	}
	// Some senders count from 1.
	at := 0
	if pieces[0] == nil {
		at = 1
	}
	var raw []byte
	charset, encoded := "", false
	for first := true; at < maxParams && pieces[at] != nil; at++ {
		v := pieces[at].value
		if strings.HasSuffix(pieces[at].name, "*") {
			encoded = true
			if first {
				var octets []byte
				charset, octets = extendedValue(v)
				raw = append(raw, octets...)
			} else {
				raw = append(raw, percent(v)...)
			}
		} else {
			raw = append(raw, v...)
		}
		first = false
	}
	if raw == nil {
		return "", false
	}
	if !encoded {
		return fallback(raw), true
	}
	return decodeParam(raw, charset, fallback), true
}

func smallNumber(s string) (int, bool) {
	if s == "" || len(s) > 3 {
		return 0, false
	}
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}

// extendedValue splits charset'language'octets, RFC 2231 §4.
func extendedValue(s string) (charset string, raw []byte) {
	if parts := strings.SplitN(s, "'", 3); len(parts) == 3 {
		return parts[0], percent(parts[2])
	}
	return "", percent(s)
}

func decodeParam(raw []byte, charset string, fallback func([]byte) string) string {
	if charset != "" {
		if s, ok := decodeCharset(raw, charset); ok {
			return s
		}
	}
	return fallback(raw)
}

// percent decodes %XX; what is not of that form stays.
func percent(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if hi, lo := unhex(s[i+1]), unhex(s[i+2]); hi != 0xff && lo != 0xff {
				out = append(out, hi<<4|lo)
				i += 2
				continue
			}
		}
		out = append(out, s[i])
	}
	return out
}

// dropComments takes out what stands in parentheses, RFC 5322 §3.2.2. A comment without an end takes the rest.
func dropComments(s string) string {
	if strings.IndexByte(s, '(') < 0 {
		return s
	}
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '(')
		if i < 0 {
			b.WriteString(s)
			return b.String()
		}
		b.WriteString(s[:i])
		n, _ := comment(s[i:])
		if n == 0 {
			return b.String()
		}
		b.WriteByte(' ')
		s = s[i+n:]
	}
}
