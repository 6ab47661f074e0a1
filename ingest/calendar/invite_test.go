package calendar

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

// crlf makes a calendar of lines as they travel.
func crlf(s string) []byte {
	return []byte(strings.ReplaceAll(strings.TrimLeft(s, "\n"), "\n", "\r\n"))
}

func at(s string) time.Time {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return t
}

// What the programs in use write, with names and addresses replaced.
func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		method string // parameter of Content-Type
		raw    string
		want   *ingest.Invite
	}{
		{
			name: "Outlook: Windows zone, quoted name, LANGUAGE, X- properties",
			raw: `
BEGIN:VCALENDAR
METHOD:REQUEST
PRODID:Microsoft Exchange Server 2010
VERSION:2.0
BEGIN:VTIMEZONE
TZID:W. Europe Standard Time
BEGIN:STANDARD
DTSTART:16010101T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
BEGIN:VEVENT
ORGANIZER;CN="Doe, Ann":MAILTO:ann@example.com
ATTENDEE;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE;CN=Bob:MAILTO:b
 ob@example.com
DESCRIPTION;LANGUAGE=en-US:Agenda:\n\n1. Figures\, costs\;\n
UID:040000008200E00074C5B7101A82E00800000000
SUMMARY;LANGUAGE=en-US:Quarterly review
DTSTART;TZID=W. Europe Standard Time:20260602T140000
DTEND;TZID=W. Europe Standard Time:20260602T150000
CLASS:PUBLIC
PRIORITY:5
DTSTAMP:20260501T080000Z
TRANSP:OPAQUE
STATUS:CONFIRMED
SEQUENCE:0
LOCATION;LANGUAGE=en-US:Room 4
X-MICROSOFT-CDO-APPT-SEQUENCE:0
BEGIN:VALARM
DESCRIPTION:REMINDER
TRIGGER;RELATED=START:-PT15M
ACTION:DISPLAY
END:VALARM
END:VEVENT
END:VCALENDAR
`,
			want: &ingest.Invite{
				Method: "REQUEST", UID: "040000008200E00074C5B7101A82E00800000000", Summary: "Quarterly review", Location: "Room 4",
				Organizer: ingest.Address{Name: "Doe, Ann", Email: "ann@example.com"},
				Attendees: []ingest.Address{{Name: "Bob", Email: "bob@example.com"}},
				Start:     at("2026-06-02T14:00:00+02:00"), End: at("2026-06-02T15:00:00+02:00"), Status: "CONFIRMED", Timezone: "W. Europe Standard Time",
				Text: "Invitation: Quarterly review\nWhen: Tue, 2 Jun 2026 14:00-15:00 (Europe/Berlin)\nWhere: Room 4\n" +
					"Organizer: Doe, Ann <ann@example.com>\nAttendees: Bob <bob@example.com>\n\nAgenda:\n\n1. Figures, costs;",
			},
		},
		{
			name: "Outlook: zone by its title, custom rules only in the calendar",
			raw: `
BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VEVENT
SUMMARY:Call
DTSTART;TZID="Customized Time Zone":20260702T140000
DURATION:PT1H30M
UID:1
END:VEVENT
BEGIN:VTIMEZONE
TZID:Customized Time Zone
BEGIN:STANDARD
DTSTART:16010101T000000
TZOFFSETFROM:+0430
TZOFFSETTO:+0330
RRULE:FREQ=YEARLY;BYDAY=3TU;BYMONTH=9
END:STANDARD
BEGIN:DAYLIGHT
DTSTART:16010101T000000
TZOFFSETFROM:+0330
TZOFFSETTO:+0430
RRULE:FREQ=YEARLY;BYDAY=4SU;BYMONTH=3
END:DAYLIGHT
END:VTIMEZONE
END:VCALENDAR
`,
			want: &ingest.Invite{
				Method: "REQUEST", UID: "1", Summary: "Call", Start: at("2026-07-02T14:00:00+04:30"), End: at("2026-07-02T15:30:00+04:30"),
				Timezone: "Customized Time Zone",
				Text:     "Invitation: Call\nWhen: Thu, 2 Jul 2026 14:00-15:30 (Customized Time Zone)",
			},
		},
		{
			name: "Google: UTC, series, guests beyond need",
			raw: `
BEGIN:VCALENDAR
PRODID:-//Google Inc//Google Calendar 70.9054//EN
VERSION:2.0
CALSCALE:GREGORIAN
METHOD:REQUEST
BEGIN:VEVENT
DTSTART:20240411T080000Z
DTEND:20240411T090000Z
RRULE:FREQ=WEEKLY;INTERVAL=2;BYDAY=TH;COUNT=10
DTSTAMP:20240411T061944Z
ORGANIZER;CN=Ann Doe:mailto:ann@example.com
UID:abc@google.com
ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=ACCEPTED;RSVP=TRUE
 ;CN=Ann Doe;X-NUM-GUESTS=0:mailto:ann@example.com
ATTENDEE;CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=
 TRUE;CN=bob@example.net;X-NUM-GUESTS=0:mailto:bob@example.net
SEQUENCE:2
STATUS:CONFIRMED
SUMMARY:Test event ⏰
END:VEVENT
END:VCALENDAR
`,
			want: &ingest.Invite{
				Method: "REQUEST", UID: "abc@google.com", Sequence: 2, Summary: "Test event ⏰", Organizer: ingest.Address{Name: "Ann Doe", Email: "ann@example.com"},
				Attendees: []ingest.Address{{Name: "Ann Doe", Email: "ann@example.com"}, {Email: "bob@example.net"}},
				Start:     at("2024-04-11T08:00:00Z"), End: at("2024-04-11T09:00:00Z"), Recurs: "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH;COUNT=10", Status: "CONFIRMED",
				Text: "Updated invitation: Test event ⏰\nWhen: Thu, 11 Apr 2024 08:00-09:00 (UTC)\nRepeats: every 2 weeks on Thursday, 10 times\n" +
					"Organizer: Ann Doe <ann@example.com>\nAttendees: Ann Doe <ann@example.com>, bob@example.net",
			},
		},
		{
			name: "Apple: EMAIL beside a URN, path in TZID, all day of several days",
			raw: `
BEGIN:VCALENDAR
METHOD:REQUEST
BEGIN:VEVENT
SUMMARY:Offsite
DTSTART;VALUE=DATE:20260606
DTEND;VALUE=DATE:20260609
ORGANIZER;CN=Ann;EMAIL=ann@example.com:/aMTUxODM0/principal/
ATTENDEE;CN=Bob;EMAIL="bob@example.com":urn:uuid:8d3a
UID:2
END:VEVENT
END:VCALENDAR
`,
			want: &ingest.Invite{
				Method: "REQUEST", UID: "2", Summary: "Offsite", AllDay: true, Start: at("2026-06-06T00:00:00Z"), End: at("2026-06-09T00:00:00Z"),
				Organizer: ingest.Address{Name: "Ann", Email: "ann@example.com"}, Attendees: []ingest.Address{{Name: "Bob", Email: "bob@example.com"}},
				Text: "Invitation: Offsite\nWhen: Sat, 6 Jun 2026 - Mon, 8 Jun 2026\nOrganizer: Ann <ann@example.com>\nAttendees: Bob <bob@example.com>",
			},
		},
		{
			name: "reply",
			raw: `
BEGIN:VCALENDAR
METHOD:REPLY
BEGIN:VEVENT
ATTENDEE;PARTSTAT=DECLINED;CN=Bob:mailto:bob@example.com
COMMENT;LANGUAGE=en-US:I am away
UID:3
STATUS:CONFIRMED
SUMMARY:Quarterly review
DTSTART;TZID=/mozilla.org/20050126_1/America/Argentina/Buenos_Aires:20260602T140000
DTEND;TZID=/mozilla.org/20050126_1/America/Argentina/Buenos_Aires:20260603T150000
END:VEVENT
END:VCALENDAR
`,
			want: &ingest.Invite{
				Method: "REPLY", UID: "3", Summary: "Quarterly review", Status: "DECLINED", Attendees: []ingest.Address{{Name: "Bob", Email: "bob@example.com"}},
				Start: at("2026-06-02T14:00:00-03:00"), End: at("2026-06-03T15:00:00-03:00"), Timezone: "/mozilla.org/20050126_1/America/Argentina/Buenos_Aires",
				Text: "Declined: Quarterly review by Bob <bob@example.com>\nWhen: Tue, 2 Jun 2026 14:00 - Wed, 3 Jun 2026 15:00 (America/Argentina/Buenos_Aires)\n\nI am away",
			},
		},
		{
			name: "cancellation of one of a series; several entries: the first counts",
			raw: `
BEGIN:VCALENDAR
METHOD:CANCEL
BEGIN:VEVENT
UID:4
RECURRENCE-ID;TZID=Europe/Berlin:20260609T140000
DTSTART;TZID=Europe/Berlin:20260609T140000
SUMMARY:Stand-up
STATUS:CANCELLED
END:VEVENT
BEGIN:VEVENT
UID:5
SUMMARY:Another
END:VEVENT
END:VCALENDAR
`,
			want: &ingest.Invite{
				Method: "CANCEL", UID: "4", Summary: "Stand-up", Status: "CANCELLED", Start: at("2026-06-09T14:00:00+02:00"), Timezone: "Europe/Berlin",
				Text: "Cancelled: Stand-up\nWhen: Tue, 9 Jun 2026 14:00 (Europe/Berlin)\nOnly the occurrence of: Tue, 9 Jun 2026 14:00 (Europe/Berlin)\nMore entries in the calendar: 1",
			},
		},
		{
			name: "method in Content-Type alone, floating time", method: "request",
			raw: "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:x\nDTSTART:20260609T140000\nEND:VEVENT\nEND:VCALENDAR\n",
			want: &ingest.Invite{Method: "REQUEST", Summary: "x", Start: at("2026-06-09T14:00:00Z"),
				Defect: "times without time zone are taken for UTC", Text: "Invitation: x\nWhen: Tue, 9 Jun 2026 14:00"},
		},
		{
			name: "floating time in a calendar that names its zone",
			raw:  "BEGIN:VCALENDAR\nX-WR-TIMEZONE:Asia/Tokyo\nBEGIN:VEVENT\nSUMMARY:x\nDTSTART:20260609T140000\nEND:VEVENT\nEND:VCALENDAR\n",
			want: &ingest.Invite{Summary: "x", Start: at("2026-06-09T14:00:00+09:00"), Text: "Event: x\nWhen: Tue, 9 Jun 2026 14:00 (Asia/Tokyo)"},
		},
		{
			name: "a flight: start and end in zones of their own",
			raw:  "BEGIN:VCALENDAR\nBEGIN:VEVENT\nSUMMARY:BER-JFK\nDTSTART;TZID=Europe/Berlin:20260609T100000\nDTEND;TZID=America/New_York:20260609T130000\nEND:VEVENT\nEND:VCALENDAR\n",
			want: &ingest.Invite{Summary: "BER-JFK", Start: at("2026-06-09T10:00:00+02:00"), End: at("2026-06-09T13:00:00-04:00"), Timezone: "Europe/Berlin",
				Text: "Event: BER-JFK\nWhen: Tue, 9 Jun 2026 10:00 (Europe/Berlin) - Tue, 9 Jun 2026 13:00 (America/New_York)"},
		},
		{
			name: "task",
			raw:  "BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VTODO\nSUMMARY:Report\nDUE:20260609T140000Z\nEND:VTODO\nEND:VCALENDAR\n",
			want: &ingest.Invite{Method: "REQUEST", Summary: "Report", End: at("2026-06-09T14:00:00Z"), Text: "Task assigned: Report\nDue: Tue, 9 Jun 2026 14:00 (UTC)"},
		},
		{
			name: "free/busy",
			raw:  "BEGIN:VCALENDAR\nMETHOD:PUBLISH\nBEGIN:VFREEBUSY\nORGANIZER:mailto:a@example.com\nDTSTART:20260609T000000Z\nDTEND:20260610T000000Z\nFREEBUSY:20260609T140000Z/PT1H\nEND:VFREEBUSY\nEND:VCALENDAR\n",
			want: &ingest.Invite{Method: "PUBLISH", Organizer: ingest.Address{Email: "a@example.com"}, Start: at("2026-06-09T00:00:00Z"), End: at("2026-06-10T00:00:00Z"),
				Text: "Free/busy times: (no title)\nWhen: Tue, 9 Jun 2026 00:00 - Wed, 10 Jun 2026 00:00 (UTC)\nOrganizer: a@example.com"},
		},
		{
			name: "vCalendar 1.0",
			raw: "BEGIN:VCALENDAR\nVERSION:1.0\nBEGIN:VEVENT\nSUMMARY;ENCODING=QUOTED-PRINTABLE;CHARSET=UTF-8:B=C3=BCro=\n" +
				"zeit\nDTSTART:20260609T140000Z\nDTEND:20260609T150000Z\nEND:VEVENT\nEND:VCALENDAR\n",
			want: &ingest.Invite{Summary: "Bürozeit", Start: at("2026-06-09T14:00:00Z"), End: at("2026-06-09T15:00:00Z"), Text: "Event: Bürozeit\nWhen: Tue, 9 Jun 2026 14:00-15:00 (UTC)"},
		},
		{
			name: "hurt: names with quotation marks, lost folding, lower case, no end, a footer",
			raw: "begin:vcalendar\nmethod:request\nbegin:vevent\norganizer;cn=John \"Joe\" Doe:MAILTO:joe@example.com\nsummary:x\nattendee;cn=\"Ann:mailto:ann@example.com\n" +
				"description:one\ntwo without fold\ndtstart;tzid:20260609T140000Z\n_______\nlist mailing list\n",
			want: &ingest.Invite{Method: "REQUEST", Summary: "x", Organizer: ingest.Address{Name: "John Joe Doe", Email: "joe@example.com"},
				Attendees: []ingest.Address{{Name: "Ann", Email: "ann@example.com"}},
				Defect:    "DTSTART cannot be read; no start; the calendar has no end",
				Text:      "Invitation: x\nOrganizer: John Joe Doe <joe@example.com>\nAttendees: Ann <ann@example.com>\n\none\ntwo without fold"},
		},
		{
			name: "zone that nobody knows",
			raw:  "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART;TZID=Mars/Olympus:20260609T140000\nDTEND;TZID=Mars/Olympus:20260608T140000\nEND:VEVENT\nEND:VCALENDAR\n",
			want: &ingest.Invite{Start: at("2026-06-09T14:00:00Z"), Timezone: "Mars/Olympus",
				Defect: "the time zone is not known; times are taken for UTC; the end is before the start", Text: "Event: (no title)\nWhen: Tue, 9 Jun 2026 14:00 (Mars/Olympus)"},
		},
		{name: "an empty calendar", raw: "BEGIN:VCALENDAR\nMETHOD:PUBLISH\nEND:VCALENDAR", want: &ingest.Invite{Method: "PUBLISH", Defect: "the calendar has no entry", Text: "Event: (no title)"}},
		{name: "no calendar", raw: "Dear all,\nplease come: tomorrow\n", method: "REQUEST", want: nil},
		{name: "nothing", raw: "", want: nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, end := range []string{"\r\n", "\n", "\r", "\r\r\n"} {
				raw := strings.ReplaceAll(strings.TrimLeft(tt.raw, "\n"), "\n", end)
				if diff := cmp.Diff(Parse([]byte(raw), tt.method), tt.want); diff != "" {
					t.Errorf("line end %q (-got +want):\n%s", end, diff)
				}
			}
		})
	}
}

func TestZones(t *testing.T) {
	t.Parallel()
	for tzid, want := range map[string]string{
		"Europe/Berlin":     "2026-07-01T12:00:00+02:00",
		"\"Europe/Berlin\"": "2026-07-01T12:00:00+02:00",
		"/freeassociation.sourceforge.net/Tzfile/Europe/Berlin": "2026-07-01T12:00:00+02:00",
		"Pacific Standard Time":                                 "2026-07-01T12:00:00-07:00",
		"Pacific Standard Time 1":                               "2026-07-01T12:00:00-07:00",
		"(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm":  "2026-07-01T12:00:00+02:00",
		"(UTC-05:00) Eastern Time (US & Canada)":                "2026-07-01T12:00:00-04:00",
		"(GMT+05:30) Chennai, Kolkata, Mumbai, New Delhi":       "2026-07-01T12:00:00+05:30",
		"tzone://Microsoft/Utc":                                 "2026-07-01T12:00:00Z",
		"UTC":                                                   "2026-07-01T12:00:00Z",
		"GMT":                                                   "2026-07-01T12:00:00Z",
		"UTC+03:00":                                             "2026-07-01T12:00:00+03:00",
		"GMT-0800":                                              "2026-07-01T12:00:00-08:00",
		"US/Eastern":                                            "2026-07-01T12:00:00-04:00",
		"Local":                                                 "",
		"../../../etc/passwd":                                   "",
		"Europe":                                                "",
		"tzone://Microsoft/Custom":                              "",
		"\x00":                                                  "",
		strings.Repeat("Europe/Berlin/", 100):                   "",
		"/citadel.org/20240101_1/America/North_Dakota/New_Salem": "2026-07-01T12:00:00-05:00",
		"India Standard Time":                                      "2026-07-01T12:00:00+05:30",
		"china standard time":                                      "2026-07-01T12:00:00+08:00",
		"Central  Europe Standard Time":                            "2026-07-01T12:00:00+02:00",
		"(UTC) Dublin, Edinburgh, Lisbon, London":                  "2026-07-01T12:00:00+01:00",
		"(UTC) Coordinated Universal Time":                         "2026-07-01T12:00:00Z",
		"/softwarestudio.org/Olson_20011030_5/America/Los_Angeles": "2026-07-01T12:00:00-07:00",
	} {
		z, ok := new(content).zoneOf(tzid)
		got := ""
		if ok {
			got = z.at(time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)).Format(time.RFC3339)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", tzid, got, want)
		}
	}
}

// Every zone of the table is in the database.
func TestWindowsZones(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Dateline Standard Time", "UTC-11", "Line Islands Standard Time", "W. Mongolia Standard Time", "UTC+13", "Sao Tome Standard Time", "Qyzylorda Standard Time"} {
		if loc, _ := location(name); loc == nil {
			t.Errorf("%s is not known", name)
		}
	}
}

// A calendar's own rules give the same offsets as the database, hour by hour around the changes and day by day between.
func TestTimezoneRules(t *testing.T) {
	t.Parallel()
	const rules = `
BEGIN:VCALENDAR
BEGIN:VTIMEZONE
TZID:Own
BEGIN:DAYLIGHT
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
DTSTART:19810329T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
DTSTART:19961027T030000
RRULE:FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU
END:STANDARD
END:VTIMEZONE
BEGIN:VTIMEZONE
TZID:Days
BEGIN:DAYLIGHT
TZOFFSETFROM:-0500
TZOFFSETTO:-0400
DTSTART:20070311T020000
RRULE:FREQ=YEARLY;BYMONTH=3;BYMONTHDAY=8,9,10,11,12,13,14;BYDAY=SU
END:DAYLIGHT
BEGIN:STANDARD
TZOFFSETFROM:-0400
TZOFFSETTO:-0500
DTSTART:20071104T020000
RRULE:FREQ=YEARLY;BYMONTH=11;BYDAY=1SU
END:STANDARD
END:VTIMEZONE
END:VCALENDAR
`
	c := read(crlf(rules))
	for id, name := range map[string]string{"Own": "Europe/Berlin", "Days": "America/New_York"} {
		own, ok := c.zoneOf(id)
		known, _ := c.zoneOf(name)
		if !ok {
			t.Fatalf("%s was not read", id)
		}
		wall := time.Date(2008, 1, 1, 0, 30, 0, 0, time.UTC)
		for ; wall.Year() < 2028; wall = wall.Add(25 * time.Hour) {
			if got, want := own.at(wall), known.at(wall); !got.Equal(want) {
				t.Fatalf("%s: %v is %v, want %v", id, wall, got, want)
			}
		}
	}
}

func TestDuration(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]time.Duration{
		"PT1H": time.Hour, "P1D": 24 * time.Hour, "P2W": 14 * 24 * time.Hour, "P1DT2H3M4S": 26*time.Hour + 3*time.Minute + 4*time.Second, "+PT90M": 90 * time.Minute,
		"pt15m": 15 * time.Minute, "P": -1, "": -1, "PT": -1, "1H": -1, "-PT1H": -1, "PT99999999999999999999H": -1, "P99999W": -1, "PT1X": -1, "P1M": -1,
	} {
		days, rest, ok := duration(s)
		got := time.Duration(days)*24*time.Hour + rest
		if !ok {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}
