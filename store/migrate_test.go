package store_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mailintake/mailintake/store"
	"github.com/mailintake/mailintake/store/storetest"
)

// empty is a database without any schema.
func empty(t *testing.T) *storetest.DB {
	t.Helper()
	db := storetest.New(t)
	db.Exec(`drop schema public cascade`)
	db.Exec(`create schema public`)
	return db
}

func TestMigrateAtTheSameTime(t *testing.T) {
	t.Parallel()
	db := empty(t)
	type result struct {
		done []string
		err  error
	}
	const n = 3
	results := make(chan result, n)
	for range n {
		st := open(t, db)
		go func() {
			done, err := st.Migrate(t.Context())
			results <- result{done, err}
		}()
	}
	did := 0
	for range n {
		r := <-results
		if r.err != nil {
			t.Errorf("Migrate: %v (%q)", r.err, r.done)
		}
		if slices.ContainsFunc(r.done, func(s string) bool { return strings.Contains(s, "0001_mailbox.sql") }) {
			did++
		}
	}
	if did != 1 {
		t.Errorf("%d of %d applied the schema, want 1", did, n)
	}
	if got := db.Int(`select count(*) from goose_db_version where version_id = 1`); got != 1 {
		t.Errorf("the first migration is on record %d times", got)
	}
	if pending, err := db.Pending(t.Context()); err != nil || len(pending) != 0 {
		t.Errorf("pending: got %q, %v, want none", pending, err)
	}
	if done, err := db.Migrate(t.Context()); err != nil || len(done) != 0 {
		t.Errorf("again: got %q, %v, want nothing to do", done, err)
	}
	if got := db.Int(`select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())`); got != 0 {
		t.Errorf("%d advisory locks are left", got)
	}
	newChannel(t, db, "works")
}

func TestPending(t *testing.T) {
	t.Parallel()
	db := empty(t)
	pending, err := db.Pending(t.Context())
	if err != nil || len(pending) < 2 || !strings.Contains(pending[0], "0001_mailbox.sql") || !strings.Contains(pending[len(pending)-1], "job queue version") {
		t.Errorf("empty database: got %q, %v", pending, err)
	}
	done, err := db.Migrate(t.Context())
	if err != nil || !slices.Equal(done[:len(pending)], pending) || len(done) != len(pending)+1 || !strings.Contains(done[len(pending)], "day partitions") {
		t.Errorf("applied: got %q, %v, want %q and day partitions", done, err, pending)
	}
	// The job queue's own history counts: without its newest tables no replay can be worked at.
	last := db.Int(`select max(version) from river_migration`)
	db.Exec(`delete from river_migration where version = $1`, last)
	if pending, err = db.Pending(t.Context()); err != nil || len(pending) != 1 {
		t.Errorf("the job queue lags behind: got %q, %v, want one", pending, err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	db.Exec(`insert into goose_db_version (version_id, is_applied) values (9999, true)`)
	if pending, err := db.Pending(t.Context()); err == nil || !strings.Contains(err.Error(), "9999") {
		t.Errorf("pending: got %q, %v, want an error that names the version", pending, err)
	}
	if done, err := db.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "9999") {
		t.Errorf("migrate: got %q, %v, want an error that names the version", done, err)
	}
}

func TestPartitions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if n, err := b.MakePartitions(t.Context()); err != nil || n != 0 {
		t.Errorf("again: made %d, %v, want none", n, err)
	}
	const days = `select count(*) from pg_inherits where inhparent = 'message'::regclass`
	before := b.Int(days)
	if before != 15 {
		t.Errorf("%d partitions of message, want 14 days and the default", before)
	}
	drop := func(day string) {
		for _, parent := range []string{"message", "raw", "event"} {
			b.Exec(`do $$ begin execute format('drop table ` + parent + `_%s', to_char((now() at time zone 'UTC')::date + ` + day + `, 'YYYYMMDD')); end $$`)
		}
	}
	drop("3")
	if n, err := b.MakePartitions(t.Context()); err != nil || n != 3 {
		t.Errorf("a day was missing: made %d, %v, want 3", n, err)
	}
	b.mustCommit(t, message(1, []byte("in its day")))
	if n := b.Int(`select count(*) from message_default`); n != 0 {
		t.Errorf("%d messages in the default partition", n)
	}
	// Nobody made today's partitions: mail comes in all the same.
	b.Exec(`delete from raw; delete from event; delete from message; delete from ledger; delete from outbox; update channel_state set next_seq = 1`)
	drop("0")
	r := b.mustCommit(t, message(2, []byte("in no day")))
	for _, table := range []string{"message_default", "raw_default", "event_default"} {
		if n := b.Int(`select count(*) from ` + table); n != 1 {
			t.Errorf("%s has %d rows, want 1", table, n)
		}
	}
	if m, err := b.Message(t.Context(), "acme", "support", r.IDs[ref(2)]); err != nil || m.Size != 9 {
		t.Errorf("got %d octets, %v", m.Size, err)
	}
	// That day cannot have its own partition any more, and this must not keep the others from theirs.
	drop("2")
	drop("5")
	if n, err := b.MakePartitions(t.Context()); err != nil || n != 6 {
		t.Errorf("made %d, %v, want the 6 of two other days", n, err)
	}
	b.mustCommit(t, message(3, []byte("still comes in")))
	if vs := b.violations(t); len(vs) != 0 {
		t.Errorf("violations: %q", texts(vs))
	}
}

func (b *bench) violations(t *testing.T) []store.Violation {
	t.Helper()
	var vs []store.Violation
	if _, err := b.Verify(t.Context(), func(v store.Violation) { vs = append(vs, v) }); err != nil {
		t.Fatal(err)
	}
	return vs
}
