package poll

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime/debug"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// Pauses after failures.
const (
	firstPause     = 30 * time.Second
	longestPause   = 15 * time.Minute
	throttlePause  = 5 * time.Minute
	authPause      = 15 * time.Minute // after authTries refusals in a row
	longestAuth    = 6 * time.Hour
	authTries      = 3
	configPause    = 15 * time.Minute
	longestConfig  = 6 * time.Hour
	ownFaultPause  = 2 * time.Second // our database is away: the channel is not to blame
	jitterFraction = 0.1
)

// React is the table of DESIGN: from what a visit ended with to what people see and when the next visit comes. h is the
// health before the visit, now the time at its end.
//
// A configuration error is tried again, rarely: servers renew certificates and come back to the DNS without anybody
// telling us. A refused credential is tried three times, then hardly ever, so that we lock nobody out.
func React(h ingest.Health, m *ingest.Mailbox, err error, now time.Time) (ingest.Health, time.Duration) {
	h.LastAttempt = now
	if err == nil {
		h.State, h.Reason, h.ServerText, h.Hint, h.Detail = ingest.StateActive, "", "", "", ""
		h.Failures, h.AuthFailures, h.LastSuccess = 0, 0, now
		pause := jitter(m.PollInterval)
		h.NextAttempt = now.Add(pause)
		return h, pause
	}
	var e *ingest.Error
	if !errors.As(err, &e) {
		e = &ingest.Error{Op: "visit", Kind: ingest.KindTemporary, Reason: ingest.ReasonInternal, Err: err}
	}
	h.Failures++
	h.Reason, h.ServerText, h.Hint, h.Detail = e.Reason, e.Server, e.Hint, detailOf(e)
	var pause time.Duration
	if e.Kind != ingest.KindAuth {
		h.AuthFailures = 0
	}
	switch e.Kind {
	case ingest.KindAuth:
		h.State = ingest.StateAuthFailed
		h.AuthFailures++
		if h.AuthFailures < authTries {
			pause = doubling(firstPause, h.AuthFailures, longestPause)
		} else {
			pause = doubling(authPause, h.AuthFailures-authTries+1, longestAuth)
		}
	case ingest.KindConfig:
		h.State = ingest.StateConfigError
		pause = doubling(configPause, h.Failures, longestConfig)
	case ingest.KindThrottled:
		h.State = ingest.StateThrottled
		pause = doubling(throttlePause, h.Failures, longestConfig)
		if e.RetryAfter > 0 {
			pause = e.RetryAfter
		}
	default:
		h.State = ingest.StateBackingOff
		// The first try again need not wait longer than a visit would have.
		pause = doubling(min(firstPause, max(m.PollInterval, time.Second)), h.Failures, longestPause)
	}
	pause = max(jitter(pause), e.RetryAfter) // never sooner than the server asked
	h.NextAttempt = now.Add(pause)
	return h, pause
}

func detailOf(e *ingest.Error) string {
	if e.Err == nil {
		return e.Op + " failed"
	}
	return ingest.CleanServerText(e.Op + ": " + e.Err.Error())
}

// doubling is first for n = 1, twice that for 2, and so on up to most.
func doubling(first time.Duration, n int, most time.Duration) time.Duration {
	if n > 20 {
		return most
	}
	return min(most, first<<max(0, n-1))
}

// jitter varies d by ±10 %, so that what failed together does not come back together.
func jitter(d time.Duration) time.Duration {
	return d + time.Duration((rand.Float64()*2-1)*jitterFraction*float64(d))
}

// panicked turns a panic in one channel's visit into an error of that channel alone.
func panicked(p any) error {
	return &panicError{value: p, stack: debug.Stack()}
}

type panicError struct {
	value any
	stack []byte
}

func (e *panicError) Error() string { return fmt.Sprintf("panic: %v", e.value) }
