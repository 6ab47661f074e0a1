package html

import (
	"html"
	"slices"
	"strings"
)

const (
	maxAddress = 4000    // octets
	maxPicture = 1 << 20 // octets of a data: address
)

// attributes writes the attributes of a start tag, by name. What their values may be is for the policy to say; here
// addresses and styles are brought into a form that it can judge.
func (w *safeWriter) attributes(b *strings.Builder, name string, z *scanner) {
	kept := w.kept[:0]
	if style := w.style(z); style != "" {
		kept = append(kept, attribute{"style", style})
	}
	for _, a := range z.attributes {
		value, ok := "", false
		switch a.name {
		case "href":
			if name == "a" {
				value = linkAddress(unescape(a.value))
				ok = value != ""
			}
			if ok {
				kept = append(kept, attribute{"rel", "noopener noreferrer nofollow"}, attribute{"target", "_blank"})
			}
		case "src", "background":
			if (name == "img") == (a.name == "src") && name != "div" {
				value = w.pictureAddress(unescape(a.value))
				ok = value != ""
			}
		case "nowrap", "noshade", "reversed":
			ok = true
		case "dir", "lang", "title", "alt", "align", "valign", "bgcolor", "bordercolor", "color", "face", "size", "width", "height", "border",
			"hspace", "vspace", "cellpadding", "cellspacing", "frame", "rules", "colspan", "rowspan", "span", "clear", "start", "value", "type":
			value = oneLine(clean(unescape(a.value)))
			ok = len(value) <= maxAddress
		}
		if ok {
			kept = append(kept, attribute{a.name, value})
		}
	}
	slices.SortFunc(kept, func(a, b attribute) int { return strings.Compare(a.name, b.name) })
	for _, a := range kept {
		b.WriteByte(' ')
		b.WriteString(a.name)
		b.WriteString(`="`)
		b.WriteString(html.EscapeString(a.value))
		b.WriteByte('"')
	}
	w.kept = kept
}

// style is what the rules of style elements, the style attribute and the attributes of body say of an element.
func (w *safeWriter) style(z *scanner) string {
	var list []declaration
	if z.name == "body" {
		list = w.safeStyle(bodyColors(z))
	}
	w.sheet.each(z, func(rule []declaration) { list = overStyle(list, rule) })
	if style := z.get("style"); style != "" {
		list = overStyle(list, w.safeStyle(declarations(style)))
	}
	return styleText(list)
}

// bodyColors are the colours and the picture that attributes of body put behind the whole mail.
func bodyColors(z *scanner) []declaration {
	var list []declaration
	if color := z.get("bgcolor"); color != "" {
		list = append(list, declaration{"background-color", color})
	}
	if color := z.get("text"); color != "" {
		list = append(list, declaration{"color", color})
	}
	if picture := z.get("background"); picture != "" {
		list = append(list, declaration{"background-image", "url(" + picture + ")"})
	}
	return list
}

// linkAddress is the address of a link in the form that a browser makes of it, empty if it is of no kind that a mail
// needs.
func linkAddress(s string) string {
	s = tidy(s)
	scheme, rest, found := strings.Cut(s, ":")
	switch scheme = lower(scheme); {
	case len(s) > maxAddress:
		return ""
	case strings.HasPrefix(s, "//"):
		return "https:" + s
	case strings.HasPrefix(lower(s), "www."):
		return "http://" + s
	case !found:
		return ""
	case scheme == "http" || scheme == "https":
		if !strings.HasPrefix(rest, "//") {
			return ""
		}
		return scheme + ":" + rest
	case scheme == "mailto" || scheme == "tel":
		return scheme + ":" + rest
	}
	return ""
}

// pictureAddress is the address of a picture, empty if it must not be fetched or is of no kind that can be.
func (w *safeWriter) pictureAddress(s string) string {
	if len(s) > len("data:") && lower(s[:len("data:")]) == "data:" {
		return dataAddress(s)
	}
	s = tidy(s)
	if len(s) > maxAddress {
		return ""
	}
	if strings.HasPrefix(s, "//") {
		s = "https:" + s
	}
	scheme, rest, _ := strings.Cut(s, ":")
	switch scheme = lower(scheme); {
	case scheme == "cid" && rest != "":
		return scheme + ":" + rest
	case (scheme == "http" || scheme == "https") && strings.HasPrefix(rest, "//") && len(rest) > 2:
		if w.policy.RemoteContent {
			return scheme + ":" + rest
		}
		w.report.RemoteBlocked = true
	}
	return ""
}

// dataAddress is the address of a picture that is in it (RFC 2397), in base64 and of a kind that is pixels alone.
func dataAddress(s string) string {
	if len(s) > maxPicture {
		return ""
	}
	head, data, found := strings.Cut(s[len("data:"):], ",")
	if !found {
		return ""
	}
	kind, parameters, _ := strings.Cut(lower(tidy(head)), ";")
	switch kind {
	case "image/png", "image/gif", "image/jpeg", "image/jpg", "image/webp", "image/bmp", "image/x-icon", "image/vnd.microsoft.icon":
	default:
		return ""
	}
	data = strings.Join(strings.Fields(data), "")
	if parameters != "base64" && !strings.HasSuffix(parameters, ";base64") || data == "" {
		return ""
	}
	for i := 0; i < len(data); i++ {
		if c := data[i]; !isLetter(c) && !isDigit(c) && c != '+' && c != '/' && c != '=' {
			return ""
		}
	}
	return "data:" + kind + ";base64," + data
}

// tidy removes what a browser removes from an address (WHATWG URL §4.4), and writes what may not stand in one with
// percent signs.
func tidy(s string) string {
	s = strings.TrimFunc(s, func(r rune) bool { return r <= ' ' })
	if strings.IndexFunc(s, isOdd) < 0 {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\t' || r == '\n' || r == '\r' || r < ' ' || r >= 0x7f && r < 0xa0:
		case r == '\\':
			b.WriteString("%5C")
		case r == '"':
			b.WriteString("%22")
		case r == '<':
			b.WriteString("%3C")
		case r == '>':
			b.WriteString("%3E")
		case r == ' ':
			b.WriteString("%20")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isOdd(r rune) bool {
	return r <= ' ' || r == '"' || r == '<' || r == '>' || r == '\\' || r >= 0x7f && r < 0xa0
}
