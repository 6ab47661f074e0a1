package mailtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

func TestDovecotServesAllProtocols(t *testing.T) {
	t.Parallel()
	d := StartDovecot(t, DovecotOptions{Users: map[string]string{"alice": "secret", "bob": "other"}})
	const n = 500
	var msgs [][]byte
	for i := range n {
		msgs = append(msgs, bytes.ReplaceAll(letter(i), []byte("\r\n"), []byte("\n")))
	}
	begin := time.Now()
	if err := d.Deliver("alice", msgs...); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d messages delivered in %v", n, time.Since(begin))

	// UIDs in the order of delivery, and the octets with CRLF.
	c := imapLogin(t, d.Addr("imaps"), d.CA.ClientConfig("localhost"), nil)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	got, err := c.Fetch(all(), peek).Collect()
	if err != nil || len(got) != n {
		t.Fatalf("%d messages, %v", len(got), err)
	}
	for i, m := range got {
		if uint32(m.UID) != uint32(i+1) || !bytes.Equal(m.FindBodySection(peek.BodySection[0]), CRLF(msgs[i])) || m.RFC822Size != int64(len(CRLF(msgs[i]))) {
			t.Fatalf("message %d has UID %d and is %q", i, m.UID, m.FindBodySection(peek.BodySection[0]))
		}
	}
	startTLS, err := imapclient.DialStartTLS(d.Addr("imap"), &imapclient.Options{TLSConfig: d.CA.ClientConfig("localhost")})
	if err != nil {
		t.Fatal(err)
	}
	defer startTLS.Close()
	if err := startTLS.Login("bob", "other").Wait(); err != nil {
		t.Fatal(err)
	}
	for _, proto := range []string{"pop3", "pop3s"} {
		var cfg *tls.Config
		if proto == "pop3s" {
			cfg = d.CA.ClientConfig("127.0.0.1")
		}
		p := popDial(t, d.Addr(proto), cfg)
		p.login("alice", "secret")
		p.cmd("+OK", "RETR 17")
		if raw, err := p.ReadDotBytes(); err != nil || !bytes.Equal(raw, msgs[16]) {
			t.Errorf("%s: RETR 17: %q, %v", proto, raw, err)
		}
		p.cmd("+OK", "DELE 500")
		p.cmd("+OK", "RSET")
		p.cmd("+OK", "QUIT")
	}
	if err := c.Store(imap.UIDSetNum(1, 2), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	files, err := d.Files("alice")
	if err != nil || len(files) != n || !strings.Contains(files[0][strings.LastIndex(files[0], ":2,")+1:], "S") {
		t.Errorf("%d files, %v, the first %s", len(files), err, files[0])
	}
	stored, err := d.Messages("alice")
	if err != nil || !bytes.Equal(stored[n-1], msgs[n-1]) || d.Count("alice") != n || d.Count("bob") != 0 {
		t.Errorf("stored: %d messages, %v", len(stored), err)
	}
	if log, err := os.ReadFile(d.LogFile()); err != nil || strings.Contains(string(log), "Error:") || strings.Contains(string(log), "Corrupted") {
		t.Errorf("the log has errors (%v):\n%s", err, log)
	}
	if len(d.Pids()) < 3 {
		t.Errorf("processes %v", d.Pids())
	}
}

func TestDovecotChanges(t *testing.T) {
	t.Parallel()
	d := StartDovecot(t, DovecotOptions{Users: map[string]string{"alice": "secret"}})
	if err := d.Deliver("alice", letter(1), letter(2)); err != nil {
		t.Fatal(err)
	}
	validity := func() uint32 {
		t.Helper()
		c := imapLogin(t, d.Addr("imap"), nil, nil)
		defer c.Close()
		sel, err := c.Select("INBOX", nil).Wait()
		if err != nil {
			t.Fatal(err)
		}
		return sel.UIDValidity
	}
	before := validity()
	if err := d.SetUIDValidity("alice", before+1000); err != nil {
		t.Fatal(err)
	}
	if got := validity(); got != before+1000 {
		t.Errorf("UIDVALIDITY %d, want %d", got, before+1000)
	}

	// Twice within a second, and with the same length.
	for _, pw := range []string{"first!", "second"} {
		if err := d.SetPassword("alice", pw); err != nil {
			t.Fatal(err)
		}
		p := popDial(t, d.Addr("pop3"), nil)
		begin := time.Now()
		p.cmd("+OK", "USER alice")
		p.cmd("-ERR", "PASS secret")
		if took := time.Since(begin); took > time.Second {
			t.Errorf("the refusal took %v", took)
		}
		p.login("alice", pw)
		p.cmd("+OK", "QUIT")
	}
	if err := d.SetPassword("alice", "secret"); err != nil {
		t.Fatal(err)
	}

	addr := d.Addr("imap")
	open := popDial(t, d.Addr("pop3"), nil)
	open.login("alice", "secret")
	if err := d.Pause(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("a paused server accepts connections")
	}
	if err := d.Deliver("alice", letter(3)); err != nil {
		t.Fatal(err)
	}
	if err := d.Resume(); err != nil {
		t.Fatal(err)
	}
	if validity() != before+1000 || d.Addr("imap") != addr || d.Count("alice") != 3 {
		t.Error("the server is not what it was before the pause")
	}
	if err := d.Restart(); err != nil {
		t.Fatal(err)
	}
	if err := d.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := d.Stop(); err != nil {
		t.Fatalf("second Stop: %v", err)
	}
}

func TestDovecotStandardPorts(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("ports below 1024 need root")
	}
	// An address that nobody else uses, so that this test fits beside others and beside a system's own Dovecot.
	d := StartDovecot(t, DovecotOptions{Address: "127.0.0.77", StandardPorts: true, Users: map[string]string{"alice": "secret"}})
	if got := fmt.Sprint(d.IMAP, d.IMAPS, d.POP3, d.POP3S); got != "143 993 110 995" {
		t.Errorf("ports %s", got)
	}
	popDial(t, "127.0.0.77:110", nil).login("alice", "secret")
	imapLogin(t, "127.0.0.77:993", d.CA.ClientConfig("127.0.0.77"), nil)
}

func TestDovecotGivenCertificate(t *testing.T) {
	t.Parallel()
	ca := NewCA()
	d := StartDovecot(t, DovecotOptions{Users: map[string]string{"alice": "secret"}, Cert: ca.WrongHost(), CA: ca, Extra: "mail_max_userip_connections = 1\n"})
	if _, err := tls.Dial("tcp", d.Addr("imaps"), ca.ClientConfig("localhost")); err == nil {
		t.Error("the certificate is for localhost")
	}
	if _, err := tls.Dial("tcp", d.Addr("imaps"), ca.ClientConfig("elsewhere.invalid")); err != nil {
		t.Error(err)
	}
}

func TestDovecotRefusesBadInput(t *testing.T) {
	t.Parallel()
	if err := checkDovecot(t.Context()); err != nil {
		t.Skip(err)
	}
	for _, c := range []struct {
		user, password, want string
	}{
		{"../x", "p", "cannot be a user's name"}, {"", "p", "cannot be a user's name"}, {"a:b", "p", "cannot be a user's name"},
		{"a", "with:colon", "the password of a"},
	} {
		d, err := RunDovecot(t.Context(), passableDir(t), DovecotOptions{Users: map[string]string{c.user: c.password}})
		if err == nil {
			d.Stop()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("user %q, password %q: %v, want %q", c.user, c.password, err, c.want)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	closed := filepath.Join(passableDir(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := RunDovecot(t.Context(), filepath.Join(closed, "x"), DovecotOptions{}); err == nil || !strings.Contains(err.Error(), "chmod o+x "+closed) {
		t.Errorf("in a closed folder: %v, want what to do", err)
	}
}

// passableDir is a folder that other users may enter, unlike T.TempDir.
func passableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mi-dovecot-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// childEnv makes the test binary start Dovecot in the named folder, print its process ids and wait to be killed.
const childEnv = "MAILINTAKE_TEST_DOVECOT_CHILD"

func TestMain(m *testing.M) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	d, err := RunDovecot(context.Background(), dir, DovecotOptions{})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(d.run, d.Pids())
	select {}
}

func TestDovecotDiesWithItsParent(t *testing.T) {
	t.Parallel()
	if err := checkDovecot(t.Context()); err != nil {
		t.Skip(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+passableDir(t))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	_ = cmd.Wait()
	run, list, ok := strings.Cut(strings.TrimSpace(line), " ")
	pids := strings.Fields(strings.Trim(list, "[]"))
	if !ok || len(pids) < 3 {
		t.Fatalf("the child says %q", line)
	}
	defer os.RemoveAll(run)
	for deadline := time.Now().Add(20 * time.Second); ; <-time.After(20 * time.Millisecond) { // nobody tells of a stranger's end
		left := slices.DeleteFunc(slices.Clone(pids), func(pid string) bool {
			_, err := os.Readlink("/proc/" + pid + "/exe")
			return err != nil
		})
		if len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("processes %v outlived the one that started them", left)
		}
	}
}
