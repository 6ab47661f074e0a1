package auth

import (
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/emersion/go-msgauth/dkim"
	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

// checkSane holds what is true of every result.
func checkSane(t *testing.T, a ingest.Auth) {
	t.Helper()
	for _, v := range []ingest.Verdict{a.SPF, a.DKIM, a.DMARC} {
		switch v {
		case ingest.VerdictUnknown, ingest.VerdictNone, ingest.VerdictPass, ingest.VerdictFail:
		default:
			t.Errorf("verdict %q", v)
		}
	}
	if len(a.DKIMDomains) > maxSignatures || a.Ignored < 0 || a.Ignored > maxFields {
		t.Errorf("%d signatures, %d ignored", len(a.DKIMDomains), a.Ignored)
	}
	texts := []string{a.AuthservID, a.SPFDomain}
	for _, r := range a.DKIMDomains {
		texts = append(texts, r.Domain, r.Selector, r.Detail, r.By)
	}
	for _, s := range texts {
		if !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\r\n") || len(s) > 253 {
			t.Errorf("text %.300q", s)
		}
	}
}

func TestHostile(t *testing.T) {
	t.Parallel()
	dns := zone{"s._domainkey.example.com": record(t, "rsa")}
	rep := strings.Repeat
	const tags = "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s; b=eA==; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=; h=" // of an empty body
	five := func(h string) string { return rep(tags+h+"\r\n", maxSignatures) + "From: a@example.com\r\n" }
	signed := sign(t, letter, "rsa", func(o *dkim.SignOptions) { o.Selector = "s" })
	simple := sign(t, letter, "rsa", func(o *dkim.SignOptions) { o.Selector = "s" })
	simple = strings.Replace(simple, "c=relaxed/relaxed", "c=simple/simple", 1)
	for name, raw := range map[string]string{
		"simple, runs of empty lines": rep(simple[:strings.Index(simple, "\nFrom:")+1], maxSignatures) + letter + "x" + rep(rep("\r\n", maxBlank/2-1)+"x", 80),
		"many names":                  five("from" + rep(":from", 999)),
		"many names and fields":       five("from"+rep(":x", 900)) + rep("X: y\r\n", 900),
		"many folds":                  five("from:x") + "X: y" + rep("\r\n ", 60000) + "\r\n",
		"a folded signature":          "DKIM-Signature: v=1; d=example.com; s=s; h=from; x=" + rep("\r\n a", 60000) + "\r\nFrom: a@example.com\r\n",
		"white space":                 five("from:x"+rep(":x", 900)) + "X:" + rep(" ", 200<<10) + "y\r\n",
		"many signatures":             rep(tags+"from\r\n", 900) + "From: a@example.com\r\n",
		"many results":                rep("Authentication-Results: mx; spf=pass; dkim=pass\r\n", 900),
		"a long result":               "Authentication-Results: mx" + rep("; dkim=pass header.d=example.com", 7000),
		"many properties":             "Authentication-Results: mx; dkim=pass" + rep(" a=b", 60000),
		"many comments":               "Authentication-Results: " + rep("(", 200<<10),
		"many quotations":             "Authentication-Results: " + rep("\"", 200<<10),
		"many hops":                   rep("Received: by a\r\n", 999),
		"a long hop":                  "Received: from " + rep("a (1.2.3.4 b.c) ", 15000),
		"a long domain":               strings.Replace(signed, "d=example.com", "d="+rep("a.", 100<<10)+"com", 1),
		"empty lines":                 signed + rep("\r\n", 4<<20) + "x",
		"lines of white space":        signed + rep(" \r\n", 3<<20) + "x",
		"runs of empty lines":         signed + "x" + rep(rep("\r\n", maxBlank/2-1)+"x", 80),
		"a large body":                signed + rep(rep("x", 70)+"\r\n", 10<<20/72),
		"five large bodies":           rep(signed[:strings.Index(signed, "\nFrom:")+1], maxSignatures) + letter + rep(rep("x y", 24)+"\r\n", 10<<20/74),
	} {
		t.Run(name, func(t *testing.T) { // one by one, since they are timed
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			began := time.Now()
			a := Check(t.Context(), people("a@example.com"), opener(raw), Options{AuthservIDs: []string{"mx"}, Resolver: dns})
			took := time.Since(began)
			runtime.ReadMemStats(&after)
			perMB := took / time.Duration(1+len(raw)>>20)
			t.Logf("%d KiB took %v, %v per MiB; %d KiB allocated", len(raw)>>10, took, perMB, (after.TotalAlloc-before.TotalAlloc)>>10)
			// Measured: below 100 ms per MiB on an idle machine; other work may run beside this.
			if perMB > time.Second {
				t.Errorf("took %v per MiB", perMB)
			}
			checkSane(t, a)
		})
	}
}

func FuzzParseResults(f *testing.F) {
	f.Add(`mx.example.com (c) 1; spf=pass reason="x\"" smtp.mailfrom=a@b; dkim/1 = fail (d) header.d=e`)
	f.Add("spf=pass smtp.mailfrom=a; b; dkim=pass")
	f.Add(`"a`)
	f.Fuzz(func(t *testing.T, value string) {
		r := parseResults(value)
		if r.broken {
			return
		}
		// What is well-formed says the same with comments and white space between its parts.
		if diff := cmp.Diff(parseResults(" (x) "+value+"\t(y (z)) "), r, cmp.AllowUnexported(results{}, result{}, property{})); diff != "" {
			t.Error(diff)
		}
	})
}

// No message passes without a key, and without a trusted field at all.
func FuzzCheck(f *testing.F) {
	f.Add([]byte(gmail + message))
	f.Add([]byte(crlf(exchange + message)))
	f.Add([]byte(postfix + message))
	f.Add([]byte("DKIM-Signature: v=1; a=rsa-sha256; d=example.com; s=s; h=from; bh=eA==; b=eA==\r\nFrom: a@example.com\r\n\r\nx"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		dns := zone{"s._domainkey.example.com": "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="}
		a := Check(t.Context(), people("news@example.com"), opener(string(raw)), Options{Resolver: dns})
		checkSane(t, a)
		if a.SPF != "" || a.DMARC != "" || a.DKIM == ingest.VerdictPass || a.Aligned {
			t.Errorf("%+v", a)
		}
		o := Options{AuthservIDs: []string{"mx.google.com", "protection.outlook.com", "mx1.example.org"}}
		a = Check(t.Context(), people("news@example.com"), opener(string(raw)), o)
		checkSane(t, a)
		if (a.SPF == ingest.VerdictPass || a.DKIM == ingest.VerdictPass || a.DMARC == ingest.VerdictPass) && a.AuthservID == "" {
			t.Errorf("%+v", a)
		}
		if diff := cmp.Diff(Check(t.Context(), people("news@example.com"), opener(string(raw)), o), a); diff != "" {
			t.Error(diff)
		}
		// A forged field below From changes nothing.
		const first = 4000 // octets, by which the kind of line ends is told
		if at := strings.Index(string(raw), "\nFrom:"); at >= 0 && at < first && len(raw) < maxHeader/2 {
			end := strings.IndexByte(string(raw[at+1:]), '\n') + at + 2
			if end > at+1 && end < len(raw) && raw[end] != ' ' && raw[end] != '\t' {
				forged := string(raw[:end]) + "Authentication-Results: mx.google.com; spf=pass; dkim=pass header.d=example.com; dmarc=pass\n" + string(raw[end:])
				b := Check(t.Context(), people("news@example.com"), opener(forged), o)
				b.Ignored = a.Ignored
				if diff := cmp.Diff(b, a); diff != "" {
					t.Error(diff)
				}
			}
		}
	})
}
