package mime

import (
	"slices"
	"strings"
	"testing"

	"github.com/mailintake/mailintake/ingest"
)

// parse reads a message that is written with LF line ends.
func parse(t testing.TB, message string) *ingest.Mail {
	t.Helper()
	raw := strings.ReplaceAll(message, "\n", "\r\n")
	m := Parse(strings.NewReader(raw), int64(len(raw)), Options{})
	checkSane(t, "message", []byte(raw), m)
	return m
}

func codes(m *ingest.Mail) []string {
	var list []string
	for _, d := range m.Defects {
		if d.Code != DateMissing && d.Code != FromMissing {
			list = append(list, d.Code)
		}
	}
	return list
}

// Each of these messages made some parser lose the message, a part or a file. None may lose what a person could read.
func TestMalformed(t *testing.T) {
	t.Parallel()
	const multipart = "Subject: s\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n"
	const two = "--b\nContent-Type: text/plain\n\none\n--b\nContent-Type: application/pdf; name=a.pdf\nContent-Transfer-Encoding: base64\n\nQUJD\n--b--\n"
	const abc = "b5d4045c3f466fa91fe2cc6abe79232a1a57cdf104f7a26e716e0a1e2789df78"
	for _, c := range []struct {
		name    string
		message string
		subject string   // s unless set
		text    string   // trimmed
		types   []string // of all parts
		files   []string // their names, where there are any
		defects []string // these and no others, FROM_MISSING and DATE_MISSING aside
		check   func(*testing.T, *ingest.Mail)
	}{
		{name: "sound", message: multipart + two, text: "one", types: []string{"text/plain", "application/pdf"}, files: []string{"a.pdf"}},
		{name: "no boundary parameter", message: strings.Replace(multipart, "; boundary=b", "", 1) + two, text: "one",
			types: []string{"text/plain", "application/pdf"}, files: []string{"a.pdf"}, defects: []string{BoundaryMissing, BoundaryGuessed}},
		{name: "no boundary at all", message: "Subject: s\nContent-Type: multipart/mixed\n\njust text\n", text: "just text",
			types: []string{"text/plain"}, defects: []string{BoundaryMissing, BoundaryNeverSeen}},
		{name: "boundary parameter twice", message: "Subject: s\nContent-Type: multipart/mixed; boundary=b; boundary=c\n\n" + two,
			text: "one", types: []string{"text/plain", "application/pdf"}, files: []string{"a.pdf"}, defects: []string{DuplicateParam}},
		{name: "boundary on a line of its own", message: "Subject: s\nContent-Type: multipart/mixed;\nboundary=\"b\"\n\n" + two,
			text: "one", types: []string{"text/plain", "application/pdf"}, files: []string{"a.pdf"}},
		{name: "boundary never appears", message: multipart + "only text here\n", text: "only text here",
			types: []string{"text/plain"}, defects: []string{BoundaryNeverSeen}},
		{name: "another boundary appears", message: multipart + strings.ReplaceAll(two, "--b", "--x"), text: "one",
			types: []string{"text/plain", "application/pdf"}, files: []string{"a.pdf"}, defects: []string{BoundaryGuessed}},
		{name: "truncated", message: multipart + strings.TrimSuffix(two, "--b--\n"), text: "one",
			types: []string{"text/plain", "application/pdf"}, files: []string{"a.pdf"}, defects: []string{MultipartUnclosed}},
		{name: "parts after the end", message: multipart + strings.Replace(two, "--b\nContent-Type: app", "--b--\n--b\nContent-Type: app", 1), text: "one",
			types: []string{"text/plain", "application/pdf"}, files: []string{"a.pdf"}, defects: []string{PartAfterClose}},
		{name: "same boundary inside", message: multipart + "--b\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--b--\n--b\nContent-Type: image/png\n\nx\n--b--\n",
			text: "one", types: []string{"text/plain", "image/png"}, defects: []string{BoundaryReused}},
		{name: "boundary of the outer one ends the inner one", message: multipart + "--b\nContent-Type: multipart/alternative; boundary=c\n\n--c\n\none\n--b\nContent-Type: image/png\n\nx\n--b--\n",
			text: "one", types: []string{"text/plain", "image/png"}, defects: []string{MultipartUnclosed}},
		{name: "unknown charset", message: "Subject: s\nContent-Type: text/plain; charset=x-none\n\ncaf\xc3\xa9\n", text: "café",
			types: []string{"text/plain"}, defects: []string{CharsetUnknown}},
		{name: "empty charset", message: "Subject: s\nContent-Type: text/html; charset=\n\n<p>x</p>\n", text: "x", types: []string{"text/html"}},
		{name: "stray octets in base64", message: multipart + strings.Replace(two, "QUJD", "Q!UJ*D", 1), text: "one",
			types: []string{"text/plain", "application/pdf"}, files: []string{"a.pdf"}, defects: []string{Base64Junk},
			check: func(t *testing.T, m *ingest.Mail) {
				if m.Parts[1].SHA256 != abc {
					t.Error("not decoded")
				}
			}},
		{name: "base64 padding missing", message: multipart + strings.Replace(two, "QUJD", "QUJDRA", 1), text: "one",
			types: []string{"text/plain", "application/pdf"}, files: []string{"a.pdf"}, defects: []string{Base64Padding},
			check: func(t *testing.T, m *ingest.Mail) {
				if m.Parts[1].Size != 4 {
					t.Errorf("%d octets", m.Parts[1].Size)
				}
			}},
		{name: "base64 lines padded each", message: multipart + strings.Replace(two, "QUJD", "QQ==\nQkM=", 1), text: "one",
			types: []string{"text/plain", "application/pdf"}, files: []string{"a.pdf"},
			check: func(t *testing.T, m *ingest.Mail) {
				if m.Parts[1].SHA256 != abc {
					t.Error("not decoded")
				}
			}},
		{name: "base64 with a footer", message: "Subject: s\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n-- \nThe footer of a list\n", text: "hello",
			types: []string{"text/plain"}, defects: []string{Base64Trailing}},
		{name: "base64 that is none", message: "Subject: s\nContent-Transfer-Encoding: base64\n\nDear all, this is plain.\nBye\n", text: "Dear all, this is plain.\nBye",
			types: []string{"text/plain"}, defects: []string{Base64None}},
		{name: "bad quoted-printable", message: "Subject: s\nContent-Transfer-Encoding: quoted-printable\n\na=ZZb=3D=e4=\n c=\n", text: "a=ZZb=ä c",
			types: []string{"text/plain"}, defects: []string{QuotedPrintableBad}},
		{name: "base64 with semicolon", message: "Subject: s\nContent-Transfer-Encoding: base64;\n\naGVsbG8=\n", text: "hello",
			types: []string{"text/plain"}, defects: []string{EncodingUnknown}},
		{name: "8-bit", message: "Subject: s\nContent-Transfer-Encoding: 8-bit\n\nhello\n", text: "hello",
			types: []string{"text/plain"}, defects: []string{EncodingUnknown}},
		{name: "header line without colon", message: "Received: x; Mon, 6 Jun 2005 20:21:22 +0000\nno colon here\nSubject: s\n\nhello\n", text: "hello",
			types: []string{"text/plain"}, defects: []string{HeaderLine}},
		{name: "first line without colon", message: "no colon here\nSubject: s\n\nhello\n", text: "hello",
			types: []string{"text/plain"}, defects: []string{HeaderLine}},
		{name: "mbox line", message: "From a@b Mon Jun  6 20:21:22 2005\nSubject: s\n\nhello\n", text: "hello",
			types: []string{"text/plain"}, defects: []string{EnvelopeLine}},
		{name: "quoted mbox line", message: ">From a@b Mon Jun  6 20:21:22 2005\nSubject: s\n\nhello\n", text: "hello",
			types: []string{"text/plain"}, defects: []string{EnvelopeLine}},
		{name: "space in a field name", message: "X Bad Name: x\nSubject: s\n\nhello\n", text: "hello",
			types: []string{"text/plain"}, defects: []string{HeaderLine}},
		{name: "8 bit in a field name", message: "X-B\xe4d: x\nSubject: s\n\nhello\n", text: "hello",
			types: []string{"text/plain"}, defects: []string{HeaderLine}},
		{name: "first line begins with a space", message: " indented\nSubject: s\n\nhello\n", text: "hello",
			types: []string{"text/plain"}, defects: []string{HeaderLine}},
		{name: "yEnc", message: "Subject: s\n\n=ybegin line=128 size=3 name=a.bin\nklm\n=yend size=3\n", text: "=ybegin line=128 size=3 name=a.bin\nklm\n=yend size=3",
			types: []string{"text/plain"}},
		{name: "space before the colon", message: "Subject : s\n\nhello\n", text: "hello", types: []string{"text/plain"}, defects: []string{HeaderSpace}},
		{name: "byte order mark and empty lines", message: "\xef\xbb\xbf\n\nSubject: s\n\nhello\n", text: "hello", types: []string{"text/plain"}},
		{name: "no empty line before the body", message: "Subject: s\nhello there\n\nmore\n", text: "hello there\n\nmore",
			types: []string{"text/plain"}, defects: []string{HeaderUnended}},
		{name: "no header", message: "hello there\n\nmore\n", subject: "-", text: "hello there\n\nmore",
			types: []string{"text/plain"}, defects: []string{HeaderMissing}},
		{name: "nothing", message: "", subject: "-", types: []string{"text/plain"}},
		{name: "header only", message: "Subject: s", types: []string{"text/plain"}},
		{name: "part header line without colon", message: multipart + "--b\nContent-Type: text/plain\nno colon\nX-A: b\n\none\n--b\nContent-Type: image/png\n\nx\n--b--\n",
			text: "one", types: []string{"text/plain", "image/png"}, defects: []string{HeaderLine}},
		{name: "part without header", message: multipart + "--b\n\none\n--b\nContent-Type: image/png\n\nx\n--b--\n",
			text: "one", types: []string{"text/plain", "image/png"}},
		{name: "part without header and empty line", message: multipart + "--b\njust words\nand more\n--b\nContent-Type: image/png\n\nx\n--b--\n",
			text: "just words\nand more", types: []string{"text/plain", "image/png"}, defects: []string{HeaderMissing}},
		{name: "bad Content-Type of a part", message: multipart + "--b\nContent-Type: rubbish\n\none\n--b\nContent-Type: text/plain; charset=\"utf-8; x=\n\ntwo\n--b--\n",
			text: "two", types: []string{"application/octet-stream", "text/plain"}, defects: []string{ContentTypeBad}},
		{name: "RFC 2231 continuations", message: multipart + "--b\nContent-Type: application/pdf;\n name*0*=utf-8''%e2%82%ac%20;\n name*1=\"rate\";\n name*2*=%2Epdf\n\nx\n--b--\n",
			types: []string{"application/pdf"}, files: []string{"€ rate.pdf"}},
		{name: "RFC 2231 in another order", message: multipart + "--b\nContent-Disposition: attachment;\n filename*1=\"b.txt\";\n filename*0=\"a\"\n\nx\n--b--\n",
			types: []string{"text/plain"}, files: []string{"ab.txt"}},
		{name: "raw UTF-8 file name with spaces", message: multipart + "--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=Übersicht Juni 1.pdf\n\nx\n--b--\n",
			types: []string{"application/pdf"}, files: []string{"Übersicht Juni 1.pdf"}},
		{name: "encoded word in a file name", message: multipart + "--b\nContent-Type: application/pdf; name=\"=?utf-8?Q?=C3=9Cber?=\n =?utf-8?Q?sicht.pdf?=\"\n\nx\n--b--\n",
			types: []string{"application/pdf"}, files: []string{"Übersicht.pdf"}},
		{name: "path in a file name", message: multipart + "--b\nContent-Type: application/pdf\nContent-Disposition: attachment; filename=\"../../etc/pass\x07wd\"\n\nx\n--b--\n",
			types: []string{"application/pdf"}, files: []string{"../../etc/passwd"}, defects: []string{FilenameUnsafe}},
		{name: "encoded words with spaces and splits", message: "Subject: =?utf-8?Q?gr=C3?=\n =?UTF-8?Q?=BCn und blau?= =?x-none?Q?=FF?= =?utf-8?B?w6\n\n", subject: "grün und blauÿ =?utf-8?B?w6",
			types: []string{"text/plain"}, defects: []string{EncodedWord}},
		{name: "one bad address", message: "Subject: s\nTo: Good <a@example.com>, Bad <, \"Un closed <b@example.com>, c@example.com\n\nx\n", text: "x",
			types: []string{"text/plain"}, defects: []string{AddressBad},
			check: func(t *testing.T, m *ingest.Mail) {
				var got []string
				for _, a := range m.To {
					if a.Email != "" {
						got = append(got, a.Email)
					}
				}
				if !slices.Equal(got, []string{"a@example.com", "b@example.com", "c@example.com"}) {
					t.Errorf("got %q", m.To)
				}
			}},
		{name: "NUL and bad UTF-8", message: "Subject: s\x00\nContent-Type: text/plain; charset=utf-8\n\na\x00b \xc3\xa9 \xff\n", text: "ab é \uFFFD",
			types: []string{"text/plain"}, defects: []string{CharsetWrong, NulRemoved}},
		{name: "Content-Type twice", message: "Subject: s\nContent-Type: text/plain\nContent-Type: text/html\n\n<b>\n", text: "<b>",
			types: []string{"text/plain"}, defects: []string{DuplicateField}},
		{name: "attached message", message: multipart + "--b\n\none\n--b\nContent-Type: message/rfc822\n\nSubject: inner\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\ninner text\n--c\nContent-Type: image/gif\n\nx\n--c--\n--b--\n",
			text: "one", types: []string{"text/plain", "message/rfc822", "text/plain", "image/gif"},
			check: func(t *testing.T, m *ingest.Mail) {
				var paths []string
				for _, p := range m.Parts {
					paths = append(paths, p.Path)
				}
				if !slices.Equal(paths, []string{"1", "2", "2.1", "2.2"}) {
					t.Errorf("paths %q", paths)
				}
				inner := "Subject: inner\r\nContent-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\ninner text\r\n--c\r\nContent-Type: image/gif\r\n\r\nx\r\n--c--"
				if m.Parts[1].Size != int64(len(inner)) {
					t.Errorf("attached message has %d octets, want %d", m.Parts[1].Size, len(inner))
				}
			}},
		{name: "attached message in base64", message: multipart + "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogaW5uZXINCg0KaGVsbG8NCg==\n--b\nContent-Type: image/png\n\nx\n--b--\n",
			types: []string{"message/rfc822", "text/plain", "image/png"}, defects: []string{EncodingForbidden},
			check: func(t *testing.T, m *ingest.Mail) {
				if m.Parts[0].Size != 25 || m.Parts[1].Path != "1.1" || m.Parts[1].Size != 7 {
					t.Errorf("got %+v", m.Parts)
				}
			}},
		{name: "uuencode", message: "Subject: s\n\nsee:\nbegin 644 a.txt\n#86)C\n`\nend\n", text: "see:",
			types: []string{"text/plain", "application/octet-stream"}, files: []string{"a.txt"}, defects: []string{Uuencoded}},
		{name: "winmail.dat", message: multipart + "--b\nContent-Type: application/ms-tnef; name=winmail.dat\n\nx\n--b--\n",
			types: []string{"application/ms-tnef"}, files: []string{"winmail.dat"}, defects: []string{TNEF, TNEFDamaged}},
		{name: "multipart in base64", message: strings.Replace(multipart, "\n\n", "\nContent-Transfer-Encoding: base64\n\n", 1) + two, text: "one",
			types: []string{"text/plain", "application/pdf"}, files: []string{"a.pdf"}, defects: []string{EncodingForbidden}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := parse(t, c.message)
			want := "s"
			switch c.subject {
			case "":
			case "-":
				want = ""
			default:
				want = c.subject
			}
			if m.Subject != want {
				t.Errorf("subject %q, want %q", m.Subject, want)
			}
			if got := strings.TrimSpace(m.Text); got != c.text {
				t.Errorf("text %q, want %q", got, c.text)
			}
			var types, files []string
			for _, p := range m.Parts {
				types = append(types, p.ContentType)
				if p.Filename != "" {
					files = append(files, p.Filename)
				}
			}
			if !slices.Equal(types, c.types) {
				t.Errorf("parts %q, want %q", types, c.types)
			}
			if !slices.Equal(files, c.files) {
				t.Errorf("files %q, want %q", files, c.files)
			}
			got := codes(m)
			slices.Sort(got)
			slices.Sort(c.defects)
			if !slices.Equal(got, c.defects) {
				t.Errorf("defects %v, want %v", m.Defects, c.defects)
			}
			if c.check != nil {
				c.check(t, m)
			}
		})
	}
}

// The same message with any line ends, read in pieces of any size, is the same Mail.
func TestLineEndsAndPieces(t *testing.T) {
	t.Parallel()
	message := "Subject: s\nContent-Type: multipart/mixed; boundary=\"=_b\"\n\npreamble\n--=_b\n\none\n\n--=_c\n--=_\n--=_b\nContent-Type: message/rfc822\n\n" +
		"Subject: inner\n\ninner\n--=_b\nContent-Transfer-Encoding: quoted-printable\nContent-Type: text/plain\nContent-Disposition: attachment\n\na=\nb=41  \nc\n--=_b--\nepilogue\n"
	for name, eol := range map[string]string{"LF": "\n", "CRLF": "\r\n", "CR": "\r"} {
		raw := strings.ReplaceAll(message, "\n", eol)
		whole := Parse(strings.NewReader(raw), int64(len(raw)), Options{})
		if got, want := whole.Text, "one\n\n--=_c\n--=_"; got != want {
			t.Errorf("%s: text %q, want %q", name, got, want)
		}
		if len(whole.Parts) != 4 || whole.Parts[3].Size != int64(len("abA")+len(eol)+1) {
			t.Errorf("%s: parts %+v", name, whole.Parts)
		}
		if got, want := whole.Parts[1].Size, int64(len("Subject: inner\n\ninner")+2*(len(eol)-1)); got != want {
			t.Errorf("%s: attached message has %d octets, want %d", name, got, want)
		}
		for at := 1; at < len(raw); at++ {
			r := &pieces{raw: raw, at: at}
			if diff := diffMail(Parse(r, 0, Options{}), whole); diff != "" {
				t.Fatalf("%s: cut at %d: %s", name, at, diff)
			}
		}
		if eol == "\r" {
			continue // told from the first 4 KiB alone
		}
		// Padding moves every octet of the message over the end of the buffer.
		for pad := minBuffer - len(raw) - 3; pad < minBuffer; pad++ {
			long := "X: " + strings.Repeat("x", pad) + eol + raw
			m := Parse(strings.NewReader(long), 0, Options{}) // with the smallest buffer
			if diff := diffMail(m, whole); diff != "" {
				t.Fatalf("%s: moved by %d: %s", name, pad, diff)
			}
		}
	}
}
