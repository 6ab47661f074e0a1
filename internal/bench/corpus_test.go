package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"mime"
	"mime/multipart"
	"net/mail"
	"testing"
)

// A change of the corpus makes figures of different days incomparable: it must be meant.
func TestCorpusIsTheSameEveryTime(t *testing.T) {
	for _, tt := range []struct {
		corpus corpus
		want   string // SHA-256 of the first messages
	}{
		{corpus{"small", 200}, "f85c889a2cfad435f8fef4ea0a80d92f30a75849e11236339e27a5788bf151b1"},
		{corpus{"mixed", 60}, "0b6b44dbbb05bc874bf2638c50011a24d1075c787a33e14567b4de1d5d11c46d"},
	} {
		t.Run(tt.corpus.kind, func(t *testing.T) {
			t.Parallel()
			sum := sha256.New()
			for n := range tt.corpus.count {
				sum.Write(tt.corpus.message(n))
			}
			if got := hex.EncodeToString(sum.Sum(nil)); got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestCorpusHasTheSizeItPromises(t *testing.T) {
	for _, tt := range []struct {
		kind   string
		count  int
		lo, hi int // of the mean on the wire
	}{
		{"small", 1000, 9_800, 11_200},
		{"mixed", 800, 120_000, 145_000},
	} {
		t.Run(tt.kind, func(t *testing.T) {
			t.Parallel()
			total, distinct := 0, map[[32]byte]bool{}
			c := corpus{tt.kind, tt.count}
			for n := range tt.count {
				raw := c.message(n)
				total += len(raw) + bytes.Count(raw, []byte("\n")) // CRLF on the wire
				distinct[sha256.Sum256(raw)] = true
			}
			if mean := total / tt.count; mean < tt.lo || mean > tt.hi {
				t.Errorf("mean size %d, want %d to %d", mean, tt.lo, tt.hi)
			}
			if len(distinct) != tt.count {
				t.Errorf("%d distinct messages of %d", len(distinct), tt.count)
			}
		})
	}
}

// Whoever reads the corpus must meet proper mail, else errors are measured.
func TestCorpusIsProperMail(t *testing.T) {
	seen := map[string]int{}
	for _, c := range []corpus{{"small", 20}, {"mixed", 300}} {
		for n := range c.count {
			raw := c.message(n)
			if bytes.Contains(raw, []byte("\r")) || !bytes.HasSuffix(raw, []byte("\n")) {
				t.Fatalf("%s %d: line ends are not LF alone", c.kind, n)
			}
			m, err := mail.ReadMessage(bytes.NewReader(raw))
			if err != nil {
				t.Fatalf("%s %d: %v", c.kind, n, err)
			}
			if _, err := m.Header.Date(); err != nil {
				t.Errorf("%s %d: %v", c.kind, n, err)
			}
			walk(t, m.Header.Get("Content-Type"), m.Header.Get("Content-Transfer-Encoding"), m.Body, seen)
		}
	}
	for _, cs := range charsets() {
		for _, enc := range []string{"8bit", "quoted-printable", "base64"} {
			if cs.accented == "" && enc == "8bit" {
				enc = "7bit"
			}
			if key := "text/plain " + cs.name + " " + enc; seen[key] == 0 {
				t.Errorf("no part with %s", key)
			}
		}
	}
	for _, kind := range []string{"image/png  base64", "application/pdf  base64", "text/html utf-8 quoted-printable"} {
		if seen[kind] == 0 {
			t.Errorf("no part with %s; there are %v", kind, seen)
		}
	}
}

func walk(t *testing.T, contentType, encoding string, body io.Reader, seen map[string]int) {
	t.Helper()
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		t.Fatalf("%q: %v", contentType, err)
	}
	if boundary := params["boundary"]; boundary != "" {
		parts := multipart.NewReader(body, boundary)
		for {
			p, err := parts.NextRawPart()
			if err == io.EOF {
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			walk(t, p.Header.Get("Content-Type"), p.Header.Get("Content-Transfer-Encoding"), p, seen)
		}
	}
	if n, err := io.Copy(io.Discard, body); err != nil || n == 0 {
		t.Fatalf("%s: %d octets, %v", contentType, n, err)
	}
	seen[kind+" "+params["charset"]+" "+encoding]++
}
