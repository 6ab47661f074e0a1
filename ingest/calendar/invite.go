package calendar

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// Parse reads what a calendar says; of several entries the first one counts. raw are its octets in UTF-8, of which the
// first 256 KiB are looked at. method is the parameter of Content-Type and counts where the calendar itself has none,
// RFC 6047 §2.4. The result is nil only if nothing in raw is a calendar.
func Parse(raw []byte, method string) *ingest.Invite {
	cutOff := len(raw) > MaxOctets
	c := read(raw[:min(len(raw), MaxOctets)])
	if !c.found {
		return nil
	}
	v := &ingest.Invite{
		Method:   token(c.method),
		UID:      c.text("UID", maxValue),
		Summary:  c.text("SUMMARY", maxValue),
		Location: c.text("LOCATION", maxValue),
		Recurs:   oneLine(c.props["RRULE"].value, maxValue),
		Status:   token(c.props["STATUS"].value),
	}
	if v.Method == "" {
		v.Method = token(method)
	}
	if l, ok := c.props["ORGANIZER"]; ok {
		v.Organizer = person(l)
	}
	for _, l := range c.attendees {
		v.Attendees = append(v.Attendees, person(l))
	}
	if n, err := strconv.ParseUint(strings.TrimSpace(c.props["SEQUENCE"].value), 10, 31); err == nil {
		v.Sequence = int(n)
	}
	who := -1
	if v.Method == "REPLY" || v.Method == "COUNTER" {
		who = c.answers()
	}
	if v.Method == "REPLY" && who >= 0 {
		v.Status = token(c.attendees[who].param("PARTSTAT"))
	}

	d := &defects{}
	t := c.times(d)
	v.Start, v.End, v.AllDay, v.Timezone = t.start, t.end, t.allDay, oneLine(t.tzid, maxValue)
	switch {
	case c.kind == "":
		d.add("the calendar has no entry")
	case v.Start.IsZero() && c.kind == "VEVENT":
		d.add("no start")
	}
	if c.unended || cutOff {
		d.add("the calendar has no end")
	}
	v.Defect = d.String()
	v.Text = describe(c, v, t, who)
	return v
}

// answers finds the attendee who replies: the one who says something, RFC 5546 §3.2.3; -1 if there is none.
func (c *content) answers() int {
	for i, l := range c.attendees {
		if s := token(l.param("PARTSTAT")); s != "" && s != "NEEDS-ACTION" {
			return i
		}
	}
	return min(len(c.attendees), 1) - 1
}

// token makes a keyword comparable: upper case, empty if it is none.
func token(s string) string {
	s = strings.ToUpper(strings.TrimSpace(s))
	const longest = 40
	if len(s) > longest {
		return ""
	}
	for i := 0; i < len(s); i++ {
		if !isName(s[i]) {
			return ""
		}
	}
	return s
}

// person reads a calendar user, RFC 5545 §3.3.3. Where the address is no mailto, the parameter EMAIL has it (RFC 7986
// §6.2), as Apple's servers write it.
func person(l line) ingest.Address {
	a := ingest.Address{Name: oneLine(unescape(l.param("CN")), maxValue)}
	value := strings.TrimSpace(l.value)
	const scheme = "mailto:"
	if len(value) >= len(scheme) && strings.EqualFold(value[:len(scheme)], scheme) {
		value, _, _ = strings.Cut(value[len(scheme):], "?")
		if plain, err := url.PathUnescape(value); err == nil {
			value = plain
		}
	}
	for _, s := range []string{value, l.param("EMAIL")} {
		s = strings.Trim(strings.TrimSpace(s), "<>")
		const longest = 320 // octets: local part, at sign and domain, RFC 5321 §4.5.3.1
		if isAddress(s) && len(s) <= longest {
			a.Email = oneLine(s, longest)
			break
		}
	}
	if a.Name == a.Email {
		a.Name = ""
	}
	return a
}

// isAddress tells an addr-spec from a URN or a distinguished name.
func isAddress(s string) bool {
	at := strings.LastIndexByte(s, '@')
	return at > 0 && at < len(s)-1 && !strings.ContainsAny(s[at:], ":/<> \t\r\n") && !strings.ContainsFunc(s, isBlank) && !strings.Contains(s, "://")
}

// defects collects what could not be read.
type defects struct{ list []string }

func (d *defects) add(s string) {
	const most = 5
	for _, old := range d.list {
		if old == s {
			return
		}
	}
	if len(d.list) < most {
		d.list = append(d.list, s)
	}
}

func (d *defects) String() string { return strings.Join(d.list, "; ") }

// times are the points in time of an entry.
type times struct {
	start, end time.Time
	occurrence time.Time // RECURRENCE-ID: the one of a series that the entry is about
	allDay     bool
	tzid       string // as it stands
	zone       string // of start, a name for people; empty for floating times
	endZone    string // of end
}
