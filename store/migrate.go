package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/mailintake/mailintake/migrations"
)

// partitionDays is how many days ahead there are partitions for.
const partitionDays = 14

// Migrate brings the schema to the newest version and makes partitions ahead. Replicas that start together take
// turns; a database that is up to date is left as it is. A schema from a newer release is an error. It returns what was
// applied, in words.
func (s *Store) Migrate(ctx context.Context) ([]string, error) {
	done, err := s.migrate(ctx)
	if err != nil {
		return done, err
	}
	n, err := s.MakePartitions(ctx)
	if n > 0 {
		done = append(done, fmt.Sprintf("%d day partitions", n))
	}
	return done, err
}

func (s *Store) migrate(ctx context.Context) (done []string, err error) {
	// Connections of its own: the limits of the pool are for short statements, a migration may have to rewrite a table.
	// Closing them is also what gives the lock back, whatever happens.
	pc := s.pool.Config()
	pc.MaxConns = 4
	pc.ConnConfig.RuntimeParams["statement_timeout"] = "0"
	pc.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = "0"
	pool, err := pgxpool.NewWithConfig(ctx, pc)
	if err != nil {
		return nil, wrap("migrate", err)
	}
	defer pool.Close()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return nil, wrap("migrate", err)
	}
	defer conn.Release()
	if err := lockSchema(ctx, conn.Conn()); err != nil {
		return nil, wrap("migrate", err)
	}
	db := stdlib.OpenDBFromPool(pool)
	defer db.Close()
	p, err := schema(ctx, db)
	if err != nil {
		return nil, err
	}
	results, err := p.Up(ctx)
	if err != nil {
		return nil, wrap("migrate", err)
	}
	for _, r := range results {
		done = append(done, r.Source.Path)
	}
	jobs, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: s.log})
	if err != nil {
		return done, wrap("migrate job queue", err)
	}
	res, err := jobs.Migrate(ctx, rivermigrate.DirectionUp, nil)
	if err != nil {
		return done, wrap("migrate job queue", err)
	}
	for _, v := range res.Versions {
		done = append(done, fmt.Sprintf("job queue version %d", v.Version))
	}
	return done, nil
}

// lockSchema waits for its turn to change the schema. It asks again and again: a statement that waited in the server
// would hold a snapshot, for which CREATE INDEX CONCURRENTLY of the other waits in turn.
func lockSchema(ctx context.Context, conn *pgx.Conn) error {
	for {
		var ours bool
		if err := conn.QueryRow(ctx, `select pg_try_advisory_lock(hashtext('mailintake.migrate'))`).Scan(&ours); err != nil || ours {
			return err
		}
		sleep(ctx, 200*time.Millisecond)
		if ctx.Err() != nil {
			return fmt.Errorf("another process is changing the schema: %w", ctx.Err())
		}
	}
}

// schema is the history of the schema, unless the database is ahead of it.
func schema(ctx context.Context, db *sql.DB) (*goose.Provider, error) {
	p, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS)
	if err != nil {
		return nil, wrap("schema", err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return nil, wrap("schema", err)
	}
	if current > target {
		return nil, fmt.Errorf("the database has schema version %d, this program knows %d: run a newer mailintake", current, target)
	}
	return p, nil
}

// Pending lists migrations that are not applied yet. A schema from a newer release is an error.
func (s *Store) Pending(ctx context.Context) ([]string, error) {
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	p, err := schema(ctx, db)
	if err != nil {
		return nil, err
	}
	current, err := p.GetDBVersion(ctx)
	if err != nil {
		return nil, wrap("pending", err)
	}
	var pending []string
	for _, src := range p.ListSources() {
		if src.Version > current {
			pending = append(pending, src.Path)
		}
	}
	jobs, err := rivermigrate.New(riverpgxv5.New(s.pool), &rivermigrate.Config{Logger: s.log})
	if err != nil {
		return nil, wrap("pending", err)
	}
	have, err := jobs.ExistingVersions(ctx)
	if err != nil {
		return nil, wrap("pending", err)
	}
	for _, v := range jobs.AllVersions() {
		if len(have) == 0 || v.Version > have[len(have)-1].Version {
			pending = append(pending, fmt.Sprintf("job queue version %d", v.Version))
		}
	}
	return pending, nil
}

// MakePartitions makes day partitions from yesterday to partitionDays ahead and returns how many tables it made. A day
// whose rows lie in a default partition already keeps them there: Postgres makes no partition then, and the other days
// must have theirs.
func (s *Store) MakePartitions(ctx context.Context) (int, error) {
	made := 0
	for i := range partitionDays {
		var n int
		err := s.pool.QueryRow(ctx, `select make_day_partitions((now() at time zone 'UTC')::date + $1::int, 1)`, i-1).Scan(&n)
		if pe, ok := errors.AsType[*pgconn.PgError](err); ok && pe.Code == "23514" {
			s.log.Warn("a day gets no partition of its own: it has rows in the default one", "day_from_today", i-1, "table", pe.TableName)
			continue
		}
		if err != nil {
			return made, wrap("make partitions", err)
		}
		made += n
	}
	return made, nil
}
