package embedded

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// childEnv makes the test binary start a Postgres on the named folder, print its process id and wait to be killed.
const childEnv = "MAILINTAKE_TEST_EMBEDDED_CHILD"

func TestMain(m *testing.M) {
	dir := os.Getenv(childEnv)
	if dir == "" {
		os.Exit(m.Run())
	}
	p, err := StartPostgres(context.Background(), PostgresConfig{Dir: dir})
	if err != nil {
		fmt.Println("error:", err)
		os.Exit(1)
	}
	fmt.Println(p.child.pid())
	select {}
}

// passableDir is a folder that other users may enter, unlike T.TempDir.
func passableDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mi-pg-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

func requirePostgres(t *testing.T) {
	t.Helper()
	if _, err := findInstallation(t.Context(), "", ""); err != nil {
		t.Skip(err)
	}
}

func start(t *testing.T, cfg PostgresConfig) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return p
}

// query returns the first column of the first row.
func query(t *testing.T, url, sql string) string {
	t.Helper()
	conn, err := pgconn.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.Background())
	res, err := conn.Exec(t.Context(), sql).ReadAll()
	if err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	if len(res) == 0 || len(res[len(res)-1].Rows) == 0 {
		return ""
	}
	return string(res[len(res)-1].Rows[0][0])
}

func TestColdAndWarmStart(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	dir := filepath.Join(passableDir(t), "pg")

	begin := time.Now()
	p := start(t, PostgresConfig{Dir: dir})
	t.Logf("cold start %v, Postgres %s", time.Since(begin), p.Version())
	url, err := p.CreateDatabase(t.Context(), "mailintake")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.CreateDatabase(t.Context(), "mailintake"); err != nil {
		t.Fatalf("creating it again: %v", err)
	}
	query(t, url, "CREATE TABLE t (n int); INSERT INTO t VALUES (42)")
	for setting, want := range map[string]string{"fsync": "on", "listen_addresses": "", "max_wal_size": "2GB", "checkpoint_timeout": "15min"} {
		if got := query(t, url, "SHOW "+setting); got != want {
			t.Errorf("%s = %q, want %q", setting, got, want)
		}
	}
	if got := query(t, url, "SHOW wal_compression"); got == "off" {
		t.Error("wal_compression is off")
	}
	begin = time.Now()
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("stop %v", time.Since(begin))
	if err := p.Err(); err != nil {
		t.Errorf("Err after Stop: %v", err)
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Errorf("second Stop: %v", err)
	}

	begin = time.Now()
	p = start(t, PostgresConfig{Dir: dir, Settings: map[string]string{"max_connections": "37"}})
	t.Logf("warm start %v", time.Since(begin))
	if got := query(t, p.DatabaseURL("mailintake"), "SELECT n FROM t"); got != "42" {
		t.Errorf("after a restart n = %q, want 42", got)
	}
	if got := query(t, p.DSN(), "SHOW max_connections"); got != "37" {
		t.Errorf("max_connections = %s, want 37", got)
	}
}

func TestKilledServerIsNoticedAndRecovers(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	dir := filepath.Join(passableDir(t), "pg")
	p := start(t, PostgresConfig{Dir: dir})
	query(t, p.DSN(), "CREATE TABLE t (n int); INSERT INTO t VALUES (7)")
	p.child.signal(syscall.SIGKILL) // not by Kill: nobody asked for it
	<-p.Done()
	if err := p.Err(); err == nil || !strings.Contains(err.Error(), "ended by itself") {
		t.Errorf("Err = %v, want that it ended by itself", err)
	}
	p = start(t, PostgresConfig{Dir: dir}) // at once: backends of the old one may still be there
	if got := query(t, p.DSN(), "SELECT n FROM t"); got != "7" {
		t.Errorf("after recovery n = %q, want 7", got)
	}
	p.Kill()
	if err := p.Err(); err != nil {
		t.Errorf("Err after Kill: %v", err)
	}
}

func TestDiesWithItsParent(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	dir := filepath.Join(passableDir(t), "pg")
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatalf("the child says %q", line)
	}
	if !alive(pid) {
		t.Fatal("postgres is not running")
	}

	_, err = StartPostgres(t.Context(), PostgresConfig{Dir: dir})
	if !errors.Is(err, ErrDirInUse) || !strings.Contains(err.Error(), strconv.Itoa(cmd.Process.Pid)) {
		t.Errorf("second start beside another process: %v, want ErrDirInUse naming pid %d", err, cmd.Process.Pid)
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	// No waiting here: a start right after the crash must cope with the old server on its way out.
	start(t, PostgresConfig{Dir: dir})
	if fi, err := os.Stat(fmt.Sprintf("/proc/%d/exe", pid)); err == nil {
		t.Errorf("the old postgres (pid %d, %s) outlived its parent", pid, fi.Name())
	}
}

func TestSecondStartIsRefused(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	dir := filepath.Join(passableDir(t), "pg")
	p := start(t, PostgresConfig{Dir: dir, Fast: true})
	if _, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir}); !errors.Is(err, ErrDirInUse) || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want ErrDirInUse naming %s", err, dir)
	}
	if got := query(t, p.DSN(), "SELECT 1"); got != "1" {
		t.Errorf("the first server answers %q", got)
	}
	if got := query(t, p.DSN(), "SHOW fsync"); got != "off" {
		t.Errorf("Fast has fsync %s", got)
	}
}

func TestVersionMismatchIsRefused(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	dir := filepath.Join(passableDir(t), "pg")
	data := filepath.Join(dir, "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"PG_VERSION": "9.4\n", "marker": "do not touch"} {
		if err := os.WriteFile(filepath.Join(data, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir})
	inst, _ := findInstallation(t.Context(), "", "")
	if !errors.Is(err, ErrVersionMismatch) || !strings.Contains(err.Error(), "9.4") || !strings.Contains(err.Error(), inst.version) || !strings.Contains(err.Error(), data) {
		t.Errorf("got %v, want ErrVersionMismatch naming both versions and %s", err, data)
	}
	for name, want := range map[string]string{"PG_VERSION": "9.4\n", "marker": "do not touch"} {
		got, err := os.ReadFile(filepath.Join(data, name))
		if err != nil || string(got) != want {
			t.Errorf("%s is now %q, %v", name, got, err)
		}
	}
	if entries, _ := os.ReadDir(data); len(entries) != 2 {
		t.Errorf("data has %d entries, want 2", len(entries))
	}
}

func TestForeignFilesAreLeftAlone(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	for name, place := range map[string]string{"beside data": ".", "in data": "data"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if os.Geteuid() != 0 && place == "." {
				t.Skip("only root hands folders to another user")
			}
			dir := filepath.Join(passableDir(t), "pg")
			if err := os.MkdirAll(filepath.Join(dir, place), 0o755); err != nil {
				t.Fatal(err)
			}
			letter := filepath.Join(dir, place, "letter.txt")
			if err := os.WriteFile(letter, []byte("mine"), 0o600); err != nil {
				t.Fatal(err)
			}
			p, err := StartPostgres(t.Context(), PostgresConfig{Dir: dir})
			if err == nil {
				p.Kill()
				t.Fatal("started on a folder with foreign files")
			}
			if !strings.Contains(err.Error(), dir) {
				t.Errorf("error does not name the folder: %v", err)
			}
			if got, err := os.ReadFile(letter); err != nil || string(got) != "mine" {
				t.Errorf("the foreign file is now %q, %v", got, err)
			}
		})
	}
}

func TestInterruptedInitdbIsRepeated(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	dir := filepath.Join(passableDir(t), "pg")
	half := filepath.Join(dir, unfinished)
	if err := os.MkdirAll(filepath.Join(half, "base"), 0o700); err != nil {
		t.Fatal(err)
	}
	// initdb writes this file early, so its presence proves nothing.
	if err := os.WriteFile(filepath.Join(half, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := start(t, PostgresConfig{Dir: dir, Fast: true})
	if got := query(t, p.DSN(), "SELECT 1"); got != "1" {
		t.Errorf("got %q", got)
	}
	if _, err := os.Lstat(half); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the remains are still there: %v", err)
	}
}

func TestStalePidOfAnotherProcess(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	dir := filepath.Join(passableDir(t), "pg")
	p := start(t, PostgresConfig{Dir: dir, Fast: true})
	data := filepath.Join(dir, "data")
	pidFile := filepath.Join(data, "postmaster.pid")
	raw, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	// The machine was restarted, and the number now belongs to somebody else: here, to another Postgres.
	other := start(t, PostgresConfig{Dir: filepath.Join(passableDir(t), "pg"), Fast: true})
	_, rest, _ := strings.Cut(string(raw), "\n")
	if err := os.WriteFile(pidFile, []byte(strconv.Itoa(other.child.pid())+"\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	p = start(t, PostgresConfig{Dir: dir, Fast: true})
	if got := query(t, p.DSN(), "SELECT 1"); got != "1" {
		t.Errorf("got %q", got)
	}
}

func TestLongAndOddPaths(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	for name, last := range map[string]string{"long": strings.Repeat("x", 120), "odd": "a, 'b' %c&d"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, PostgresConfig{Dir: filepath.Join(passableDir(t), last), Fast: true})
			if got := query(t, p.DSN(), "SELECT 1"); got != "1" {
				t.Errorf("got %q", got)
			}
			sockets := p.socketDir
			if sockets == p.dir {
				t.Fatalf("the socket lies in %s", p.dir)
			}
			if err := p.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(sockets); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is still there: %v", sockets, err)
			}
		})
	}
}

func TestUnreachableParentIsNamed(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	if os.Geteuid() != 0 {
		t.Skip("only root changes the user")
	}
	closed := filepath.Join(passableDir(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := StartPostgres(t.Context(), PostgresConfig{Dir: filepath.Join(closed, "below", "pg")})
	if !errors.Is(err, ErrUnreachableDir) || !strings.Contains(err.Error(), "chmod o+x "+closed+",") {
		t.Errorf("got %v, want ErrUnreachableDir with what to do about %s", err, closed)
	}
}

func TestNotInstalled(t *testing.T) {
	t.Parallel()
	_, err := StartPostgres(t.Context(), PostgresConfig{Dir: t.TempDir(), BinDir: t.TempDir()})
	if !errors.Is(err, ErrNotInstalled) || !strings.Contains(err.Error(), "apt-get install -y postgresql") {
		t.Errorf("got %v, want ErrNotInstalled with the command that installs it", err)
	}
}

func TestBadSettingQuotesTheLog(t *testing.T) {
	t.Parallel()
	requirePostgres(t)
	_, err := StartPostgres(t.Context(), PostgresConfig{Dir: filepath.Join(passableDir(t), "pg"), Fast: true,
		Settings: map[string]string{"shared_buffers": "many"}})
	if err == nil || !strings.Contains(err.Error(), `invalid value for parameter "shared_buffers"`) {
		t.Errorf("got %v, want the server's own words", err)
	}
}

func TestNewestVersionFirst(t *testing.T) {
	t.Parallel()
	root := t.TempDir()
	for _, v := range []string{"9.6", "15", "17"} {
		if err := os.MkdirAll(filepath.Join(root, v, "bin"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	for _, d := range versionedDirs(root) {
		got = append(got, filepath.Base(filepath.Dir(d)))
	}
	if strings.Join(got, " ") != "17 15 9.6" {
		t.Errorf("got %v, want 17 15 9.6", got)
	}
}
