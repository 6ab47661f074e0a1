package mime

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

const invitation = "BEGIN:VCALENDAR\nVERSION:2.0\nBEGIN:VEVENT\nUID:1@example.com\nSUMMARY:B\xc3\xbc\n ro\nDTSTART;TZID=Europe/Berlin:20260602T140000\nDTEND;TZID=Europe/Berlin:20260602T150000\n" +
	"ORGANIZER;CN=Ann:mailto:ann@example.com\nEND:VEVENT\nEND:VCALENDAR\n"

func TestInvitation(t *testing.T) {
	t.Parallel()
	invite := &ingest.Invite{
		Method: "REQUEST", UID: "1@example.com", Summary: "Büro", Organizer: ingest.Address{Name: "Ann", Email: "ann@example.com"}, Timezone: "Europe/Berlin",
		Start: time.Date(2026, 6, 2, 12, 0, 0, 0, time.UTC), End: time.Date(2026, 6, 2, 13, 0, 0, 0, time.UTC),
		Text: "Invitation: Büro\nWhen: Tue, 2 Jun 2026 14:00-15:00 (Europe/Berlin)\nOrganizer: Ann <ann@example.com>",
	}
	tests := []struct {
		name  string
		raw   string
		text  string
		parts []string // content type and whether it is body
		none  bool
	}{
		{
			name:  "nothing but an invitation, its method in the header alone",
			raw:   "Subject: x\nContent-Type: text/calendar; charset=utf-8; method=REQUEST\n\n" + invitation,
			text:  invite.Text,
			parts: []string{"text/calendar"},
		},
		{
			name:  "nothing but an invitation, beside an empty text",
			raw:   "Content-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\n  \n--b\nContent-Type: text/calendar; method=REQUEST\n\n" + invitation + "--b--\n",
			text:  invite.Text,
			parts: []string{"text/plain body", "text/calendar"},
		},
		{
			name: "text and HTML beside it, the same again as a file",
			raw: "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/alternative; boundary=b\n\n--b\nContent-Type: text/plain\n\nPlease come\n" +
				"--b\nContent-Type: text/calendar; method=REQUEST\n\n" + invitation + "--b--\n--a\nContent-Type: application/ics; name=invite.ics\n\n" +
				strings.Replace(invitation, "UID:1", "UID:2", 1) + "--a--\n",
			text:  "Please come",
			parts: []string{"text/plain body", "text/calendar", "application/ics"},
		},
		{
			name: "ISO-8859-1, and a part that is no calendar before it",
			raw: "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/calendar\n\nsee below\n--b\nContent-Type: application/octet-stream; name=\"Invite.ICS\"; charset=iso-8859-1; method=request\n\n" +
				strings.ReplaceAll(invitation, "\xc3\xbc", "\xfc") + "--b--\n",
			text:  invite.Text,
			parts: []string{"text/calendar", "application/octet-stream"},
		},
		{
			name:  "inside an attached message it belongs to that one",
			raw:   "Content-Type: multipart/mixed; boundary=b\n\n--b\n\nsee below\n--b\nContent-Type: message/rfc822\n\nContent-Type: text/calendar; method=REQUEST\n\n" + invitation + "--b--\n",
			text:  "see below",
			parts: []string{"text/plain body", "message/rfc822", "text/calendar"},
			none:  true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, end := range []string{"\n", "\r\n"} {
				raw := strings.ReplaceAll(tt.raw, "\n", end)
				m := Parse(strings.NewReader(raw), int64(len(raw)), Options{})
				want := invite
				if tt.none {
					want = nil
				}
				if diff := cmp.Diff(m.Calendar, want); diff != "" {
					t.Errorf("-got +want:\n%s", diff)
				}
				if got := strings.TrimSpace(m.Text); got != tt.text {
					t.Errorf("text is %q, want %q", got, tt.text)
				}
				var parts []string
				for _, p := range m.Parts {
					if p.Body {
						p.ContentType += " body"
					}
					parts = append(parts, p.ContentType)
				}
				if diff := cmp.Diff(parts, tt.parts); diff != "" {
					t.Errorf("-got +want:\n%s", diff)
				}
			}
		})
	}
}

// A calendar that is longer than what is looked at is read as far as that goes.
func TestInvitationCut(t *testing.T) {
	t.Parallel()
	raw := "Content-Type: text/calendar; charset=utf-8\n\n" + strings.Replace(invitation, "SUMMARY", "DESCRIPTION:"+strings.Repeat("ü", 200<<10)+"\nSUMMARY", 1)
	raw = strings.Replace(raw, "BEGIN:VEVENT\n", "METHOD:REQUEST\nBEGIN:VEVENT\n", 1)
	m := Parse(strings.NewReader(raw), int64(len(raw)), Options{})
	if m.Calendar == nil || m.Calendar.Method != "REQUEST" || m.Calendar.UID != "1@example.com" || m.Calendar.Defect == "" {
		t.Errorf("got %+v", m.Calendar)
	}
}

// The invitations of the corpus are found, each with what stands in it.
func TestInvitationCorpus(t *testing.T) {
	dir := corpusDir(t)
	for path, want := range map[string]string{
		"postal-mime/msg/test/fixtures/calendar-event.eml":           "REQUEST Test event ⏰ 2024-04-11T11:00:00+03:00",
		"rspamd/msg/test/functional/messages/alt-html-calendar.eml":  "REQUEST Team Meeting 2024-01-01T10:00:00Z",
		"rspamd/msg/test/functional/messages/ics.eml":                "PUBLISH http://test.com 2019-11-22T09:00:00+03:00",
		"notmuch/msg/test/corpora/attachment/text-calendar.eml":      "REQUEST test [In-person] 2024-05-27T14:00:00-03:00",
		"enmime/msg/testdata/parts/unquoted-ctype-param-special.raw": "",
	} {
		raw, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			t.Fatal(err)
		}
		m := Parse(strings.NewReader(string(raw)), int64(len(raw)), Options{})
		got := ""
		if c := m.Calendar; c != nil {
			got = c.Method + " " + c.Summary + " " + c.Start.Format(time.RFC3339)
			t.Logf("%s\n%s\n%s", path, c.Text, c.Defect)
		}
		if got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
