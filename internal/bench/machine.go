package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// machine is what the figures depend on besides the programs.
type machine struct {
	Time       time.Time         `json:"time"`
	CPU        string            `json:"cpu"`
	Cores      int               `json:"cores"`
	Memory     int64             `json:"memory_bytes"`
	Kernel     string            `json:"kernel"`
	Filesystem string            `json:"filesystem"` // of the benchmark's folder
	Load       string            `json:"load"`       // averages over 1, 5 and 15 minutes when it began
	Versions   map[string]string `json:"versions"`
}

// inspect looks at the machine. What cannot be found out is empty.
func inspect(ctx context.Context, dir, binary string) machine {
	m := machine{Time: time.Now().UTC().Truncate(time.Second), Cores: runtime.NumCPU(), Kernel: firstLine(read("/proc/sys/kernel/osrelease")),
		CPU: valueOf(read("/proc/cpuinfo"), "model name"), Memory: statusField(read("/proc/meminfo"), "MemTotal"), Filesystem: filesystem(dir)}
	if f := strings.Fields(read("/proc/loadavg")); len(f) > 2 {
		m.Load = strings.Join(f[:3], " ")
	}
	m.Versions = map[string]string{"go": strings.TrimPrefix(runtime.Version(), "go"), "mailintake": lastWord(ask(ctx, binary, "version")),
		"dovecot": firstWord(ask(ctx, "/usr/sbin/dovecot", "--version"))}
	for _, name := range []string{"mbsync", "mpop"} {
		m.Versions[name] = "not installed"
		if path := installed(name); path != "" {
			m.Versions[name] = lastWord(ask(ctx, path, "--version"))
		}
	}
	return m
}

func read(path string) string {
	raw, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(raw)
}

// ask runs a program for the first line that it prints.
func ask(ctx context.Context, path string, args ...string) string {
	out, err := exec.CommandContext(ctx, path, args...).Output()
	if err != nil {
		return ""
	}
	return firstLine(string(out))
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return strings.TrimSpace(line)
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	return word
}

func lastWord(s string) string { return s[strings.LastIndexByte(s, ' ')+1:] }

// valueOf is the value of the first line "key : value".
func valueOf(text, key string) string {
	for line := range strings.Lines(text) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// filesystem names the type of the filesystem that a folder lies on: what a flush costs depends on it.
func filesystem(dir string) string {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return ""
	}
	// The numbers are those of statfs(2).
	names := map[int64]string{0xEF53: "ext4", 0x58465342: "xfs", 0x9123683E: "btrfs", 0x01021994: "tmpfs (a flush costs nothing here)", 0x794c7630: "overlayfs", 0x2fc12fc1: "zfs"}
	if name := names[int64(st.Type)]; name != "" {
		return name
	}
	return fmt.Sprintf("type %#x", st.Type)
}

// String is two lines for the head of the report.
func (m machine) String() string {
	return fmt.Sprintf("%s, %d cores, %d GiB, Linux %s, %s, load %s\nmailintake %s, Go %s, Dovecot %s, Postgres %s (fsync on), mbsync %s, mpop %s",
		m.CPU, m.Cores, (m.Memory+1<<29)>>30, m.Kernel, m.Filesystem, m.Load,
		m.Versions["mailintake"], m.Versions["go"], m.Versions["dovecot"], m.Versions["postgres"], m.Versions["mbsync"], m.Versions["mpop"])
}
