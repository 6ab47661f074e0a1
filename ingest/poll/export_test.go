package poll

import "github.com/mailintake/mailintake/ingest"

// Memory is what the scheduler keeps of a channel between its visits.
type Memory = memory

// Limits that tests count with.
const (
	MaxAttempts = maxAttempts
	HostVisits  = hostVisits
)

// Saved sets back by two minutes when the health of a channel was last written. It is false while a visit goes on.
func (s *Scheduler) Saved(ch ingest.ChannelID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[ch]
	if t == nil || t.done != nil {
		return false
	}
	t.saved = t.saved.Add(-2 * saveEvery)
	return true
}
