package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"

	"github.com/mailintake/mailintake/ingest/auth"
	"github.com/mailintake/mailintake/ingest/mime"
)

// parseCmd shows what the service would make of mails. It needs no service.
type parseCmd struct {
	Files           []string `arg:"" name:"file" help:"Mails as the server sent them; - for standard input." placeholder:"FILE"`
	Explain         bool     `help:"Add what the verdicts rest on, the tree of parts, and everything else that is known."`
	Address         []string `help:"The channel's address, then its aliases, each with a flag of its own: with --explain, which of them the mail is for." placeholder:"ADDRESS"`
	AuthservID      []string `name:"authserv-id" help:"With --explain: Authentication-Results fields to believe, as the channel has them (RFC 8601)." placeholder:"NAME"`
	FallbackCharset string   `help:"Charset of text that names none and is not UTF-8, as the channel has it; windows-1252 by default." placeholder:"NAME"`
}

// Help is the longer help of the command.
func (c *parseCmd) Help() string {
	return `Prints one line of JSON for each file, in the order of the arguments:

  file         the argument
  subject, message_id, text, reply_text, language, class   strings, empty where there is nothing
  from, to, cc                                             lists of {name, address}
  date                                                     RFC 3339 with the sender's offset, or null
  in_reply_to, references                                  lists of message ids without angle brackets
  has_html     whether there is a body in HTML
  attachments  list of {filename, content_type, size, sha256, inline}: every leaf that is no body, sizes and hashes of
               the decoded octets; what lies inside an attached message belongs to that
  bounce       {recipients, action, status, hard} of a delivery status notification, or null; recipients are addresses
  defects      list of {code, where, text}

Lists are never null. The exit status is 0 whatever the files hold, and 1 if one could not be read; the others are
printed all the same.`
}

// reading is one file on its way through the command.
type reading struct {
	file string
	line []byte
	err  error
	done chan struct{} // closed when line or err is there
}

// Run parses the files, as many at a time as there are processors, and prints them in their order.
func (c *parseCmd) Run(ctx context.Context, con *console) error {
	if first := slices.Index(c.Files, "-"); first >= 0 && slices.Contains(c.Files[first+1:], "-") {
		return &usageError{"standard input can be read once; - stands there more often"}
	}
	if c.FallbackCharset != "" && !mime.KnownCharset(c.FallbackCharset) {
		return &usageError{fmt.Sprintf("--fallback-charset: %q is not a charset that is known here", c.FallbackCharset)}
	}
	workers := runtime.GOMAXPROCS(0)
	// What is parsed and not printed yet is bounded by the length of the queue.
	queue, work := make(chan *reading, 2*workers), make(chan *reading)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for r := range work {
				r.line, r.err = c.read(ctx, r.file)
				close(r.done)
			}
		})
	}
	wait.Go(func() {
		defer close(queue)
		defer close(work)
		for _, file := range c.Files {
			r := &reading{file: file, done: make(chan struct{})}
			select {
			case queue <- r:
			case <-ctx.Done():
				return
			}
			work <- r
		}
	})
	failed := false
	for r := range queue {
		select {
		case <-r.done:
		case <-ctx.Done(): // nobody waits for a terminal or pipe that brings nothing: its reader ends with the process
			return ctx.Err()
		}
		if r.err != nil {
			failed = true
			fmt.Fprintf(con.err, "mailintake: %s: %v\n", plain(r.file), r.err)
			continue
		}
		if _, err := con.out.Write(r.line); err != nil {
			return err
		}
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	wait.Wait()
	if failed {
		return errReported
	}
	return nil
}

// read makes the line of one file. A panic is a fault of ours that must not cost the other files.
func (c *parseCmd) read(ctx context.Context, file string) (line []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	in, size := os.Stdin, int64(0)
	if file != "-" {
		if in, size, err = openMail(file); err != nil {
			return nil, err
		}
		defer in.Close()
	}
	source := &watched{ctx: ctx, r: in}
	mail := mime.Parse(source, size, mime.Options{FallbackCharset: c.FallbackCharset, Addresses: c.Address})
	if source.err != nil {
		return nil, cleanPathError(source.err)
	}
	if c.Explain {
		head := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(source.head)), nil }
		mail.Auth = auth.Check(ctx, mail.From, head, auth.Options{AuthservIDs: c.AuthservID})
	}
	return parsedLine(file, mail, c.Explain)
}

func openMail(file string) (*os.File, int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, 0, cleanPathError(err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		err = errors.New("is a directory; give its files")
	}
	if err != nil {
		return nil, 0, errors.Join(cleanPathError(err), f.Close())
	}
	return f, info.Size(), nil
}

// cleanPathError leaves away the name of the file, which stands in front of the message anyway.
func cleanPathError(err error) error {
	if e, ok := errors.AsType[*os.PathError](err); ok {
		return e.Err
	}
	return err
}

// maxHead is more than the longest header that is read, in octets.
const maxHead = 300 << 10

// watched remembers why a reader failed, since the parser takes every error as the end of the message, and what it began
// with.
type watched struct {
	ctx  context.Context // of the run: a pipe may never end
	r    io.Reader
	head []byte // at most maxHead
	err  error
}

// Read reads.
func (w *watched) Read(p []byte) (int, error) {
	if w.err = w.ctx.Err(); w.err != nil {
		return 0, w.err
	}
	n, err := w.r.Read(p)
	w.head = append(w.head, p[:min(n, maxHead-len(w.head))]...)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
