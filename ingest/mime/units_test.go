package mime

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

func TestDate(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"Mon, 6 Jun 2005 20:21:22 +0200":                 "2005-06-06T20:21:22+02:00",
		"Mon, 6 Jun 2005 20:21:22 +0200 (CEST)":          "2005-06-06T20:21:22+02:00",
		"6 Jun 2005 20:21 GMT":                           "2005-06-06T20:21:00Z",
		"Mon, 06 Jun 2005 20:21:22 -0000":                "2005-06-06T20:21:22Z",
		"Mon , 6 Jun 05 20:21:22 EST":                    "2005-06-06T20:21:22-05:00",
		"6 Jun 95 20:21:22 PDT":                          "1995-06-06T20:21:22-07:00",
		"6 Jun 105 20:21:22 Z":                           "2005-06-06T20:21:22Z",
		"Mon Jun  6 20:21:22 2005":                       "2005-06-06T20:21:22Z",
		"Mon Jun 6 20:21:22 CEST 2005":                   "2005-06-06T20:21:22+02:00",
		"Mon, 6 June 2005 20:21:22 +02:00":               "2005-06-06T20:21:22+02:00",
		"2005-06-06T20:21:22Z":                           "2005-06-06T20:21:22Z",
		"2005-06-06T20:21:22.123+09:00":                  "2005-06-06T20:21:22+09:00",
		"2005-06-06 20:21:22":                            "2005-06-06T20:21:22Z",
		"06-Jun-2005 20:21:22 +0000":                     "2005-06-06T20:21:22Z",
		"Mon, 6 Jun 2005 8:21:22 PM -0400":               "2005-06-06T20:21:22-04:00",
		"Mon, 6 (a (b)) Jun 2005 20:21:22 +0200":         "2005-06-06T20:21:22+02:00",
		"Mon, 6 Jun 2005 20:21:60 +0000":                 "2005-06-06T20:22:00Z",
		"6 Jun 2005":                                     "2005-06-06T00:00:00Z",
		"Mon, 6 Jun 2005 20:21:22 +0530 (IST)":           "2005-06-06T20:21:22+05:30",
		"Mon, 6 Jun 2005 20:21:22 GMT+0200":              "2005-06-06T20:21:22+02:00",
		"":                                               "",
		"yesterday":                                      "",
		"Mon, 36 Jun 2005 20:21:22 +0200":                "",
		"Mon, 6 Jun 2005 28:21:22 +0200":                 "",
		"Mon, 6 Jun 99999 20:21:22 +0200":                "",
		"99999999999999999999999 Jun 2005":               "",
		"Mon, 6 Jun 2005 20:21:22 +9999":                 "2005-06-06T20:21:22Z",
		"Mon, 31 Dec 9999 23:59:59 -1200":                "",
		"Mon, 6 Jun 2005 20:21:22 +0200 and much more 1": "2005-06-06T20:21:22+02:00",
	} {
		got := ""
		if d, ok := parseDate(in); ok {
			got = d.Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestAddresses(t *testing.T) {
	t.Parallel()
	a := func(name, email string) ingest.Address { return ingest.Address{Name: name, Email: email} }
	for in, want := range map[string][]ingest.Address{
		"":                                       nil,
		"a@example.com":                          {a("", "a@example.com")},
		"<a@example.com>":                        {a("", "a@example.com")},
		"A B <a@example.com>":                    {a("A B", "a@example.com")},
		"\"B, A\" <a@example.com>, c@d":          {a("B, A", "a@example.com"), a("", "c@d")},
		"a@example.com (A (B) C)":                {a("A (B) C", "a@example.com")},
		"\"a b\"@example.com":                    {a("", "\"a b\"@example.com")},
		"\"a@b\" <c@example.com>":                {a("a@b", "c@example.com")},
		"a @ example . com":                      {a("", "a@example.com")},
		"A <a @example.com>":                     {a("A", "a@example.com")},
		"Team: a@b, C <c@d>; e@f":                {a("", "a@b"), a("C", "c@d"), a("", "e@f")},
		"undisclosed-recipients:;":               nil,
		"a@b; c@d":                               {a("", "a@b"), a("", "c@d")},
		"<mailto:a@b>":                           {a("", "a@b")},
		"A <<a@b>>":                              {a("A", "a@b")},
		"A <a@b, c@d":                            {a("A", "a@b"), a("", "c@d")},
		"A <@x,@y:a@b>":                          {a("A", "a@b")},
		"\"A <a@b>":                              {a("A", "a@b")},
		"(A <a@b>":                               {a("A", "a@b")},
		"=?utf-8?Q?M=C3=BCller=2C_A?= <a@b>":     {a("Müller, A", "a@b")},
		"\"=?utf-8?Q?M=C3=BCller?=\" <a@b>":      {a("Müller", "a@b")},
		"=?utf-8?Q?M?= =?utf-8?Q?=C3=BC?= <a@b>": {a("Mü", "a@b")},
		"=?utf-8?Q?A_=3Ca=40b=3E?=":              {a("A", "a@b")},
		"a@b a@b":                                {a("", "a@b")},
		"nobody":                                 {a("nobody", "")},
		", ,,":                                   nil,
		"A <>":                                   {a("A", "")},
		"'A' <a@b>":                              {a("'A'", "a@b")},
		"ü@ü.example":                            {a("", "ü@ü.example")},
		"\"A \\\"B\\\" C\\\\\" <a@b>":            {a("A \"B\" C\\", "a@b")},
	} {
		p := &parser{mail: new(ingest.Mail), fallback: "windows-1252"}
		if diff := cmp.Diff(want, p.addresses(in, "To")); diff != "" {
			t.Errorf("%q: %s", in, diff)
		}
	}
}

func TestHeaderText(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"plain":                                "plain",
		"=?utf-8?q?a?=":                        "a",
		"=?utf-8?Q?a?= =?utf-8?Q?b?=":          "ab",
		"=?utf-8?Q?a?=\t =?iso-8859-1?Q?=FC?=": "aü",
		"=?utf-8?Q?a?= x =?utf-8?Q?b?=":        "a x b",
		"x=?utf-8?Q?a?=y":                      "xay",
		"=?utf-8?B?w6Q?=":                      "ä",
		"=?utf-8?B?w?= =?utf-8?B?6Q=?=":        "ä",
		"=?utf-8?B?w6?= =?utf-8?B?Q=?=":        "ä",
		"=?utf-8?Q?a b=20c?=":                  "a b c",
		"=?utf-8*de?Q?a?=":                     "a",
		"=?utf-8?X?a?=":                        "=?utf-8?X?a?=",
		"=?utf-8?Q?a":                          "=?utf-8?Q?a",
		"=?=?utf-8?Q?a?=":                      "=?a",
		"=?utf-8?Q?a =?utf-8?Q?b?=":            "=?utf-8?Q?a b",
		"=?utf-8?Q??=":                         "",
		"=?utf-8?Q?=41=?=":                     "A=",
		"=?gb2312?B?xOO6ww==?=":                "你好",
		"=?big5?B?p0Gmbg==?=":                  "你好",
		"=?UTF-8?B?8J+YgA==?=":                 "😀",
		"=?windows-1252?Q?=80?=":               "€",
		"=?iso-8859-1?Q?=80?=":                 "€",
		"=?us-ascii?Q?=E9?=":                   "é",
		"=?none?Q?a?=":                         "a",
		"=?none?Q?a=E4?=":                      "aä",
		"\xe9t\xe9":                            "été",
	} {
		p := &parser{mail: new(ingest.Mail), fallback: "windows-1252"}
		if got := p.headerText(in, "Subject"); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestCharsets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ charset, raw, want string }{
		{"iso-2022-jp", "\x1b$B$3$s\x1b(B", "こん"},
		{"shift_jis", "\x82\xb1", "こ"},
		{"gb18030", "\xc4\xe3", "你"},
		{"gb2312", "\xc4\xe3", "你"},
		{"big5", "\xa7\x41", "你"},
		{"euc-kr", "\xb0\xa1", "가"},
		{"ks_c_5601-1987", "\xb0\xa1", "가"},
		{"koi8-r", "\xf0", "П"},
		{"windows-1250", "\x9a", "š"},
		{"cp1251", "\xcf", "П"},
		{"windows-1258", "\xd0", "Đ"},
		{"iso8859-15", "\xa4", "€"},
		{"utf-16", "\xff\xfea\x00", "a"},
		{"utf-16", "a\x00b\x00", "ab"},
		{"utf-16", "\x00a\x00b", "ab"},
		{"utf-16le", "a\x00", "a"},
		{"utf-16be", "\x00a", "a"},
		{"utf-7", "a+AOQ-b+-c+IKw", "aäb+c€"},
		{"hz-gb-2312", "~{VP~}", "中"},
		{"ibm850", "\x84", "ä"},
		{"\"UTF-8\"", "ä", "ä"},
		{"utf-8", "\xe4\xe4", "ää"},   // not UTF-8 at all: the fallback
		{"utf-8", "ä\xe4", "ä\uFFFD"}, // damaged
		{"us-ascii", "ä", "ä"},        // 8 bit nevertheless
		{"", "ä", "ä"},
		{"", "\xe4", "ä"},
		{"x-none", "\xe4", "ä"},
		{"iso-2022-kr", "abc", "abc"},
		{"gbk", "\xc4\xe3", "你"},
		{"cp936", "\xc4\xe3", "你"},
		{"gb18030", "\x95\x32\x82\x36", "𠀀"},
		{"big5-hkscs", "\xa7\x41", "你"},
		{"euc-jp", "\xa4\xb3", "こ"},
		{"koi8-u", "\xf0\xa4", "Пє"},
		{"windows-1253", "\xc1", "Α"},
		{"windows-1254", "\xf0", "ğ"},
		{"windows-1255", "\xe0", "א"},
		{"windows-1256", "\xc7", "ا"},
		{"windows-1257", "\xe0", "ą"},
		{"iso-8859-2", "\xb1", "ą"},
		{"iso-8859-8-i", "\xe0", "א"},
		{"latin1", "\xe9\x80", "é€"}, // as browsers read it
		{"macintosh", "\x8a", "ä"},
		{"utf8", "ä", "ä"},
		{"utf-8", "\xef\xbb\xbfä", "ä"},
		{"unicode-1-1-utf-7", "Hi Mom -+Jjo--!", "Hi Mom -☺-!"}, // RFC 2152
		{"", "\x1b$B$3$s\x1b(B", "こん"},
		{"x-none", "ä", "ä"}, // UTF-8, whatever it is called
		{"utf-8*de", "ä", "ä"},
	} {
		p := &parser{mail: new(ingest.Mail), fallback: "windows-1252"}
		if got := p.decodeText([]byte(c.raw), c.charset, func(string, string) {}); got != c.want {
			t.Errorf("%s %q: got %q, want %q", c.charset, c.raw, got, c.want)
		}
	}
	m := Parse(&pieces{raw: "Subject: \xcf\n\n\xcf"}, 0, Options{FallbackCharset: "windows-1251"})
	if m.Subject != "П" || m.Text != "П" {
		t.Errorf("fallback charset: %q, %q", m.Subject, m.Text)
	}
	m = Parse(&pieces{raw: "Subject: \xe4\n\n\xe4"}, 0, Options{FallbackCharset: "nonsense"})
	if m.Subject != "ä" || m.Text != "ä" {
		t.Errorf("bad fallback charset: %q, %q", m.Subject, m.Text)
	}
}

func TestSafeName(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ä", 300)
	for in, want := range map[string]string{
		"":                    "",
		"a.txt":               "a.txt",
		" a b.txt ":           "a b.txt",
		"../../etc/passwd":    ".._.._etc_passwd",
		"c:\\x\\a.txt":        "c:_x_a.txt",
		"a\tb\nc\x00\x1b.txt": "a b c.txt",
		"gnp\u202eexe.png":    "gnpexe.png",
		"..":                  "_",
		".":                   "_",
		"\xff.txt":            "\uFFFD.txt",
		long + ".pdf":         strings.Repeat("ä", 125) + ".pdf",
	} {
		if got := SafeName(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestMessageID(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"<a@b>":           "a@b",
		"<a@b> (comment)": "a@b",
		"a@b":             "a@b",
		"<a@\t b>":        "a@b",
		"<a@b":            "a@b",
		"<>":              "",
		"((((":            "((((",
	} {
		w := &walker{parser: &parser{mail: new(ingest.Mail)}}
		if got := w.messageID(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}
