package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// clockTick is the unit of CPU times in /proc, 1/100 s on every Linux that Go runs on.
const clockTick = 10 * time.Millisecond

// process is what /proc/PID/stat tells of one process: proc(5).
type process struct {
	pid, parent int
	own, waited time.Duration // user and system time of the process, and of its children that have ended
}

// parseStat reads one line of /proc/PID/stat. The name of the program, which may hold anything, ends at the last ")".
func parseStat(line string) (process, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 0 || end < open {
		return process{}, fmt.Errorf("no line of /proc/PID/stat: %q", line)
	}
	f := strings.Fields(line[end+1:])
	if len(f) < 15 {
		return process{}, fmt.Errorf("no line of /proc/PID/stat: %q", line)
	}
	var n [6]int64
	var err error
	for i, text := range []string{strings.TrimSpace(line[:open]), f[1], f[11], f[12], f[13], f[14]} {
		if n[i], err = strconv.ParseInt(text, 10, 64); err != nil {
			return process{}, fmt.Errorf("/proc/PID/stat: %w", err)
		}
	}
	return process{pid: int(n[0]), parent: int(n[1]), own: time.Duration(n[2]+n[3]) * clockTick, waited: time.Duration(n[4]+n[5]) * clockTick}, nil
}

// processes are those that run now.
func processes() ([]process, error) {
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var all []process
	for _, path := range paths {
		raw, err := os.ReadFile(path)
		if err != nil {
			continue // it ended meanwhile
		}
		p, err := parseStat(string(raw))
		if err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("/proc shows no process: this program measures on Linux alone")
	}
	return all, nil
}

// tree picks root and everything below it.
func tree(all []process, root int) []process {
	below := map[int][]process{}
	var found []process
	for _, p := range all {
		below[p.parent] = append(below[p.parent], p)
		if p.pid == root {
			found = append(found, p)
		}
	}
	for i := 0; i < len(found); i++ {
		found = append(found, below[found[i].pid]...)
	}
	return found
}

// treeCPU is the time used by root, by all processes below it and by those below it that have ended and were waited for.
func treeCPU(all []process, root int) time.Duration {
	var sum time.Duration
	for _, p := range tree(all, root) {
		sum += p.own + p.waited
	}
	return sum
}

// statusField is a line of /proc/PID/status in octets; 0 if the process is gone or has no such line.
func statusField(status, name string) int64 {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, name+":"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(rest), "kB")), 10, 64)
			if err != nil {
				return 0
			}
			return n * kib
		}
	}
	return 0
}

func readStatus(pid int) string {
	raw, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "status"))
	if err != nil {
		return "" // it ended meanwhile
	}
	return string(raw)
}

// peakRSS is the highest resident memory that a process ever had, in octets.
func peakRSS(pid int) int64 { return statusField(readStatus(pid), "VmHWM") }

// treeMemory is the resident memory of a tree: private memory of each process, and what they share as much as the
// process with the most of it has.
func treeMemory(all []process, root int) int64 {
	var private, shared, file int64
	for _, p := range tree(all, root) {
		s := readStatus(p.pid)
		private += statusField(s, "RssAnon")
		shared = max(shared, statusField(s, "RssShmem"))
		file = max(file, statusField(s, "RssFile"))
	}
	return private + shared + file
}

// usage is what a process tree used in one run.
type usage struct {
	CPU  float64 `json:"cpu_seconds"` // user and system
	Peak int64   `json:"peak_bytes"`  // resident memory
}

// sampleEvery is how often the memory of trees is looked at. The look costs some milliseconds, which the measured
// programs lack.
const sampleEvery = 250 * time.Millisecond

// meter measures process trees from newMeter to stop.
type meter struct {
	roots  map[string]int
	before map[string]time.Duration
	self   time.Duration
	peak   map[string]int64
	cancel context.CancelFunc
	done   sync.WaitGroup
	err    error
}

// newMeter begins. Roots are the topmost processes by name.
func newMeter(roots map[string]int) (*meter, error) {
	all, err := processes()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	m := &meter{roots: roots, before: map[string]time.Duration{}, peak: map[string]int64{}, cancel: cancel}
	for name, pid := range roots {
		m.before[name] = treeCPU(all, pid)
	}
	if m.self, err = selfCPU(); err != nil {
		cancel()
		return nil, err
	}
	m.done.Go(func() {
		tick := time.NewTicker(sampleEvery)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if m.err = m.sample(); m.err != nil {
					return
				}
			}
		}
	})
	return m, nil
}

func (m *meter) sample() error {
	all, err := processes()
	if err != nil {
		return err
	}
	for name, pid := range m.roots {
		m.peak[name] = max(m.peak[name], treeMemory(all, pid))
	}
	return nil
}

// stop ends the measurement. The result has this process too, as bench. A tree of one process has its exact peak, others the highest sample.
func (m *meter) stop() (map[string]usage, error) {
	m.cancel()
	m.done.Wait()
	all, err := processes()
	if err != nil || m.err != nil {
		return nil, errors.Join(m.err, err)
	}
	used := map[string]usage{}
	for name, pid := range m.roots {
		t := tree(all, pid)
		if len(t) == 0 {
			return nil, fmt.Errorf("%s (process %d) ended while it was measured", name, pid)
		}
		u := usage{CPU: (treeCPU(all, pid) - m.before[name]).Seconds(), Peak: max(m.peak[name], treeMemory(all, pid))}
		if len(t) == 1 {
			u.Peak = max(u.Peak, peakRSS(pid))
		}
		used[name] = u
	}
	self, err := selfCPU()
	used["bench"] = usage{CPU: (self - m.self).Seconds(), Peak: peakRSS(os.Getpid())}
	return used, err
}

// selfCPU is what this process used, without its children: getrusage(2).
func selfCPU() (time.Duration, error) {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0, err
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano()), nil
}
