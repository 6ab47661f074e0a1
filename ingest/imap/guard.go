package imap

import (
	"bufio"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// The limits on what a server may send. Octets of message bodies that were asked for count towards none of them; their
// own limit is the mailbox's.
const (
	maxLine   = 64 << 10 // octets of one response outside literals and SEARCH numbers
	maxDepth  = 16       // parentheses within parentheses
	maxVolume = 8 << 20  // octets of responses per flight of commands, …
	perRef    = 4 << 10  // … and this much more for every message that they are about
	idleLimit = 1 << 20  // octets between two commands
)

// guard stands between the connection and go-imap. Its Read is called by go-imap's reader goroutine alone: it reads
// one response after the other, hands message data and mailbox status to the sink of the running command, and passes
// on to go-imap continuation requests and tagged results in their bare form.
type guard struct {
	*dial.Conn
	br     *bufio.Reader
	out    []byte // for go-imap
	hold   bool   // a continuation request was passed on: the next octets belong behind the client's answer
	line   int    // octets of the response at hand, outside literals
	volume atomic.Int64
	wrote  chan struct{} // signalled by Write; one slot

	login  atomic.Bool // a login runs: its result carries the capabilities, for go-imap would ask for them by itself
	prompt atomic.Bool // SASL LOGIN: continuation requests become prompts that go-imap can decode
	fresh  atomic.Bool // the capabilities were announced since login

	mu      sync.Mutex
	sink    *sink // nil between commands
	left    int   // tagged results that the running commands still owe
	caps    capabilities
	results []result // of the running commands
	bye     *result
}

func newGuard(conn *dial.Conn, caps capabilities) *guard {
	g := &guard{Conn: conn, br: bufio.NewReaderSize(conn, 32<<10), caps: caps, wrote: make(chan struct{}, 1)}
	g.volume.Store(idleLimit)
	g.out = []byte("* OK " + g.announce() + " ready\r\n") // the real greeting was read by hello
	return g
}

// announce tells go-imap what of the server's capabilities changes how it writes commands.
func (g *guard) announce() string {
	text := "[CAPABILITY IMAP4rev1"
	caps := g.capabilities()
	for _, name := range []string{"SASL-IR", "LITERAL+", "LITERAL-"} {
		if caps.has(name) {
			text += " " + name
		}
	}
	return text + "]"
}

// begin makes ready for n commands whose data go to s.
func (g *guard) begin(s *sink, n int) {
	g.volume.Store(maxVolume + s.extra)
	g.mu.Lock()
	defer g.mu.Unlock()
	g.sink, g.left, g.results = s, n, nil
}

// Write passes on and lets the reader go on after a continuation request.
func (g *guard) Write(p []byte) (int, error) {
	n, err := g.Conn.Write(p)
	select {
	case g.wrote <- struct{}{}:
	default:
	}
	return n, err
}

// Read gives go-imap what is meant for it. Every error closes the connection and stays.
func (g *guard) Read(p []byte) (int, error) {
	for len(g.out) == 0 {
		if err := g.await(); err != nil {
			return 0, err
		}
		// go-imap reads on after an error; what is buffered behind a violation must never be looked at.
		if err := g.Err(); err != nil {
			return 0, err
		}
		if err := g.response(); err != nil {
			return 0, g.Fail(err)
		}
	}
	n := copy(p, g.out)
	g.out = g.out[n:]
	return n, nil
}

// await holds the reader after a continuation request until the client has answered. A result that a server sends
// without waiting for the answer would otherwise overtake go-imap's next step of a SASL exchange, which then waits for
// ever.
func (g *guard) await() error {
	if !g.hold {
		return nil
	}
	g.hold = false
	select {
	case <-g.wrote:
		return nil
	case <-g.Done():
		return g.Err()
	}
}

// response reads one response (RFC 9051 §7).
func (g *guard) response() error {
	g.line = 0
	c, err := g.byte()
	if err != nil {
		return err
	}
	switch c {
	case '+':
		if _, err := g.rest(); err != nil {
			return err
		}
		select { // what was written before does not answer this
		case <-g.wrote:
		default:
		}
		g.hold = true
		g.out = []byte("+\r\n")
		if g.prompt.Load() {
			g.out = []byte("+ Pg==\r\n")
		}
		return nil
	case '*':
		if c, err = g.byte(); err == nil && c != ' ' {
			return violation("an untagged response without a space")
		}
		if err != nil {
			return err
		}
		return g.untagged()
	}
	return g.tagged(c)
}

// tagged reads the result of a command. Its text stays here; go-imap, which parses some response codes strictly, gets
// the status alone.
func (g *guard) tagged(first byte) error {
	line, err := g.rest()
	if err != nil {
		return err
	}
	tag, rest, _ := strings.Cut(string(first)+line, " ")
	status, text, _ := strings.Cut(rest, " ")
	r := parseResult(status, text)
	number, ours := strings.CutPrefix(tag, "T")
	if _, err := strconv.ParseUint(number, 10, 63); !ours || err != nil {
		return violation(fmt.Sprintf("a line that is no response: %.60q", string(first)+line))
	}
	if r.status != "OK" && r.status != "NO" && r.status != "BAD" {
		return violation(fmt.Sprintf("a result that is neither OK, NO nor BAD: %.60q", rest))
	}
	g.mu.Lock()
	if g.left == 0 {
		g.mu.Unlock()
		return violation("a result for a command that was not sent")
	}
	g.results = append(g.results, r)
	if g.left--; g.left == 0 {
		g.sink = nil
		g.volume.Store(idleLimit)
	}
	g.note(r)
	g.mu.Unlock()
	switch {
	case r.status == "OK" && g.login.Load():
		g.out = []byte(tag + " OK " + g.announce() + " done\r\n")
	default:
		g.out = []byte(tag + " " + r.status + " done\r\n")
	}
	return nil
}

// note keeps announced capabilities. g.mu is held.
func (g *guard) note(r result) {
	if caps := r.capabilities(); caps != nil {
		g.caps = caps
		g.fresh.Store(true)
	}
}

// untagged reads what follows "* ". Responses of a kind that does not matter here are skipped, whatever they are.
func (g *guard) untagged() error {
	word, err := g.word()
	if err != nil {
		return err
	}
	s := g.current()
	if number, err := strconv.ParseUint(word, 10, 32); err == nil {
		if word, err = g.word(); err != nil {
			return err
		}
		switch strings.ToUpper(word) {
		case "FETCH":
			return (&fetched{guard: g, sink: s, seq: uint32(number)}).read()
		case "EXISTS":
			s.exists(uint32(number))
		}
		return g.skipLine()
	}
	switch strings.ToUpper(word) {
	case "SEARCH":
		return g.search(s)
	case "OK", "NO", "BAD", "BYE", "PREAUTH":
		text, err := g.rest()
		if err != nil {
			return err
		}
		r := parseResult(word, text)
		s.status(r)
		g.mu.Lock()
		defer g.mu.Unlock()
		g.note(r)
		if r.status == "BYE" {
			g.bye = &r
		}
		return nil
	case "CAPABILITY":
		text, err := g.rest()
		if err != nil {
			return err
		}
		g.mu.Lock()
		defer g.mu.Unlock()
		g.caps = parseCapabilities(text)
		g.fresh.Store(true)
		return nil
	}
	return g.skipLine()
}

// search reads the numbers of a SEARCH response (RFC 9051 §7.3.4, RFC 3501 §7.2.5). The line may be long: what the
// sink does not want is forgotten at once.
func (g *guard) search(s *sink) error {
	var n uint64
	digits := false
	for {
		c, err := g.br.ReadByte()
		if err != nil {
			return ended(err)
		}
		if g.volume.Add(-1) < 0 {
			return limitError("", "a listing of too many octets")
		}
		if c >= '0' && c <= '9' {
			if n = n*10 + uint64(c-'0'); n > 1<<32 {
				n = 1 << 32 // no UID, and never becomes one
			}
			digits = true
			continue
		}
		if digits {
			s.found(n)
		}
		n, digits = 0, false
		switch c {
		case '\n':
			return nil
		case '(': // (MODSEQ n), RFC 7162 §3.1.5
			return g.skipLine()
		}
	}
}

// current is the sink of the running command, nil between commands; sinks accept calls on nil.
func (g *guard) current() *sink {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.sink
}

func (g *guard) capabilities() capabilities {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.caps
}

// lastResult is the last refusal among the results of the commands that ran last, or the last result.
func (g *guard) lastResult() result {
	g.mu.Lock()
	defer g.mu.Unlock()
	var last result
	for _, r := range g.results {
		if r.status != "OK" || last.status == "" || last.status == "OK" {
			last = r
		}
	}
	return last
}

// finalResult is the last result of the commands that ran last.
func (g *guard) finalResult() result {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.results) == 0 {
		return result{}
	}
	return g.results[len(g.results)-1]
}

// farewell is what the server said in BYE, nil if it said none.
func (g *guard) farewell() *result {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.bye
}

// The deadlines of go-imap include the time that this program takes for a message; those of dial.Conn hold instead.

// SetDeadline does nothing.
func (g *guard) SetDeadline(time.Time) error { return nil }

func violation(what string) *ingest.Error {
	return &ingest.Error{Kind: ingest.KindProtocol, Reason: ingest.ReasonProtocol, Err: errors.New(what)}
}
