package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mailintake/mailintake/internal/mailtest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// bench measures every protocol over every link.
type bench struct {
	options
	dir     string
	binary  string // mailintake
	caFile  string
	dovecot *mailtest.Dovecot
	report  report
	out     io.Writer // progress
}

const (
	mailUser     = "bench"
	mailPassword = "bench-password"
)

// prepare builds the service and fills the mailbox.
func (b *bench) prepare(ctx context.Context) (err error) {
	if b.binary = b.Binary; b.binary == "" {
		fmt.Fprintln(b.out, "building mailintake")
		if b.binary, err = buildService(ctx, b.dir); err != nil {
			return err
		}
	} else if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	dovecotDir := filepath.Join(b.dir, "dovecot")
	if b.dovecot, err = mailtest.RunDovecot(ctx, dovecotDir, mailtest.DovecotOptions{Users: map[string]string{mailUser: mailPassword}}); err != nil {
		return err
	}
	b.caFile = filepath.Join(b.dir, "ca.pem")
	if err := os.WriteFile(b.caFile, b.dovecot.CAPEM, 0o644); err != nil {
		return err
	}
	c := corpus{b.Corpus, b.Messages}
	fmt.Fprintf(b.out, "delivering %d messages\n", c.count)
	for n := range c.count {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		raw := c.message(n)
		b.report.Octets += int64(len(mailtest.CRLF(raw)))
		if err := b.dovecot.Deliver(mailUser, raw); err != nil {
			return err
		}
	}
	b.report.Corpus, b.report.Messages = b.Corpus, b.Messages
	b.report.Machine = inspect(ctx, b.dir, b.binary)
	// Whoever reads a mailbox first pays for Dovecot's index of it. Here nobody does: every program finds the same one.
	for _, args := range [][]string{{"index", "-u", mailUser, "INBOX"},
		{"fetch", "-u", mailUser, "uid guid size.virtual size.physical date.received pop3.uidl", "mailbox", "INBOX"}} {
		if _, err := b.dovecot.Doveadm(args...); err != nil {
			return err
		}
	}
	return nil
}

// measure takes all samples. A failed one does not stop the others, unless the context has ended.
func (b *bench) measure(ctx context.Context) error {
	var errs []error
	for run := 1; run <= b.Runs; run++ {
		for _, rtt := range b.Links {
			for _, protocol := range b.Protocols {
				if err := b.cell(ctx, run, rtt, protocol); err != nil {
					errs = append(errs, err)
				}
				if ctx.Err() != nil {
					return errors.Join(errs...)
				}
			}
		}
	}
	return errors.Join(errs...)
}

// cell runs the service and its peer once. Who goes first changes from run to run.
func (b *bench) cell(ctx context.Context, run int, rtt time.Duration, protocol string) error {
	x := box{protocol: protocol, addr: b.dovecot.Addr(strings.ToLower(protocol)), user: mailUser, password: mailPassword, caFile: b.caFile, count: b.Messages}
	if rtt > 0 {
		proxy, err := mailtest.RunDelayProxy(x.addr, rtt/2)
		if err != nil {
			return err
		}
		defer proxy.Close()
		x.addr = proxy.Addr()
	}
	programs := []string{subject}
	if peer := peerOf(protocol); b.Peers && installed(peer) != "" {
		programs = append(programs, peer)
	}
	if run%2 == 0 {
		slices.Reverse(programs)
	}
	var errs []error
	for _, program := range programs {
		s := sample{Link: linkName(rtt), Protocol: protocol, Program: program, Run: run}
		if err := b.sample(ctx, &s, x); err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			s.Error = err.Error()
			errs = append(errs, err)
			fmt.Fprintf(b.out, "run %d  %-8s  %-5s  %-10s  FAILED: %v\n", run, s.Link, protocol, program, err)
		} else {
			fmt.Fprintf(b.out, "run %d  %-8s  %-5s  %-10s  %6.0f messages/s  %6.2f s  own CPU %5.2f s  own peak %4.0f MB\n", run, s.Link, protocol, program,
				float64(b.Messages)/s.Seconds, s.Seconds, s.Used[program].CPU, float64(s.Used[program].Peak)/mib)
		}
		b.report.Samples = append(b.report.Samples, s)
	}
	return errors.Join(errs...)
}

// sample runs one program once in a folder of its own.
func (b *bench) sample(ctx context.Context, s *sample, x box) (err error) {
	ctx, cancel := context.WithTimeout(ctx, b.Timeout)
	defer cancel()
	dir, err := os.MkdirTemp(b.dir, "run-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if err := os.Chmod(dir, 0o755); err != nil { // the user of Postgres must be able to enter
		return err
	}
	if s.Program == subject {
		return b.sampleService(ctx, s, x, dir)
	}
	syscall.Sync() // nobody's pages but its own
	m, err := newMeter(map[string]int{"dovecot": b.dovecot.Pids()[0]})
	if err != nil {
		return err
	}
	took, own, err := runPeer(ctx, x, dir)
	used, err2 := m.stop()
	if err := errors.Join(err, err2); err != nil {
		return err
	}
	used[s.Program] = own
	s.Seconds, s.Used = took.Seconds(), used
	return nil
}

func (b *bench) sampleService(ctx context.Context, s *sample, x box, dir string) (err error) {
	svc, err := startService(ctx, b.binary, dir, b.Postgres)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, svc.stop()) }()
	b.report.Machine.Versions["postgres"] = svc.pg.Version()
	roots, err := svc.roots()
	if err != nil {
		return err
	}
	roots["dovecot"] = b.dovecot.Pids()[0]
	ch, err := channelFor(x)
	if err != nil {
		return err
	}
	stopProfile := b.profile(ctx, svc, s)
	syscall.Sync()
	m, err := newMeter(roots)
	if err != nil {
		return err
	}
	in, err := svc.run(ctx, ch, b.Messages, b.report.Octets)
	used, err2 := m.stop()
	if err := errors.Join(err, err2, stopProfile()); err != nil {
		return err
	}
	s.Seconds, s.Notice, s.Used = in.ended.Sub(in.began).Seconds(), in.began.Sub(in.created).Seconds(), used
	return nil
}

// profileSeconds is how long a profile goes on: it begins before the channel is created.
const profileSeconds = 8

// profile writes a CPU profile of the service for the run, if asked for. The function that it returns waits for it and
// writes the log of Postgres beside it.
func (b *bench) profile(ctx context.Context, svc *service, s *sample) (wait func() error) {
	if b.Profile == "" {
		return func() error { return nil }
	}
	name := filepath.Join(b.Profile, fmt.Sprintf("%s-%s-%d", s.Link, s.Protocol, s.Run))
	done := make(chan error, 1)
	go func() {
		raw, err := svc.get(ctx, "/debug/pprof/profile?seconds="+strconv.Itoa(profileSeconds))
		if err == nil {
			err = os.WriteFile(name+".pprof", raw, 0o644)
		}
		done <- err
	}()
	return func() error {
		raw, err := os.ReadFile(filepath.Join(svc.pgDir, "postgres.log"))
		if err == nil {
			err = os.WriteFile(name+".postgres.log", raw, 0o644)
		}
		return errors.Join(<-done, err)
	}
}

// channelFor is the channel that reads the mailbox from its beginning and changes nothing there.
func channelFor(x box) (*mailintakev1.EmailChannel, error) {
	host, portText, err := net.SplitHostPort(x.addr)
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseInt(portText, 10, 32)
	if err != nil {
		return nil, err
	}
	ch := &mailintakev1.EmailChannel{DisplayName: "Benchmark", EmailAddress: "bench@example.net", Enabled: true,
		Protocol: mailintakev1.EmailChannel_Protocol(mailintakev1.EmailChannel_Protocol_value[x.protocol]), Host: host, Port: int32(port),
		Username: x.user, Password: x.password, InitialSync: mailintakev1.EmailChannel_ALL, Settlement: mailintakev1.EmailChannel_LEAVE}
	if !x.tls() {
		ch.Starttls = mailintakev1.EmailChannel_Tls_DISABLED
		return ch, nil
	}
	ca, err := os.ReadFile(x.caFile)
	ch.Tls = &mailintakev1.EmailChannel_Tls{CaPem: string(ca)}
	return ch, err
}

// close ends the mail server.
func (b *bench) close() error {
	if b.dovecot == nil {
		return nil
	}
	return b.dovecot.Stop()
}
