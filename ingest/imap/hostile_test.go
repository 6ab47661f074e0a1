package imap

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// hostile says what two visits to each faulty server come to; see outcome for the words. The second visit starts 100
// UIDs below where the first one ended, as the poll loop looks back.
var hostile = map[string][2]string{
	"imap-starttls-inject-tagged":          {"open: protocol STARTTLS_INJECTION"},
	"imap-starttls-inject-untagged-before": {"open: protocol STARTTLS_INJECTION"},
	"imap-starttls-inject-after-greeting":  {"open: protocol STARTTLS_INJECTION"},
	"imap-starttls-strip-1":                {"open: config STARTTLS_REFUSED"},
	"imap-starttls-strip-2":                {"open: config STARTTLS_REFUSED"},
	"imap-starttls-strip-3":                {"open: config STARTTLS_REFUSED"},
	"imap-starttls-strip-4":                {"open: config STARTTLS_REFUSED"},
	"imap-starttls-no-capability":          {"open: config STARTTLS_REFUSED"},
	"imap-starttls-forged-ok-early":        {"open: protocol STARTTLS_INJECTION"},
	"imap-preauth":                         {"open: config PREAUTH"},
	"imap-referral":                        {"open: auth LOGIN_REFUSED"},
	"imap-logindisabled":                   {"open: config LOGIN_DISABLED"},
	"imap-alert-escape":                    {"listed [11 12 13], got 11:163 12:163 13:163"},
	"imap-tls-plaintext":                   {"open: config TLS_FAILED"},
	"imap-tls-silent":                      {"open: temporary TIMEOUT"},
	"imap-greeting-endless":                {"open: protocol LIMIT_EXCEEDED"},
	"imap-greeting-silent":                 {"open: temporary GREETING_TIMEOUT"},
	"imap-greeting-drip":                   {"open: temporary GREETING_TIMEOUT"},
	"imap-greeting-bye":                    {"open: throttled THROTTLED"},
	"imap-greeting-garbage":                {"open: config NOT_A_MAIL_SERVER"},
	"imap-literal-huge":                    {"list: protocol LIMIT_EXCEEDED; then got 11: too-large MESSAGE_TOO_LARGE, fetch: too-large MESSAGE_TOO_LARGE"},
	"imap-literal-overflow":                {"list: protocol PROTOCOL_ERROR; then got, fetch: protocol PROTOCOL_ERROR"},
	"imap-literal-cut":                     {"list: temporary CONNECTION_LOST; then got 11:163 12:163 13:163", "list: temporary CONNECTION_LOST; then got, fetch: temporary CONNECTION_LOST"},
	"imap-literal-short":                   {"list: protocol PROTOCOL_ERROR; then got, fetch: protocol PROTOCOL_ERROR"},
	"imap-body-has-tagged-ok":              {"listed [11], got 11:235"},
	"imap-line-endless":                    {"list: protocol LIMIT_EXCEEDED; then got, fetch: protocol LIMIT_EXCEEDED"},
	"imap-nesting":                         {"list: protocol LIMIT_EXCEEDED; then got, fetch: protocol LIMIT_EXCEEDED"},
	"imap-untagged-flood":                  {"list: protocol LIMIT_EXCEEDED; then got, fetch: protocol LIMIT_EXCEEDED"},
	"imap-search-huge":                     {"list: protocol LIMIT_EXCEEDED; then got 11:163 12:163 13:163"},
	"imap-slow-body":                       {"list: temporary TIMEOUT; then got, fetch: temporary TIMEOUT"},
	"imap-never-answers":                   {"list: temporary TIMEOUT; then got 11:163 12:163 13:163"},
	"imap-compress-none":                   {"listed [11 12 13], got 11:163 12:163 13:163"},
	"imap-uidvalidity-change":              {"listed [11 12 13], got 11:163 12:163 13:163"},
	"imap-uidvalidity-reuse":               {"listed [11 12 13], got 11:163 12:163 13:163", "listed [11 12], got 11:166 12:166"},
	"imap-uidvalidity-missing":             {"listed [11 12 13], got 11:163 12:163 13:163"},
	"imap-uidvalidity-zero":                {"listed [11 12 13], got 11:163 12:163 13:163"},
	"imap-uidvalidity-big":                 {"listed [4294967294 4294967295], got 4294967294:187 4294967295:187"},
	"imap-uid-reorder":                     {"listed [11 12 13], got 11:163 12:163 13:163"},
	"imap-uid-gap-late":                    {"listed [11 13], got 11:163 13:163", "listed [11 12 13], got 11:163 12:163 13:163"},
	"imap-star-range":                      {"listed [11], got 11:163"},
	"imap-uid-missing":                     {"listed [11 12 13], got, 11: protocol MESSAGE_WITHOUT_BODY, 12: protocol MESSAGE_WITHOUT_BODY, 13: protocol MESSAGE_WITHOUT_BODY"},
	"imap-uid-other":                       {"listed [11 12 13], got, 11: protocol MESSAGE_WITHOUT_BODY, 12: protocol MESSAGE_WITHOUT_BODY, 13: protocol MESSAGE_WITHOUT_BODY"},
	"imap-fetch-empty":                     {"listed [11 12 13], got, 11: protocol MESSAGE_WITHOUT_BODY, 12: protocol MESSAGE_WITHOUT_BODY, 13: protocol MESSAGE_WITHOUT_BODY"},
	"imap-fetch-nil":                       {"listed [11 12 13], got, 11: protocol MESSAGE_WITHOUT_BODY, 12: protocol MESSAGE_WITHOUT_BODY, 13: protocol MESSAGE_WITHOUT_BODY"},
	"imap-fetch-no":                        {"listed [11 12 13], got 12:163 13:163, 11: protocol MESSAGE_WITHOUT_BODY"},
	"imap-size-lie":                        {"listed [11 12], got 11:200154 12:163"},
	"imap-expunge-midway":                  {"listed [11 12 13], got 11:163 12:163 13:163"},
	"imap-exists-lie":                      {"listed [11 12 13], got 11:163 12:163 13:163"},
	"imap-attributes-trailing":             {"listed [11 12 13], got 11:12, 12: protocol MESSAGE_WITHOUT_BODY, 13: protocol MESSAGE_WITHOUT_BODY"},
	"imap-bare-lf":                         {"listed [11 12 13], got 11:163 12:163 13:163"},
	"imap-nul-8bit":                        {"listed [11], got 11:165"},
	"imap-idle-bye":                        {"listed [11 12 13], got 11:163 12:163 13:163"},
	"imap-idle-silent":                     {"listed [11 12 13], got 11:163 12:163 13:163"},
	"imap-auth-fail-temp":                  {"open: temporary SERVER_UNAVAILABLE"},
	"imap-auth-fail":                       {"open: auth LOGIN_REFUSED"},
	"imap-auth-no-code":                    {"open: auth LOGIN_REFUSED"},
	"imap-login-then-bye":                  {"open: temporary SERVER_UNAVAILABLE"},
}

// outcome is one visit in words.
func outcome(ctx context.Context, c *Client, m *ingest.Mailbox, after *ingest.Cursor) string {
	say := func(err error) string {
		e, ok := errors.AsType[*ingest.Error](err)
		if !ok {
			return fmt.Sprintf("not an *ingest.Error: %v", err)
		}
		if e.Server != ingest.CleanServerText(e.Server) {
			return "unclean server text"
		}
		return fmt.Sprintf("%v %v", e.Kind, e.Reason)
	}
	s, err := c.Open(ctx, m, false)
	if err != nil {
		return "open: " + say(err)
	}
	defer s.Close()
	entries, next, err := listAll(ctx, s, *after, ingest.Limit{Messages: 100})
	if err != nil {
		// What a fault does to FETCH of bodies is worth knowing even if it spoils the listing already.
		return "list: " + say(err) + "; then " + bodies(ctx, c, m, say)
	}
	*after = next
	after.LastUID -= min(after.LastUID, 100)
	var uids []uint32
	for _, e := range entries {
		uids = append(uids, e.Ref.UID)
	}
	got, missing, err := fetchAll(ctx, s, refsOf(entries))
	text := fmt.Sprintf("listed %v, got", uids)
	for _, uid := range uids {
		if body, ok := got[uid]; ok {
			text += fmt.Sprintf(" %d:%d", uid, len(body))
		}
	}
	for _, e := range entries {
		if err, ok := missing[e.Ref]; ok {
			text += fmt.Sprintf(", %d: %s", e.Ref.UID, say(err))
		}
	}
	if err != nil {
		text += ", fetch: " + say(err)
	} else if err := s.Settle(ctx, refsOf(entries), ingest.SettleMarkSeen); err != nil {
		text += ", settle: " + say(err)
	}
	if err := s.Close(); err != nil {
		text += ", close: " + err.Error()
	}
	return text
}

// bodies fetches the messages 11 to 13 without a listing.
func bodies(ctx context.Context, c *Client, m *ingest.Mailbox, say func(error) string) string {
	s, err := c.Open(ctx, m, true)
	if err != nil {
		return "open: " + say(err)
	}
	defer s.Close()
	got, missing, err := fetchAll(ctx, s, refs(11, 12, 13))
	text := "got"
	for _, ref := range refs(11, 12, 13) {
		if body, ok := got[ref.UID]; ok {
			text += fmt.Sprintf(" %d:%d", ref.UID, len(body))
		}
		if err, ok := missing[ref]; ok {
			text += fmt.Sprintf(" %d: %s", ref.UID, say(err))
		}
	}
	if err != nil {
		text += ", fetch: " + say(err)
	}
	return text
}

// report is what a child tells its parent.
type report struct {
	Outcomes   [2]string
	Took       time.Duration
	Sys        uint64 // octets that the runtime took from the system
	Goroutines string // empty if none are left
}

// TestHostileChild runs in a process of its own, under a memory limit, against one faulty server.
func TestHostileChild(t *testing.T) {
	var job struct {
		Port     int
		Mode, CA string
		Out      string
	}
	if os.Getenv(childEnv) == "" {
		t.Skip("runs as a child of TestHostile")
	}
	if err := json.Unmarshal([]byte(os.Getenv(childEnv)), &job); err != nil {
		t.Fatal(err)
	}
	m := &ingest.Mailbox{Protocol: ingest.IMAP, Host: "localhost", Port: job.Port, Username: "anna", Password: ingest.NewSecret("geheim"),
		TLSRoots: roots(t, job.CA), StartTLS: job.Mode == "starttls", MaxMessageBytes: 1 << 20, Settlement: ingest.SettleMarkSeen}
	if job.Mode == "tls" {
		m.Protocol = ingest.IMAPS
	}
	c := &Client{Dialer: &dial.Dialer{Egress: loopback(), HandshakeTimeout: 2 * time.Second, GreetingTimeout: 2 * time.Second,
		LoginTimeout: 2 * time.Second, IOTimeout: time.Second}}
	ctx, cancel := context.WithTimeout(t.Context(), 40*time.Second)
	defer cancel()
	var r report
	var cursor ingest.Cursor
	before := runtime.NumGoroutine()
	start := time.Now()
	for i := range r.Outcomes {
		r.Outcomes[i] = outcome(ctx, c, m, &cursor)
	}
	r.Took = time.Since(start)
	for deadline := time.Now().Add(2 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(deadline); {
		runtime.Gosched()
	}
	if runtime.NumGoroutine() > before {
		buf := make([]byte, 1<<16)
		r.Goroutines = string(buf[:runtime.Stack(buf, true)])
	}
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	r.Sys = mem.Sys
	text, _ := json.Marshal(r)
	if err := os.WriteFile(job.Out, text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestHostile(t *testing.T) {
	if os.Getenv(childEnv) != "" {
		t.Skip("this is a child")
	}
	dir := filepath.Join(shared(t), "mailservers")
	script := filepath.Join(dir, "faults", "hostile.py")
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("python3 is not installed")
	}
	state := t.TempDir()
	if out, err := exec.Command(filepath.Join(dir, "common", "mkca.sh"), state).CombinedOutput(); err != nil {
		t.Fatalf("no certificates: %v\n%s", err, out)
	}
	var cases []struct{ ID, Proto, Must string }
	text, err := os.ReadFile(filepath.Join(dir, "faults", "cases.json"))
	if err == nil {
		err = json.Unmarshal(text, &cases)
	}
	if err != nil {
		t.Fatal(err)
	}
	slots := make(chan struct{}, 4)
	for _, test := range cases {
		if test.Proto != "imap" {
			continue
		}
		t.Run(test.ID, func(t *testing.T) {
			t.Parallel()
			slots <- struct{}{}
			defer func() { <-slots }()
			want, ok := hostile[test.ID]
			if !ok {
				t.Errorf("no expectation")
			}
			if want[1] == "" {
				want[1] = want[0]
			}
			got, events := visitHostile(t, script, state, test.ID)
			if !slices.Equal(got.Outcomes[:], want[:]) {
				t.Errorf("must: %s\n got %q\nwant %q", test.Must, got.Outcomes, want)
			}
			if got.Took > 20*time.Second && !raceEnabled {
				t.Errorf("took %v", got.Took)
			}
			if limit := uint64(64 << 20); got.Sys > limit && !raceEnabled {
				t.Errorf("took %d MiB of memory", got.Sys>>20)
			}
			if got.Goroutines != "" {
				t.Errorf("goroutines are left:\n%s", got.Goroutines)
			}
			for _, e := range events {
				if e.Ev == "line" && !e.TLS && e.mode != "plain" && private.MatchString(e.Text) {
					t.Errorf("sent in clear: %q", e.Text)
				}
				if test.ID == "imap-logindisabled" && strings.Contains(e.Text, "LOGIN") {
					t.Errorf("sent although LOGIN is disabled: %q", e.Text)
				}
			}
		})
	}
}

// private are commands that must not be sent in clear where TLS is required, and the credential.
var private = regexp.MustCompile(`(?i)LOGIN |AUTHENTICATE|SELECT|EXAMINE|FETCH|SEARCH|geheim|AGFubmEAZ2VoZWlt`)

type event struct {
	Ev, Text string
	TLS      bool
	mode     string
}

// visitHostile starts the server of a case and a child that visits it.
func visitHostile(t *testing.T, script, state, id string) (report, []event) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	server := exec.CommandContext(ctx, "python3", script, id, "--cert", filepath.Join(state, "server.pem"), "--key", filepath.Join(state, "server.key"))
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	defer server.Wait()
	defer stdin.Close()
	lines := bufio.NewReader(stdout)
	first, err := lines.ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	var hello struct {
		Port int
		Mode string
	}
	if err := json.Unmarshal(first, &hello); err != nil {
		t.Fatal(err)
	}
	log := make(chan []byte)
	go func() {
		all, _ := io.ReadAll(lines)
		log <- all
	}()

	out := filepath.Join(t.TempDir(), "report.json")
	job, _ := json.Marshal(map[string]any{"Port": hello.Port, "Mode": hello.Mode, "CA": filepath.Join(state, "ca.pem"), "Out": out})
	args := []string{os.Args[0], "-test.run=^TestHostileChild$"}
	if limiter, err := exec.LookPath("prlimit"); err == nil && !raceEnabled {
		args = append([]string{limiter, "--as=2147483648"}, args...)
	}
	child := exec.CommandContext(ctx, args[0], args[1:]...)
	child.Env = append(os.Environ(), childEnv+"="+string(job))
	output, err := child.CombinedOutput()
	stdin.Close()
	var events []event
	for line := range strings.SplitSeq(string(<-log), "\n") {
		var e event
		if json.Unmarshal([]byte(line), &e) == nil {
			e.mode = hello.Mode
			events = append(events, e)
		}
	}
	if err != nil {
		t.Fatalf("the child failed: %v\n%s", err, output)
	}
	text, err := os.ReadFile(out)
	var r report
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, output)
	}
	return r, slices.Clip(events)
}
