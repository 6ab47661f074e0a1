package calendar

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

// checkSane holds what is true of every invitation.
func checkSane(t *testing.T, raw []byte, v *ingest.Invite) {
	t.Helper()
	if v == nil {
		return
	}
	encoded, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("%v", err)
	}
	for _, s := range append([]string{v.Method, v.UID, v.Summary, v.Location, v.Organizer.Name, v.Organizer.Email, v.Recurs, v.Status, v.Defect, v.Text, v.Timezone}, names(v)...) {
		if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
			t.Fatalf("not UTF-8 without NUL: %.80q", s)
		}
	}
	if v.Text == "" || len(v.Text) > 64<<10 || len(encoded) > 512<<10 || len(v.Attendees) > maxAttendees {
		t.Fatalf("%d octets of text, %d of JSON, %d attendees", len(v.Text), len(encoded), len(v.Attendees))
	}
	if diff := cmp.Diff(Parse(raw, "REQUEST"), v); diff != "" {
		t.Fatalf("parsed again, it says something else: %s", diff)
	}
}

func names(v *ingest.Invite) []string {
	var list []string
	for _, a := range v.Attendees {
		list = append(list, a.Name, a.Email)
	}
	return list
}

func TestHostile(t *testing.T) {
	t.Parallel()
	event := func(s string) string {
		return "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\n" + s + "END:VEVENT\r\nEND:VCALENDAR\r\n"
	}
	rep := strings.Repeat
	for name, raw := range map[string]string{
		"one long parameter":      event("ATTENDEE;CN=" + rep("x", 1<<18) + ":mailto:a@b.c\r\n"),
		"many parameters":         event("ATTENDEE" + rep(";a=b", 1<<16) + ":c\r\n"),
		"many folds":              event("DESCRIPTION:" + rep("\r\n x", 1<<17)),
		"many soft breaks":        event("SUMMARY;ENCODING=QUOTED-PRINTABLE:" + rep("a=\r\n", 1<<16)),
		"nothing but soft":        event("SUMMARY;ENCODING=QUOTED-PRINTABLE:" + rep("=\r\n", 1<<16)),
		"many lines without name": event("SUMMARY:x\r\n" + rep("a\r\n", 1<<16)),
		"deep":                    rep("BEGIN:X\r\n", 1<<15) + event(""),
		"many events":             rep("BEGIN:VEVENT\r\nDTSTART:20260101T100000\r\n", 1<<13),
		"many attendees":          event(rep("ATTENDEE:mailto:a@b.c\r\n", 1<<14)),
		"many zones":              rep("BEGIN:VTIMEZONE\r\nTZID:x\r\nBEGIN:STANDARD\r\nTZOFFSETTO:+0100\r\n", 1<<12) + event("DTSTART;TZID=x:20260101T100000\r\n"),
		"many observances":        "BEGIN:VTIMEZONE\r\nTZID:x\r\n" + rep("BEGIN:STANDARD\r\nRDATE:"+rep("20260101T000000,", 99)+"\r\nTZOFFSETTO:+0100\r\n", 150) + event("DTSTART;TZID=x:20260101T100000\r\n"),
		"semicolons":              rep(";", 1<<20),
		"quotation marks":         event("A;B=" + rep("\"", 1<<18) + ":\r\n"),
		"years":                   event("DTSTART:99991231T235959\r\nDURATION:P5000W\r\n"),
		"year nought":             event("DTSTART:00000101T000000Z\r\n"),
		"octets":                  event("SUMMARY:\xff\x00\xfe\r\nUID:\x00\r\nORGANIZER;CN=\x00\x80:mailto:\xff@\xfe\r\n"),
		"no text":                 event("DTSTART:20261301T250000Z\r\nDTEND:x\r\nDURATION:P\r\nSEQUENCE:-1\r\nRECURRENCE-ID:\r\n"),
		"folded into characters":  event("SUMMARY:\xc3\r\n \xa4\r\n"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			began := time.Now()
			v := Parse([]byte(raw), "REQUEST")
			if took := time.Since(began); took > time.Second {
				t.Errorf("took %v", took)
			}
			checkSane(t, []byte(raw), v)
			if v == nil && name != "semicolons" && name != "deep" {
				t.Error("no calendar")
			}
		})
	}
	if v := Parse([]byte(event("SUMMARY:\xc3\r\n \xa4\r\n")), ""); v.Summary != "ä" {
		t.Errorf("a fold within a character: %q", v.Summary)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("BEGIN:VCALENDAR\r\nMETHOD:REPLY\r\nBEGIN:VEVENT\r\nATTENDEE;CN=\"A\";PARTSTAT=ACCEPTED:mailto:a@b.c\r\nDTSTART;TZID=Europe/Berlin:20260101T100000\r\nDURATION:P1DT1H\r\nRRULE:FREQ=WEEKLY;BYDAY=MO\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"))
	f.Add([]byte("BEGIN:VTIMEZONE\nTZID:x\nBEGIN:STANDARD\nDTSTART:16010101T030000\nTZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\nEND:VTIMEZONE\nBEGIN:VTODO\nDUE;TZID=x:20260101T100000\n"))
	f.Add([]byte("BEGIN:VEVENT\nSUMMARY;ENCODING=QUOTED-PRINTABLE:=C3=\n=A4\nDTSTART;VALUE=DATE:20260101\n"))
	f.Fuzz(func(t *testing.T, raw []byte) { checkSane(t, raw, Parse(raw, "REQUEST")) })
}
