package spool

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"testing/iotest"

	"github.com/mailintake/mailintake/ingest"
)

// octets makes n repeatable octets.
func octets(n int) []byte {
	b := make([]byte, n)
	c := rand.NewChaCha8([32]byte{1, byte(n)})
	c.Read(b)
	return b
}

// check reads o twice and compares everything with want.
func check(t *testing.T, o ingest.Octets, want []byte) {
	t.Helper()
	if o.Size() != int64(len(want)) {
		t.Fatalf("size %d, want %d", o.Size(), len(want))
	}
	if got, want := o.SHA256(), ingest.Digest(sha256.Sum256(want)); got != want {
		t.Errorf("digest %x, want %x", got, want)
	}
	if got, want := o.Content(), ingest.Digest(sha256.Sum256(bytes.TrimSuffix(want, []byte("\r\n")))); got != want {
		t.Errorf("content digest %x, want %x", got, want)
	}
	for range 2 {
		r, err := o.Open()
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("read %d octets, which differ: %v", len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Read(make([]byte, 1)); !errors.Is(err, fs.ErrClosed) {
			t.Errorf("read after close: %v", err)
		}
	}
	r, err := o.Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var copied bytes.Buffer
	if _, err := io.Copy(&copied, r); err != nil || !bytes.Equal(copied.Bytes(), want) {
		t.Errorf("copy differs: %v", err)
	}
}

// clean fails the test if the pool holds anything or its directory is not empty.
func clean(t *testing.T, p *Pool) {
	t.Helper()
	if memory, disk := p.InUse(); memory != 0 || disk != 0 {
		t.Errorf("still in use: %d octets of memory, %d of disk", memory, disk)
	}
	files, err := os.ReadDir(p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 0 {
		t.Errorf("left behind: %v", files)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	const threshold = 2*segmentSize + 100
	for _, size := range []int{
		0, 1, 2, 3, segmentSize - 1, segmentSize, segmentSize + 1, 2 * segmentSize,
		threshold - 1, threshold, threshold + 1, threshold + segmentSize, 10*segmentSize + 7,
	} {
		for _, ending := range []string{"", "\r\n", "\r\n\r\n", "\n", "\r"} {
			data := append(octets(size), ending...)
			for name, feed := range map[string]func(*Spool) error{
				"Write":   func(s *Spool) error { _, err := s.Write(data); return err },
				"Reader":  func(s *Spool) error { _, err := s.ReadFrom(bytes.NewReader(data)); return err },
				"Halves":  func(s *Spool) error { _, err := s.ReadFrom(iotest.HalfReader(bytes.NewReader(data))); return err },
				"DataErr": func(s *Spool) error { _, err := s.ReadFrom(iotest.DataErrReader(bytes.NewReader(data))); return err },
				"Pieces": func(s *Spool) error {
					for i, rest := 1, data; len(rest) > 0; i = i%977 + 1 {
						n := min(i, len(rest))
						if _, err := s.Write(rest[:n]); err != nil {
							return err
						}
						rest = rest[n:]
					}
					return nil
				},
			} {
				t.Run(fmt.Sprintf("%d%q%s", size, ending, name), func(t *testing.T) {
					p := &Pool{Dir: t.TempDir(), Threshold: threshold}
					s := p.New()
					if err := feed(s); err != nil {
						t.Fatal(err)
					}
					o, err := s.Finish()
					if err != nil {
						t.Fatal(err)
					}
					s.Discard() // harmless now
					if _, disk := p.InUse(); (disk > 0) != (len(data) > threshold) {
						t.Errorf("%d octets: %d on disk", len(data), disk)
					}
					check(t, o, data)
					if err := errors.Join(o.Close(), o.Close()); err != nil {
						t.Error(err)
					}
					if _, err := o.Open(); !errors.Is(err, fs.ErrClosed) {
						t.Errorf("open after close: %v", err)
					}
					clean(t, p)
				})
			}
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	if DefaultThreshold != 1048576 || DefaultMemory != 67108864 {
		t.Errorf("defaults changed: %d, %d", DefaultThreshold, DefaultMemory)
	}
	p := new(Pool)
	if p.threshold() != DefaultThreshold || p.budget() != DefaultMemory {
		t.Error("zero fields do not mean the defaults")
	}
}

func TestFileHasNoName(t *testing.T) {
	t.Parallel()
	p := &Pool{Dir: t.TempDir(), Threshold: 10}
	s := p.New()
	if _, err := s.Write(octets(100)); err != nil {
		t.Fatal(err)
	}
	if s.file == nil {
		t.Fatal("not on disk")
	}
	files, err := os.ReadDir(p.Dir)
	if err != nil {
		t.Fatal(err)
	}
	if s.path == "" && len(files) != 0 {
		t.Errorf("a killed process would leave %v", files)
	}
	s.Discard()
	s.Discard()
	if _, err := s.Write([]byte("x")); err == nil {
		t.Error("write after discard")
	}
	if _, err := s.Finish(); err == nil {
		t.Error("finish after discard")
	}
	clean(t, p)
}

func TestBudget(t *testing.T) {
	t.Parallel()
	p := &Pool{Dir: t.TempDir(), Memory: 3 * segmentSize}
	var all []ingest.Octets
	var want [][]byte
	for i := range 6 {
		data := octets(segmentSize - i)
		s := p.New()
		if _, err := s.Write(data); err != nil {
			t.Fatal(err)
		}
		o, err := s.Finish()
		if err != nil {
			t.Fatal(err)
		}
		if onDisk := o.(*message).file != nil; onDisk != (i >= 3) {
			t.Errorf("message %d: on disk %v", i, onDisk)
		}
		all, want = append(all, o), append(want, data)
	}
	// A message that runs out of budget on its way moves to disk with what it has.
	all[0].Close()
	data := octets(2 * segmentSize)
	s := p.New()
	if _, err := s.ReadFrom(bytes.NewReader(data)); err != nil {
		t.Fatal(err)
	}
	o, err := s.Finish()
	if err != nil {
		t.Fatal(err)
	}
	if o.(*message).file == nil {
		t.Error("message beyond the budget is in memory")
	}
	check(t, o, data)
	o.Close()
	for i := 1; i < len(all); i++ {
		check(t, all[i], want[i])
		all[i].Close()
	}
	clean(t, p)
}

func TestNoMemory(t *testing.T) {
	t.Parallel()
	p := &Pool{Dir: t.TempDir(), Memory: -1}
	s := p.New()
	if _, err := s.Write([]byte("Subject: x\r\n\r\n")); err != nil {
		t.Fatal(err)
	}
	o, err := s.Finish()
	if err != nil {
		t.Fatal(err)
	}
	check(t, o, []byte("Subject: x\r\n\r\n"))
	o.Close()
	clean(t, p)
}

func TestDiskLimit(t *testing.T) {
	t.Parallel()
	p := &Pool{Dir: t.TempDir(), Threshold: 10, Disk: 5 * segmentSize}
	first := p.New()
	if _, err := first.Write(octets(3 * segmentSize)); err != nil {
		t.Fatal(err)
	}
	second := p.New()
	_, err := second.Write(octets(4 * segmentSize))
	e, ok := errors.AsType[*ingest.Error](err)
	if !ok || e.Reason != ingest.ReasonDiskFull || e.Kind != ingest.KindTemporary || e.Hint == "" {
		t.Fatalf("got %v", err)
	}
	if _, again := second.Finish(); !errors.Is(again, err) {
		t.Errorf("Finish after failure: %v", again)
	}
	second.Discard()
	if _, err := first.Write(octets(segmentSize)); err != nil {
		t.Errorf("the other message suffers: %v", err)
	}
	first.Discard()
	clean(t, p)
}

func TestDiskFull(t *testing.T) {
	t.Parallel()
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("this system has no /dev/full: ", err)
	}
	p := &Pool{Dir: t.TempDir(), Threshold: 10}
	s := p.New()
	if _, err := s.Write(octets(100)); err != nil {
		t.Fatal(err)
	}
	s.file.Close()
	s.file = full
	_, err = s.Finish()
	if e, ok := errors.AsType[*ingest.Error](err); !ok || e.Reason != ingest.ReasonDiskFull {
		t.Fatalf("got %v", err)
	}
	clean(t, p)
}

func TestNoDirectory(t *testing.T) {
	t.Parallel()
	p := &Pool{Dir: t.TempDir() + "/none", Threshold: 10}
	s := p.New()
	_, err := s.Write(octets(100))
	if e, ok := errors.AsType[*ingest.Error](err); !ok || e.Reason != ingest.ReasonInternal || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	if memory, disk := p.InUse(); memory != 0 || disk != 0 {
		t.Errorf("still in use: %d, %d", memory, disk)
	}
}

func TestReadError(t *testing.T) {
	t.Parallel()
	p := &Pool{Dir: t.TempDir()}
	s := p.New()
	broken := errors.New("connection lost")
	n, err := s.ReadFrom(io.MultiReader(bytes.NewReader(octets(100)), iotest.ErrReader(broken)))
	if n != 100 || !errors.Is(err, broken) {
		t.Errorf("got %d, %v", n, err)
	}
	s.Discard()
	clean(t, p)
}

// A reader that is open while its message is closed must never see the octets of another message.
func TestReaderOutlivesClose(t *testing.T) {
	t.Parallel()
	for _, threshold := range []int64{0, 10} {
		p := &Pool{Dir: t.TempDir(), Threshold: threshold}
		data := octets(3 * segmentSize)
		s := p.New()
		s.Write(data)
		o, err := s.Finish()
		if err != nil {
			t.Fatal(err)
		}
		r, err := o.Open()
		if err != nil {
			t.Fatal(err)
		}
		o.Close()
		other := p.New()
		other.Write(bytes.Repeat([]byte("x"), 5*segmentSize))
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, data) {
			t.Errorf("threshold %d: octets changed under the reader: %v", threshold, err)
		}
		if err := errors.Join(r.Close(), r.Close()); err != nil {
			t.Error(err)
		}
		other.Discard()
		clean(t, p)
	}
}

func TestConcurrent(t *testing.T) {
	t.Parallel()
	p := &Pool{Dir: t.TempDir(), Threshold: 4 * segmentSize, Memory: 10 * segmentSize}
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(7, uint64(worker)))
			for range 40 {
				data := octets(random.IntN(6 * segmentSize))
				s := p.New()
				if _, err := s.ReadFrom(iotest.HalfReader(bytes.NewReader(data))); err != nil {
					t.Error(err)
				}
				if memory, _ := p.InUse(); memory > 18*segmentSize {
					t.Errorf("%d octets of memory", memory)
				}
				if random.IntN(4) == 0 {
					s.Discard()
					continue
				}
				o, err := s.Finish()
				if err != nil {
					t.Error(err)
					continue
				}
				var readers sync.WaitGroup
				for range 2 {
					r, err := o.Open()
					if err != nil {
						t.Error(err)
						continue
					}
					readers.Go(func() {
						defer r.Close()
						if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
							t.Errorf("octets differ: %v", err)
						}
					})
				}
				o.Close()
				readers.Wait()
			}
		})
	}
	group.Wait()
	clean(t, p)
}

func BenchmarkSpool(b *testing.B) {
	for _, size := range []int{10 * kib, 500 * kib, 20 * mib} {
		data := octets(size)
		b.Run(fmt.Sprintf("%dKiB/sha256", size/kib), func(b *testing.B) {
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				sha256.Sum256(data)
			}
		})
		b.Run(fmt.Sprintf("%dKiB/spool", size/kib), func(b *testing.B) {
			p := &Pool{Dir: b.TempDir()}
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				s := p.New()
				if _, err := s.ReadFrom(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
				o, err := s.Finish()
				if err != nil {
					b.Fatal(err)
				}
				o.Close()
			}
		})
	}
}
