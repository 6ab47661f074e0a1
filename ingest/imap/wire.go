package imap

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// byte reads one octet outside literals.
func (g *guard) byte() (byte, error) {
	c, err := g.br.ReadByte()
	if err != nil {
		return 0, ended(err)
	}
	if g.line++; g.line > maxLine {
		return 0, limitError("", fmt.Sprintf("a response of more than %d octets", maxLine))
	}
	if g.volume.Add(-1) < 0 {
		return 0, limitError("", "an answer of too many octets")
	}
	return c, nil
}

// unread takes back the octet that byte gave last.
func (g *guard) unread() {
	if err := g.br.UnreadByte(); err != nil {
		panic(err) // called after byte only
	}
	g.line--
	g.volume.Add(1)
}

// word skips spaces and reads up to the next one, which it takes, or the line end or parenthesis, which it leaves. A
// longer word than any keyword is cut.
func (g *guard) word() (string, error) {
	var w []byte
	for {
		c, err := g.byte()
		if err != nil {
			return "", err
		}
		switch c {
		case ' ':
			if len(w) == 0 {
				continue
			}
			return string(w), nil
		case '\r', '\n', '(':
			g.unread()
			return string(w), nil
		}
		if len(w) < 64 {
			w = append(w, c)
		}
	}
}

// rest reads the rest of a line, without CRLF. Bare LF ends a line too. QUIRK: some servers forget the CR, RFC 9051 §2.2.
func (g *guard) rest() (string, error) {
	var b []byte
	for {
		c, err := g.byte()
		if err != nil {
			return "", err
		}
		if c == '\n' {
			return strings.TrimSuffix(string(b), "\r"), nil
		}
		b = append(b, c)
	}
}

// skipLine skips the rest of a response that is not understood, with the literals in it.
func (g *guard) skipLine() error {
	tail := make([]byte, 0, 24) // "{" 20 digits "+}" CR
	for {
		c, err := g.byte()
		if err != nil {
			return err
		}
		if c != '\n' {
			if len(tail) == cap(tail) {
				tail = append(tail[:0], tail[1:]...)
			}
			tail = append(tail, c)
			continue
		}
		n, ok := literalAt(strings.TrimSuffix(string(tail), "\r"))
		if !ok {
			return nil
		}
		if err := g.skip(n); err != nil {
			return err
		}
		tail = tail[:0]
	}
}

// literalAt is the size of the literal that a line announces at its end.
func literalAt(line string) (int64, bool) {
	i := strings.LastIndexByte(line, '{')
	if i < 0 || !strings.HasSuffix(line, "}") {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSuffix(line[i+1:len(line)-1], "+"), 10, 63)
	return n, err == nil && n >= 0
}

// skip drops n octets of a literal, within the command's volume.
func (g *guard) skip(n int64) error {
	if g.volume.Add(-n) < 0 {
		return limitError("", fmt.Sprintf("a literal of %d octets that was not asked for", n))
	}
	return g.drop(n)
}

func (g *guard) drop(n int64) error {
	_, err := io.CopyN(io.Discard, g.br, n)
	return ended(err)
}

// ended makes the end of the stream an error in the middle of anything.
func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
