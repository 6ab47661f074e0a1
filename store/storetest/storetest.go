// Package storetest gives every test a database of its own: a clone of a migrated template on a Postgres that lives as
// long as the test binary.
package storetest

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"github.com/mailintake/mailintake/internal/embedded"
	"github.com/mailintake/mailintake/store"
	"github.com/mailintake/mailintake/store/seal"
)

// Run is the body of TestMain: it runs the tests, then stops the server and removes its data. It returns the exit status.
func Run(m *testing.M) int {
	code := m.Run()
	shared.stop()
	return code
}

// DB is one test's database.
type DB struct {
	*store.Store
	URL    string
	Sealer *seal.Sealer
	Server *embedded.Postgres
	t      testing.TB
	dir    string // of NewServer
}

// New makes a database for the test and drops it at its end. A machine without Postgres fails the test: nothing here
// can be shown without one.
func New(t testing.TB) *DB {
	t.Helper()
	srv, sealer, err := shared.start()
	if err != nil {
		t.Fatalf("no Postgres for the test: %v", err)
	}
	ctx := context.Background()
	name := fmt.Sprintf("test_%d", shared.count.Add(1))
	admin, err := pgx.Connect(ctx, srv.DSN())
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close(ctx)
	if _, err := admin.Exec(ctx, `create database `+name+` template mailintake_template`); err != nil {
		t.Fatal(err)
	}
	url := srv.DatabaseURL(name)
	st, err := store.Open(ctx, store.Config{URL: url, Sealer: sealer, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		st.Close()
		admin, err := pgx.Connect(ctx, srv.DSN())
		if err != nil {
			t.Error(err)
			return
		}
		defer admin.Close(ctx)
		if _, err := admin.Exec(ctx, `drop database `+name+` with (force)`); err != nil {
			t.Error(err)
		}
	})
	return &DB{Store: st, URL: url, Sealer: sealer, Server: srv, t: t}
}

// NewServer makes a database on a Postgres of its own, for a test that stops it.
func NewServer(t testing.TB) *DB {
	t.Helper()
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "mi-pg-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	db := &DB{t: t, dir: dir}
	t.Cleanup(func() {
		if db.Store != nil {
			db.Store.Close()
		}
		if db.Server != nil {
			db.Server.Kill()
		}
		os.RemoveAll(dir)
	})
	db.Resume()
	if db.URL, err = db.Server.CreateDatabase(ctx, "mailintake"); err != nil {
		t.Fatal(err)
	}
	if db.Sealer, err = newSealer(); err != nil {
		t.Fatal(err)
	}
	if db.Store, err = store.Open(ctx, store.Config{URL: db.URL, Sealer: db.Sealer}); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Migrate(ctx); err != nil {
		t.Fatal(err)
	}
	return db
}

// Resume starts the server of NewServer again after Server.Kill.
func (db *DB) Resume() {
	db.t.Helper()
	srv, err := embedded.StartPostgres(context.Background(), embedded.PostgresConfig{Dir: db.dir + "/pg"})
	if err != nil {
		db.t.Fatal(err)
	}
	db.Server = srv
}

// Pause stops the server of NewServer in its tracks, as a machine that hangs does: it takes connections and answers none.
// The function that it returns lets it go on.
func (db *DB) Pause() (goOn func()) {
	db.t.Helper()
	pids := db.pids()
	signal := func(sig syscall.Signal) {
		for _, pid := range pids {
			// A backend may have ended meanwhile.
			if err := syscall.Kill(pid, sig); err != nil && err != syscall.ESRCH {
				db.t.Error(err)
			}
		}
	}
	signal(syscall.SIGSTOP)
	goOn = sync.OnceFunc(func() { signal(syscall.SIGCONT) })
	db.t.Cleanup(goOn)
	return goOn
}

// pids are the postmaster, first, so that it starts no more, and its children.
func (db *DB) pids() []int {
	db.t.Helper()
	file, err := os.ReadFile(db.dir + "/pg/data/postmaster.pid")
	if err != nil {
		db.t.Fatal(err)
	}
	first, _, _ := strings.Cut(string(file), "\n")
	postmaster, err := strconv.Atoi(first)
	if err != nil {
		db.t.Fatal(err)
	}
	pids := []int{postmaster}
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil || len(stats) == 0 {
		db.t.Skip("a server can be paused only where /proc lists its processes")
	}
	for _, name := range stats {
		stat, err := os.ReadFile(name)
		if err != nil {
			continue // ended meanwhile
		}
		// proc(5): pid (comm) state ppid …; comm may hold spaces and brackets.
		line := string(stat)
		rest := strings.Fields(line[strings.LastIndexByte(line, ')')+1:])
		if len(rest) > 1 && rest[1] == first {
			pid, err := strconv.Atoi(line[:strings.IndexByte(line, ' ')])
			if err != nil {
				db.t.Fatal(err)
			}
			pids = append(pids, pid)
		}
	}
	return pids
}

// NewSealer makes a sealer with a key of its own, which opens nothing of what others sealed.
func NewSealer(t testing.TB) *seal.Sealer {
	t.Helper()
	s, err := newSealer()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newSealer() (*seal.Sealer, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	return seal.New(handle)
}

// Exec runs a statement behind the store's back, to move what a test moves.
func (db *DB) Exec(sql string, args ...any) int64 {
	db.t.Helper()
	conn, err := pgx.Connect(context.Background(), db.URL)
	if err != nil {
		db.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	tag, err := conn.Exec(context.Background(), sql, args...)
	if err != nil {
		db.t.Fatalf("%s: %v", sql, err)
	}
	return tag.RowsAffected()
}

// Int runs a query that gives one number.
func (db *DB) Int(sql string, args ...any) int64 {
	db.t.Helper()
	conn, err := pgx.Connect(context.Background(), db.URL)
	if err != nil {
		db.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	var n int64
	if err := conn.QueryRow(context.Background(), sql, args...).Scan(&n); err != nil {
		db.t.Fatalf("%s: %v", sql, err)
	}
	return n
}

// shared is the server of this test binary. It is the one piece of package state that a clone of a template needs: a
// server for each test would cost half a second each.
var shared servers

type servers struct {
	mu     sync.Mutex
	dir    string
	pg     *embedded.Postgres
	sealer *seal.Sealer
	err    error
	count  atomic.Int64
}

func (s *servers) start() (*embedded.Postgres, *seal.Sealer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pg != nil || s.err != nil {
		return s.pg, s.sealer, s.err
	}
	s.err = func() (err error) {
		if s.sealer, err = newSealer(); err != nil {
			return err
		}
		if s.dir, err = os.MkdirTemp("", "mi-pg-"); err != nil {
			return err
		}
		// The server runs as another user when the test runs as root, and must reach its folder.
		if err := os.Chmod(s.dir, 0o755); err != nil {
			return err
		}
		ctx := context.Background()
		pg, err := embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: s.dir + "/pg", Fast: true})
		if err != nil {
			return err
		}
		url, err := pg.CreateDatabase(ctx, "mailintake_template")
		if err != nil {
			return err
		}
		st, err := store.Open(ctx, store.Config{URL: url})
		if err != nil {
			return err
		}
		defer st.Close()
		if _, err := st.Migrate(ctx); err != nil {
			return err
		}
		s.pg = pg
		return nil
	}()
	return s.pg, s.sealer, s.err
}

func (s *servers) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pg != nil {
		s.pg.Kill()
	}
	if s.dir != "" {
		os.RemoveAll(s.dir)
	}
}
