// Package spool holds the octets of one message while it is on its way from the mail server to the database: in memory
// up to a threshold, then in a temporary file. Size, SHA-256 and content digest are computed in the same single pass.
//
// It starts no goroutine and leaves nothing behind: temporary files have no name from the moment they are opened, where
// the operating system allows that.
package spool

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/mailintake/mailintake/ingest"
)

const (
	kib = 1 << 10
	mib = 1 << 20

	// DefaultThreshold is how many octets of one message stay in memory unless Pool.Threshold says otherwise.
	DefaultThreshold = 1 * mib
	// DefaultMemory is how many octets all spools of one pool keep in memory unless Pool.Memory says otherwise.
	DefaultMemory = 64 * mib

	// segmentSize is the unit in which memory is handed out. Most customer mail fits into one; messages grow by adding
	// segments, never by copying.
	segmentSize = 32 * kib
)

type segment [segmentSize]byte

// Pool makes spools and holds what they share: one memory budget, one disk limit and the segments that are free. The
// zero value is ready to use; the fields must not change after the first New. A Pool may be used by many goroutines,
// and a process should have one.
type Pool struct {
	// Dir is where temporary files are made; empty means os.TempDir(). It should be on a disk, not on a tmpfs: what is
	// written there is what does not fit into memory.
	Dir string
	// Threshold is how many octets of one message stay in memory; a longer one goes to disk. Zero means DefaultThreshold.
	Threshold int64
	// Memory is the budget, in octets, of all spools together, counted in segments of 32 KiB. When it is used up,
	// messages go to disk at once; a spool that writes to disk holds one segment beyond the budget until Finish.
	// Zero means DefaultMemory, a negative value no memory at all.
	Memory int64
	// Disk is how many octets all temporary files together may hold; a message that would exceed it fails as if the
	// disk were full. Zero means no limit but the disk's.
	Disk int64

	memory   atomic.Int64 // octets of the budget in use
	disk     atomic.Int64 // octets in temporary files
	segments sync.Pool    // of *segment
}

// New starts a spool. It must be ended by Finish or Discard.
func (p *Pool) New() *Spool {
	return &Spool{pool: p, hash: newHash()}
}

// InUse says how many octets of the memory budget and of disk the pool's spools hold at this moment.
func (p *Pool) InUse() (memory, disk int64) {
	return p.memory.Load(), p.disk.Load()
}

func (p *Pool) threshold() int64 {
	if p.Threshold == 0 {
		return DefaultThreshold
	}
	return p.Threshold
}

func (p *Pool) budget() int64 {
	if p.Memory == 0 {
		return DefaultMemory
	}
	return p.Memory
}

// reserve takes n octets out of counter unless that would exceed limit.
func reserve(counter *atomic.Int64, n, limit int64) bool {
	if counter.Add(n) <= limit {
		return true
	}
	counter.Add(-n)
	return false
}

// borrow gives a segment on the budget, or nil when the budget is used up.
func (p *Pool) borrow() *segment {
	if !reserve(&p.memory, segmentSize, p.budget()) {
		return nil
	}
	return p.buffer()
}

// giveBack returns segments that borrow gave.
func (p *Pool) giveBack(segments []*segment) {
	for _, s := range segments {
		p.segments.Put(s)
	}
	p.memory.Add(-int64(len(segments)) * segmentSize)
}

// buffer gives a segment outside the budget; it goes back to p.segments.
func (p *Pool) buffer() *segment {
	if s, ok := p.segments.Get().(*segment); ok {
		return s
	}
	return new(segment)
}

// grow books n more octets of disk.
func (p *Pool) grow(n int64) error {
	if p.Disk == 0 {
		p.disk.Add(n)
		return nil
	}
	if !reserve(&p.disk, n, p.Disk) {
		return fail(ingest.ReasonDiskFull, fmt.Errorf("all messages under way may use %d octets of disk", p.Disk))
	}
	return nil
}
