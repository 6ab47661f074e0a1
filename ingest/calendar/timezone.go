package calendar

import (
	"strconv"
	"strings"
	"time"
)

// timezone is a VTIMEZONE, RFC 5545 §3.6.5.
type timezone struct {
	id          string
	observances []observance
}

// observance is a STANDARD or DAYLIGHT: an offset and when it begins.
type observance struct {
	start    time.Time // local time, as if it were UTC
	from, to int       // offsets before and after, seconds east of UTC
	valid    bool      // to is known
	dates    []time.Time
	rule     yearly
}

// yearly is the part of an RRULE that time zones are written with: once a year, on a day of a month.
type yearly struct {
	set       bool
	month     time.Month // 0 is that of the start
	weekday   int        // -1 for none
	nth       int        // which weekday of the month; below zero from the end; 0 with days
	days      []int      // of the month
	until     time.Time  // zero for no end
	supported bool
}

func (z *timezone) usable() bool {
	for _, o := range z.observances {
		if o.valid {
			return true
		}
	}
	return false
}

// offset is the one in force at a local time: that of the observance that began last. Before the first of all it is
// what was in force before that one.
func (z *timezone) offset(wall time.Time) int {
	var last, first time.Time
	offset, before, found := 0, 0, false
	for i := range z.observances {
		o := &z.observances[i]
		if !o.valid {
			continue
		}
		if first.IsZero() || o.start.Before(first) {
			first, before = o.start, o.from
		}
		if onset, ok := o.latest(wall); ok && (!found || onset.After(last)) {
			last, offset, found = onset, o.to, true
			if left := time.Duration(o.to-o.from) * time.Second; wall.Before(onset.Add(left)) {
				offset = o.from // an hour that is left out, RFC 5545 §3.3.5
			}
		}
	}
	if !found {
		return before
	}
	return offset
}

// latest is the last onset that is not after a local time.
func (o *observance) latest(wall time.Time) (last time.Time, ok bool) {
	try := func(t time.Time) {
		if !t.After(wall) && (!ok || t.After(last)) {
			last, ok = t, true
		}
	}
	try(o.start)
	for _, t := range o.dates {
		try(t)
	}
	if !o.rule.set || !o.rule.supported {
		return last, ok
	}
	newest := wall.Year()
	if u := o.rule.until; !u.IsZero() {
		newest = min(newest, u.Year())
	}
	for year := newest; year >= newest-1 && year >= o.start.Year(); year-- {
		if t := o.rule.onset(year, o.start); !t.Before(o.start) && (o.rule.until.IsZero() || !t.After(o.rule.until.Add(24*time.Hour))) {
			try(t)
		}
	}
	return last, ok
}

// onset is when the rule strikes in a year, at the clock time of its start.
func (y *yearly) onset(year int, start time.Time) time.Time {
	month := y.month
	if month == 0 {
		month = start.Month()
	}
	at := func(day int) time.Time {
		return time.Date(year, month, day, start.Hour(), start.Minute(), start.Second(), 0, time.UTC)
	}
	last := time.Date(year, month+1, 0, 0, 0, 0, 0, time.UTC).Day()
	switch {
	case y.weekday < 0 && len(y.days) == 0:
		return at(min(start.Day(), last))
	case y.weekday < 0:
		return at(fromEnd(y.days[0], last))
	case len(y.days) > 0: // the first of these days that is the weekday
		for _, day := range y.days {
			if t := at(fromEnd(day, last)); int(t.Weekday()) == y.weekday {
				return t
			}
		}
		return at(fromEnd(y.days[0], last))
	case y.nth < 0:
		back := (int(at(last).Weekday()) - y.weekday + 7) % 7
		return at(max(last-back+7*(y.nth+1), 1))
	}
	ahead := (y.weekday - int(at(1).Weekday()) + 7) % 7
	return at(min(1+ahead+7*(max(y.nth, 1)-1), last))
}

// fromEnd makes a day of the month of one that may be counted from the end.
func fromEnd(day, last int) int {
	if day < 0 {
		day += last + 1
	}
	return min(max(day, 1), last)
}

// property takes a line of the observance.
func (o *observance) property(l line) {
	switch l.name {
	case "DTSTART":
		if t, _, ok := wallTime(l.value); ok {
			o.start = t
		}
	case "TZOFFSETFROM":
		o.from, _ = offset(l.value)
	case "TZOFFSETTO":
		o.to, o.valid = offset(l.value)
	case "RDATE":
		for s := range strings.SplitSeq(cut(l.value, maxValue), ",") {
			if t, _, ok := wallTime(s); ok && len(o.dates) < maxObservances {
				o.dates = append(o.dates, t)
			}
		}
	case "RRULE":
		o.rule = parseYearly(cut(l.value, maxValue))
	}
}

// offset reads a UTC-OFFSET, RFC 5545 §3.3.14.
func offset(s string) (seconds int, ok bool) {
	s = strings.ReplaceAll(strings.TrimSpace(s), ":", "")
	sign := 1
	switch {
	case strings.HasPrefix(s, "-"):
		sign, s = -1, s[1:]
	case strings.HasPrefix(s, "+"):
		s = s[1:]
	}
	if len(s) == 4 {
		s += "00"
	}
	n, err := strconv.ParseUint(s, 10, 32)
	if err != nil || len(s) != 6 {
		return 0, false
	}
	h, m, sec := int(n/10000), int(n/100%100), int(n%100)
	if h > 18 || m > 59 || sec > 59 {
		return 0, false
	}
	return sign * (h*3600 + m*60 + sec), true
}

// parseYearly reads the RRULE of an observance.
func parseYearly(s string) yearly {
	y := yearly{set: true, weekday: -1, supported: true}
	for part := range strings.SplitSeq(s, ";") {
		name, value, _ := strings.Cut(part, "=")
		value = strings.ToUpper(strings.TrimSpace(value))
		switch strings.ToUpper(strings.TrimSpace(name)) {
		case "FREQ":
			y.supported = y.supported && value == "YEARLY"
		case "INTERVAL":
			y.supported = y.supported && value == "1"
		case "BYMONTH":
			value, _, _ = strings.Cut(value, ",")
			if n, err := strconv.Atoi(value); err == nil && n >= 1 && n <= 12 {
				y.month = time.Month(n)
			}
		case "BYMONTHDAY":
			for day := range strings.SplitSeq(value, ",") {
				if n, err := strconv.Atoi(day); err == nil && n != 0 && n >= -31 && n <= 31 {
					y.days = append(y.days, n)
				}
			}
		case "BYDAY":
			value, _, _ = strings.Cut(value, ",")
			if len(value) < 2 {
				break
			}
			if i := strings.Index("SUMOTUWETHFRSA", value[len(value)-2:]); i >= 0 && i%2 == 0 {
				y.weekday = i / 2
			}
			if n, err := strconv.Atoi(strings.TrimPrefix(value[:len(value)-2], "+")); err == nil && n >= -5 && n <= 5 {
				y.nth = n
			}
		case "UNTIL":
			if t, _, ok := wallTime(value); ok {
				y.until = t
			}
		}
	}
	return y
}
