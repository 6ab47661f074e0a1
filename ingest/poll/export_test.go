package poll

import "github.com/mailintake/mailintake/ingest"

// Memory is what the scheduler keeps of a channel between its visits.
type Memory = memory

// Limits that tests count with.
const (
	MaxAttempts = maxAttempts
	HostVisits  = hostVisits
	SaveEvery   = saveEvery
)

// Saved forgets when the health of a channel was last written, as if that were long ago.
func (s *Scheduler) Saved(ch ingest.ChannelID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.tasks[ch]; t != nil {
		t.saved = t.saved.Add(-2 * saveEvery)
	}
}
