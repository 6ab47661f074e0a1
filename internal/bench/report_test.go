package main

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func made(link, protocol, program string, run int, seconds float64, peak int64) sample {
	return sample{Link: link, Protocol: protocol, Program: program, Run: run, Seconds: seconds, Notice: 1, Used: map[string]usage{
		program: {CPU: seconds / 2, Peak: peak}, "dovecot": {CPU: 0.1, Peak: 10 * mib}}}
}

func example() *report {
	r := &report{Corpus: "small", Messages: 1000, Octets: 10_000_000, Samples: []sample{
		made(loopback, "IMAP", subject, 1, 0.5, 90*mib), made(loopback, "IMAP", "mbsync", 1, 2, 6*mib),
		made("20ms", "IMAP", subject, 1, 2, 80*mib),
		made(loopback, "POP3", subject, 1, 0.5, 80*mib), made(loopback, "POP3", "mpop", 1, 0.8, 8*mib),
		made(loopback, "IMAPS", subject, 1, 0.5, 80*mib),
		// The second run, in which the peer went first, and a third one that failed.
		made(loopback, "IMAP", "mbsync", 2, 4, 7*mib), made(loopback, "IMAP", subject, 2, 0.25, 100*mib), made(loopback, "IMAP", subject, 3, 1, 70*mib),
		{Link: loopback, Protocol: "IMAP", Program: "mbsync", Run: 3, Error: "it broke"},
	}}
	r.summarize()
	return r
}

func TestSummary(t *testing.T) {
	t.Parallel()
	r := example()
	var got []string
	for _, x := range r.Rows {
		got = append(got, x.Link+" "+x.Protocol+" "+x.Program)
	}
	want := []string{"loopback IMAP mailintake", "loopback IMAP mbsync", "20ms IMAP mailintake", "loopback POP3 mailintake", "loopback POP3 mpop", "loopback IMAPS mailintake"}
	if d := cmp.Diff(got, want); d != "" {
		t.Errorf("order: %s", d)
	}
	// Rates of mailintake: 2,000, 4,000 and 1,000; of mbsync 500 and 250; of mpop 1,250.
	if d := cmp.Diff(r.Rows[0], row{Link: loopback, Protocol: "IMAP", Program: subject, Runs: 3, Rate: 2000, Slowest: 1000, Fastest: 4000, MBps: 20, Notice: 1,
		CPU: map[string]float64{subject: 0.25, "dovecot": 0.1}, Peak: map[string]int64{subject: 100 * mib, "dovecot": 10 * mib}, Ratio: 2000.0 / 375, Best: 1.6}); d != "" {
		t.Errorf("first row: %s", d)
	}
	if d := cmp.Diff(r.Targets, []target{
		{"IMAP on loopback at least twice as fast as the peer", "5.33 times mbsync; 1.60 times the fastest peer with this encryption", "met"},
		{"IMAP over 20ms at least 1,000 messages/s", "500", "missed"},
		{"POP3 on loopback at least twice as fast as the peer", "1.60 times mpop; 1.60 times the fastest peer with this encryption", "missed"},
		{"IMAPS on loopback at least twice as fast as the peer", "its peer is not installed or was not run", "unknown"},
		{"mailintake in less than 150 MB resident", "100 MB", "met"},
	}); d != "" {
		t.Errorf("targets: %s", d)
	}
}

func TestPrintedReport(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	example().print(&b)
	want := `
1000 messages (small), 10.0 MB, mean 10000 octets; the median of runs (slowest-fastest), the highest peak

                                                                 noticed  CPU s                                  peak MB                              times      times
      link  protocol     program  messages/s               MB/s  after s    own  postgres  nats  dovecot  bench      own  postgres  nats  dovecot  its peer  best peer
  loopback      IMAP  mailintake        2000  (1000-4000)  20.0      1.0   0.25                     0.10             100                       10      5.33       1.60
  loopback      IMAP      mbsync         375    (250-500)   3.8            1.50                     0.10               7                       10                     
      20ms      IMAP  mailintake         500                5.0      1.0   1.00                     0.10              80                       10                     
  loopback      POP3  mailintake        2000               20.0      1.0   0.25                     0.10              80                       10      1.60       1.60
  loopback      POP3        mpop        1250               12.5            0.40                     0.10               8                       10                     
  loopback     IMAPS  mailintake        2000               20.0      1.0   0.25                     0.10              80                       10                     

bench is this program: the proxy of the long link, and the measuring. The peers neither parse nor announce mail.

Targets
  met     IMAP on loopback at least twice as fast as the peer: 5.33 times mbsync; 1.60 times the fastest peer with this encryption
  missed  IMAP over 20ms at least 1,000 messages/s: 500
  missed  POP3 on loopback at least twice as fast as the peer: 1.60 times mpop; 1.60 times the fastest peer with this encryption
  unknown IMAPS on loopback at least twice as fast as the peer: its peer is not installed or was not run
  met     mailintake in less than 150 MB resident: 100 MB

FAILED loopback IMAP mbsync, run 3: it broke
`
	if d := cmp.Diff(b.String(), want); d != "" {
		t.Error(d)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		values []float64
		want   float64
	}{{"none", nil, 0}, {"one", []float64{3}, 3}, {"odd", []float64{9, 1, 4}, 4}, {"even", []float64{9, 1, 4, 2}, 3}} {
		if got := median(tt.values); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	got, err := parseOptions([]string{"-corpus", "mixed", "-protocols", "imaps, POP3", "-links", "0s,50ms", "-runs", "3"}, io.Discard)
	want := options{Corpus: "mixed", Messages: 2000, Runs: 3, Protocols: []string{"IMAPS", "POP3"}, Links: []time.Duration{0, 50 * time.Millisecond},
		Peers: true, Timeout: 5 * time.Minute}
	if d := cmp.Diff(got, want); err != nil || d != "" {
		t.Errorf("%v %s", err, d)
	}
	for _, bad := range [][]string{{"-corpus", "huge"}, {"-runs", "0"}, {"-messages", "-1"}, {"-protocols", "SMTP"}, {"-links", "fast"}, {"-links", "-1s"}, {"more"}} {
		if _, err := parseOptions(bad, io.Discard); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}
