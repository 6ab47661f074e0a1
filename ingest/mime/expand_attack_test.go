//go:build unix

package mime

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A TNEF stream, in as much as attacks need it.
const tnefHead = "\x78\x9f\x3e\x22\x01\x00"

func tnefAttribute(level byte, id uint32, size int, value string) string {
	b := binary.LittleEndian.AppendUint32([]byte{level}, id)
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	return string(b) + value + "\x00\x00" // the checksum is wrong
}

func tnefProps(level byte, id uint32, properties string) string {
	list := "\xff\xff\xff\xff" + properties
	return tnefAttribute(level, id, len(list), list)
}

func tnefBinary(kind, id uint16, size int, value string) string {
	b := binary.LittleEndian.AppendUint16(nil, kind)
	b = binary.LittleEndian.AppendUint16(b, id)
	b = binary.LittleEndian.AppendUint32(b, 1)
	b = binary.LittleEndian.AppendUint32(b, uint32(size))
	return string(b) + value
}

// packedAttacks are containers that take much time or memory in a reader that is not careful.
func packedAttacks() map[string]string {
	const (
		mib      = 1 << 20
		msgProps = 0x00069003
		attProps = 0x00069005
		body     = 0x0002800c
		data     = 0x0006800f
		render   = 0x00069002
	)
	rep := func(s string, octets int) string { return strings.Repeat(s, octets/len(s)+1) }
	a := map[string]string{}
	encode := func(contentType, raw string) string {
		var b strings.Builder
		b.WriteString("Content-Type: " + contentType + "\nContent-Transfer-Encoding: base64\n\n")
		for e := base64.StdEncoding.EncodeToString([]byte(raw)); e != ""; e = e[min(76, len(e)):] {
			b.WriteString(e[:min(76, len(e))] + "\n")
		}
		return b.String()
	}
	tnef := func(name, s string) { a["TNEF of "+name] = encode("application/ms-tnef", tnefHead+s) }

	rtf := func(start string) string {
		// The octets of start as they are, then references that copy what lies 16 octets back, each 17 octets long.
		z := "\xff\xff\xff\xff\xff\xff\xff\xffLZFu\x00\x00\x00\x00"
		for len(start) > 0 {
			z += "\x00" + start[:8]
			start = start[8:]
		}
		at := 207 + len(z)/9*8 - 8
		var b strings.Builder
		b.WriteString(z)
		for b.Len() < mib {
			b.WriteByte(0xff)
			for range 8 {
				from := (at - 16) & 0xfff
				b.Write([]byte{byte(from >> 4), byte(from<<4) | 0xf})
				at += 17
			}
		}
		return tnefProps(1, msgProps, tnefBinary(0x102, 0x1009, b.Len(), b.String()))
	}
	for _, s := range []string{"aaaaaaaa", "{{{{{{{{", "}}}}}}}}", "{\\*\\x1 }", "\\u1234? ", "\\'e4\\'e4", "\\bin9   ", "\\par\\par", "{\\f1 \\f2"} {
		tnef("compressed RTF of "+s, rtf("{\\rtf1  "+s+s))
	}
	tnef("a bomb beside a bomb", rtf("{\\rtf1  aaaaaaaa")+rtf("{\\rtf1  aaaaaaaa"))
	tnef("attachments", rep(tnefAttribute(2, render, 0, "")+tnefAttribute(2, data, 1, "x"), mib))
	tnef("attachments with names", rep(tnefAttribute(2, render, 0, "")+tnefProps(2, attProps, tnefBinary(0x1e, 0x3707, 200, strings.Repeat("n", 200))), mib))
	tnef("bodies", rep(tnefAttribute(1, body, 100, strings.Repeat("text", 25)), mib))
	tnef("bodies in HTML", rep(tnefProps(1, msgProps, tnefBinary(0x102, 0x1013, 3, "<p>\x00")), mib))
	tnef("short RTF", rep(tnefProps(1, msgProps, tnefBinary(0x102, 0x1009, 28, "\x1a\x00\x00\x00\x1c\x00\x00\x00LZFu\xe2\xd4\x4b\x51\x41\x00\x04\x20WXYZ")), mib))
	tnef("properties", tnefProps(1, msgProps, rep("\x03\x00\x34\x12\x00\x00\x00\x00", mib)))
	tnef("empty values", tnefProps(1, msgProps, "\x1e\x10\x34\x12\xff\xff\xff\xff"+rep("\x00", mib)))
	tnef("named properties", tnefProps(1, msgProps, rep("\x03\x00\x01\x80"+strings.Repeat("g", 16)+"\x01\x00\x00\x00\x02\x00\x00\x00n\x00\x00\x00\x01\x00\x00\x00", mib)))
	tnef("octets between attributes", rep("\x02\x0f\x80", mib))
	tnef("huge lengths", rep(tnefAttribute(2, data, 1<<31, "x"), mib))
	nested := strings.Repeat("deep ", mib/5)
	for range 12 {
		nested = tnefHead + tnefAttribute(2, render, 0, "") + tnefProps(2, attProps, tnefBinary(0xd, 0x3701, 1<<30, "\x07\x03\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"+nested))
	}
	a["TNEF in TNEF"] = encode("application/ms-tnef", nested)
	a["TNEF parts"] = "Content-Type: multipart/mixed; boundary=b\n\n" + rep("--b\nContent-Type: application/ms-tnef\n\nx\n", mib)

	signed := func(content string) string {
		return "\x30\x80\x06\x09" + oidSigned + "\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80\x06\x09" + oidData + "\xa0\x80" + content
	}
	cms := func(name, s string) { a["CMS of "+name] = encode("application/pkcs7-mime", s) }
	cms("small pieces", signed("\x24\x80"+rep("\x04\x01x", mib)))
	cms("empty pieces", signed("\x24\x80"+rep("\x04\x00", mib)))
	cms("pieces in pieces", signed(rep("\x24\x80", mib)))
	cms("pieces opened and closed", signed("\x24\x80"+rep("\x24\x80\x00\x00", mib)))
	cms("huge lengths", rep("\x30\x88\x7f\xff\xff\xff\xff\xff\xff\xff", mib))
	cms("long tags", rep("\x3f\xff", mib))
	cms("ends", rep("\x00\x00", mib))
	cms("algorithms", "\x30\x80\x06\x09"+oidSigned+"\xa0\x80\x30\x80\x02\x01\x01\x31\x80"+rep("\x30\x00", mib))
	inner := "Content-Type: text/plain\n\n" + strings.Repeat("words\n", mib/6)
	for range 10 {
		inner = encode("application/pkcs7-mime", signed("\x04\x83\xff\xff\xff"+inner))
		if len(inner) > 4*mib {
			inner = inner[:4*mib]
		}
	}
	a["CMS in CMS"] = inner
	a["messages in CMS in messages"] = strings.Repeat(encode("message/rfc822", encode("application/pkcs7-mime", signed("\x04\x83\xff\xff\xffContent-Type: message/rfc822\n\n"))), 3) + rep("x\n", mib)

	for _, s := range []string{"begin 644 x\n", "begin 644 x\n#86)C\n", "begin 644 x\n#86)C\n`\nend\n", "begin 644 x\n#86)C\n\n", "b", "b\n", "be", "\n", "begin ", "begin 644 x\n`\n", "begin 644 " + strings.Repeat("x", 150) + "\nM\n"} {
		a["text of "+s] = "\n" + rep(s, mib)
		a["uuencode of "+s] = "Content-Transfer-Encoding: x-uuencode\n\n" + rep(s, mib)
	}
	line := "M" + strings.Repeat("9", 60) + "\n"
	a["uuencoded data"] = "\nbegin 644 x\n" + rep(line, mib)
	a["uuencoded part"] = "Content-Transfer-Encoding: x-uuencode\n\nbegin 644 x\n" + rep(line, mib)
	a["uuencoded zeros"] = "\nbegin 644 x\n" + line + rep("M\n", mib)
	return a
}

// What is packed costs no more than what is not, see TestAttackTime.
func TestPackedAttackTime(t *testing.T) {
	measured(t)
	const limit = 100 * time.Millisecond
	worst, worstName := time.Duration(0), ""
	for name, s := range packedAttacks() {
		raw := []byte(s)
		m := Parse(bytes.NewReader(raw), int64(len(raw)), Options{})
		checkSane(t, name, raw, m)
		t.Logf("%s: %d octets, %d parts, the second of %d octets, %d defects", name, len(raw), len(m.Parts), m.Parts[min(1, len(m.Parts)-1)].Size, len(m.Defects))
		mb := max(float64(len(raw))/(1<<20), 0.2)
		took := time.Hour
		for range 3 { // other processes spoil caches
			runtime.GC()
			start := cpu(t)
			Parse(bytes.NewReader(raw), int64(len(raw)), Options{})
			took = min(took, time.Duration(float64(cpu(t)-start)/mb))
		}
		if took > worst {
			worst, worstName = took, name
		}
		if took > limit {
			t.Errorf("%s: %v per MB", name, took)
		}
	}
	t.Logf("slowest: %s, %v per MB", worstName, worst)
}

// A container of any size is read with less than 8 MB.
func TestPackedMemory(t *testing.T) {
	measured(t)
	encode := func(head string, body string) (string, string) {
		for len(head)%3 != 0 {
			if head[0] == '\n' {
				head = "\n" + head
			} else {
				head += " " // data, or skipped
			}
		}
		body = strings.Repeat(body, 3)
		return base64.StdEncoding.EncodeToString([]byte(head)) + "\n", base64.StdEncoding.EncodeToString([]byte(body)) + "\n"
	}
	props := func(kind, id uint16) string {
		return tnefHead + "\x01\x03\x90\x06\x00\xff\xff\xff\xff\x01\x00\x00\x00" + tnefBinary(kind, id, -1, "")
	}
	for name, c := range map[string]struct{ kind, head, body string }{
		"file in TNEF":    {"application/ms-tnef", tnefHead + "\x02\x0f\x80\x06\x00\xff\xff\xff\xff", "some octets "},
		"HTML in TNEF":    {"application/ms-tnef", props(0x102, 0x1013), "<p>some words</p>"},
		"text in TNEF":    {"application/ms-tnef", props(0x1f, 0x1000), "w\x00o\x00r\x00d\x00"},
		"RTF in TNEF":     {"application/ms-tnef", props(0x102, 0x1009) + "\xff\xff\xff\xff\xff\xff\xff\xffLZFu\x00\x00\x00\x00\x00{\\rtf1  ", strings.Repeat("\xff"+strings.Repeat("\x0c\xff", 8), 50)},
		"bodies in TNEF":  {"application/ms-tnef", tnefHead, tnefAttribute(1, 0x0002800c, 1000, strings.Repeat("words words words wo", 50))},
		"files in TNEF":   {"application/ms-tnef", tnefHead, tnefAttribute(2, 0x00069002, 0, "") + tnefAttribute(2, 0x00018010, 2000, strings.Repeat("n", 2000)) + tnefAttribute(2, 0x0006800f, 1, "x")},
		"garbage in TNEF": {"application/ms-tnef", tnefHead, "\x02\x0f"},
		"signed text":     {"application/pkcs7-mime", "\x30\x80\x06\x09" + oidSigned + "\xa0\x80\x30\x80\x02\x01\x01\x31\x00\x30\x80\x06\x09" + oidData + "\xa0\x80\x04\x84\x7f\xff\xff\xff\n", "some words\n"},
		"uuencoded text":  {"text/plain", "\nbegin 644 x\n", "M" + strings.Repeat("9", 60) + "\n"},
		"uuencoded files": {"text/plain", "\n", "begin 644 " + strings.Repeat("n", 150) + "\n#86)C\n`\nend\n"},
	} {
		head, body := encode(c.head, c.body)
		const size = 32 << 20
		e := &endless{head: fmt.Sprintf("Content-Type: %s\nContent-Transfer-Encoding: base64\n\n%s", c.kind, head), body: body, size: size}
		before := liveHeap()
		m := Parse(e, size, Options{})
		after := max(e.peak, liveHeap())
		runtime.KeepAlive(m)
		if after > before && after-before > 8<<20 {
			t.Errorf("%s: %d KiB beyond the message", name, (after-before)>>10)
		}
		t.Logf("%s: %d parts, %d KiB", name, len(m.Parts), (int64(after)-int64(before))>>10)
		checkSane(t, name, make([]byte, size), m)
	}
}
