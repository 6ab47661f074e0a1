package embedded

import (
	"os"
	"os/exec"
	"runtime"
	"syscall"
)

// child is a process that dies with this one.
type child struct {
	cmd    *exec.Cmd // its ProcessState is set when exited is closed
	exited chan struct{}
}

// startChild starts cmd with its output in log. The kernel sends the child the signal of dieWithParent when the
// *thread* that forked it ends, so one goroutine keeps its thread for the child's whole life.
func startChild(cmd *exec.Cmd, log *os.File) (*child, error) {
	cmd.Stdout, cmd.Stderr = log, log
	// A group of its own: Ctrl-C in a terminal must reach us alone, so that we can stop the child in good order.
	cmd.SysProcAttr.Setpgid = true
	dieWithParent(cmd.SysProcAttr, syscall.SIGINT)
	c := &child{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // ProcessState says how it ended
		close(c.exited)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return c, nil
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// signal does nothing once the child has been waited for.
func (c *child) signal(s syscall.Signal) { _ = c.cmd.Process.Signal(s) }
