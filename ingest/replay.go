package ingest

import "time"

// ReplayKind is what a replay does.
type ReplayKind int

// The kinds of replay.
const (
	// ReplayFetch reads a range of the mailbox again: what is known stays as it is, what is missing comes in.
	ReplayFetch ReplayKind = iota + 1
	// ReplayEvents publishes events again with the same id and sequence, marked as replay.
	ReplayEvents
	// ReplayRetry forgets backoff and login breaker and visits the channel at once.
	ReplayRetry
)

// String is the name that the API uses.
func (k ReplayKind) String() string {
	return [...]string{"KIND_UNSPECIFIED", "FETCH", "EVENTS", "RETRY"}[k]
}

// ReplayState is how far a replay is.
type ReplayState int

// The states of a replay.
const (
	ReplayQueued ReplayState = iota + 1
	ReplayRunning
	ReplaySucceeded
	ReplayFailed
	ReplayCancelled
)

// String is the name that the API uses.
func (s ReplayState) String() string {
	return [...]string{"STATE_UNSPECIFIED", "QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED"}[s]
}

// Done reports whether the replay has ended.
func (s ReplayState) Done() bool { return s >= ReplaySucceeded }

// Range selects messages. Zero fields do not limit.
type Range struct {
	FirstUID, LastUID           uint32    // IMAP UIDs, both included
	FirstSequence, LastSequence int64     // event sequences, both included; kind events only
	Since, Until                time.Time // server's time of arrival (fetch) or time of the event (events); Until is excluded
}

// Progress counts what a replay has done.
type Progress struct {
	Matched int // messages or events in the range
	Known   int // fetch: in the ledger already
	Missing int // fetch: not in the ledger, so brought in (or would be, in a dry run)
	Stored  int // fetch: brought in as new messages
	Failed  int // fetch: deferred or quarantined
	Done    int // events: published again
}

// Replay is one request to bring a channel back to completeness.
type Replay struct {
	ID          string
	Tenant      string
	Channel     string
	ChannelID   ChannelID
	Kind        ReplayKind
	Range       Range
	DryRun      bool // counts only, changes nothing
	State       ReplayState
	Progress    Progress
	Error       string
	RequestedBy string
	Created     time.Time
	Started     time.Time
	Ended       time.Time
}

// Fetch is a replay of kind fetch as the channel's owner sees it.
type Fetch struct {
	ID     string
	Range  Range
	DryRun bool
}
