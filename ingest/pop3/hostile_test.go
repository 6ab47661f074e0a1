package pop3

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// hostile is one running case of the faulty server.
type hostile struct {
	t      *testing.T
	m      *ingest.Mailbox
	client *Client
	stop   func() []event
}

// event is something that happened at the server.
type event struct {
	Ev   string `json:"ev"`
	Conn int    `json:"conn"`
	Text string `json:"text"`
	TLS  bool   `json:"tls"`
}

func startHostile(t *testing.T, name string) *hostile {
	t.Helper()
	dir := filepath.Join(mailservers(t), "faults")
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("needs python3 for the faulty server")
	}
	tlsDir := t.TempDir()
	run(t, filepath.Join(dir, "..", "common", "mkca.sh"), tlsDir)
	cmd := exec.Command("python3", filepath.Join(dir, "hostile.py"), name,
		"--cert", filepath.Join(tlsDir, "server.pem"), "--key", filepath.Join(tlsDir, "server.key"))
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 1<<20)
	var events []event
	var stopped bool
	h := &hostile{t: t, client: testClient(), stop: func() []event {
		if !stopped {
			stopped = true
			stdin.Close()
			for lines.Scan() {
				var e event
				if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
					t.Errorf("event %q: %v", lines.Text(), err)
				}
				events = append(events, e)
			}
			cmd.Wait()
		}
		return events
	}}
	t.Cleanup(func() { h.stop() })
	var first struct {
		Port int
		Mode string
	}
	if !lines.Scan() || json.Unmarshal(lines.Bytes(), &first) != nil {
		t.Fatalf("the faulty server says %q", lines.Text())
	}
	h.m = &ingest.Mailbox{
		Protocol: ingest.POP3, Host: "localhost", Port: first.Port, StartTLS: first.Mode == "starttls",
		TLSRoots: roots(t, tlsDir), Username: "alice", Password: ingest.NewSecret("secret"), MaxMessageBytes: 1 << 20,
	}
	return h
}

// visit opens a session, lists and fetches everything and closes; it expects that all of that works.
func (h *hostile) visit() ([]ingest.Entry, fetched) {
	h.t.Helper()
	s, err := h.client.Open(h.t.Context(), h.m)
	if err != nil {
		h.t.Fatalf("Open: %v", err)
	}
	entries := listAll(h.t, s, 2)
	f := fetch(h.t.Context(), s, refsOf(entries))
	if err := s.Close(); err != nil {
		h.t.Errorf("Close: %v", err)
	}
	return entries, f
}

// refused expects that Open fails, and that no credential went out in clear on the way.
func (h *hostile) refused(kind ingest.Kind, reason ingest.Reason) *ingest.Error {
	h.t.Helper()
	e := refuse(h.t, h.client, h.m)
	wantError(h.t, e, kind, reason)
	return e
}

func (h *hostile) nothingSecretInClear() {
	h.t.Helper()
	seen := 0
	for _, e := range h.stop() {
		if e.Ev != "line" || e.TLS {
			continue
		}
		seen++
		verb, _, _ := strings.Cut(strings.ToUpper(e.Text), " ")
		if slices.Contains([]string{"USER", "PASS", "AUTH", "APOP"}, verb) || strings.Contains(e.Text, "secret") {
			h.t.Errorf("sent in clear: %q", e.Text)
		}
	}
	if seen == 0 {
		h.t.Error("the server saw no command")
	}
}

// said are the verbs that the server got, in order.
func (h *hostile) said() []string {
	var verbs []string
	for _, e := range h.stop() {
		if e.Ev == "line" {
			verb, _, _ := strings.Cut(strings.ToUpper(e.Text), " ")
			verbs = append(verbs, verb)
		}
	}
	return verbs
}

// allTaken checks that n messages came, each whole, each under a ref of its own.
func (h *hostile) allTaken(entries []ingest.Entry, f fetched, n int) {
	h.t.Helper()
	if f.err != nil || len(f.missing) > 0 || len(entries) != n || len(f.bodies) != n {
		h.t.Errorf("%d listed, %d taken, missing %v, error %v; want %d", len(entries), len(f.bodies), f.missing, f.err, n)
	}
	texts := map[string]bool{}
	for _, body := range f.bodies {
		texts[body] = true
	}
	if len(texts) != n {
		h.t.Errorf("%d different messages, want %d", len(texts), n)
	}
}

func (h *hostile) sameRefsTwice(n int) {
	h.t.Helper()
	entries, f := h.visit()
	h.allTaken(entries, f, n)
	again, _ := h.visit()
	if diff := cmp.Diff(refsOf(entries), refsOf(again)); diff != "" {
		h.t.Errorf("refs change between visits (-first +second):\n%s", diff)
	}
}

// hostileCases says what each case must lead to, as far as the session is concerned.
var hostileCases = map[string]func(t *testing.T, h *hostile){
	"pop3-stls-inject": func(t *testing.T, h *hostile) {
		h.refused(ingest.KindProtocol, ingest.ReasonStartTLSInjection)
		h.nothingSecretInClear()
	},
	"pop3-stls-strip-1": func(t *testing.T, h *hostile) {
		h.refused(ingest.KindConfig, ingest.ReasonStartTLSRefused)
		h.nothingSecretInClear()
	},
	"pop3-stls-strip-2": func(t *testing.T, h *hostile) {
		h.refused(ingest.KindTemporary, ingest.ReasonStartTLSRefused)
		h.nothingSecretInClear()
	},
	"pop3-stls-strip-3": func(t *testing.T, h *hostile) {
		h.refused(ingest.KindProtocol, ingest.ReasonProtocol)
		h.nothingSecretInClear()
	},
	"pop3-uidl-dup":  func(t *testing.T, h *hostile) { h.sameRefsTwice(3) },
	"pop3-uidl-none": func(t *testing.T, h *hostile) { h.sameRefsTwice(3) },
	"pop3-uidl-long": func(t *testing.T, h *hostile) {
		s, err := h.client.Open(t.Context(), h.m)
		if err != nil {
			t.Fatal(err)
		}
		n := len(listAll(t, s, 0))
		s.Close()
		if n < 4 {
			t.Errorf("%d messages listed", n)
		}
		h.sameRefsTwice(n)
	},
	"pop3-uidl-changes": func(t *testing.T, h *hostile) {
		// That the content is known already is for the ledger to see: same octets, another ref.
		first, f1 := h.visit()
		second, f2 := h.visit()
		h.allTaken(first, f1, 3)
		h.allTaken(second, f2, 3)
		for i := range first {
			a, b := first[i].Ref, second[i].Ref
			if a == b || f1.bodies[a] != f2.bodies[b] {
				t.Errorf("%v and %v: bodies equal %v", a, b, f1.bodies[a] == f2.bodies[b])
			}
		}
	},
	"pop3-list-lie": func(t *testing.T, h *hostile) {
		entries, f := h.visit()
		h.allTaken(entries, f, 1)
		if n := len(f.bodies[entries[0].Ref]); entries[0].Size != 10 || n < 300_000 {
			t.Errorf("size %d, %d octets", entries[0].Size, n)
		}
		h.m.MaxMessageBytes = 100_000
		_, f = h.visit()
		wantError(t, f.missing[entries[0].Ref], ingest.KindTooLarge, ingest.ReasonTooLarge)
		wantError(t, f.err, ingest.KindTemporary, ingest.ReasonTooLarge)
	},
	"pop3-list-negative": func(t *testing.T, h *hostile) {
		entries, f := h.visit()
		h.allTaken(entries, f, 2)
		for _, e := range entries {
			if e.Size != -1 {
				t.Errorf("message %d has size %d", e.Number, e.Size)
			}
		}
	},
	"pop3-list-endless": func(t *testing.T, h *hostile) {
		got := h.inSmallProcess()
		if got.Err != "protocol LIMIT_EXCEEDED" {
			t.Errorf("got %+v", got)
		}
	},
	"pop3-stat-mismatch": func(t *testing.T, h *hostile) {
		entries, f := h.visit()
		if diff := cmp.Diff([]string{"1:a/100", "2:b/100", "3:c/-1", "4:d/-1"}, summary(entries)); diff != "" {
			t.Errorf("entries (-want +got):\n%s", diff)
		}
		if f.err != nil || len(f.bodies) != 3 || ingest.KindOf(f.missing[uidl("d")]) != ingest.KindGone {
			t.Errorf("%d bodies, missing %v, error %v", len(f.bodies), f.missing, f.err)
		}
	},
	"pop3-renumber": func(t *testing.T, h *hostile) {
		_, f1 := h.visit()
		second, f2 := h.visit()
		if len(second) != 2 || second[0].Number != 1 {
			t.Fatalf("second visit: %v", second)
		}
		for ref, body := range f2.bodies {
			if f1.bodies[ref] != body {
				t.Errorf("%v is %q, then %q", ref, f1.bodies[ref], body)
			}
		}
	},
	"pop3-retr-no-dot": func(t *testing.T, h *hostile) {
		h.client.Dialer.IOTimeout = 500 * time.Millisecond
		entries, f := h.visit()
		wantError(t, f.err, ingest.KindTemporary, ingest.ReasonTimeout)
		wantError(t, f.missing[entries[0].Ref], ingest.KindTemporary, ingest.ReasonTimeout)
		if len(f.bodies) > 0 {
			t.Errorf("taken: %v", f.bodies)
		}
	},
	"pop3-retr-cut": func(t *testing.T, h *hostile) {
		_, f := h.visit()
		wantError(t, f.err, ingest.KindTemporary, ingest.ReasonConnectionLost)
		if len(f.bodies) > 0 || len(f.missing) != 1 {
			t.Errorf("taken %v, missing %v", f.bodies, f.missing)
		}
		entries, f := h.visit()
		h.allTaken(entries, f, 3)
		if slices.Contains(h.said(), "DELE") {
			t.Error("something was deleted")
		}
	},
	"pop3-retr-bare-dot": func(t *testing.T, h *hostile) {
		entries, f := h.visit()
		wantError(t, f.err, ingest.KindProtocol, ingest.ReasonProtocol)
		wantError(t, f.missing[entries[0].Ref], ingest.KindProtocol, ingest.ReasonProtocol)
		if len(f.bodies) > 0 {
			t.Errorf("half a message was taken for a whole one: %v", f.bodies)
		}
		if slices.Contains(h.said(), "QUIT") {
			t.Error("the connection went on")
		}
	},
	"pop3-retr-lf-dot": func(t *testing.T, h *hostile) {
		_, f := h.visit()
		for ref, body := range f.bodies {
			if body != "Subject: x\r\n\r\na\n.\nb\r\n" {
				t.Errorf("%v: got %q", ref, body)
			}
		}
		if f.err != nil || len(f.bodies) != 3 {
			t.Errorf("%d bodies, %v", len(f.bodies), f.err)
		}
	},
	"pop3-retr-err": func(t *testing.T, h *hostile) {
		for range 2 {
			entries, f := h.visit()
			if f.err != nil || len(f.bodies) != 2 || len(f.missing) != 1 {
				t.Errorf("%d bodies, missing %v, error %v", len(f.bodies), f.missing, f.err)
			}
			wantError(t, f.missing[entries[0].Ref], ingest.KindProtocol, ingest.ReasonMissingBody)
		}
	},
	"pop3-dele-quit-fail": func(t *testing.T, h *hostile) {
		var refs []ingest.Ref
		for range 2 {
			s, err := h.client.Open(t.Context(), h.m)
			if err != nil {
				t.Fatal(err)
			}
			seen := refsOf(listAll(t, s, 0))
			if len(seen) != 3 || refs != nil && !slices.Equal(refs, seen) {
				t.Errorf("listed %v, before %v", seen, refs)
			}
			refs = seen
			if err := s.Settle(t.Context(), refs, ingest.SettleDelete); err != nil {
				t.Fatal(err)
			}
			wantError(t, s.Close(), ingest.KindTemporary, ingest.ReasonRefused)
		}
	},
	"pop3-in-use": func(t *testing.T, h *hostile) {
		h.refused(ingest.KindTemporary, ingest.ReasonMailboxInUse)
	},
	"pop3-login-delay": func(t *testing.T, h *hostile) {
		if e := h.refused(ingest.KindThrottled, ingest.ReasonThrottled); e.RetryAfter != 15*time.Minute {
			t.Errorf("RetryAfter is %v", e.RetryAfter)
		}
	},
	"pop3-sys-temp": func(t *testing.T, h *hostile) {
		h.refused(ingest.KindTemporary, ingest.ReasonServerUnavailable)
	},
	"pop3-auth-bad": func(t *testing.T, h *hostile) {
		if e := h.refused(ingest.KindAuth, ingest.ReasonLoginRefused); e.Server != "[AUTH] wrong" {
			t.Errorf("server text %q", e.Server)
		}
	},
	"pop3-greeting-err": func(t *testing.T, h *hostile) {
		h.refused(ingest.KindTemporary, ingest.ReasonGreetingRefused)
	},
	"pop3-greeting-multi": func(t *testing.T, h *hostile) {
		h.refused(ingest.KindProtocol, ingest.ReasonProtocol)
		if slices.Contains(h.said(), "PASS") {
			t.Error("the password was sent all the same")
		}
	},
	"pop3-capa-err": func(t *testing.T, h *hostile) {
		entries, f := h.visit()
		h.allTaken(entries, f, 3)
		if said := h.said(); !slices.Contains(said, "UIDL") || !slices.Contains(said, "PASS") {
			t.Errorf("the server got %v", said)
		}
	},
	"pop3-line-endless": func(t *testing.T, h *hostile) {
		got := h.inSmallProcess()
		if got.Err != "temporary MESSAGE_TOO_LARGE" || got.Missing != "too-large" || got.Bodies != 0 {
			t.Errorf("got %+v", got)
		}
	},
	"pop3-slow": func(t *testing.T, h *hostile) {
		h.client.Dialer.IOTimeout = time.Second // the whole body would take 500 s
		entries, f := h.visit()
		wantError(t, f.err, ingest.KindTemporary, ingest.ReasonTimeout)
		wantError(t, f.missing[entries[0].Ref], ingest.KindTemporary, ingest.ReasonTimeout)
	},
}

func TestHostile(t *testing.T) {
	t.Parallel()
	script := filepath.Join(mailservers(t), "faults", "hostile.py")
	list, err := exec.Command("python3", script, "--list").Output()
	if err != nil {
		t.Skipf("needs python3 for the faulty server: %v", err)
	}
	for line := range strings.Lines(string(list)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[1] != "pop3" {
			continue
		}
		t.Run(f[0], func(t *testing.T) {
			t.Parallel()
			check, ok := hostileCases[f[0]]
			if !ok {
				t.Fatalf("no expectation for %s", line)
			}
			check(t, startHostile(t, f[0]))
		})
	}
}

// outcome is what a visit in a child process came to.
type outcome struct {
	Err     string // kind and reason of the error that ended it
	Missing string // kind of the error of the only missing ref
	Bodies  int
	PeakKiB int
}

// The limits of a child process: address space, which a Go program uses about 1.5 GiB of from the start, and memory.
const (
	childAddressSpace = 2 << 30
	childPeakKiB      = 96 << 10
)

// inSmallProcess makes one visit in a child with little memory, and expects that the child survives.
func (h *hostile) inSmallProcess() outcome {
	h.t.Helper()
	args := []string{os.Args[0], "-test.run=^TestSmallProcess$", "-test.v"}
	if _, err := exec.LookPath("prlimit"); err == nil && !raceDetector {
		args = append([]string{"prlimit", "--as=" + strconv.Itoa(childAddressSpace), "--"}, args...)
	}
	cmd := exec.CommandContext(h.t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), fmt.Sprintf("MAILINTAKE_TEST_PORT=%d", h.m.Port))
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("child: %v\n%.2000s", err, out)
	}
	_, text, _ := strings.Cut(string(out), "OUTCOME ")
	var o outcome
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&o); err != nil {
		h.t.Fatalf("child said %.2000s: %v", out, err)
	}
	h.t.Logf("the child: %+v", o)
	if o.PeakKiB > childPeakKiB && !raceDetector {
		h.t.Errorf("the child took %d KiB", o.PeakKiB)
	}
	return o
}

// TestSmallProcess is the child of inSmallProcess and nothing by itself.
func TestSmallProcess(t *testing.T) {
	port, err := strconv.Atoi(os.Getenv("MAILINTAKE_TEST_PORT"))
	if err != nil {
		t.Skip("runs as a child of TestHostile only")
	}
	client := &Client{Dialer: &dial.Dialer{Egress: loopback(), IOTimeout: 20 * time.Second}}
	m := &ingest.Mailbox{
		Protocol: ingest.POP3, Host: "localhost", Port: port, Username: "alice",
		Password: ingest.NewSecret("secret"), MaxMessageBytes: 1 << 20,
	}
	s, err := client.Open(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var o outcome
	page, err := s.List(t.Context(), ingest.Cursor{}, ingest.Limit{})
	if err == nil {
		var missing ingest.Missing
		missing, err = s.Fetch(t.Context(), refsOf(page.Entries), func(a ingest.Arrival) error {
			if _, err := io.Copy(io.Discard, a.Body); err == nil {
				o.Bodies++
			}
			return nil
		})
		for _, why := range missing {
			o.Missing = ingest.KindOf(why).String()
		}
	}
	if err != nil {
		e := asError(t, err)
		o.Err = e.Kind.String() + " " + string(e.Reason)
	}
	o.PeakKiB = peakKiB(t)
	out, _ := json.Marshal(o)
	fmt.Printf("OUTCOME %s\n", out)
}

// peakKiB is the most memory that this process ever had resident.
func peakKiB(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Skipf("needs /proc: %v", err)
	}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			n, _ := strconv.Atoi(f[1])
			return n
		}
	}
	t.Fatal("no VmHWM in /proc/self/status")
	return 0
}
