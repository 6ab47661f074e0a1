package poll

import (
	"context"
	"log/slog"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/spool"
)

// Store is what a poller needs of the database.
type Store interface {
	ingest.Ledger
	// Polled loads channels by id; those that the replica does not own or that are switched off are left out.
	Polled(ctx context.Context, owner ingest.ReplicaID, ids []ingest.ChannelID) ([]*ingest.Channel, error)
	// Changed tells the revisions of owned channels that were changed or asked for within the window.
	Changed(ctx context.Context, owner ingest.ReplicaID, window time.Duration) (map[ingest.ChannelID]int64, error)
	// SaveHealth records what a visit found, unless the channel was changed or changed hands meanwhile.
	SaveHealth(ctx context.Context, own ingest.Ownership, revision int64, h ingest.Health) error
	// SaveFetch records the progress of a replay of kind fetch; wanted is false if it was cancelled.
	SaveFetch(ctx context.Context, id string, p ingest.Progress, done bool, failure string) (wanted bool, err error)
}

// Poller makes visits. One Poller serves all channels of the process; it is safe for concurrent use.
type Poller struct {
	Store Store
	// Open logs in to a mailbox. readOnly asks for a session that cannot change anything on the server.
	Open func(ctx context.Context, m *ingest.Mailbox, readOnly bool) (ingest.Session, error)
	// Parse makes a Mail of stored octets as the channel wants it; it cannot fail. Version is recorded with its result.
	Parse   func(ctx context.Context, ch *ingest.Channel, octets ingest.Octets) *ingest.Mail
	Version int
	// Event encodes the event that announces an item.
	Event   func(ingest.Committed) (typ string, data []byte, err error)
	Spool   *spool.Pool
	Log     *slog.Logger
	Metrics *Metrics
}

const (
	// A batch is one FETCH and one transaction. 200 messages keep a link of 20 ms busy; more would only lengthen what
	// is lost when a connection breaks.
	batchMessages = 200
	batchOctets   = 8 << 20
	// lookBack is how many UIDs below the cursor are listed again when the mailbox changed: a server that delivers
	// in parallel may show a lower UID after a higher one.
	lookBack = 100
	// maxAttempts is how often a message that brings no body is tried before it is quarantined.
	maxAttempts = 5
	// maxReopens is how often one visit logs in again to get around messages that break the connection.
	maxReopens = 10
	// recordTime is how long a stopped visit may take to write down what the server deleted for it.
	recordTime = 5 * time.Second
	// saveEvery is how often the last success of a channel without news is written down.
	saveEvery = time.Minute
)
