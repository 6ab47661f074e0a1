package mailtest

import (
	"errors"
	"fmt"
	"net"
	"sync"
)

// endpoint is a TCP port of a server: it can be closed and opened again under the same number, and it knows its
// connections.
type endpoint struct {
	handle func(net.Conn) // serves one connection and returns when it is over

	mu     sync.Mutex
	addr   string
	ln     net.Listener // nil while down
	closed bool
	conns  map[net.Conn]struct{}
	total  int
	wg     sync.WaitGroup
}

// listenEndpoint opens addr; port 0 takes a free one.
func listenEndpoint(addr string, handle func(net.Conn)) (*endpoint, error) {
	if addr == "" {
		addr = "127.0.0.1:0"
	}
	e := &endpoint{handle: handle, addr: addr, conns: map[net.Conn]struct{}{}}
	if err := e.open(); err != nil {
		return nil, err
	}
	return e, nil
}

func (e *endpoint) open() error {
	ln, err := net.Listen("tcp", e.addr)
	if err != nil {
		return err
	}
	e.ln, e.addr = ln, ln.Addr().String()
	e.wg.Go(func() { e.accept(ln) })
	return nil
}

func (e *endpoint) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return // closed: there is nothing else that a loopback listener can fail with and go on
		}
		e.mu.Lock()
		if e.ln != ln {
			e.mu.Unlock()
			c.Close()
			return
		}
		e.conns[c] = struct{}{}
		e.total++
		e.mu.Unlock()
		e.wg.Go(func() {
			defer func() {
				c.Close()
				e.mu.Lock()
				delete(e.conns, c)
				e.mu.Unlock()
			}()
			e.handle(c)
		})
	}
}

// Addr is host:port of the server.
func (e *endpoint) Addr() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.addr
}

// Host is the address without the port.
func (e *endpoint) Host() string {
	host, _, _ := net.SplitHostPort(e.Addr())
	return host
}

// Port is the number of the port, the same as long as the server lives.
func (e *endpoint) Port() int {
	addr, err := net.ResolveTCPAddr("tcp", e.Addr())
	if err != nil {
		return 0
	}
	return addr.Port
}

// Connections is the number of connections ever accepted.
func (e *endpoint) Connections() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.total
}

// Open is the number of connections that are open now.
func (e *endpoint) Open() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.conns)
}

// Kick cuts all connections without a word. The port stays open.
func (e *endpoint) Kick() {
	e.mu.Lock()
	defer e.mu.Unlock()
	for c := range e.conns {
		abort(c)
	}
}

// SetDown(true) closes the port, so that clients are refused, and cuts all connections. SetDown(false) opens the same
// port again; it fails if somebody else took it meanwhile.
func (e *endpoint) SetDown(down bool) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.closed:
		return errors.New("mailtest: the server is closed")
	case down && e.ln != nil:
		e.ln.Close()
		e.ln = nil
		for c := range e.conns {
			abort(c)
		}
	case !down && e.ln == nil:
		if err := e.open(); err != nil {
			return fmt.Errorf("mailtest: open the port again: %w", err)
		}
	}
	return nil
}

// Close closes the port, cuts all connections and waits until they are served no more.
func (e *endpoint) Close() {
	_ = e.SetDown(true)
	e.mu.Lock()
	e.closed = true
	e.mu.Unlock()
	e.wg.Wait()
}

// abort resets the connection, so that not even data under way arrives.
func abort(c net.Conn) {
	if t, ok := c.(*net.TCPConn); ok {
		_ = t.SetLinger(0)
	}
	c.Close()
}

// RawServer serves a protocol that a test writes itself: a server that never greets, or says something silly.
type RawServer struct{ *endpoint }

// RunRaw listens on addr (empty: a free port of 127.0.0.1) and calls handle for each connection, which is closed when
// handle returns.
func RunRaw(addr string, handle func(net.Conn)) (*RawServer, error) {
	e, err := listenEndpoint(addr, handle)
	if err != nil {
		return nil, fmt.Errorf("mailtest: %w", err)
	}
	return &RawServer{e}, nil
}

// Silent is a handler for RunRaw that reads and never says a word, until the client or the server closes.
func Silent(c net.Conn) {
	buf := make([]byte, 4096)
	for {
		if _, err := c.Read(buf); err != nil {
			return
		}
	}
}
