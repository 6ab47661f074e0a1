package mime

import (
	"io"

	"github.com/mailintake/mailintake/ingest"
)

// Extract writes the decoded octets of the part at path to w while it reads the message; paths are those that Parse
// gives. An attached message is written with its header. found is false where no such part is, and nothing was written
// then. An error is one of w or of r; what was written before it is the beginning of the part.
//
// Memory does not grow with the part.
func Extract(r io.Reader, size int64, path string, o Options, w io.Writer) (part ingest.Part, found bool, err error) {
	p := newParser(o)
	p.copy = &copier{path: path, w: w}
	p.read(r, size)
	if err = p.copy.err; err == nil {
		err = p.failed
	}
	p.finish()
	for _, part := range p.mail.Parts {
		if part.Path == path {
			return part, true, err
		}
	}
	return ingest.Part{}, false, err
}

// copier writes the octets of one part elsewhere. A nil copier is that of all other parts.
type copier struct {
	path    string
	w       io.Writer
	holding bool   // it is open whether the octets are those of the part
	held    []byte // at most maxPreamble and a piece
	err     error  // of w; nothing is written any more
}

// copyOf is the copier for the part at path, nil if nobody wants it.
func (p *parser) copyOf(path string) *copier {
	if p.copy == nil || p.copy.path != path {
		return nil
	}
	p.copy.holding, p.copy.held = false, nil
	return p.copy
}

// hold keeps the octets until release.
func (c *copier) hold() {
	if c != nil {
		c.holding = true
	}
}

// release writes what was held and what follows. Where it is not called, the next copyOf forgets what was held.
func (c *copier) release() {
	if c == nil || !c.holding {
		return
	}
	held := c.held
	c.holding, c.held = false, nil
	c.add(held)
}

func (c *copier) add(p []byte) {
	switch {
	case c.err != nil:
	case c.holding:
		c.held = append(c.held, p...)
	default:
		_, c.err = c.w.Write(p)
	}
}
