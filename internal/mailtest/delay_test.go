package mailtest

import (
	"bytes"
	"io"
	"net"
	"testing"
	"time"
)

func TestDelayProxy(t *testing.T) {
	t.Parallel()
	const oneWay = 20 * time.Millisecond
	echo, err := RunRaw("", func(c net.Conn) {
		_, _ = io.Copy(c, c)
		_ = c.(*net.TCPConn).CloseWrite()
	})
	if err != nil {
		t.Fatal(err)
	}
	defer echo.Close()
	p, err := RunDelayProxy(echo.Addr(), oneWay)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	begin := time.Now() // before the proxy can count
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))

	ping := func(n int) time.Duration {
		t.Helper()
		sent := time.Now()
		if _, err := c.Write(bytes.Repeat([]byte{'x'}, n)); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, n)); err != nil {
			t.Fatal(err)
		}
		return time.Since(sent)
	}
	// The first word also waits for the handshake of a real line: two round trips in all.
	if ping(1); time.Since(begin) < 4*oneWay {
		t.Errorf("first answer after %v, want at least %v", time.Since(begin), 4*oneWay)
	}
	if d := ping(1); d < 2*oneWay {
		t.Errorf("round trip %v, want at least %v", d, 2*oneWay)
	}
	// A delay that limited bandwidth to a piece a trip would take more than ten seconds for this.
	sent := time.Now()
	const size = 16 << 20
	go func() { _, _ = c.Write(make([]byte, size)) }()
	if _, err := io.ReadFull(c, make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(sent); d > 5*time.Second {
		t.Errorf("16 MiB took %v", d)
	}
	t.Logf("16 MiB through %v: %v", 2*oneWay, time.Since(sent))

	// The end of one direction arrives as such, behind the data.
	if _, err := c.Write([]byte("last")); err != nil {
		t.Fatal(err)
	}
	_ = c.(*net.TCPConn).CloseWrite()
	if rest, err := io.ReadAll(c); err != nil || string(rest) != "last" {
		t.Errorf("got %q, %v", rest, err)
	}

	d, err := net.Dial("tcp", p.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if _, err := d.Write([]byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(d, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	p.Cut()
	if _, err := d.Read(make([]byte, 1)); err == nil {
		t.Error("the connection survived Cut")
	}
}

func TestDelayProxyWithoutServer(t *testing.T) {
	t.Parallel()
	gone, err := RunRaw("", Silent)
	if err != nil {
		t.Fatal(err)
	}
	gone.Close()
	p, err := RunDelayProxy(gone.Addr(), time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	c, err := net.Dial("tcp", p.Addr())
	if err != nil {
		return // broken so fast that even the dial noticed
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("an answer from nobody")
	}
}
