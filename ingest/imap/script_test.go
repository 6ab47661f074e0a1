package imap

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// opening is how most scripts begin: greeting, login and folder.
const opening = `
S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN UIDPLUS] ready
C: AUTHENTICATE PLAIN AGFubmEAc2VjcmV0
S: $ OK [CAPABILITY IMAP4rev1 UIDPLUS] welcome
C: EXAMINE INBOX
S: * 3 EXISTS
S: * OK [UIDVALIDITY 1000] .
S: * OK [UIDNEXT 14] .
S: $ OK [READ-ONLY] done
`

// ending answers the LOGOUT of Close.
const ending = `
C: LOGOUT
S: * BYE bye
S: $ OK done
`

// serve plays a script to one client. "S:" lines are sent, with $ for the tag of the last command; "C:" lines are
// regular expressions for a command without its tag, "c:" for a line without one; "X:" lines are close, silence or
// repeat N TEXT (without line end). It returns the address, and on Cleanup reports what did not go by the script.
func serve(t testing.TB, script string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	result := make(chan error, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			result <- fmt.Errorf("no client came: %w", err)
			return
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		result <- play(conn, script)
	}()
	t.Cleanup(func() {
		l.Close()
		if err := <-result; err != nil {
			t.Errorf("server: %v", err)
		}
	})
	return l.Addr().String()
}

func play(conn net.Conn, script string) error {
	in := bufio.NewReader(conn)
	tag := "?"
	for line := range strings.SplitSeq(strings.TrimSpace(script), "\n") {
		kind, text, _ := strings.Cut(line, ":")
		text = strings.TrimPrefix(text, " ")
		switch kind {
		case "S":
			text = strings.NewReplacer("$ ", tag+" ", `\r`, "\r", `\n`, "\n", `\0`, "\x00", `\xff`, "\xff", `\xfe`, "\xfe").Replace(text)
			if _, err := io.WriteString(conn, text+"\r\n"); err != nil {
				return nil // the client gave up, as many scripts want
			}
		case "C", "c":
			got, err := in.ReadString('\n')
			if err != nil {
				return fmt.Errorf("while waiting for %q: %w", text, err)
			}
			got = strings.TrimRight(got, "\r\n")
			if kind == "C" {
				tag, got, _ = strings.Cut(got, " ")
			}
			if !regexp.MustCompile("^(?:" + text + ")$").MatchString(got) {
				return fmt.Errorf("got command %q, want %q", got, text)
			}
		case "X":
			switch verb, arg, _ := strings.Cut(text, " "); verb {
			case "close":
				return nil
			case "silence":
				io.Copy(io.Discard, in) // until the client closes
				return nil
			case "repeat":
				var n int
				number, what, _ := strings.Cut(arg, " ")
				fmt.Sscan(number, &n)
				chunk := strings.Repeat(what, 1+65536/len(what))
				for total := n * len(what); total > 0; total -= len(chunk) {
					if _, err := io.WriteString(conn, chunk[:min(total, len(chunk))]); err != nil {
						return nil
					}
				}
			}
		}
	}
	in.ReadString('\n') // what comes behind the script, such as LOGOUT, is answered by closing
	return nil
}

// scripted opens a session by the script; the session is closed with the test.
func scripted(t testing.TB, script string, change ...func(*ingest.Mailbox, *dial.Dialer)) (ingest.Session, error) {
	t.Helper()
	host, port, _ := net.SplitHostPort(serve(t, script))
	m := &ingest.Mailbox{Protocol: ingest.IMAP, Host: host, Username: "anna", Password: ingest.NewSecret("secret")}
	fmt.Sscan(port, &m.Port)
	d := testDialer()
	for _, f := range change {
		f(m, d)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	s, err := (&Client{Dialer: d, Version: "1"}).Open(ctx, m, m.Settlement == ingest.SettleLeave)
	if err == nil {
		t.Cleanup(func() { s.Close() })
	}
	return s, err
}

// opened is scripted for scripts whose opening must succeed.
func opened(t testing.TB, script string, change ...func(*ingest.Mailbox, *dial.Dialer)) ingest.Session {
	t.Helper()
	s, err := scripted(t, script, change...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func refs(uids ...uint32) []ingest.Ref {
	var list []ingest.Ref
	for _, u := range uids {
		list = append(list, ingest.Ref{Folder: "INBOX", UIDValidity: 1000, UID: u})
	}
	return list
}
