// Package store keeps everything that mailintake must not lose in Postgres: channels, their ownership, the ledger of
// messages, the messages, the events and what is still to be announced. It is the only importer of pgx and of the job
// queue that lives in the same database.
package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/mailintake/mailintake/store/seal"
)

// TTL is how long a replica that stops giving signs of life keeps what it owns, by the database's clock.
const TTL = 15 * time.Second

// Store is the database. It is safe for concurrent use.
type Store struct {
	pool *pgxpool.Pool
	// lease has connections for ownership alone: a replica must be able to give signs of life while all others are taken.
	lease  *pgxpool.Pool
	sealer *seal.Sealer
	log    *slog.Logger
	// wakeRelay gets a token whenever a commit wrote events, so that the relay of this process does not wait.
	wakeRelay chan struct{}
}

// Config says how to reach the database.
type Config struct {
	URL      string       // a connection URL or keyword string as libpq takes it
	MaxConns int          // 0 means 16; a Replica needs up to 2 more
	Sealer   *seal.Sealer // may be nil for commands that never touch credentials
	Log      *slog.Logger
}

// Open makes a pool; it does not connect yet. A URL that cannot be parsed is the only error, and it names no password.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	pc, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("store: the database URL cannot be read: %w", err)
	}
	pc.MaxConns = 16
	if cfg.MaxConns > 0 {
		pc.MaxConns = int32(cfg.MaxConns)
	}
	pc.MaxConnIdleTime = 5 * time.Minute
	pc.ConnConfig.ConnectTimeout = 5 * time.Second
	rp := pc.ConnConfig.RuntimeParams
	if rp["application_name"] == "" {
		rp["application_name"] = "mailintake"
	}
	// An owner that sleeps inside a transaction keeps its row locked, and SKIP LOCKED would hide the orphan from
	// everybody else; so the server ends such a transaction well before the owner counts as dead.
	rp["idle_in_transaction_session_timeout"] = fmt.Sprint((TTL / 2).Milliseconds())
	rp["statement_timeout"] = "60000"
	rp["timezone"] = "UTC"
	lc := pc.Copy()
	lc.MaxConns, lc.MinConns, lc.MinIdleConns = 2, 0, 0
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	lease, err := pgxpool.NewWithConfig(ctx, lc)
	if err != nil {
		pool.Close()
		return nil, fmt.Errorf("store: %w", err)
	}
	log := cfg.Log
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Store{pool: pool, lease: lease, sealer: cfg.Sealer, log: log, wakeRelay: make(chan struct{}, 1)}, nil
}

// Close frees all connections.
func (s *Store) Close() {
	s.pool.Close()
	s.lease.Close()
}

// Ping asks the database whether it is there and gives its clock and version.
func (s *Store) Ping(ctx context.Context) (now time.Time, version string, err error) {
	err = s.pool.QueryRow(ctx, `select now(), current_setting('server_version')`).Scan(&now, &version)
	return now, version, wrap("ping", err)
}

// RelayWake gives a token after commits that wrote events.
func (s *Store) RelayWake() <-chan struct{} { return s.wakeRelay }

func (s *Store) signalRelay() {
	select {
	case s.wakeRelay <- struct{}{}:
	default:
	}
}

// Error is a failure of the database. Its text is for logs, never for clients.
type Error struct {
	Op  string
	Err error
}

// Error reads "store: op: cause", on one line: the driver tells of every address that it tried on a line of its own.
func (e *Error) Error() string {
	return "store: " + e.Op + ": " + strings.Join(strings.FieldsFunc(e.Err.Error(), func(r rune) bool { return r == '\n' || r == '\t' }), " ")
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

func wrap(op string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{Op: op, Err: err}
}

// Unavailable reports whether err means that the database could not be reached or is not ready, so that the same
// call may go through later.
func Unavailable(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		// 08 connection exception, 40 rolled back for another's sake, 53 insufficient resources, 57P0x shutdown and
		// start-up, 25006 read-only after a failover
		for _, class := range []string{"08", "40", "53", "57P0", "25006"} {
			if strings.HasPrefix(pe.Code, class) {
				return true
			}
		}
		return false
	}
	// A connection that ended under way, or that was found closed. What is left is a fault of ours: a value that does
	// not fit its column, a row that cannot be read.
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

func violates(err error, constraint string) bool {
	var pe *pgconn.PgError
	return errors.As(err, &pe) && pe.ConstraintName == constraint
}
