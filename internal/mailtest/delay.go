package mailtest

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// DelayProxy is a TCP proxy that makes a server seem far away: everything arrives later, at full bandwidth.
type DelayProxy struct {
	*endpoint
	target string
	oneWay time.Duration

	mu    sync.Mutex
	pairs map[*proxied]struct{}
}

type proxied struct{ client, server net.Conn }

// delayChunk is the largest piece that is read at once, and delayQueue how many may be under way in one direction:
// together 128 MiB, more than 6 GB/s over 20 ms, so that the delay alone is felt.
const (
	delayChunk = 32 << 10
	delayQueue = 4096
)

// RunDelayProxy forwards connections from a free port of 127.0.0.1 to target, each direction delayed by oneWay, half of
// a round trip. Connecting costs the round trip that TCP needs on a real line: the server sees the connection, and
// whatever the client sent at once, after one and a half. The caller closes it.
func RunDelayProxy(target string, oneWay time.Duration) (*DelayProxy, error) {
	p := &DelayProxy{target: target, oneWay: oneWay, pairs: map[*proxied]struct{}{}}
	e, err := listenEndpoint("", p.serve)
	if err != nil {
		return nil, err
	}
	p.endpoint = e
	return p, nil
}

// Cut breaks all connections, on both sides. New ones are welcome; SetDown refuses those too.
func (p *DelayProxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for pair := range p.pairs {
		abort(pair.client)
		abort(pair.server)
	}
}

func (p *DelayProxy) serve(client net.Conn) {
	accepted := time.Now()
	server, err := net.DialTimeout("tcp", p.target, 10*time.Second)
	if err != nil {
		abort(client)
		return
	}
	pair := &proxied{client, server}
	p.mu.Lock()
	p.pairs[pair] = struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.pairs, pair)
		p.mu.Unlock()
		server.Close()
	}()
	// The client believes that it is connected at once, though on a real line it would hear of it after two trips and the
	// server after three.
	lead := accepted.Add(3 * p.oneWay)
	var both sync.WaitGroup
	both.Go(func() { p.carry(server, client, lead) })
	both.Go(func() { p.carry(client, server, lead.Add(p.oneWay)) })
	both.Wait()
}

// carry copies from src to dst, nothing of it before the given time. The end of src arrives late too; a broken
// connection breaks the other one.
func (p *DelayProxy) carry(dst, src net.Conn, notBefore time.Time) {
	type piece struct {
		due time.Time
		buf []byte
		err error
	}
	queue, over := make(chan piece, delayQueue), make(chan struct{})
	var reader sync.WaitGroup
	reader.Go(func() {
		buf := make([]byte, delayChunk)
		for {
			n, err := src.Read(buf)
			due := time.Now().Add(p.oneWay)
			if due.Before(notBefore) {
				due = notBefore
			}
			select {
			case queue <- piece{due, bytes.Clone(buf[:n]), err}:
			case <-over:
				return
			}
			if err != nil {
				return
			}
		}
	})
	for {
		pc := <-queue
		time.Sleep(time.Until(pc.due)) // this is what the proxy is for
		_, err := dst.Write(pc.buf)
		if err == nil && pc.err == nil {
			continue
		}
		if err == nil && errors.Is(pc.err, io.EOF) {
			_ = dst.(*net.TCPConn).CloseWrite()
		} else {
			abort(dst)
			abort(src)
		}
		break
	}
	close(over)
	reader.Wait()
}
