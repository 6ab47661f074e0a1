package html

import (
	"slices"
	"strings"
	"unicode"
)

const (
	maxStyles = 40   // declarations of one element
	maxStyle  = 3000 // octets of them, without pictures
)

// isStyle tells the properties that say how content looks without leaving its place. Whatever could lay it over the
// page around, animate it or make text of its own is not among them.
func isStyle(property string) bool {
	switch property {
	case "color", "background", "background-color", "background-image", "background-repeat", "background-position", "background-size",
		"font", "font-family", "font-size", "font-style", "font-weight", "font-variant", "line-height", "letter-spacing", "word-spacing",
		"text-align", "text-decoration", "text-indent", "text-transform", "white-space", "word-break", "word-wrap", "overflow-wrap",
		"vertical-align", "direction", "display", "visibility", "opacity", "float", "clear", "overflow", "box-sizing",
		"width", "height", "min-width", "min-height", "max-width", "max-height",
		"margin", "margin-top", "margin-right", "margin-bottom", "margin-left",
		"padding", "padding-top", "padding-right", "padding-bottom", "padding-left",
		"border", "border-top", "border-right", "border-bottom", "border-left", "border-color", "border-style", "border-width",
		"border-top-color", "border-right-color", "border-bottom-color", "border-left-color",
		"border-top-style", "border-right-style", "border-bottom-style", "border-left-style",
		"border-top-width", "border-right-width", "border-bottom-width", "border-left-width",
		"border-radius", "border-collapse", "border-spacing", "table-layout", "caption-side", "empty-cells",
		"list-style", "list-style-type", "list-style-position":
		return true
	}
	return false
}

// safeStyle keeps of a style what is harmless.
func (w *safeWriter) safeStyle(list []declaration) []declaration {
	var safe []declaration
	for _, d := range list {
		if len(safe) == maxStyles {
			break
		}
		if !isStyle(d.property) {
			continue
		}
		value, ok := w.safeValue(d.property, d.value)
		if ok {
			safe = append(safe, declaration{d.property, value})
		}
	}
	return safe
}

// overStyle joins two styles. Of a property that both declare the last one counts.
func overStyle(a, b []declaration) []declaration {
	if len(a) == 0 {
		return b
	}
	joined := make([]declaration, 0, len(a)+len(b))
	for _, d := range a {
		if !slices.ContainsFunc(b, func(later declaration) bool { return later.property == d.property }) {
			joined = append(joined, d)
		}
	}
	joined = append(joined, b...)
	return joined[max(0, len(joined)-maxStyles):]
}

// styleText writes a style with each property once.
func styleText(list []declaration) string {
	var b strings.Builder
	for i, d := range list {
		again := false
		for _, later := range list[i+1:] {
			again = again || later.property == d.property
		}
		if again || b.Len()+len(d.property)+len(d.value) > maxStyle && !strings.Contains(d.value, "url(") {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(';')
		}
		b.WriteString(d.property)
		b.WriteByte(':')
		b.WriteString(d.value)
	}
	return b.String()
}

// safeValue brings a value into a form that is read in one way only: words, numbers, colours, and the addresses of
// pictures in quotes.
func (w *safeWriter) safeValue(property, value string) (safe string, ok bool) {
	value = strings.ReplaceAll(oneLine(value), `"`, "'")
	address := ""
	if strings.HasPrefix(property, "background") {
		value, address = w.withoutAddress(value)
	}
	if !isPlainValue(value) || !isModest(property, value) {
		return "", false
	}
	switch {
	case address == "":
	case value == "":
		value = address
	default:
		value += " " + address
	}
	return value, value != ""
}

// withoutAddress takes the first url() out of a value and returns it in quotes, empty if it must not be fetched.
func (w *safeWriter) withoutAddress(value string) (rest, address string) {
	i := strings.Index(lower(value), "url(")
	if i < 0 {
		return value, ""
	}
	end := strings.IndexByte(value[i:], ')')
	if end < 0 {
		return "", ""
	}
	inner := strings.Trim(value[i+len("url("):i+end], " '")
	rest = oneLine(value[:i] + " " + value[i+end+1:])
	if source := w.pictureAddress(inner); source != "" && !strings.ContainsAny(source, "'()") {
		address = "url('" + source + "')"
	}
	return rest, address
}

// isPlainValue tells values without functions but colours, without escapes and with quotes in pairs.
func isPlainValue(value string) bool {
	if len(value) > 500 || strings.Count(value, "'")%2 != 0 {
		return false
	}
	open := false
	for i, r := range value {
		switch {
		case r == '(':
			j := i
			for j > 0 && isLetter(value[j-1]) {
				j--
			}
			switch value[j:i] {
			case "rgb", "rgba", "hsl", "hsla":
			default:
				return false
			}
			if open {
				return false
			}
			open = true
		case r == ')':
			if !open {
				return false
			}
			open = false
		case open:
			if r >= 0x80 || !isLetter(byte(r)) && !isDigit(byte(r)) && !strings.ContainsRune(".,%/ +-", r) || r >= 'A' && r <= 'Z' {
				return false
			}
		case r < 0x80:
			if c := byte(r); !isLetter(c) && !isDigit(c) && strings.IndexByte(" .,#%+/'_-", c) < 0 {
				return false
			}
		case !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r):
			return false
		}
	}
	return !open
}

// isModest refuses values that would move content out of its place or are no part of its look.
func isModest(property, value string) bool {
	switch property {
	case "display":
		switch lower(value) {
		case "none", "block", "inline", "inline-block", "list-item", "table", "inline-table", "table-row", "table-cell",
			"table-row-group", "table-header-group", "table-footer-group", "table-column", "table-column-group", "table-caption":
			return true
		}
		return false
	case "overflow":
		return lower(value) == "hidden" || lower(value) == "auto"
	}
	digits := 0
	negative := false
	for i := 0; i < len(value); i++ {
		switch c := value[i]; {
		case c == '#':
			for i+1 < len(value) && (isDigit(value[i+1]) || isLetter(value[i+1])) {
				i++ // a colour
			}
			negative, digits = false, 0
		case isDigit(c) && (i == 0 || !isLetter(value[i-1])):
			if digits++; digits > 5 || digits > 2 && negative {
				return false
			}
		case c == '-' && i+1 < len(value) && (isDigit(value[i+1]) || value[i+1] == '.') && (i == 0 || value[i-1] == ' '):
			if strings.HasPrefix(property, "margin") {
				return false
			}
			negative, digits = true, 0
		case c == '.':
			digits = -20 // what follows is a fraction
		case c == ' ' || c == ',' || c == '(':
			negative, digits = false, 0
		}
	}
	return true
}
