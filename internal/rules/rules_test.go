package rules

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// TestHouse holds the tree of this module against the tables.
func TestHouse(t *testing.T) {
	t.Parallel()
	const root = "../.."
	mod, err := os.ReadFile(root + "/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(mod), "\n")
	module, ok := strings.CutPrefix(line, "module ")
	if !ok {
		t.Fatalf("go.mod begins with %q, want the module's name", line)
	}
	report, err := Check(os.DirFS(root), module, House())
	if err != nil {
		t.Fatal(err)
	}
	for _, broken := range report.Broken {
		t.Error(broken)
	}
	for _, unused := range report.Unused {
		t.Log("note: " + unused)
	}
}

// TestCheck shows that each rule bites: one small tree each.
func TestCheck(t *testing.T) {
	t.Parallel()
	table := Table{
		Packages: map[string]Row{
			"cmd/app":    {Floor: 4},
			"poll":       {Floor: 3, Only: []string{"mime"}},
			"mime":       {Floor: 2, Pure: true},
			"store":      {Floor: 2},
			"words":      {Floor: 1, Std: true, Pure: true},
			"dial":       {Floor: 1, Beside: []string{"words"}},
			"internal/x": {Floor: Help},
			"fixture":    {Floor: Help, TestsAlone: true},
		},
		Libraries: map[string][]string{
			"example.org/db":      {"store"},
			"example.org/db/tool": {"mime"},
			"example.org/diff":    nil,
		},
		InTests: map[string][]string{"example.org/db": {"mime"}},
	}
	for _, tt := range []struct {
		name, file, src string
		want            string // part of the one message; empty: all is well
	}{
		{"down", "store/a.go", `import _ "m/words"`, ""},
		{"two floors down", "cmd/app/a.go", `import _ "m/words"`, ""},
		{"up", "store/a.go", `import _ "m/poll"`, "store/a.go:2: store (floor 2) imports poll (floor 3): imports go down only"},
		{"neighbour", "store/a.go", `import _ "m/mime"`, "imports go down only"},
		{"allowed neighbour", "dial/a.go", `import _ "m/words"`, ""},
		{"only", "poll/a.go", `import _ "m/mime"`, ""},
		{"not in only", "poll/a.go", `import _ "m/store"`, "may know mime alone"},
		{"only leaves floor 1 open", "poll/a.go", `import _ "m/dial"`, ""},
		{"std imports project", "words/a.go", `import _ "m/dial"`, "standard library alone"},
		{"std imports library", "words/a.go", `import _ "example.org/db"`, "belongs to store"},
		{"std", "words/a.go", `import _ "net/url"`, ""},
		{"pure opens files", "words/a.go", `import _ "os"`, "works on values alone"},
		{"pure starts a goroutine", "mime/a.go", `func f() { go f() }`, "starts a goroutine"},
		{"goroutine elsewhere", "store/a.go", `func f() { go f() }`, ""},

		{"unknown package", "stray/a.go", ``, "package stray has no row"},
		{"unknown root package", "a_test.go", ``, "package . has no row"},
		{"import of an unknown package", "cmd/app/a.go", `import _ "m/stray"`, "package stray has no row"},
		{"another module with our name as prefix", "store/a.go", `import _ "m.example.org/stray"`, "module without an owner"},

		{"help by cmd", "cmd/app/a.go", `import _ "m/internal/x"`, ""},
		{"help by another", "store/a.go", `import _ "m/internal/x"`, "for cmd and tests"},
		{"help by a test", "store/a_test.go", `import _ "m/internal/x"`, ""},
		{"help uses the house", "internal/x/a.go", `import _ "m/poll"`, ""},
		{"help uses cmd", "internal/x/a.go", `import _ "m/cmd/app"`, "nothing imports a command"},
		{"fixture by cmd", "cmd/app/a.go", `import _ "m/fixture"`, "tests alone"},
		{"fixture by a test", "poll/a_test.go", `import _ "m/fixture"`, ""},

		{"owner", "store/a.go", `import _ "example.org/db/v5/pool"`, ""},
		{"not the owner", "poll/a.go", `import _ "example.org/db/v5/pool"`, "belongs to store"},
		{"test of the owner", "store/a_test.go", `import _ "example.org/db"`, ""},
		{"test of another", "poll/a_test.go", `import _ "example.org/db"`, "belongs to store"},
		{"guest in tests", "mime/a_test.go", `import _ "example.org/db/v5"`, ""},
		{"guest outside tests", "mime/a.go", `import _ "example.org/db/v5"`, "belongs to store"},
		{"longest row wins", "mime/a.go", `import _ "example.org/db/tool/x"`, ""},
		{"a prefix ends at a segment", "store/a.go", `import _ "example.org/dbx"`, "module without an owner"},
		{"test library", "poll/a_test.go", `import _ "example.org/diff"`, ""},
		{"test library outside tests", "poll/a.go", `import _ "example.org/diff"`, "test files alone"},
		{"library without owner", "store/a.go", `import _ "example.org/new"`, "name its owner"},
		{"cgo", "store/a.go", `import "C"`, "cgo is not allowed"},
		{"dot import", "store/a.go", `import . "m/words"`, "hides where names come from"},

		{"test of the same floor", "store/a_test.go", `import _ "m/mime"`, ""},
		{"test looks up", "store/a_test.go", `import _ "m/poll"`, "belongs up there"},
		{"external test", "store/a_test.go", `import _ "m/store"`, ""},

		{"environment", "store/a.go", `import "os"; var x = os.Getenv("X")`, "uses os.Getenv"},
		{"environment under another name", "store/a.go", `import sys "os"; var x, _ = sys.LookupEnv("X")`, "uses sys.LookupEnv"},
		{"environment in cmd", "cmd/app/a.go", `import "os"; var x = os.Getenv("X")`, ""},
		{"environment in internal", "internal/x/a.go", `import "os"; var x = os.Getenv("X")`, ""},
		{"environment in a test", "store/a_test.go", `import "os"; var x = os.Getenv("X")`, ""},
		{"files are not environment", "store/a.go", `import "os"; var x = os.Open`, ""},
		{"exit", "poll/a.go", `import "os"; func f() { os.Exit(1) }`, "uses os.Exit"},
		{"fatal", "poll/a.go", `import "log"; func f() { log.Fatal() }`, "uses log.Fatal"},
		{"flag", "store/a.go", `import "flag"; var x = flag.Arg`, "imports flag"},
		{"flag in cmd", "cmd/app/a.go", `import "flag"; var x = flag.Arg`, ""},

		{"init", "cmd/app/a.go", `func init() {}`, "func init runs wherever"},
		{"init in a test", "store/a_test.go", `func init() {}`, ""},
		{"init method", "store/a.go", `type t int; func (t) init() {}`, ""},

		{"sleep", "store/a.go", `import "time"; func f() { time.Sleep(1) }`, "cannot be woken"},
		{"sleep in a test", "store/a_test.go", `import "time"; func f() { time.Sleep(1) }`, "cannot be woken"},
		{"sleep in a bubble", "store/a_test.go", `import ("time"; "testing/synctest"); func f() { time.Sleep(1); synctest.Wait() }`, ""},
		{"sleep in a helper", "internal/x/a.go", `import "time"; func f() { time.Sleep(1) }`, ""},
		{"sleep in a helper's test", "internal/x/a_test.go", `import "time"; func f() { time.Sleep(1) }`, "cannot be woken"},
		{"sleep of another", "store/a.go", `import "m/words"; func f() { words.Sleep() }`, ""},

		{"testdata", "store/testdata/a.go", `import _ "m/poll"`, ""},
		{"underscore folder", "_old/a.go", `import _ "m/poll"`, ""},
		{"nested module", "nested/sub/a.go", `import _ "example.org/new"`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			tree := fstest.MapFS{
				tt.file:         {Data: []byte("package p\n" + tt.src + "\n")},
				"nested/go.mod": {Data: []byte("module nested\n")},
				"README.md":     {Data: []byte("not Go")},
			}
			report, err := Check(tree, "m", table)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.want == "" && len(report.Broken) != 0:
				t.Errorf("got %q, want nothing", report.Broken)
			case tt.want != "" && (len(report.Broken) != 1 || !strings.Contains(report.Broken[0], tt.want)):
				t.Errorf("got %q, want one message with %q", report.Broken, tt.want)
			}
		})
	}
}

func TestCheckLeavesGeneratedCodeItsInit(t *testing.T) {
	t.Parallel()
	table := Table{Packages: map[string]Row{"words": {Floor: 1}}}
	for head, want := range map[string]int{"// Code generated by protoc-gen-go. DO NOT EDIT.\n\n": 0, "// Written by hand.\n\n": 1} {
		report, err := Check(fstest.MapFS{"words/a.go": {Data: []byte(head + "package words\n\nfunc init() {}\n")}}, "m", table)
		if err != nil || len(report.Broken) != want {
			t.Errorf("%q: got %q, %v, want %d messages", head, report.Broken, err, want)
		}
	}
}

func TestCheckReportsUnusedRows(t *testing.T) {
	t.Parallel()
	table := Table{
		Packages:  map[string]Row{"store": {Floor: 2}, "later": {Floor: 2}},
		Libraries: map[string][]string{"example.org/db": {"store"}},
	}
	report, err := Check(fstest.MapFS{"store/a.go": {Data: []byte("package store\n")}}, "m", table)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(append(report.Broken, report.Unused...), "\n")
	want := "package later has a row and no files\npackage store may import example.org/db and does not"
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestCheckRefusesWhatDoesNotParse(t *testing.T) {
	t.Parallel()
	if _, err := Check(fstest.MapFS{"store/a.go": {Data: []byte("package")}}, "m", House()); err == nil {
		t.Error("Check accepted a file that is not Go")
	}
}

// The tables themselves: a typing mistake in a list would make a rule that never bites.
func TestHouseNamesExist(t *testing.T) {
	t.Parallel()
	table := House()
	known := func(where string, names []string) {
		for _, name := range names {
			if _, ok := table.Packages[name]; !ok {
				t.Errorf("%s names %s, which has no row", where, name)
			}
		}
	}
	for name, row := range table.Packages {
		known("Beside of "+name, row.Beside)
		known("Only of "+name, row.Only)
	}
	for prefix, owners := range table.Libraries {
		known("the owner of "+prefix, owners)
	}
	for prefix, guests := range table.InTests {
		known("the tests with "+prefix, guests)
		if _, ok := table.Libraries[prefix]; !ok {
			t.Errorf("InTests names %s, which has no owner", prefix)
		}
	}
}
