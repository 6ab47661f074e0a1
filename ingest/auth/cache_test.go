package auth

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// slow is a Resolver that counts and takes its time.
type slow struct {
	asked  atomic.Int64
	takes  time.Duration
	answer func(name string) ([]string, error)
}

func (s *slow) LookupTXT(ctx context.Context, name string) ([]string, error) {
	s.asked.Add(1)
	select {
	case <-time.After(s.takes):
		return s.answer(name)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func TestCacheAsksOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{takes: time.Second, answer: func(string) ([]string, error) { return []string{"p=x"}, nil }}
		c := NewCache(s)
		defer c.Close()
		var wait sync.WaitGroup
		for range 1000 {
			wait.Go(func() {
				got, err := c.LookupTXT(t.Context(), "a.example")
				if diff := cmp.Diff(got, []string{"p=x"}); diff != "" || err != nil {
					t.Error(diff, err)
				}
			})
		}
		wait.Wait()
		if n := s.asked.Load(); n != 1 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(answerTTL - time.Second)
		c.LookupTXT(t.Context(), "a.example")
		if n := s.asked.Load(); n != 1 {
			t.Errorf("asked %d times before the answer was old", n)
		}
		time.Sleep(2 * time.Second)
		c.LookupTXT(t.Context(), "a.example")
		if n := s.asked.Load(); n != 2 {
			t.Errorf("asked %d times after the answer was old", n)
		}
	})
}

func TestCacheFailures(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		err error
		ttl time.Duration
	}{
		"no such name": {&net.DNSError{IsNotFound: true}, answerTTL},
		"down":         {&net.DNSError{IsTemporary: true}, failureTTL},
		"something":    {errors.New("x"), failureTTL},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := &slow{answer: func(string) ([]string, error) { return nil, tt.err }}
			c := NewCache(s)
			defer c.Close()
			for _, wait := range []time.Duration{0, tt.ttl - time.Second, 2 * time.Second} {
				time.Sleep(wait)
				if _, err := c.LookupTXT(t.Context(), "a.example"); err == nil || err.Error() != tt.err.Error() {
					t.Errorf("%s: %v", name, err)
				}
			}
			if n := s.asked.Load(); n != 2 {
				t.Errorf("%s: asked %d times", name, n)
			}
		})
	}
}

// Who asked first may go; the others still get their answer. A lookup ends by itself.
func TestCacheContext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{takes: 3 * time.Second, answer: func(string) ([]string, error) { return []string{"p=x"}, nil }}
		c := NewCache(s)
		defer c.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		var wait sync.WaitGroup
		wait.Go(func() {
			if _, err := c.LookupTXT(ctx, "a.example"); !errors.Is(err, context.DeadlineExceeded) {
				t.Error(err)
			}
		})
		synctest.Wait()
		if got, err := c.LookupTXT(t.Context(), "a.example"); err != nil || len(got) != 1 {
			t.Error(got, err)
		}
		wait.Wait()
		s.takes = time.Hour
		began := time.Now()
		if _, err := c.LookupTXT(t.Context(), "b.example"); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if took := time.Since(began); took != lookupTimeout {
			t.Errorf("took %v", took)
		}
	})
}

func TestCacheClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{takes: time.Hour}
		c := NewCache(s)
		var wait sync.WaitGroup
		wait.Go(func() {
			if _, err := c.LookupTXT(t.Context(), "a.example"); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
		synctest.Wait()
		began := time.Now()
		c.Close()
		c.Close()
		wait.Wait()
		if took := time.Since(began); took != 0 {
			t.Errorf("closing took %v", took)
		}
		if _, err := c.LookupTXT(t.Context(), "a.example"); !errors.Is(err, errClosed) {
			t.Error(err)
		}
	})
}

func TestCacheBounds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &slow{answer: func(name string) ([]string, error) {
			if name == "long" {
				return []string{string(make([]byte, maxAnswer)), "x"}, nil
			}
			return []string{name}, nil
		}}
		c := NewCache(s)
		defer c.Close()
		for i := range 2*maxAnswers + 10 {
			c.LookupTXT(t.Context(), fmt.Sprint(i))
			c.LookupTXT(t.Context(), "0") // used all the time, it stays
		}
		if n := s.asked.Load(); n != 2*maxAnswers+10 {
			t.Errorf("asked %d times", n)
		}
		if len(c.known) != maxAnswers || c.order.Len() != maxAnswers {
			t.Errorf("%d and %d answers", len(c.known), c.order.Len())
		}
		if _, err := c.LookupTXT(t.Context(), "long"); err == nil {
			t.Error("no limit on an answer")
		}
		s.takes = time.Second
		var wait sync.WaitGroup
		refused := atomic.Int64{}
		for i := range maxAnswers + 100 {
			wait.Go(func() {
				if _, err := c.LookupTXT(t.Context(), fmt.Sprint("slow", i)); err != nil {
					refused.Add(1)
				}
			})
		}
		wait.Wait()
		if refused.Load() != 100 || len(c.known) > maxAnswers {
			t.Errorf("%d refused, %d answers", refused.Load(), len(c.known))
		}
	})
}
