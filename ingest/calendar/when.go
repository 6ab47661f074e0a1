package calendar

import (
	"strconv"
	"strings"
	"time"
)

// times reads start and end. Both are in the offset of their zone.
func (c *content) times(d *defects) times {
	var t times
	start, hasStart := c.moment("DTSTART", d)
	if hasStart {
		t.start, t.allDay, t.tzid, t.zone = start.time, start.date, start.tzid, start.zone
	}
	for _, name := range []string{"DTEND", "DUE"} {
		if end, ok := c.moment(name, d); ok && t.end.IsZero() {
			t.end, t.endZone = end.time, end.zone
			if !hasStart {
				t.allDay, t.tzid, t.zone = end.date, end.tzid, end.zone
			}
		}
	}
	if l, ok := c.props["DURATION"]; ok && hasStart && t.end.IsZero() {
		if days, rest, ok := duration(l.value); ok {
			end := start.wall.AddDate(0, 0, days)
			t.end, t.endZone = start.at(end).Add(rest), start.zone
		} else {
			d.add("DURATION cannot be read")
		}
	}
	if t.allDay && t.end.IsZero() && hasStart {
		t.end = t.start.AddDate(0, 0, 1) // RFC 5545 §3.6.1: an event of a date takes the day
	}
	if hasStart && !t.end.IsZero() && t.end.Before(t.start) {
		d.add("the end is before the start")
		t.end = time.Time{}
	}
	if y := t.end.Year(); y > maxYear {
		d.add("the end is too far away")
		t.end = time.Time{}
	}
	if m, ok := c.moment("RECURRENCE-ID", d); ok {
		t.occurrence = m.time
	}
	return t
}

// The years that are believed. Four digits are what the formats of time have room for.
const minYear, maxYear = 1000, 9990

// moment is one DATE or DATE-TIME, RFC 5545 §3.3.4 and §3.3.5.
type moment struct {
	time time.Time
	wall time.Time // the same digits in UTC
	date bool
	tzid string
	zone string // name for people
	at   func(wall time.Time) time.Time
}

// moment reads a property. ok is false where it is missing or cannot be read; the latter is a defect.
func (c *content) moment(name string, d *defects) (m moment, ok bool) {
	l, there := c.props[name]
	if !there || strings.TrimSpace(l.value) == "" {
		return m, false
	}
	m.wall, m.date, ok = wallTime(l.value)
	if !ok || m.wall.Year() < minYear || m.wall.Year() > maxYear {
		d.add(name + " cannot be read")
		return m, false
	}
	m.at = func(wall time.Time) time.Time { return wall }
	m.date = m.date || strings.EqualFold(l.param("VALUE"), "DATE")
	m.tzid = l.param("TZID")
	switch {
	case m.date:
		m.wall = m.wall.Truncate(24 * time.Hour)
		m.tzid = ""
	case strings.HasSuffix(strings.ToUpper(strings.TrimSpace(l.value)), "Z"):
		m.zone, m.tzid = "UTC", "" // RFC 5545 §3.2.19: TZID must not stand at a time in UTC
	default:
		tzid := m.tzid
		if tzid == "" {
			tzid = c.zone
		}
		z, known := c.zoneOf(tzid)
		switch {
		case known:
			m.at, m.zone = z.at, oneLine(z.name, maxValue)
		case tzid == "":
			d.add("times without time zone are taken for UTC")
		default:
			d.add("the time zone is not known; times are taken for UTC")
			m.zone = oneLine(tzid, maxValue)
		}
	}
	m.time = m.at(m.wall)
	return m, true
}

// wallTime reads the digits of a date or time as if they were UTC. Seconds and the basic format are not insisted on.
func wallTime(s string) (t time.Time, date, ok bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	s, _, _ = strings.Cut(s, ",") // a list: the first
	s, _, _ = strings.Cut(s, "/") // a period: its start
	s = strings.TrimSuffix(s, "Z")
	const longest = 40
	if len(s) > longest {
		return t, false, false
	}
	s = strings.NewReplacer("-", "", ":", "", " ", "T").Replace(s)
	s, _, _ = strings.Cut(s, ".") // fractions of a second
	for _, layout := range []string{"20060102T150405", "20060102T1504", "20060102"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, layout == "20060102", true
		}
	}
	// RFC 5545 §3.3.12 has a sixtieth second.
	if strings.HasSuffix(s, "60") {
		if t, err := time.Parse("20060102T150405", s[:len(s)-2]+"59"); err == nil {
			return t.Add(time.Second), false, true
		}
	}
	return t, false, false
}

// duration reads a DURATION, RFC 5545 §3.3.6: days, which may be longer or shorter than 24 hours, and an exact rest.
func duration(s string) (days int, rest time.Duration, ok bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	s = strings.TrimPrefix(s, "+")
	if !strings.HasPrefix(s, "P") || len(s) < 3 {
		return 0, 0, false
	}
	clock := false
	for s = s[1:]; s != ""; {
		if s[0] == 'T' {
			clock, s = true, s[1:]
			continue
		}
		i := strings.IndexAny(s, "WDHMS")
		if i <= 0 {
			return 0, 0, false
		}
		n, err := strconv.ParseUint(s[:i], 10, 32)
		const most = 100_000_000 // more than three years in seconds
		if err != nil || n > most {
			return 0, 0, false
		}
		switch unit := s[i]; {
		case unit == 'W':
			days += 7 * int(n)
		case unit == 'D':
			days += int(n)
		case unit == 'H' && n <= most/3600:
			rest += time.Duration(n) * time.Hour
		case unit == 'M' && clock && n <= most/60:
			rest += time.Duration(n) * time.Minute
		case unit == 'S':
			rest += time.Duration(n) * time.Second
		default:
			return 0, 0, false
		}
		const century = 36_525
		if s = s[i+1:]; days > century || rest > century*24*time.Hour {
			return 0, 0, false
		}
	}
	return days, rest, true
}
