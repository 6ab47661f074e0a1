package pop3

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

// errBodyTooLarge ends a body that goes beyond its limit; the rest of it is still on its way.
var errBodyTooLarge = errors.New("longer than the limit")

// body streams one answer of many lines (RFC 1939 §3) octet for octet: dots that were put in are taken out, nothing
// else changes. A line ends in CRLF alone and only CRLF . CRLF ends the body, so that bare CR and LF pass through and
// a dot between two bare LFs is content.
type body struct {
	r     *bufio.Reader
	left  int64        // octets that may still come; below zero there is no limit
	onEnd func() error // asked before io.EOF is reported; an error takes its place. May be nil
	bol   bool         // at the beginning of a line
	rest  []byte       // of a chunk that Read has not handed out, within the buffer of r
	err   error        // io.EOF or what went wrong; sticks
	ended bool         // the terminator was read: err is the orderly end. Asked instead of err, as causes may wrap io.EOF
}

func newBody(r *bufio.Reader, limit int64, onEnd func() error) *body {
	return &body{r: r, left: limit, onEnd: onEnd, bol: true}
}

// Read reports io.EOF only when the terminator was read, never for the end of the connection.
func (b *body) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(b.rest) == 0 {
		chunk, err := b.chunk()
		if err != nil {
			return 0, err
		}
		b.rest = chunk
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// WriteTo spares io.Copy the buffer between.
func (b *body) WriteTo(w io.Writer) (int64, error) {
	var total int64
	for {
		chunk := b.rest
		b.rest = nil
		if len(chunk) == 0 {
			var err error
			if chunk, err = b.chunk(); b.ended {
				return total, nil
			} else if err != nil {
				return total, err
			}
		}
		n, err := w.Write(chunk)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

// chunk gives the next octets, valid until the next call, at least one of them unless there is an error.
func (b *body) chunk() ([]byte, error) {
	if b.err != nil {
		return nil, b.err
	}
	chunk, err := b.scan()
	if err == nil && b.left >= 0 {
		if int64(len(chunk)) > b.left {
			err = errBodyTooLarge
		}
		b.left -= int64(len(chunk))
	}
	if err != nil {
		b.err = err
		return nil, err
	}
	return chunk, nil
}

// scan takes out of the buffer what can be told to be content.
func (b *body) scan() ([]byte, error) {
	have, err := b.peek(1)
	if err != nil {
		return nil, err
	}
	if b.bol && have[0] == '.' {
		// At least two more octets follow any dot here: the terminator is three octets long, content ends with one.
		if have, err = b.peek(3); err != nil {
			return nil, err
		}
		if have[1] == '\r' && have[2] == '\n' {
			_, _ = b.r.Discard(3) // it is buffered
			if b.onEnd != nil {
				if err := b.onEnd(); err != nil {
					return nil, err
				}
			}
			b.ended = true
			return nil, io.EOF
		}
		_, _ = b.r.Discard(1)
		have = have[1:]
	}
	b.bol = false
	if i := bytes.Index(have, []byte("\r\n.")); i >= 0 {
		b.bol = true
		return b.take(have[:i+2]), nil
	}
	if bytes.HasSuffix(have, []byte("\r\n")) {
		b.bol = true
		return b.take(have), nil
	}
	if have[len(have)-1] != '\r' {
		return b.take(have), nil
	}
	// The CR may be the first half of a line end that is cut by the end of the buffer: leave it there.
	if len(have) > 1 {
		return b.take(have[:len(have)-1]), nil
	}
	if have, err = b.peek(2); err != nil {
		return nil, err
	}
	if have[1] == '\n' {
		b.bol = true
		return b.take(have[:2]), nil
	}
	return b.take(have[:1]), nil
}

// peek is everything that is buffered, at least n octets of it.
func (b *body) peek(n int) ([]byte, error) {
	have, err := b.r.Peek(max(n, b.r.Buffered()))
	if err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return have, err
}

func (b *body) take(content []byte) []byte {
	_, _ = b.r.Discard(len(content))
	return content
}

// eachLine calls f for every line of the body, without its line end. A line longer than limit comes cut to it.
// Lines are valid during the call only.
func (b *body) eachLine(limit int, f func(line []byte, cut bool) error) error {
	var line []byte
	cut := false
	add := func(p []byte) {
		room := min(limit-len(line), len(p))
		line, cut = append(line, p[:room]...), cut || room < len(p)
	}
	flush := func() error {
		err := f(bytes.TrimSuffix(line, []byte("\r")), cut)
		line, cut = line[:0], false
		return err
	}
	for {
		chunk, err := b.chunk()
		if b.ended {
			if len(line) > 0 {
				return flush()
			}
			return nil
		}
		if err != nil {
			return err
		}
		for {
			i := bytes.IndexByte(chunk, '\n')
			if i < 0 {
				add(chunk)
				break
			}
			add(chunk[:i])
			if err := flush(); err != nil {
				return err
			}
			chunk = chunk[i+1:]
		}
	}
}
