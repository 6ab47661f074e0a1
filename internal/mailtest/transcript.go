package mailtest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// transcript records the commands of all clients of a server, in the order in which the server took them up.
type transcript struct {
	mu       sync.Mutex
	commands []string
	changed  chan struct{}
}

func (t *transcript) record(command string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.commands = append(t.commands, command)
	if t.changed != nil {
		close(t.changed)
		t.changed = nil
	}
}

// Commands returns the commands that clients sent so far. Passwords are left out. IMAP commands are written without
// tag, in one normal form: "UID STORE 1:3 +FLAGS.SILENT (\Seen)"; CLOSE of a folder opened for writing is recorded as
// the EXPUNGE that it is.
func (t *transcript) Commands() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.commands)
}

// Count is the number of commands that begin with prefix, a word or several: "RETR", "UID STORE".
func (t *transcript) Count(prefix string) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.count(prefix)
}

func (t *transcript) count(prefix string) int {
	n := 0
	for _, c := range t.commands {
		if c == prefix || strings.HasPrefix(c, prefix+" ") {
			n++
		}
	}
	return n
}

// Forget empties the record.
func (t *transcript) Forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.commands = nil
}

// Await returns when at least n commands that begin with prefix have come, or with an error when the context ends.
func (t *transcript) Await(ctx context.Context, prefix string, n int) error {
	for {
		t.mu.Lock()
		have := t.count(prefix)
		if t.changed == nil {
			t.changed = make(chan struct{})
		}
		changed := t.changed
		t.mu.Unlock()
		if have >= n {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d commands %q came: %w", have, n, prefix, ctx.Err())
		}
	}
}
