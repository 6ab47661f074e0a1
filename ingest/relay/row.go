package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// Row is one event that waits in the outbox.
type Row struct {
	// ID rises in commit order within a channel.
	ID int64
	// Bucket is the share of the outbox that the row belongs to; the relay only passes it through.
	Bucket    int16
	ChannelID ingest.ChannelID
	// Tenant, Channel and Type become tokens of the subject.
	Tenant, Channel, Type string
	// Sequence is the event's place in its channel, dense from 1.
	Sequence int64
	// EventID is the event's UUID in text form.
	EventID string
	// Time is when the event was committed, by the database's clock.
	Time time.Time
	// Data is the JSON object that becomes the CloudEvent's data.
	Data []byte
	// ReplayID is set on rows that publish an event again; it names the replay and becomes a token of the subject. The
	// rows of one replay rise in sequence; two replays of a channel may be mixed in any way.
	ReplayID string
	// TraceParent is the W3C trace context of the commit; may be empty.
	TraceParent string
}

// Outbox is where events wait. The store implements it.
type Outbox interface {
	// Next returns at most limit rows of the given buckets, leaving out the channels in except, ascending by ID. A
	// channel's rows come without holes: a row is returned only together with, or after the deletion of, all earlier
	// rows of its channel.
	Next(ctx context.Context, buckets []int16, except []ingest.ChannelID, limit int) ([]Row, error)
	// Delete removes rows that are in the stream. Ids that are gone already are not an error.
	Delete(ctx context.Context, ids []int64) error
}

// lane is a sequence of events whose order the server guards: the events of a channel, or those of one replay of it.
type lane struct {
	channel ingest.ChannelID
	replay  string // empty for first publications
}

func (row *Row) lane() lane { return lane{row.ChannelID, row.ReplayID} }

// check says what makes a row impossible to publish.
func (row *Row) check() error {
	switch {
	case !validID(row.Tenant):
		return fmt.Errorf("tenant %q is not a valid id", row.Tenant)
	case !validID(row.Channel):
		return fmt.Errorf("channel %q is not a valid id", row.Channel)
	case !validType(row.Type):
		return fmt.Errorf("event type %q is not made of a-z and _", row.Type)
	case row.Sequence < 1:
		return fmt.Errorf("sequence %d is below 1", row.Sequence)
	case !validHeader(row.EventID) || row.EventID == "":
		return errors.New("the event id is missing or has characters that a header cannot carry")
	case row.ReplayID != "" && !validID(row.ReplayID):
		return fmt.Errorf("replay %q is not a valid id", row.ReplayID)
	case !validHeader(row.TraceParent):
		return errors.New("the traceparent has characters that a header cannot carry")
	}
	return nil
}

// validID reports whether s matches [a-z0-9][a-z0-9-]{0,38}, the ids of resource names.
func validID(s string) bool {
	return s != "" && len(s) <= 39 && s[0] != '-' && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

// validType reports whether s can be the last token of a subject. "replayed" is taken.
func validType(s string) bool {
	return s != "" && s != replayedToken && len(s) <= 32 && !strings.ContainsFunc(s, func(r rune) bool {
		return (r < 'a' || r > 'z') && r != '_'
	})
}

// validHeader reports whether s is short, printable ASCII without spaces.
func validHeader(s string) bool {
	return len(s) <= 128 && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}
