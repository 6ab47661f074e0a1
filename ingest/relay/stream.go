package relay

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// StreamSettings are what the stream EMAIL is created with. An existing stream is used as it is, if it can be used.
type StreamSettings struct {
	Replicas   int           // 1 to 5, 0 means 1; production runs 3
	MaxAge     time.Duration // how long events stay; 0 means 7 days
	MaxBytes   int64         // oldest events go first beyond this; 0 means no limit
	Duplicates time.Duration // window in which Nats-Msg-Id is remembered; 0 means 2 minutes
}

// config is the stream as it is created. Tail reads must come from the leader, hence no direct gets.
func (s StreamSettings) config() jetstream.StreamConfig {
	if s.Replicas == 0 {
		s.Replicas = 1
	}
	if s.MaxAge == 0 {
		s.MaxAge = 7 * 24 * time.Hour
	}
	if s.MaxBytes == 0 {
		s.MaxBytes = -1
	}
	if s.Duplicates == 0 {
		s.Duplicates = 2 * time.Minute
	}
	return jetstream.StreamConfig{
		Name:               StreamName,
		Description:        "Email events of mailintake, in order per channel",
		Subjects:           []string{SubjectPrefix + ">"},
		Retention:          jetstream.LimitsPolicy,
		Storage:            jetstream.FileStorage,
		Discard:            jetstream.DiscardOld,
		Compression:        jetstream.S2Compression,
		Replicas:           s.Replicas,
		MaxAge:             s.MaxAge,
		MaxBytes:           s.MaxBytes,
		Duplicates:         s.Duplicates,
		AllowAtomicPublish: true,
	}
}

// minServer is the first nats-server with atomic batches.
const minServer = "2.12"

// ensure returns the stream, creating it where it is absent. Its errors say what to do.
func ensure(ctx context.Context, nc *nats.Conn, js jetstream.JetStream, settings StreamSettings) (*jetstream.StreamInfo, error) {
	if !nc.IsConnected() {
		return nil, disconnected(nc)
	}
	if err := checkServer(nc.ConnectedServerVersion()); err != nil {
		return nil, err
	}
	var info *jetstream.StreamInfo
	stream, err := js.Stream(ctx, StreamName)
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		stream, err = js.CreateStream(ctx, settings.config())
	}
	if err == nil {
		info, err = stream.Info(ctx)
	}
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		return nil, fmt.Errorf("JetStream is not enabled on %s for this account: start nats-server with --jetstream: %w", nc.ConnectedUrlRedacted(), err)
	case errors.Is(err, context.DeadlineExceeded):
		return nil, fmt.Errorf("stream %s: JetStream does not answer; a cluster needs more than half of its servers: %w", StreamName, err)
	case err != nil:
		return nil, fmt.Errorf("stream %s: %w", StreamName, err)
	}
	return info, checkStream(&info.Config)
}

// disconnected is errDisconnected with what is known about the reason.
func disconnected(nc *nats.Conn) error {
	if err := nc.LastError(); err != nil {
		return fmt.Errorf("%w: %w", errDisconnected, err)
	}
	return errDisconnected
}

// checkServer says what is wrong with a server version like "2.12.1" or "2.14.0-RC.1".
func checkServer(version string) error {
	majorText, rest, _ := strings.Cut(version, ".")
	minorText, _, _ := strings.Cut(rest, ".")
	major, err1 := strconv.Atoi(majorText)
	minor, err2 := strconv.Atoi(minorText)
	if err1 != nil || err2 != nil || major < 2 || major == 2 && minor < 12 {
		return fmt.Errorf("nats-server %s is too old: events are published in atomic batches, which need %s or later; upgrade the server", version, minServer)
	}
	return nil
}

// checkStream says why a stream that is there cannot be used.
func checkStream(c *jetstream.StreamConfig) error {
	covered := false
	for _, s := range c.Subjects {
		covered = covered || s == SubjectPrefix+">" || s == "email.>" || s == ">"
	}
	switch {
	case !c.AllowAtomicPublish:
		return fmt.Errorf("stream %s does not allow atomic batches: set allow_atomic to true (nats stream edit %[1]s), with every server at %s or later", StreamName, minServer)
	case c.Mirror != nil || c.Sealed:
		return fmt.Errorf("stream %s is a mirror or sealed and takes no events: rename or remove it, it is created anew", StreamName)
	case !covered:
		return fmt.Errorf("stream %s does not take the subjects %s>: add them to its subjects (it has %s)", StreamName, SubjectPrefix, strings.Join(c.Subjects, ", "))
	case c.Retention != jetstream.LimitsPolicy:
		return fmt.Errorf("stream %s has retention %s: it must be limits, or consumers remove the events that guard the order", StreamName, c.Retention)
	case c.NoAck:
		return fmt.Errorf("stream %s sends no acknowledgements: set no_ack to false", StreamName)
	}
	return nil
}

// neverExpires reports whether an event stored at since must still be there.
func neverExpires(info *jetstream.StreamInfo, since time.Time) bool {
	c := &info.Config
	if c.MaxBytes > 0 || c.MaxMsgs > 0 || c.MaxMsgsPerSubject > 0 {
		return false
	}
	return c.MaxAge == 0 || time.Since(since) < c.MaxAge
}
