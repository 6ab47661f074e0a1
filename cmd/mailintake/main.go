// Command mailintake reads customer mail out of POP3 and IMAP mailboxes, stores every message once in Postgres and
// announces it on NATS JetStream. See README.md.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/alecthomas/kong"
)

// The exit statuses.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// A second signal ends the process at once: nothing that matters is lost by that.
	context.AfterFunc(ctx, stop)
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// cli is the whole command line.
type cli struct {
	Demo    demoCmd    `cmd:"" help:"Show the service at work: embedded Postgres and NATS, sample mailboxes, events as they come."`
	Serve   serveCmd   `cmd:"" help:"Run the service."`
	Migrate migrateCmd `cmd:"" help:"Bring the database schema to this version."`
	Channel channelCmd `cmd:"" help:"Create, list, change, test and delete channels."`
	Message messageCmd `cmd:"" help:"List and read stored messages."`
	Parse   parseCmd   `cmd:"" help:"Show what the service would make of mails in files, as JSON; needs no service."`
	Replay  replayCmd  `cmd:"" help:"Bring a channel back to completeness."`
	Events  eventsCmd  `cmd:"" help:"Print routing events as they are published."`
	Verify  verifyCmd  `cmd:"" help:"Check database and stream against the invariants; exit status 1 if one is broken."`
	Doctor  doctorCmd  `cmd:"" help:"Check that everything the service needs is there, and say what to do where it is not."`
	Keys    keysCmd    `cmd:"" help:"Create and rotate the keyset that seals passwords."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

// console is where a command writes; it is bound to every Run method.
type console struct {
	out, err io.Writer
}

// run parses the arguments, runs the command and gives the exit status.
func run(ctx context.Context, args []string, out, errOut io.Writer) (status int) {
	var c cli
	exited := -1
	parser, err := kong.New(&c, kong.Name("mailintake"), kong.Writers(out, errOut), kong.UsageOnError(),
		kong.Description("Reads customer mail from POP3 and IMAP mailboxes, stores it once, announces it in order."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
		kong.Exit(func(code int) { exited = code; panic(exit{}) }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(&console{out: out, err: errOut}))
	if err != nil {
		fmt.Fprintln(errOut, "mailintake:", err)
		return exitFailure
	}
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(exit); !ok {
				panic(p)
			}
			status = exited
		}
	}()
	k, err := parser.Parse(args)
	if err != nil {
		fmt.Fprintln(errOut, "mailintake:", err)
		return exitUsage
	}
	err = k.Run()
	var usage *usageError
	switch {
	case err == nil, errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return exitOK
	case errors.As(err, &usage):
		fmt.Fprintln(errOut, "mailintake:", err)
		return exitUsage
	case errors.Is(err, errReported):
		return exitFailure
	}
	fmt.Fprintln(errOut, "mailintake:", err)
	return exitFailure
}

// exit is how the help of the command-line library ends a run.
type exit struct{}

// errReported is a failure that the command has already told in full.
var errReported = errors.New("reported")

// usageError is a mistake in the arguments that only the command itself could see.
type usageError struct{ text string }

// Error is the text.
func (e *usageError) Error() string { return e.text }
