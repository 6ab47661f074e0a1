package poll

import (
	"context"
	"log/slog"
	"time"
)

// Watchdog reports channels that die silently. It does not know the poll loop: it asks the database which enabled
// channels have had no successful visit for too long although they report no failure, so that it also finds channels
// that no replica visits at all.
type Watchdog struct {
	// Mark gives the state STALLED to such channels and returns their names.
	Mark  func(ctx context.Context) (names []string, err error)
	Every time.Duration // 0 means 30 s
	Log   *slog.Logger
}

// Run looks until the context ends.
func (w *Watchdog) Run(ctx context.Context) error {
	every := w.Every
	if every == 0 {
		every = 30 * time.Second
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		names, err := w.Mark(ctx)
		if err != nil {
			if ctx.Err() == nil {
				w.Log.Warn("the watchdog could not look", "error", err)
			}
			continue
		}
		for _, name := range names {
			w.Log.Error("channel stalled: no successful visit for too long and no failure reported", "channel", name)
		}
	}
}
