package pop3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

func guard(c net.Conn) *dial.Conn { return dial.NewConn(c, 5*time.Second) }

// three lists messages a, b and c.
const three = `C: UIDL
	S: +OK
	S: 1 a
	S: 2 b
	S: 3 c
	S: .
	C: LIST
	S: +OK
	S: 1 100
	S: 2 100
	S: 3 100
	S: .
	`

func openThree(t *testing.T, prologue, transcript string) (*session, []ingest.Ref) {
	t.Helper()
	s := open(t, prologue+three+transcript)
	return s, refsOf(listAll(t, s, 0))
}

func TestFetchOctetForOctet(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, wire, want string }{
		{"plain", "Subject: x\\r\\n\\r\\nbody\\r\\n", "Subject: x\r\n\r\nbody\r\n"},
		{"nothing", "", ""},
		{"stuffed dots", "..\\r\\n..\\r\\n...\\r\\na.\\r\\n..b\\r\\n", ".\r\n.\r\n..\r\na.\r\n.b\r\n"},
		{"dot between bare LFs", "a\\n.\\nb\\r\\n", "a\n.\nb\r\n"},
		{"dot and CRLF after a bare LF", "a\\n.\\r\\nb\\r\\n", "a\n.\r\nb\r\n"},
		{"bare CR", "a\\rb\\r\\r\\n\\r.\\r\\n", "a\rb\r\r\n\r.\r\n"},
		{"NUL and 8 bit", "a\\x00b\\xff\\r\\n", "a\x00b\xff\r\n"},
		{"long line", strings.Repeat("x", 3*wireBuffer) + "\\r\\n", strings.Repeat("x", 3*wireBuffer) + "\r\n"},
		{"looks like an answer", "+OK\\r\\n-ERR\\r\\n", "+OK\r\n-ERR\r\n"},
		{"byte order mark", "\\xef\\xbb\\xbfSubject: x\\r\\n", "\xef\xbb\xbfSubject: x\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, refs := openThree(t, slow, "C: RETR 1\nS: +OK 7 octets\nS> "+tt.wire+"\nS: .\nC: NOOP\nS: +OK"+bye)
			f := fetch(t.Context(), s, refs[:1])
			if f.err != nil || len(f.missing) > 0 {
				t.Fatalf("Fetch: %v, missing %v", f.err, f.missing)
			}
			if f.bodies[refs[0]] != tt.want {
				t.Errorf("got %.100q, want %.100q", f.bodies[refs[0]], tt.want)
			}
		})
	}
}

// Without PIPELINING a command waits for the whole answer to the last one; with it the window is used.
func TestFetchOrderOfCommands(t *testing.T) {
	t.Parallel()
	body := func(n int) string { return fmt.Sprintf("S: +OK\nS: m%d\nS: .\n", n) }
	for _, tt := range []struct{ name, transcript string }{
		{"one by one", slow + three + "C: RETR 1\n" + body(1) + "C: RETR 2\n" + body(2) + "C: RETR 3\n" + body(3) + "C: NOOP\nS: +OK" + bye},
		{"pipelined", hello + three + "C: RETR 1\nC: RETR 2\nC: RETR 3\nC: NOOP\n" + body(1) + body(2) + body(3) + "S: +OK" + bye},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, tt.transcript)
			f := fetch(t.Context(), s, refsOf(listAll(t, s, 0)))
			want := map[ingest.Ref]string{uidl("a"): "m1\r\n", uidl("b"): "m2\r\n", uidl("c"): "m3\r\n"}
			if diff := cmp.Diff(want, f.bodies); diff != "" || f.err != nil || len(f.missing) > 0 {
				t.Errorf("error %v, missing %v, bodies (-want +got):\n%s", f.err, f.missing, diff)
			}
		})
	}
}

func TestWindowIsKept(t *testing.T) {
	t.Parallel()
	client := testClient()
	client.Window = 2
	s, err := client.Open(t.Context(), play(t, hello+`C: UIDL
		C: LIST
		S: +OK
		S: 1 a
		S: 2 b
		S: 3 c
		S: .
		S: +OK
		S: .
		C: RETR 1
		C: RETR 2
		S: +OK
		S: m1
		S: .
		C: RETR 3
		S: +OK
		S: m2
		S: .
		C: NOOP
		S: -ERR [SYS/TEMP] no
		S: +OK`+bye).mailbox())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	refs := refsOf(listAll(t, s, 0))
	f := fetch(t.Context(), s, refs)
	if f.err != nil || len(f.bodies) != 2 || len(f.missing) != 1 {
		t.Fatalf("got %d bodies, missing %v, %v", len(f.bodies), f.missing, f.err)
	}
	wantError(t, f.missing[refs[2]], ingest.KindTemporary, ingest.ReasonServerUnavailable)
}

func TestFetchRefusalOfOne(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		answer string
		kind   ingest.Kind
		reason ingest.Reason
	}{
		{"cannot read", ingest.KindProtocol, ingest.ReasonMissingBody},
		{"no such message", ingest.KindGone, ingest.ReasonGone},
		{"[SYS/TEMP] disk", ingest.KindTemporary, ingest.ReasonServerUnavailable},
		{"[SYS/PERM] corrupt", ingest.KindProtocol, ingest.ReasonMissingBody},
	} {
		t.Run(tt.answer, func(t *testing.T) {
			t.Parallel()
			s, refs := openThree(t, hello, "C: RETR 1\nC: RETR 2\nC: RETR 3\nC: NOOP\nS: -ERR "+tt.answer+"\nS: +OK\nS: m2\nS: .\nS: +OK\nS: m3\nS: .\nS: +OK"+bye)
			f := fetch(t.Context(), s, refs)
			if f.err != nil || len(f.bodies) != 2 || len(f.missing) != 1 {
				t.Fatalf("got %d bodies, missing %v, error %v", len(f.bodies), f.missing, f.err)
			}
			wantError(t, f.missing[refs[0]], tt.kind, tt.reason)
		})
	}
}

func TestFetchOfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	s, _ := openThree(t, slow, "C: DELE 2\nS: +OK"+bye)
	if err := s.Settle(t.Context(), []ingest.Ref{uidl("b")}, ingest.SettleDelete); err != nil {
		t.Fatal(err)
	}
	imap := ingest.Ref{Folder: "INBOX", UID: 1, UIDL: "a"}
	f := fetch(t.Context(), s, []ingest.Ref{uidl("zzz"), uidl("b"), imap})
	if f.err != nil || len(f.missing) != 3 {
		t.Fatalf("missing %v, error %v", f.missing, f.err)
	}
	for _, err := range f.missing {
		wantError(t, err, ingest.KindGone, ingest.ReasonGone)
	}
}

// What goes wrong within or behind a body: the ref at fault is named, the others stay open, nothing half-read counts,
// and the connection ends without QUIT.
func TestFetchFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, answers   string
		kind            ingest.Kind
		reason          ingest.Reason
		complete, fault string
		faultKind       ingest.Kind
	}{
		{"cut within the first", "S: +OK\nS: m1\nCLOSE", ingest.KindTemporary, ingest.ReasonConnectionLost, "", "a", ingest.KindTemporary},
		{"cut within a line end", "S: +OK\nS> m1\\r\nCLOSE", ingest.KindTemporary, ingest.ReasonConnectionLost, "", "a", ingest.KindTemporary},
		{"cut within the terminator", "S: +OK\nS: m1\nS> .\\r\nCLOSE", ingest.KindTemporary, ingest.ReasonConnectionLost, "", "a", ingest.KindTemporary},
		{"cut behind the first", "S: +OK\nS: m1\nS: .\nCLOSE", ingest.KindTemporary, ingest.ReasonConnectionLost, "a", "b", ingest.KindTemporary},
		{"cut behind the second status", "S: +OK\nS: m1\nS: .\nS: +OK\nCLOSE", ingest.KindTemporary, ingest.ReasonConnectionLost, "a", "b", ingest.KindTemporary},
		{"silence", "S: +OK\nS: m1\nHANG", ingest.KindTemporary, ingest.ReasonTimeout, "", "a", ingest.KindTemporary},
		{"a dot line unprotected", "S: +OK\nS: m1\nS: .\nS: rest of the mail\nS: .\nHANG", ingest.KindProtocol, ingest.ReasonProtocol, "", "a", ingest.KindProtocol},
		{"an empty line after the body", "S: +OK\nS: m1\nS: .\nS: \nHANG", ingest.KindProtocol, ingest.ReasonProtocol, "", "a", ingest.KindProtocol},
		{"no status at all", "S: From: somebody\nHANG", ingest.KindProtocol, ingest.ReasonProtocol, "", "a", ingest.KindProtocol},
		{"endless status", "S: +OK\nS: m1\nS: .\nS: +OK " + strings.Repeat("x", maxStatusLine) + "\nHANG", ingest.KindProtocol, ingest.ReasonLimit, "", "a", ingest.KindProtocol},
		{"too large", "S: +OK\nS: " + strings.Repeat("x", 2000) + "\nHANG", ingest.KindTemporary, ingest.ReasonTooLarge, "", "a", ingest.KindTooLarge},
		{"second too large", "S: +OK\nS: m1\nS: .\nS: +OK\nS: " + strings.Repeat("x", 2000) + "\nHANG", ingest.KindTemporary, ingest.ReasonTooLarge, "a", "b", ingest.KindTooLarge},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := testClient()
			client.Dialer.IOTimeout = 500 * time.Millisecond
			m := play(t, hello+three+"C: RETR 1\nC: RETR 2\nC: RETR 3\nC: NOOP\n"+tt.answers).mailbox()
			m.MaxMessageBytes = 1000
			s, err := client.Open(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			f := fetch(t.Context(), s, refsOf(listAll(t, s, 0)))
			wantError(t, f.err, tt.kind, tt.reason)
			if strings.Contains(f.err.Error(), "rest of the mail") || strings.Contains(f.err.Error(), "somebody") {
				t.Errorf("the error quotes mail: %v", f.err)
			}
			var complete []string
			for ref := range f.bodies {
				complete = append(complete, ref.UIDL)
			}
			if got := strings.Join(complete, ""); got != tt.complete {
				t.Errorf("complete: got %q, want %q", got, tt.complete)
			}
			if len(f.missing) != 1 || ingest.KindOf(f.missing[uidl(tt.fault)]) != tt.faultKind || f.missing[uidl(tt.fault)] == nil {
				t.Errorf("missing: got %v, want %s of kind %v", f.missing, tt.fault, tt.faultKind)
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			if _, err := s.List(t.Context(), ingest.Cursor{}, ingest.Limit{}); err == nil {
				t.Error("List works after Close")
			}
		})
	}
}

func TestFetchLimitIsExact(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		limit int64
		ok    bool
	}{{12, true}, {11, false}, {0, true}} {
		end := "\nC: NOOP\nS: +OK" + bye
		if !tt.ok {
			end = ""
		}
		m := play(t, slow+strings.ReplaceAll(three, "1 100", "1 10")+"C: RETR 1\nS: +OK\nS: ..123456789\nS: ."+end).mailbox()
		m.MaxMessageBytes = tt.limit
		s, err := testClient().Open(t.Context(), m)
		if err != nil {
			t.Fatal(err)
		}
		f := fetch(t.Context(), s, refsOf(listAll(t, s, 1))[:1])
		if tt.ok && (f.err != nil || f.bodies[uidl("a")] != ".123456789\r\n") {
			t.Errorf("limit %d: got %q, %v", tt.limit, f.bodies[uidl("a")], f.err)
		}
		if !tt.ok && ingest.KindOf(f.missing[uidl("a")]) != ingest.KindTooLarge {
			t.Errorf("limit %d: missing %v, %v", tt.limit, f.missing, f.err)
		}
		s.Close()
	}
}

// What LIST says is too large is not even asked for, and costs no connection.
func TestFetchAnnouncedTooLarge(t *testing.T) {
	t.Parallel()
	m := play(t, slow+strings.ReplaceAll(three, "2 100", "2 1001")+"C: RETR 1\nS: +OK\nS: .\nC: RETR 3\nS: +OK\nS: .\nC: NOOP\nS: +OK"+bye).mailbox()
	m.MaxMessageBytes = 1000
	s, err := testClient().Open(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	f := fetch(t.Context(), s, refsOf(listAll(t, s, 0)))
	if f.err != nil || len(f.bodies) != 2 {
		t.Fatalf("got %d bodies, %v", len(f.bodies), f.err)
	}
	wantError(t, f.missing[uidl("b")], ingest.KindTooLarge, ingest.ReasonTooLarge)
}

func TestFetchCallbackError(t *testing.T) {
	t.Parallel()
	mine := errors.New("disk full")
	for _, drained := range []bool{true, false} {
		// In one write: the client hangs up after the first message, and a second write would meet its reset.
		s, refs := openThree(t, hello, "C: RETR 1\nC: RETR 2\nC: RETR 3\nC: NOOP\nS> +OK\\r\\nm1\\r\\n.\\r\\n+OK\\r\\nm2\\r\\n.\\r\\n\nHANG")
		calls := 0
		missing, err := s.Fetch(t.Context(), refs, func(a ingest.Arrival) error {
			calls++
			if drained {
				io.Copy(io.Discard, a.Body)
			}
			return mine
		})
		if !errors.Is(err, mine) || calls != 1 || len(missing) > 0 {
			t.Errorf("drained %v: got %v after %d calls, missing %v", drained, err, calls, missing)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestFetchUndrainedBodyIsSkipped(t *testing.T) {
	t.Parallel()
	s, refs := openThree(t, slow, "C: RETR 1\nS: +OK\nS: m1\nS: .\nC: RETR 2\nS: +OK\nS: m2\nS: .\nC: NOOP\nS: +OK"+bye)
	var seen []string
	missing, err := s.Fetch(t.Context(), refs[:2], func(a ingest.Arrival) error {
		seen = append(seen, a.Ref.UIDL)
		_, err := a.Body.Read(make([]byte, 1))
		return err
	})
	if err != nil || len(missing) > 0 || strings.Join(seen, "") != "ab" {
		t.Errorf("got %v, missing %v, seen %v", err, missing, seen)
	}
}

func TestFetchCancelled(t *testing.T) {
	t.Parallel()
	s, refs := openThree(t, slow, "C: RETR 1\nS: +OK\nS: m1\nHANG")
	ctx, cancel := context.WithCancel(t.Context())
	var body error
	missing, err := s.Fetch(ctx, refs, func(a ingest.Arrival) error {
		cancel()
		_, body = io.Copy(io.Discard, a.Body)
		return body
	})
	if !errors.Is(err, context.Canceled) || !errors.Is(body, context.Canceled) {
		t.Errorf("got %v, body %v", err, body)
	}
	wantError(t, missing[refs[0]], ingest.KindTemporary, ingest.ReasonConnectionLost)
	if _, err := s.List(ctx, ingest.Cursor{}, ingest.Limit{}); !errors.Is(err, context.Canceled) {
		t.Errorf("List: %v", err)
	}
}

// What ends the visit may itself wrap io.EOF, for example the lost connection of another server. That is no end of mail.
func TestFetchCutByCauseThatWrapsEOF(t *testing.T) {
	t.Parallel()
	s, refs := openThree(t, slow, "C: RETR 1\nS: +OK\nS: m1\nHANG")
	ctx, cancel := context.WithCancelCause(t.Context())
	var body error
	missing, err := s.Fetch(ctx, refs, func(a ingest.Arrival) error {
		cancel(fmt.Errorf("database: %w", io.EOF))
		_, body = io.Copy(io.Discard, a.Body)
		return nil
	})
	if err == nil || body == nil {
		t.Errorf("got %v, body %v", err, body)
	}
	wantError(t, missing[refs[0]], ingest.KindTemporary, ingest.ReasonConnectionLost)
}
