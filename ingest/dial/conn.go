package dial

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// MinRate is the throughput, in octets per second, below which a server's answer is given up; see Conn.
const MinRate = 16 << 10

// ErrSlow ends a command whose answer comes too slowly, and ErrClosed is what reads and writes return after Close.
var (
	ErrSlow   = errors.New("the server answers too slowly")
	ErrClosed = net.ErrClosed
)

// Conn is a connection to a mail server that cannot hang. A protocol library may sit on top of it.
//
// Between Begin and its end, which frame one command, a read or write that moves no octet for the IO timeout fails.
// The time spent waiting in reads is also limited in total, to twice the IO timeout plus one second for every MinRate
// octets received, so that a server that drips octets cannot hold a command for ever; what the caller does between
// reads does not count. When the context of Begin ends, the connection is closed and the cause becomes its error.
// Outside commands a read waits for ever, as the reader goroutine of a library does.
//
// The first error sticks: the connection is closed and every later read and write returns it. The end of the stream is
// io.ErrUnexpectedEOF, never io.EOF, so that nobody takes a cut for the end of a message.
// The deadlines that a library sets are ignored. One reader and one writer may be active at once.
type Conn struct {
	net.Conn           // TLS or TCP
	raw       net.Conn // TCP
	ioTimeout time.Duration
	in, out   atomic.Int64

	done chan struct{} // closed with the first error

	mu     sync.Mutex
	err    error
	active bool
	credit time.Duration // how long reads of this command may still wait
	since  time.Time     // when the command began
}

// NewConn wraps any connection; the dialler does so itself. ioTimeout 0 means DefaultIOTimeout.
func NewConn(conn net.Conn, ioTimeout time.Duration) *Conn {
	if ioTimeout == 0 {
		ioTimeout = DefaultIOTimeout
	}
	return newConn(conn, conn, ioTimeout)
}

func newConn(conn, raw net.Conn, ioTimeout time.Duration) *Conn {
	return &Conn{Conn: conn, raw: raw, ioTimeout: ioTimeout, done: make(chan struct{})}
}

// Begin starts a command. Its limits and ctx hold until end is called; commands do not nest.
func (c *Conn) Begin(ctx context.Context) (end func()) {
	c.mu.Lock()
	c.active, c.credit, c.since = true, 2*c.ioTimeout, time.Now()
	c.raw.SetReadDeadline(c.since.Add(c.ioTimeout)) // for a read that waits already
	c.mu.Unlock()
	stop := context.AfterFunc(ctx, func() { c.Fail(context.Cause(ctx)) })
	return func() {
		stop()
		c.mu.Lock()
		defer c.mu.Unlock()
		c.active = false
		c.raw.SetReadDeadline(time.Time{})
	}
}

// Read reads under the limits of the command.
func (c *Conn) Read(p []byte) (int, error) {
	start, err := c.beforeRead()
	if err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(p)
	c.in.Add(int64(n))
	if err == nil {
		c.afterRead(start, n)
		return n, nil
	}
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, c.Fail(c.slow(start, err))
}

func (c *Conn) beforeRead() (time.Time, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	if c.err == nil && c.active {
		c.raw.SetReadDeadline(now.Add(min(c.ioTimeout, c.credit)))
	}
	return now, c.err
}

func (c *Conn) afterRead(start time.Time, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spend(start)
	c.credit += time.Duration(n) * time.Second / MinRate
}

// spend takes the time since start, or since the command began if that is later, from the credit.
func (c *Conn) spend(start time.Time) {
	if start.Before(c.since) {
		start = c.since
	}
	c.credit -= time.Since(start)
}

// slow turns a timeout that the credit caused into ErrSlow.
func (c *Conn) slow(start time.Time, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.spend(start)
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() && c.active && c.credit <= 0 {
		return ErrSlow
	}
	return err
}

// Write writes all of p or fails.
func (c *Conn) Write(p []byte) (int, error) {
	if err := c.Err(); err != nil {
		return 0, err
	}
	c.raw.SetWriteDeadline(time.Now().Add(c.ioTimeout))
	n, err := c.Conn.Write(p)
	c.out.Add(int64(n))
	if err != nil {
		return n, c.Fail(err)
	}
	return n, nil
}

// Fail makes err the connection's error, unless it has one already, closes the connection at once and returns the
// connection's error.
func (c *Conn) Fail(err error) error {
	c.mu.Lock()
	if c.err == nil {
		c.err = err
		close(c.done)
	}
	err = c.err
	c.mu.Unlock()
	c.raw.Close() // not the TLS layer, whose farewell could block
	return err
}

// Err is the first error, nil while the connection works.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Done is closed when the connection has failed or was closed.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Close closes the connection; with TLS it says so to the server first. It may be called several times.
func (c *Conn) Close() error {
	c.mu.Lock()
	first := c.err == nil
	if first {
		c.err = ErrClosed
		close(c.done)
	}
	c.mu.Unlock()
	if !first {
		c.raw.Close()
		return nil
	}
	return c.Conn.Close()
}

// Received is the number of octets read so far, without TLS.
func (c *Conn) Received() int64 { return c.in.Load() }

// Sent is the number of octets written so far, without TLS.
func (c *Conn) Sent() int64 { return c.out.Load() }

// IOTimeout is how long a read may go without an octet.
func (c *Conn) IOTimeout() time.Duration { return c.ioTimeout }

// SetDeadline does nothing: the limits of Begin hold.
func (c *Conn) SetDeadline(time.Time) error { return nil }

// SetReadDeadline does nothing: the limits of Begin hold.
func (c *Conn) SetReadDeadline(time.Time) error { return nil }

// SetWriteDeadline does nothing: every write has its own deadline.
func (c *Conn) SetWriteDeadline(time.Time) error { return nil }
