package calendar

import (
	"strings"
	"time"
	_ "time/tzdata" // where the machine has no zones of its own, as in a container; 400 KiB of the program
)

// zone is a time zone that was found.
type zone struct {
	name string                              // for people
	at   func(wall time.Time) (at time.Time) // the digits of wall, which is in UTC, as a time of the zone
}

// zoneOf finds the zone that a TZID stands for: a name of the IANA database, a name that Windows uses, or else what the
// calendar itself says about it. The names come first, because senders' own rules are often those of another year.
func (c *content) zoneOf(tzid string) (zone, bool) {
	if strings.TrimSpace(tzid) == "" {
		return zone{}, false
	}
	if loc, name := location(tzid); loc != nil {
		return zone{name, func(wall time.Time) time.Time { return inLocation(wall, loc) }}, true
	}
	for i := range c.zones {
		if z := &c.zones[i]; strings.EqualFold(z.id, strings.TrimSpace(tzid)) && z.usable() {
			return zone{tzid, func(wall time.Time) time.Time {
				offset := z.offset(wall)
				return wall.Add(-time.Duration(offset) * time.Second).In(fixed(offset))
			}}, true
		}
	}
	return zone{}, false
}

// inLocation takes the digits of a time for those of a zone. Of an hour that comes twice the first is meant, and in an
// hour that is left out the offset before it holds, RFC 5545 §3.3.5.
func inLocation(wall time.Time, loc *time.Location) time.Time {
	t := time.Date(wall.Year(), wall.Month(), wall.Day(), wall.Hour(), wall.Minute(), wall.Second(), 0, loc)
	const long = 3 * time.Hour // more than any change of a zone
	_, before := t.Add(-long).Zone()
	first := wall.Add(-time.Duration(before) * time.Second).In(loc)
	const digits = time.DateTime
	if w := wall.Format(digits); first.Format(digits) == w || t.Format(digits) != w {
		t = first
	}
	_, offset := t.Zone()
	return t.In(fixed(offset))
}

// fixed is an offset in seconds as a location.
func fixed(offset int) *time.Location {
	if offset == 0 {
		return time.UTC
	}
	return time.FixedZone("", offset)
}

// location finds a zone by its name, and the name in the IANA database.
func location(tzid string) (*time.Location, string) {
	const longest = 200
	if len(tzid) > longest {
		return nil, ""
	}
	tzid = strings.Trim(tzid, "\"' \t")
	if loc := iana(tzid); loc != nil {
		return loc, tzid
	}
	if name := windowsZone(tzid); name != "" {
		return iana(name), name
	}
	// "UTC+01:00", as some programs name what has no name.
	if len(tzid) > 3 && (strings.EqualFold(tzid[:3], "UTC") || strings.EqualFold(tzid[:3], "GMT")) {
		if seconds, ok := offset(strings.TrimSpace(tzid[3:])); ok {
			return fixed(seconds), tzid
		}
	}
	// Names such as /mozilla.org/20050126_1/Europe/Berlin, RFC 5545 §3.8.3.1, end in a name of the database, which has
	// one to three words.
	words := strings.Split(tzid, "/")
	for n := min(len(words)-1, 3); n >= 2; n-- {
		name := strings.Join(words[len(words)-n:], "/")
		if loc := iana(name); loc != nil {
			return loc, name
		}
	}
	// QUIRK: Outlook on the Mac and Exchange write tzone://Microsoft/Utc.
	if last := words[len(words)-1]; len(words) > 1 && strings.EqualFold(last, "utc") {
		return time.UTC, "UTC"
	}
	return nil, ""
}

// iana finds a zone of the database, nil if there is none.
func iana(name string) *time.Location {
	switch {
	case strings.EqualFold(name, "UTC"), strings.EqualFold(name, "GMT"), strings.EqualFold(name, "Z"):
		return time.UTC
	case name == "" || name[0] < 'A' || name[0] > 'Z' || strings.EqualFold(name, "Local"):
		return nil // Local would be the zone of this machine
	}
	for i := 0; i < len(name); i++ {
		if c := name[i]; !isName(c) && c != '/' && c != '+' || c == '.' {
			return nil
		}
	}
	loc, err := time.LoadLocation(name)
	if err != nil {
		return nil
	}
	return loc
}
