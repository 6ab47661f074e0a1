package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// PostgresConfig says where an embedded Postgres keeps its data and how it differs from the defaults.
type PostgresConfig struct {
	// Dir belongs to this Postgres alone: data, log, lock and socket lie in it. It is made if absent; run by root, it
	// is handed to the user that the server runs as. Its parents must be traversable by that user.
	Dir string
	// Settings override the defaults below, by Postgres' own names and syntax ("max_connections": "300").
	Settings map[string]string
	// Fast gives up durability: a crash of the machine may destroy the database. For tests.
	Fast bool
	// BinDir is the folder of initdb and postgres. Empty: the one in PATH, then the newest in /usr/lib/postgresql,
	// but one that fits existing data goes before any other.
	BinDir string
	// Log receives start, recovery and stop. Nil discards them. The server's own log is Dir/postgres.log.
	Log *slog.Logger
}

// The errors of StartPostgres that a caller may want to tell apart. Each comes wrapped with the folder and what to do.
var (
	// ErrDirInUse means that another process runs a server on the folder.
	ErrDirInUse = errors.New("folder is in use")
	// ErrNotInstalled means that no usable Postgres was found on this machine.
	ErrNotInstalled = errors.New("postgres is not installed")
	// ErrVersionMismatch means that the data was written by another major version of Postgres.
	ErrVersionMismatch = errors.New("data of another Postgres version")
	// ErrUnreachableDir means that the user which Postgres runs as cannot get to the folder.
	ErrUnreachableDir = errors.New("folder is not reachable")
)

// Postgres is a running server. It ends with Stop, with Kill, or when this process dies in whatever way.
type Postgres struct {
	dir       string
	socketDir string
	version   string
	log       *slog.Logger
	child     *child
	lock      *os.File

	mu       sync.Mutex
	stopping bool // Stop or Kill was called: an exit is no failure
	err      error
	done     chan struct{}
}

const postgresPort = "5432" // only names the socket file: nothing listens on TCP

// StartPostgres makes the data directory if there is none, starts the server on it and returns when it answers
// queries; after a crash that takes as long as its recovery. The context bounds the start alone.
//
// It returns errors wrapping ErrNotInstalled, ErrDirInUse, ErrVersionMismatch and ErrUnreachableDir; other failures
// quote the end of the server's log. On any error nothing is left running.
func StartPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(cfg.Dir)
	if err != nil {
		return nil, fmt.Errorf("embedded postgres: %w", err)
	}
	cfg.Dir = dir
	p, err := startPostgres(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("embedded postgres: %w", err)
	}
	return p, nil
}

func startPostgres(ctx context.Context, cfg PostgresConfig) (*Postgres, error) {
	begin := time.Now()
	data := filepath.Join(cfg.Dir, "data")
	have, err := dataVersion(data)
	if err != nil {
		return nil, err
	}
	inst, err := findInstallation(ctx, cfg.BinDir, have)
	if err != nil {
		return nil, err
	}
	if have != "" && have != inst.major() {
		return nil, fmt.Errorf("%w: %s was written by Postgres %s, but %s is version %s; install Postgres %s beside it "+
			"(apt-get install -y postgresql-%s), or convert the data with pg_upgrade, or name another data folder. Nothing was changed",
			ErrVersionMismatch, data, have, inst.bin, inst.version, have, have)
	}
	run, err := chooseAccount(data)
	if err != nil {
		return nil, err
	}
	if err := prepareDir(cfg.Dir, run); err != nil {
		return nil, err
	}
	lock, err := lockDir(cfg.Dir)
	if err != nil {
		return nil, err
	}
	p := &Postgres{dir: cfg.Dir, version: inst.version, log: cfg.Log, lock: lock, done: make(chan struct{})}
	ok := false
	defer func() {
		if !ok {
			p.release()
		}
	}()
	if err := run.canReach(ctx, inst, cfg.Dir); err != nil {
		return nil, err
	}
	if err := waitForPrevious(ctx, data, cfg.Log); err != nil {
		return nil, err
	}
	if have == "" {
		if err := createCluster(ctx, inst, run, cfg, data); err != nil {
			return nil, err
		}
		cfg.Log.Info("postgres data directory made", "dir", data, "version", inst.version, "took", time.Since(begin))
		begin = time.Now()
	}
	if p.socketDir, err = socketDir(cfg.Dir, run); err != nil {
		return nil, err
	}
	for {
		err := p.launch(ctx, inst, run, cfg, data)
		if err == nil {
			break
		}
		// The backends of a killed server hold its shared memory for a moment after the server itself is gone.
		if !errors.Is(err, errSharedMemoryBusy) || !pause(ctx, 50*time.Millisecond) || time.Since(begin) > previousServerPatience {
			return nil, err
		}
	}
	ok = true
	cfg.Log.Info("postgres started", "dir", cfg.Dir, "version", inst.version, "pid", p.child.pid(), "took", time.Since(begin))
	return p, nil
}

// settings are the defaults with the caller's changes, as command line arguments in a stable order.
func (cfg PostgresConfig) settings(socketDir string) []string {
	s := map[string]string{
		"shared_buffers":     "128MB",
		"max_wal_size":       "2GB",
		"checkpoint_timeout": "15min",
		"jit":                "off", // our statements are short: compiling them costs more than it saves
		"timezone":           "UTC",
		"log_timezone":       "UTC",
	}
	if cfg.Fast {
		s["fsync"], s["synchronous_commit"], s["full_page_writes"] = "off", "off", "off"
	}
	maps.Copy(s, cfg.Settings)
	s["listen_addresses"] = ""
	s["port"] = postgresPort
	s["unix_socket_directories"] = socketDir
	s["unix_socket_permissions"] = "0700"
	var args []string
	for _, k := range slices.Sorted(maps.Keys(s)) {
		args = append(args, "-c", k+"="+s[k])
	}
	return args
}

// launch starts the server and waits until it answers.
func (p *Postgres) launch(ctx context.Context, inst installation, run account, cfg PostgresConfig, data string) error {
	logFile, err := openLog(filepath.Join(p.dir, "postgres.log"))
	if err != nil {
		return err
	}
	defer logFile.Close()
	mark, err := logFile.Seek(0, 2)
	if err != nil {
		return err
	}
	c, err := startChild(run.command(context.WithoutCancel(ctx), p.dir, filepath.Join(inst.bin, "postgres"),
		append([]string{"-D", data}, cfg.settings(p.socketDir)...)...), logFile)
	if err != nil {
		return fmt.Errorf("cannot start %s: %w", inst.bin, err)
	}
	if err := p.awaitReady(ctx, c, logFile.Name(), mark); err != nil {
		c.signal(syscall.SIGQUIT)
		<-c.exited
		return err
	}
	p.child = c
	go p.watch(logFile.Name(), mark)
	return nil
}

// awaitReady asks until the server answers a query, dies, or the context ends.
func (p *Postgres) awaitReady(ctx context.Context, c *child, logName string, mark int64) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	nextWord := time.Now().Add(5 * time.Second)
	for {
		select {
		case <-c.exited:
			tail := logSince(logName, mark)
			if strings.Contains(tail, "pre-existing shared memory block") {
				return errSharedMemoryBusy
			}
			return fmt.Errorf("postgres ended at start (%v); the end of %s:\n%s", c.cmd.ProcessState, logName, lastLines(tail, 8))
		case <-ctx.Done():
			return fmt.Errorf("postgres did not answer in time (%w); the end of %s:\n%s", ctx.Err(), logName, lastLines(logSince(logName, mark), 8))
		case <-tick.C:
		}
		if _, err := os.Lstat(filepath.Join(p.socketDir, ".s.PGSQL."+postgresPort)); err != nil {
			continue // no socket yet, and no use to ask
		}
		if err := p.exec(ctx, "postgres", "SELECT 1"); err == nil {
			return nil
		}
		if time.Now().After(nextWord) {
			p.log.Info("postgres is not ready yet", "log", logName, "says", lastLines(logSince(logName, mark), 1))
			nextWord = time.Now().Add(10 * time.Second)
		}
	}
}

// watch records the end of the server and gives back what it held.
func (p *Postgres) watch(logName string, mark int64) {
	<-p.child.exited
	p.mu.Lock()
	if !p.stopping {
		p.err = fmt.Errorf("embedded postgres: ended by itself (%v); the end of %s:\n%s", p.child.cmd.ProcessState, logName, lastLines(logSince(logName, mark), 8))
	}
	p.mu.Unlock()
	p.release()
	close(p.done)
}

func (p *Postgres) release() {
	if p.socketDir != "" && p.socketDir != p.dir {
		os.RemoveAll(p.socketDir) // our own folder in the temp directory, holds the socket only
	}
	p.lock.Close()
}

// exec runs one statement without parameters.
func (p *Postgres) exec(ctx context.Context, database, sql string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	conn, err := pgconn.Connect(ctx, p.DatabaseURL(database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }() // whether the statement was done is known by then
	return conn.Exec(ctx, sql).Close()
}

// DSN is the URL of the database "postgres" for the superuser. It works for this process' user and for root.
func (p *Postgres) DSN() string { return p.DatabaseURL("postgres") }

// DatabaseURL is the URL of the named database, which need not exist.
func (p *Postgres) DatabaseURL(name string) string {
	q := url.Values{"host": {p.socketDir}, "port": {postgresPort}, "user": {"postgres"}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", Path: "/" + name, RawQuery: q.Encode()}).String()
}

// CreateDatabase makes the named database unless it exists and returns its URL.
func (p *Postgres) CreateDatabase(ctx context.Context, name string) (string, error) {
	err := p.exec(ctx, "postgres", "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	var pg *pgconn.PgError
	if err != nil && !(errors.As(err, &pg) && pg.Code == "42P04") { // duplicate_database
		return "", fmt.Errorf("embedded postgres: create database %s: %w", name, err)
	}
	return p.DatabaseURL(name), nil
}

// Version is the server's version, for example "15.18".
func (p *Postgres) Version() string { return p.version }

// Done is closed when the server has ended, for whatever reason.
func (p *Postgres) Done() <-chan struct{} { return p.done }

// Err is nil while the server runs and after Stop or Kill; otherwise it says why the server ended.
func (p *Postgres) Err() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// Stop ends the server cleanly: it disconnects clients, writes a checkpoint and exits. If the context ends first the
// server is told to quit at once and Stop returns the context's error; no data is lost, but the next start recovers.
// Stopping twice is harmless.
func (p *Postgres) Stop(ctx context.Context) error {
	p.end(syscall.SIGINT) // "fast shutdown" in Postgres' words
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
	}
	p.end(syscall.SIGQUIT)
	select {
	case <-p.done:
	case <-time.After(10 * time.Second):
		p.end(syscall.SIGKILL)
		<-p.done
	}
	return fmt.Errorf("embedded postgres: stopped without a checkpoint, the next start will recover: %w", ctx.Err())
}

// Kill ends the server with SIGKILL, as a crash would. For tests.
func (p *Postgres) Kill() {
	p.end(syscall.SIGKILL)
	<-p.done
}

func (p *Postgres) end(sig syscall.Signal) {
	p.mu.Lock()
	p.stopping = true
	p.mu.Unlock()
	p.child.signal(sig)
}

// pause waits, unless the context ends first; then it returns false.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
