package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
	foreign "github.com/mailintake/mailintake/internal/corpus"
)

// corpusFiles are all files of the corpus of foreign test mail; what is no mail there is a fine test, too.
func corpusFiles(t *testing.T) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(foreign.Dir(t), func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			files = append(files, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// Every file gives one line, in order, with all fields in their types, and hashes to the same from run to run.
func TestParseCorpus(t *testing.T) {
	t.Parallel()
	files := corpusFiles(t)
	for _, flags := range [][]string{nil, {"--explain"}} {
		args := append(append([]string{"parse"}, flags...), files...)
		status, out, errOut := command(t.Context(), args...)
		if status != exitOK || errOut != "" {
			t.Fatalf("status %d, stderr %s", status, errOut)
		}
		if !utf8.ValidString(out) || strings.ContainsRune(out, 0) {
			t.Error("the output is not UTF-8")
		}
		lines := strings.SplitAfter(strings.TrimSuffix(out, "\n"), "\n")
		if len(lines) != len(files) {
			t.Fatalf("got %d lines, want %d", len(lines), len(files))
		}
		for i, line := range lines {
			checkParsed(t, files[i], line, flags != nil)
		}
		if _, again, _ := command(t.Context(), args...); again != out {
			t.Error("two runs differ")
		}
	}
}

// checkParsed checks names and types of the fields that every line has.
func checkParsed(t *testing.T, file, line string, explain bool) {
	t.Helper()
	var got map[string]any
	if err := json.Unmarshal([]byte(line), &got); err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	if got["file"] != file {
		t.Errorf("got file %v, want %s", got["file"], file)
	}
	lists := []string{"from", "to", "cc", "in_reply_to", "references", "attachments", "defects"}
	if explain {
		lists = append(lists, "evidence", "parts", "multiparts", "sender", "reply_to")
	}
	for _, name := range lists {
		if _, ok := got[name].([]any); !ok {
			t.Errorf("%s: %s is %v, not a list", file, name, got[name])
		}
	}
	for _, name := range []string{"subject", "message_id", "text", "reply_text", "class", "language"} {
		if _, ok := got[name].(string); !ok {
			t.Errorf("%s: %s is %v, not a string", file, name, got[name])
		}
	}
	if date := got["date"]; date != nil {
		if _, err := time.Parse(time.RFC3339, date.(string)); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
	if _, ok := got["bounce"]; !ok {
		t.Errorf("%s: no bounce", file)
	}
	if explain == (got["evidence"] == nil) {
		t.Errorf("%s: evidence is %v", file, got["evidence"])
	}
	if got["text"] != "" && strings.TrimSpace(got["text"].(string)) != "" && got["class"] == "" {
		t.Errorf("%s: no class", file)
	}
}

func TestParsedLine(t *testing.T) {
	t.Parallel()
	line, err := parsedLine("-", &ingest.Mail{
		Class: ingest.ClassBounce, Date: time.Date(2026, 3, 2, 10, 0, 0, 5, time.FixedZone("", -5*3600-1800)),
		Bounce: &ingest.Bounce{Recipients: []ingest.BounceRecipient{{Address: "gone@example.net"}, {Address: "b@example.net"}}, Action: "failed", Status: "5.1.1", Hard: true},
		Parts: []ingest.Part{{Path: "1", ContentType: "text/plain", Body: true}, {Path: "2", ContentType: "message/rfc822", Size: 9, SHA256: "aa"},
			{Path: "2.1", ContentType: "image/png", Attached: true}, {Path: "3", ContentType: "image/png", Inline: true, Filename: "<ä>.png", Size: 1, SHA256: "bb"}},
		Defects: []ingest.Defect{{Code: "NUL_REMOVED"}},
	}, false)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"file":"-","subject":"","from":[],"to":[],"cc":[],"date":"2026-03-02T10:00:00-05:30","message_id":"","in_reply_to":[],"references":[],` +
		`"text":"","reply_text":"","has_html":false,"attachments":[{"filename":"","content_type":"message/rfc822","size":9,"sha256":"aa","inline":false},` +
		`{"filename":"<ä>.png","content_type":"image/png","size":1,"sha256":"bb","inline":true}],"class":"BOUNCE",` +
		`"bounce":{"recipients":["gone@example.net","b@example.net"],"action":"failed","status":"5.1.1","hard":true},"language":"",` +
		`"defects":[{"code":"NUL_REMOVED","where":"","text":""}]}` + "\n"
	if d := cmp.Diff(want, string(line)); d != "" {
		t.Error(d)
	}
}

func TestRFC3339(t *testing.T) {
	t.Parallel()
	at := func(year int, offset int) time.Time {
		return time.Date(year, 1, 2, 3, 4, 5, 6, time.FixedZone("", offset))
	}
	for _, tt := range []struct {
		name string
		in   time.Time
		want string // empty for null
	}{
		{"none", time.Time{}, ""},
		{"offset", at(2026, -5*3600-1800), "2026-01-02T03:04:05-05:30"},
		{"UTC", at(2026, 0), "2026-01-02T03:04:05Z"},
		{"offset of a day", at(2026, 24*3600), "2026-01-01T03:04:05Z"},
		{"five digits", at(12026, 0), ""},
		{"before Christ", at(-3, 0), ""},
		{"year 0 by the offset", at(0, 3600), "0000-01-02T03:04:05+01:00"},
	} {
		got := ""
		if s := rfc3339(tt.in); s != nil {
			got = *s
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// A file that fails in the middle is not half a mail.
func TestParseUnreadable(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	c := parseCmd{Files: []string{"/proc/self/mem", "/dev/null"}}
	if err := c.Run(t.Context(), &console{out: &out, err: &errOut}); !errors.Is(err, errReported) {
		t.Errorf("got %v", err)
	}
	if !strings.HasPrefix(errOut.String(), "mailintake: /proc/self/mem: ") || strings.Count(out.String(), "\n") != 1 {
		t.Errorf("got %q and %q", errOut.String(), out.String())
	}
}
