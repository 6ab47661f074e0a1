package mime

import "strings"

// paramDefects notes what another parser may read otherwise.
func (w *walker) paramDefects(where string, found paramReader) {
	if found.commented {
		w.defect(CommentRemoved, where, "")
	}
	if found.repeated != "" {
		w.defect(DuplicateParam, where, found.repeated)
	}
}

// cleanType makes type/subtype of what stands before the parameters. ok is false where that has not the form: what looks
// like text or a multipart is one then, since RFC 2045 §5.2 lets a reader take text for text; what has a slash stays as it
// is, a type that nobody knows.
func cleanType(s string) (contentType string, ok bool) {
	s = strings.ToLower(strings.TrimSpace(dropComments(s)))
	if main, sub, slash := strings.Cut(s, "/"); slash { // white space around the slash, RFC 822 §3.1.4
		s = strings.TrimRight(main, " \t") + "/" + strings.TrimLeft(sub, " \t")
	}
	word := s
	if i := strings.IndexAny(s, " \t,"); i >= 0 {
		word = s[:i]
	}
	main, sub, slash := strings.Cut(word, "/")
	if slash && isToken(main) && isToken(sub) && len(word) <= maxType {
		return word, word == s
	}
	switch {
	case word == "html" || main == "text" && strings.HasPrefix(sub, "html"):
		return "text/html", false
	case word == "" || word == "plain" || main == "text" && (sub == "" || strings.HasPrefix(sub, "plain")):
		return "text/plain", false
	case main == "multipart":
		return "multipart/mixed", false
	case strings.Count(s, "/") == 1:
		return shorten(oneLine(clean(s)), maxType), false
	}
	return "application/octet-stream", false
}

// parseEncoding reads Content-Transfer-Encoding. known is false where it is not as RFC 2045 §6.1 writes it.
func parseEncoding(s string) (encoding int, known bool) {
	t := strings.ToLower(s)
	if i := strings.IndexAny(t, "; \t(,"); i >= 0 {
		t = t[:i]
	}
	t = strings.Trim(t, `"'`)
	exact := len(t) == len(s)
	switch t {
	case "base64":
		return base64Encoding, exact
	case "quoted-printable":
		return quotedPrintable, exact
	case "7bit", "8bit", "binary", "":
		return identity, exact
	case "base-64", "b64", "b", "x-base64":
		return base64Encoding, false
	case "quoted_printable", "quotedprintable", "quoted", "q", "qp":
		return quotedPrintable, false
	case "x-uuencode", "uuencode", "x-uue", "uue", "x-uu":
		return uuEncoding, true
	}
	return identity, false
}
