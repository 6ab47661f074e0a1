package auth

import (
	"container/list"
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// Cache is a Resolver that remembers answers, so that the copies of a newsletter ask for its key once. Lookups of the
// same name wait for one another. It is safe for concurrent use.
type Cache struct {
	resolver Resolver

	mu     sync.Mutex
	known  map[string]*list.Element // of answer
	order  *list.List               // of *answer, most recently used first
	closed bool
	wait   sync.WaitGroup // lookups under way
}

// The limits of a Cache. An answer is at most maxAnswer octets, so that it holds a few MiB.
const (
	maxAnswers    = 2000
	maxAnswer     = 16 << 10         // octets of all records of a name
	answerTTL     = 5 * time.Minute  // of records, and of the answer that there are none
	failureTTL    = 30 * time.Second // of any other error: a server that is down is not asked for each message
	lookupTimeout = 5 * time.Second
)

// answer is what a name came to. done is closed when the rest is known.
type answer struct {
	name    string
	done    chan struct{}
	cancel  context.CancelFunc
	records []string
	err     error
	until   time.Time // zero while the lookup is under way
}

var errClosed = errors.New("auth: the cache is closed")

// NewCache makes a Cache in front of a resolver. Close it.
func NewCache(r Resolver) *Cache {
	return &Cache{resolver: r, known: map[string]*list.Element{}, order: list.New()}
}

// Close ends the lookups under way and waits for them. Lookups after it fail. Closing twice is harmless.
func (c *Cache) Close() error {
	c.mu.Lock()
	c.closed = true
	for e := c.order.Front(); e != nil; e = e.Next() {
		e.Value.(*answer).cancel()
	}
	c.mu.Unlock()
	c.wait.Wait()
	return nil
}

// LookupTXT gives the records of a name. It ends with ctx; the lookup itself goes on for others who wait for it.
func (c *Cache) LookupTXT(ctx context.Context, name string) ([]string, error) {
	c.mu.Lock()
	a, err := c.find(ctx, name)
	c.mu.Unlock()
	if err != nil {
		return nil, err
	}
	select {
	case <-a.done:
		return a.records, a.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// find gives the answer for a name, which may still be under way, and begins a lookup where there is none. The caller
// holds mu.
func (c *Cache) find(ctx context.Context, name string) (*answer, error) {
	if c.closed {
		return nil, errClosed
	}
	if e := c.known[name]; e != nil {
		a := e.Value.(*answer)
		if a.until.IsZero() || time.Now().Before(a.until) {
			c.order.MoveToFront(e)
			return a, nil
		}
		c.forget(e)
	}
	for e := c.order.Back(); e != nil && c.order.Len() >= maxAnswers; {
		before := e.Prev()
		if !e.Value.(*answer).until.IsZero() { // one under way belongs to those who wait for it
			c.forget(e)
		}
		e = before
	}
	if c.order.Len() >= maxAnswers {
		return nil, &net.DNSError{Err: "too many lookups at a time", Name: name, IsTemporary: true}
	}
	// Whoever asked first may go; the others still wait.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
	a := &answer{name: name, done: make(chan struct{}), cancel: cancel}
	c.known[name] = c.order.PushFront(a)
	c.wait.Add(1)
	go c.ask(ctx, a)
	return a, nil
}

// ask carries out a lookup.
func (c *Cache) ask(ctx context.Context, a *answer) {
	defer c.wait.Done()
	defer a.cancel()
	records, err := c.resolver.LookupTXT(ctx, a.name)
	size := 0
	for _, r := range records {
		size += len(r)
	}
	if size > maxAnswer {
		records, err = nil, &net.DNSError{Err: "the answer is too long", Name: a.name, IsNotFound: true}
	}
	ttl := answerTTL
	var dns *net.DNSError
	if err != nil && !(errors.As(err, &dns) && dns.IsNotFound) {
		ttl = failureTTL
	}
	c.mu.Lock()
	a.records, a.err, a.until = records, err, time.Now().Add(ttl)
	c.mu.Unlock()
	close(a.done)
}

// forget drops an answer. The caller holds mu.
func (c *Cache) forget(e *list.Element) {
	c.order.Remove(e)
	delete(c.known, e.Value.(*answer).name)
}
