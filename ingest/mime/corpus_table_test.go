package mime

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
)

var table = flag.String("table", "", "docs/corpus.md, whose section about MIME is written anew")

// corpusTable is what the corpus tests measured, in Markdown.
func corpusTable(scores map[string]*score, messages int, decoded, trees score) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d messages, per field on which two other parsers agree. *More*: we show all that the others show\nand text where they show none, a replacement character, or a file encoded in text. *Differ*: for the reasons below.\n\n", messages)
	b.WriteString("| field | compared | equal | more | differ | equal or more |\n|---|---:|---:|---:|---:|---:|\n")
	for _, field := range slices.Sorted(maps.Keys(scores)) {
		s := scores[field]
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d | %.2f %% |\n", field, s.total, s.equal, s.more, s.explained, s.percent())
	}
	for _, row := range []struct {
		what string
		s    score
	}{{"parts that mime4j decodes, octet by octet", decoded}, {"trees as mime4j sees them", trees}} {
		fmt.Fprintf(&b, "| %s (%d messages) | %d | %d | | %d | %.2f %% |\n", row.what, row.s.messages, row.s.total, row.s.equal, row.s.explained, row.s.percent())
	}
	b.WriteString("\nWhere we differ, and why:\n\n")
	for _, e := range corpusExceptions() {
		fmt.Fprintf(&b, "- %s:\n", e.reason)
		for line := range strings.Lines(e.where) {
			if words := strings.Fields(line); len(words) > 0 {
				fmt.Fprintf(&b, "  - `%s`: %s\n", words[0], strings.Join(words[1:], ", "))
			}
		}
	}
	b.WriteString("- parts of mime4j:\n")
	for _, name := range slices.Sorted(maps.Keys(mime4jExceptions)) {
		fmt.Fprintf(&b, "  - `%s`: %s\n", name, mime4jExceptions[name])
	}
	return b.String()
}

// writeTable puts the table between the marks of its section, or logs it.
func writeTable(t *testing.T, text string) {
	const begin, end = "<!-- mime -->\n", "<!-- /mime -->\n"
	if *table == "" {
		t.Log("\n" + text)
		return
	}
	page, err := os.ReadFile(*table)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(page), begin)
	_, tail, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("no section of MIME in %s", *table)
	}
	if err := os.WriteFile(*table, []byte(head+begin+text+end+tail), 0o644); err != nil {
		t.Fatal(err)
	}
}
