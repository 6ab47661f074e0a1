package pop3

import (
	"bufio"
	"bytes"
	"errors"
	"net"
	"strings"

	"github.com/mailintake/mailintake/ingest/dial"
)

const (
	wireBuffer    = 32 << 10 // octets read ahead
	maxStatusLine = 8 << 10  // RFC 2449 §4 allows 512; servers that quote a user name or an address say more
)

// status is the first line of an answer (RFC 1939 §3).
type status struct {
	ok        bool
	challenge bool   // "+ …", the server waits for the rest of a SASL exchange (RFC 5034 §4)
	text      string // what follows +OK or -ERR, with the response code
}

// code is the response code in upper case (RFC 2449 §8), for example "SYS/TEMP"; empty if there is none.
func (s status) code() string {
	if !strings.HasPrefix(s.text, "[") {
		return ""
	}
	code, _, found := strings.Cut(s.text[1:], "]")
	if !found {
		return ""
	}
	return strings.ToUpper(code)
}

// is reports whether the response code is code or lies below it ("SYS/TEMP" lies below "SYS", RFC 2449 §8).
func (s status) is(code string) bool {
	rest, ok := strings.CutPrefix(s.code(), code)
	return ok && (rest == "" || rest[0] == '/')
}

// notStatus is what came where a status line was due. It may be a piece of a message, therefore it prints nothing of it.
type notStatus struct{ line string }

func (*notStatus) Error() string {
	return "the answer begins with neither +OK nor -ERR"
}

var errStatusTooLong = errors.New("status line longer than 8 KiB")

// wire is the connection as go-pop3 sees it. A Read gives at most the one status line that is due, brought into the
// form that go-pop3 knows; so nothing that belongs to a body can end up in the buffer that go-pop3 keeps for itself.
type wire struct {
	*dial.Conn
	r       *bufio.Reader
	pending []byte // the rest of a normalised line
	line    []byte // holds it
	last    status // the latest status line
	err     error  // why no further status line can be read
	sasl    bool   // "+ " is a permissible answer
	eager   bool   // decide by the first octet; off for the greeting, whose whole line people want to see
}

func newWire(c *dial.Conn) *wire {
	return &wire{Conn: c, r: bufio.NewReaderSize(c, wireBuffer)}
}

// Dial makes the wire a dialler of go-pop3: the connection is there already.
func (w *wire) Dial(string, string) (net.Conn, error) { return w, nil }

// upgrade puts the encrypted connection in the place of the clear one. Nothing may be buffered.
func (w *wire) upgrade(c *dial.Conn) {
	w.Conn = c
	w.r.Reset(c)
}

// Read gives go-pop3 the next piece of a status line.
func (w *wire) Read(p []byte) (int, error) {
	if w.err != nil {
		return 0, w.err
	}
	if len(w.pending) == 0 {
		if err := w.next(); err != nil {
			w.err = err
			_ = w.Fail(err)
			return 0, err
		}
	}
	n := copy(p, w.pending)
	w.pending = w.pending[n:]
	return n, nil
}

// next reads one line, checks it and prepares pending and last.
func (w *wire) next() error {
	raw, err := w.readLine()
	if err != nil {
		return err
	}
	line := bytes.TrimRight(raw, "\r\n")
	st, ok := parseStatus(line, w.sasl)
	if !ok {
		return &notStatus{string(line)}
	}
	w.last = st
	prefix := "-ERR "
	if st.ok {
		prefix = "+OK "
	}
	w.line = append(append(append(w.line[:0], prefix...), st.text...), '\r', '\n')
	w.pending = w.line
	_, err = w.r.Discard(len(raw))
	return err
}

// readLine peeks at the octets up to and with the next LF.
func (w *wire) readLine() ([]byte, error) {
	for have := 0; ; {
		b, err := w.r.Peek(max(have+1, w.r.Buffered()))
		if end := bytes.IndexByte(b[have:], '\n'); end >= 0 && have+end < maxStatusLine {
			return b[:have+end+1], nil
		}
		alien := len(b) > 0 && b[0] != '+' && b[0] != '-'
		switch {
		case alien && (err != nil || w.eager || len(b) >= maxStatusLine):
			return nil, &notStatus{string(b[:min(len(b), maxStatusLine)])}
		case err != nil:
			return nil, err
		case len(b) >= maxStatusLine:
			return nil, errStatusTooLong
		}
		have = len(b)
	}
}

// parseStatus reads a status line without its line end. Real servers write the indicator in lower case or part it
// from the text by a tab; an empty line or another word is no status.
func parseStatus(line []byte, sasl bool) (status, bool) {
	indicator, text := line, []byte(nil)
	if i := bytes.IndexAny(line, " \t"); i >= 0 {
		indicator, text = line[:i], bytes.TrimLeft(line[i:], " \t")
	}
	switch {
	case bytes.EqualFold(indicator, []byte("+OK")):
		return status{ok: true, text: string(text)}, true
	case bytes.EqualFold(indicator, []byte("-ERR")):
		return status{text: string(text)}, true
	case sasl && string(indicator) == "+":
		return status{ok: true, challenge: true, text: string(text)}, true
	}
	return status{}, false
}
