package mime

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/internal/corpus"
)

// expected is what Sisimai says about one recipient of a message.
type expected struct {
	Status       string `json:"status"`
	ReplyCode    string `json:"reply_code"`
	Reason       string `json:"reason"`
	Hard         bool   `json:"hard_bounce"`
	FeedbackType string `json:"feedback_type"`
}

// ourReason gives our word for a reason of Sisimai's.
func ourReason(reason string) string {
	if ours, ok := map[string]string{
		"authfailure": "auth_failure", "badreputation": "bad_reputation", "contenterror": "content_error", "exceedlimit": "length_limit",
		"hasmoved": "moved", "hostunknown": "host_unknown", "mailboxfull": "mailbox_full", "mailererror": "mailer_error", "mesgtoobig": "message_too_big",
		"networkerror": "network_error", "norelaying": "relaying_denied", "notaccept": "not_accepting", "notcompliantrfc": "not_compliant", "onhold": "on_hold",
		"policyviolation": "policy_violation", "rejected": "sender_rejected", "requireptr": "no_ptr", "securityerror": "security_error", "spamdetected": "spam_detected",
		"speeding": "too_fast", "suspend": "suspended", "syntaxerror": "syntax_error", "systemerror": "system_error", "systemfull": "system_full",
		"toomanyconn": "too_many_connections", "userunknown": "user_unknown", "virusdetected": "virus_detected",
	}[reason]; ok {
		return ours
	}
	return reason
}

func parseCorpusFile(t testing.TB, path string) *ingest.Mail {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return Parse(bytes.NewReader(raw), int64(len(raw)), Options{})
}

// TestCorpusBounces compares what is made of the bounces of Sisimai's collection with what Sisimai says about them:
//
//   - class: BOUNCE; COMPLAINT where the reason is feedback, AUTO_REPLY where it is vacation
//   - recipients: their number; and of each that it is an address of the message and neither the sender of the notice nor
//     whom the notice went to (unless that is the only one)
//   - status, reply, hard, reason: of all recipients, in the order of the notice
//   - status given: the same without the codes that Sisimai made itself because the message gives none
//
// Every difference must be listed in bounceExceptions with its reason, and floors lie a little below what is reached.
// MAILINTAKE_CORPUS_DIFF=status (or another column, or all) prints the differences.
func TestCorpusBounces(t *testing.T) {
	t.Parallel()
	dir := corpus.Dir(t)
	raw, err := os.ReadFile(filepath.Join(dir, "sisimai", "expected", "reasons.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Messages map[string][]expected `json:"messages"`
	}
	if err := json.Unmarshal(raw, &file); err != nil {
		t.Fatal(err)
	}
	names := make([]string, 0, len(file.Messages))
	for name := range file.Messages {
		names = append(names, name)
	}
	slices.Sort(names)
	columns := []string{"class", "recipients", "address", "status", "status given", "reply", "hard", "reason", "feedback type"}
	floors := map[string]float64{ // per cent equal
		"class": 99.5, "recipients": 99, "address": 98.3, "status": 95, "status given": 98, "reply": 98.5, "hard": 96, "reason": 92.5, "feedback type": 100,
	}
	exceptions := bounceExceptions()
	type score struct{ equal, total int }
	scores := make(map[string]*score)
	for _, c := range columns {
		scores[c] = new(score)
	}
	verbose := os.Getenv("MAILINTAKE_CORPUS_DIFF")
	for _, name := range names {
		want := file.Messages[name]
		path := filepath.Join(dir, "sisimai", "msg", name)
		m := parseCorpusFile(t, path)
		compare := func(column, got, want string) {
			s := scores[column]
			s.total++
			place := name + " " + column
			reason, explained := exceptions[place]
			delete(exceptions, place)
			if got == want {
				s.equal++
				if explained {
					t.Errorf("%s is equal now: take it out of the exceptions", place)
				}
				return
			}
			if verbose == column || verbose == "all" {
				diagnostic := ""
				if m.Bounce != nil && len(m.Bounce.Recipients) > 0 {
					diagnostic = fmt.Sprintf("\n     %v", m.Bounce.Recipients)
				}
				t.Logf("%s\n got  %s\n want %s\n %s%.900s", place, got, want, reason, diagnostic)
			}
			if !explained {
				t.Errorf("%s: got %s, want %s", place, got, want)
			}
		}
		wantClass := ingest.ClassBounce
		switch want[0].Reason {
		case "feedback":
			wantClass = ingest.ClassComplaint
		case "vacation":
			wantClass = ingest.ClassAutoReply
		}
		compare("class", string(m.Class), string(wantClass))
		if wantClass == ingest.ClassAutoReply {
			continue
		}
		b := m.Bounce
		if b == nil {
			b = new(ingest.Bounce)
		}
		compare("recipients", fmt.Sprint(len(b.Recipients)), fmt.Sprint(len(want)))
		if wantClass == ingest.ClassComplaint {
			compare("feedback type", b.FeedbackType, want[0].FeedbackType)
			continue
		}
		var got, wanted [5][]string
		pseudo := func(s string) string {
			if len(s) == 7 && s[1:5] == ".0.9" {
				return "none"
			}
			return s
		}
		for _, r := range b.Recipients {
			for i, v := range []string{r.Status, pseudo(r.Status), r.ReplyCode, fmt.Sprint(r.Hard), r.Reason} {
				got[i] = append(got[i], v)
			}
			compare("address", implausible(m, r.Address, path), "")
		}
		for _, e := range want {
			for i, v := range []string{e.Status, pseudo(e.Status), e.ReplyCode, fmt.Sprint(e.Hard), ourReason(e.Reason)} {
				wanted[i] = append(wanted[i], v)
			}
		}
		for i, column := range []string{"status", "status given", "reply", "hard", "reason"} {
			compare(column, strings.Join(got[i], " "), strings.Join(wanted[i], " "))
		}
	}
	for place := range exceptions {
		t.Errorf("an exception for %s, which is not compared", place)
	}
	var text strings.Builder
	fmt.Fprintf(&text, "| column | equal | of | per cent |\n|---|---:|---:|---:|\n")
	for _, c := range columns {
		s := scores[c]
		percent := 100 * float64(s.equal) / float64(max(s.total, 1))
		fmt.Fprintf(&text, "| %s | %d | %d | %.1f |\n", c, s.equal, s.total, percent)
		if percent < floors[c] {
			t.Errorf("%s: %.2f %% is below the floor of %.2f %%", c, percent, floors[c])
		}
	}
	corpus.Section(t, *table, "bounces", text.String())
}

// implausible says what is wrong with an address as that of a failed recipient; nothing if it may be one.
func implausible(m *ingest.Mail, address, path string) string {
	raw, _ := os.ReadFile(path)
	switch {
	case address == "":
		return "empty"
	case m.Text != "" && !bytes.Contains(bytes.ToLower(raw), []byte(strings.ToLower(address))) && !strings.Contains(m.Text, address):
		return "not in the message: " + address
	case len(m.From) > 0 && strings.EqualFold(m.From[0].Email, address):
		return "the sender of the notice: " + address
	case len(m.To) > 0 && strings.EqualFold(m.To[0].Email, address):
		return "whom the notice went to: " + address
	}
	return ""
}
