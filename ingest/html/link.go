package html

import (
	"net/url"
	"strings"
)

// closeLink writes the address of a link behind its text, unless the text says it already.
func (t *plainText) closeLink() {
	href := t.now.href
	if href == "" || t.now.from > len(t.out) {
		return
	}
	text := strings.TrimSpace(string(t.out[t.now.from:]))
	picture := strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]")
	shown, ok := shownAddress(href, text)
	// A picture and the words below it often link to the same page.
	if text == "" || !ok || shown == t.pictured && !picture {
		return
	}
	t.pictured = ""
	if picture {
		t.pictured = shown
	}
	// It stands behind the last word, even where the link holds whole paragraphs.
	want, space := t.want, t.space
	t.want, t.space = 0, true
	t.write("<" + shown + ">")
	t.want, t.space = want, space
}

// shownAddress is what to write of an address behind the text of its link; ok is false if there is nothing to add.
func shownAddress(href, text string) (shown string, ok bool) {
	scheme, rest, _ := strings.Cut(href, ":")
	switch lower(scheme) {
	case "mailto":
		rest, _, _ = strings.Cut(rest, "?")
		if decoded, err := url.PathUnescape(rest); err == nil {
			rest = clean(oneLine(decoded))
		}
		return rest, rest != "" && !strings.Contains(lower(text), lower(rest))
	case "tel":
		if i := strings.IndexFunc(rest, func(r rune) bool { return !strings.ContainsRune("0123456789+-(). ", r) }); i >= 0 {
			rest = rest[:i]
		}
		return rest, digits(rest) != "" && !strings.Contains(digits(text), digits(rest))
	case "http", "https":
		if !strings.HasPrefix(rest, "//") {
			return "", false
		}
	default:
		return "", false
	}
	// The text is the address, perhaps broken into lines or with an end that was left out.
	words := strings.Join(strings.Fields(text), "")
	bare := strings.TrimSuffix(strings.TrimPrefix(lower(rest[2:]), "www."), "/")
	if strings.Contains(lower(words), bare) {
		return "", false
	}
	// Outlook and others put a link into one of their own, which holds the address that the text shows.
	if lower(text) == lower(words) && strings.Contains(words, ".") && len(words) > 6 {
		if decoded, err := url.QueryUnescape(rest); err == nil && strings.Contains(lower(decoded), "//"+lower(strings.TrimPrefix(strings.TrimPrefix(words, "https://"), "http://"))) {
			return "", false
		}
	}
	return href, true
}

func digits(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, s)
}
