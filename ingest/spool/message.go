package spool

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync"

	"github.com/mailintake/mailintake/ingest"
)

// message is a finished spool. It implements ingest.Octets and may be used by several goroutines.
type message struct {
	pool     *Pool
	size     int64
	digest   ingest.Digest
	content  ingest.Digest
	segments []*segment
	file     *os.File
	path     string
	booked   int64

	mu     sync.Mutex
	refs   int // readers, plus one until Close
	closed bool
}

var _ ingest.Octets = (*message)(nil)

func (m *message) Size() int64            { return m.size }
func (m *message) SHA256() ingest.Digest  { return m.digest }
func (m *message) Content() ingest.Digest { return m.content }

// Open gives a reader from the first octet. Readers are independent of each other and outlive Close: memory and disk
// are freed when the last of them is closed. After Close it returns an error that is fs.ErrClosed.
func (m *message) Open() (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil, fmt.Errorf("spool: open: %w", fs.ErrClosed)
	}
	m.refs++
	if m.file != nil {
		return &fileReader{SectionReader: io.NewSectionReader(m.file, 0, m.size), message: m}, nil
	}
	return &memoryReader{message: m}, nil
}

// Close frees memory and disk as soon as no reader is open. Closing twice is harmless.
func (m *message) Close() error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.closed {
		return nil
	}
	m.closed = true
	return m.drop()
}

// drop gives up one reference; mu is held.
func (m *message) drop() error {
	if m.refs--; m.refs > 0 {
		return nil
	}
	m.pool.giveBack(m.segments)
	m.segments = nil
	if m.file == nil {
		return nil
	}
	m.pool.disk.Add(-m.booked)
	err := removeFile(m.file, m.path)
	m.file = nil
	return err
}

// memoryReader reads a message that is in memory.
type memoryReader struct {
	message *message
	offset  int64
	closed  bool
}

// rest is the unread part of the segment that offset lies in.
func (r *memoryReader) rest() []byte {
	if r.closed || r.offset >= r.message.size {
		return nil
	}
	at := r.offset % segmentSize
	return r.message.segments[r.offset/segmentSize][at:min(segmentSize, at+r.message.size-r.offset)]
}

func (r *memoryReader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, fs.ErrClosed
	}
	rest := r.rest()
	if len(rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, rest)
	r.offset += int64(n)
	return n, nil
}

// WriteTo spares io.Copy its buffer.
func (r *memoryReader) WriteTo(w io.Writer) (int64, error) {
	if r.closed {
		return 0, fs.ErrClosed
	}
	var total int64
	for {
		rest := r.rest()
		if len(rest) == 0 {
			return total, nil
		}
		n, err := w.Write(rest)
		r.offset += int64(n)
		total += int64(n)
		if err != nil {
			return total, err
		}
	}
}

func (r *memoryReader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.message.mu.Lock()
	defer r.message.mu.Unlock()
	return r.message.drop()
}

// fileReader reads a message that is in a temporary file.
type fileReader struct {
	*io.SectionReader
	message *message
	closed  bool
}

// Read fails after Close, when the file may be gone.
func (r *fileReader) Read(p []byte) (int, error) {
	if r.closed {
		return 0, fs.ErrClosed
	}
	return r.SectionReader.Read(p)
}

func (r *fileReader) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	r.message.mu.Lock()
	defer r.message.mu.Unlock()
	return r.message.drop()
}
