package imap

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// dovecot is a real server with one user, a mailbox per test.
type dovecot struct {
	state         string
	imap, imaps   int
	user, pass    string
	mailUID, mGID int
}

func startDovecot(t testing.TB, password string) *dovecot {
	t.Helper()
	if _, err := os.Stat("/usr/sbin/dovecot"); err != nil {
		t.Skip("Dovecot is not installed")
	}
	if os.Getuid() != 0 {
		t.Skip("starting Dovecot takes root")
	}
	folder := filepath.Join(shared(t), "mailservers", "dovecot")
	state, err := os.MkdirTemp("/tmp", "imaptest")
	if err != nil {
		t.Fatal(err)
	}
	os.Chmod(state, 0o755)
	t.Cleanup(func() {
		exec.Command(filepath.Join(folder, "stop.sh"), state).Run()
		os.RemoveAll(state)
	})
	d := &dovecot{state: state, user: "anna", pass: password}
	ports := freePorts(t, 4)
	d.imap, d.imaps = ports[0], ports[1]
	args := []string{state}
	for _, p := range ports {
		args = append(args, strconv.Itoa(p))
	}
	if out, err := exec.Command(filepath.Join(folder, "start.sh"), append(args, d.user+":"+password)...).CombinedOutput(); err != nil {
		t.Fatalf("Dovecot does not start: %v\n%s", err, out)
	}
	id := func(flag string) int {
		out, err := exec.Command("id", flag, "mail").Output()
		if err != nil {
			t.Fatal(err)
		}
		n, _ := strconv.Atoi(strings.TrimSpace(string(out)))
		return n
	}
	d.mailUID, d.mGID = id("-u"), id("-g")
	return d
}

func freePorts(t testing.TB, n int) []int {
	t.Helper()
	var ports []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports
}

func (d *dovecot) mailbox(t testing.TB, mode string) *ingest.Mailbox {
	m := &ingest.Mailbox{Protocol: ingest.IMAP, Host: "127.0.0.1", Port: d.imap, Username: d.user, Password: ingest.NewSecret(d.pass),
		TLSRoots: roots(t, filepath.Join(d.state, "tls", "ca.pem"))}
	switch mode {
	case "imaps":
		m.Protocol, m.Port = ingest.IMAPS, d.imaps
	case "starttls":
		m.StartTLS = true
	}
	return m
}

// deliver puts messages into the Maildir.
func (d *dovecot) deliver(t testing.TB, messages ...[]byte) {
	t.Helper()
	dir := filepath.Join(d.state, "mail", d.user, "Maildir")
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	base := time.Now().UnixNano()
	for i, m := range messages {
		name := filepath.Join(dir, "new", fmt.Sprintf("%d.M%06dP1.test", base/1e9, i+int(base%1e9)/1e3))
		if err := os.WriteFile(name, m, 0o600); err != nil {
			t.Fatal(err)
		}
		os.Chown(name, d.mailUID, d.mGID)
	}
	for p := dir; p != filepath.Join(d.state, "mail"); p = filepath.Dir(p) {
		os.Chown(p, d.mailUID, d.mGID)
	}
	for _, sub := range []string{"cur", "new", "tmp"} {
		os.Chown(filepath.Join(dir, sub), d.mailUID, d.mGID)
	}
}

func (d *dovecot) doveadm(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command("doveadm", append([]string{"-c", filepath.Join(d.state, "dovecot.conf")}, args...)...).CombinedOutput()
	if err != nil {
		t.Fatalf("doveadm %v: %v\n%s", args, err, out)
	}
	return string(out)
}

func sample(n int, size int) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "From: a@example.test\r\nSubject: message %d\r\n\r\n", n)
	for b.Len() < size {
		fmt.Fprintf(&b, "line of message %d, T4 OK done {12}\r\n)\r\n", n)
	}
	return b.Bytes()
}

func TestDovecot(t *testing.T) {
	for _, mode := range []string{"plain", "starttls", "imaps"} {
		t.Run(mode, func(t *testing.T) {
			d := startDovecot(t, "pässwörd \"\\{3}")
			var sent [][]byte
			for i := range 57 {
				sent = append(sent, sample(i, 200+i*i*10))
			}
			d.deliver(t, sent...)
			ctx, c, m := t.Context(), &Client{Dialer: testDialer()}, d.mailbox(t, mode)

			var trace dial.Trace
			s, err := c.Open(dial.WithTrace(ctx, &trace), m, false)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if !trace.Login.Passed || !trace.Folder.Passed || trace.TLS.Passed != (mode != "plain") || trace.Messages != len(sent) {
				t.Errorf("trace %+v", trace)
			}
			entries, next, err := listAll(ctx, s, ingest.Cursor{}, ingest.Limit{Messages: 10})
			if err != nil || len(entries) != len(sent) {
				t.Fatalf("listed %d of %d: %v", len(entries), len(sent), err)
			}
			if next.LastUID != entries[len(entries)-1].Ref.UID {
				t.Errorf("cursor ends at %d, last UID is %d", next.LastUID, entries[len(entries)-1].Ref.UID)
			}
			got, missing, err := fetchAll(ctx, s, refsOf(entries))
			if err != nil || len(missing) != 0 {
				t.Fatal(err, missing)
			}
			for i, e := range entries {
				if !slices.ContainsFunc(sent, func(m []byte) bool { return string(m) == got[e.Ref.UID] }) || e.Size != int64(len(got[e.Ref.UID])) || e.Received.IsZero() {
					t.Errorf("message %d: %d octets, entry %+v", i, len(got[e.Ref.UID]), e)
				}
			}

			refs := refsOf(entries)
			if err := s.Settle(ctx, refs[:20], ingest.SettleMarkSeen); err != nil {
				t.Fatal(err)
			}
			if seen := d.count(t, "SEEN"); seen != 20 {
				t.Errorf("%d messages are seen, want 20", seen)
			}
			// Somebody else's \Deleted must survive our expunge.
			d.doveadm(t, "flags", "add", "-u", d.user, `\Deleted`, "mailbox", "INBOX", "uid", strconv.Itoa(int(refs[50].UID)))
			for range 2 { // twice: it is idempotent
				if err := s.Settle(ctx, refs[10:30], ingest.SettleDelete); err != nil {
					t.Fatal(err)
				}
			}
			if all := d.count(t, "ALL"); all != len(sent)-20 {
				t.Errorf("%d messages are left, want %d", all, len(sent)-20)
			}
			_, missing, err = fetchAll(ctx, s, refs[29:31])
			if err != nil || len(missing) != 1 || ingest.KindOf(missing[refs[29]]) != ingest.KindGone {
				t.Errorf("fetch of an expunged message: %v, %v", missing, err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}

			m.Settlement = ingest.SettleLeave
			s, err = c.Open(ctx, m, true)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			sentBefore := s.(*session).conn.Sent()
			page, err := s.List(ctx, next, ingest.Limit{Messages: 10})
			if err != nil || len(page.Entries) != 0 || page.More || page.Reset || page.Next != next {
				t.Errorf("no news: %+v, %v", page, err)
			}
			if n := s.(*session).conn.Sent() - sentBefore; n != 0 {
				t.Errorf("no news cost %d octets", n)
			}
			entries, _, err = listAll(ctx, s, ingest.Cursor{}, ingest.Limit{})
			if err != nil || len(entries) != len(sent)-20 || !entries[30].Deleted {
				t.Errorf("%d entries: %v", len(entries), err)
			}
			if err := s.Settle(ctx, refs[:1], ingest.SettleMarkSeen); ingest.KindOf(err) != ingest.KindConfig {
				t.Errorf("settling while reading only: %v", err)
			}
			s.Close()

			d.doveadm(t, "mailbox", "update", "--uid-validity", "77777", "-u", d.user, "INBOX")
			s, err = c.Open(ctx, m, true)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			page, err = s.List(ctx, next, ingest.Limit{})
			if err != nil || !page.Reset || page.Next.UIDValidity != 77777 || len(page.Entries) != len(sent)-20 {
				t.Errorf("new UIDVALIDITY: reset %v, next %+v, %d entries, %v", page.Reset, page.Next, len(page.Entries), err)
			}
		})
	}
}

func (d *dovecot) count(t testing.TB, query string) int {
	t.Helper()
	out := strings.TrimSpace(d.doveadm(t, "search", "-u", d.user, "mailbox", "INBOX", query))
	if out == "" {
		return 0
	}
	return strings.Count(out, "\n") + 1
}

func TestDovecotRefusals(t *testing.T) {
	d := startDovecot(t, "secret")
	for _, test := range []struct {
		name   string
		change func(*ingest.Mailbox)
		kind   ingest.Kind
		reason ingest.Reason
	}{
		{"wrong password", func(m *ingest.Mailbox) { m.Password = ingest.NewSecret("wrong") }, ingest.KindAuth, ingest.ReasonLoginRefused},
		{"unknown folder", func(m *ingest.Mailbox) { m.Folder = "Nowhere/Ünknown" }, ingest.KindConfig, ingest.ReasonFolderNotFound},
		{"line break in password", func(m *ingest.Mailbox) { m.Password = ingest.NewSecret("a\r\nb") }, ingest.KindConfig, ingest.ReasonLoginRefused},
		{"unknown authority", func(m *ingest.Mailbox) { m.TLSRoots = nil }, ingest.KindConfig, ingest.ReasonCertificateUnknown},
		{"wrong name", func(m *ingest.Mailbox) { m.TLSServerName = "other.test" }, ingest.KindConfig, ingest.ReasonCertificateName},
	} {
		t.Run(test.name, func(t *testing.T) {
			m := d.mailbox(t, "starttls")
			test.change(m)
			_, err := (&Client{Dialer: testDialer()}).Open(t.Context(), m, true)
			wantError(t, err, test.kind, test.reason)
		})
	}
}

// BenchmarkFetch reports messages of 10 KB per second.
func BenchmarkFetch(b *testing.B) {
	d := startDovecot(b, "secret")
	const n = 2000
	var sent [][]byte
	for i := range n {
		sent = append(sent, sample(i, 10_000))
	}
	d.deliver(b, sent...)
	for _, mode := range []string{"plain", "imaps"} {
		b.Run(mode, func(b *testing.B) {
			s, err := (&Client{Dialer: testDialer()}).Open(context.Background(), d.mailbox(b, mode), true)
			if err != nil {
				b.Fatal(err)
			}
			defer s.Close()
			entries, _, err := listAll(b.Context(), s, ingest.Cursor{}, ingest.Limit{})
			if err != nil || len(entries) != n {
				b.Fatal(len(entries), err)
			}
			refs := refsOf(entries)
			b.SetBytes(n * 10_000)
			b.ReportAllocs()
			for b.Loop() {
				for chunk := range slices.Chunk(refs, 200) {
					if _, missing, err := fetchAll(b.Context(), s, chunk); err != nil || len(missing) > 0 {
						b.Fatal(err, missing)
					}
				}
			}
			b.ReportMetric(float64(n*b.N)/b.Elapsed().Seconds(), "messages/s")
		})
	}
}
