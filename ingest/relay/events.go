package relay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Entry is what the stream says about one event without its data.
type Entry struct {
	StreamSequence uint64    // position in the stream
	Stored         time.Time // when the stream took it
	Subject        string
	Tenant         string
	Channel        string
	Type           string // received, quarantined, …
	EventID        string
	Sequence       int64  // within the channel; 0 if the message is not one of our events
	ReplayID       string // the replay that published it again; empty on first publications
}

// Event is one event of the stream.
type Event struct {
	Entry
	Time        time.Time       // when it was committed
	About       string          // resource name of the message; empty where there is none
	TraceParent string          // W3C trace context; may be empty
	Data        json.RawMessage // protojson of the event message
	Raw         []byte          // the whole CloudEvent as stored
}

// TailOptions say which events to read.
type TailOptions struct {
	// Subject is a filter, see Filter; empty means all.
	Subject string
	// Since is the time from which on events are read, by when the stream took them; zero with From zero means from the
	// beginning, or, with Follow, only what is new.
	Since time.Time
	// From is the stream sequence to begin at; it takes precedence over Since.
	From uint64
	// Follow waits for more when all is read.
	Follow bool
}

// Filter is the subject that matches the events of a tenant and a channel, replayed ones included; empty strings match
// all.
func Filter(tenant, channel string) string {
	if tenant == "" {
		tenant = "*"
	}
	if channel == "" {
		channel = "*"
	}
	return SubjectPrefix + tenant + "." + channel + ".>"
}

// Tail calls each for events in stream order. It returns when ctx ends (nil), when each returns an error (that error),
// or, without Follow, when the events that were there at the start are read. Lost connections are bridged.
func Tail(ctx context.Context, nc *nats.Conn, o TailOptions, each func(Event) error) error {
	config := jetstream.OrderedConsumerConfig{DeliverPolicy: jetstream.DeliverAllPolicy}
	if o.Subject != "" {
		config.FilterSubjects = []string{o.Subject}
	}
	switch {
	case o.From > 0:
		config.DeliverPolicy, config.OptStartSeq = jetstream.DeliverByStartSequencePolicy, o.From
	case !o.Since.IsZero():
		config.DeliverPolicy, config.OptStartTime = jetstream.DeliverByStartTimePolicy, &o.Since
	case o.Follow:
		config.DeliverPolicy = jetstream.DeliverNewPolicy
	}
	return read(ctx, nc, config, o.Follow, 0, func(m jetstream.Msg, entry Entry) error {
		event, err := decode(m, entry)
		if err != nil {
			return err
		}
		return each(event)
	})
}

// Scan calls each for everything in the stream from one stream sequence to another, both included, in order and
// without the data, which makes it fast. Zero means from the beginning and to what is the end at the start. It returns
// the error of each, or ctx's.
func Scan(ctx context.Context, nc *nats.Conn, from, to uint64, each func(Entry) error) error {
	config := jetstream.OrderedConsumerConfig{
		DeliverPolicy: jetstream.DeliverByStartSequencePolicy,
		OptStartSeq:   max(from, 1),
		HeadersOnly:   true,
	}
	err := read(ctx, nc, config, false, to, func(_ jetstream.Msg, entry Entry) error { return each(entry) })
	if err == nil {
		err = ctx.Err()
	}
	return err
}

// readPatience is how long no message may come before the stream's leader is asked whether there is one.
const readPatience = time.Second

// read runs an ordered consumer: without follow until the end as it was at the start, or until to. Where the end is
// must come from the leader: a consumer may live on a replica that lags and believes that it has delivered everything.
func read(ctx context.Context, nc *nats.Conn, config jetstream.OrderedConsumerConfig, follow bool, to uint64, each func(jetstream.Msg, Entry) error) error {
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	filter := SubjectPrefix + ">"
	if len(config.FilterSubjects) > 0 {
		filter = config.FilterSubjects[0]
	}
	leader := reader{nc: nc, timeout: DefaultTimeout}
	end := uint64(0)
	if !follow {
		last, err := leader.raw(ctx, map[string]any{"last_by_subj": filter})
		if err != nil {
			return ended(ctx, err)
		}
		if last == nil || last.Seq < config.OptStartSeq || config.OptStartTime != nil && last.Time.Before(*config.OptStartTime) {
			return nil
		}
		end = last.Seq
		if to > 0 {
			end = min(end, to)
		}
	}
	consumer, err := js.OrderedConsumer(ctx, StreamName, config)
	if err != nil {
		return ended(ctx, fmt.Errorf("read stream %s: %w", StreamName, err))
	}
	messages, err := consumer.Messages(jetstream.PullMaxMessages(2000))
	if err != nil {
		return ended(ctx, fmt.Errorf("read stream %s: %w", StreamName, err))
	}
	defer messages.Stop()
	at := config.OptStartSeq // everything before is read
	for {
		m, err := next(ctx, messages)
		switch {
		case err != nil:
			return ended(ctx, fmt.Errorf("read stream %s: %w", StreamName, err))
		case m == nil && follow:
			continue
		case m == nil: // is the end still there, or was it removed meanwhile?
			rest, err := leader.raw(ctx, map[string]any{"next_by_subj": filter, "seq": max(at, 1)})
			if err == nil && (rest == nil || rest.Seq > end) {
				return nil
			}
			continue
		}
		meta, err := m.Metadata()
		if err != nil {
			return fmt.Errorf("read stream %s: %w", StreamName, err)
		}
		if !follow && meta.Sequence.Stream > end {
			return nil
		}
		if err := each(m, entryOf(m, meta)); err != nil {
			return err
		}
		at = meta.Sequence.Stream + 1
		if !follow && at > end {
			return nil
		}
	}
}

// next waits for a message; nil means that none came for a while.
func next(ctx context.Context, messages jetstream.MessagesContext) (jetstream.Msg, error) {
	wait, cancel := context.WithTimeout(ctx, readPatience)
	defer cancel()
	m, err := messages.Next(jetstream.NextContext(wait))
	switch {
	case err == nil:
		return m, nil
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case wait.Err() != nil, errors.Is(err, jetstream.ErrNoHeartbeat): // after the latter the consumer is made anew
		return nil, nil
	}
	return nil, err
}

// ended is nil when err came from the end of ctx.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// entryOf reads subject and headers. What is not one of our events has no sequence.
func entryOf(m jetstream.Msg, meta *jetstream.MsgMetadata) Entry {
	e := Entry{StreamSequence: meta.Sequence.Stream, Stored: meta.Timestamp, Subject: m.Subject()}
	tokens := strings.Split(strings.TrimPrefix(e.Subject, SubjectPrefix), ".")
	if len(tokens) >= 3 {
		e.Tenant, e.Channel, e.Type = tokens[0], tokens[1], tokens[len(tokens)-1]
	}
	header := m.Headers()
	e.ReplayID = header.Get(headerReplay)
	e.EventID = strings.TrimSuffix(header.Get(headerMsgID), "/"+e.ReplayID)
	if n, err := strconv.ParseInt(header.Get(headerSequence), 10, 64); err == nil && n > 0 {
		e.Sequence = n
	}
	return e
}

// decode reads the CloudEvent.
func decode(m jetstream.Msg, entry Entry) (Event, error) {
	var body struct {
		attributes
		Data json.RawMessage `json:"data"`
	}
	if err := json.Unmarshal(m.Data(), &body); err != nil {
		return Event{}, fmt.Errorf("message %d of stream %s on %s is not a CloudEvent: %w", entry.StreamSequence, StreamName, entry.Subject, err)
	}
	at, err := time.Parse(time.RFC3339Nano, body.Time)
	if err != nil {
		return Event{}, fmt.Errorf("message %d of stream %s on %s: %w", entry.StreamSequence, StreamName, entry.Subject, err)
	}
	return Event{Entry: entry, Time: at, About: body.Subject, TraceParent: body.TraceParent, Data: body.Data, Raw: m.Data()}, nil
}
