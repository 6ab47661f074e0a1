package calendar

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// describe says an invitation in a few lines for people. who is the attendee who answers, -1 for none.
func describe(c *content, v *ingest.Invite, t times, who int) string {
	var b strings.Builder
	title := v.Summary
	if title == "" {
		title = "(no title)"
	}
	b.WriteString(heading(c, v) + ": " + title)
	if who >= 0 {
		if name := mailbox(v.Attendees[who]); name != "" {
			b.WriteString(" by " + name)
		}
	}
	put := func(label, value string) {
		if value != "" {
			b.WriteString("\n" + label + ": " + value)
		}
	}
	if c.kind == "VTODO" && v.Start.IsZero() {
		put("Due", period(t.end, time.Time{}, t))
	} else {
		put("When", period(t.start, t.end, t))
	}
	put("Repeats", repeats(v.Recurs))
	if !t.occurrence.IsZero() {
		put("Only the occurrence of", period(t.occurrence, time.Time{}, t))
	}
	put("Where", v.Location)
	put("Organizer", mailbox(v.Organizer))
	if who < 0 {
		put("Attendees", mailboxes(v.Attendees, c.more))
	}
	if c.entries > 1 {
		put("More entries in the calendar", strconv.Itoa(c.entries-1))
	}
	for _, name := range []string{"COMMENT", "DESCRIPTION"} {
		if s := multiLine(unescape(c.props[name].value), maxText); s != "" {
			b.WriteString("\n\n" + s)
		}
	}
	return b.String()
}

// heading says what the sender wants, RFC 5546 §1.4.
func heading(c *content, v *ingest.Invite) string {
	thing := map[string]string{"VTODO": "Task", "VJOURNAL": "Journal entry", "VFREEBUSY": "Free/busy times"}[c.kind]
	if thing == "" {
		thing = "Event"
	}
	switch v.Method {
	case "REPLY":
		switch v.Status {
		case "ACCEPTED":
			return "Accepted"
		case "DECLINED":
			return "Declined"
		case "TENTATIVE":
			return "Tentatively accepted"
		case "DELEGATED":
			return "Delegated"
		case "COMPLETED":
			return "Completed"
		}
		return "Reply"
	case "CANCEL":
		return "Cancelled"
	case "COUNTER":
		return "Another time proposed"
	case "DECLINECOUNTER":
		return "Proposal declined"
	case "REFRESH":
		return "Asked for the latest version"
	case "ADD":
		return "Added to a series"
	}
	switch {
	case v.Status == "CANCELLED":
		return "Cancelled"
	case v.Method == "REQUEST" && c.kind == "VFREEBUSY":
		return "Request for free/busy times"
	case v.Method == "REQUEST" && c.kind == "VTODO":
		return "Task assigned"
	case v.Method == "REQUEST" && v.Sequence > 0:
		return "Updated invitation"
	case v.Method == "REQUEST":
		return "Invitation"
	}
	return thing
}

// period writes start and end, with the zone behind them.
func period(start, end time.Time, t times) string {
	const day, clock = "Mon, 2 Jan 2006", "15:04"
	if start.IsZero() {
		if end.IsZero() {
			return ""
		}
		return "until " + period(end, time.Time{}, t)
	}
	if t.allDay {
		if last := end.AddDate(0, 0, -1); !end.IsZero() && last.After(start) { // the end is the first day after, §3.6.1
			return start.Format(day) + " - " + last.Format(day)
		}
		return start.Format(day)
	}
	s := start.Format(day + " " + clock)
	switch {
	case end.IsZero() || end.Equal(start):
	case t.endZone != t.zone: // as of flights
		return s + within(t.zone) + " - " + end.Format(day+" "+clock) + within(t.endZone)
	case end.Format(day) == start.Format(day):
		s += "-" + end.Format(clock)
	default:
		s += " - " + end.Format(day+" "+clock)
	}
	return s + within(t.zone)
}

// within puts the name of a zone behind a time.
func within(zone string) string {
	if zone == "" {
		return ""
	}
	return " (" + zone + ")"
}

// repeats says in words what can be said of an RRULE, RFC 5545 §3.3.10.
func repeats(rule string) string {
	if rule == "" {
		return ""
	}
	parts := map[string]string{}
	for part := range strings.SplitSeq(rule, ";") {
		name, value, _ := strings.Cut(part, "=")
		parts[strings.ToUpper(strings.TrimSpace(name))] = strings.ToUpper(strings.TrimSpace(value))
	}
	unit := map[string]string{"SECONDLY": "second", "MINUTELY": "minute", "HOURLY": "hour", "DAILY": "day", "WEEKLY": "week", "MONTHLY": "month", "YEARLY": "year"}[parts["FREQ"]]
	if unit == "" {
		return rule
	}
	s := "every " + unit
	if n, err := strconv.Atoi(parts["INTERVAL"]); err == nil && n > 1 {
		s = fmt.Sprintf("every %d %ss", n, unit)
	}
	if unit == "week" {
		if days := weekdays(parts["BYDAY"]); days != "" {
			s += " on " + days
		}
	}
	if n, err := strconv.Atoi(parts["COUNT"]); err == nil && n > 0 {
		s += fmt.Sprintf(", %d times", n)
	}
	if t, _, ok := wallTime(parts["UNTIL"]); ok {
		s += ", until " + t.Format("2 Jan 2006")
	}
	return s
}

// weekdays writes a BYDAY of a weekly rule; empty if it is something else.
func weekdays(list string) string {
	names := map[string]string{"MO": "Monday", "TU": "Tuesday", "WE": "Wednesday", "TH": "Thursday", "FR": "Friday", "SA": "Saturday", "SU": "Sunday"}
	var days []string
	for day := range strings.SplitSeq(list, ",") {
		name := names[day]
		if name == "" || len(days) == len(names) {
			return ""
		}
		days = append(days, name)
	}
	return strings.Join(days, ", ")
}

// mailbox writes an address for people.
func mailbox(a ingest.Address) string {
	switch {
	case a.Name == "":
		return a.Email
	case a.Email == "":
		return a.Name
	}
	return a.Name + " <" + a.Email + ">"
}

// mailboxes writes the first addresses of a list and how many there are beside them.
func mailboxes(list []ingest.Address, more int) string {
	const shown = 10
	var out []string
	for i, a := range list {
		if i >= shown {
			more++
			continue
		}
		if s := mailbox(a); s != "" {
			out = append(out, s)
		}
	}
	s := strings.Join(out, ", ")
	if more > 0 {
		s += fmt.Sprintf(" and %d more", more)
	}
	return s
}
