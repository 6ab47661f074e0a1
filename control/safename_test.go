package control

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/mailintake/mailintake/ingest"
)

func TestSafeFilename(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, contentType, want string }{
		{"invoice.pdf", "application/pdf", "invoice.pdf"},
		{"Rechnung für Zoë.pdf", "application/pdf", "Rechnung für Zoë.pdf"},
		{"請求書.xlsx", "", "請求書.xlsx"},
		{"", "application/pdf", "attachment.pdf"},
		{"", "message/rfc822", "attachment.eml"},
		{"", "x/y", "attachment.bin"},
		{" \t..", "image/png", "attachment.png"},
		{"..", "", "attachment.bin"},
		{"../../etc/passwd", "", "_.._etc_passwd"},
		{`C:\autoexec.bat`, "", "C__autoexec.bat"},
		{".bashrc", "", "bashrc"},
		{"-rf", "", "_rf"},
		{"a\x00b\r\nc.txt", "", "ab c.txt"},
		{"photo\u202egpj.exe", "", "photogpj.exe"},
		{"a\u200bb\u2066c\ufeff.txt", "", "abc.txt"},
		{"a\xffb.txt", "", "ab.txt"},
		{"a\x1b[31mb.txt", "", "a[31mb.txt"},
		{"a \u00a0\u2003 b.txt", "", "a b.txt"},
		{"con", "", "_con"},
		{"Aux.tar.gz", "", "_Aux.tar.gz"},
		{"COM1 .txt", "", "_COM1.txt"},
		{"lpt¹.txt", "", "_lpt¹.txt"},
		{"console.txt", "", "console.txt"},
		{"com10.txt", "", "com10.txt"},
		{"name. . .", "", "name"},
		{`a"b<c>d|e?f*g.txt`, "", "a_b_c_d_e_f_g.txt"},
		{strings.Repeat("x", 300) + ".pdf", "", strings.Repeat("x", 251) + ".pdf"},
		{strings.Repeat("ä", 300) + ".pdf", "", strings.Repeat("ä", 125) + ".pdf"},
		{strings.Repeat(".", 300) + "pdf", "", "pdf"},
		{"a." + strings.Repeat("x", 300), "", "a." + strings.Repeat("x", 253)},
	} {
		if got := SafeFilename(ingest.Part{Filename: tt.name, ContentType: tt.contentType}); got != tt.want {
			t.Errorf("%q: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzSafeFilename(f *testing.F) {
	for _, s := range []string{"", "a.b", "nul.\u202etxt", "a/../b", strings.Repeat("é", 200), "\xff", ". .", "com1", "x. .\u0301"} {
		f.Add(s, "image/png")
	}
	f.Fuzz(func(t *testing.T, name, contentType string) {
		got := SafeFilename(ingest.Part{Filename: name, ContentType: contentType})
		stem, _, _ := strings.Cut(got, ".")
		switch {
		case got == "", len(got) > 255, !utf8.ValidString(got):
			t.Errorf("%q: %d octets", got, len(got))
		case strings.ContainsAny(got, `/\:*?"<>|`), strings.ContainsFunc(got, func(r rune) bool { return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) }):
			t.Errorf("%q has characters that it must not have", got)
		case strings.HasPrefix(got, "."), strings.HasPrefix(got, "-"), strings.HasPrefix(got, " "), strings.HasSuffix(got, "."), strings.HasSuffix(got, " "), reserved(stem):
			t.Errorf("%q is not a plain name", got)
		}
		// A name that is safe stays as it is.
		if again := SafeFilename(ingest.Part{Filename: got, ContentType: contentType}); again != got {
			t.Errorf("%q becomes %q", got, again)
		}
	})
}

func TestSafeContentType(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"text/plain": "text/plain", "text/csv": "text/csv", "image/png": "image/png", "image/jpeg": "image/jpeg", "audio/mpeg": "audio/mpeg", "video/mp4": "video/mp4",
		"application/pdf": "application/pdf", "application/zip": "application/zip",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
		"text/html": octetStream, "text/xml": octetStream, "text/javascript": octetStream, "text/css": octetStream, "text/x-component": octetStream, "image/svg+xml": octetStream,
		"image/svg": octetStream, "application/xhtml+xml": octetStream, "application/javascript": octetStream, "application/xml": octetStream, "application/x-shockwave-flash": octetStream,
		"application/x-msdownload": octetStream, "application/hta": octetStream, "message/rfc822": octetStream, "multipart/related": octetStream, "": octetStream, "text": octetStream,
		"image/": octetStream, "image/png\r\nX: y": octetStream, "image/png; x": octetStream, "text/plain; charset=utf-7": octetStream, "IMAGE/PNG": octetStream, "image/a b": octetStream,
		"application/octet-stream": octetStream,
	} {
		if got := SafeContentType(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestAliases(t *testing.T) {
	t.Parallel()
	s := Settings{EmailAddress: "support@example.com", Aliases: []string{"Sales@EXAMPLE.com", "b@Other.example"}, AuthservIDs: []string{"MX.Example.com", "mail_1"}, FallbackCharset: "KOI8-R",
		DisplayName: "a", Protocol: ingest.IMAPS, Host: "h", Username: "u", StartTLS: true}
	given := s.Aliases
	if vs := s.complete(); len(vs) > 0 {
		t.Fatal(vs)
	}
	if got := strings.Join(append(s.Aliases, append(s.AuthservIDs, s.FallbackCharset)...), " "); got != "Sales@example.com b@other.example mx.example.com mail_1 koi8-r" {
		t.Errorf("got %s", got)
	}
	if given[0] != "Sales@EXAMPLE.com" {
		t.Error("the caller's list was changed")
	}
	before := s
	if vs := s.complete(); len(vs) > 0 || len(differences(&s, &before)) > 0 {
		t.Errorf("completing twice changes %v, %v", differences(&s, &before), vs)
	}
}
