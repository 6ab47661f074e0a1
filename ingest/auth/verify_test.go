package auth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

const letter = "From: News <news@example.com>\r\nTo: me@example.org\r\nSubject: Hello\r\n there\r\nDate: Mon, 1 Jun 2026 10:00:00 -0700\r\n\r\nDear  reader,\r\n\r\nhow are you? \r\n\r\n\r\n"

func TestVerify(t *testing.T) {
	t.Parallel()
	dns := zone{
		"rsa._domainkey.example.com":     record(t, "rsa"),
		"ed25519._domainkey.example.com": record(t, "ed25519"),
		"other._domainkey.example.com":   record(t, "other"),
		"rsa._domainkey.other.example":   record(t, "rsa"),
		"down._domainkey.example.com":    "SERVFAIL",
		"revoked._domainkey.example.com": "v=DKIM1; p=",
		"junk._domainkey.example.com":    "v=DKIM1; k=rsa; p=BARF",
		"two._domainkey.example.com":     record(t, "rsa") + "\x00" + record(t, "other"),
		"beside._domainkey.example.com":  "v=spf1 -all\x00" + record(t, "rsa"),
		"strict._domainkey.example.com":  strings.Replace(record(t, "rsa"), "k=rsa;", "k=rsa; t=y:s;", 1),
		// 512 bits
		"short._domainkey.example.com": "v=DKIM1; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBALRiMLAHudeSA/x3hB2f+2NRkJLA0d+5XCjYbvpQb5nAjPL5gSKQkqVWYd1Mtz5f9SXVxbSbMVmGMCR8pZJRMxECAwEAAQ==",
	}
	selector := func(s string) func(*dkim.SignOptions) { return func(o *dkim.SignOptions) { o.Selector = s } }
	signed := sign(t, letter, "rsa", nil)
	simple := sign(t, letter, "rsa", func(o *dkim.SignOptions) {
		o.HeaderCanonicalization, o.BodyCanonicalization = dkim.CanonicalizationSimple, dkim.CanonicalizationSimple
	})
	replace := func(s, old, new string) string {
		if !strings.Contains(s, old) {
			t.Fatalf("%q is not in the message", old)
		}
		return strings.Replace(s, old, new, 1)
	}
	tests := []struct {
		name, raw string
		want      ingest.Verdict
		detail    string
		aligned   bool
	}{
		{"rsa", signed, ingest.VerdictPass, "", true},
		{"rsa, simple", simple, ingest.VerdictPass, "", true},
		{"ed25519", sign(t, letter, "ed25519", nil), ingest.VerdictPass, "", true},
		{"1024 bits", sign(t, letter, "other", nil), ingest.VerdictPass, "", true},
		{"LF", strings.ReplaceAll(signed, "\r\n", "\n"), ingest.VerdictPass, "", true},
		{"simple, LF", strings.ReplaceAll(simple, "\r\n", "\n"), ingest.VerdictPass, "", true},
		{"of another domain", sign(t, letter, "rsa", func(o *dkim.SignOptions) { o.Domain = "other.example" }), ingest.VerdictPass, "", false},
		{"trace fields on top", "Received: x\r\nX: y\r\n" + signed, ingest.VerdictPass, "", true},
		{"an mbox line on top", "From news@example.com Mon Jun  1 10:00:00 2026\n" + signed, ingest.VerdictPass, "", true},
		{"other records beside the key", sign(t, letter, "rsa", selector("beside")), ingest.VerdictPass, "", true},
		{"empty lines at the end", signed + strings.Repeat("\r\n", 30000), ingest.VerdictPass, "", true},
		{"no body", sign(t, letter[:strings.Index(letter, "Dear")], "rsa", nil), ingest.VerdictPass, "", true},
		{"strict key", sign(t, letter, "rsa", selector("strict")), ingest.VerdictPass, "", true},
		{"strict key, user of a subdomain", sign(t, letter, "rsa", func(o *dkim.SignOptions) { o.Selector, o.Identifier = "strict", "@sub.example.com" }), ingest.VerdictFail, "the key is for example.com alone", false},

		{"body changed", replace(signed, "Dear", "dear"), ingest.VerdictFail, "body hash did not verify", false},
		{"body longer", signed + "PS\r\n", ingest.VerdictFail, "body hash did not verify", false},
		{"body shorter", signed[:len(signed)-10], ingest.VerdictFail, "body hash did not verify", false},
		{"subject changed", replace(signed, "Hello", "Hallo"), ingest.VerdictFail, "signature did not verify", false},
		{"subject gone", replace(signed, "Subject: Hello\r\n there\r\n", ""), ingest.VerdictFail, "signature did not verify", false},
		{"From changed", replace(signed, "<news@example.com>", "<boss@example.com>"), ingest.VerdictFail, "signature did not verify", false},
		{"another From on top", "From: x@example.com\r\n" + signed, ingest.VerdictFail, "From is not there once", false},
		{"another From below", replace(signed, "\r\n\r\n", "\r\nFrom: x@example.com\r\n\r\n"), ingest.VerdictFail, "From is not there once", false},
		{"domain changed", replace(signed, "d=example.com", "d=other.example"), ingest.VerdictFail, "signature did not verify", false},
		{"key of another", sign(t, letter, "other", selector("rsa")), ingest.VerdictFail, "signature did not verify", false},
		{"kind of key changed", sign(t, letter, "rsa", selector("ed25519")), ingest.VerdictFail, "inappropriate key algorithm", false},
		{"part of the body", replace(signed, "a=rsa-sha256;", "a=rsa-sha256; l=4;"), ingest.VerdictFail, "message contains an insecure body length tag", false},
		{"sha1", replace(signed, "a=rsa-sha256;", "a=rsa-sha1;"), ingest.VerdictFail, "hash algorithm too weak: sha1", false},
		{"version", replace(signed, "v=1;", "v=2;"), ingest.VerdictFail, "incompatible signature version", false},
		{"expired", sign(t, letter, "rsa", func(o *dkim.SignOptions) { o.Expiration = time.Now().Add(-time.Hour) }), ingest.VerdictFail, "signature has expired", false},
		{"From not signed", replace(signed, "h=From:To:Subject:Date:From", "h=To:Subject:Date"), ingest.VerdictFail, "From field not signed", false},
		{"user of another domain", replace(signed, "d=example.com;", "d=example.com; i=@bank.example;"), ingest.VerdictFail, "domain mismatch", false},
		{"key of 512 bits", sign(t, letter, "rsa", selector("short")), ingest.VerdictFail, "key", false},
		{"no key", sign(t, letter, "rsa", selector("gone")), ingest.VerdictFail, "no key for signature: lookup gone._domainkey.example.com: no such host", false},
		{"revoked", sign(t, letter, "rsa", selector("revoked")), ingest.VerdictFail, "key revoked", false},
		{"no sense in the key", sign(t, letter, "rsa", selector("junk")), ingest.VerdictFail, "key syntax error", false},
		{"two keys", sign(t, letter, "rsa", selector("two")), ingest.VerdictFail, "multiple TXT records", false},
		{"DNS is down", sign(t, letter, "rsa", selector("down")), ingest.VerdictUnknown, "DNS did not answer", false},
		{"tag twice", replace(signed, "d=example.com;", "d=example.com; d=example.com;"), ingest.VerdictFail, "malformed signature tags", false},
		{"header too long", replace(signed, "\r\nTo:", "\r\nX: "+strings.Repeat("x", maxHeader)+"\r\nTo:"), ingest.VerdictUnknown, "the header is too long", false},
		{"too many empty lines", replace(signed, "Dear", strings.Repeat("\r\n", maxBlank/2+1)+"Dear"), ingest.VerdictUnknown, "the message cannot be read: too many empty lines", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := Check(t.Context(), people("news@example.com"), opener(tt.raw), Options{Resolver: dns})
			if len(a.DKIMDomains) != 1 {
				t.Fatalf("%+v", a)
			}
			r := a.DKIMDomains[0]
			if a.DKIM != tt.want || r.Verdict != tt.want || a.Aligned != tt.aligned || r.By != "self" || !strings.HasPrefix(r.Detail, tt.detail) || (r.Detail == "") != (tt.detail == "") {
				t.Errorf("%+v", a)
			}
			if a.SPF != "" || a.DMARC != "" {
				t.Errorf("%+v", a)
			}
		})
	}
}

func TestVerifyMany(t *testing.T) {
	t.Parallel()
	dns := zone{"rsa._domainkey.example.com": record(t, "rsa"), "ed25519._domainkey.example.com": record(t, "ed25519"), "rsa._domainkey.other.example": record(t, "rsa")}
	// The signatures of six others stand on top; the one of From's domain is found all the same.
	raw := sign(t, letter, "rsa", nil)
	for i := range 6 {
		raw = sign(t, raw, "rsa", func(o *dkim.SignOptions) { o.Domain = fmt.Sprintf("list%d.example", i) })
	}
	a := Check(t.Context(), people("news@example.com"), opener(raw), Options{Resolver: dns})
	if a.DKIM != ingest.VerdictPass || !a.Aligned || len(a.DKIMDomains) != maxSignatures || a.DKIMDomains[0].Domain != "example.com" {
		t.Errorf("%+v", a)
	}
	// A signature that signs another one.
	raw = sign(t, sign(t, letter, "ed25519", nil), "rsa", func(o *dkim.SignOptions) {
		o.Domain, o.HeaderKeys = "other.example", []string{"From", "DKIM-Signature"}
	})
	a = Check(t.Context(), people("news@example.com"), opener(raw), Options{Resolver: dns})
	if len(a.DKIMDomains) != 2 || a.DKIMDomains[0].Verdict != ingest.VerdictPass || a.DKIMDomains[1].Verdict != ingest.VerdictPass {
		t.Errorf("%+v", a)
	}
}

// What was verified here goes before what a trusted server says, but for keys that were there and are gone.
func TestMerge(t *testing.T) {
	t.Parallel()
	const results = "Authentication-Results: mx.example.org; dkim=pass header.d=example.com header.s=rsa\r\n"
	const denied = "Authentication-Results: mx.example.org; dkim=fail header.d=example.com\r\n"
	signed := sign(t, letter, "rsa", nil)
	good := zone{"rsa._domainkey.example.com": record(t, "rsa")}
	down := zone{"rsa._domainkey.example.com": "SERVFAIL"}
	expired := sign(t, letter, "rsa", func(o *dkim.SignOptions) { o.Expiration = time.Now().Add(-time.Hour) })
	const self, server = "self", "mx.example.org"
	for _, tt := range []struct {
		name, raw string
		resolver  Resolver
		want      ingest.Verdict
		by        string
	}{
		{"both pass", results + signed, good, ingest.VerdictPass, self},
		{"changed since", results + signed + "a footer\r\n", good, ingest.VerdictFail, self},
		{"the server was wrong", denied + signed, good, ingest.VerdictPass, self},
		{"no DNS", results + signed, nil, ingest.VerdictPass, server},
		{"DNS is down", results + signed, down, ingest.VerdictPass, server},
		{"DNS is down, and the server says fail", denied + signed, down, ingest.VerdictFail, server},
		{"key gone", results + signed, zone{}, ingest.VerdictPass, server},
		{"key gone, and the server says fail", denied + signed, zone{}, ingest.VerdictFail, self},
		{"expired", results + expired, good, ingest.VerdictPass, server},
		{"signature taken off", results + letter, good, ingest.VerdictPass, server},
		{"no signature", letter, good, ingest.VerdictNone, ""},
		{"no signature, no DNS", letter, nil, ingest.VerdictNone, ""},
		{"a signature, no DNS", signed, nil, ingest.VerdictUnknown, ""},
	} {
		a := Check(t.Context(), people("news@example.com"), opener(tt.raw), Options{AuthservIDs: []string{server}, Resolver: tt.resolver})
		by := ""
		if len(a.DKIMDomains) > 0 {
			by = a.DKIMDomains[0].By
		}
		if a.DKIM != tt.want || by != tt.by || len(a.DKIMDomains) > 1 || a.Aligned != (tt.want == ingest.VerdictPass) {
			t.Errorf("%s: %+v", tt.name, a)
		}
	}
}

func TestCheckBroken(t *testing.T) {
	t.Parallel()
	signed := sign(t, letter, "rsa", nil)
	dns := zone{"rsa._domainkey.example.com": record(t, "rsa")}
	errDisk := errors.New("disk")
	failing := func(after int) func() (io.ReadCloser, error) {
		return func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(strings.NewReader(signed[:after]), iotest.ErrReader(errDisk))), nil
		}
	}
	check := func(ctx context.Context, open func() (io.ReadCloser, error), o Options) ingest.Auth {
		return Check(ctx, people("news@example.com"), open, o)
	}
	if diff := cmp.Diff(check(t.Context(), failing(10), Options{Resolver: dns}), ingest.Auth{}); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(check(t.Context(), func() (io.ReadCloser, error) { return nil, errDisk }, Options{Resolver: dns}), ingest.Auth{}); diff != "" {
		t.Error(diff)
	}
	for after := len(signed) - 30; after < len(signed); after++ {
		// The first look is at the header alone, but takes a buffer; an error behind it must not shorten the body.
		if a := check(t.Context(), failing(after), Options{Resolver: dns}); a.DKIM == ingest.VerdictPass {
			t.Fatalf("passed a message that broke off: %+v", a)
		}
	}
	opened := 0
	once := func() (io.ReadCloser, error) {
		if opened++; opened > 1 {
			return nil, errDisk
		}
		return opener(signed)()
	}
	if a := check(t.Context(), once, Options{Resolver: dns}); a.DKIM != ingest.VerdictUnknown {
		t.Errorf("%+v", a)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if a := check(ctx, opener(signed), Options{Resolver: dns}); a.DKIM != ingest.VerdictUnknown {
		t.Errorf("%+v", a)
	}
	for _, r := range []func(io.Reader) io.Reader{iotest.OneByteReader, iotest.HalfReader, iotest.DataErrReader} {
		open := func() (io.ReadCloser, error) { return io.NopCloser(r(strings.NewReader(signed))), nil }
		if a := check(t.Context(), open, Options{Resolver: dns}); a.DKIM != ingest.VerdictPass {
			t.Errorf("%+v", a)
		}
	}
}

// Messages that others signed, with the keys that their tests have for them.
func TestVerifyCorpus(t *testing.T) {
	dir := filepath.Join(corpusDir(t), "rspamd", "msg", "test", "functional", "messages")
	dns := zone{
		"test._domainkey.example.com":              "k=ed25519; p=yi50DjK5O9pqbFpNHklsv9lqaS0ArSYu02qp1S0DW1Y=",
		"brisbane._domainkey.football.example.com": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
		"test._domainkey.football.example.com":     "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
		"dkim._domainkey.cacophony.za.org":         "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDXtxBE5IiNRMcq2/lc2zErfdCvDFyQNBnMjbOjBQrPST2k4fdGbtpe5Iu5uS01Met+dAEf94XL8I0hwmYw+n70PP834zfJGi2egwGqrakpaWsCDPvIJZLkxJCJKQRA/zrQ622uEXdvYixVbsEGVw7U4wAGSmT5rU2eU1y63AlOlQIDAQAB",
		"dkim._domainkey.rspamd.com":               "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCd/XhZBEGGAss48lEuMmwZv9lOFf6FTllBiQ3sPhdTpDdIPaW9TInW7iYnYD/bXHeVxYAyD/sKhYk6+qGBRu10rEi+iyPvLCIED+Boq0tEQosuKuV6Fjoomb+QhZY9KdjyZTjsrFPZ+wCkUY/30uTmpX2SwSqyxxlK0pUIsRgMAQIDAQAB",
		"dkim._domainkey.highsecure.ru":            "p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDK4ZQYky30GH0Ak9OQ1fv3IdFNbpOtpa4S/PR20ZLgPXfd/FCA//ztUmu7kHlELI+/+4f8W+xX0oZlOc/cFxhopRjXZMlSsQqmWOZ40/GxWFBtcqafKu78FCqO7URqZUmMCM5Jlp4zt/yzH3dbYNG3i5PVlB5QtQnZvY+dvBL3dwIDAQAB",
		"testdkim._domainkey.mom.za.org":           "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC3v4VPE1QMHUzsMRbC8VzXNq82mDjiv9Gi1NB/YYC+vIYZT+sE/Uxnr0Clk8C2jgzEr3jcxgQEWZfMtEEg/EfEJvh4SrXWv9c0gw1EEfxKxX9i+r8yBQtc/EWospWVDkhF2lAvQAK1lV1ZiU7psJ6fh1CI39uZyWdAktZzWLf0zQIDAQAB",
		"testdkim1._domainkey.yoni.za.org":         "v=DKIM1; k=rsa; p=BARF",
		"testdkim1._domainkey.dnssec-failed.org":   "SERVFAIL",
	}
	pass := []string{"ed25519.eml", "dmarc/good_dkim_highsecure.eml", "dmarc/good_dkim_rspamd.eml", "dmarc/onsubdomain_fail_alignment.eml", "dmarc/onsubdomain_pass_relaxed.eml", "dmarc/pass_none.eml"}
	unknown := []string{"dkim_huge_hlist.eml", "dmarc/bad_dkim3.eml"}
	var passed, unanswered []string
	signed := 0
	for _, pattern := range []string{"*.eml", "dmarc/*.eml"} {
		files, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			raw, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			name := strings.TrimPrefix(file, dir+"/")
			a := Check(t.Context(), nil, opener(string(raw)), Options{Resolver: dns})
			if len(a.DKIMDomains) > 0 {
				signed++
				t.Logf("%s: %+v", name, a.DKIMDomains)
			}
			switch {
			case a.DKIM == ingest.VerdictPass:
				passed = append(passed, name)
			case a.DKIM == ingest.VerdictUnknown && len(a.DKIMDomains) > 0:
				unanswered = append(unanswered, name)
			}
		}
	}
	slices.Sort(passed)
	slices.Sort(pass)
	if diff := cmp.Diff(passed, pass); diff != "" {
		t.Errorf("passed (-got +want):\n%s", diff)
	}
	if diff := cmp.Diff(unanswered, unknown); diff != "" {
		t.Errorf("unknown (-got +want):\n%s", diff)
	}
	t.Logf("%d messages with signatures", signed)
}

// Without DNS and without anybody to trust, no message of the corpus passes; what claims to is counted.
func TestCheckCorpus(t *testing.T) {
	dir := corpusDir(t)
	messages, claims := 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.Contains(path, "/msg/") {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		messages++
		a := Check(t.Context(), people("a@example.com"), opener(string(raw)), Options{AuthservIDs: []string{"mx.example.com"}})
		claims += a.Ignored
		if a.SPF != "" || a.DMARC != "" || a.DKIM == ingest.VerdictPass || a.Aligned || a.AuthservID != "" {
			t.Errorf("%s: %+v", path, a)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages, %d fields of others", messages, claims)
	if claims == 0 {
		t.Error("no field was seen")
	}
	for path, id := range map[string]string{
		"postal-mime/msg/test/fixtures/calendar-event.eml": "mx.ethereal.email",
		"mailparser/msg/test/fixtures/nodemailer.eml":      "mx.google.com",
	} {
		raw, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		a := Check(t.Context(), people("andris@postalsys.com"), opener(string(raw)), Options{AuthservIDs: []string{id}})
		t.Logf("%s: %+v", path, a)
		if a.AuthservID != id || a.SPF != ingest.VerdictPass || a.DKIM != ingest.VerdictPass || (a.DMARC == ingest.VerdictPass) != (id == "mx.ethereal.email") {
			t.Errorf("%s: %+v", path, a)
		}
	}
}
