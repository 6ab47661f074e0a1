package tnef

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"
)

func le16(n int) string { return string(binary.LittleEndian.AppendUint16(nil, uint16(n))) }
func le32(n int) string { return string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }

// stream is a TNEF stream of attributes.
func stream(attributes ...string) string {
	return le32(signature) + le16(1) + strings.Join(attributes, "")
}

func attribute(level byte, id int, value string) string {
	sum := 0
	for i := range len(value) {
		sum += int(value[i])
	}
	return string([]byte{level}) + le32(id) + le32(len(value)) + value + le16(sum)
}

func list(properties ...string) string {
	return le32(len(properties)) + strings.Join(properties, "")
}

func pad(s string) string { return s + strings.Repeat("\x00", -len(s)&3) }

func property(kind, id int, value string) string {
	tag := le16(kind) + le16(id)
	if variable(uint16(kind)) {
		return tag + le32(1) + le32(len(value)) + pad(value)
	}
	return tag + pad(value)
}

func wide16(s string) string {
	var b strings.Builder
	for _, u := range utf16.Encode([]rune(s + "\x00")) {
		b.WriteString(le16(int(u)))
	}
	return b.String()
}

// compressed is RTF in the form that is not compressed.
func compressed(rtf string) string {
	return le32(len(rtf)+12) + le32(len(rtf)) + "MELA" + le32(0) + rtf
}

var rendering = attribute(levelAttachment, attRenddata, strings.Repeat("\x00", 14))

func TestDecoder(t *testing.T) {
	t.Parallel()
	file := func(name, data string) found {
		return found{Object{Kind: File, Name: name}, []byte(data)}
	}
	const cyrillic = "\xcf\xf0\xe8\xe2\xe5\xf2.txt"
	page1251 := attribute(levelMessage, attOemCodepage, le32(1251)+le32(0))
	simple := rendering + attribute(levelAttachment, attTitle, "a.txt\x00") + attribute(levelAttachment, attData, "data")
	for _, c := range []struct {
		name, stream string
		want         []found
		charset      string
		damage       string
	}{
		{name: "empty", damage: "no TNEF signature"},
		{name: "something else", stream: "%PDF-1.3 and so on", damage: "no TNEF signature"},
		{name: "nothing in it", stream: stream()},
		{name: "file", stream: stream(simple), want: []found{file("a.txt", "data")}},
		{name: "two files without rendering data", stream: stream(attribute(2, attTitle, "a\x00"), attribute(2, attData, "1"), rendering, attribute(2, attTitle, "b\x00"), attribute(2, attData, "2")),
			want: []found{file("a", "1"), file("b", "2")}},
		{name: "name in the code page", stream: stream(page1251, rendering, attribute(2, attTitle, cyrillic+"\x00"), attribute(2, attData, "x")), want: []found{file("Привет.txt", "x")}},
		{name: "long name wins", stream: stream(page1251, rendering, attribute(2, attTitle, "PRIVET~1.TXT\x00"), attribute(2, attData, "x"), attribute(2, attProps, list(
			property(typeString8, propDisplayName, "shown\x00"), property(typeUnicode, propLongFileName, wide16("Привет, мир.txt")),
			property(typeString8, propMimeTag, "text/plain\x00"), property(typeUnicode, propContentID, wide16("<a@b>")), property(3, propFlags, le32(4))))),
			want: []found{{Object{Kind: File, Name: "Привет, мир.txt", ContentType: "text/plain", ContentID: "a@b", Inline: true}, []byte("x")}}},
		{name: "data in the properties", stream: stream(rendering, attribute(2, attProps, list(property(typeBinary, propData, "abcde"), property(typeString8, propFileName, "a.bin\x00")))),
			want: []found{file("a.bin", "abcde")}},
		{name: "the same data twice", stream: stream(simple, attribute(2, attProps, list(property(typeBinary, propData, "again")))), want: []found{file("a.txt", "data")}},
		{name: "empty data, then data", stream: stream(rendering, attribute(2, attData, ""), attribute(2, attProps, list(property(typeBinary, propData, "x")))), want: []found{file("", "x")}},
		{name: "empty file", stream: stream(rendering, attribute(2, attData, "")), want: []found{file("", "")}},
		{name: "link", stream: stream(rendering, attribute(2, attProps, list(property(typeString8, propLongFileName, "there.doc\x00")))), want: []found{file("there.doc", "")}},
		{name: "rendering data alone", stream: stream(rendering, rendering)},
		{name: "attached message", stream: stream(rendering, attribute(2, attProps, list(property(typeString8, propDisplayName, "Re: x\x00"), property(typeObject, propData, messageID+stream(simple))))),
			want: []found{{Object{Kind: Message, Name: "Re: x"}, []byte(stream(simple))}}},
		{name: "object", stream: stream(rendering, attribute(2, attProps, list(property(typeObject, propData, strings.Repeat("i", 16)+"object")))), want: []found{file("", "iiiiiiiiiiiiiiiiobject")}},
		{name: "object shorter than its identifier", stream: stream(rendering, attribute(2, attProps, list(property(typeObject, propData, "short")))), want: []found{file("", "short")}},
		{name: "text", stream: stream(page1251, attribute(1, attBody, "\xcf\xf0\xe8\r\n\x00")), want: []found{{Object{Kind: Text, Charset: "windows-1251"}, []byte("\xcf\xf0\xe8\r\n")}}},
		{name: "text without NUL", stream: stream(attribute(1, attBody, "text")), want: []found{{Object{Kind: Text}, []byte("text")}}},
		{name: "empty text", stream: stream(attribute(1, attBody, "\x00"), attribute(1, attBody, ""))},
		{name: "text in UTF-16", stream: stream(attribute(1, attMsgProps, list(property(typeUnicode, propBody, wide16("ä"))))), want: []found{{Object{Kind: Text, Charset: "utf-16le"}, []byte("\xe4\x00")}}},
		{name: "HTML", stream: stream(attribute(1, attMsgProps, list(property(typeBinary, propHTML, "<p>\xe4"), property(3, propInternetCode, le32(28591))))),
			want: []found{{Object{Kind: HTML}, []byte("<p>\xe4")}}, charset: "iso-8859-1"},
		{name: "RTF", stream: stream(attribute(1, attMsgProps, list(property(typeBinary, propRTF, compressed(`{\rtf1 a}`))))), want: []found{{Object{Kind: RTF}, []byte(`{\rtf1 a}`)}}},
		{name: "no RTF", stream: stream(attribute(1, attMsgProps, list(property(typeBinary, propRTF, "nonsense, and more of it")))), damage: "a body that is not compressed RTF"},
		{name: "named properties", stream: stream(attribute(1, attMsgProps, list(
			le16(typeUnicode)+le16(0x8001)+strings.Repeat("g", 16)+le32(1)+le32(10)+pad(wide16("Name"))+le32(1)+le32(4)+wide16("v"),
			le16(3)+le16(0x8002)+strings.Repeat("g", 16)+le32(0)+le32(5)+le32(1), property(typeBinary, propHTML, "<p>")))), want: []found{{Object{Kind: HTML}, []byte("<p>")}}},
		{name: "many values", stream: stream(attribute(1, attMsgProps, list(
			le16(typeMultiple|3)+le16(0x1234)+le32(3)+le32(1)+le32(2)+le32(3), le16(typeMultiple|typeString8)+le16(0x1235)+le32(2)+le32(2)+"a\x00\x00\x00"+le32(1)+"b\x00\x00\x00",
			le16(0x0040)+le16(0x39)+strings.Repeat("t", 8), le16(0x0048)+le16(0x1236)+strings.Repeat("g", 16), property(typeBinary, propHTML, "<p>")))),
			want: []found{{Object{Kind: HTML}, []byte("<p>")}}},
		{name: "wrong checksum", stream: stream(simple[:len(simple)-1] + "x"), want: []found{file("a.txt", "data")}, damage: "wrong checksum of an attribute"},
		{name: "cut in the data", stream: stream(simple)[:len(stream(simple))-4], want: []found{file("a.txt", "da")}, damage: "ends in the middle of an attribute"},
		{name: "cut in a head", stream: stream(simple, "\x02\x0f"), want: []found{file("a.txt", "data")}, damage: "ends in the middle of an attribute"},
		{name: "padding at the end", stream: stream(simple, "\r\n\x00\x00\x1a \x00\x00\x00\x00\x00\x00\x00\x00"), want: []found{file("a.txt", "data")}},
		{name: "the length of a title lies", stream: stream(rendering, "\x02"+le32(attTitle)+"\xff\xff\xff\xff", "junk", simple), want: []found{file("a.txt", "data")}, damage: "octets between the attributes"},
		{name: "the length of data lies", stream: stream(rendering, attribute(2, attTitle, "a\x00"), "\x02"+le32(attData)+"\xff\xff\xff\xff", "data"), want: []found{file("a", "data")}, damage: "ends in the middle of an attribute"},
		{name: "the length of data is too small", stream: stream(rendering, "\x02"+le32(attData)+le32(2), "data and more", simple), want: []found{file("", "da"), file("a.txt", "data")}, damage: "wrong checksum of an attribute"},
		{name: "attachment at the level of the message", stream: stream(attribute(1, attData, "x")), want: []found{file("", "x")}},
		{name: "unknown attribute", stream: stream(attribute(1, 0x0006abcd, "x"), simple), want: []found{file("a.txt", "data")}},
		{name: "a property longer than its list", stream: stream(rendering, attribute(2, attProps, le32(1)+le16(typeBinary)+le16(propData)+le32(1)+le32(1<<30)+"data"), simple),
			want: []found{file("", "data"), file("a.txt", "data")}, damage: "ends in the middle of a list of properties"},
		{name: "a property of a type that nobody knows", stream: stream(attribute(1, attMsgProps, list(le16(0x0fff)+le16(1), property(typeBinary, propHTML, "<p>"))), simple), want: []found{file("a.txt", "data")}, damage: "a property of unknown type"},
	} {
		for _, size := range []int{1, 5, 1 << 20} {
			got, result := decode(t, []byte(c.stream), size)
			if diff := cmp.Diff(c.want, got, cmp.AllowUnexported(found{}), cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s, pieces of %d: %s", c.name, size, diff)
			}
			if diff := cmp.Diff(Result{Charset: c.charset, Damage: c.damage}, result); diff != "" {
				t.Errorf("%s, pieces of %d: %s", c.name, size, diff)
			}
		}
	}
}

// Streams put together from what real ones are made of go deeper than random octets.
func TestDecoderProperties(t *testing.T) {
	t.Parallel()
	token := rapid.SampledFrom([]string{
		rendering, attribute(2, attTitle, "a\x00"), attribute(2, attData, "data"), "\x02" + le32(attData) + le32(100), "\x02" + le32(attProps) + le32(200),
		"\x01" + le32(attMsgProps) + le32(200), "\x01" + le32(attBody) + le32(9), le32(1), le32(2), le32(0), le32(1 << 31), le16(typeBinary) + le16(propData), le16(typeObject) + le16(propData),
		le16(typeUnicode) + le16(propBody), le16(typeBinary) + le16(propRTF), le16(typeBinary) + le16(propHTML), le16(0x1003) + le16(1), messageID, stream(), compressed("{\\rtf1 x}"),
		"\x00", "x", "abc", "\x00\x00\x00\x00", le16(3) + le16(0x8001) + strings.Repeat("g", 16), le16(1), attribute(2, attProps, list(property(typeString8, propLongFileName, "n\x00"))),
	})
	rapid.Check(t, func(rt *rapid.T) {
		checkDecoder(t, []byte(stream(rapid.SliceOfN(token, 0, 40).Draw(rt, "tokens")...)), rapid.IntRange(1, 30).Draw(rt, "size"))
	})
}

// checkDecoder holds what must be true of every stream: it says the same however the octets arrive, and gives no more
// than can be in it.
func checkDecoder(t *testing.T, raw []byte, size int) {
	got, result := decode(t, raw, max(len(raw), 1))
	again, resultAgain := decode(t, raw, size)
	if diff := cmp.Diff(got, again, cmp.AllowUnexported(found{})); diff != "" || result != resultAgain {
		t.Errorf("differs with the size of the pieces: %s", diff)
	}
	total := 0
	for _, f := range got {
		total += len(f.data)
		for _, s := range []string{f.Name, f.ContentType, f.ContentID, f.Charset} {
			if len(s) > 3*maxSmall {
				t.Errorf("%d octets: %.100q", len(s), s)
			}
		}
	}
	if total > 9*len(raw) {
		t.Errorf("%d octets out of %d", total, len(raw))
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte(stream(rendering, attribute(2, attTitle, "a\x00"), attribute(2, attData, "x"), attribute(2, attProps, list(property(typeObject, propData, messageID+stream()))))), 3)
	f.Add([]byte(stream(attribute(1, attMsgProps, list(property(typeBinary, propRTF, compressed("{\\rtf1 a}")), property(typeUnicode, propBody, wide16("x")))))), 1)
	f.Fuzz(func(t *testing.T, raw []byte, size int) { checkDecoder(t, raw, max(size&0xff, 1)) })
}

// RTF that is compressed, and what it stands for: the examples of [MS-OXRTFCP] 4.1.1 and 4.2.
func TestDecompressor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, in, want, damage string }{
		{"simple", "\x2d\x00\x00\x00\x2b\x00\x00\x00LZFu\xf1\xc5\xc7\xa7\x03\x00\x0a\x00rcpg125\x42\x32\x0a\xf3 hel\x09\x00 bw\x05\xb0ld}\x0a\x80\x0f\xa0",
			"{\\rtf1\\ansi\\ansicpg1252\\pard hello world}\r\n", ""},
		{"reference over itself", "\x1a\x00\x00\x00\x1c\x00\x00\x00LZFu\xe2\xd4\x4b\x51\x41\x00\x04\x20WXYZ\x0d\x6e}\x01\x0e\xb0", "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}", ""},
		{"wrong checksum", "\x1a\x00\x00\x00\x1c\x00\x00\x00LZFu\xe2\xd4\x4b\x52\x41\x00\x04\x20WXYZ\x0d\x6e}\x01\x0e\xb0", "{\\rtf1 WXYZWXYZWXYZWXYZWXYZ}", "wrong checksum of compressed RTF"},
		{"cut", "\x1a\x00\x00\x00\x1c\x00\x00\x00LZFu\xe2\xd4\x4b\x51\x41\x00\x04\x20WXYZ", "{\\rtf1 WXYZ", "compressed RTF of another size than declared"},
		{"head alone", "\x1a\x00\x00\x00\x1c", "", "a body that is not compressed RTF"},
	} {
		for _, size := range []int{1, 100} {
			var got []byte
			var z decompressor
			z.begin(func(p []byte) { got = append(got, p...) })
			for part := range slices.Chunk([]byte(c.in), size) {
				z.write(part)
			}
			if damage := z.end(); damage != c.damage || string(got) != c.want {
				t.Errorf("%s: got %q, %q", c.name, got, damage)
			}
		}
	}
}
