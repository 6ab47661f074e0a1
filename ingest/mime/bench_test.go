package mime

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/emersion/go-message"
	"github.com/emersion/go-message/mail"
	"github.com/jhillyerd/enmime/v2"
)

// sample makes a mail as customers send them: headers of several hops, plain and HTML text, an attachment of the size
// that is left.
func sample(size int) []byte {
	var b strings.Builder
	for i := range 4 {
		fmt.Fprintf(&b, "Received: from mx%d.example.com (mx%d.example.com [192.0.2.%d])\r\n\tby relay%d.example.net (Postfix) with ESMTPS id 4F2A%dC\r\n\tfor <help@example.net>; Mon, 6 Jun 2005 20:21:2%d +0200 (CEST)\r\n", i, i, i, i, i, i)
	}
	b.WriteString("Message-ID: <9169D984-4E0B-45EF@example.com>\r\nIn-Reply-To: <a@example.net>\r\nReferences: <a@example.net>\r\n <b@example.net>\r\n" +
		"From: =?utf-8?Q?J=C3=BCrgen_M=C3=BCller?= <jm@example.com>\r\nTo: \"Help desk\" <help@example.net>, other@example.net\r\n" +
		"Subject: =?utf-8?B?w4RuZGVydW5nIG1laW5lcg==?= =?utf-8?B?IEFkcmVzc2U=?=\r\nDate: Mon, 6 Jun 2005 20:21:22 +0200\r\nMIME-Version: 1.0\r\n" +
		"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.com; s=s1;\r\n\th=from:to:subject; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n\tb=AbCdEf0123456789\r\n" +
		"Content-Type: multipart/mixed; boundary=\"=_mixed\"\r\n\r\nThis is a multi-part message in MIME format.\r\n" +
		"--=_mixed\r\nContent-Type: multipart/alternative; boundary=\"=_alt\"\r\n\r\n" +
		"--=_alt\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
	for range 20 {
		b.WriteString("Sehr geehrte Damen und Herren, bitte =C3=A4ndern Sie meine Adresse ab dem =\r\nersten Juli. Vielen Dank.\r\n")
	}
	b.WriteString("\r\n--=_alt\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<html><body>")
	for range 20 {
		b.WriteString("<p style=3D\"margin:0\">Sehr geehrte Damen und Herren, bitte =C3=A4ndern Sie =\r\nmeine <b>Adresse</b> ab dem ersten Juli.</p>\r\n")
	}
	b.WriteString("</body></html>\r\n--=_alt--\r\n\r\n--=_mixed\r\nContent-Type: application/pdf; name=\"form.pdf\"\r\nContent-Disposition: attachment; filename=\"form.pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	for line := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("Some octets of a form....", 3)))[:76]; b.Len() < size-20; {
		b.WriteString(line + "\r\n")
	}
	b.WriteString("--=_mixed--\r\n")
	return []byte(b.String())
}

// walkPlain is what a user of go-message alone would write: every part decoded and hashed, the usual fields read.
func walkPlain(raw []byte) error {
	e, err := message.Read(bytes.NewReader(raw))
	if err != nil {
		return err
	}
	h := mail.Header{Header: e.Header}
	for _, field := range []string{"From", "To", "Cc"} {
		if _, err := h.AddressList(field); err != nil {
			return err
		}
	}
	h.Subject()
	h.Date()
	h.MessageID()
	h.MsgIDList("References")
	return e.Walk(func(path []int, e *message.Entity, err error) error {
		if err != nil || e.MultipartReader() != nil {
			return err
		}
		_, err = io.Copy(sha256.New(), e.Body)
		return err
	})
}

// mix is many mails of different sizes: small ones of 10 KB, or what a mailbox holds, of which six in ten have 3 to 15 KB,
// a quarter 30 to 80 KB, one in eight 100 to 500 KB and three in a hundred 1 to 3.4 MB, which is 130 KB in the mean.
func mix(kind string) (mails [][]byte, octets int64) {
	r := rand.New(rand.NewPCG(1, 2))
	size := func(low, high int) int { return low + r.IntN(high-low) }
	for range 200 {
		n := size(8200, 12200)
		if kind == "mixed" {
			switch draw := r.IntN(100); {
			case draw < 60:
				n = size(3000, 15000)
			case draw < 85:
				n = size(30_000, 80_000)
			case draw < 97:
				n = size(100_000, 500_000)
			default:
				n = size(1_000_000, 3_400_000)
			}
		}
		mails = append(mails, sample(n))
		octets += int64(len(mails[len(mails)-1]))
	}
	return mails, octets
}

// Parse beside its peers on one core, all parts decoded: run with -cpu 1. It says how many times faster than each Parse is.
func BenchmarkParse(b *testing.B) {
	parsers := []struct {
		name  string
		parse func(raw []byte) error
	}{
		{"enmime", func(raw []byte) error {
			_, err := enmime.ReadEnvelope(bytes.NewReader(raw))
			return err
		}},
		{"go-message", walkPlain},
		{"parse", func(raw []byte) error {
			if m := Parse(bytes.NewReader(raw), int64(len(raw)), Options{}); len(m.Parts) != 3 {
				return fmt.Errorf("%d parts", len(m.Parts))
			}
			return nil
		}},
	}
	for _, kind := range []string{"small", "mixed"} {
		mails, octets := mix(kind)
		took := map[string]float64{} // nanoseconds for all mails
		for _, p := range parsers {
			b.Run(kind+"/"+p.name, func(b *testing.B) {
				b.SetBytes(octets)
				b.ReportAllocs()
				for b.Loop() {
					for _, raw := range mails {
						if err := p.parse(raw); err != nil {
							b.Fatal(err)
						}
					}
				}
				took[p.name] = float64(b.Elapsed().Nanoseconds()) / float64(b.N)
				b.ReportMetric(float64(len(mails))*1e9/took[p.name], "mails/s")
				if p.name == "parse" {
					b.ReportMetric(took["enmime"]/took["parse"], "x-enmime")
					b.ReportMetric(took["go-message"]/took["parse"], "x-go-message")
				}
			})
		}
	}
}
