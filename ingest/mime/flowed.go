package mime

import "strings"

// unflow joins the lines of format=flowed, RFC 3676 §4: a line that ends with a space goes on in the next. With delSp that
// space is not content (§4.5, for languages that have none). s has LF line ends.
//
// Quoted lines stay lines of their own. A line that ends with a space in a quotation was mostly ended so by whoever wrote
// it first, and not by a program that folds.
func unflow(s string, delSp bool) string {
	var b strings.Builder
	b.Grow(len(s))
	joins := false // the last line goes on
	for line := range strings.Lines(s) {
		text, ends := strings.CutSuffix(line, "\n")
		fixed := strings.HasPrefix(text, ">")
		if !fixed {
			text = strings.TrimPrefix(text, " ") // space-stuffing, §4.4
			fixed = text == "" || text == "-- "  // an empty line, or a signature follows, §4.3
		}
		if joins && fixed {
			b.WriteByte('\n')
		}
		joins = !fixed && ends && strings.HasSuffix(text, " ")
		switch {
		case joins && delSp:
			b.WriteString(text[:len(text)-1])
		case joins || !ends:
			b.WriteString(text)
		default:
			b.WriteString(text)
			b.WriteByte('\n')
		}
	}
	return b.String()
}
