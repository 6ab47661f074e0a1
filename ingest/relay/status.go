package relay

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Status is what an operator wants to know about NATS. What could not be found out has its zero value and a line in
// Problems.
type Status struct {
	Server    string // URL without credentials
	Version   string // of the server that this connection is to
	RoundTrip time.Duration
	JetStream bool

	// Account use and limits in octets; limits are -1 for none.
	StoreUsed, StoreLimit int64
	Streams, StreamLimit  int

	Stream         bool // stream EMAIL exists; the relay creates it
	StreamCreated  time.Time
	Messages       uint64
	Octets         uint64
	First, Last    uint64 // stream sequences
	LastTime       time.Time
	Channels       uint64 // subjects, an upper bound of channels with events
	Replicas       int
	Leader         string
	ReplicasBehind []string // replicas that are offline or not current
	MaxAge         time.Duration
	Duplicates     time.Duration
	AtomicBatches  bool

	// Problems are what keeps events from flowing or needs attention, each with what to do.
	Problems []string
}

// Ping makes sure that the server answers and returns the round trip.
func Ping(ctx context.Context, nc *nats.Conn) (time.Duration, error) {
	if !nc.IsConnected() {
		return 0, disconnected(nc)
	}
	ctx, cancel := context.WithTimeout(ctx, DefaultTimeout) // the client insists on a deadline
	defer cancel()
	start := time.Now()
	if err := nc.FlushWithContext(ctx); err != nil {
		return 0, fmt.Errorf("ping NATS at %s: %w", nc.ConnectedUrlRedacted(), err)
	}
	return time.Since(start), nil
}

// Inspect collects the Status. The error says that NATS cannot be reached at all; everything else is a problem in the
// Status.
func Inspect(ctx context.Context, nc *nats.Conn) (Status, error) {
	var s Status
	var err error
	if s.RoundTrip, err = Ping(ctx, nc); err != nil {
		return s, err
	}
	s.Server, s.Version = nc.ConnectedUrlRedacted(), nc.ConnectedServerVersion()
	if err := checkServer(s.Version); err != nil {
		s.Problems = append(s.Problems, err.Error())
	}
	js, err := jetstream.New(nc)
	if err != nil {
		return s, err
	}
	account, err := js.AccountInfo(ctx)
	if err != nil {
		s.Problems = append(s.Problems, fmt.Sprintf("JetStream does not answer: %v; start nats-server with --jetstream and enable it for the account", err))
		return s, nil
	}
	s.JetStream = true
	s.StoreUsed, s.StoreLimit = int64(account.Store), account.Limits.MaxStore
	s.Streams, s.StreamLimit = account.Streams, account.Limits.MaxStreams
	if s.StoreLimit > 0 && s.StoreUsed > s.StoreLimit/10*9 {
		s.Problems = append(s.Problems, fmt.Sprintf("the account uses %d of %d octets of JetStream storage: raise the limit", s.StoreUsed, s.StoreLimit))
	}
	stream, err := js.Stream(ctx, StreamName)
	switch {
	case errors.Is(err, jetstream.ErrStreamNotFound):
		return s, nil
	case err != nil:
		s.Problems = append(s.Problems, fmt.Sprintf("stream %s: %v", StreamName, err))
		return s, nil
	}
	s.describe(stream.CachedInfo())
	return s, nil
}

// describe takes over what the stream says about itself.
func (s *Status) describe(info *jetstream.StreamInfo) {
	s.Stream, s.StreamCreated = true, info.Created
	s.Messages, s.Octets = info.State.Msgs, info.State.Bytes
	s.First, s.Last, s.LastTime = info.State.FirstSeq, info.State.LastSeq, info.State.LastTime
	s.Channels = info.State.NumSubjects
	s.Replicas, s.MaxAge, s.Duplicates = info.Config.Replicas, info.Config.MaxAge, info.Config.Duplicates
	s.AtomicBatches = info.Config.AllowAtomicPublish
	if err := checkStream(&info.Config); err != nil {
		s.Problems = append(s.Problems, err.Error())
	}
	if info.Cluster == nil {
		return
	}
	s.Leader = info.Cluster.Leader
	if s.Leader == "" && s.Replicas > 1 {
		s.Problems = append(s.Problems, fmt.Sprintf("stream %s has no leader: more than half of its servers must be up", StreamName))
	}
	for _, p := range info.Cluster.Replicas {
		if p.Offline || !p.Current {
			s.ReplicasBehind = append(s.ReplicasBehind, p.Name)
			s.Problems = append(s.Problems, fmt.Sprintf("replica %s of stream %s is offline or behind", p.Name, StreamName))
		}
	}
}
