//go:build unix

package mime

import (
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// attacks are messages that take much time or memory in a parser that is not careful.
func attacks() map[string][]byte {
	const mib = 1 << 20
	rep := func(s string, octets int) string { return strings.Repeat(s, octets/len(s)+1) }
	a := map[string]string{}

	var nested strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&nested, "Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n", i, i)
	}
	a["10,000 nested multiparts"] = nested.String()
	a["nested in one boundary"] = rep("Content-Type: multipart/mixed; boundary=b\n\n--b\n", mib)
	a["nested messages"] = rep("Content-Type: message/rfc822\n\n", mib)
	a["nested messages with a body"] = rep("Content-Type: message/rfc822\n\n", 30*25) + "\n" + rep("text text text\n", mib)

	long := strings.Repeat("x", 900)
	var similar strings.Builder
	for i := range maxDepth {
		fmt.Fprintf(&similar, "Content-Type: multipart/mixed; boundary=%s%d\n\n--%s%d\n", long, i, long, i)
	}
	a["similar long boundaries"] = similar.String() + "\n" + rep("--"+long+"\n", mib)
	a["lines of dashes"] = "Content-Type: multipart/mixed; boundary=b\n\n" + rep("--\n", mib)
	a["dashes alone"] = "Content-Type: multipart/mixed; boundary=b\n\n" + rep("-", mib)
	a["200,000 siblings"] = "Content-Type: multipart/mixed; boundary=b\n\n" + strings.Repeat("--b\n\nx\n", 200_000)
	a["empty siblings"] = "Content-Type: multipart/mixed; boundary=b\n\n" + rep("--b\n", mib)
	a["multipart siblings"] = "Content-Type: multipart/mixed; boundary=b\n\n" + rep("--b\nContent-Type: multipart/mixed; boundary=c\n\n", mib)
	a["flowed"] = "Content-Type: text/plain; format=flowed\n\n" + rep("a \n", mib)
	a["flowed and quoted"] = "Content-Type: text/plain; format=flowed\n\n" + rep(">a \nb \n", mib)
	a["armour"] = "\n" + rep("\n-----BEGIN PGP ", mib)
	a["text in the epilogue"] = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n" + rep("x\n", mib)
	a["opened and closed"] = "Content-Type: multipart/mixed; boundary=b\n\n" + rep("--b\n--b--\n", mib)
	a["boundaries to guess"] = "Content-Type: multipart/mixed\n\n" + rep("--x y\n\n", mib)

	a["header of 5 MB"] = rep("X-Field: some value\n", 5*mib) + "\nbody\n"
	a["one field of 5 MB"] = "Subject: " + rep("x ", 5*mib) + "\n\nbody\n"
	a["one folded field of 5 MB"] = "Subject: x\n" + rep(" y\n", 5*mib) + "\nbody\n"
	a["part header of 20 MB"] = "Content-Type: multipart/mixed; boundary=b\n\n--b\n" + rep("X-Field: some value\n", 20*mib) + "\nbody\n"
	a["header lines without colon"] = rep("Subject: x\nno colon\n", mib) + "\nbody\n"
	a["Message-Id of parentheses"] = "Message-Id: " + rep("(", mib) + "\n\nx\n"
	for _, field := range []string{"To", "Message-Id", "References", "In-Reply-To", "Date", "Received", "Subject", "Content-Type", "Content-Disposition", "Content-Id"} {
		for _, s := range []string{"(", "<", "\"", "\\", "(a)", "<a", "a@", ",", ":", ";", "=?", "=?a?q?", "=?utf-8?q?a?= ", "=?utf-8?b?", "?=", "\"\\\"", "<\"", "@a:", "=", ";a=", ";a*0=x", ";a=\"", "%", "1:", "a ", " ", "\xff", "'", "+0", "(;", "a(b", "\";", ";a(", "=?utf-8?q?=", "\r", "\x00"} {
			a[field+" of "+s] = field + ": x; " + rep(s, 200<<10) + "\n\nx\n"
		}
	}
	a["200,000 addresses"] = "To: " + strings.Repeat("Some Name <someone@example.com>,\n ", 200_000) + "\n\nx\n"
	a["To of ,a"] = "To: " + rep(",a", 100<<10) + "\n\nx\n"
	a["references"] = "References: " + strings.Repeat("<a@b>\n ", 30_000) + "\n\nx\n"

	html := func(s string) string { return "Content-Type: text/html\n\n" + s }
	for _, s := range []string{"<", "<a", "<a ", "<a b=", "<a b=\"", "<a b=\"x\" c='", "<!--", "<!-- x>", "<!", "<script>", "<style>x", "<svg>", "<head>", "<object></o", "<select><svg><math>", "</", "<a href=x>",
		"<a href=\"http://a/\">b", "<li>", "<pre>", "<br>", "<p>", "&", "&#", "&amp", "&#1114112;", "<img alt=\"", "<img alt=x>", "<a href href href ", "<td>", "cid:", "<meta charset=", "a ", "\u00a0", "<div><div>"} {
		a["HTML of "+s] = html(rep(s, mib))
	}
	a["HTML with a long attribute"] = html("<img src=\"data:" + rep("QUJD", mib) + "\">text")
	a["HTML of one long tag"] = html("<a " + rep("b=c ", mib))

	for _, encoding := range []string{"base64", "quoted-printable"} {
		for _, s := range []string{"=", "==\n", "A", "A=\n", "QUJD\n", "=\n", "=4", " ", " \n", "Q!", "-- a b c\n", "\n", "=\r", "\r"} {
			a[encoding+" of "+s] = "Content-Transfer-Encoding: " + encoding + "\n\n" + rep(s, mib)
		}
	}
	var encoded strings.Builder
	for range 30 {
		encoded.WriteString("Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\n")
	}
	a["messages encoded in messages"] = encoded.String() + rep("a=20b=0A", mib)
	for _, charset := range []string{"utf-7", "utf-16", "iso-2022-jp", "gb18030", "big5", "shift_jis", "euc-kr", "hz-gb-2312", "ibm850"} {
		for _, s := range []string{"+", "+A", "\x1b$B", "\x00", "\xff", "\x81", "~{", "a"} {
			a[charset+" of "+s] = "Content-Type: text/plain; charset=" + charset + "\n\n" + rep(s, mib)
		}
	}
	random := make([]byte, mib)
	rand.NewChaCha8([32]byte{7}).Read(random)
	a["random octets"] = string(random)
	a["random octets in a multipart"] = "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n" + string(random)
	a["NUL"] = rep("\x00", mib)

	raw := make(map[string][]byte, len(a))
	for name, s := range a {
		raw[name] = []byte(s)
	}
	return raw
}

// cpu is the time that this process has spent computing: unlike the clock it does not pass for what others do.
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// measured skips a test of time or memory under the race detector, which shifts both: make test runs it without.
func measured(t *testing.T) {
	t.Helper()
	if raceEnabled {
		t.Skip("measured without the race detector, by: make attacks")
	}
}

// No message takes many times longer than an honest one of its size. What is quadratic takes hundreds of times longer
// at these sizes. The limit is relative to this machine, and 100 ms for each MB at least.
func TestAttackTime(t *testing.T) {
	measured(t)
	spent := func(raw []byte) time.Duration {
		runtime.GC()
		start := cpu(t)
		Parse(bytes.NewReader(raw), int64(len(raw)), Options{})
		return cpu(t) - start
	}
	honest := spent([]byte("Subject: x\n\n"+strings.Repeat("An honest line of text, as people write them.\n", 8<<20/46))) / 8
	limit := max(60*honest, 100*time.Millisecond)
	worst, worstName := time.Duration(0), ""
	for name, raw := range attacks() {
		checkSane(t, name, raw, Parse(bytes.NewReader(raw), int64(len(raw)), Options{}))
		mb := max(float64(len(raw))/(1<<20), 0.2)
		took := time.Duration(float64(spent(raw)) / mb)
		if took > worst {
			worst, worstName = took, name
		}
		if took > limit {
			t.Errorf("%s: %v per MB, limit %v (an honest message: %v)", name, took, limit, honest)
		}
	}
	t.Logf("honest: %v per MB; worst: %s, %v per MB", honest, worstName, worst)
}

// endless gives head, then body again and again up to size octets, and notes the largest live heap on the way.
type endless struct {
	head, body string
	size       int64
	at         int64
	next       int64
	peak       uint64
}

func (e *endless) Read(p []byte) (int, error) {
	if e.at >= e.next {
		e.next += 4 << 20
		e.peak = max(e.peak, liveHeap())
	}
	if e.at >= e.size {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && e.at < e.size {
		src := e.head
		at := e.at
		if at >= int64(len(e.head)) {
			src, at = e.body, (at-int64(len(e.head)))%int64(len(e.body))
		}
		k := copy(p[n:], src[at:])
		n += k
		e.at += int64(k)
	}
	return n, nil
}

func liveHeap() uint64 {
	runtime.GC()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.HeapAlloc
}

// A message of any size is read with less than 8 MB.
func TestMemory(t *testing.T) {
	measured(t)
	const part = "Content-Type: multipart/mixed; boundary=b\n\n--b\n"
	for name, e := range map[string]*endless{
		"text":                 {head: "Subject: x\n\n", body: "some words\n"},
		"HTML":                 {head: "Content-Type: text/html\n\n", body: "<p>some words</p>\n"},
		"HTML in windows-1252": {head: "Content-Type: text/html\n\n", body: "\x80\x80\x80"},
		"text in UTF-16":       {head: "Content-Type: text/plain; charset=utf-16\n\n", body: "\x4e\x00"},
		"base64":               {head: part + "Content-Type: image/png\nContent-Transfer-Encoding: base64\n\n", body: strings.Repeat("QUJD", 19) + "\r\n"},
		"quoted-printable":     {head: part + "Content-Transfer-Encoding: quoted-printable\n\n", body: "a=20b=\n"},
		"one line":             {head: "\n", body: "x"},
		"header":               {head: "", body: "X: y\n"},
		"one field":            {head: "Subject: ", body: "x"},
		"part header":          {head: part, body: "X: y\n"},
		"parts":                {head: part, body: "--b\nContent-Type: image/png; name=" + strings.Repeat("n", 200) + "\n\nx\n"},
		"text parts":           {head: part, body: "\nwords\n" + strings.Repeat("more words\n", 1000) + "--b\n"},
		"HTML parts":           {head: part, body: "Content-Type: text/html\n\nwords\n" + strings.Repeat("more words\n", 1000) + "--b\n"},
		"multiparts":           {head: part, body: "Content-Type: multipart/mixed; boundary=" + strings.Repeat("c", 500) + "\n\n--b\n"},
		"attached message":     {head: part + "Content-Type: message/rfc822\n\nSubject: x\n\n", body: "some words\n"},
		"preamble":             {head: part[:strings.Index(part, "--b")], body: "some words\n"},
		"epilogue":             {head: part + "\nx\n--b--\n", body: "some words\n"},
	} {
		size := int64(32 << 20)
		views := map[string]bool{"HTML": true, "HTML in windows-1252": true, "HTML parts": true, "header": true, "one field": true}
		if name == "base64" || name == "text" {
			size = 100 << 20
		}
		e.size = size
		before := liveHeap()
		var m *ingest.Mail
		var v View
		if views[name] {
			m, v = Inspect(e, size, Options{})
		} else {
			m = Parse(e, size, Options{})
		}
		after := max(e.peak, liveHeap())
		runtime.KeepAlive(m)
		runtime.KeepAlive(v)
		if after > before && after-before > 8<<20 {
			t.Errorf("%s: %d KiB beyond the message", name, (after-before)>>10)
		}
		checkSane(t, name, make([]byte, size), m)
	}
}

// The limits cut, and say so.
func TestLimits(t *testing.T) {
	t.Parallel()
	has := func(m *ingest.Mail, code string) bool {
		for _, d := range m.Defects {
			if d.Code == code {
				return true
			}
		}
		return false
	}
	all := attacks()
	for name, code := range map[string]string{
		"10,000 nested multiparts":     TooDeep,
		"nested messages":              TooDeep,
		"messages encoded in messages": TooDeep,
		"200,000 siblings":             TooManyParts,
		"multipart siblings":           TooManyParts,
		"header of 5 MB":               HeaderTooLong,
		"part header of 20 MB":         HeaderTooLong,
		"references":                   TooManyIdentifiers,
		"200,000 addresses":            HeaderTooLong,
		"To of ,a":                     TooManyAddresses,
	} {
		raw := all[name]
		m := Parse(bytes.NewReader(raw), int64(len(raw)), Options{})
		if !has(m, code) {
			t.Errorf("%s: no %s in %v", name, code, m.Defects)
		}
	}
	raw := all["200,000 siblings"]
	m := Parse(bytes.NewReader(raw), int64(len(raw)), Options{})
	var octets int64
	for _, p := range m.Parts {
		octets += p.Size
	}
	if last := m.Parts[len(m.Parts)-1]; last.ContentType != "application/octet-stream" || octets < int64(len(raw))*9/10 {
		t.Errorf("the rest of the message is not in the last part: %+v", last)
	}
	raw = []byte("Subject: x\n\n" + strings.Repeat("ä", ingest.MaxText))
	m = Parse(bytes.NewReader(raw), int64(len(raw)), Options{})
	if !m.TextCut || len(m.Text) != ingest.MaxText {
		t.Errorf("text of %d octets, cut %v", len(m.Text), m.TextCut)
	}
	raw = []byte("Subject: x\n\n" + strings.Repeat("a", ingest.MaxText))
	m = Parse(bytes.NewReader(raw), int64(len(raw)), Options{})
	if m.TextCut || len(m.Text) != ingest.MaxText {
		t.Errorf("text of %d octets, cut %v", len(m.Text), m.TextCut)
	}
	refs := "References: <first@x>"
	for i := range 150 {
		refs += fmt.Sprintf(" <%d@x>", i)
	}
	m = parse(t, refs+"\n\n")
	if len(m.References) != 100 || m.References[0] != "first@x" || m.References[1] != "51@x" || m.References[99] != "149@x" {
		t.Errorf("references %q", m.References)
	}
}

// An error of the reader ends the message and is told.
func TestReadError(t *testing.T) {
	t.Parallel()
	m := Parse(io.MultiReader(strings.NewReader("Subject: x\n\nbegun"), failing{}), 100, Options{})
	if m.Subject != "x" || m.Text != "begun" || m.Defects[len(m.Defects)-1].Code != ReadFailed && m.Defects[0].Code != ReadFailed {
		t.Errorf("got %+v", m)
	}
	m = Parse(stuck{}, 100, Options{})
	if m.Defects[0].Code != ReadFailed {
		t.Errorf("got %+v", m.Defects)
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }
