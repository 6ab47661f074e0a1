package pop3

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// server is a real mail server in a folder of its own.
type server struct {
	t     testing.TB
	dir   string
	pop3  int
	pop3s int
}

// start runs start.sh of the named server with user alice, password secret, and two more users of the same kind.
func start(t testing.TB, name, binary string) *server {
	t.Helper()
	scripts := filepath.Join(mailservers(t), name)
	if _, err := os.Stat(binary); err != nil {
		t.Skipf("needs %s: run %s", name, filepath.Join(scripts, "install.sh"))
	}
	if os.Getuid() != 0 {
		t.Skipf("%s must be started as root", name)
	}
	dir, err := os.MkdirTemp("", name) // t.TempDir would be closed to the user that the server runs as
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	ports := freePorts(t, 4)
	imap, imaps := strconv.Itoa(ports[0]), strconv.Itoa(ports[1])
	t.Cleanup(func() {
		exec.Command(filepath.Join(scripts, "stop.sh"), dir).Run()
		os.RemoveAll(dir)
	})
	run(t, filepath.Join(scripts, "start.sh"), dir, imap, imaps, strconv.Itoa(ports[2]), strconv.Itoa(ports[3]),
		"alice:secret", "bob:secret", "carol:pässword mit Leerzeichen")
	return &server{t, dir, ports[2], ports[3]}
}

// mailbox is the user's; way is "POP3", "STLS" or "POP3S".
func (s *server) mailbox(t testing.TB, user, way string) *ingest.Mailbox {
	m := &ingest.Mailbox{
		Protocol: ingest.POP3, Host: "localhost", Port: s.pop3, StartTLS: way == "STLS",
		Username: user, Password: ingest.NewSecret("secret"), MaxMessageBytes: 10 << 20,
		TLSRoots: roots(t, filepath.Join(s.dir, "tls")),
	}
	if way == "POP3S" {
		m.Protocol, m.Port = ingest.POP3S, s.pop3s
	}
	return m
}

// deliver puts messages into a Maildir, in order.
func (s *server) deliver(user string, messages ...string) {
	s.t.Helper()
	for _, dir := range []string{"", "Maildir", "Maildir/cur", "Maildir/new", "Maildir/tmp"} {
		s.own(filepath.Join(s.dir, "mail", user, dir), func(path string) error { return os.MkdirAll(path, 0o700) })
	}
	for i, m := range messages {
		name := fmt.Sprintf("%d.M%06d.test", 1_700_000_000+i, i)
		s.own(filepath.Join(s.dir, "mail", user, "Maildir/new", name), func(path string) error {
			return os.WriteFile(path, []byte(m), 0o600)
		})
	}
}

// own makes something and gives it to the user that the server reads mail as.
func (s *server) own(path string, create func(string) error) {
	s.t.Helper()
	mail, err := user.Lookup("mail")
	if err != nil {
		s.t.Fatal(err)
	}
	uid, _ := strconv.Atoi(mail.Uid)
	gid, _ := strconv.Atoi(mail.Gid)
	if err := create(path); err != nil {
		s.t.Fatal(err)
	}
	if err := os.Chown(path, uid, gid); err != nil {
		s.t.Fatal(err)
	}
}

const head = "From: a@example.test\r\nSubject: x\r\n\r\n"

// nasty are messages that POP3 clients get wrong. They have CRLF throughout: a server may turn other line ends into it.
func nasty() []string {
	return []string{
		head + "plain\r\n",
		head + ".\r\n..\r\n...\r\n.a\r\n. \r\n",
		head + ".\r\n",
		head + "\r\n\r\n.\r\n\r\n",
		head + strings.Repeat("x", 100_000) + "\r\n" + strings.Repeat("y", 100_001) + "\r\n.\r\n",
		head + strings.Repeat(".", 100_000) + "\r\n",
		head + strings.Repeat("y", wireBuffer-len(head)-2) + "\r\n.\r\n",
		head + "8 bit \xe4\xf6\xfc \xff and \xc3\xa4\r\n",
		head + "bare\rCR\r\r\n",
		head + "+OK\r\n-ERR\r\nQUIT\r\n",
		"Subject: no body\r\n\r\n",
		head + strings.Repeat("0123456789abcdef\r\n", 60_000),
	}
}

func TestDovecot(t *testing.T) {
	t.Parallel()
	srv := start(t, "dovecot", "/usr/sbin/dovecot")
	messages := nasty()
	srv.deliver("alice", messages...)
	for _, way := range []string{"POP3", "STLS", "POP3S"} {
		t.Run(way, func(t *testing.T) {
			trace := &dial.Trace{}
			s, err := testClient().Open(dial.WithTrace(t.Context(), trace), srv.mailbox(t, "alice", way))
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if !trace.Login.Passed || !trace.Folder.Passed || trace.Messages != len(messages) || trace.TLS.Passed != (way != "POP3") ||
				!strings.Contains(strings.Join(trace.Capabilities, " "), "PIPELINING") || trace.Banner == "" {
				t.Errorf("trace: %+v", trace)
			}
			entries := listAll(t, s, 5)
			f := fetch(t.Context(), s, refsOf(entries))
			if f.err != nil || len(f.missing) > 0 || len(f.bodies) != len(messages) {
				t.Fatalf("%d of %d messages, missing %v, error %v", len(f.bodies), len(messages), f.missing, f.err)
			}
			for i, e := range entries {
				if got := f.bodies[e.Ref]; got != messages[i] {
					t.Errorf("message %d: got %d octets %.80q, want %d %.80q", i+1, len(got), got, len(messages[i]), messages[i])
				}
				if e.Size != int64(len(messages[i])) {
					t.Errorf("message %d: size %d, want %d", i+1, e.Size, len(messages[i]))
				}
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("line ends", func(t *testing.T) { dovecotLineEnds(t, srv) })
	t.Run("login", func(t *testing.T) { dovecotLogin(t, srv) })
	t.Run("delete", func(t *testing.T) { dovecotDelete(t, srv) })
}

// What Maildir and the server itself change is beyond us, but nothing may be missing and nothing may end early.
func dovecotLineEnds(t *testing.T, srv *server) {
	srv.deliver("bob", head+"a\n.\nb\n.\r\nc\x00d\r\n", strings.ReplaceAll(head, "\r\n", "\n")+"no final line end")
	s, err := testClient().Open(t.Context(), srv.mailbox(t, "bob", "POP3"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	entries := listAll(t, s, 0)
	f := fetch(t.Context(), s, refsOf(entries))
	want := []string{head + "a\r\n.\r\nb\r\n.\r\nc\x00d\r\n", head + "no final line end\r\n"}
	if f.err != nil || len(entries) != len(want) {
		t.Fatalf("%d entries, %v", len(entries), f.err)
	}
	for i, e := range entries {
		if f.bodies[e.Ref] != want[i] {
			t.Errorf("message %d: got %q, want %q", i+1, f.bodies[e.Ref], want[i])
		}
	}
}

func dovecotLogin(t *testing.T, srv *server) {
	m := srv.mailbox(t, "alice", "STLS")
	m.Password = ingest.NewSecret("wrong")
	wantError(t, refuse(t, testClient(), m), ingest.KindAuth, ingest.ReasonLoginRefused)

	m = srv.mailbox(t, "carol", "STLS") // by AUTH PLAIN: PASS cannot carry this
	m.Password = ingest.NewSecret("pässword mit Leerzeichen")
	s, err := testClient().Open(t.Context(), m)
	if err != nil {
		t.Fatalf("password beyond ASCII: %v", err)
	}
	s.Close()

	m = srv.mailbox(t, "alice", "POP3S")
	m.TLSRoots = nil
	wantError(t, refuse(t, testClient(), m), ingest.KindConfig, ingest.ReasonCertificateUnknown)

	m = srv.mailbox(t, "alice", "POP3") // plain POP3 on the port of POP3S
	m.Port = srv.pop3s
	client := testClient()
	client.Dialer.GreetingTimeout = 500 * time.Millisecond
	wantError(t, refuse(t, client, m), ingest.KindTemporary, ingest.ReasonGreetingTimeout)
}

func dovecotDelete(t *testing.T, srv *server) {
	visit := func(ctx context.Context, settle int) (ingest.Session, int) {
		s, err := testClient().Open(ctx, srv.mailbox(t, "alice", "POP3"))
		if err != nil {
			t.Fatal(err)
		}
		entries := listAll(t, s, 0)
		if err := s.Settle(ctx, refsOf(entries[:settle]), ingest.SettleDelete); err != nil {
			t.Fatal(err)
		}
		return s, len(entries)
	}
	all := len(nasty())
	ctx, cancel := context.WithCancel(t.Context())
	s, n := visit(ctx, 5)
	cancel()
	if _, err := s.List(ctx, ingest.Cursor{}, ingest.Limit{}); err == nil {
		t.Fatal("the session survived its context")
	}
	if err := s.Close(); err == nil || n != all {
		t.Errorf("cut before QUIT: %d messages, Close says %v", n, err)
	}
	s, n = visit(t.Context(), 5)
	if err := s.Close(); err != nil || n != all {
		t.Errorf("after the cut: %d messages, want %d; Close says %v", n, all, err)
	}
	s, n = visit(t.Context(), n-5)
	if err := s.Close(); err != nil || n != all-5 {
		t.Errorf("after QUIT: %d messages, want %d; Close says %v", n, all-5, err)
	}
	s, n = visit(t.Context(), 0)
	if err := s.Close(); err != nil || n != 0 {
		t.Errorf("at the end: %d messages, want 0; Close says %v", n, err)
	}
}

// popa3d is the old kind of server: neither CAPA nor STLS, one mbox, LF line ends.
func TestPopa3d(t *testing.T) {
	t.Parallel()
	prefix := "/opt/mailservers/popa3d"
	if p := os.Getenv("POPA3D_PREFIX"); p != "" {
		prefix = p
	}
	srv := start(t, "popa3d", filepath.Join(prefix, "usr/sbin/popa3d"))
	put := filepath.Join(mailservers(t), "popa3d", "put.sh")
	var want []string
	for i := range 5 {
		m := fmt.Sprintf("From: a@example.test\r\nSubject: %d\r\n\r\n.\r\n..%d\r\n", i, i)
		cmd := exec.Command(put, srv.dir, "alice")
		cmd.Stdin = strings.NewReader(m)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("put.sh: %v\n%s", err, out)
		}
		want = append(want, m)
	}
	var before []ingest.Entry
	for _, way := range []string{"POP3", "POP3S"} {
		s, err := testClient().Open(t.Context(), srv.mailbox(t, "alice", way))
		if err != nil {
			t.Fatalf("%s: %v", way, err)
		}
		defer s.Close()
		entries := listAll(t, s, 2)
		f := fetch(t.Context(), s, refsOf(entries))
		if f.err != nil || len(f.bodies) != len(want) {
			t.Fatalf("%s: %d messages, missing %v, error %v", way, len(f.bodies), f.missing, f.err)
		}
		for i, e := range entries {
			if !strings.HasSuffix(f.bodies[e.Ref], want[i][strings.Index(want[i], "Subject"):]) {
				t.Errorf("%s: message %d: got %q, want %q", way, i+1, f.bodies[e.Ref], want[i])
			}
			if before != nil && before[i].Ref != e.Ref {
				t.Errorf("%s: message %d is now %q, was %q", way, i+1, e.Ref.UIDL, before[i].Ref.UIDL)
			}
		}
		before = entries
		if way == "POP3S" {
			if err := s.Settle(t.Context(), refsOf(entries[:2]), ingest.SettleDelete); err != nil {
				t.Error(err)
			}
		}
		if err := s.Close(); err != nil {
			t.Errorf("%s: Close: %v", way, err)
		}
	}
	s, err := testClient().Open(t.Context(), srv.mailbox(t, "alice", "POP3"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if left := listAll(t, s, 0); len(left) != 3 || left[0].Ref != before[2].Ref {
		t.Errorf("left on the server: %v", summary(left))
	}
}

// delayed forwards to addr and adds delay to each direction, without limiting throughput.
func delayed(b *testing.B, addr string, delay time.Duration) int {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	type piece struct {
		due  time.Time
		data []byte
	}
	pump := func(from, to net.Conn) {
		queue := make(chan piece, 1<<14)
		go func() {
			defer close(queue)
			for {
				buf := make([]byte, 64<<10)
				n, err := from.Read(buf)
				if n > 0 {
					queue <- piece{time.Now().Add(delay), bytes.Clone(buf[:n])}
				}
				if err != nil {
					return
				}
			}
		}()
		for p := range queue {
			<-time.After(time.Until(p.due)) // this is the delay itself
			if _, err := to.Write(p.data); err != nil {
				break
			}
		}
		from.Close()
		to.Close()
		for range queue {
		}
	}
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			s, err := net.Dial("tcp", addr)
			if err != nil {
				c.Close()
				continue
			}
			go pump(c, s)
			go pump(s, c)
		}
	}()
	b.Cleanup(func() { ln.Close() })
	return ln.Addr().(*net.TCPAddr).Port
}

// BenchmarkFetch reads messages of 10 KB from Dovecot: go test -run - -bench Fetch -benchtime 3x.
func BenchmarkFetch(b *testing.B) {
	const n = 2000
	srv := start(b, "dovecot", "/usr/sbin/dovecot")
	text := head + strings.Repeat(strings.Repeat("x", 76)+"\r\n", 10_000/78)
	messages := make([]string, n)
	for i := range messages {
		messages[i] = text
	}
	srv.deliver("alice", messages...)
	for _, bb := range []struct {
		name   string
		way    string
		delay  time.Duration
		window int
	}{
		{"POP3", "POP3", 0, 0}, {"POP3S", "POP3S", 0, 0}, {"POP3/20ms", "POP3", 10 * time.Millisecond, 0},
		{"POP3S/20ms", "POP3S", 10 * time.Millisecond, 0}, {"POP3/one-by-one", "POP3", 0, 1},
	} {
		b.Run(bb.name, func(b *testing.B) {
			client := testClient()
			client.Window = bb.window
			m := srv.mailbox(b, "alice", bb.way)
			if bb.delay > 0 {
				m.Port = delayed(b, net.JoinHostPort("127.0.0.1", strconv.Itoa(m.Port)), bb.delay)
			}
			s, err := client.Open(b.Context(), m)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			page, err := s.List(b.Context(), ingest.Cursor{}, ingest.Limit{})
			if err != nil || len(page.Entries) != n {
				b.Fatalf("%d entries, %v", len(page.Entries), err)
			}
			b.SetBytes(int64(n * len(text)))
			b.ReportAllocs()
			for b.Loop() {
				missing, err := s.Fetch(b.Context(), refsOf(page.Entries), func(a ingest.Arrival) error {
					_, err := io.Copy(io.Discard, a.Body)
					return err
				})
				if err != nil || len(missing) > 0 {
					b.Fatal(err, missing)
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
