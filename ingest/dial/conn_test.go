package dial

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// pair is a Conn and the server's end of it.
func pair(t *testing.T, ioTimeout time.Duration) (*Conn, net.Conn) {
	t.Helper()
	client, server := net.Pipe()
	t.Cleanup(func() { client.Close(); server.Close() })
	return NewConn(client, ioTimeout), server
}

func TestConnReadTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, time.Minute)
		start := time.Now()
		defer c.Begin(t.Context())()
		_, err := c.Read(make([]byte, 1))
		if !errors.Is(err, os.ErrDeadlineExceeded) || time.Since(start) != time.Minute {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if _, again := c.Read(make([]byte, 1)); !errors.Is(again, err) {
			t.Errorf("the error does not stick: %v", again)
		}
		if _, again := c.Write([]byte("x")); !errors.Is(again, err) {
			t.Errorf("the error does not stick: %v", again)
		}
	})
}

func TestConnWaitingReadIsCoveredByBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, time.Minute)
		failed := make(chan error)
		go func() {
			_, err := c.Read(make([]byte, 1))
			failed <- err
		}()
		time.Sleep(time.Hour) // virtual: outside a command nothing times out
		if c.Err() != nil {
			t.Fatal(c.Err())
		}
		defer c.Begin(t.Context())()
		if err := <-failed; !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error(err)
		}
	})
}

func TestConnNoLimitOutsideCommands(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, server := pair(t, time.Minute)
		end := c.Begin(t.Context())
		end()
		go func() {
			time.Sleep(time.Hour)
			server.Write([]byte("x"))
		}()
		if _, err := c.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
	})
}

func TestConnDrip(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, server := pair(t, time.Minute)
		var dripping sync.WaitGroup
		defer dripping.Wait()
		dripping.Go(func() {
			for {
				if _, err := server.Write([]byte("x")); err != nil {
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
		start := time.Now()
		defer c.Begin(t.Context())()
		_, err := io.Copy(io.Discard, c)
		if !errors.Is(err, ErrSlow) {
			t.Errorf("got %v, want %v", err, ErrSlow)
		}
		if took := time.Since(start); took > 2*time.Minute+time.Second {
			t.Errorf("given up after %v", took)
		}
	})
}

func TestConnDoesNotCountTheCallersTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, server := pair(t, time.Minute)
		go func() {
			for range 10 {
				server.Write([]byte("x"))
			}
		}()
		defer c.Begin(t.Context())()
		for range 10 {
			if _, err := c.Read(make([]byte, 1)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
		}
	})
}

func TestConnContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, _ := pair(t, time.Minute)
		cause := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		defer c.Begin(ctx)()
		go cancel(cause)
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, cause) {
			t.Errorf("got %v, want %v", err, cause)
		}
		<-c.Done()
	})
}

func TestConnEndIsNeverEOF(t *testing.T) {
	c, server := pair(t, time.Minute)
	server.Close()
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		t.Errorf("got %v", err)
	}
}

func TestConnCounts(t *testing.T) {
	c, server := pair(t, time.Minute)
	go func() {
		io.CopyN(io.Discard, server, 3)
		server.Write([]byte("four"))
	}()
	c.Write([]byte("abc"))
	io.ReadFull(c, make([]byte, 4))
	if c.Sent() != 3 || c.Received() != 4 {
		t.Errorf("sent %d, received %d", c.Sent(), c.Received())
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, ErrClosed) {
		t.Errorf("read after Close: %v", err)
	}
}
