package calendar

import "strings"

// MaxOctets is how many octets of a calendar are looked at.
const MaxOctets = 256 << 10

// The limits of one calendar.
const (
	maxText        = 8 << 10 // octets of a description
	maxValue       = 1000    // octets of any other text
	maxAttendees   = 50
	maxZones       = 20 // VTIMEZONE components
	maxObservances = 60 // of one zone; Outlook writes two, a full history has about as many
	maxDepth       = 8  // components around one line
)

// content is what is read of a calendar: the first component that says something, and the time zones.
type content struct {
	found     bool   // there is a calendar at all
	method    string // of the calendar
	zone      string // X-WR-TIMEZONE: what programs of Apple and Google give to times without zone
	kind      string // VEVENT, VTODO, VJOURNAL or VFREEBUSY; empty if there is none
	entries   int    // components of these kinds
	props     map[string]line
	attendees []line
	more      int // attendees beyond the limit
	zones     []timezone
	zoned     *timezone   // the zone that lines are of; nil beyond the limit
	observed  *observance // the observance that lines are of; nil beyond the limit
	unended   bool        // the calendar ends in the middle
}

// read collects the content of a calendar. Components may lack their end.
func read(raw []byte) *content {
	c := &content{props: map[string]line{}}
	var stack []string
	skipped := 0 // components below the deepest one that is kept
	lines(Unfold(raw), func(l line) {
		switch l.name {
		case "BEGIN":
			name := strings.ToUpper(strings.TrimSpace(l.value))
			if isEntry(name) || name == "VTIMEZONE" || name == "VCALENDAR" {
				stack, skipped = stack[:0], 0 // none of them lies in another: the end before was forgotten
			}
			if len(stack) == maxDepth {
				skipped++
				return
			}
			stack = append(stack, name)
			c.begin(name)
		case "END":
			name := strings.ToUpper(strings.TrimSpace(l.value))
			if skipped > 0 {
				skipped--
				return
			}
			for i := len(stack) - 1; i >= 0; i-- {
				if stack[i] == name {
					stack = stack[:i]
					break
				}
			}
			if name == "VCALENDAR" {
				c.unended = false
			}
		default:
			if skipped == 0 {
				c.property(stack, l)
			}
		}
	})
	return c
}

func isEntry(name string) bool {
	return name == "VEVENT" || name == "VTODO" || name == "VJOURNAL" || name == "VFREEBUSY"
}

func (c *content) begin(name string) {
	switch {
	case name == "VCALENDAR":
		c.found, c.unended = true, true
	case isEntry(name):
		c.found = true
		if c.entries++; c.entries == 1 {
			c.kind = name
		}
	case name == "VTIMEZONE":
		if c.zoned = nil; len(c.zones) < maxZones {
			c.zones = append(c.zones, timezone{})
			c.zoned = &c.zones[len(c.zones)-1]
		}
	case name == "STANDARD", name == "DAYLIGHT":
		if c.observed = nil; c.zoned != nil && len(c.zoned.observances) < maxObservances {
			c.zoned.observances = append(c.zoned.observances, observance{})
			c.observed = &c.zoned.observances[len(c.zoned.observances)-1]
		}
	}
}

// property takes a line of the innermost component.
func (c *content) property(stack []string, l line) {
	if len(stack) == 0 {
		c.calendarProperty(l) // behind the end of an entry as well
		return
	}
	switch name := stack[len(stack)-1]; {
	case name == "VCALENDAR":
		c.calendarProperty(l)
	case isEntry(name) && c.entries == 1:
		c.entryProperty(l)
	case name == "VTIMEZONE" && l.name == "TZID" && c.zoned != nil && c.zoned.id == "":
		c.zoned.id = strings.TrimSpace(l.value)
	case (name == "STANDARD" || name == "DAYLIGHT") && c.observed != nil:
		c.observed.property(l)
	}
}

func (c *content) calendarProperty(l line) {
	switch {
	case l.name == "METHOD" && c.method == "":
		c.method = l.value
	case l.name == "X-WR-TIMEZONE" && c.zone == "":
		c.zone = strings.TrimSpace(l.value)
	}
}

// entryProperty keeps what an invitation is made of. The first of each counts.
func (c *content) entryProperty(l line) {
	switch l.name {
	case "ATTENDEE":
		if len(c.attendees) < maxAttendees {
			c.attendees = append(c.attendees, l)
		} else {
			c.more++
		}
	case "SUMMARY", "LOCATION", "DESCRIPTION", "COMMENT", "UID", "SEQUENCE", "STATUS", "ORGANIZER",
		"DTSTART", "DTEND", "DUE", "DURATION", "RRULE", "RECURRENCE-ID":
		if old, seen := c.props[l.name]; !seen || strings.TrimSpace(old.value) == "" {
			c.props[l.name] = l
		}
	}
}

// text gives a TEXT property on one line.
func (c *content) text(name string, limit int) string {
	return oneLine(unescape(c.props[name].value), limit)
}
