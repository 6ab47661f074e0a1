package tnef

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// corpusDir is the folder of foreign test mail. It lies beside the repository, or where MAILINTAKE_SHARED says.
func corpusDir(t testing.TB) string {
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
	dir := filepath.Join(shared, "corpus", "tnef")
	if _, err := os.Stat(filepath.Join(dir, "expected", "attachments.json")); err != nil {
		t.Skip("no corpus of test mail here: ", err)
	}
	return dir
}

// found is an object with its octets.
type found struct {
	Object
	data []byte
}

// recorder keeps what a decoder hands on.
type recorder struct {
	t     testing.TB
	open  bool
	kind  Kind
	data  []byte
	found []found
}

func (r *recorder) Begin(k Kind) {
	if r.open {
		r.t.Error("an object begins in another")
	}
	r.open, r.kind, r.data = true, k, []byte{}
}

func (r *recorder) Octets(p []byte) {
	if !r.open || len(p) == 0 {
		r.t.Error("octets of no object, or none at all")
	}
	r.data = append(r.data, p...)
}

func (r *recorder) End(o Object) {
	if !r.open || o.Kind != r.kind {
		r.t.Errorf("%v ends, %v had begun", o.Kind, r.kind)
	}
	r.open = false
	r.found = append(r.found, found{o, r.data})
}

// decode reads a stream in pieces of a size.
func decode(t testing.TB, raw []byte, size int) ([]found, Result) {
	r := &recorder{t: t}
	d := NewDecoder(r)
	for part := range slices.Chunk(raw, size) {
		d.Write(part)
	}
	result := d.Finish()
	if r.open {
		t.Error("an object is open at the end")
	}
	return r.found, result
}

// Every file that the reference lists is found with its name, its size and its octets; the reference does not list all,
// since its tests ask for bodies or files. A body has no name in the stream: the reference calls it after the stream.
func TestCorpus(t *testing.T) {
	t.Parallel()
	dir := corpusDir(t)
	var expected map[string][]struct {
		Name, SHA256 string
		Size         int
	}
	list, err := os.ReadFile(filepath.Join(dir, "expected", "attachments.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(list, &expected); err != nil {
		t.Fatal(err)
	}
	for name, want := range expected {
		raw, err := os.ReadFile(filepath.Join(dir, "msg", "tests", "files", "datafiles", name))
		if err != nil {
			t.Fatal(err)
		}
		got, result := decode(t, raw, 1000)
		if result.Damage != "" {
			t.Errorf("%s: %s", name, result.Damage)
		}
		for _, w := range want {
			if !slices.ContainsFunc(got, func(f found) bool {
				sum := sha256.Sum256(f.data)
				title := f.Name
				switch f.Kind {
				case RTF:
					title = strings.TrimSuffix(name, ".tnef") + "-body.rtf"
				case HTML:
					title = strings.TrimSuffix(name, ".tnef") + "-body.html"
				}
				return title == w.Name && len(f.data) == w.Size && hex.EncodeToString(sum[:]) == w.SHA256
			}) {
				t.Errorf("%s: no %s with %d octets", name, w.Name, w.Size)
			}
		}
		for _, f := range got {
			t.Logf("%s: %+v, %d octets", name, f.Object, len(f.data))
		}
		again, _ := decode(t, raw, 1)
		if diff := cmp.Diff(got, again, cmp.AllowUnexported(found{})); diff != "" {
			t.Errorf("%s: differs with the size of the pieces: %.500s", name, diff)
		}
	}
}
