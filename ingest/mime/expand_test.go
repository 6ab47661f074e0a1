package mime

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/mailintake/mailintake/ingest"
)

// shortParts is a line for each part: path, type, name and size, and what it is.
func shortParts(m *ingest.Mail) []string {
	var list []string
	for _, p := range m.Parts {
		s := fmt.Sprintf("%s %s %q %d", p.Path, p.ContentType, p.Filename, p.Size)
		if p.Body {
			s += " body"
		}
		if p.Attached {
			s += " attached"
		}
		list = append(list, s)
	}
	return list
}

// shortDefects are the codes with their places, without what our short messages lack.
func shortDefects(m *ingest.Mail) []string {
	var list []string
	for _, d := range m.Defects {
		if d.Code != DateMissing && d.Code != FromMissing {
			list = append(list, strings.TrimSpace(d.Code+" "+d.Where))
		}
	}
	return list
}

type expandCase struct {
	name, message, text string
	parts, defects      []string
}

func checkExpand(t *testing.T, cases []expandCase) {
	t.Helper()
	for _, c := range cases {
		m := Parse(strings.NewReader(c.message), 0, Options{})
		if diff := cmp.Diff(c.parts, shortParts(m)); diff != "" {
			t.Errorf("%s: parts: %s", c.name, diff)
		}
		if diff := cmp.Diff(c.defects, shortDefects(m), cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: defects: %s", c.name, diff)
		}
		if got := strings.TrimSpace(m.Text); got != c.text {
			t.Errorf("%s: text %q, want %q", c.name, got, c.text)
		}
		checkParse(t, []byte(c.message))
	}
}

func TestUuencode(t *testing.T) {
	t.Parallel()
	const file = "begin 644 a.txt\n#86)C\n`\nend\n"
	const full = "M86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A86%A\n"
	one := []string{`1 text/plain "" %d body`, `1.1 application/octet-stream "a.txt" 3`}
	size := func(message string, parts []string) []string {
		parts = slices.Clone(parts)
		parts[0] = fmt.Sprintf(parts[0], len(message)-strings.Index(message, "\n\n")-2)
		return parts
	}
	var cases []expandCase
	for _, c := range []expandCase{
		{"in text", "see\n" + file + "bye\n", "see\nbye", one, []string{"UUENCODED 1"}},
		{"lines end with CRLF", strings.ReplaceAll(file, "\n", "\r\n"), "", one, []string{"UUENCODED 1"}},
		{"two", file + "and\n" + file, "and", append(slices.Clone(one), `1.2 application/octet-stream "a.txt" 3`), []string{"UUENCODED 1"}},
		{"spaces for zeros", "begin 644 z\n#    \n \nend\n", "", []string{one[0], `1.1 application/octet-stream "z" 3`}, []string{"UUENCODED 1"}},
		{"white space lost", "begin 644 z\n" + full + "M\n#\n\nend\nx", "#\n\nend\nx", []string{one[0], `1.1 application/octet-stream "z" 90`}, []string{"UUENCODED 1", "UUENCODE_UNENDED 1.1"}},
		{"the line before the end is empty", "begin 644 z\n" + full + "\nend\nx", "x", []string{one[0], `1.1 application/octet-stream "z" 45`}, []string{"UUENCODED 1"}},
		{"empty lines between", "begin 644 z\n" + full + "\n" + full + "\n`\nend\n", "", []string{one[0], `1.1 application/octet-stream "z" 90`}, []string{"UUENCODED 1"}},
		{"no end", "begin 644 a.txt\n#86)C\n\nRegards", "Regards", one, []string{"UUENCODED 1", "UUENCODE_UNENDED 1.1"}},
		{"cut", "begin 644 a.txt\n#86)C", "", one, []string{"UUENCODED 1", "UUENCODE_UNENDED 1.1"}},
		{"next file without end", "begin 644 a.txt\n#86)C\n" + file, "", append(slices.Clone(one), `1.2 application/octet-stream "a.txt" 3`), []string{"UUENCODED 1", "UUENCODE_UNENDED 1.1"}},
		{"checksum characters", "begin 644 a.txt\n#86)C0\n`\nend\n", "", one, []string{"UUENCODED 1"}},
		{"name with a space, mode of four digits", "begin 0644 \"a b.txt\"\n#86)C\n`\nend\n", "", []string{one[0], `1.1 application/octet-stream "a b.txt" 3`}, []string{"UUENCODED 1"}},
		{"no name", "begin 644 \n#86)C\n`\nend\n", "", []string{one[0], `1.1 application/octet-stream "" 3`}, []string{"UUENCODED 1"}},
		{"path in the name", "begin 644 ../../x\n#86)C\n`\nend\n", "", []string{one[0], `1.1 application/octet-stream "../../x" 3`}, []string{"FILENAME_UNSAFE 1.1", "UUENCODED 1"}},
		{"empty file", "begin 644 e\n`\nend\n", "", []string{one[0], `1.1 application/octet-stream "e" 0`}, []string{"UUENCODED 1"}},
		{"a winmail.dat", "begin 644 winmail.dat\n&>)\\^(@$`\n`\nend\n", "", []string{one[0], `1.1 application/octet-stream "winmail.dat" 6`}, []string{"UUENCODED 1", "TNEF 1.1"}},
	} {
		c.message = "Subject: s\n\n" + c.message
		c.parts = size(c.message, c.parts)
		cases = append(cases, c)
	}
	for _, text := range []string{
		"begin 644 x", "begin 644 x\nand so on", "begin 644 x\n\nend", "begin 644 x\nend", "begin at 644 x\n#86)C", "a begin 644 x\n#86)C\n`\nend", "> begin 644 a\n> #86)C\n> `\n> end",
		"begin 999 x\n#86)C\n`\nend", "begin 644 x\nHELLO WORLD\nend", "begin", "b", "begin 644 " + strings.Repeat("x", 300) + "\n#86)C\n`\nend", "=ybegin line=128 size=3 name=a\n*+,\n=yend size=3",
	} {
		c := expandCase{name: text, message: "Subject: s\n\n" + text, parts: []string{fmt.Sprintf(`1 text/plain "" %d body`, len(text))}, text: text}
		cases = append(cases, c)
	}
	const encoded = "Content-Type: image/gif\nContent-Transfer-Encoding: x-uuencode\n\n"
	cases = append(cases,
		expandCase{"part", encoded + "\n" + file, "", []string{`1 image/gif "a.txt" 3`}, []string{"UUENCODED 1"}},
		expandCase{"part without end", encoded + "begin 644 a.txt\n#86)C\n", "", []string{`1 image/gif "a.txt" 3`}, []string{"UUENCODED 1", "UUENCODE_UNENDED 1"}},
		expandCase{"part that is not encoded", encoded + "\nGIF89a", "", []string{`1 image/gif "" 7`}, []string{"ENCODING_UNKNOWN 1"}},
		expandCase{"text part", "Content-Transfer-Encoding: uuencode\n\n" + file, "abc", []string{`1 text/plain "a.txt" 3 body`}, []string{"UUENCODED 1"}},
		expandCase{"attached text", "Content-Disposition: attachment; filename=b\n\n" + file, "", []string{`1 text/plain "b" 28`}, nil},
		expandCase{"in an attached message", "Content-Type: message/rfc822\n\nSubject: y\n\n" + file, "", []string{`1 message/rfc822 "" 40`, `1.1 text/plain "" 28 attached`, `1.1.1 application/octet-stream "a.txt" 3 attached`}, []string{"UUENCODED 1.1"}},
		expandCase{"in quoted-printable", "Content-Transfer-Encoding: quoted-printable\n\n" + strings.Replace(file, "`", "=60", 1), "", []string{`1 text/plain "" 28 body`, one[1]}, []string{"UUENCODED 1"}},
	)
	checkExpand(t, cases)
}

// Text that is longer than what is kept still gives its files.
func TestUuencodeLong(t *testing.T) {
	t.Parallel()
	message := "Subject: x\n\n" + strings.Repeat("words and words\n", maxPlainOctets/16+1) + "begin 644 a.txt\n#86)C\n`\nend\n"
	m := parse(t, message)
	if len(m.Parts) != 2 || m.Parts[1].Filename != "a.txt" || m.Parts[1].Size != 3 || !m.TextCut {
		t.Errorf("got %+v", m.Parts)
	}
	message = "Subject: x\n\nbegin 644 a.txt\n" + strings.Repeat("M"+strings.Repeat("A", 60)+"\n", 100_000) + "`\nend\nbehind\n"
	m = parse(t, message)
	if len(m.Parts) != 2 || m.Parts[1].Size != 4_500_000 || m.TextCut || m.Text != "behind\n" {
		t.Errorf("got %+v, text %q", m.Parts, m.Text)
	}
}

// der is an element of definite length.
func der(tag byte, content string) string {
	n := len(content)
	if n < 0x80 {
		return string([]byte{tag, byte(n)}) + content
	}
	return string([]byte{tag, 0x83, byte(n >> 16), byte(n >> 8), byte(n)}) + content
}

// ber is an element whose end is marked.
func ber(tag byte, content string) string { return string([]byte{tag, 0x80}) + content + "\x00\x00" }

func TestSMIME(t *testing.T) {
	t.Parallel()
	type form func(tag byte, content string) string
	object := func(f form, oid, content string) string {
		return f(0x30, der(6, oid)+f(0xa0, content))
	}
	signed := func(f form, inner, content string) string {
		encap := der(6, inner)
		if content != "" {
			encap += f(0xa0, content)
		}
		return object(f, oidSigned, f(0x30, der(2, "\x01")+f(0x31, f(0x30, der(6, "\x60\x86")))+f(0x30, encap)+f(0xa0, "certificates")+f(0x31, "signers")))
	}
	encode := func(contentType, raw string) string {
		return "Content-Type: " + contentType + "\nContent-Transfer-Encoding: base64\n\n" + base64.StdEncoding.EncodeToString([]byte(raw)) + "\n"
	}
	const kind = "application/pkcs7-mime"
	const text = "Content-Type: text/plain\r\n\r\nsigned"
	parts := func(raw string, inner ...string) []string {
		return append([]string{fmt.Sprintf(`1 application/pkcs7-mime "" %d`, len(raw))}, inner...)
	}
	const inner = `1.1 text/plain "" 6 body`
	pieces := ber(0x24, der(4, text[:9])+ber(0x24, der(4, text[9:11])+der(4, ""))+der(4, text[11:]))
	mixed := "Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\nContent-Type: message/rfc822\n\nSubject: y\n\ntwo\n--b--\n"
	var cases []expandCase
	for _, c := range []struct {
		name, raw, text string
		parts, defects  []string
	}{
		{"DER", signed(der, oidData, der(4, text)), "signed", []string{inner}, nil},
		{"BER", signed(ber, oidData, ber(0x24, der(4, text))), "signed", []string{inner}, nil},
		{"in pieces", signed(ber, oidData, pieces), "signed", []string{inner}, nil},
		{"multipart", signed(der, oidData, der(4, mixed)), "one", []string{`1.1 text/plain "" 3 body`, `1.2 message/rfc822 "" 15`, `1.2.1 text/plain "" 3 attached`}, nil},
		{"no header", signed(der, oidData, der(4, "just text")), "just text", []string{`1.1 text/plain "" 9 body`}, []string{"HEADER_MISSING 1.1"}},
		{"signed twice", signed(der, oidData, der(4, encode(kind, signed(der, oidData, der(4, text))))), "signed", []string{
			fmt.Sprintf(`1.1 application/pkcs7-mime "" %d`, len(signed(der, oidData, der(4, text)))), `1.1.1 text/plain "" 6 body`}, nil},
		{"cut in the content", signed(der, oidData, der(4, text))[:len(signed(der, oidData, der(4, text)))-len("certificatessigners")-4-2], "sign", []string{`1.1 text/plain "" 4 body`}, []string{"SMIME_DAMAGED 1"}},
		{"signature alone", signed(der, oidData, ""), "", nil, nil},
		{"something else signed", signed(der, "\x2a\x03", der(4, text)), "", nil, nil},
		{"enveloped", object(der, oidEnveloped, der(0x30, "secret")), "", nil, nil},
		{"compressed", object(der, "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x09", der(0x30, "zlib")), "", nil, nil},
		{"nonsense", "nonsense", "", nil, []string{"SMIME_DAMAGED 1"}},
		{"empty", "", "", nil, []string{"SMIME_DAMAGED 1"}},
		{"child longer than its parent", "\x30\x10" + signed(der, oidData, der(4, text))[2:], "signed", []string{inner}, nil},
	} {
		cases = append(cases, expandCase{c.name, encode(kind, c.raw), c.text, parts(c.raw, c.parts...), c.defects})
	}
	raw := signed(der, oidData, der(4, text))
	cases = append(cases,
		expandCase{"by its name", encode("application/octet-stream; name=smime.p7m", raw), "signed", []string{fmt.Sprintf(`1 application/octet-stream "smime.p7m" %d`, len(raw)), inner}, nil},
		expandCase{"in an attached message", "Content-Type: message/rfc822\n\n" + encode(kind, raw), "", []string{
			fmt.Sprintf(`1 message/rfc822 "" %d`, len(encode(kind, raw))), fmt.Sprintf(`1.1 application/pkcs7-mime "" %d attached`, len(raw)), `1.1.1 text/plain "" 6 attached`}, nil},
	)
	checkExpand(t, cases)
	for raw, want := range map[string]ingest.Protection{
		signed(ber, oidData, pieces):                                                          ingest.ProtectionSMIMESigned,
		object(der, oidEnveloped, der(0x30, "x")):                                             ingest.ProtectionSMIMEEncrypted,
		object(ber, oidAuthEnveloped, ber(0x30, "x")):                                         ingest.ProtectionSMIMEEncrypted,
		object(der, "\x2a\x03", der(0x30, "x")):                                               ingest.ProtectionNone,
		signed(der, oidData, der(4, encode(kind, object(der, oidEnveloped, der(0x30, "x"))))): ingest.ProtectionSMIMEEncrypted,
	} {
		if m := parse(t, encode("application/x-pkcs7-mime", raw)); m.Protection != want {
			t.Errorf("protection %q, want %q", m.Protection, want)
		}
	}
}

// A winmail.dat of the corpus, in a message as it comes.
func TestWinmail(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(corpusDir(t), "tnef", "msg", "tests", "files", "datafiles")
	message := func(file, before string) string {
		raw, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		return "Content-Type: multipart/mixed; boundary=b\n\n" + before + "--b\nContent-Type: application/ms-tnef; name=winmail.dat\nContent-Transfer-Encoding: base64\n\n" +
			base64.StdEncoding.EncodeToString(raw) + "\n--b--\n"
	}
	const said = "--b\n\nsaid already\n"
	checkExpand(t, []expandCase{
		{"files", message("two-files.tnef", said), "said already", []string{`1 text/plain "" 12 body`, `2 application/ms-tnef "winmail.dat" 3481`, `2.1 application/octet-stream "AUTHORS" 244`, `2.2 application/octet-stream "README" 893`},
			[]string{"TNEF 2"}},
		{"the body is known", message("triples.tnef", said), "said already", []string{`1 text/plain "" 12 body`, `2 application/ms-tnef "winmail.dat" 3270`, `2.1 text/plain "winmail-body.txt" 20`, `2.2 application/rtf "winmail-body.rtf" 247`},
			[]string{"TNEF 2"}},
		{"the body is not", message("triples.tnef", "--b\n\n \n"), "Sample description", []string{`1 text/plain "" 1 body`, `2 application/ms-tnef "winmail.dat" 3270`, `2.1 text/plain "winmail-body.txt" 20 body`, `2.2 application/rtf "winmail-body.rtf" 247`},
			[]string{"TNEF 2"}},
		{"by its name alone", strings.Replace(message("two-files.tnef", said), "application/ms-tnef", "text/plain", 1), "said already", []string{`1 text/plain "" 12 body`, `2 text/plain "winmail.dat" 3481`, `2.1 application/octet-stream "AUTHORS" 244`, `2.2 application/octet-stream "README" 893`},
			[]string{"TNEF 2"}},
		{"HTML in RTF", message("multi-value-attribute.tnef", ""), "You received a voice mail from Curie Conf Room at 208225.", []string{`1 application/ms-tnef "winmail.dat" 18124`, `1.1 application/rtf "winmail-body.rtf" 1796`, `1.2 audio/mp3 "208225__5_seconds__Voice_Mail.mp3" 10656`},
			[]string{"TNEF 1"}},
	})
}

// Containers put together from what real ones are made of, whole and broken.
func TestExpandProperties(t *testing.T) {
	t.Parallel()
	token := rapid.SampledFrom([]string{
		"begin 644 x\n", "begin 644 winmail.dat\n", "begin 600 a.p7m\n", "#86)C\n", "#86)C", "M" + strings.Repeat("9", 60) + "\n", "M\n", "`\n", "end\n", "end", "\n", " \n", "text\n", "b", "\r\n", "\r",
		"--b\n", "\n--b\nContent-Transfer-Encoding: x-uuencode\n\n", "\n--b\nContent-Transfer-Encoding: x-uuencode\nContent-Type: application/ms-tnef\n\n", "\n--b\nContent-Type: application/ms-tnef\n\n", "\n--b\n\n",
		"\n--b\nContent-Type: application/pkcs7-mime\n\n", "\n--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n", tnefHead,
		tnefAttribute(2, 0x00069002, 0, ""), tnefAttribute(2, 0x0006800f, 3, "abc"), tnefAttribute(1, 0x0002800c, 4, "body"), tnefProps(2, 0x00069005, tnefBinary(0xd, 0x3701, 1000, "\x07\x03\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"+tnefHead)),
		"\x30\x80\x06\x09" + oidSigned + "\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80\x06\x09" + oidData + "\xa0\x80", "\x24\x80", "\x04\x04text", "\x04\x82\x10\x00", "\x00\x00", "Content-Type: text/plain\n\n", "\x30\x80", "\xa0\x03",
	})
	rapid.Check(t, func(rt *rapid.T) {
		raw := "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + strings.Join(rapid.SliceOfN(token, 0, 40).Draw(rt, "tokens"), "")
		checkParse(t, []byte(raw))
	})
}

// FuzzCMS: whatever the octets, the reader ends, and gives the same however they arrive.
func FuzzCMS(f *testing.F) {
	f.Add([]byte(ber(0x30, der(6, oidSigned)+ber(0xa0, ber(0x30, der(2, "\x01")+ber(0x31, "")+ber(0x30, der(6, oidData)+ber(0xa0, ber(0x24, der(4, "content")))))))))
	f.Add([]byte(der(0x30, der(6, oidEnveloped)+der(0xa0, der(0x30, "")))))
	f.Fuzz(func(t *testing.T, raw []byte) {
		read := func(size int) (content, damage, kind string) {
			var out bytes.Buffer
			c := cmsReader{emit: func(p []byte) { out.Write(p) }}
			for part := range slices.Chunk(raw, size) {
				c.write(part)
			}
			return out.String(), c.finish(), c.kind
		}
		content, damage, kind := read(len(raw) + 1)
		content1, damage1, kind1 := read(1)
		if content != content1 || damage != damage1 || kind != kind1 || len(content) > len(raw) {
			t.Errorf("%q %q %q, octet by octet %q %q %q", content, damage, kind, content1, damage1, kind1)
		}
	})
}

// FuzzUuencode: whatever the text, what is text and what is a file does not depend on how it arrives.
func FuzzUuencode(f *testing.F) {
	f.Add("see\nbegin 644 a\n#86)C\n`\nend\nbye\n")
	f.Add("begin 644 a\n#86)C\n\nM\nbegin 600 b\n`\nend")
	f.Fuzz(func(t *testing.T, text string) { checkParse(t, []byte("Content-Transfer-Encoding: 8bit\n\n"+text)) })
}
