package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestFindVisit(t *testing.T) {
	t.Parallel()
	log := "applied 0001_init.sql\n" +
		`{"time":"2026-11-20T10:00:00.5Z","level":"INFO","msg":"serving","grpc":":7400"}` + "\n" +
		`{"time":"2026-11-20T10:00:05.75Z","level":"INFO","msg":"mail came in","channel":"x","counts":{"Listed":5},"took":1750000000}` + "\n" +
		`{"time":"2026-11-20T10:01:05.75Z","level":"INFO","msg":"mail came in","channel":"x","took":1}` + "\n"
	v, ok := findVisit(log)
	if want := time.Date(2026, 11, 20, 10, 0, 4, 0, time.UTC); !ok || !v.began().Equal(want) {
		t.Errorf("got %v, %v, want %v", v.began(), ok, want)
	}
	if _, ok := findVisit("not json\n{}\n"); ok {
		t.Error("a visit in a log without one")
	}
}

func TestParseMetrics(t *testing.T) {
	t.Parallel()
	got := parseMetrics("# HELP a_total What.\n# TYPE a_total counter\na_total 5000\nb_total{disposition=\"stored\"} 1.2e+06\n\nbroken\n")
	if d := cmp.Diff(got, map[string]float64{"a_total": 5000, `b_total{disposition="stored"}`: 1.2e6}); d != "" {
		t.Error(d)
	}
}

// The broker answers only when the stream holds enough, and ends with its input.
func TestBroker(t *testing.T) {
	t.Parallel()
	inRead, inWrite := io.Pipe()
	outRead, outWrite := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- serveBroker(t.TempDir(), inRead, outWrite) }()
	b := &broker{ask: inWrite, tell: bufio.NewReader(outRead)}
	url, err := b.line()
	if err != nil || !strings.HasPrefix(url, "nats://127.0.0.1:") {
		t.Fatalf("address %q, %v", url, err)
	}
	publish := dialBroker(t, url)
	publish("$JS.API.STREAM.CREATE.EMAIL", `{"name":"EMAIL","subjects":["email.>"],"storage":"file","retention":"limits","discard":"old","num_replicas":1}`)
	type answer struct {
		r   reached
		err error
	}
	got := make(chan answer, 1)
	go func() {
		r, err := b.await(context.Background(), 3)
		got <- answer{r, err}
	}()
	for range 2 {
		publish("email.received", "event")
	}
	before := time.Now()
	select {
	case a := <-got:
		t.Fatalf("answered %+v with two events of three", a)
	case <-time.After(10 * countEvery):
	}
	publish("email.received", "event")
	if a := <-got; a.err != nil || a.r.Count != 3 || a.r.At.Before(before) {
		t.Errorf("got %+v", a)
	}
	inWrite.Close()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// dialBroker connects as a client of the text protocol and returns a function that publishes one message and waits until
// JetStream has answered it.
func dialBroker(t *testing.T, url string) (publish func(subject, payload string)) {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "nats://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	lines := bufio.NewReader(conn)
	if _, err := lines.ReadString('\n'); err != nil { // INFO
		t.Fatal(err)
	}
	fmt.Fprint(conn, "CONNECT {\"verbose\":false}\r\nSUB answer 1\r\n")
	return func(subject, payload string) {
		t.Helper()
		fmt.Fprintf(conn, "PUB %s answer %d\r\n%s\r\n", subject, len(payload), payload)
		head, err := lines.ReadString('\n')
		if err != nil || !strings.HasPrefix(head, "MSG answer 1 ") {
			t.Fatalf("the server said %q, %v", head, err)
		}
		if body, err := lines.ReadString('\n'); err != nil || strings.Contains(body, "error") {
			t.Fatalf("%s: %q, %v", subject, body, err)
		}
	}
}

func TestPeerConfiguration(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		protocol string
		want     []string
		not      []string
	}{
		{"IMAP", []string{"Host 127.0.0.1\n", "Port 143\n", "SSLType None", "Sync PullNew"}, []string{"CertificateFile"}},
		{"IMAPS", []string{"Host localhost\n", "SSLType IMAPS\nCertificateFile /ca.pem"}, []string{"SSLType None"}},
		{"POP3", []string{"host 127.0.0.1\n", "tls off\n", "keep on\n", "delivery maildir /m\n"}, []string{"tls on"}},
		{"POP3S", []string{"tls on\ntls_starttls off\n", "tls_trust_file /ca.pem\n", "keep on\n"}, []string{"\ntls off"}},
	} {
		t.Run(tt.protocol, func(t *testing.T) {
			t.Parallel()
			got, err := box{protocol: tt.protocol, addr: "127.0.0.1:143", user: "u", password: "p", caFile: "/ca.pem"}.configuration("/d", "/m")
			if err != nil {
				t.Fatal(err)
			}
			for _, w := range tt.want {
				if !strings.Contains(got, w) {
					t.Errorf("lacks %q:\n%s", w, got)
				}
			}
			for _, w := range append(tt.not, "Fsync", "fsync") { // the default is what is measured
				if strings.Contains(got, w) {
					t.Errorf("has %q:\n%s", w, got)
				}
			}
		})
	}
}
