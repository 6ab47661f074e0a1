package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/mailintake/mailintake/internal/embedded"
)

// brokerArgument makes this program a nats-server: its processor time must not be counted as that of the benchmark.
const brokerArgument = "nats-server"

// countEvery is how often the broker looks how many events the stream holds, and so the precision of the end of a run.
const countEvery = 5 * time.Millisecond

// broker is a nats-server in a process of its own.
type broker struct {
	child *child
	url   string
	ask   io.WriteCloser
	tell  *bufio.Reader
}

// startBroker starts it with its files in dir.
func startBroker(dir string, log io.Writer) (*broker, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, brokerArgument, dir)
	cmd.Stderr = log
	in, out, err := pipes(cmd)
	if err != nil {
		return nil, err
	}
	c, err := startChild(cmd)
	if err != nil {
		return nil, err
	}
	b := &broker{child: c, ask: in, tell: bufio.NewReader(out)}
	if b.url, err = b.line(); err != nil {
		b.stop()
		return nil, fmt.Errorf("nats-server did not start: %w", err)
	}
	return b, nil
}

func pipes(cmd *exec.Cmd) (io.WriteCloser, io.Reader, error) {
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, nil, err
	}
	out, err := cmd.StdoutPipe()
	return in, out, err
}

func (b *broker) line() (string, error) {
	line, err := b.tell.ReadString('\n')
	return strings.TrimSpace(line), err
}

// reached is the moment at which the stream held n events.
type reached struct {
	At    time.Time `json:"at"`
	Count uint64    `json:"count"` // messages in the stream, which may be more
}

// await returns when the stream holds at least n events, or with an error when the context ends.
func (b *broker) await(ctx context.Context, n int) (reached, error) {
	if _, err := fmt.Fprintln(b.ask, n); err != nil {
		return reached{}, fmt.Errorf("nats-server: %w", err)
	}
	type answer struct {
		line string
		err  error
	}
	got := make(chan answer, 1)
	go func() {
		line, err := b.line()
		got <- answer{line, err}
	}()
	select {
	case a := <-got:
		if a.err != nil {
			return reached{}, fmt.Errorf("nats-server ended: %w", a.err)
		}
		var r reached
		if err := json.Unmarshal([]byte(a.line), &r); err != nil {
			return reached{}, fmt.Errorf("nats-server said %q: %w", a.line, err)
		}
		return r, nil
	case <-ctx.Done():
		b.stop() // which ends the reader too
		<-got
		return reached{}, ctx.Err()
	}
}

func (b *broker) stop() {
	_ = b.ask.Close() // at which it ends by itself
	select {
	case <-b.child.exited:
	case <-time.After(10 * time.Second):
		b.child.stop(time.Second)
	}
}

// serveBroker is what the process does: it prints its address, and for each line with a number the moment at which the
// stream EMAIL holds so many events, until its input ends.
func serveBroker(dir string, in io.Reader, out io.Writer) error {
	ns, err := embedded.StartNATS(embedded.NATSConfig{Dir: filepath.Join(dir, "nats"), Addr: "127.0.0.1:0"})
	if err != nil {
		return err
	}
	defer ns.Stop()
	nc, err := ns.Connect()
	if err != nil {
		return err
	}
	defer nc.Close()
	if _, err := fmt.Fprintln(out, ns.URL()); err != nil {
		return err
	}
	count := func() (uint64, error) {
		// The request that every client library sends for a stream's state.
		msg, err := nc.Request("$JS.API.STREAM.INFO.EMAIL", nil, 10*time.Second)
		if err != nil {
			return 0, err
		}
		var info struct {
			State struct {
				Messages uint64 `json:"messages"`
			} `json:"state"`
		}
		err = json.Unmarshal(msg.Data, &info) // without a stream the answer is an error without state, so 0
		return info.State.Messages, err
	}
	lines, ended := make(chan string), make(chan error, 1)
	go func() {
		s := bufio.NewScanner(in)
		for s.Scan() {
			lines <- s.Text()
		}
		ended <- s.Err()
	}()
	tick := time.NewTicker(countEvery)
	defer tick.Stop()
	var want uint64
	for {
		select {
		case err := <-ended:
			return err
		case line := <-lines:
			if _, err := fmt.Sscan(line, &want); err != nil {
				return fmt.Errorf("%q is no number: %w", line, err)
			}
		case <-tick.C:
			if want == 0 {
				continue
			}
			n, err := count()
			if err != nil {
				return fmt.Errorf("state of the stream: %w", err)
			}
			if n >= want {
				want = 0
				if err := json.NewEncoder(out).Encode(reached{time.Now(), n}); err != nil {
					return err
				}
			}
		}
	}
}

// brokerMain is main of the process.
func brokerMain(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: bench " + brokerArgument + " DIR")
	}
	return serveBroker(args[0], os.Stdin, os.Stdout)
}
