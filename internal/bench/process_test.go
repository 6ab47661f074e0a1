package main

import (
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	got, err := parseStat("4242 (postgres: a) b)) S 17 4242 4242 0 -1 4194560 1015 20 0 0 125 75 40 10 20 0 1 0 99 1 2 3\n")
	if want := (process{pid: 4242, parent: 17, own: 2 * time.Second, waited: 500 * time.Millisecond}); err != nil || got != want {
		t.Errorf("got %+v, %v, want %+v", got, err, want)
	}
	for _, bad := range []string{"", "12 noname", "12 (short) S 1 2", "x (name) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", "1 (name) S 1 2 3 4 5 6 7 8 9 10 x 12 13 14 15"} {
		if p, err := parseStat(bad); err == nil {
			t.Errorf("%q is read as %+v", bad, p)
		}
	}
}

// The processor time of a child moves to its parent when it has ended: the sum over the tree must neither lose it nor
// count it twice.
func TestTreeCPU(t *testing.T) {
	t.Parallel()
	before := []process{{1, 0, time.Hour, 0}, {10, 1, 2 * time.Second, time.Second}, {11, 10, 5 * time.Second, 0}, {12, 11, time.Second, 0}, {20, 1, time.Minute, 0}}
	after := []process{{1, 0, time.Hour, 0}, {10, 1, 2 * time.Second, 6 * time.Second}, {12, 1, time.Second, 0}, {20, 1, time.Minute, 0}}
	if got, want := treeCPU(before, 10), 9*time.Second; got != want {
		t.Errorf("while the child runs: got %v, want %v", got, want)
	}
	if got, want := treeCPU(after, 10), 8*time.Second; got != want {
		t.Errorf("after its end, its own child having left: got %v, want %v", got, want)
	}
	if got := treeCPU(before, 99); got != 0 {
		t.Errorf("of nobody: got %v", got)
	}
}

func TestStatusField(t *testing.T) {
	t.Parallel()
	status := "Name:\tx\nVmHWM:\t    2048 kB\nRssAnon:\t 12 kB\nThreads:\t3\n"
	got := []int64{statusField(status, "VmHWM"), statusField(status, "RssAnon"), statusField(status, "RssFile"), statusField(status, "Name")}
	if d := cmp.Diff(got, []int64{2 * mib, 12 * kib, 0, 0}); d != "" {
		t.Error(d)
	}
}

// What is measured of a real child must come near what it did.
func TestMeterSeesAChild(t *testing.T) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		t.Skip("this system has no /proc")
	}
	// A shell that burns processor time in a child of its own, says so, and waits.
	cmd := exec.Command("sh", "-c", "(i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done); echo done; read _")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said := newOutput()
	cmd.Stdout = said
	c, err := startChild(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { in.Close(); c.stop(5 * time.Second) })
	m, err := newMeter(map[string]int{"shell": c.pid()})
	if err != nil {
		t.Fatal(err)
	}
	for said.String() == "" {
		select {
		case <-said.seen:
		case <-c.exited:
			t.Fatalf("the shell ended: %v", c.err)
		}
	}
	used, err := m.stop()
	if err != nil {
		t.Fatal(err)
	}
	if u := used["shell"]; u.CPU < 0.05 || u.CPU > 60 || u.Peak < 100*kib || u.Peak > 100*mib {
		t.Errorf("a loop of 300,000 rounds in a shell took %.2f s and %d octets", u.CPU, u.Peak)
	}
	if used["bench"].Peak < mib {
		t.Errorf("this process had %d octets", used["bench"].Peak)
	}
}
