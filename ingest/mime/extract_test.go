package mime

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

// checkExtract holds that each part can be taken out of the message, with the octets that Parse hashed, and that
// Inspect sees the same Mail.
func checkExtract(t errorer, name string, raw []byte, m *ingest.Mail) {
	t.Helper()
	for _, want := range m.Parts {
		h := sha256.New()
		part, found, err := Extract(iotest.HalfReader(bytes.NewReader(raw)), 0, want.Path, Options{}, h)
		if err != nil || !found {
			t.Errorf("%s: part %s: found %v, error %v", name, want.Path, found, err)
		}
		if diff := cmp.Diff(want, part); diff != "" {
			t.Errorf("%s: part %s: %s", name, want.Path, diff)
		}
		if sum := hex.EncodeToString(h.Sum(nil)); sum != want.SHA256 {
			t.Errorf("%s: part %s: other octets than were hashed", name, want.Path)
		}
	}
	again, _ := Inspect(bytes.NewReader(raw), int64(len(raw)), Options{})
	if diff := diffMail(again, m); diff != "" {
		t.Errorf("%s: Inspect differs from Parse: %s", name, diff)
	}
}

func TestExtract(t *testing.T) {
	t.Parallel()
	const nested = "Content-Type: multipart/mixed; boundary=b\n\npreamble\n--b\nContent-Type: message/rfc822\n\nSubject: inner\n" +
		"Content-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--c\nContent-Transfer-Encoding: base64\nContent-Type: image/png\n\nQUJD\n--c--\n" +
		"--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeAoKQUJD\n--b--\nepilogue\n"
	never := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("text\n", 10)
	long := "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("text\n", maxPreamble/4) + "--b\n\nafter\n--b--\n"
	for _, c := range []struct {
		name, message, path, want string
		found                     bool
	}{
		{"attached message", nested, "1", "Subject: inner\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--c\nContent-Transfer-Encoding: base64\nContent-Type: image/png\n\nQUJD\n--c--", true},
		{"part of an attached message", nested, "1.1", "one", true},
		{"decoded", nested, "1.2", "ABC", true},
		{"encoded message", nested, "2", "Subject: x\n\nABC", true},
		{"part of an encoded message", nested, "2.1", "ABC", true},
		{"no such part", nested, "3", "", false},
		{"no path", nested, "", "", false},
		{"multipart", "Content-Type: multipart/mixed; boundary=b\n\nx\n--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\ny\n", "1", "", false},
		{"without boundary", never, "1", strings.Repeat("text\n", 10), true},
		{"preamble too long for one", long, "1", strings.Repeat("text\n", maxPreamble/4-1) + "text", true},
		{"behind it", long, "2", "after", true},
		{"plain", "Subject: x\n\nbody\n", "1", "body\n", true},
		{"no header", "just some text", "1", "just some text", true},
	} {
		var out bytes.Buffer
		_, found, err := Extract(strings.NewReader(c.message), 0, c.path, Options{}, &out)
		if err != nil || found != c.found {
			t.Errorf("%s: found %v, error %v", c.name, found, err)
		}
		if diff := cmp.Diff(c.want, out.String()); diff != "" {
			t.Errorf("%s: %.300s", c.name, diff)
		}
		raw := []byte(c.message)
		checkExtract(t, c.name, raw, Parse(bytes.NewReader(raw), 0, Options{}))
	}
}

// Errors of both sides come back; what follows a failed write is not read.
func TestExtractError(t *testing.T) {
	t.Parallel()
	wrong := errors.New("wrong")
	_, _, err := Extract(io.MultiReader(strings.NewReader("\nbegun"), iotest.ErrReader(wrong)), 0, "1", Options{}, io.Discard)
	if !errors.Is(err, wrong) {
		t.Errorf("reader: got %v", err)
	}
	e := &endless{head: "Subject: x\n\n", body: "some words\n", size: 1 << 30}
	_, _, err = Extract(e, 0, "1", Options{}, failingWriter{wrong})
	if !errors.Is(err, wrong) || e.at > 1<<20 {
		t.Errorf("writer: got %v after %d octets", err, e.at)
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

func TestInspect(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, message, html string }{
		{"no HTML", "\ntext", ""},
		{"HTML", "Content-Type: text/html; charset=iso-8859-1\n\n<p>\xe4</p>", "<p>ä</p>"},
		{"alternative", "Content-Type: multipart/alternative; boundary=b\n\n--b\n\ntext\n--b\nContent-Type: text/html\n\n<p>html\n--b--\n", "<p>html"},
		{"side by side", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\na < b\n--b\nContent-Type: text/html\n\n<p>html\n--b\n\nc\nd\n--b--\n",
			"<div>a &lt; b</div>\n<p>html\n<div>c<br>\nd</div>"},
	} {
		_, v := Inspect(strings.NewReader(c.message), 0, Options{})
		if diff := cmp.Diff(c.html, v.HTML); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	_, v := Inspect(strings.NewReader("Received: a\n b\nX-Name: =?utf-8?q?=C3=A4?=\nreceived: c\n\n"), 0, Options{})
	if diff := cmp.Diff([]ingest.Field{{Name: "Received", Value: "a b"}, {Name: "X-Name", Value: "ä"}, {Name: "received", Value: "c"}}, v.Header); diff != "" {
		t.Error(diff)
	}
}
