package mailtest

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// popClient speaks POP3 by hand.
type popClient struct {
	*textproto.Conn
	t    *testing.T
	conn net.Conn
}

func popDial(t *testing.T, addr string, cfg *tls.Config) *popClient {
	t.Helper()
	c, err := net.DialTimeout("tcp", addr, 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if cfg != nil {
		c = tls.Client(c, cfg)
	}
	p := &popClient{Conn: textproto.NewConn(c), t: t, conn: c}
	p.expect("+OK")
	return p
}

// expect reads a line with the given beginning and returns it.
func (p *popClient) expect(prefix string) string {
	p.t.Helper()
	line, err := p.ReadLine()
	if err != nil || !strings.HasPrefix(line, prefix) {
		p.t.Fatalf("got %q, %v; want %s…", line, err, prefix)
	}
	return line
}

func (p *popClient) cmd(prefix, format string, args ...any) string {
	p.t.Helper()
	if err := p.PrintfLine(format, args...); err != nil {
		p.t.Fatal(err)
	}
	return p.expect(prefix)
}

// many sends a command with an answer of several lines.
func (p *popClient) many(format string, args ...any) []string {
	p.t.Helper()
	p.cmd("+OK", format, args...)
	lines, err := p.ReadDotLines()
	if err != nil {
		p.t.Fatal(err)
	}
	return lines
}

func (p *popClient) login(user, password string) {
	p.t.Helper()
	p.cmd("+OK", "USER %s", user)
	p.cmd("+OK", "PASS %s", password)
}

func filled(n int) *Mailbox {
	m := NewMailbox()
	for i := 1; i <= n; i++ {
		m.Append(letter(i))
	}
	return m
}

func alice(box *Mailbox) []Account { return []Account{{User: "alice", Password: "secret", Inbox: box}} }

func TestPOP3Session(t *testing.T) {
	t.Parallel()
	box := filled(3)
	s := StartPOP3(t, POP3Options{Accounts: alice(box)})
	p := popDial(t, s.Addr(), nil)
	if capa := p.many("CAPA"); !slices.Contains(capa, "PIPELINING") || !slices.Contains(capa, "UIDL") || slices.Contains(capa, "STLS") {
		t.Errorf("CAPA %v", capa)
	}
	p.cmd("-ERR", "STAT")
	p.cmd("+OK", "USER alice")
	p.cmd("-ERR [AUTH]", "PASS wrong")
	p.login("alice", "secret")

	octets := 0
	for i := 1; i <= 3; i++ {
		octets += len(letter(i))
	}
	if got := p.cmd("+OK", "STAT"); got != fmt.Sprintf("+OK 3 %d", octets) {
		t.Errorf("STAT: %s", got)
	}
	if got := p.many("LIST"); len(got) != 3 || got[1] != fmt.Sprintf("2 %d", len(letter(2))) {
		t.Errorf("LIST: %v", got)
	}
	want := box.Messages()
	if got := p.many("UIDL"); len(got) != 3 || got[2] != "3 "+want[2].UIDL {
		t.Errorf("UIDL: %v", got)
	}
	if got := p.cmd("+OK", "UIDL 1"); got != "+OK 1 "+want[0].UIDL {
		t.Errorf("UIDL 1: %s", got)
	}
	p.cmd("+OK", "RETR 2")
	raw, err := p.ReadDotBytes() // undoes the dots and makes LF of CRLF
	if err != nil || !bytes.Equal(CRLF(raw), letter(2)) {
		t.Errorf("RETR 2: %q, %v", raw, err)
	}
	if got := p.many("TOP 2 1"); got[len(got)-1] != "hello 2" {
		t.Errorf("TOP 2 1: %v", got)
	}
	// Several commands in one packet.
	if _, err := io.WriteString(p.conn, "NOOP\r\nLIST 1\r\nDELE 1\r\nLIST 1\r\n"); err != nil {
		t.Fatal(err)
	}
	p.expect("+OK")
	p.expect("+OK 1 ")
	p.expect("+OK")
	p.expect("-ERR")
	p.cmd("+OK", "RSET")
	p.cmd("+OK", "DELE 3")
	if box.Len() != 3 {
		t.Error("DELE removed before QUIT")
	}
	p.cmd("+OK", "QUIT")
	if got := box.Messages(); len(got) != 2 || got[1].UID != 2 {
		t.Errorf("after QUIT: %d messages", len(got))
	}
	if n := s.Count("DELE"); n != 2 || s.Count("RETR") != 1 {
		t.Errorf("recorded %v", s.Commands())
	}
	if strings.Contains(strings.Join(s.Commands(), "\n"), "secret") {
		t.Errorf("a password was recorded: %v", s.Commands())
	}
}

func TestPOP3LostConnectionDeletesNothing(t *testing.T) {
	t.Parallel()
	box := filled(2)
	s := StartPOP3(t, POP3Options{Accounts: alice(box)})
	p := popDial(t, s.Addr(), nil)
	p.login("alice", "secret")
	p.cmd("+OK", "DELE 1")
	second := popDial(t, s.Addr(), nil)
	second.cmd("+OK", "USER alice")
	second.cmd("-ERR [IN-USE]", "PASS secret")
	p.Close()
	// The lock goes with the connection.
	for deadline := time.Now().Add(5 * time.Second); ; {
		second.cmd("+OK", "USER alice")
		if err := second.PrintfLine("PASS secret"); err != nil {
			t.Fatal(err)
		}
		line, err := second.ReadLine()
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(line, "+OK 2 ") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("still %q", line)
		}
	}
}

func TestPOP3TLS(t *testing.T) {
	t.Parallel()
	ca := NewCA()
	opt := POP3Options{Accounts: alice(filled(1)), Cert: ca.Server(), RequireTLS: true}
	s := StartPOP3(t, opt)
	p := popDial(t, s.Addr(), nil)
	if capa := p.many("CAPA"); !slices.Contains(capa, "STLS") || slices.Contains(capa, "USER") {
		t.Errorf("CAPA before STLS: %v", capa)
	}
	p.cmd("-ERR", "USER alice")
	// What comes in clear behind STLS must be forgotten, not executed under TLS.
	if _, err := io.WriteString(p.conn, "STLS\r\nUSER mallory\r\n"); err != nil {
		t.Fatal(err)
	}
	p.expect("+OK")
	secure := tls.Client(p.conn, ca.ClientConfig("localhost"))
	q := &popClient{Conn: textproto.NewConn(secure), t: t, conn: secure}
	q.cmd("-ERR", "PASS secret") // there was no USER
	if capa := q.many("CAPA"); slices.Contains(capa, "STLS") || !slices.Contains(capa, "SASL PLAIN") {
		t.Errorf("CAPA under TLS: %v", capa)
	}
	q.cmd("+OK 1", "AUTH PLAIN %s", base64.StdEncoding.EncodeToString([]byte("\x00alice\x00secret")))
	q.cmd("+OK", "QUIT")

	opt.ImplicitTLS = true
	opt.Accounts = alice(filled(1))
	s = StartPOP3(t, opt)
	p = popDial(t, s.Addr(), ca.ClientConfig("127.0.0.1"))
	p.cmd("+ ", "AUTH PLAIN")
	p.cmd("+OK 1", "%s", base64.StdEncoding.EncodeToString([]byte("\x00alice\x00secret")))
	p.cmd("+OK", "QUIT")
}

func TestPOP3Faults(t *testing.T) {
	t.Parallel()
	session := func(t *testing.T, f POP3Faults) (*POP3Server, *Mailbox, *popClient) {
		t.Helper()
		box := filled(3)
		s := StartPOP3(t, POP3Options{Accounts: alice(box), Faults: f})
		p := popDial(t, s.Addr(), nil)
		p.login("alice", "secret")
		return s, box, p
	}
	t.Run("cut in a message", func(t *testing.T) {
		t.Parallel()
		_, _, p := session(t, POP3Faults{Retr: func(n int) RetrFault { return RetrFault{Cut: n == 2, After: 40} }})
		p.cmd("+OK", "RETR 1")
		if _, err := p.ReadDotBytes(); err != nil {
			t.Fatal(err)
		}
		p.cmd("+OK", "RETR 2")
		rest, err := io.ReadAll(p.R)
		if len(rest) != 40 || err != nil {
			t.Errorf("%d octets came, %v, want 40", len(rest), err)
		}
	})
	t.Run("early end of a message", func(t *testing.T) {
		t.Parallel()
		_, _, p := session(t, POP3Faults{Retr: func(int) RetrFault { return RetrFault{End: true, After: 40} }})
		p.cmd("+OK", "RETR 1")
		if raw, err := p.ReadDotBytes(); err != nil || len(CRLF(raw)) > 42 {
			t.Errorf("%d octets, %v", len(raw), err)
		}
		p.cmd("+OK", "NOOP")
	})
	t.Run("stall in a message", func(t *testing.T) {
		t.Parallel()
		s, _, p := session(t, POP3Faults{Retr: func(int) RetrFault { return RetrFault{Stall: true, After: 40} }})
		p.cmd("+OK", "RETR 1")
		if _, err := io.ReadFull(p.R, make([]byte, 40)); err != nil {
			t.Fatal(err)
		}
		_ = p.conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		if _, err := p.R.ReadByte(); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("reading on: %v, want no answer", err)
		}
		s.Close() // must not hang
	})
	t.Run("refusals and lies", func(t *testing.T) {
		t.Parallel()
		_, box, p := session(t, POP3Faults{
			Retr:    func(n int) RetrFault { return RetrFault{Refuse: map[int]string{1: "[SYS/TEMP] disk"}[n]} },
			Size:    func(int, int64) int64 { return 7 },
			UIDL:    func(int, string) string { return "same" },
			Command: func(name, _ string) string { return map[string]string{"TOP": "not today"}[name] },
			Quit:    QuitRefused,
		})
		p.cmd("-ERR [SYS/TEMP] disk", "RETR 1")
		if got := p.many("LIST"); got[2] != "3 7" {
			t.Errorf("LIST %v", got)
		}
		if got := p.many("UIDL"); got[0] != "1 same" || got[2] != "3 same" {
			t.Errorf("UIDL %v", got)
		}
		p.cmd("-ERR not today", "TOP 1 0")
		p.cmd("+OK", "DELE 2")
		p.cmd("-ERR", "QUIT")
		if box.Len() != 3 {
			t.Errorf("a refused QUIT left %d messages", box.Len())
		}
	})
	for fault, left := range map[QuitFault]int{QuitCutBefore: 3, QuitCutAfter: 2, QuitDeletesNone: 3, QuitWell: 2} {
		t.Run(fmt.Sprintf("quit %d", fault), func(t *testing.T) {
			t.Parallel()
			_, box, p := session(t, POP3Faults{Quit: fault})
			p.cmd("+OK", "DELE 2")
			if err := p.PrintfLine("QUIT"); err != nil {
				t.Fatal(err)
			}
			said, err := io.ReadAll(p.R)
			if answered := len(said) > 0; err != nil || answered != (fault == QuitWell || fault == QuitDeletesNone) {
				t.Errorf("said %q, %v", said, err)
			}
			if box.Len() != left {
				t.Errorf("%d messages left, want %d", box.Len(), left)
			}
		})
	}
}

func TestPOP3LoginRefusals(t *testing.T) {
	t.Parallel()
	s := StartPOP3(t, POP3Options{Accounts: alice(nil), LoginDelay: time.Hour, Without: []string{"UIDL"}})
	p := popDial(t, s.Addr(), nil)
	if capa := p.many("CAPA"); !slices.Contains(capa, "LOGIN-DELAY 3600") || slices.Contains(capa, "UIDL") {
		t.Errorf("CAPA %v", capa)
	}
	s.SetLoginError("[SYS/TEMP] later")
	p.cmd("+OK", "USER alice")
	p.cmd("-ERR [SYS/TEMP] later", "PASS secret")
	s.SetLoginError("")
	s.SetFaults(POP3Faults{Login: func(n int, user string) string {
		if n == 2 && user == "alice" {
			return "[AUTH] second time"
		}
		return ""
	}})
	p.cmd("+OK", "USER alice")
	p.cmd("-ERR [AUTH] second time", "PASS secret")
	s.SetPassword("alice", "other")
	p.cmd("+OK", "USER alice")
	p.cmd("-ERR", "PASS secret")
	p.login("alice", "other")
	p.cmd("-ERR", "UIDL")
	p.cmd("+OK", "QUIT")
	p = popDial(t, s.Addr(), nil)
	p.cmd("+OK", "USER alice")
	p.cmd("-ERR [LOGIN-DELAY]", "PASS other")
	if s.Logins() != 5 || s.Connections() != 2 {
		t.Errorf("%d logins, %d connections, want 5, 2", s.Logins(), s.Connections())
	}
}

func TestEndpointDownAndUp(t *testing.T) {
	t.Parallel()
	s := StartPOP3(t, POP3Options{Accounts: alice(filled(1))})
	addr := s.Addr()
	p := popDial(t, addr, nil)
	if err := s.SetDown(true); err != nil {
		t.Fatal(err)
	}
	if _, err := p.ReadLine(); err == nil {
		t.Error("the connection is still alive")
	}
	if c, err := net.Dial("tcp", addr); err == nil {
		c.Close()
		t.Error("a server that is down accepts connections")
	}
	if err := s.SetDown(false); err != nil {
		t.Fatal(err)
	}
	if s.Addr() != addr {
		t.Errorf("back at %s instead of %s", s.Addr(), addr)
	}
	popDial(t, addr, nil).login("alice", "secret")
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Await(ctx, "PASS", 1); err != nil {
		t.Error(err)
	}
	s.Close()
	if err := s.SetDown(false); err == nil {
		t.Error("a closed server came back")
	}
}

func TestRawServer(t *testing.T) {
	t.Parallel()
	s, err := RunRaw("", Silent)
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("got %v, want silence", err)
	}
	s.Close()
}
