package mime

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

// Each decoder alone is fuzzed deeper than through whole messages. Whatever the octets, what comes out can be stored, is no
// longer than its input allows, and is the same twice.

func newTestParser() *parser { return &parser{mail: new(ingest.Mail), fallback: "windows-1252"} }

// stored holds what is true of every string that is kept. One octet may become a character of three.
func stored(t *testing.T, what, s string, octets int) {
	t.Helper()
	if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
		t.Errorf("%s is not UTF-8 without NUL: %q", what, s)
	}
	if len(s) > 3*octets+3 {
		t.Errorf("%s: %d octets out of %d", what, len(s), octets)
	}
}

func FuzzAddresses(f *testing.F) {
	for _, s := range []string{"A <a@b>, \"B, C\" <c@d>; G: e@f, <@x:g@h>;", "a@b (c (d)) , =?utf-8?q?A_=3Ca=40b=3E?=, 'A' <a b@c>", "\"\\\"", "<<a@b>> <", "ü@ü \xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list := newTestParser().addresses(s, "To")
		if len(list) > len(s) {
			t.Errorf("%d addresses out of %d octets", len(list), len(s))
		}
		for _, a := range list {
			stored(t, "name", a.Name, len(s))
			stored(t, "address", a.Email, len(s))
			if a.Name == "" && a.Email == "" {
				t.Error("an address that says nothing")
			}
		}
		if diff := cmp.Diff(list, newTestParser().addresses(s, "To")); diff != "" {
			t.Errorf("not the same twice: %s", diff)
		}
	})
}

func FuzzDate(f *testing.F) {
	for _, s := range []string{"Mon, 6 Jun 2005 20:21:22 +0200 (CEST)", "2005-06-06T20:21:22.123Z", "06/06/05 8:21 PM", "Mon Jun  6 20:21:22 CEST 2005", "1 jan 99 +-:..", "(("} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		d, ok := parseDate(s)
		if y := d.UTC().Year(); ok && (y < 1800 || y > 9999) || !ok && !d.IsZero() {
			t.Errorf("%q: %v, %v", s, d, ok)
		}
		if again, _ := parseDate(s); !again.Equal(d) {
			t.Error("not the same twice")
		}
	})
}

func FuzzHeaderText(f *testing.F) {
	for _, s := range []string{"=?utf-8?q?a_=C3=A4?= =?utf-8?B?w6Q?= x", "=?iso-2022-jp?B?GyRCRnw=?= =?iso-2022-jp?B?S1wbKEI=?=", "=?x?q?=E4?=", "=?=?utf-8*de?Q??=", "\xe4 \x1b$B", "=?utf-7?q?+AOQ-?="} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := newTestParser().headerText(s, "Subject")
		stored(t, "text", got, len(s))
		if again := newTestParser().headerText(s, "Subject"); again != got {
			t.Error("not the same twice")
		}
		stored(t, "line", oneLine(got), 3*len(s))
	})
}

func FuzzParams(f *testing.F) {
	for _, s := range []string{"text/plain; charset=utf-8; name=\"a\\\"b\"", "a/b (c;d); (e) f(g)=h; name*0*=utf-8''%C3; name*1=%A4", "multipart/mixed; boundary=\"x", "; ; =;x==;(((", "a; filename=../a (1).txt"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		value, list, _ := parseParams(s)
		octets := len(value)
		for i, p := range list {
			if octets += len(p.value); !isToken(p.name) || list.get(p.name) != p.value && list[i].value != "" {
				t.Errorf("%q: parameter %q of %v", s, p.name, list)
			}
		}
		if octets > len(s) {
			t.Errorf("%d octets out of %d", octets, len(s))
		}
		contentType, _ := cleanType(value)
		if contentType == "" || len(contentType) > maxType {
			t.Errorf("%q: type %q", s, contentType)
		}
		stored(t, "type", contentType, maxType)
		w := newWalker(newTestParser(), "", 0, minBuffer)
		name := w.filename("1", &entity{params: list, dispParams: list})
		stored(t, "file name", name, maxFilename)
		if safe := SafeName(name); strings.ContainsAny(safe, "/\\\r\n\t\x00") || safe == "." || safe == ".." || len(safe) > maxSafeName {
			t.Errorf("%q: safe name %q", s, safe)
		}
	})
}

// collect decodes a body that comes in pieces of n octets.
func collect(raw []byte, encoding, n int) (out []byte, defects [sawKinds]bool) {
	p := newTestParser()
	w := newWalker(p, "", 0, minBuffer)
	w.eol = '\n'
	w.mail.Parts = []ingest.Part{{Path: "1"}}
	w.leaf.start(w, part, encoding)
	var octets bytes.Buffer
	w.leaf.sum.copy = &copier{w: &octets}
	for piece := raw; len(piece) > 0; {
		k := min(n, len(piece))
		w.leaf.write(piece[:k])
		piece = piece[k:]
	}
	w.leaf.finish(false)
	return octets.Bytes(), w.leaf.decode.defects
}

func FuzzTransfer(f *testing.F) {
	for _, s := range []string{"QUJD\nREVG\n", "QUJ\n=D==\nfooter of a list\n", "plain text, not base64 at all\n", "a=20b=\nc =\r\n=ZZ=", "Q U J D", "QQ==QUJD"} {
		f.Add([]byte(s), 3)
	}
	f.Fuzz(func(t *testing.T, raw []byte, n int) {
		for _, encoding := range []int{identity, base64Encoding, quotedPrintable} {
			whole, defects := collect(raw, encoding, len(raw)+1)
			if len(whole) > len(raw) {
				t.Errorf("encoding %d: %d octets out of %d", encoding, len(whole), len(raw))
			}
			pieces, again := collect(raw, encoding, 1+int(uint(n)%100))
			if !bytes.Equal(whole, pieces) || defects != again {
				t.Errorf("encoding %d differs with the size of the pieces: %q %v, %q %v", encoding, whole, defects, pieces, again)
			}
		}
	})
}

func FuzzCharset(f *testing.F) {
	for _, name := range []string{"", "utf-8", "utf-7", "utf-16", "iso-2022-jp", "gb18030", "big5", "shift_jis", "euc-kr", "koi8-r", "windows-1252", "hz-gb-2312", "ibm850", "x-none"} {
		f.Add(name, []byte("a\xe4\x1b$B$3\x1b(B+AOQ-~{VP~}\x00\xff\xfe"))
	}
	f.Fuzz(func(t *testing.T, name string, raw []byte) {
		note := func(string, string) {}
		got := newTestParser().decodeText(bytes.Clone(raw), name, note)
		// An escape may shift one octet to a character of four.
		stored(t, "text", clean(got), 2*len(raw))
		if again := newTestParser().decodeText(bytes.Clone(raw), name, note); again != got {
			t.Error("not the same twice")
		}
	})
}

func FuzzUnflow(f *testing.F) {
	f.Add("one \ntwo\n> three \n-- \n x \n", true)
	f.Fuzz(func(t *testing.T, s string, delSp bool) {
		got := unflow(s, delSp)
		if len(got) > len(s) {
			t.Errorf("%q grows to %q", s, got)
		}
		drop := strings.NewReplacer(" ", "", "\n", "")
		if drop.Replace(got) != drop.Replace(s) {
			t.Errorf("%q loses characters: %q", s, got)
		}
	})
}
