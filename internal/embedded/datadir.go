package embedded

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// previousServerPatience is how long a start waits for the server of a previous run to finish.
const previousServerPatience = 60 * time.Second

var errSharedMemoryBusy = errors.New("the shared memory of a killed server is still in use; try again in a moment")

// dataVersion is the content of PG_VERSION, or empty if there is no data yet. A folder that is neither data nor empty
// is not ours to touch.
func dataVersion(data string) (string, error) {
	raw, err := os.ReadFile(filepath.Join(data, "PG_VERSION"))
	if err == nil {
		return strings.TrimSpace(string(raw)), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read the data directory: %w", err)
	}
	entries, err := os.ReadDir(data)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("cannot read the data directory: %w", err)
	case len(entries) > 0:
		return "", fmt.Errorf("%s holds files but is no Postgres data directory (no PG_VERSION): move it away or name another data folder", data)
	}
	return "", nil
}

// prepareDir makes dir, mode 0700, and hands it to the account. New parents are made passable for the account.
func prepareDir(dir string, run account) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	fi, err := os.Stat(dir)
	if err != nil {
		return err
	}
	if !fi.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	if run.cred != nil && fi.Sys().(*syscall.Stat_t).Uid != run.cred.Uid {
		// Handing over somebody's home or a folder of other things would lock its owner out: only what is ours or empty.
		entries, err := os.ReadDir(dir)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if !ownFile(e.Name()) {
				return fmt.Errorf("%s holds %s, which is not part of an embedded Postgres: name a folder of its own", dir, e.Name())
			}
		}
		if err := run.own(dir); err != nil {
			return err
		}
	}
	// Anyone who can connect is superuser, so nobody else may even see the socket.
	return os.Chmod(dir, 0o700)
}

func ownFile(name string) bool {
	switch name {
	case "data", unfinished, "lock", "postgres.log", "postgres.log.1":
		return true
	}
	return strings.HasPrefix(name, ".s.PGSQL.")
}

// unfinished is where initdb works. What lies there was never a database.
const unfinished = "data.unfinished"

// createCluster runs initdb beside data and renames the result, so that data is either absent or complete.
func createCluster(ctx context.Context, inst installation, run account, cfg PostgresConfig, data string) error {
	tmp := filepath.Join(cfg.Dir, unfinished)
	// postmaster.opts is written by a server's first start, which never happens here.
	if _, err := os.Lstat(filepath.Join(tmp, "postmaster.opts")); err == nil {
		return fmt.Errorf("%s has been used by a server, although it should be the remains of an interrupted initdb: move it away", tmp)
	}
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	args := []string{"-D", tmp, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"}
	if cfg.Fast {
		args = append(args, "--no-sync")
	}
	if out, err := run.command(ctx, cfg.Dir, filepath.Join(inst.bin, "initdb"), args...).CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, lastLines(string(out), 8))
	}
	// lz4 makes full-page images four times cheaper than pglz, but is a build option and new in 15.
	probe := run.command(ctx, cfg.Dir, filepath.Join(inst.bin, "postgres"), "-D", tmp, "-C", "wal_compression", "-c", "wal_compression=lz4")
	method := "on"
	if probe.Run() == nil {
		method = "lz4"
	}
	conf, err := os.OpenFile(filepath.Join(tmp, "postgresql.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(conf, "\nwal_compression = %s\n", method)
	if !cfg.Fast {
		err = errors.Join(err, conf.Sync())
	}
	if err := errors.Join(err, conf.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, data); err != nil { // data is absent or an empty folder
		return err
	}
	return syncDir(cfg.Dir)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// lockDir takes the folder for this process. The kernel frees the lock when the process ends, however it ends.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		defer f.Close()
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		holder := "another process"
		if raw, err := os.ReadFile(f.Name()); err == nil && len(raw) > 0 {
			holder = "process " + strings.TrimSpace(string(raw))
		}
		return nil, fmt.Errorf("%w: %s runs a server on %s; stop it or name another data folder", ErrDirInUse, holder, dir)
	}
	// Only a hint for the error above; the lock itself does not depend on it.
	if err := f.Truncate(0); err == nil {
		_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	return f, nil
}

// waitForPrevious waits for a server that a killed previous run left behind: its parent's death told it to stop, and a
// checkpoint takes time. The caller holds the lock of the folder, so nobody else is about to start one.
func waitForPrevious(ctx context.Context, data string, log *slog.Logger) error {
	pidFile := filepath.Join(data, "postmaster.pid")
	deadline := time.Now().Add(previousServerPatience)
	for told := false; ; told = true {
		raw, err := os.ReadFile(pidFile)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(string(raw), "\n")
		pid, err := strconv.Atoi(strings.TrimSpace(first))
		if err != nil || pid <= 0 {
			return nil // Postgres itself knows what to make of it
		}
		if !alive(pid) {
			return nil // stale; Postgres replaces it
		}
		if elsewhere(pid, data) {
			// The number now belongs to some other process, as often happens after a restart of a container. Postgres would
			// take that process for the old server if both run as the same user. Its other guard, the shared memory that
			// belongs to the data directory, stays in force.
			if err := os.Remove(pidFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
			return nil
		}
		if !told {
			log.Info("waiting for the postgres of a previous run to stop", "pid", pid, "dir", data)
		}
		if time.Now().After(deadline) || !pause(ctx, 20*time.Millisecond) {
			return fmt.Errorf("%w: a Postgres of a previous run (pid %d) is still working on %s; to stop it: kill -INT %d", ErrDirInUse, pid, data, pid)
		}
	}
}

func alive(pid int) bool {
	err := syscall.Kill(pid, 0)
	return err == nil || errors.Is(err, syscall.EPERM)
}

// elsewhere reports that the process certainly does not work on data: it is dead and waits to be reaped, or its working
// directory is another one than a server's, which is its data directory. Where /proc does not tell, it returns false.
func elsewhere(pid int, data string) bool {
	if stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
		// "pid (name) state …", proc(5); the name may hold anything, so look behind its last parenthesis.
		if i := strings.LastIndexByte(string(stat), ')'); i >= 0 && strings.HasPrefix(string(stat[i:]), ") Z") {
			return true
		}
	}
	cwd, err := os.Stat(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		return false
	}
	own, err := os.Stat(data)
	return err == nil && !os.SameFile(cwd, own)
}

// maxSocketPath is what fits sun_path of Linux with its final zero: unix(7).
const maxSocketPath = 107

// socketDir is dir itself, or a folder with a short name below the temp directory where dir is too long for a socket or
// has characters that separate lists in connection strings and settings.
func socketDir(dir string, run account) (string, error) {
	longest := filepath.Join(dir, ".s.PGSQL."+postgresPort+".lock")
	if len(longest) <= maxSocketPath && strings.IndexFunc(dir, unusualInPath) < 0 {
		return dir, nil
	}
	// Always the same name for the same folder, so that a killed run's leftover is used again instead of piling up.
	sum := sha256.Sum256([]byte(dir))
	short := filepath.Join(os.TempDir(), fmt.Sprintf("mailintake-%x", sum[:8]))
	err := os.Mkdir(short, 0o700)
	switch {
	case err == nil:
		if err := run.own(short); err != nil {
			return "", err
		}
	case errors.Is(err, fs.ErrExist):
		// Anybody may make names in the temp directory: use it only if it is ours and closed to others.
		uid := uint32(os.Geteuid())
		if run.cred != nil {
			uid = run.cred.Uid
		}
		fi, err := os.Lstat(short)
		if err != nil {
			return "", err
		}
		if !fi.IsDir() || fi.Mode().Perm() != 0o700 || fi.Sys().(*syscall.Stat_t).Uid != uid {
			return "", fmt.Errorf("%s, needed for the socket since %s is too long, exists and is not ours: remove it or choose a shorter data folder", short, dir)
		}
	default:
		return "", err
	}
	if len(filepath.Join(short, ".s.PGSQL."+postgresPort+".lock")) > maxSocketPath {
		return "", fmt.Errorf("neither %s nor %s is short enough for a socket: choose a shorter data folder", dir, short)
	}
	return short, nil
}

func unusualInPath(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+~", r))
}
