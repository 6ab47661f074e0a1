package mime

import (
	"strconv"
	"strings"
	"time"
)

// parseDate reads a date as senders write it: RFC 5322 §3.3 with the obsolete forms of §4.3, the form of asctime, ISO
// 8601, and with parts missing, doubled or in another order. A missing zone is UTC. ok is false if it makes no date.
func parseDate(s string) (t time.Time, ok bool) {
	const limit = 200 // octets; nothing that long is a date
	s = dropComments(s[:min(len(s), limit)])
	d := dateReader{day: -1, month: -1, year: -1, hour: -1}
	for s != "" {
		// Words of one kind: letters, or digits with what joins numbers.
		i := 0
		switch c := s[0]; {
		case isLetter(c):
			for i < len(s) && isLetter(s[i]) {
				i++
			}
			d.letters(s[:i])
		case isDigit(c) || (c == '+' || c == '-') && len(s) > 1 && isDigit(s[1]):
			for i = 1; i < len(s) && (isDigit(s[i]) || s[i] == ':' || s[i] == '.' && i+1 < len(s) && isDigit(s[i+1])); {
				i++
			}
			if !d.number(s[:i]) {
				return time.Time{}, false
			}
		default:
			i = 1
		}
		s = s[i:]
	}
	return d.time()
}

type dateReader struct {
	day, month, year, hour int // -1 until known
	minute, second         int
	offset                 int // seconds east of Greenwich
	zoned                  bool
	zone                   string // as named
	numbers                []int  // leading numbers of a date in digits alone
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
func isDigit(c byte) bool  { return c >= '0' && c <= '9' }

const monthNames = "janfebmaraprmayjunjulaugsepoctnovdec"

// The zone names of RFC 5322 §4.3 and some more that are seen, in minutes east of Greenwich. CST, IST and BST mean
// several things; the American and the most frequent reading are taken.
var zoneMinutes = [...]struct {
	name    string
	minutes int
}{
	{"UT", 0}, {"UTC", 0}, {"GMT", 0}, {"Z", 0}, {"WET", 0},
	{"EST", -300}, {"EDT", -240}, {"CST", -360}, {"CDT", -300}, {"MST", -420}, {"MDT", -360}, {"PST", -480}, {"PDT", -420},
	{"AST", -240}, {"ADT", -180}, {"HST", -600}, {"AKST", -540}, {"AKDT", -480},
	{"BST", 60}, {"WEST", 60}, {"CET", 60}, {"MET", 60}, {"CEST", 120}, {"MEST", 120}, {"EET", 120}, {"EEST", 180}, {"MSK", 180},
	{"IST", 330}, {"SGT", 480}, {"HKT", 480}, {"JST", 540}, {"KST", 540}, {"AEST", 600}, {"AEDT", 660}, {"NZST", 720}, {"NZDT", 780},
}

// letters takes a word: a month, a zone, or anything else, which says nothing (weekdays).
func (d *dateReader) letters(word string) {
	if len(word) >= 3 && d.month < 0 {
		low := strings.ToLower(word[:3])
		for i := 0; i < len(monthNames); i += 3 {
			if monthNames[i:i+3] == low {
				d.month = i / 3
				return
			}
		}
	}
	upper := strings.ToUpper(word)
	switch {
	case upper == "PM" && d.hour >= 0 && d.hour < 12:
		d.hour += 12
		return
	case upper == "AM" && d.hour == 12:
		d.hour = 0
		return
	}
	if d.zoned || d.hour < 0 {
		return
	}
	for _, z := range zoneMinutes {
		if z.name == upper {
			d.zoned, d.offset, d.zone = true, z.minutes*60, z.name
			return
		}
	}
}

// number takes a number, a time or an offset. It is false for what cannot be part of a date.
func (d *dateReader) number(s string) bool {
	if strings.IndexByte(s, ':') >= 0 {
		if s[0] == '+' || s[0] == '-' {
			if d.hour >= 0 && !d.zoned {
				d.setOffset(s[0], strings.ReplaceAll(s[1:], ":", ""))
				return true
			}
			s = s[1:]
		}
		return d.clock(s, ":")
	}
	if s[0] == '+' || s[0] == '-' {
		if d.hour >= 0 && (len(s) >= 5 || s[0] == '+' || d.year >= 0) {
			if !d.zoned || d.offset == 0 {
				d.setOffset(s[0], s[1:])
			}
			return true
		}
		s = s[1:] // 2005-06-06, 06-Jun-2005
	}
	if strings.Count(s, ".") == 2 && d.hour < 0 && d.day >= 0 {
		return d.clock(s, ".") // 14.30.00
	}
	s, _, _ = strings.Cut(s, ".")
	n, err := strconv.Atoi(s)
	if err != nil || n < 0 {
		return false
	}
	switch {
	case len(s) == 8 && d.year < 0 && d.day < 0: // 20050606
		d.year, d.month, d.day = n/10000, n/100%100-1, n%100
	case len(s) == 6 && d.hour < 0 && d.day >= 0: // 202122
		d.hour, d.minute, d.second = n/10000, n/100%100, n%100
	case len(s) == 4 && d.year < 0 && (n >= 1900 || d.day >= 0):
		d.year = n
	case d.month < 0 && d.year >= 0: // 2005-06
		d.month = n - 1
	case d.day < 0 && (d.month >= 0 || len(d.numbers) == 0):
		d.day = n
	case d.month < 0 && d.day >= 0 && n <= 12: // 06/06/2005: no telling; day first, as most of the world
		d.month = n - 1
	case d.year < 0 && len(s) <= 3:
		// RFC 5322 §4.3.
		switch {
		case len(s) == 3:
			n += 1900
		case n < 50:
			n += 2000
		default:
			n += 1900
		}
		d.year = n
	}
	return true
}

func (d *dateReader) clock(s, separator string) bool {
	if d.hour >= 0 {
		return true
	}
	parts := strings.SplitN(s, separator, 4)
	values := [3]int{}
	for i, p := range parts[:min(3, len(parts))] {
		p, _, _ = strings.Cut(p, ".")
		n, err := strconv.Atoi(p)
		if err != nil {
			return false
		}
		values[i] = n
	}
	d.hour, d.minute, d.second = values[0], values[1], values[2]
	return true
}

// setOffset takes the digits of +hhmm, or +hh.
func (d *dateReader) setOffset(sign byte, digits string) {
	n, err := strconv.Atoi(digits)
	if err != nil {
		return
	}
	if len(digits) <= 2 {
		n *= 100
	}
	offset := (n/100*60 + n%100) * 60
	if n%100 >= 60 || offset > 24*3600 {
		return
	}
	if sign == '-' {
		offset = -offset
	}
	d.zoned, d.offset, d.zone = true, offset, ""
}

func (d *dateReader) time() (time.Time, bool) {
	if d.day > 31 && d.year >= 0 && d.year <= 31 { // 05-Jun-06 was 2005-Jun-06
		d.day, d.year = d.year, d.day
	}
	if d.hour < 0 {
		d.hour = 0
	}
	if d.year < 1900 || d.year > 9999 || d.month < 0 || d.month > 11 || d.day < 1 || d.day > 31 ||
		d.hour > 24 || d.minute > 59 || d.second > 60 {
		return time.Time{}, false
	}
	zone := time.UTC
	if d.zoned && d.offset != 0 {
		zone = time.FixedZone(d.zone, d.offset)
	}
	t := time.Date(d.year, time.Month(d.month+1), d.day, d.hour, d.minute, d.second, 0, zone)
	if t.UTC().Year() > 9999 || t.UTC().Year() < 1 {
		return time.Time{}, false
	}
	return t, true
}
