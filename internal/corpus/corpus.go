// Package corpus finds the mail that others' test suites collected, and writes what the tests measured on it into
// docs/corpus.md. Tests alone use it.
package corpus

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Dir is the folder of foreign test mail: below the folder shared beside the repository, or below the one that
// MAILINTAKE_SHARED names. Where neither has it the test is skipped.
func Dir(t testing.TB) string {
	t.Helper()
	shared := os.Getenv("MAILINTAKE_SHARED")
	if shared == "" {
		dir, err := os.Getwd()
		if err != nil {
			t.Fatal(err)
		}
		for {
			if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
				break
			}
			if dir == filepath.Dir(dir) {
				t.Fatal("no go.mod above the test")
			}
			dir = filepath.Dir(dir)
		}
		shared = filepath.Join(dir, "..", "shared")
	}
	dir := filepath.Join(shared, "corpus")
	if _, err := os.Stat(filepath.Join(dir, "agreed.jsonl")); err != nil {
		t.Skip("no corpus of test mail here: ", err)
	}
	return dir
}

// Page defines the flag -table of a test binary: the file whose sections Section writes.
func Page() *string {
	return flag.String("table", "", "docs/corpus.md, whose section about what is tested here is written anew")
}

// Section puts text between the marks <!-- name --> and <!-- /name --> of a page, or logs it where page is empty.
func Section(t testing.TB, page, name, text string) {
	t.Helper()
	if page == "" {
		t.Log("\n" + text)
		return
	}
	old, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	begin, end := "<!-- "+name+" -->\n", "<!-- /"+name+" -->\n"
	head, rest, found := strings.Cut(string(old), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("no section %s in %s", name, page)
	}
	if err := os.WriteFile(page, []byte(head+begin+text+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
