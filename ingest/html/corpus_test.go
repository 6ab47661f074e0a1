package html

import (
	"bytes"
	"encoding/base64"
	"io"
	"io/fs"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// corpusDir is the folder of foreign test mail. It lies beside the repository, or where MAILINTAKE_SHARED says.
func corpusDir(t testing.TB) string {
	t.Helper()
	shared := os.Getenv("MAILINTAKE_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(shared, "corpus")
	if _, err := os.Stat(filepath.Join(dir, "agreed.jsonl")); err != nil {
		t.Skip("no corpus of test mail here: ", err)
	}
	return dir
}

// htmlBodies finds HTML in a message that the standard library can read; octets are taken for what they are.
func htmlBodies(header textproto.MIMEHeader, body io.Reader, depth int) []string {
	kind, parameters, err := mime.ParseMediaType(header.Get("Content-Type"))
	if err != nil || depth > 10 {
		return nil
	}
	switch strings.ToLower(strings.TrimSpace(header.Get("Content-Transfer-Encoding"))) {
	case "base64":
		body = base64.NewDecoder(base64.StdEncoding, body)
	case "quoted-printable":
		body = quotedprintable.NewReader(body)
	}
	switch {
	case kind == "text/html":
		raw, err := io.ReadAll(body)
		if err != nil && len(raw) == 0 {
			return nil
		}
		return []string{string(raw)}
	case kind == "message/rfc822":
		if m, err := mail.ReadMessage(body); err == nil {
			return htmlBodies(textproto.MIMEHeader(m.Header), m.Body, depth+1)
		}
	case strings.HasPrefix(kind, "multipart/"):
		var list []string
		parts := multipart.NewReader(body, parameters["boundary"])
		for {
			part, err := parts.NextRawPart()
			if err != nil {
				return list
			}
			list = append(list, htmlBodies(part.Header, part, depth+1)...)
		}
	}
	return nil
}

// HTML of the corpus keeps the promises of Text and Safe, and says something.
func TestCorpus(t *testing.T) {
	t.Parallel()
	dir := corpusDir(t)
	bodies, empty := 0, 0
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Base(filepath.Dir(path)) == "expected" {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		m, err := mail.ReadMessage(bytes.NewReader(raw))
		if err != nil {
			return nil // no message, or one for ingest/mime alone
		}
		for _, s := range htmlBodies(textproto.MIMEHeader(m.Header), m.Body, 0) {
			bodies++
			if text, _ := Text(s, 256<<10); text == "" && strings.Contains(strings.ToLower(s), "<p") {
				empty++
				t.Logf("%s: no text in %.200q", path, s)
			}
			checkText(t, s, 256<<10)
			checkSafe(t, s, 2<<20, Policy{})
			checkSafe(t, s, 2000, Policy{RemoteContent: true})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d bodies, %d of them with a paragraph and without text", bodies, empty)
	if bodies < 200 || empty > 2 {
		t.Errorf("%d bodies, %d without text", bodies, empty)
	}
}
