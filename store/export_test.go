package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mailintake/mailintake/ingest"
)

const (
	PieceSize    = pieceSize
	RelayBuckets = relayBuckets
	ReplayAhead  = replayAhead
	ReplayStep   = replayStep
	ParsePortion = parsePortion
)

// Pool is where everything but ownership gets its connections.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Step does what one run of a replay's job does for kind events.
func (s *Store) Step(ctx context.Context, id string) (done bool, err error) {
	r, err := s.startReplay(ctx, id)
	if err != nil || r.State.Done() {
		return true, err
	}
	return s.stepEvents(ctx, r)
}

// StepParse does what one run of a replay's job does for kind parse.
func (j *Jobs) StepParse(ctx context.Context, id string) (done bool, err error) {
	r, err := j.Store.startReplay(ctx, id)
	if err != nil || r.State.Done() {
		return true, err
	}
	return j.stepParse(ctx, r)
}

// EndStalled ends the connections of commits that were paused for longer than ttl.
func (s *Store) EndStalled(ctx context.Context, ttl time.Duration) error {
	return s.endStalled(ctx, ttl)
}

// BucketOf is the relay bucket of a channel.
func BucketOf(ch ingest.ChannelID) int16 { return bucketOf(ch) }

// IDAt makes a message id with a time.
func IDAt(t time.Time) ingest.MessageID { return newMessageID(t) }

// OpenTraced opens a store whose statements are told to a tracer.
func OpenTraced(ctx context.Context, cfg Config, tracer pgx.QueryTracer) (*Store, error) {
	s, err := Open(ctx, cfg)
	if err != nil {
		return nil, err
	}
	pc := s.pool.Config()
	pc.ConnConfig.Tracer = tracer
	s.pool.Close()
	s.pool, err = pgxpool.NewWithConfig(ctx, pc)
	return s, err
}
