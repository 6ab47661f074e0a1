package html

import "strings"

// maxProlog is how many octets of a page are searched for its charset; browsers look at 1024.
const maxProlog = 4 << 10

// MetaCharset finds the charset that HTML declares in a meta element of its first 4 KiB, as it stands; empty if there is
// none. raw is not decoded yet: a charset that does not hold ASCII as ASCII cannot be declared this way.
func MetaCharset(raw []byte) string {
	z := newScanner(string(raw[:min(len(raw), maxProlog)]))
	for z.next() {
		if z.kind != startToken || z.name != "meta" {
			continue
		}
		if charset := charsetName(z.get("charset")); charset != "" {
			return charset
		}
		// <meta http-equiv="Content-Type" content="text/html; charset=utf-8">
		for content := lower(z.get("content")); ; {
			_, after, found := strings.Cut(content, "charset")
			if !found {
				break
			}
			content = after
			if value, found := strings.CutPrefix(strings.TrimSpace(after), "="); found {
				if charset := charsetName(value); charset != "" {
					return charset
				}
			}
		}
	}
	return ""
}

// charsetName is the name at the beginning of s, lower case.
func charsetName(s string) string {
	s = strings.TrimLeft(s, " \t\n\"'")
	if i := strings.IndexAny(s, " \t\n\"';,"); i >= 0 {
		s = s[:i]
	}
	if len(s) > 50 {
		return ""
	}
	return lower(s)
}
