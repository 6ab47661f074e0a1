package mime

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/internal/corpus"
)

// agreed is one line of agreed.jsonl: what two independent parsers say about a message. A field is in Truth only where
// they agree.
type agreed struct {
	Path  string                     `json:"path"`
	Kind  string                     `json:"kind"`
	Truth map[string]json.RawMessage `json:"truth"`
}

// The corpus test compares, per field on which two other parsers agree, what Parse says:
//
//   - subject, from_name, attachment names: white space collapsed
//   - from, to: addr-specs in lower case, in order
//   - date: in UTC, to the second
//   - message_id, in_reply_to, references: without brackets
//   - text_first: the SHA-256 of the text/plain body, white space collapsed; truth has the first text part, Mail.Text has
//     all of them, so that it counts as equal when ours begins with it (200 characters are known) or hashes to it
//   - text: as text_first, hash only; where truth says that there is no plain text, ours must be empty or come from HTML
//   - html: whether there is an HTML body
//   - attachment_*: the parts that are no body, not counting what lies inside an attached message or is packed in a part;
//     sorted, as truth is
//
// Every difference must be listed in corpusExceptions with its reason, and floors lie a little below what is reached.
// MAILINTAKE_CORPUS_DIFF=subject (or another field, or all) prints the differences; -table writes docs/corpus.md anew.
func TestCorpus(t *testing.T) {
	dir := corpus.Dir(t)
	floors := map[string]float64{ // per cent equal, or more than the others show
		"attachment_count": 99.5, "attachment_names": 99.5, "attachment_sha256": 99.6, "attachment_types": 99.8, "attachments": 99.7,
		"attachments_core": 99.8, "date": 99.8, "from": 99.9, "from_name": 99.9, "html": 100, "in_reply_to": 100, "message_id": 100,
		"references": 100, "subject": 99.7, "text": 99.5, "text_first": 99.6, "to": 100,
	}
	scores, messages := measureCorpus(t, dir)
	for field, s := range scores {
		if floor, known := floors[field]; !known || s.percent() < floor {
			t.Errorf("%s: %.2f %% is below the floor of %.2f %%", field, s.percent(), floor)
		}
	}
	corpus.Section(t, *table, "mime", corpusTable(scores, messages, measureMime4j(t, dir), measureTrees(t, dir)))
}

// score counts what is equal to what others say, and what differs with good reason.
type score struct {
	equal     int
	more      int // others show nothing, less of the text, or a replacement character
	explained int
	total     int
	messages  int
}

func (s score) percent() float64 { return 100 * float64(s.equal+s.more) / float64(s.total) }

func measureCorpus(t *testing.T, dir string) (scores map[string]*score, messages int) {
	exceptions := make(map[string]string)
	for _, e := range corpusExceptions() {
		for _, place := range e.places() {
			exceptions[place] = e.reason
		}
	}
	scores = map[string]*score{}
	f, err := os.Open(filepath.Join(dir, "agreed.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	verbose := os.Getenv("MAILINTAKE_CORPUS_DIFF")
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var a agreed
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			t.Fatal(err)
		}
		if a.Kind != "message" {
			continue
		}
		raw, err := os.ReadFile(filepath.Join(dir, a.Path))
		if err != nil {
			t.Fatal(err)
		}
		messages++
		m := Parse(bytes.NewReader(raw), int64(len(raw)), Options{})
		checkSane(t, a.Path, raw, m)
		if !raceEnabled || messages%10 == 0 { // each part is a parse of its own
			checkExtract(t, a.Path, raw, m)
		}
		for field, want := range a.Truth {
			got, equal := compareField(t, field, want, m)
			s := scores[field]
			if s == nil {
				s = new(score)
				scores[field] = s
			}
			s.total++
			place := a.Path + " " + field
			reason, explained := exceptions[place]
			delete(exceptions, place)
			switch {
			case equal && explained:
				t.Errorf("%s is equal now: take it out of the exceptions", place)
			case equal:
				s.equal++
			case explained:
				if showsMore(field, want, m) {
					s.more++
				} else {
					s.explained++
				}
				if verbose == field || verbose == "all" {
					t.Logf("%s: %s\n got  %.600s\n want %.600s", place, reason, got, want)
				}
			default:
				t.Errorf("%s\n got  %.600s\n want %.600s", place, got, want)
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	for place := range exceptions {
		t.Errorf("an exception for %s, which is not compared", place)
	}
	return scores, messages
}

// showsMore tells a difference in which we show all that the others show, and more: text where they show none, a
// character where they show that it is missing, or a file where they show it encoded in the text.
func showsMore(field string, want json.RawMessage, m *ingest.Mail) bool {
	switch field {
	case "html":
		return m.HasHTML
	case "text", "text_first":
		if string(want) == "null" {
			return m.Text != ""
		}
		var truth struct{ First200 string }
		if json.Unmarshal(want, &truth) != nil || strings.TrimLeft(truth.First200, "\uFFFD") == "" {
			return false
		}
		if whole := len(truth.First200) < 200; whole && strings.Contains(collapse(m.Text), truth.First200) {
			return true
		}
		// A uuencoded file is a part of its own and stands in the text no more; what comes before it does.
		if before, _, _ := strings.Cut(truth.First200, "begin 6"); hasDefect(m, Uuencoded) && strings.HasPrefix(collapse(m.Text), collapse(before)) {
			return true
		}
		// Octet by octet the charsets differ in what they make of one, so that only what both can read is compared.
		got := []rune(collapse(m.Text))
		replaced := false
		for i, r := range []rune(truth.First200) {
			if i == len(got) || r != '\uFFFD' && got[i] != r {
				return false
			}
			replaced = replaced || r == '\uFFFD' && got[i] != r
		}
		return replaced
	}
	return false
}

func hasDefect(m *ingest.Mail, code string) bool {
	return slices.ContainsFunc(m.Defects, func(d ingest.Defect) bool { return d.Code == code })
}

// compareField gives our value in the form of agreed.jsonl and whether it equals want.
func compareField(t *testing.T, field string, want json.RawMessage, m *ingest.Mail) (got string, equal bool) {
	var value any
	switch field {
	case "subject":
		if value = collapse(m.Subject); value == "" && string(want) == "null" {
			return "", true // Mail does not tell an empty subject from none
		}
	case "from":
		value = emails(m.From)
	case "from_name":
		names := []string{}
		for _, a := range m.From {
			if a.Email != "" {
				names = append(names, collapse(a.Name))
			}
		}
		value = names
	case "to":
		value = emails(m.To)
	case "date":
		if !m.Date.IsZero() {
			value = m.Date.UTC().Format(time.RFC3339)
		}
	case "message_id":
		value = m.MessageID
		if m.MessageID == "" && string(want) == "null" {
			value = nil
		}
	case "in_reply_to":
		value = append([]string{}, m.InReplyTo...)
	case "references":
		value = append([]string{}, m.References...)
	case "html":
		value = m.HasHTML
	case "text", "text_first":
		return compareText(t, field, want, m)
	default:
		value = attachmentField(field, m)
	}
	encoded, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var a, b any
	if err := json.Unmarshal(encoded, &a); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(want, &b); err != nil {
		t.Fatal(err)
	}
	x, _ := json.Marshal(a)
	y, _ := json.Marshal(b)
	return string(x), bytes.Equal(x, y)
}

func compareText(t *testing.T, field string, want json.RawMessage, m *ingest.Mail) (string, bool) {
	var truth *struct {
		SHA256   string `json:"sha256"`
		First200 string `json:"first200"`
	}
	if err := json.Unmarshal(want, &truth); err != nil {
		t.Fatal(err)
	}
	plain := false
	for _, p := range m.Parts {
		plain = plain || p.Body && p.ContentType == "text/plain"
	}
	text := collapse(m.Text)
	if truth == nil { // no plain text; ours may come from HTML
		return fmt.Sprintf("%.200q", text), text == "" || m.HasHTML
	}
	sum := sha256.Sum256([]byte(text))
	if hex.EncodeToString(sum[:]) == truth.SHA256 || m.TextCut && strings.HasPrefix(text, truth.First200) {
		return "", true
	}
	if field == "text_first" && truth.First200 != "" && strings.HasPrefix(text, truth.First200) {
		return "", true
	}
	return fmt.Sprintf("%.400s", text), false
}

func attachmentField(field string, m *ingest.Mail) any {
	var list []ingest.Part
	inside := "\x00"
	for _, p := range m.Parts {
		if strings.HasPrefix(p.Path, inside) {
			continue // in a message, or packed in the part before
		}
		inside = p.Path + "."
		if !p.Body {
			list = append(list, p)
		}
	}
	strs := func(f func(ingest.Part) string) []string {
		out := []string{}
		for _, p := range list {
			out = append(out, f(p))
		}
		slices.Sort(out)
		return out
	}
	switch field {
	case "attachment_count":
		return len(list)
	case "attachment_names":
		return strs(func(p ingest.Part) string { return collapse(p.Filename) })
	case "attachment_types":
		return strs(func(p ingest.Part) string { return p.ContentType })
	case "attachment_sha256":
		return strs(func(p ingest.Part) string { return p.SHA256 })
	}
	core := [][4]any{}
	for _, p := range list {
		if field == "attachments_core" && (strings.HasPrefix(p.ContentType, "message/") || p.ContentType == "text/rfc822-headers") {
			continue
		}
		core = append(core, [4]any{collapse(p.Filename), p.ContentType, p.SHA256, p.Size})
	}
	slices.SortFunc(core, func(a, b [4]any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return core
}

func emails(list []ingest.Address) []string {
	out := []string{}
	for _, a := range list {
		if a.Email != "" {
			out = append(out, strings.ToLower(a.Email))
		}
	}
	return out
}

func collapse(s string) string { return strings.Join(strings.Fields(s), " ") }
