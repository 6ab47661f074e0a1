package relay

import (
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"
)

// DialOptions say how to reach NATS.
type DialOptions struct {
	// URL is one or more server URLs, separated by commas: nats://host:4222, tls://…, ws://…. A user and password or a
	// token may stand in it.
	URL string
	// Name is shown by the server's connection list.
	Name string
	// Credentials is the path of a NATS credentials file; empty for none.
	Credentials string
	// InProcess is an embedded server that is talked to without a socket; nil for none. It takes precedence over URL.
	InProcess interface{ InProcessConn() (net.Conn, error) }
	// Log gets one line when the connection is lost and one when it is there; nil for none.
	Log *slog.Logger
}

// Dial starts a connection that is kept alive for ever: it returns at once although the server may be away, and
// reconnects until it is closed. An error means that the options cannot work, for example an unreadable URL.
// The caller closes the connection.
func Dial(o DialOptions) (*nats.Conn, error) {
	log := o.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var told atomic.Bool // of an outage, once
	options := []nats.Option{
		nats.Name(o.Name),
		nats.RetryOnFailedConnect(true),
		nats.MaxReconnects(-1),
		// A batch that is cut in two by a lost connection must not continue on the next one.
		nats.ReconnectBufSize(-1),
		nats.CustomReconnectDelay(reconnectDelay),
		nats.Timeout(5 * time.Second),
		nats.PingInterval(15 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.ReconnectErrHandler(func(_ *nats.Conn, err error) {
			if told.CompareAndSwap(false, true) {
				log.Warn("NATS cannot be reached; events wait in the outbox until it can: see that it runs and that its URL is right", "error", err)
			}
		}),
		nats.ConnectHandler(func(c *nats.Conn) {
			told.Store(false)
			log.Info("connected to NATS", "server", c.ConnectedUrlRedacted(), "version", c.ConnectedServerVersion())
		}),
		nats.ReconnectHandler(func(c *nats.Conn) {
			told.Store(false)
			log.Info("connected to NATS again", "server", c.ConnectedUrlRedacted(), "version", c.ConnectedServerVersion())
		}),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) {
			if err != nil {
				log.Warn("connection to NATS lost; events wait in the outbox", "error", err)
			}
		}),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) {
			log.Debug("NATS reported an error", "error", err)
		}),
	}
	if o.Credentials != "" {
		options = append(options, nats.UserCredentials(o.Credentials))
	}
	if o.InProcess != nil {
		options = append(options, nats.InProcessServer(o.InProcess))
	}
	nc, err := nats.Connect(o.URL, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to NATS: %w", err)
	}
	return nc, nil
}

// reconnectDelay is the pause after the given number of rounds over all servers: 50 ms doubling to 2 s, half of it
// random so that replicas do not come back together.
func reconnectDelay(rounds int) time.Duration {
	d := min(50*time.Millisecond<<min(rounds, 6), 2*time.Second)
	return d/2 + rand.N(d/2+1)
}

// errDisconnected is a connection that is down; the connection's own handlers have logged it.
var errDisconnected = errors.New("not connected to NATS")
