package mailtest

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
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

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

func imapLogin(t *testing.T, addr string, cfg *tls.Config, opt *imapclient.Options) *imapclient.Client {
	t.Helper()
	var conn net.Conn
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	if cfg != nil {
		conn = tls.Client(conn, cfg)
	}
	c := imapclient.New(conn, opt)
	t.Cleanup(func() { c.Close() })
	if err := c.Login("alice", "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	return c
}

var peek = &imap.FetchOptions{UID: true, Flags: true, InternalDate: true, RFC822Size: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}

// all is the set of every UID.
func all() imap.UIDSet { return imap.UIDSet{{Start: 1, Stop: 0}} }

func TestIMAPSession(t *testing.T) {
	t.Parallel()
	box := filled(3)
	box.Remove(2)
	old := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	if _, err := box.Deliver(letter(4), old); err != nil {
		t.Fatal(err)
	}
	box.SetUIDValidity(40)
	archive := NewMailbox()
	accounts := alice(box)
	accounts[0].Folders = map[string]*Mailbox{"Archive": archive, "Archive/2024": NewMailbox()}
	s := StartIMAP(t, IMAPOptions{Accounts: accounts})
	c := imapLogin(t, s.Addr(), nil, nil)

	if list, err := c.List("", "*", nil).Collect(); err != nil || len(list) != 3 || list[0].Mailbox != "Archive" {
		t.Errorf("LIST: %d folders, %v", len(list), err)
	}
	sel, err := c.Select("inbox", nil).Wait()
	if err != nil {
		t.Fatal(err)
	}
	if sel.NumMessages != 3 || sel.UIDValidity != 40 || sel.UIDNext != 4 {
		t.Errorf("SELECT: %+v", sel)
	}
	got, err := c.Fetch(all(), peek).Collect()
	if err != nil || len(got) != 3 {
		t.Fatalf("FETCH: %d messages, %v", len(got), err)
	}
	for i, want := range box.Messages() {
		body := got[i].FindBodySection(peek.BodySection[0])
		if uint32(got[i].UID) != want.UID || !bytes.Equal(body, want.Raw) || got[i].RFC822Size != int64(len(want.Raw)) || len(got[i].Flags) != 0 {
			t.Errorf("message %d: UID %d, flags %v, size %d, body %q", i, got[i].UID, got[i].Flags, got[i].RFC822Size, body)
		}
	}
	if !got[2].InternalDate.Equal(old) {
		t.Errorf("INTERNALDATE %v, want %v", got[2].InternalDate, old)
	}
	head := &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{{Specifier: imap.PartSpecifierHeader, Peek: true}}}
	if got, err := c.Fetch(imap.UIDSetNum(1), head).Collect(); err != nil || !bytes.HasSuffix(got[0].FindBodySection(head.BodySection[0]), []byte("\r\n\r\n")) {
		t.Errorf("header: %v", err)
	}

	found, err := c.UIDSearch(&imap.SearchCriteria{UID: []imap.UIDSet{{{Start: 2, Stop: 0}}}, Header: []imap.SearchCriteriaHeaderField{{Key: "Subject", Value: "LETTER 4"}}}, nil).Wait()
	if err != nil || !slices.Equal(found.AllUIDs(), []imap.UID{3}) {
		t.Errorf("SEARCH: %v, %v", found, err)
	}

	// Flags and removal touch what they are given.
	flag := func(op imap.StoreFlagsOp, f imap.Flag, uid imap.UID) {
		t.Helper()
		if err := c.Store(imap.UIDSetNum(uid), &imap.StoreFlags{Op: op, Silent: true, Flags: []imap.Flag{f}}, nil).Close(); err != nil {
			t.Fatal(err)
		}
	}
	flag(imap.StoreFlagsAdd, imap.FlagSeen, 1)
	flag(imap.StoreFlagsAdd, imap.FlagDeleted, 1)
	flag(imap.StoreFlagsAdd, imap.FlagDeleted, 2)
	if err := c.UIDExpunge(imap.UIDSetNum(2)).Close(); err != nil {
		t.Fatal(err)
	}
	if left := box.Messages(); len(left) != 2 || left[0].UID != 1 || !slices.Equal(left[0].Flags, []string{`\Deleted`, `\Seen`}) {
		t.Errorf("after UID EXPUNGE: %+v", left)
	}
	if _, err := c.Move(imap.UIDSetNum(3), "Archive").Wait(); err != nil {
		t.Fatal(err)
	}
	if moved := archive.Messages(); len(moved) != 1 || !bytes.Equal(moved[0].Raw, letter(4)) || box.Len() != 1 {
		t.Errorf("after MOVE: %d there, %d here", len(moved), box.Len())
	}
	if _, err := c.Select("nowhere", nil).Wait(); err == nil {
		t.Error("a folder that is not there was selected")
	}
	commands := strings.Join(s.Commands(), "\n")
	for _, want := range []string{"LOGIN alice", "SELECT INBOX", "UID FETCH 1:* (UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])",
		`UID STORE 1 +FLAGS.SILENT (\Seen)`, "UID EXPUNGE 2", "UID MOVE 3 Archive"} {
		if !strings.Contains(commands, want) {
			t.Errorf("%q was not recorded", want)
		}
	}
	if strings.Contains(commands, "secret") {
		t.Error("a password was recorded")
	}
}

func TestIMAPReadOnly(t *testing.T) {
	t.Parallel()
	box := filled(1)
	box.SetFlags(1, `\Deleted`)
	s := StartIMAP(t, IMAPOptions{Accounts: alice(box)})
	c := imapLogin(t, s.Addr(), nil, nil)
	if _, err := c.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Fetch(all(), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{{}}}).Collect(); err != nil {
		t.Fatal(err)
	}
	if err := c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close(); err == nil {
		t.Error("STORE after EXAMINE")
	}
	if err := c.UnselectAndExpunge().Wait(); err != nil {
		t.Fatal(err)
	}
	if got := box.Messages(); len(got) != 1 || !slices.Equal(got[0].Flags, []string{`\Deleted`}) {
		t.Errorf("EXAMINE changed the folder: %+v", got)
	}
	if s.Count("EXAMINE") != 1 || s.Count("EXPUNGE") != 0 {
		t.Errorf("recorded %v", s.Commands())
	}
}

func TestIMAPIdle(t *testing.T) {
	t.Parallel()
	box := filled(1)
	s := StartIMAP(t, IMAPOptions{Accounts: alice(box)})
	exists, expunged := make(chan uint32, 10), make(chan uint32, 10)
	c := imapLogin(t, s.Addr(), nil, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				exists <- *d.NumMessages
			}
		},
		Expunge: func(n uint32) { expunged <- n },
	}})
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	box.Append(letter(2)) // between the commands: the IDLE must report it
	idle, err := c.Idle()
	if err != nil {
		t.Fatal(err)
	}
	receive(t, exists, 2)
	box.Append(letter(3))
	receive(t, exists, 3)
	box.Remove(1)
	receive(t, expunged, 1)
	if err := idle.Close(); err != nil {
		t.Fatal(err)
	}
	if err := idle.Wait(); err != nil {
		t.Fatal(err)
	}
}

func receive(t *testing.T, from <-chan uint32, want uint32) {
	t.Helper()
	select {
	case got := <-from:
		if got != want {
			t.Errorf("told %d, want %d", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatalf("not told %d", want)
	}
}

func TestIMAPTLS(t *testing.T) {
	t.Parallel()
	ca := NewCA()
	opt := IMAPOptions{Accounts: alice(filled(1)), Cert: ca.Server(), RequireTLS: true}
	s := StartIMAP(t, opt)
	plain, err := imapclient.DialInsecure(s.Addr(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	if err := plain.Login("alice", "secret").Wait(); err == nil {
		t.Error("a login in clear")
	}
	if !plain.Caps().Has(imap.CapLoginDisabled) || !plain.Caps().Has(imap.CapStartTLS) {
		t.Errorf("capabilities %v", plain.Caps())
	}
	c, err := imapclient.DialStartTLS(s.Addr(), &imapclient.Options{TLSConfig: ca.ClientConfig("localhost")})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login("alice", "secret").Wait(); err != nil {
		t.Fatal(err)
	}

	opt.ImplicitTLS = true
	s = StartIMAP(t, opt)
	c = imapLogin(t, s.Addr(), ca.ClientConfig("127.0.0.1"), nil)
	if c.Caps().Has(imap.CapStartTLS) {
		t.Error("STARTTLS is offered under TLS")
	}
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
}

func TestIMAPLoginRefusals(t *testing.T) {
	t.Parallel()
	s := StartIMAP(t, IMAPOptions{Accounts: alice(nil)})
	try := func(password string) *imap.Error {
		t.Helper()
		c, err := imapclient.DialInsecure(s.Addr(), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		err = c.Login("alice", password).Wait()
		var e *imap.Error
		if err != nil && !errors.As(err, &e) {
			t.Fatalf("login: %v", err)
		}
		return e
	}
	if e := try("wrong"); e == nil || e.Code != imap.ResponseCodeAuthenticationFailed {
		t.Errorf("wrong password: %v", e)
	}
	s.SetLoginError("[UNAVAILABLE] try later")
	if e := try("secret"); e == nil || e.Code != imap.ResponseCodeUnavailable || e.Text != "try later" {
		t.Errorf("unavailable: %v", e)
	}
	s.SetLoginError("")
	if e := try("secret"); e != nil {
		t.Errorf("afterwards: %v", e)
	}
	if s.Logins() != 3 {
		t.Errorf("%d logins, want 3", s.Logins())
	}
}

func TestIMAPDownAndUp(t *testing.T) {
	t.Parallel()
	s := StartIMAP(t, IMAPOptions{Accounts: alice(filled(1))})
	c := imapLogin(t, s.Addr(), nil, nil)
	if err := s.SetDown(true); err != nil {
		t.Fatal(err)
	}
	if err := c.Noop().Wait(); err == nil {
		t.Error("the connection is still alive")
	}
	if _, err := net.Dial("tcp", s.Addr()); err == nil {
		t.Error("a server that is down accepts connections")
	}
	if err := s.SetDown(false); err != nil {
		t.Fatal(err)
	}
	imapLogin(t, s.Addr(), nil, nil)
}

// imapByHand logs in, selects INBOX and returns the connection, whose lines the test reads itself.
func imapByHand(t *testing.T, addr string, cfg *tls.Config, startTLS bool) *popClient {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	if cfg != nil && !startTLS {
		conn = tls.Client(conn, cfg)
	}
	p := &popClient{Conn: textproto.NewConn(conn), t: t, conn: conn}
	p.expect("* OK")
	if startTLS {
		p.cmd("a OK", "a STARTTLS")
		conn = tls.Client(conn, cfg)
		p = &popClient{Conn: textproto.NewConn(conn), t: t, conn: conn}
	}
	p.cmd("b OK", "b LOGIN alice secret")
	for line := p.cmd("* ", "c SELECT INBOX"); !strings.HasPrefix(line, "c OK"); line = p.expect("") {
	}
	return p
}

func TestIMAPFetchFaults(t *testing.T) {
	t.Parallel()
	ca := NewCA()
	big := append(letter(1), bytes.Repeat([]byte("0123456789abcdef\r\n"), 3000)...)
	for _, raw := range [][]byte{letter(1), big} {
		for _, after := range []int{0, 1, 60, len(raw) - 1, len(raw)} {
			for _, way := range []string{"plain", "TLS", "STARTTLS"} {
				for _, stall := range []bool{false, true} {
					t.Run(fmt.Sprintf("%d of %d by %s stall %v", after, len(raw), way, stall), func(t *testing.T) {
						t.Parallel()
						box := NewMailbox()
						box.Append(raw)
						opt := IMAPOptions{Accounts: alice(box), Faults: IMAPFaults{Fetch: func(uint32) FetchFault {
							return FetchFault{After: after, Cut: !stall, Stall: stall}
						}}}
						var cfg *tls.Config
						if way != "plain" {
							opt.Cert, opt.ImplicitTLS, cfg = ca.Server(), way == "TLS", ca.ClientConfig("localhost")
						}
						s := StartIMAP(t, opt)
						p := imapByHand(t, s.Addr(), cfg, way == "STARTTLS")
						if err := p.PrintfLine("d UID FETCH 1 (BODY.PEEK[])"); err != nil {
							t.Fatal(err)
						}
						if stall {
							_ = p.conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
						}
						got, err := io.ReadAll(p.R)
						if stall != errors.Is(err, os.ErrDeadlineExceeded) {
							t.Errorf("reading ended with %v", err)
						}
						announced := fmt.Sprintf("* 1 FETCH (UID 1 BODY[] {%d}\r\n", len(raw))
						rest, ok := bytes.CutPrefix(got, []byte(announced))
						exact := way != "STARTTLS"
						if exact && (!ok || !bytes.Equal(rest, raw[:after])) {
							t.Errorf("%d octets came behind the announcement, want %d", len(rest), after)
						}
						if !exact && (len(rest) > after+len(announced) || after-len(rest) > 4096) {
							t.Errorf("%d octets came, want at most %d and at least %d", len(got), after, after-4096)
						}
						s.Close() // must not hang
					})
				}
			}
		}
	}
}

func TestIMAPOtherFaults(t *testing.T) {
	t.Parallel()
	s := StartIMAP(t, IMAPOptions{Accounts: alice(filled(3)), Faults: IMAPFaults{
		Fetch: func(uid uint32) FetchFault {
			return FetchFault{Omit: uid == 2, Body: map[uint32][]byte{3: []byte("other")}[uid]}
		},
		Size: func(uint32, int64) int64 { return 7 },
		Command: func(name string) string {
			return map[string]string{"STORE": "[LIMIT] not now"}[name]
		},
	}})
	c := imapLogin(t, s.Addr(), nil, nil)
	if _, err := c.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	got, err := c.Fetch(all(), peek).Collect()
	if err != nil || len(got) != 2 || got[1].UID != 3 || got[1].RFC822Size != 7 || string(got[1].FindBodySection(peek.BodySection[0])) != "other" {
		t.Errorf("%d messages, %v", len(got), err)
	}
	err = c.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close()
	if err == nil || !strings.Contains(err.Error(), "not now") {
		t.Errorf("STORE: %v", err)
	}
	s.SetFaults(IMAPFaults{Fetch: func(uid uint32) FetchFault {
		return FetchFault{Refuse: map[uint32]string{2: "[SERVERBUG] broken"}[uid]}
	}})
	got, err = c.Fetch(all(), peek).Collect()
	if len(got) != 1 || err == nil || !strings.Contains(err.Error(), "broken") {
		t.Errorf("%d messages, %v; want one and a refusal", len(got), err)
	}
	s.SetFaults(IMAPFaults{Stall: func(name string) bool { return name == "SEARCH" }})
	search := c.UIDSearch(&imap.SearchCriteria{}, nil)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if err := s.Await(ctx, "UID SEARCH", 1); err != nil {
		t.Fatal(err)
	}
	s.Kick()
	if _, err := search.Wait(); err == nil {
		t.Error("a stalled SEARCH was answered")
	}
}

func TestIMAPBye(t *testing.T) {
	t.Parallel()
	s := StartIMAP(t, IMAPOptions{Bye: "[UNAVAILABLE] closed today"})
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil || line != "* BYE [UNAVAILABLE] closed today\r\n" {
		t.Errorf("greeted with %q, %v", line, err)
	}
}
