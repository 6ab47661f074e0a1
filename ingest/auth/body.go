package auth

import (
	"context"
	"errors"
	"io"
)

// body reads a message behind its header for the library, which must not see an error: it would take what it has for
// all there is. Whoever uses it looks at err afterwards.
type body struct {
	ctx   context.Context // of one call
	in    io.Reader
	skip  int64 // octets before the body
	blank int   // octets of white space since the last that is none
	err   error
}

// maxBlank is how many octets of white space may stand together. The library keeps lines that may be the empty ones at
// the end, which do not count (RFC 6376 §3.4.3), and copies them for each piece that it reads.
const maxBlank = 64 << 10

var errBlank = errors.New("too many empty lines")

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, io.EOF
	}
	if b.err = b.ctx.Err(); b.err != nil {
		return 0, io.EOF
	}
	if b.skip > 0 {
		if _, err := io.CopyN(io.Discard, b.in, b.skip); err != nil && !errors.Is(err, io.EOF) {
			b.err = err
			return 0, io.EOF
		}
		b.skip = 0
	}
	n, err := b.in.Read(p)
	for _, c := range p[:n] {
		if c != ' ' && c != '\t' && c != '\r' && c != '\n' {
			b.blank = 0
		} else if b.blank++; b.blank > maxBlank {
			b.err = errBlank
			return 0, io.EOF
		}
	}
	if err != nil && err != io.EOF {
		b.err, err = err, io.EOF
	}
	return n, err
}
