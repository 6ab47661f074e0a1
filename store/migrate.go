package store

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"

	"github.com/mailintake/mailintake/migrations"
)

// partitionDays is how many days ahead there are partitions for.
const partitionDays = 14

// Migrate brings the schema to the newest version and makes partitions ahead. Replicas that start together take
// turns; a database that is up to date is left as it is. It returns what was applied, in words.
func (s *Store) Migrate(ctx context.Context) ([]string, error) {
	locker, err := lock.NewPostgresSessionLocker()
	if err != nil {
		return nil, wrap("migrate", err)
	}
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS, goose.WithSessionLocker(locker))
	if err != nil {
		return nil, wrap("migrate", err)
	}
	results, err := p.Up(ctx)
	if err != nil {
		return nil, wrap("migrate", err)
	}
	var done []string
	for _, r := range results {
		done = append(done, r.Source.Path)
	}
	jobs, err := rivermigrate.New(riverpgxv5.New(s.pool), &rivermigrate.Config{Logger: s.log})
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
	n, err := s.MakePartitions(ctx)
	if n > 0 {
		done = append(done, fmt.Sprintf("%d day partitions", n))
	}
	return done, err
}

// Pending lists migrations that are not applied yet. A schema from a newer release is an error.
func (s *Store) Pending(ctx context.Context) ([]string, error) {
	db := stdlib.OpenDBFromPool(s.pool)
	defer db.Close()
	p, err := goose.NewProvider(goose.DialectPostgres, db, migrations.FS)
	if err != nil {
		return nil, wrap("pending", err)
	}
	current, target, err := p.GetVersions(ctx)
	if err != nil {
		return nil, wrap("pending", err)
	}
	if current > target {
		return nil, fmt.Errorf("the database has schema version %d, this program knows %d: run a newer mailintake", current, target)
	}
	var pending []string
	for _, src := range p.ListSources() {
		if src.Version > current {
			pending = append(pending, src.Path)
		}
	}
	return pending, nil
}

// MakePartitions makes day partitions from yesterday to partitionDays ahead and returns how many tables it made.
func (s *Store) MakePartitions(ctx context.Context) (int, error) {
	var n int
	err := s.pool.QueryRow(ctx, `select make_day_partitions((now() at time zone 'UTC')::date - 1, $1)`, partitionDays).Scan(&n)
	return n, wrap("make partitions", err)
}
