package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == brokerArgument {
		if err := brokerMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", brokerArgument+":", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once; its children end with it, its folder stays.
	context.AfterFunc(ctx, stop)
	o, err := parseOptions(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(2)
	}
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the command line.
type options struct {
	Corpus    string
	Messages  int
	Runs      int
	Protocols []string
	Links     []time.Duration // by round trip; 0 is loopback
	Peers     bool
	Timeout   time.Duration // of one run
	Binary    string
	Dir       string
	JSON      string
	Profile   string
	Postgres  map[string]string // settings
}

func protocols() []string { return []string{"IMAP", "IMAPS", "POP3", "POP3S"} }

func parseOptions(args []string, errOut io.Writer) (options, error) {
	var o options
	var links, list string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(errOut)
	f.StringVar(&o.Corpus, "corpus", "small", "small: 10 KB each; mixed: with attachments, 130 KB in the mean")
	f.IntVar(&o.Messages, "messages", 0, "messages in the mailbox (default 5000 small, 2000 mixed)")
	f.IntVar(&o.Runs, "runs", 1, "runs of everything; the median counts")
	f.StringVar(&list, "protocols", strings.Join(protocols(), ","), "protocols to measure")
	f.StringVar(&links, "links", "0s,20ms", "links to measure, by round trip; 0s is loopback as it is")
	f.BoolVar(&o.Peers, "peers", true, "run mbsync and mpop too, where they are installed")
	f.DurationVar(&o.Timeout, "timeout", 5*time.Minute, "longest time for one run of one program")
	f.StringVar(&o.Binary, "binary", "", "mailintake to measure (default: built from this source)")
	f.StringVar(&o.Dir, "dir", "", "folder for data while it runs (default: the system's for temporary files); its disk is measured")
	f.StringVar(&o.JSON, "json", "", "file to write all figures to")
	f.StringVar(&o.Profile, "profile", "", "folder for CPU profiles of mailintake, which slow it down a little, and for the logs of Postgres")
	f.Func("postgres", "setting of Postgres as NAME=VALUE, may be repeated; for finding out where its time goes:\n"+
		"-postgres session_preload_libraries=auto_explain -postgres auto_explain.log_min_duration=100", func(text string) error {
		name, value, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("not NAME=VALUE")
		}
		if o.Postgres == nil {
			o.Postgres = map[string]string{}
		}
		o.Postgres[name] = value
		return nil
	})
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", f.Arg(0))
	}
	count, ok := corpora()[o.Corpus]
	if !ok {
		return o, fmt.Errorf("-corpus: %q is none of %s", o.Corpus, strings.Join(slices.Sorted(maps.Keys(corpora())), ", "))
	}
	if o.Messages == 0 {
		o.Messages = count
	}
	if o.Messages < 1 || o.Runs < 1 {
		return o, errors.New("-messages and -runs must be 1 or more")
	}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.ToUpper(strings.TrimSpace(name))
		if !slices.Contains(protocols(), name) {
			return o, fmt.Errorf("-protocols: %q is none of %s", name, strings.Join(protocols(), ", "))
		}
		o.Protocols = append(o.Protocols, name)
	}
	for text := range strings.SplitSeq(links, ",") {
		rtt, err := time.ParseDuration(strings.TrimSpace(text))
		if err != nil || rtt < 0 || rtt > 10*time.Second {
			return o, fmt.Errorf("-links: %q is not a round trip of 0s to 10s", text)
		}
		o.Links = append(o.Links, rtt)
	}
	return o, nil
}

// run does everything and leaves nothing behind.
func run(ctx context.Context, o options, out io.Writer) (err error) {
	dir, err := os.MkdirTemp(o.Dir, "mailintake-bench-")
	if err != nil {
		return err
	}
	b := &bench{options: o, dir: dir, out: out}
	defer func() {
		err = errors.Join(err, b.close(), os.RemoveAll(dir))
		if ctx.Err() != nil {
			err = errors.New("interrupted; everything was stopped and removed")
		}
	}()
	if b.dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o755); err != nil { // the users of Dovecot and Postgres must be able to enter
		return err
	}
	if o.Profile != "" {
		if err := os.MkdirAll(o.Profile, 0o755); err != nil {
			return err
		}
	}
	if err := b.prepare(ctx); err != nil {
		return err
	}
	failed := b.measure(ctx)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	b.report.summarize()
	fmt.Fprintf(out, "\n%s\n", b.report.Machine)
	b.report.print(out)
	if o.JSON != "" {
		raw, err := json.MarshalIndent(b.report, "", "  ")
		if err == nil {
			err = os.WriteFile(o.JSON, append(raw, '\n'), 0o644)
		}
		if err != nil {
			return errors.Join(failed, err)
		}
	}
	if failed != nil {
		return errors.New("not everything worked, see FAILED above")
	}
	return nil
}

// buildService builds the binary as make build does. The package path works anywhere inside the module.
func buildService(ctx context.Context, dir string) (string, error) {
	binary := filepath.Join(dir, subject)
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", binary, "github.com/mailintake/mailintake/cmd/mailintake")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build mailintake: %w\n%s", err, text)
	}
	return binary, nil
}
