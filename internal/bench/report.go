package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// subject is what this is all about.
const subject = "mailintake"

// sample is one run of one program.
type sample struct {
	Link     string           `json:"link"` // loopback, or its round trip: 20ms
	Protocol string           `json:"protocol"`
	Program  string           `json:"program"`
	Run      int              `json:"run"`             // from 1
	Seconds  float64          `json:"seconds"`         // see the package comment
	Notice   float64          `json:"notice_seconds"`  // mailintake: from the channel's creation to the begin of the visit
	Used     map[string]usage `json:"used,omitempty"`  // by program
	Error    string           `json:"error,omitempty"` // why there are no figures
}

// report is everything that was found out.
type report struct {
	Machine  machine  `json:"machine"`
	Corpus   string   `json:"corpus"`
	Messages int      `json:"messages"`
	Octets   int64    `json:"octets"` // on the wire, CRLF line ends
	Samples  []sample `json:"samples"`
	Rows     []row    `json:"summary"`
	Targets  []target `json:"targets"`
}

// row sums the runs of one program over one link up: the median, except for peaks.
type row struct {
	Link     string             `json:"link"`
	Protocol string             `json:"protocol"`
	Program  string             `json:"program"`
	Runs     int                `json:"runs"`
	Rate     float64            `json:"messages_per_second"`
	Slowest  float64            `json:"slowest"`
	Fastest  float64            `json:"fastest"`
	MBps     float64            `json:"megabytes_per_second"` // 10^6 octets
	Notice   float64            `json:"notice_seconds"`
	CPU      map[string]float64 `json:"cpu_seconds"` // by program
	Peak     map[string]int64   `json:"peak_bytes"`  // by program, the highest of all runs
	Ratio    float64            `json:"ratio"`       // mailintake: to the peer with the same protocol and link; 0 if there is none
	Best     float64            `json:"best_ratio"`  // to the fastest peer with the same link and encryption
}

// median is the middle of the values, or the mean of the two in the middle.
func median(values []float64) float64 {
	v := slices.Sorted(slices.Values(values))
	if len(v) == 0 {
		return 0
	}
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}

// summarize fills in Rows and Targets from Samples, in the order in which these were taken.
func (r *report) summarize() {
	r.Rows = nil
	groups := map[[3]string][]sample{}
	var order [][3]string
	for _, s := range r.Samples {
		key := [3]string{s.Link, s.Protocol, s.Program}
		if s.Error != "" {
			continue
		}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], s)
	}
	for _, key := range order {
		r.Rows = append(r.Rows, r.row(groups[key]))
	}
	// The subject goes before its peer whoever ran first.
	at := map[[2]string]int{}
	for i, x := range r.Rows {
		if key := [2]string{x.Link, x.Protocol}; at[key] == 0 {
			at[key] = i + 1
		}
	}
	slices.SortStableFunc(r.Rows, func(a, b row) int {
		rank := func(x row) int {
			n := 2 * at[[2]string{x.Link, x.Protocol}]
			if x.Program != subject {
				n++
			}
			return n
		}
		return cmp.Compare(rank(a), rank(b))
	})
	for i := range r.Rows {
		if r.Rows[i].Program == subject {
			r.compare(&r.Rows[i])
		}
	}
	r.Targets = nil
	if r.Corpus == "small" { // which is what they were set for
		r.Targets = targets(r.Rows)
	}
}

func (r *report) row(runs []sample) row {
	x := row{Link: runs[0].Link, Protocol: runs[0].Protocol, Program: runs[0].Program, Runs: len(runs), CPU: map[string]float64{}, Peak: map[string]int64{}}
	var rates, notices []float64
	cpu := map[string][]float64{}
	for _, s := range runs {
		rates, notices = append(rates, float64(r.Messages)/s.Seconds), append(notices, s.Notice)
		for name, u := range s.Used {
			cpu[name] = append(cpu[name], u.CPU)
			x.Peak[name] = max(x.Peak[name], u.Peak)
		}
	}
	for name, v := range cpu {
		x.CPU[name] = median(v)
	}
	x.Rate, x.Slowest, x.Fastest, x.Notice = median(rates), slices.Min(rates), slices.Max(rates), median(notices)
	x.MBps = x.Rate * float64(r.Octets) / float64(r.Messages) / 1e6
	return x
}

func (r *report) compare(x *row) {
	var same, best float64
	for _, p := range r.Rows {
		if p.Program == subject || p.Link != x.Link || strings.HasSuffix(p.Protocol, "S") != strings.HasSuffix(x.Protocol, "S") {
			continue
		}
		best = max(best, p.Rate)
		if p.Protocol == x.Protocol {
			same = max(same, p.Rate)
		}
	}
	if same > 0 {
		x.Ratio = x.Rate / same
	}
	if best > 0 {
		x.Best = x.Rate / best
	}
}

// target is one promise and whether it was kept.
type target struct {
	What  string `json:"what"`
	Found string `json:"found"`
	State string `json:"state"` // met, missed, or unknown where there is nothing to compare with
}

// The targets, on a machine that is otherwise idle.
const (
	targetRatio  = 2.0       // loopback, times the peer
	targetRate   = 1000.0    // messages per second over the long link
	targetMemory = 150 * mib // resident
)

const loopback = "loopback"

func targets(rows []row) []target {
	var list []target
	add := func(what, found string, known, met bool) {
		state := "missed"
		switch {
		case !known:
			state = "unknown"
		case met:
			state = "met"
		}
		list = append(list, target{what, found, state})
	}
	var peak int64
	for _, x := range rows {
		if x.Program != subject {
			continue
		}
		peak = max(peak, x.Peak[subject])
		if x.Link == loopback {
			found := "its peer is not installed or was not run"
			if x.Ratio > 0 {
				found = fmt.Sprintf("%.2f times %s; %.2f times the fastest peer with this encryption", x.Ratio, peerOf(x.Protocol), x.Best)
			}
			add(fmt.Sprintf("%s on loopback at least twice as fast as the peer", x.Protocol), found, x.Ratio > 0, x.Ratio >= targetRatio)
		} else {
			add(fmt.Sprintf("%s over %s at least 1,000 messages/s", x.Protocol, x.Link), fmt.Sprintf("%.0f", x.Rate), true, x.Rate >= targetRate)
		}
	}
	if peak > 0 {
		add("mailintake in less than 150 MB resident", fmt.Sprintf("%.0f MB", float64(peak)/mib), true, peak < targetMemory)
	}
	return list
}

// print writes the report for people.
func (r *report) print(w io.Writer) {
	fmt.Fprintf(w, "\n%d messages (%s), %.1f MB, mean %d octets; the median of runs (slowest-fastest), the highest peak\n\n",
		r.Messages, r.Corpus, float64(r.Octets)/1e6, r.Octets/int64(r.Messages))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\t\t\t\t\t\tnoticed\tCPU s\t\t\t\t\tpeak MB\t\t\t\ttimes\ttimes\t")
	fmt.Fprintln(t, "link\tprotocol\tprogram\tmessages/s\t\tMB/s\tafter s\town\tpostgres\tnats\tdovecot\tbench\town\tpostgres\tnats\tdovecot\tits peer\tbest peer\t")
	for _, x := range r.Rows {
		spread, notice := "", ""
		if x.Runs > 1 {
			spread = fmt.Sprintf("(%.0f-%.0f)", x.Slowest, x.Fastest)
		}
		if x.Program == subject {
			notice = fmt.Sprintf("%.1f", x.Notice)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.0f\t%s\t%.1f\t%s\t", x.Link, x.Protocol, x.Program, x.Rate, spread, x.MBps, notice)
		for _, name := range []string{x.Program, "postgres", "nats", "dovecot", "bench"} {
			fmt.Fprintf(t, "%s\t", number(x.CPU[name], "%.2f", has(x.CPU, name)))
		}
		for _, name := range []string{x.Program, "postgres", "nats", "dovecot"} {
			fmt.Fprintf(t, "%s\t", number(float64(x.Peak[name])/mib, "%.0f", has(x.Peak, name)))
		}
		fmt.Fprintf(t, "%s\t%s\t\n", number(x.Ratio, "%.2f", x.Ratio > 0), number(x.Best, "%.2f", x.Best > 0))
	}
	must(t.Flush())
	fmt.Fprintln(w, "\nbench is this program: the proxy of the long link, and the measuring. The peers neither parse nor announce mail.")
	if len(r.Targets) > 0 {
		fmt.Fprintln(w, "\nTargets")
	}
	for _, x := range r.Targets {
		fmt.Fprintf(w, "  %-8s%s: %s\n", x.State, x.What, x.Found)
	}
	for _, s := range r.Samples {
		if s.Error != "" {
			fmt.Fprintf(w, "\nFAILED %s %s %s, run %d: %s\n", s.Link, s.Protocol, s.Program, s.Run, s.Error)
		}
	}
}

// number formats a value, or gives nothing for one that does not exist.
func number(v float64, format string, known bool) string {
	if !known {
		return ""
	}
	return fmt.Sprintf(format, v)
}

func has[V any](m map[string]V, name string) bool {
	_, ok := m[name]
	return ok
}

// linkName is how a link is called that takes rtt for a round trip.
func linkName(rtt time.Duration) string {
	if rtt == 0 {
		return loopback
	}
	return rtt.String()
}
