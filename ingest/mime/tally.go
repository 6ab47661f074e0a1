package mime

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
)

// tally counts and hashes octets. It holds back a line end at the end, which belongs to the boundary if one follows.
type tally struct {
	hash hash.Hash
	size int64
	held [2]byte
	n    int
	copy *copier // takes the octets as well, nil for most parts
}

func newTally() *tally { return &tally{hash: sha256.New()} }

func (t *tally) reset() {
	t.hash.Reset()
	t.size, t.n, t.copy = 0, 0, nil
}

func (t *tally) add(p []byte) {
	t.hash.Write(p)
	t.size += int64(len(p))
	if t.copy != nil {
		t.copy.add(p)
	}
}

func (t *tally) release() {
	if t.n > 0 {
		t.add(t.held[:t.n])
		t.n = 0
	}
}

func (t *tally) write(p []byte) {
	if len(p) == 0 {
		return
	}
	if t.n == 1 && t.held[0] == '\r' && p[0] == '\n' && len(p) == 1 {
		t.held[1], t.n = '\n', 2
		return
	}
	t.release()
	n := len(p)
	switch {
	case n > 1 && p[n-2] == '\r' && p[n-1] == '\n':
		n -= 2
	case p[n-1] == '\n' || p[n-1] == '\r':
		n--
	}
	t.add(p[:n])
	t.n = copy(t.held[:], p[n:])
}

// finish gives size and hash in hexadecimal.
func (t *tally) finish(atBoundary bool) (int64, string) {
	if !atBoundary {
		t.release()
	}
	var sum [sha256.Size]byte
	return t.size, hex.EncodeToString(t.hash.Sum(sum[:0]))
}
