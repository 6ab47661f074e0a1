package imap

import (
	"bytes"
	"errors"
	"io"
	"net"
	"regexp"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// canned is a connection on which the server has said everything already.
type canned struct {
	net.Conn
	in     *bytes.Reader
	closed bool
}

func (c *canned) Read(p []byte) (int, error) {
	if c.closed {
		return 0, net.ErrClosed
	}
	return c.in.Read(p)
}
func (c *canned) Close() error                     { c.closed = true; return nil }
func (c *canned) Write(p []byte) (int, error)      { return len(p), nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

// harmless is all that go-imap may ever get to see.
var harmless = regexp.MustCompile(`^(\* OK \[CAPABILITY IMAP4rev1\] ready\r\n)?(\+\r\n|T\d+ (OK|NO|BAD) done\r\n)*$`)

// FuzzGuard feeds the guard with whatever a server might send and checks that bodies are pieces of it, that none is
// given twice or for a UID that nobody asked for, and that the library sees nothing but bare results.
func FuzzGuard(f *testing.F) {
	for _, seed := range []string{
		"* 1 FETCH (UID 1 BODY[] {3}\r\nabc)\r\nT1 OK done\r\n",
		"* 1 fetch (FLAGS (\\Seen a]b) X-GM-LABELS (\"a\" {2}\r\nxy) BODY[] \"q\\\"\" UID 2)\r\nT1 OK [X] y\r\n",
		"* 1 FETCH (BODY[HEADER.FIELDS (DATE)]<0> NIL INTERNALDATE \" 1-Nov-2026 12:00:00 +0100\" UID 3 BODY[] {1}\r\na RFC822.SIZE 5)\n",
		"* SEARCH 1 2 4294967295 99999999999999999999 (MODSEQ 5)\r\n* OK [UIDNEXT 5] x\r\n* 4 EXISTS\r\n* BYE x\r\n",
		"+ go\r\nT1 NO [UNAVAILABLE] x\r\n* LIST () \"/\" {4}\r\nabcd\r\nT2 BAD\r\n",
		"* 1 FETCH (((((((((((((((((((((((((",
		"* 1 FETCH (UID 1 BODY[] {99999999999}\r\n",
		"T1 OK done\r\nT1 OK again\r\n",
		" 1 FETCH (UID 1 BODY[] {3}\r\naebc)", // once took the guard's own goroutine down
	} {
		f.Add([]byte(seed), true)
		f.Add([]byte(seed), false)
	}
	f.Fuzz(func(t *testing.T, said []byte, single bool) {
		g := newGuard(dial.NewConn(&canned{in: bytes.NewReader(said)}, time.Minute), capabilities{})
		s := newSink()
		s.arrivals, s.failed, s.single = make(chan *arrival), g.Done(), single
		s.maxMessage, s.unwanted, s.lo, s.hi, s.keep = 1<<16, 1<<16, 1, 3, 3
		s.wanted = map[uint32]bool{1: true}
		if !single {
			s.wanted[2], s.wanted[3] = true, true
		}
		g.begin(s, 2)
		var seen []byte
		end := make(chan error)
		go func() {
			buf := make([]byte, 512)
			for {
				n, err := g.Read(buf)
				seen = append(seen, buf[:n]...)
				if err != nil {
					end <- err
					return
				}
				if bytes.HasSuffix(seen, []byte("+\r\n")) {
					g.Write([]byte("x")) // the client answers
				}
			}
		}()
		whole, octets := map[uint32]int{}, 0
		for running := true; running; {
			select {
			case a := <-s.arrivals:
				body, err := io.ReadAll(a)
				octets += len(body)
				if err == nil {
					whole[a.fetched.uid]++
					if int64(len(body)) != a.size {
						t.Errorf("a body of %d octets, %d were announced", len(body), a.size)
					}
					if _, quoted := a.src.(*quotedBody); !quoted && !bytes.Contains(said, body) {
						t.Errorf("%q is not what the server said", body)
					}
				}
				close(a.ack)
			case err := <-end:
				running = false
				if errors.Is(err, io.EOF) {
					t.Error("the end of the stream looks like an orderly end")
				}
				if e, ok := errors.AsType[*ingest.Error](err); ok && e.Kind != ingest.KindProtocol && e.Kind != ingest.KindTooLarge {
					t.Errorf("kind %v for %v", e.Kind, e)
				}
			}
		}
		for uid, n := range whole {
			if n != 1 || uid == 0 || uid > 3 || single && uid != 1 {
				t.Errorf("%d bodies for UID %d", n, uid)
			}
		}
		if octets > len(said) {
			t.Errorf("%d octets of bodies out of %d", octets, len(said))
		}
		if !harmless.Match(seen) {
			t.Errorf("the library saw %q", seen)
		}
		uids, _ := s.listed()
		if len(uids) > s.keep || len(s.entries) > 2*s.keep {
			t.Errorf("%d UIDs and %d entries are kept, of %d", len(uids), len(s.entries), s.keep)
		}
	})
}

func TestGuardLimitsBetweenCommands(t *testing.T) {
	flood := bytes.Repeat([]byte("* 1 EXPUNGE\r\n"), idleLimit/13+2)
	g := newGuard(dial.NewConn(&canned{in: bytes.NewReader(flood)}, time.Minute), nil)
	_, err := io.Copy(io.Discard, g)
	if e, ok := errors.AsType[*ingest.Error](err); !ok || e.Reason != ingest.ReasonLimit {
		t.Errorf("got %v", err)
	}
}

func TestSinkKeepsTheLowest(t *testing.T) {
	s := newSink()
	s.lo, s.hi, s.keep = 1, 1_000_000, 10
	for n := uint64(1_000_000); n > 0; n-- {
		s.found(n)
	}
	uids, more := s.listed()
	if len(uids) != 10 || uids[0] != 1 || uids[9] != 10 || !more {
		t.Errorf("got %v, more %v", uids, more)
	}
	if cap(s.uids) > 1024 {
		t.Errorf("room for %d UIDs", cap(s.uids))
	}
}
