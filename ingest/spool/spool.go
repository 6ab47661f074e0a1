package spool

import (
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"os"
	"syscall"

	"github.com/mailintake/mailintake/ingest"
)

// Spool takes the octets of one message. It is used by one goroutine at a time, and ended by Finish or Discard.
//
// The first error is final: it frees all that the spool held, and every later call returns it again.
type Spool struct {
	pool *Pool
	hash hash.Hash // of all octets but tail
	size int64

	// tail holds back the last octets, at most two, from hash: whether a CRLF is the final one is known at Finish only.
	tail    [2]byte
	tailLen int
	probe   [1]byte // for ReadFrom

	segments []*segment // in memory: the message; all full but the last
	last     int        // octets in the last segment
	file     *os.File   // on disk: the message, without what is in buffer
	path     string     // of file, where it could not be unlinked; else empty
	buffer   *segment   // on disk: octets not yet written
	buffered int        // octets in buffer
	booked   int64      // octets of disk booked at the pool

	err   error
	ended bool
}

var (
	errEnded = errors.New("spool: used after Finish or Discard")

	_ io.ReaderFrom = (*Spool)(nil)
)

func newHash() hash.Hash { return sha256.New() }

// Write adds p to the message. It returns an *ingest.Error of kind temporary when the disk is full or fails.
func (s *Spool) Write(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		room, err := s.room()
		if err != nil {
			return n, err
		}
		m := copy(room, p[n:])
		s.take(room[:m])
		n += m
	}
	return n, s.state()
}

// ReadFrom adds all that r gives, reading straight into the spool's memory. Errors of r are returned as they are; the
// octets before them belong to the message.
func (s *Spool) ReadFrom(r io.Reader) (int64, error) {
	var n int64
	for empty := 0; ; {
		if err := s.state(); err != nil {
			return n, err
		}
		// A message of exactly the threshold ends here: no file is made before there is an octet for it.
		room, probing := s.probe[:], s.file == nil && s.size >= s.pool.threshold()
		if !probing {
			var err error
			if room, err = s.room(); err != nil {
				return n, err
			}
		}
		m, err := r.Read(room)
		if !probing {
			s.take(room[:m])
		} else if _, err := s.Write(room[:m]); err != nil {
			return n, err
		}
		n += int64(m)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		if m > 0 {
			empty = 0
		} else if empty++; empty == 100 {
			return n, io.ErrNoProgress
		}
	}
}

// Size is the number of octets so far.
func (s *Spool) Size() int64 { return s.size }

// Finish ends the message. The caller owns the result and must close it.
func (s *Spool) Finish() (ingest.Octets, error) {
	if err := s.state(); err != nil {
		return nil, err
	}
	if err := s.flush(); err != nil {
		return nil, err
	}
	s.ended = true
	m := &message{pool: s.pool, size: s.size, refs: 1}
	tail := s.tail[:s.tailLen]
	if string(tail) == "\r\n" {
		s.hash.Sum(m.content[:0])
		s.hash.Write(tail)
		s.hash.Sum(m.digest[:0])
	} else {
		s.hash.Write(tail)
		s.hash.Sum(m.digest[:0])
		m.content = m.digest
	}
	if s.buffer != nil {
		s.pool.segments.Put(s.buffer)
		s.buffer = nil
	}
	m.segments, m.file, m.path, m.booked = s.segments, s.file, s.path, s.booked
	s.segments, s.file = nil, nil
	return m, nil
}

// Discard ends the spool and frees all it held. It may be called after Finish, where it does nothing, so that it can
// be deferred.
func (s *Spool) Discard() {
	if s.ended {
		return
	}
	s.ended = true
	s.release()
}

func (s *Spool) state() error {
	if s.err != nil {
		return s.err
	}
	if s.ended {
		return errEnded
	}
	return nil
}

// room is memory for at least one more octet.
func (s *Spool) room() ([]byte, error) {
	if err := s.state(); err != nil {
		return nil, err
	}
	if s.file == nil {
		if n := len(s.segments); n > 0 && s.last < segmentSize && s.size < s.pool.threshold() {
			// Never beyond the threshold, so that exactly the longer messages go to disk.
			return s.segments[n-1][s.last:min(segmentSize, int64(s.last)+s.pool.threshold()-s.size)], nil
		}
		if s.size < s.pool.threshold() {
			if seg := s.pool.borrow(); seg != nil {
				s.segments, s.last = append(s.segments, seg), 0
				return seg[:min(segmentSize, s.pool.threshold()-s.size)], nil
			}
		}
		if err := s.spill(); err != nil {
			return nil, err
		}
	}
	if s.buffered == segmentSize {
		if err := s.flush(); err != nil {
			return nil, err
		}
	}
	return s.buffer[s.buffered:], nil
}

// take counts and hashes p, which was put at the beginning of what room gave.
func (s *Spool) take(p []byte) {
	s.size += int64(len(p))
	if s.file == nil {
		s.last += len(p)
	} else {
		s.buffered += len(p)
	}
	if len(p) >= len(s.tail) {
		s.hash.Write(s.tail[:s.tailLen])
		s.hash.Write(p[:len(p)-2])
		s.tailLen = copy(s.tail[:], p[len(p)-2:])
		return
	}
	for _, c := range p {
		if s.tailLen == 2 {
			s.hash.Write(s.tail[:1])
			s.tail[0] = s.tail[1]
			s.tailLen = 1
		}
		s.tail[s.tailLen] = c
		s.tailLen++
	}
}

// spill moves the message from memory to a temporary file.
func (s *Spool) spill() error {
	f, err := os.CreateTemp(s.pool.Dir, "mailintake-*.spool")
	if err != nil {
		return s.fail(err)
	}
	s.file = f
	// A file without a name vanishes with the process, however that ends. Windows refuses; there it goes in release.
	if os.Remove(f.Name()) != nil {
		s.path = f.Name()
	}
	for i, seg := range s.segments {
		n := segmentSize
		if i == len(s.segments)-1 {
			n = s.last
		}
		if err := s.write(seg[:n]); err != nil {
			return err
		}
	}
	s.pool.giveBack(s.segments)
	s.segments, s.last = nil, 0
	s.buffer = s.pool.buffer()
	return nil
}

// flush writes what is buffered to the file; in memory it does nothing.
func (s *Spool) flush() error {
	if s.buffered == 0 {
		return nil
	}
	n := s.buffered
	s.buffered = 0
	return s.write(s.buffer[:n])
}

func (s *Spool) write(p []byte) error {
	if err := s.pool.grow(int64(len(p))); err != nil {
		return s.fail(err)
	}
	s.booked += int64(len(p))
	if _, err := s.file.Write(p); err != nil {
		return s.fail(err)
	}
	return nil
}

// fail makes err final and frees everything.
func (s *Spool) fail(err error) error {
	if _, ok := errors.AsType[*ingest.Error](err); !ok {
		reason := ingest.ReasonInternal
		if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
			reason = ingest.ReasonDiskFull
		}
		err = fail(reason, err)
	}
	s.err = err
	s.release()
	return err
}

func (s *Spool) release() {
	s.pool.giveBack(s.segments)
	s.segments = nil
	if s.buffer != nil {
		s.pool.segments.Put(s.buffer)
		s.buffer = nil
	}
	if s.file != nil {
		_ = removeFile(s.file, s.path) // nobody wants the content any more
		s.file = nil
	}
	s.pool.disk.Add(-s.booked)
	s.booked = 0
}

func removeFile(f *os.File, path string) error {
	err := f.Close()
	if path != "" {
		err = errors.Join(err, os.Remove(path))
	}
	return err
}

func fail(reason ingest.Reason, err error) error {
	hint := "look at the spool directory: it must exist and be writable"
	if reason == ingest.ReasonDiskFull {
		hint = "free space in the spool directory or raise the disk limit; the message stays on the server and is fetched again"
	}
	return &ingest.Error{Op: "spool", Kind: ingest.KindTemporary, Reason: reason, Hint: hint, Err: err}
}
