package relay

import (
	"bytes"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// lockedBuffer is a log that may be read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// A NATS that is away from the start is told in one line, however often the connection is tried.
func TestDialTellsAnOutageOnce(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	tries := make(chan struct{}, 100)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close() // not a NATS server
			tries <- struct{}{}
		}
	}()
	var log lockedBuffer
	nc, err := Dial(DialOptions{URL: "nats://" + l.Addr().String(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		select {
		case <-tries:
		case <-time.After(20 * time.Second):
			t.Fatal("the connection is not tried again")
		}
	}
	nc.Close()
	l.Close()
	if n := strings.Count(log.String(), "NATS cannot be reached"); n != 1 {
		t.Errorf("told %d times, want once:\n%s", n, log.String())
	}
}
