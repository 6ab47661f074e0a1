package mime

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/mailintake/mailintake/ingest"
)

// pieces reads raw in two pieces, the first up to at.
type pieces struct {
	raw string
	at  int
	off int
}

func (p *pieces) Read(b []byte) (int, error) {
	end := len(p.raw)
	if p.off < p.at {
		end = p.at
	}
	if p.off == len(p.raw) {
		return 0, io.EOF
	}
	n := copy(b, p.raw[p.off:end])
	p.off += n
	return n, nil
}

func diffMail(got, want *ingest.Mail) string { return cmp.Diff(want, got) }

// FuzzParse: whatever the octets, Parse returns, keeps its limits, and says the same twice, however the octets arrive.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob("testdata/mail/*.eml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) { checkParse(t, raw) })
}

func checkParse(t testing.TB, raw []byte) {
	m := Parse(bytes.NewReader(raw), int64(len(raw)), Options{})
	checkSane(t, "message", raw, m)
	again := Parse(iotest.HalfReader(bytes.NewReader(raw)), 0, Options{})
	if diff := diffMail(again, m); diff != "" {
		t.Errorf("differs with the size of the pieces: %s", diff)
	}
	checkExtract(t, "message", raw, m)
}

// Messages put together from what real ones are made of go deeper than random octets.
func TestParseProperties(t *testing.T) {
	t.Parallel()
	token := rapid.SampledFrom([]string{
		"\n", "\n", "\n", "\r\n", "\r\n", "\r", "\n\n", "\r\n\r\n", " ", "\t", "--", "--a", "--a--", "--b", "--b--", "\n--a\n", "\n--b\n", "\n--a--\n", "\r\n--a\r\n",
		"Subject: ", "From: ", "To: ", "Date: ", "Received: ", "References: ", "Message-ID: ", "X: ", "Content-", "From a@b ", "no colon",
		"Content-Type: multipart/mixed; boundary=a\n\n", "Content-Type: multipart/alternative; boundary=b\n\n", "Content-Type: multipart/mixed\n\n",
		"Content-Type: message/rfc822\n\n", "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n", "Content-Type: text/html\n\n",
		"Content-Type: text/plain; charset=", "Content-Transfer-Encoding: base64\n", "Content-Transfer-Encoding: quoted-printable\n",
		"Content-Disposition: attachment; filename", "*0*=utf-8''", "*1=", "=", ";", "\"", "'", "%41", "utf-8", "utf-7", "iso-2022-jp", "gb18030", "utf-16", "x-none",
		"=?utf-8?Q?", "=?utf-8?B?", "=?iso-2022-jp?B?", "?=", "=41", "=C3", "=\n", "QUJD", "QQ==", "\x1b$B", "\x1b(B", "+AGE-", "é", "\xff", "\x00", "\xe4",
		"<", ">", "(", ")", ",", ":", "@", "a@b", "<a@b>", "\\", "<p>", "</p>", "<a href=\"http://x\">", "</a>", "<!--", "-->", "<script>", "</script>", "&amp;", "&#", "<li", "begin 644 x\n",
		"Mon, 6 Jun 2005 20:21:22 +0200", "2005-06-06T20:21:22Z", "99", "1", "jan",
	})
	rapid.Check(t, func(t *rapid.T) {
		raw := strings.Join(rapid.SliceOfN(token, 0, 120).Draw(t, "tokens"), "")
		m := Parse(strings.NewReader(raw), int64(len(raw)), Options{})
		checkSane(t, "message", []byte(raw), m)
		again := Parse(iotest.OneByteReader(strings.NewReader(raw)), 0, Options{})
		if diff := diffMail(again, m); diff != "" {
			t.Errorf("differs with the size of the pieces: %s", diff)
		}
		checkExtract(t, "message", []byte(raw), m)
	})
}
