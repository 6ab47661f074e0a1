package imap

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// maxDrain is how many octets beyond the limit are read and thrown away to keep a connection; more closes it.
const maxDrain = 64 << 20

// fetched reads one FETCH response (RFC 9051 §7.5.2) and gives the sink what it holds. Items may come in any order,
// spread over several responses, with unknown ones between them.
type fetched struct {
	guard     *guard
	sink      *sink
	seq       uint32
	uid       uint32 // 0 until seen
	entry     attributes
	delivered bool // a body was handed over, or refused: further ones are skipped
}

// attributes are the small items of a message.
type attributes struct {
	seq      uint32
	size     int64 // RFC822.SIZE, -1 until seen
	received time.Time
	flags    bool // FLAGS seen
	deleted  bool
}

// read reads from the parenthesis to the end of the response.
func (f *fetched) read() error {
	f.entry = attributes{seq: f.seq, size: -1}
	c, err := f.guard.byte()
	for err == nil && c == ' ' {
		c, err = f.guard.byte()
	}
	if err != nil {
		return err
	}
	if c != '(' {
		return violation("FETCH without a list")
	}
	return f.items()
}

// items reads items up to the end of the response. When a body is handed over, its reader calls items for what is
// behind it.
func (f *fetched) items() error {
	for {
		name, end, err := f.name()
		if err != nil {
			return err
		}
		if end {
			return f.end()
		}
		switch name {
		case "UID":
			err = f.setUID()
		case "RFC822.SIZE":
			var text string
			if text, err = f.guard.short(); err == nil {
				if n, bad := strconv.ParseInt(text, 10, 64); bad == nil && n >= 0 {
					f.entry.size = n
				}
			}
		case "INTERNALDATE":
			var text string
			if text, err = f.guard.short(); err == nil {
				f.entry.received = parseDate(text)
			}
		case "FLAGS":
			f.entry.flags = true
			err = f.guard.value(func(atom string) {
				if strings.EqualFold(atom, `\Deleted`) {
					f.entry.deleted = true
				}
			})
		case "BODY[]":
			var done bool
			if done, err = f.body(); done {
				return err
			}
		default:
			err = f.guard.value(nil)
		}
		if err != nil {
			return err
		}
	}
}

// name reads the name of the next item, in upper case, with its section: BODY[HEADER.FIELDS (DATE)]<0>.
func (f *fetched) name() (name string, end bool, err error) {
	var b []byte
	section := false
	for {
		c, err := f.guard.byte()
		if err != nil {
			return "", false, err
		}
		switch {
		case c == '\n':
			return "", false, violation("a FETCH response that ends in the middle")
		case c == '[':
			section = true
		case c == ']':
			section = false
		case section:
		case c == ' ' && len(b) == 0:
			continue
		case c == ' ':
			return strings.ToUpper(string(b)), false, nil
		case c == ')' && len(b) == 0:
			return "", true, nil
		case c == '(', c == ')', c == '"', c == '{':
			return "", false, violation(fmt.Sprintf("%q where the name of an item belongs", c))
		}
		if len(b) < 1024 {
			b = append(b, c)
		}
	}
}

func (f *fetched) setUID() error {
	text, err := f.guard.short()
	if err != nil {
		return err
	}
	n, bad := strconv.ParseUint(text, 10, 32)
	if bad != nil || n == 0 {
		return violation(fmt.Sprintf("%.20q is no UID", text))
	}
	if f.uid != 0 && f.uid != uint32(n) {
		return violation("a FETCH response with two UIDs")
	}
	f.uid = uint32(n)
	return nil
}

// end finishes the response behind the closing parenthesis.
func (f *fetched) end() error {
	for {
		c, err := f.guard.byte()
		if err != nil {
			return err
		}
		switch c {
		case ' ', '\r':
			continue
		case '\n':
			f.sink.attributes(f.uid, f.entry)
			return nil
		}
		return violation("octets behind a FETCH response")
	}
}

// body reads the value of BODY[]. It reports done when it has handed the message over, in which case the rest of the
// response has been read as well.
func (f *fetched) body() (done bool, err error) {
	g := f.guard
	c, err := g.byte()
	for err == nil && (c == ' ' || c == '~') {
		c, err = g.byte()
	}
	if err != nil {
		return false, err
	}
	switch c {
	case '{':
		n, err := g.literal()
		if err != nil {
			return false, err
		}
		if f.delivered || n == 0 || !f.sink.wants(f.uid) {
			return false, g.skipBody(n, f.sink)
		}
		f.delivered = true
		if n > f.sink.maxMessage {
			f.sink.tooLarge(f.uid, n)
			if n > f.sink.maxMessage+maxDrain {
				return false, errTooLarge(n, f.sink.maxMessage)
			}
			return false, g.drop(n)
		}
		return true, f.sink.hand(&arrival{fetched: f, src: g.br, left: n, size: n})
	case '"':
		text, err := g.quoted()
		if err != nil {
			return false, err
		}
		if f.delivered || text == "" || !f.sink.wants(f.uid) {
			return false, nil
		}
		f.delivered = true
		n := int64(len(text))
		return true, f.sink.hand(&arrival{fetched: f, src: &quotedBody{strings.NewReader(text)}, left: n, size: n})
	}
	g.unread()
	return false, g.value(nil) // NIL, or whatever it is
}

// quotedBody is a body that came as a quoted string.
type quotedBody struct{ io.Reader }

// arrival is a message on its way to the caller of Fetch. Read is called by the caller's goroutine while the reader
// goroutine waits.
type arrival struct {
	fetched *fetched
	src     io.Reader
	left    int64
	size    int64
	ended   error         // what Read returns from now on
	ack     chan struct{} // closed when the caller is through
}

// Read yields the body. It ends in io.EOF only if all announced octets came, the response behind them is sound, and
// its UID is one that was asked for.
func (a *arrival) Read(p []byte) (int, error) {
	if a.ended != nil {
		return 0, a.ended
	}
	if a.left > 0 {
		if int64(len(p)) > a.left {
			p = p[:a.left]
		}
		n, err := a.src.Read(p)
		a.left -= int64(n)
		if err != nil {
			a.ended = ended(a.fetched.guard.Fail(ended(err)))
			return n, a.ended
		}
		return n, nil
	}
	a.ended = a.finish()
	return 0, a.ended
}

func (a *arrival) finish() error {
	f := a.fetched
	if err := f.items(); err != nil {
		return ended(f.guard.Fail(err))
	}
	if !f.sink.complete(f.uid) {
		return violation("a message without the UID that was asked for")
	}
	return io.EOF
}

// drain reads what the caller left over.
func (a *arrival) drain() {
	buf := make([]byte, 0)
	if a.ended == nil {
		buf = make([]byte, 32<<10)
	}
	for a.ended == nil {
		_, _ = a.Read(buf) // the error is kept in a.ended
	}
}

func parseDate(text string) time.Time {
	t, err := time.Parse("2-Jan-2006 15:04:05 -0700", strings.TrimSpace(text))
	if err != nil {
		return time.Time{}
	}
	return t
}
