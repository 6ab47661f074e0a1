package poll_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/poll"
)

func failure(k ingest.Kind) *ingest.Error {
	return &ingest.Error{Op: "visit", Kind: k, Reason: "WHY", Server: "said so", Hint: "do this", Err: errors.New("cause")}
}

func TestReact(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	m := &ingest.Mailbox{PollInterval: time.Minute}
	hint := func(k ingest.Kind, after time.Duration) error {
		e := failure(k)
		e.RetryAfter = after
		return e
	}
	for _, tt := range []struct {
		name   string
		before ingest.Health
		err    error
		state  ingest.State
		pause  time.Duration // ±10 %
		exact  bool          // not a moment less than pause
		auths  int
	}{
		{"well", ingest.Health{Failures: 7, AuthFailures: 2}, nil, ingest.StateActive, time.Minute, false, 0},
		{"temporary", ingest.Health{}, failure(ingest.KindTemporary), ingest.StateBackingOff, 30 * time.Second, false, 0},
		{"temporary again", ingest.Health{Failures: 1}, failure(ingest.KindTemporary), ingest.StateBackingOff, time.Minute, false, 0},
		{"temporary for long", ingest.Health{Failures: 90}, failure(ingest.KindTemporary), ingest.StateBackingOff, 15 * time.Minute, false, 0},
		{"temporary with a hint", ingest.Health{}, hint(ingest.KindTemporary, time.Hour), ingest.StateBackingOff, time.Hour, true, 0},
		{"protocol", ingest.Health{}, failure(ingest.KindProtocol), ingest.StateBackingOff, 30 * time.Second, false, 0},
		{"too large", ingest.Health{}, failure(ingest.KindTooLarge), ingest.StateBackingOff, 30 * time.Second, false, 0},
		{"gone", ingest.Health{}, failure(ingest.KindGone), ingest.StateBackingOff, 30 * time.Second, false, 0},
		{"fenced", ingest.Health{}, failure(ingest.KindFenced), ingest.StateBackingOff, 30 * time.Second, false, 0},
		{"fault of ours", ingest.Health{}, errors.New("bug"), ingest.StateBackingOff, 30 * time.Second, false, 0},
		{"auth", ingest.Health{}, failure(ingest.KindAuth), ingest.StateAuthFailed, 30 * time.Second, false, 1},
		{"auth twice", ingest.Health{Failures: 1, AuthFailures: 1}, failure(ingest.KindAuth), ingest.StateAuthFailed, time.Minute, false, 2},
		{"auth three times", ingest.Health{Failures: 2, AuthFailures: 2}, failure(ingest.KindAuth), ingest.StateAuthFailed, 15 * time.Minute, false, 3},
		{"auth four times", ingest.Health{Failures: 3, AuthFailures: 3}, failure(ingest.KindAuth), ingest.StateAuthFailed, 30 * time.Minute, false, 4},
		{"auth for long", ingest.Health{Failures: 60, AuthFailures: 60}, failure(ingest.KindAuth), ingest.StateAuthFailed, 6 * time.Hour, false, 61},
		{"something else after auth", ingest.Health{Failures: 2, AuthFailures: 2}, failure(ingest.KindTemporary), ingest.StateBackingOff, 2 * time.Minute, false, 0},
		{"config", ingest.Health{}, failure(ingest.KindConfig), ingest.StateConfigError, 15 * time.Minute, false, 0},
		{"config for long", ingest.Health{Failures: 50}, failure(ingest.KindConfig), ingest.StateConfigError, 6 * time.Hour, false, 0},
		{"throttled", ingest.Health{}, failure(ingest.KindThrottled), ingest.StateThrottled, 5 * time.Minute, false, 0},
		{"throttled with a short hint", ingest.Health{Failures: 5}, hint(ingest.KindThrottled, 90*time.Second), ingest.StateThrottled, 90 * time.Second, true, 0},
		{"throttled with a long hint", ingest.Health{}, hint(ingest.KindThrottled, 2*time.Hour), ingest.StateThrottled, 2 * time.Hour, true, 0},
		{"wrapped", ingest.Health{}, fmt.Errorf("visit: %w", failure(ingest.KindAuth)), ingest.StateAuthFailed, 30 * time.Second, false, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for range 200 { // the pause varies
				h, pause := poll.React(tt.before, m, tt.err, now)
				low := time.Duration(float64(tt.pause) * 0.899)
				if tt.exact {
					low = tt.pause
				}
				if pause < low || float64(pause) > float64(tt.pause)*1.101 {
					t.Fatalf("pause is %v, want %v", pause, tt.pause)
				}
				if h.State != tt.state || h.AuthFailures != tt.auths {
					t.Fatalf("got %v with %d refused logins, want %v with %d", h.State, h.AuthFailures, tt.state, tt.auths)
				}
				if !h.LastAttempt.Equal(now) || !h.NextAttempt.Equal(now.Add(pause)) {
					t.Fatalf("last attempt %v, next %v, want %v and %v", h.LastAttempt, h.NextAttempt, now, now.Add(pause))
				}
				if tt.err == nil {
					if h.Failures != 0 || h.Reason != "" || h.ServerText != "" || h.Hint != "" || h.Detail != "" || !h.LastSuccess.Equal(now) {
						t.Fatalf("a visit that went well leaves %+v", h)
					}
				} else if h.Failures != tt.before.Failures+1 || h.Reason == "" || h.Detail == "" || !h.LastSuccess.IsZero() {
					t.Fatalf("a failure leaves %+v", h)
				}
			}
		})
	}
}

// A short interval is kept to at the first failure, a long one does not make the first try again late.
func TestReactFirstPause(t *testing.T) {
	t.Parallel()
	for interval, want := range map[time.Duration]time.Duration{10 * time.Second: 10 * time.Second, time.Hour: 30 * time.Second, 0: time.Second} {
		_, pause := poll.React(ingest.Health{}, &ingest.Mailbox{PollInterval: interval}, failure(ingest.KindTemporary), time.Now())
		if pause < want*9/10-1 || pause > want*11/10+1 {
			t.Errorf("interval %v: pause is %v, want %v", interval, pause, want)
		}
	}
}

// A wrong password is tried three times within minutes and then so rarely that no account is locked for it.
func TestLoginBreaker(t *testing.T) {
	t.Parallel()
	var h ingest.Health
	begin := time.Date(2026, 11, 21, 0, 0, 0, 0, time.UTC)
	var tries []time.Duration
	for now := begin; now.Sub(begin) < 24*time.Hour; now = h.NextAttempt {
		tries = append(tries, now.Sub(begin))
		h, _ = poll.React(h, &ingest.Mailbox{PollInterval: 10 * time.Second}, failure(ingest.KindAuth), now)
	}
	within := func(d time.Duration) (n int) {
		for _, at := range tries {
			if at < d {
				n++
			}
		}
		return n
	}
	if n := within(14 * time.Minute); n != 3 {
		t.Errorf("%d logins in the first quarter of an hour, want 3", n)
	}
	if n := len(tries); n < 8 || n > 12 {
		t.Errorf("%d logins in a day, want about 10: %v", n, tries)
	}
}
