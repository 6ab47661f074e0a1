package html

import "strings"

const (
	maxStylesheet   = 256 << 10 // octets of all style elements of a mail that are read
	maxSelectors    = 1000
	maxDeclarations = 100 // of one rule or one attribute
	maxClasses      = 8   // of one element
)

// declaration is one property of a style, such as color: red.
type declaration struct {
	property string // lower case
	value    string // without !important and comments
}

// declarations splits a style into what it declares (CSS Syntax Level 3 §5). What cannot be read is left out.
func declarations(style string) []declaration {
	style = withoutComments(style)
	var list []declaration
	for style != "" && len(list) < maxDeclarations {
		var one string
		one, style = cutStyle(style, ';')
		property, value, found := strings.Cut(one, ":")
		if !found {
			continue
		}
		property = lower(strings.TrimSpace(property))
		if i := strings.LastIndexByte(value, '!'); i >= 0 && lower(strings.TrimSpace(value[i+1:])) == "important" {
			value = value[:i]
		}
		value = strings.TrimSpace(value)
		if property != "" && value != "" {
			list = append(list, declaration{property, value})
		}
	}
	return list
}

// cutStyle cuts s around the first sep that stands outside quotes and parentheses.
func cutStyle(s string, sep byte) (before, after string) {
	depth := 0
	var quote byte
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			i++
		case quote != 0:
			if c == quote || c == '\n' {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '(':
			depth++
		case c == ')':
			depth = max(depth-1, 0)
		case c == sep && depth == 0:
			return s[:i], s[i+1:]
		}
	}
	return s, ""
}

func withoutComments(s string) string {
	if !strings.Contains(s, "/*") {
		return s
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "/*")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		b.WriteByte(' ')
		if _, s, found = strings.Cut(after, "*/"); !found {
			return b.String()
		}
	}
}

// stylesheet holds the rules of style elements that name one element, one class or one identifier: those make up what
// mail programs write. Rules for a medium or a descendant are left out.
type stylesheet[T any] struct {
	rules  map[string]T // by selector: p, .class, p.class, #id
	octets int
}

// read adds the rules of a style element. compile makes of declarations what is kept of them, and join puts two of
// those together, the stronger one last.
func (s *stylesheet[T]) read(css string, compile func([]declaration) T, join func(a, b T) T) {
	if s.octets += len(css); s.octets > maxStylesheet {
		return
	}
	css = withoutComments(css)
	css = strings.ReplaceAll(strings.ReplaceAll(css, "<!--", " "), "-->", " ")
	for css != "" {
		selectors, rest, found := strings.Cut(css, "{")
		if !found {
			return
		}
		if i := strings.LastIndexByte(selectors, ';'); i >= 0 { // @import and the like
			selectors = selectors[i+1:]
		}
		selectors = strings.TrimSpace(selectors)
		if strings.HasPrefix(selectors, "@") {
			css = skipBlock(rest)
			continue
		}
		var body string
		body, css = cutStyle(rest, '}')
		rule := compile(declarations(body))
		for selector := range strings.SplitSeq(selectors, ",") {
			selector = lower(strings.TrimSpace(selector))
			if !isSimple(selector) {
				continue
			}
			if s.rules == nil {
				s.rules = make(map[string]T)
			}
			before, known := s.rules[selector]
			if !known && len(s.rules) >= maxSelectors {
				return
			}
			s.rules[selector] = join(before, rule)
		}
	}
}

// skipBlock passes over a block whose opening brace was read.
func skipBlock(css string) string {
	depth := 1
	for i := 0; i < len(css); i++ {
		switch css[i] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return css[i+1:]
			}
		}
	}
	return ""
}

// isSimple tells a selector with at most one class or identifier.
func isSimple(selector string) bool {
	marks := 0
	for i := 0; i < len(selector); i++ {
		switch c := selector[i]; {
		case c == '.' || c == '#':
			if marks++; marks > 1 {
				return false
			}
		case !isLetter(c) && !isDigit(c) && c != '-' && c != '_' && c < 0x80:
			return selector == "*"
		}
	}
	return selector != ""
}

// each calls found with what the rules say of the element whose start tag is in z, the weakest rule first.
func (s *stylesheet[T]) each(z *scanner, found func(T)) {
	if len(s.rules) == 0 {
		return
	}
	try := func(selector string) {
		if rule, ok := s.rules[selector]; ok {
			found(rule)
		}
	}
	try("*")
	try(z.name)
	var classes []string
	if class := z.get("class"); class != "" {
		classes = strings.Fields(lower(shorten(class, 500)))
		classes = classes[:min(len(classes), maxClasses)]
	}
	for _, class := range classes {
		try("." + class)
	}
	for _, class := range classes {
		try(z.name + "." + class)
	}
	if id := z.get("id"); id != "" && len(id) < 100 {
		id = lower(id)
		try("#" + id)
		try(z.name + "#" + id)
	}
}
