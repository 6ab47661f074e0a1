package mime

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

// Each of these messages is read one way by some programs and another way by others, so that what a scanner sees is not
// what a person gets (the kinds are those of draft-chen-email-mime-ambiguity-defense and of the attacks known before it).
// Parse has one reading of each, which stands here, and a defect that tells of the others.
func TestAmbiguous(t *testing.T) {
	t.Parallel()
	const mixed = "Content-Type: multipart/mixed; boundary=b\n\n"
	const parts = "--b\n\none\n--b\nContent-Type: application/pdf; name=a.pdf\n\nx\n--b--\n"
	both := []string{"text/plain", "application/pdf"}
	for _, c := range []struct {
		name    string
		message string
		types   []string // of all parts
		files   []string // their names
		text    string   // trimmed
		defect  string
	}{
		// The header twice: the first counts.
		{"Content-Type twice", "Content-Type: multipart/mixed; boundary=b\nContent-Type: text/plain\n\n" + parts, both, []string{"a.pdf"}, "one", DuplicateField},
		{"Content-Type twice, text first", "Content-Type: text/plain\nContent-Type: multipart/mixed; boundary=b\n\nhello", []string{"text/plain"}, nil, "hello", DuplicateField},
		{"Content-Transfer-Encoding twice", "Content-Transfer-Encoding: base64\nContent-Transfer-Encoding: 7bit\n\naGVsbG8=\n", []string{"text/plain"}, nil, "hello", DuplicateField},
		{"Content-Disposition twice", mixed + "--b\nContent-Type: image/png\nContent-Disposition: attachment; filename=a.png\nContent-Disposition: inline; filename=b.png\n\nx\n--b--\n", []string{"image/png"}, []string{"a.png"}, "", DuplicateField},
		{"From twice", "From: a@x\nFrom: b@x\n\nhello", []string{"text/plain"}, nil, "hello", DuplicateField},
		{"Subject twice", "Subject: a\nSubject: b\n\nhello", []string{"text/plain"}, nil, "hello", DuplicateField},
		// The parameter twice: the first counts; one that RFC 2231 encodes comes after one that is not.
		{"boundary twice", "Content-Type: multipart/mixed; boundary=b; boundary=c\n\n" + parts, both, []string{"a.pdf"}, "one", DuplicateParam},
		{"boundary twice, in another case", "Content-Type: multipart/mixed; Boundary=b; BOUNDARY=c\n\n" + parts, both, []string{"a.pdf"}, "one", DuplicateParam},
		{"boundary twice, once with a comment in its name", "Content-Type: multipart/mixed; boundary=b; boundary((x))=c\n\n" + parts, both, []string{"a.pdf"}, "one", DuplicateParam},
		{"charset twice", "Content-Type: text/plain; charset=utf-8; charset=utf-16\n\nhello", []string{"text/plain"}, nil, "hello", DuplicateParam},
		{"file name twice", mixed + "--b\nContent-Type: image/png\nContent-Disposition: attachment; filename=a.png; filename=b.exe\n\nx\n--b--\n", []string{"image/png"}, []string{"a.png"}, "", DuplicateParam},
		{"boundary encoded", "Content-Type: multipart/mixed; boundary*=us-ascii''b\n\n" + parts, both, []string{"a.pdf"}, "one", BoundaryBad},
		{"boundary in pieces", "Content-Type: multipart/mixed; boundary*0=x; boundary*1=b\n\n" + strings.ReplaceAll(parts, "--b", "--xb"), both, []string{"a.pdf"}, "one", BoundaryBad},
		{"boundary plain and in pieces", "Content-Type: multipart/mixed; boundary*0=c; boundary=b\n\n" + parts, both, []string{"a.pdf"}, "one", ""},
		{"boundary as encoded word", "Content-Type: multipart/mixed; boundary=\"=?us-ascii?q?b?=\"\n\n" + strings.ReplaceAll(parts, "--b", "--=?us-ascii?q?b?="), both, []string{"a.pdf"}, "one", BoundaryBad},
		{"boundary as encoded word, decoded in the body", "Content-Type: multipart/mixed; boundary=\"=?us-ascii?q?b?=\"\n\n--b\nContent-Type: text/plain\n\none\n--b\nContent-Type: application/pdf; name=a.pdf\n\nx\n--b--\n", both, []string{"a.pdf"}, "one", BoundaryGuessed},
		{"a bad parameter before the boundary", "Content-Type: multipart/mixed; ==; \"x\"; y(=1; boundary=b\n\n" + parts, both, []string{"a.pdf"}, "one", CommentRemoved},
		// Boundaries.
		{"empty boundary", "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n\none\n--b\nContent-Type: image/png\n\nx\n--b--\n", []string{"image/png"}, []string{""}, "", BoundaryMissing},
		{"boundary with octets that it may not have", "Content-Type: multipart/mixed; boundary=\"b;<\"\n\n" + strings.ReplaceAll(parts, "--b", "--b;<"), both, []string{"a.pdf"}, "one", BoundaryBad},
		{"boundary longer than allowed", "Content-Type: multipart/mixed; boundary=" + strings.Repeat("b", 80) + "\n\n" + strings.ReplaceAll(parts, "--b", "--"+strings.Repeat("b", 80)), both, []string{"a.pdf"}, "one", BoundaryBad},
		{"boundary that ends in a space", "Content-Type: multipart/mixed; boundary=\"b \"\n\n" + parts, both, []string{"a.pdf"}, "one", ""},
		{"a longer boundary inside", mixed + "--b\nContent-Type: multipart/mixed; boundary=bb\n\n--bb\n\none\n--bb--\n--b--\n", []string{"text/plain"}, []string{""}, "one", ""},
		{"white space behind a boundary", mixed + strings.ReplaceAll(parts, "--b\n", "--b \t\n"), both, []string{"a.pdf"}, "one", ""},
		{"text behind a boundary", mixed + "--b\n\none\n--b x\nmore\n--b--\n", []string{"text/plain"}, []string{""}, "one\n--b x\nmore", ""},
		{"the same boundary inside", mixed + "--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b--\n", []string{"text/plain"}, []string{""}, "one", BoundaryReused},
		// Before and behind the parts.
		{"a file in the preamble", "Content-Type: multipart/mixed; boundary=b\n\nContent-Type: application/pdf\n\nx\n" + parts, both, []string{"a.pdf"}, "one", ""},
		{"text in the epilogue", mixed + parts + "more\n", both, []string{"a.pdf"}, "one", EpilogueText},
		{"a part in the epilogue", mixed + "--b\n\none\n--b--\n--b\nContent-Type: application/pdf; name=a.pdf\n\nx\n--b--\n", both, []string{"a.pdf"}, "one", PartAfterClose},
		{"no end", mixed + strings.TrimSuffix(parts, "--b--\n"), both, []string{"a.pdf"}, "one", MultipartUnclosed},
		// Lines.
		{"CR in a header", "Subject: a\rContent-Type: multipart/mixed; boundary=b\n\nhello", []string{"text/plain"}, nil, "hello", BareCR},
		{"white space before the colon", "Content-Type : multipart/mixed; boundary=b\n\n" + parts, both, []string{"a.pdf"}, "one", HeaderSpace},
		{"a line without colon", "Subject: a\nnothing\nContent-Type: multipart/mixed; boundary=b\n\n" + parts, both, []string{"a.pdf"}, "one", HeaderLine},
		{"NUL in a type", "Content-Type: multi\x00part/mixed; boundary=b\n\n" + parts, both, []string{"a.pdf"}, "one", NulRemoved},
		{"NUL in a field name", "Content\x00-Type: multipart/mixed; boundary=b\n\nhello", []string{"text/plain"}, nil, "Content-Type: multipart/mixed; boundary=b\n\nhello", HeaderMissing},
		// Types and encodings.
		{"comment in a type", "Content-Type: multipart(a;b)/mixed (c;d); (e) boundary=b\n\n" + parts, both, []string{"a.pdf"}, "one", CommentRemoved},
		{"comment without end", "Content-Type: multipart/mixed (x; boundary=b\n\n" + parts, both, []string{"a.pdf"}, "one", CommentRemoved},
		{"comment behind an encoding", "Content-Transfer-Encoding: base64 (7bit)\n\naGVsbG8=\n", []string{"text/plain"}, nil, "hello", EncodingUnknown},
		{"encoded multipart", "Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n" + parts, both, []string{"a.pdf"}, "one", EncodingForbidden},
		{"encoded message", "Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\nContent-Type:=20text/html\n\nx\n", []string{"message/rfc822", "text/html"}, nil, "", EncodingForbidden},
		{"two encodings", "Content-Transfer-Encoding: base64, quoted-printable\n\naGVsbG8=\n", []string{"text/plain"}, nil, "hello", EncodingUnknown},
		{"base64 that ends and goes on", "Content-Transfer-Encoding: base64\n\naGVsbG8=IHdvcmxk\n", []string{"text/plain"}, nil, "hello world", ""},
		{"base64 with other octets", "Content-Transfer-Encoding: base64\n\naGVs!bG8=\n", []string{"text/plain"}, nil, "hello", Base64Junk},
		{"file names that differ", mixed + "--b\nContent-Type: image/png; name=a.exe\nContent-Disposition: attachment; filename=a.png\n\nx\n--b--\n", []string{"image/png"}, []string{"a.png"}, "", FilenameConflict},
		{"file names that do not", mixed + "--b\nContent-Type: image/png; name=\"=?utf-8?q?=C3=A4.png?=\"\nContent-Disposition: attachment; filename*=utf-8''%C3%A4.png\n\nx\n--b--\n", []string{"image/png"}, []string{"ä.png"}, "", ""},
		{"a direction in a file name", mixed + "--b\nContent-Type: image/png; name=\"gnp\u202eexe\"\n\nx\n--b--\n", []string{"image/png"}, []string{"gnp\u202eexe"}, "", FilenameUnsafe},
	} {
		m := parse(t, c.message)
		var types, files []string
		for _, p := range m.Parts {
			types, files = append(types, p.ContentType), append(files, p.Filename)
		}
		if diff := cmp.Diff(c.types, types); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
		if got := strings.TrimSpace(m.Text); got != c.text {
			t.Errorf("%s: text %q", c.name, got)
		}
		for _, file := range c.files {
			if !slices.Contains(files, file) {
				t.Errorf("%s: files %q, no %q", c.name, files, file)
			}
		}
		has := slices.ContainsFunc(m.Defects, func(d ingest.Defect) bool { return d.Code == c.defect })
		if c.defect != "" && !has || c.defect == "" && len(codes(m)) > 0 {
			t.Errorf("%s: defects %v, want %s", c.name, codes(m), c.defect)
		}
	}
	m := Parse(strings.NewReader("Subject: a\r\nX: b\nContent-Type: text/html\r\n\r\nhello"), 0, Options{})
	if m.Parts[0].ContentType != "text/html" || !slices.Contains(codes(m), LinesMixed) {
		t.Errorf("mixed line ends: %+v", m)
	}
}
