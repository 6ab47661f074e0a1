package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"mime/quotedprintable"
	"strings"
	"time"
)

const (
	kib = 1 << 10
	mib = 1 << 20
)

// corpus is a set of messages that is the same wherever and whenever it is made: message n depends on the kind and n
// alone.
type corpus struct {
	kind  string // small or mixed
	count int
}

// corpora are the kinds with the number of messages that each has unless told otherwise.
func corpora() map[string]int { return map[string]int{"small": 5000, "mixed": 2000} }

// message makes message n, from 0, with LF line ends as a delivery agent stores it. A small one is
// multipart/alternative of about 10 KiB. Of the mixed ones six in ten are letters of 3 to 15 KB, a quarter has an
// inline image of 30 to 80 KB, one in eight an attachment of 100 to 500 KB and three in a hundred one of 1 to 3.4 MB,
// which is 130 KB in the mean.
func (c corpus) message(n int) []byte {
	w := newWriter(c.kind, n)
	switch draw := w.rand.IntN(100); {
	case c.kind == "small":
		w.alternative(8200, 12200)
	case draw < 60:
		w.letter(3000, 15000)
	case draw < 85:
		w.related(30_000, 80_000)
	case draw < 97:
		w.attached(100_000, 500_000)
	default:
		w.attached(1_000_000, 3_400_000)
	}
	return w.buf.Bytes()
}

// charset is one that can be written without a table: letters of Cyrillic alphabets lie in 0xC0 to 0xFF in each of them,
// those of western ones are the code points themselves.
type charset struct {
	name     string
	accented string // letters beyond ASCII, one octet each; in UTF-8 for utf-8
}

func charsets() []charset {
	cyrillic, western := make([]byte, 0, 64), make([]byte, 0, 64)
	for b := 0xC0; b <= 0xFF; b++ {
		cyrillic = append(cyrillic, byte(b))
		if b != 0xD7 && b != 0xF7 { // the signs of multiplication and division
			western = append(western, byte(b))
		}
	}
	return []charset{{"us-ascii", ""}, {"utf-8", "äéöüßñçабвгд東京€"}, {"iso-8859-1", string(western)}, {"windows-1252", string(western)},
		{"windows-1251", string(cyrillic)}, {"koi8-r", string(cyrillic)}}
}

// writer writes one message.
type writer struct {
	rand  *rand.Rand
	buf   bytes.Buffer
	n     int
	words []string
	bound int // boundaries so far
}

// seed keeps the corpus apart from any other use of the same generator.
const seed = 0x6d61696c696e74

func newWriter(kind string, n int) *writer {
	w := &writer{rand: rand.New(rand.NewPCG(seed+uint64(len(kind)), uint64(n))), n: n}
	fmt.Fprintf(&w.buf, "Return-Path: <customer%d@example.com>\nReceived: from mail.example.com (mail.example.com [192.0.2.%d])\n"+
		"\tby mx.example.net (Postfix) with ESMTPS id %012X\n\tfor <support@example.net>; %s\n",
		n, n%250+1, w.rand.Uint64()>>16, w.date())
	fmt.Fprintf(&w.buf, "From: \"Customer %d\" <customer%d@example.com>\nTo: Support <support@example.net>\nSubject: Order %d: %s\nDate: %s\nMessage-ID: <%s.%d@bench.example>\nMIME-Version: 1.0\n",
		n, n, 100000+w.rand.IntN(900000), strings.TrimSpace(w.text(30, charset{})), w.date(), kind, n)
	return w
}

// date is in 2026, five minutes after that of the message before.
func (w *writer) date() string {
	return time.Date(2026, 1, 5, 8, 0, 0, 0, time.UTC).Add(time.Duration(w.n) * 5 * time.Minute).Format(time.RFC1123Z)
}

// between is a random number from lo to hi, hi excluded.
func (w *writer) between(lo, hi int) int { return lo + w.rand.IntN(hi-lo) }

// text is at least size octets of words in lines, which compress about as well as prose does.
func (w *writer) text(size int, cs charset) string {
	if w.words == nil {
		for range 300 {
			var b strings.Builder
			for range w.between(1, 5) {
				b.WriteByte("bcdfghklmnprstvw"[w.rand.IntN(16)])
				b.WriteByte("aeiou"[w.rand.IntN(5)])
			}
			w.words = append(w.words, b.String())
		}
	}
	var b strings.Builder
	for line := 0; b.Len() < size; {
		// The square makes early words frequent.
		f := w.rand.Float64()
		word := w.words[int(f*f*float64(len(w.words)))]
		switch {
		case cs.accented == "" || w.rand.IntN(4) > 0:
		case cs.name == "utf-8":
			letters := []rune(cs.accented)
			word += string(letters[w.rand.IntN(len(letters))])
		default:
			at := w.rand.IntN(len(cs.accented))
			word += cs.accented[at : at+1]
		}
		b.WriteString(word)
		if line += len(word) + 1; line > 66 {
			b.WriteByte('\n')
			line = 0
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// html is a body of about size octets.
func (w *writer) html(size int, cs charset) string {
	var b strings.Builder
	fmt.Fprintf(&b, "<html><head><meta charset=\"%s\"><style>p { font-family: Arial, sans-serif; font-size: 11pt }</style></head>\n<body>\n", cs.name)
	for b.Len() < size {
		fmt.Fprintf(&b, "<p style=\"margin: 0 0 8px 0; color: #%06x\">%s</p>\n", w.rand.IntN(1<<24), w.text(200, cs))
	}
	return b.String() + "</body></html>\n"
}

// part writes the header fields and the body of one leaf.
func (w *writer) part(contentType string, more string, encoding string, body string) {
	fmt.Fprintf(&w.buf, "Content-Type: %s\n%sContent-Transfer-Encoding: %s\n\n", contentType, more, encoding)
	switch encoding {
	case "quoted-printable":
		// The encoder ends lines by CRLF where it breaks them itself.
		var b bytes.Buffer
		q := quotedprintable.NewWriter(&b)
		_, err := q.Write([]byte(body))
		must(err)
		must(q.Close())
		w.buf.Write(bytes.ReplaceAll(b.Bytes(), []byte("\r\n"), []byte("\n")))
	case "base64":
		text := base64.StdEncoding.EncodeToString([]byte(body))
		for len(text) > 76 {
			w.buf.WriteString(text[:76])
			w.buf.WriteByte('\n')
			text = text[76:]
		}
		w.buf.WriteString(text)
	default:
		w.buf.WriteString(body)
	}
	if !bytes.HasSuffix(w.buf.Bytes(), []byte("\n")) {
		w.buf.WriteByte('\n')
	}
}

// multipart writes a multipart of the given subtype around what each function writes.
func (w *writer) multipart(subtype string, parts ...func()) {
	w.bound++
	boundary := fmt.Sprintf("=_%d_%d_%08x", w.n, w.bound, w.rand.Uint32())
	fmt.Fprintf(&w.buf, "Content-Type: multipart/%s; boundary=\"%s\"\n\n", subtype, boundary)
	for _, p := range parts {
		fmt.Fprintf(&w.buf, "--%s\n", boundary)
		p()
	}
	fmt.Fprintf(&w.buf, "--%s--\n", boundary)
}

// alternative is a text and an HTML body in UTF-8, lo to hi octets together.
func (w *writer) alternative(lo, hi int) {
	size, cs := w.between(lo, hi), charsets()[1]
	w.multipart("alternative",
		func() { w.part("text/plain; charset=utf-8", "", "quoted-printable", w.text(size/5, cs)) },
		func() { w.part("text/html; charset=utf-8", "", "quoted-printable", w.html(size*3/5, cs)) })
}

// letter is one text of lo to hi octets in one of 18 combinations of charset and encoding.
func (w *writer) letter(lo, hi int) {
	all := charsets()
	cs := all[w.n%len(all)]
	encoding := []string{"8bit", "quoted-printable", "base64"}[w.n/len(all)%3]
	if cs.accented == "" && encoding == "8bit" {
		encoding = "7bit"
	}
	w.part("text/plain; charset="+cs.name, "", encoding, w.text(w.between(lo, hi)*5/6, cs))
}

// related is an HTML body with an inline image whose encoded form has lo to hi octets.
func (w *writer) related(lo, hi int) {
	image := w.noise(w.between(lo, hi) * 3 / 4)
	w.multipart("related",
		func() { w.alternative(3000, 9000) },
		func() {
			w.part("image/png; name=logo.png", fmt.Sprintf("Content-Disposition: inline\nContent-ID: <image.%d@bench.example>\n", w.n), "base64", image)
		})
}

// attached is a letter with a file whose encoded form has lo to hi octets.
func (w *writer) attached(lo, hi int) {
	file := w.noise(w.between(lo, hi) * 3 / 4)
	w.multipart("mixed",
		func() { w.alternative(3000, 9000) },
		func() {
			w.part("application/pdf", fmt.Sprintf("Content-Disposition: attachment; filename=\"contract-%d.pdf\"\n", w.n), "base64", file)
		})
}

// noise is octets that do not compress.
func (w *writer) noise(size int) string {
	b := make([]byte, 0, size+8)
	for len(b) < size {
		v := w.rand.Uint64()
		b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24), byte(v>>32), byte(v>>40), byte(v>>48), byte(v>>56))
	}
	return string(b[:size])
}

// must is for errors of writers into memory.
func must(err error) {
	if err != nil {
		panic(err)
	}
}
