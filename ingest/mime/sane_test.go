package mime

import (
	"strings"
	"unicode/utf8"

	"github.com/mailintake/mailintake/ingest"
)

// errorer is what checkSane needs of a test.
type errorer interface {
	Helper()
	Errorf(format string, args ...any)
}

// checkSane holds what must be true of every Mail, whatever the octets were.
func checkSane(t errorer, name string, raw []byte, m *ingest.Mail) {
	t.Helper()
	str := func(what, s string, limit int) {
		if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			t.Errorf("%s: %s is not UTF-8 without NUL: %.80q", name, what, s)
		}
		if len(s) > limit {
			t.Errorf("%s: %s has %d octets, limit %d", name, what, len(s), limit)
		}
	}
	const header = 4 * maxHeader // decoding may make three octets of one
	str("subject", m.Subject, header)
	for _, list := range [][]ingest.Address{m.From, m.Sender, m.ReplyTo, m.To, m.Cc} {
		for _, a := range list {
			str("name", a.Name, header)
			str("email", a.Email, header)
		}
	}
	str("message id", m.MessageID, maxMessageID)
	for _, id := range append(m.InReplyTo, m.References...) {
		str("identifier", id, maxMessageID)
	}
	if len(m.References) > maxReferences || len(m.InReplyTo) > maxReferences {
		t.Errorf("%s: %d references", name, len(m.References))
	}
	str("text", m.Text, ingest.MaxText)
	if len(m.Parts) > maxParts+1 {
		t.Errorf("%s: %d parts", name, len(m.Parts))
	}
	if len(m.Defects) > maxDefects {
		t.Errorf("%s: %d defects", name, len(m.Defects))
	}
	seen := map[string]bool{}
	for _, p := range m.Parts {
		for _, s := range []string{p.ContentType, p.Charset, p.ContentID} {
			str("part", s, maxMessageID)
		}
		str("file name", p.Filename, maxFilename)
		if safe := SafeName(p.Filename); strings.ContainsAny(p.Filename, "\r\n\t") || strings.ContainsAny(safe, "/\\\r\n") || len(safe) > maxSafeName {
			t.Errorf("%s: file name %q", name, p.Filename)
		}
		largest := int64(len(raw)) + maxUULost
		if p.ContentType == "application/rtf" {
			largest *= 9 // compressed in TNEF, at most 8 to 1
		}
		if p.Size < 0 || p.Size > largest || len(p.SHA256) != 64 {
			t.Errorf("%s: part %s has %d octets of %d, hash %q", name, p.Path, p.Size, len(raw), p.SHA256)
		}
		if seen[p.Path] || p.Path == "" {
			t.Errorf("%s: path %q twice or empty", name, p.Path)
		}
		if strings.Count(p.Path, ".") > maxDepth {
			t.Errorf("%s: path %q is too deep", name, p.Path)
		}
		seen[p.Path] = true
	}
	for _, d := range m.Defects {
		str("defect", d.Text, 200)
		str("where", d.Where, 1000)
	}
}
