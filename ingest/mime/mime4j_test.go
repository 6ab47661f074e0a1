package mime

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// mime4jExceptions are the expected files that do not agree with our parts, with the reason why ours are right.
var mime4jExceptions = map[string]string{
	"frag_decoded_1_2_1_2_1_2_1_2.bin":                    "the message ends inside a base64 group: its whole octets are kept, two more than expected",
	"multi-frag_decoded_1_3_2.bin":                        "the boundary is missing behind the image: the text there is no base64, BASE64_TRAILING",
	"hdr-fakeout_decoded_1.txt":                           "a line of one space between header and body: the body is shown, not taken for header",
	"basic-plain-with-bad-header-separator_decoded_1.txt": "the same: more of the body is shown",
	"malformedHeader-noheader_decoded_1.txt":              "text without header is shown, not taken for header",
	"missing-inner-boundary_decoded_1_2_1.txt":            "a multipart without boundary: its text is shown, not left out",
	"ending-boundaries_decoded_1_1.txt":                   "text behind a boundary: the line is no boundary, and the part is longer",
	"very-long-boundary_decoded_1_1.txt":                  "a boundary that ends in white space: white space at the end of a line says nothing, so that there is one more part",
	"very-very-long-boundary_decoded_1_1.txt":             "the same",
	"weird-boundary_decoded_1_1.txt":                      "the same",
	"weird-boundary.xml":                                  "the same",
	"very-long-boundary.xml":                              "the same",
	"badbound.xml":                                        "a boundary that is folded is never found: the text is shown, not left out",
	"missing-boundary.xml":                                "a multipart without boundary: its text is shown, not left out",
	"missing-inner-boundary.xml":                          "the same",
}

// mime4j decodes each of its test messages into parts. Every one must be among ours, octet by octet; since mime4j makes CRLF
// of the line ends of quoted-printable, line ends are not compared. It also writes down what it meets: the trees must have as
// many multiparts and leaves.
func TestMime4j(t *testing.T) {
	for what, s := range map[string]score{"parts": measureMime4j(t, corpusDir(t)), "trees": measureTrees(t, corpusDir(t))} {
		t.Logf("%d messages, %d %s: %d equal, %d differ with good reason", s.messages, s.total, what, s.equal, s.explained)
	}
}

func measureTrees(t *testing.T, dir string) (s score) {
	files, err := filepath.Glob(filepath.Join(dir, "mime4j", "expected", filepath.FromSlash("core/src/test/resources/*/*.xml")))
	if err != nil || len(files) == 0 {
		t.Fatalf("no expected trees: %v", err)
	}
	for _, file := range files {
		name := filepath.Base(file)
		raw, err := os.ReadFile(mime4jMessage(strings.TrimSuffix(file, ".xml")))
		if os.IsNotExist(err) {
			continue // the tree of a message that the corpus left out, or after decoding
		}
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m := Parse(bytes.NewReader(raw), int64(len(raw)), Options{})
		leaves, packed := 0, "\x00"
		for _, p := range m.Parts {
			if !isMessage(p.ContentType) && !strings.HasPrefix(p.Path, packed) {
				leaves++
				packed = p.Path + "." // others do not look into it
			}
		}
		s.messages++
		s.total++
		s.count(t, name, len(m.Multiparts) == bytes.Count(want, []byte("<multipart>")) && leaves == bytes.Count(want, []byte("<body>")))
	}
	return s
}

// mime4jMessage is the message that an expected file belongs to; base is the file without what its name adds.
func mime4jMessage(base string) string {
	sep := string(filepath.Separator)
	return strings.Replace(base, sep+"expected"+sep, sep+"msg"+sep, 1) + ".msg"
}

// count adds the result for an expected file.
func (s *score) count(t *testing.T, name string, equal bool) {
	t.Helper()
	switch reason := mime4jExceptions[name]; {
	case equal && reason != "":
		t.Errorf("%s is equal now: take it out of the exceptions", name)
	case equal:
		s.equal++
	case reason != "":
		s.explained++
	default:
		t.Errorf("%s: does not agree with our parts", name)
	}
}

func measureMime4j(t *testing.T, dir string) (s score) {
	dir = filepath.Join(dir, "mime4j")
	files, err := filepath.Glob(filepath.Join(dir, "expected", filepath.FromSlash("core/src/test/resources/*/*_decoded_1*")))
	if err != nil || len(files) == 0 {
		t.Fatalf("no expected parts: %v", err)
	}
	parts := map[string]map[string]bool{} // by message
	for _, file := range files {
		message := mime4jMessage(file[:strings.LastIndex(file, "_decoded_1")])
		if parts[message] == nil {
			raw, err := os.ReadFile(message)
			if os.IsNotExist(err) {
				continue // a copy of another message, which the corpus left out
			}
			if err != nil {
				t.Fatal(err)
			}
			s.messages++
			parts[message] = partOctets(t, raw)
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		s.total++
		s.count(t, filepath.Base(file), parts[message][unixLines(string(want))])
	}
	return s
}

// partOctets are the decoded octets of all parts, line ends made LF.
func partOctets(t *testing.T, raw []byte) map[string]bool {
	t.Helper()
	all := map[string]bool{}
	for _, p := range Parse(bytes.NewReader(raw), int64(len(raw)), Options{}).Parts {
		var octets bytes.Buffer
		if _, found, err := Extract(bytes.NewReader(raw), int64(len(raw)), p.Path, Options{}, &octets); !found || err != nil {
			t.Error(fmt.Errorf("part %s: found %v, error %w", p.Path, found, err))
		}
		all[unixLines(octets.String())] = true
	}
	return all
}
