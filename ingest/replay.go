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
	// ReplayParse parses stored octets again and writes down, and announces, what reads differently now.
	ReplayParse
)

// String is the name that the API uses.
func (k ReplayKind) String() string {
	return [...]string{"KIND_UNSPECIFIED", "FETCH", "EVENTS", "RETRY", "PARSE"}[k]
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
	FirstSequence, LastSequence int64     // event sequences, both included; kinds events and parse
	Since, Until                time.Time // server's time of arrival (fetch), time of the event (events) or of storing (parse); Until is excluded
}

// Progress counts what a replay has done.
type Progress struct {
	Matched int // messages or events in the range
	Known   int // fetch: in the ledger already
	Missing int // fetch: not in the ledger, so brought in (or would be, in a dry run)
	Stored  int // fetch: brought in as new messages
	Failed  int // fetch: deferred or quarantined; parse: could not be parsed, left as they are
	Done    int // events: published again; parse: parsed again
	// Parse: messages that read differently now, or would in a dry run; how many of them by field, named as the proto
	// Message names it; and the first MaxExamples of them.
	Changed  int            `json:",omitempty"`
	Fields   map[string]int `json:",omitempty"`
	Examples []Example      `json:",omitempty"`
}

// MaxExamples is how many messages a parse replay shows.
const MaxExamples = 20

// Example is one message that reads differently after it was parsed again.
type Example struct {
	Message string   `json:"message"` // resource name
	Fields  []Change `json:"fields"`
}

// Change is one field of a message before and after, each cut to 200 octets. What is not a string is shown as JSON.
type Change struct {
	Field string `json:"field"` // as the proto Message names it
	Old   string `json:"old"`
	New   string `json:"new"`
}

// Amendment is what an event says about a message that reads differently after it was parsed again.
type Amendment struct {
	Channel   *Channel
	ID        MessageID
	Sequence  int64     // of the event; dense per channel from 1
	At        time.Time // the database's clock
	Replay    string    // id of the replay
	Changed   []string  // fields, named as the proto Message names them
	OldParser int       // version that the message was parsed with before
	Parser    int       // version now
	Mail      *Mail     // as it reads now
	Thread    Thread
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
