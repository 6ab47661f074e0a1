package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// printer writes answers as the flag -o asks for it.
type printer struct {
	w    io.Writer
	json bool
}

// one writes a single resource: as indented JSON, or by text.
func (p printer) one(m proto.Message, text func(w io.Writer) error) error {
	if !p.json {
		return text(p.w)
	}
	compact, err := marshal(m)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	if err := json.Indent(&b, compact, "", "  "); err != nil {
		return err
	}
	b.WriteByte('\n')
	_, err = p.w.Write(b.Bytes())
	return err
}

// line writes a resource as one line of JSON, which is how lists are written.
func (p printer) line(m proto.Message) error {
	b, err := marshal(m)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(p.w, "%s\n", b)
	return err
}

// marshal is protojson without the blanks that it varies from build to build.
func marshal(m proto.Message) ([]byte, error) {
	raw, err := protojson.Marshal(m)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = json.Compact(&b, raw)
	return b.Bytes(), err
}

// table collects rows and writes them in columns.
type table struct{ tw *tabwriter.Writer }

func newTable(w io.Writer, header ...string) table {
	t := table{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	if len(header) > 0 {
		t.row(header...)
	}
	return t
}

// row adds a row; what stands in cells is made printable.
func (t table) row(cells ...string) {
	for i, c := range cells {
		if cells[i] = plain(c); cells[i] == "" {
			cells[i] = "-"
		}
	}
	// A tabwriter keeps its first error for Flush.
	_, _ = fmt.Fprintln(t.tw, strings.Join(cells, "\t"))
}

// flush writes the rows.
func (t table) flush() error { return t.tw.Flush() }

// plain makes text of foreign origin safe for a terminal and for one line: control characters, among them escape
// sequences, and characters that turn the writing direction become blanks, and runs of blanks one.
func plain(s string) string {
	clean := strings.Map(func(r rune) rune {
		if r == utf8.RuneError || unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co) {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(clean), " ")
}

// cut shortens s to at most n characters.
func cut(s string, n int) string {
	s = plain(s)
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	return strings.TrimSpace(string([]rune(s)[:n-1])) + "…"
}

// ago is a past time as an age; empty if there is none.
func ago(t *timestamppb.Timestamp, now time.Time) string {
	if t == nil {
		return ""
	}
	d := now.Sub(t.AsTime())
	if d < time.Second {
		return "now"
	}
	return age(d) + " ago"
}

// until is a time to come as a distance; empty if there is none, "due" if it has passed.
func until(t *timestamppb.Timestamp, now time.Time) string {
	if t == nil {
		return ""
	}
	d := t.AsTime().Sub(now)
	if d < time.Second {
		return "due"
	}
	return "in " + age(d)
}

// age is a duration in its two largest units at most.
func age(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < 10*time.Minute && d%time.Minute != 0:
		return fmt.Sprintf("%dm%ds", d/time.Minute, d%time.Minute/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// stamp is a time in the local zone; empty if there is none.
func stamp(t *timestamppb.Timestamp) string {
	if t == nil {
		return ""
	}
	return t.AsTime().Local().Format("2006-01-02 15:04:05")
}

// octets is a size for people.
func octets(n int64) string {
	switch {
	case n < 0:
		return "unknown size"
	case n < 1<<10:
		return fmt.Sprintf("%d B", n)
	case n < 1<<20:
		return fmt.Sprintf("%.1f KiB", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.1f GiB", float64(n)/(1<<30))
}

// facts are the lines "name  value" of a single resource.
type facts struct{ table }

func newFacts(w io.Writer) facts { return facts{newTable(w)} }

// add writes a line unless the value is empty.
func (f facts) add(name, value string) {
	if value != "" {
		f.row(name, value)
	}
}
