package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// child is a process that ends with this one.
type child struct {
	cmd    *exec.Cmd
	exited chan struct{}
	err    error // of Wait; read after exited is closed
}

// startChild starts cmd. The kernel kills the child when the *thread* that forked it ends, so one goroutine keeps its
// thread for the child's whole life.
func startChild(cmd *exec.Cmd) (*child, error) {
	// A group of its own: Ctrl-C in a terminal reaches this process alone, which then ends the others in order.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	c := &child{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			c.err = cmd.Wait()
			close(c.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// stop asks the process to end and waits; one that does not is killed with its group.
func (c *child) stop(patience time.Duration) {
	_ = c.cmd.Process.Signal(syscall.SIGTERM) // fails when it has ended already
	select {
	case <-c.exited:
		return
	case <-time.After(patience):
	}
	_ = syscall.Kill(-c.pid(), syscall.SIGKILL)
	<-c.exited
}

// runChild runs cmd to its end, or to the context's.
func runChild(ctx context.Context, cmd *exec.Cmd) error {
	c, err := startChild(cmd)
	if err != nil {
		return err
	}
	return c.wait(ctx)
}

// wait returns when the process has ended; it is stopped when the context ends first.
func (c *child) wait(ctx context.Context) error {
	select {
	case <-c.exited:
		return c.err
	case <-ctx.Done():
		c.stop(time.Second)
		return ctx.Err()
	}
}

// output keeps what children print.
type output struct {
	mu   sync.Mutex
	buf  bytes.Buffer
	seen chan struct{} // receives when there is more
}

func newOutput() *output { return &output{seen: make(chan struct{}, 1)} }

// Write keeps p.
func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	select {
	case o.seen <- struct{}{}:
	default:
	}
	return o.buf.Write(p)
}

// String is everything printed so far.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// tail is its last lines.
func (o *output) tail(n int) string {
	lines := strings.Split(strings.TrimSpace(o.String()), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}
