package pop3

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// script is a server that follows a transcript:
//
//	S: text   sends a line; escapes as in a Go string (\x00, \t, \r, \n)
//	S> text   sends it without a line end
//	C: text   expects this line
//	HANG      sends nothing more and waits until the client is gone
//	CLOSE     closes the connection
//	EOF       expects that the client closes without another line; implied at the end
type script struct {
	addr *net.TCPAddr
	done chan error
	ln   net.Listener
}

func play(t *testing.T, transcript string) *script {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return playOn(t, ln, transcript)
}

func playOn(t *testing.T, ln net.Listener, transcript string) *script {
	s := &script{addr: ln.Addr().(*net.TCPAddr), done: make(chan error, 1), ln: ln}
	go func() { s.done <- s.serve(transcript) }()
	t.Cleanup(func() {
		ln.Close()
		if err := <-s.done; err != nil {
			t.Errorf("transcript: %v", err)
		}
	})
	return s
}

func (s *script) serve(transcript string) error {
	conn, err := s.ln.Accept()
	if errors.Is(err, net.ErrClosed) {
		return errors.New("nobody connected")
	}
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(conn)
	for i, step := range strings.Split(strings.TrimSpace(transcript), "\n") {
		step = strings.TrimLeft(step, " \t")
		verb, text, _ := strings.Cut(step, " ")
		switch verb {
		case "S:", "S>":
			out, err := strconv.Unquote(`"` + strings.ReplaceAll(text, `"`, `\"`) + `"`)
			if err != nil {
				return fmt.Errorf("step %d %q: %w", i+1, step, err)
			}
			if verb == "S:" {
				out += "\r\n"
			}
			if _, err := io.WriteString(conn, out); err != nil {
				return fmt.Errorf("step %d %q: %w", i+1, step, err)
			}
		case "C:":
			line, err := r.ReadString('\n')
			if err != nil {
				return fmt.Errorf("step %d: got %q, %w; want %q", i+1, line, err, text)
			}
			if line != text+"\r\n" {
				return fmt.Errorf("step %d: got %q, want %q", i+1, line, text)
			}
		case "CLOSE":
			return nil
		case "HANG":
			_, err := io.Copy(io.Discard, r)
			return ignoreReset(err)
		case "", "EOF":
		default:
			return fmt.Errorf("step %d: cannot read %q", i+1, step)
		}
	}
	rest, err := io.ReadAll(r)
	if len(rest) > 0 {
		return fmt.Errorf("after the transcript the client sent %q", rest)
	}
	return ignoreReset(err)
}

// ignoreReset lets a client close while the server's octets are still on their way.
func ignoreReset(err error) error {
	if netErr, ok := errors.AsType[*net.OpError](err); ok && !netErr.Timeout() {
		return nil
	}
	return err
}

// hello is a conversation up to the login, with pipelining; slow is the same without.
const (
	hello = `S: +OK ready
		C: CAPA
		S: +OK
		S: USER
		S: UIDL
		S: TOP
		S: PIPELINING
		S: .
		C: USER alice
		S: +OK
		C: PASS secret
		S: +OK
		`
	slow = `S: +OK ready
		C: CAPA
		S: -ERR what?
		C: USER alice
		S: +OK
		C: PASS secret
		S: +OK
		`
	bye = `
		C: QUIT
		S: +OK
		EOF`
)

func loopback() dial.Egress {
	return dial.Egress{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
}

func testClient() *Client {
	return &Client{Dialer: &dial.Dialer{Egress: loopback(), IOTimeout: 5 * time.Second}}
}

func (s *script) mailbox() *ingest.Mailbox {
	return &ingest.Mailbox{
		Protocol: ingest.POP3, Host: s.addr.IP.String(), Port: s.addr.Port,
		Username: "alice", Password: ingest.NewSecret("secret"), MaxMessageBytes: 40 << 20,
	}
}

// open logs in to a server that plays the transcript.
func open(t *testing.T, transcript string) *session {
	t.Helper()
	s, err := testClient().Open(t.Context(), play(t, transcript).mailbox())
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s.(*session)
}

// refuse expects that Open fails and gives the error.
func refuse(t *testing.T, client *Client, m *ingest.Mailbox) *ingest.Error {
	t.Helper()
	s, err := client.Open(t.Context(), m)
	if err == nil {
		s.Close()
		t.Fatal("Open succeeded")
	}
	return asError(t, err)
}

func asError(t *testing.T, err error) *ingest.Error {
	t.Helper()
	e, ok := errors.AsType[*ingest.Error](err)
	if !ok {
		t.Fatalf("got %T %v, want an *ingest.Error", err, err)
	}
	return e
}

func wantError(t *testing.T, err error, kind ingest.Kind, reason ingest.Reason) {
	t.Helper()
	e := asError(t, err)
	if e.Kind != kind || e.Reason != reason {
		t.Errorf("got %v %s (%v), want %v %s", e.Kind, e.Reason, err, kind, reason)
	}
}

// listAll reads the whole listing in pages of size.
func listAll(t *testing.T, s ingest.Session, size int) []ingest.Entry {
	t.Helper()
	var all []ingest.Entry
	for cursor := (ingest.Cursor{}); ; {
		page, err := s.List(t.Context(), cursor, ingest.Limit{Messages: size})
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		all = append(all, page.Entries...)
		if cursor = page.Next; !page.More {
			return all
		}
	}
}

func refsOf(entries []ingest.Entry) []ingest.Ref {
	refs := make([]ingest.Ref, len(entries))
	for i, e := range entries {
		refs[i] = e.Ref
	}
	return refs
}

// fetched is what a Fetch brought.
type fetched struct {
	bodies  map[ingest.Ref]string // complete ones only
	missing ingest.Missing
	err     error
}

func fetch(ctx context.Context, s ingest.Session, refs []ingest.Ref) fetched {
	f := fetched{bodies: map[ingest.Ref]string{}}
	f.missing, f.err = s.Fetch(ctx, refs, func(a ingest.Arrival) error {
		b, err := io.ReadAll(a.Body)
		if err == nil {
			f.bodies[a.Ref] = string(b)
		}
		return nil
	})
	return f
}

func uidl(u string) ingest.Ref { return ingest.Ref{UIDL: u} }
