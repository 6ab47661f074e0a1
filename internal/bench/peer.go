package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// box is the mailbox to read and how to get there.
type box struct {
	protocol       string // IMAP, IMAPS, POP3 or POP3S
	addr           string // host:port of the server or of the proxy before it
	user, password string
	caFile         string
	count          int
}

func (b box) tls() bool  { return b.protocol == "IMAPS" || b.protocol == "POP3S" }
func (b box) imap() bool { return b.protocol == "IMAP" || b.protocol == "IMAPS" }

// peerOf is the program that is compared with for a protocol. Both pipeline, both deliver into a maildir and flush each
// message to the disk, by default; neither parses mail or announces it.
func peerOf(protocol string) string {
	if (box{protocol: protocol}).imap() {
		return "mbsync"
	}
	return "mpop"
}

// installed is the path of a program, or empty.
func installed(name string) string {
	path, err := exec.LookPath(name)
	if err != nil {
		return ""
	}
	return path
}

// configuration is the file that makes the peer fetch everything into maildir and leave it on the server.
func (b box) configuration(dir, maildir string) (string, error) {
	host, port, err := net.SplitHostPort(b.addr)
	if err != nil {
		return "", err
	}
	if b.imap() {
		security := "SSLType None\nAuthMechs LOGIN"
		if b.tls() {
			// QUIRK: mbsync 1.4 compares the host with the names of a certificate alone, not with its addresses
			// (RFC 6125 §1.7.2).
			host = "localhost"
			security = "SSLType IMAPS\nCertificateFile " + b.caFile
		}
		return fmt.Sprintf("IMAPAccount bench\nHost %s\nPort %s\nUser %s\nPass %s\n%s\n\nIMAPStore far\nAccount bench\n\n"+
			"MaildirStore near\nPath %s/\nInbox %s\n\nChannel bench\nFar :far:INBOX\nNear :near:INBOX\nSync PullNew\nSyncState %s/state-\n",
			host, port, b.user, b.password, security, dir, maildir, dir), nil
	}
	security := "tls off\nauth user"
	if b.tls() {
		security = "tls on\ntls_starttls off\nauth user\ntls_trust_file " + b.caFile
	}
	return fmt.Sprintf("account default\nhost %s\nport %s\nuser %s\npassword %s\n%s\nkeep on\ndelivery maildir %s\nuidls_file %s\n",
		host, port, b.user, b.password, security, maildir, filepath.Join(dir, "uidls")), nil
}

// runPeer reads the mailbox with the peer of its protocol into a new maildir below dir, and counts what came.
func runPeer(ctx context.Context, b box, dir string) (took time.Duration, used usage, err error) {
	maildir := filepath.Join(dir, "mail")
	for _, sub := range []string{"cur", "new", "tmp"} {
		if err := os.MkdirAll(filepath.Join(maildir, sub), 0o700); err != nil {
			return 0, usage{}, err
		}
	}
	text, err := b.configuration(dir, maildir)
	if err != nil {
		return 0, usage{}, err
	}
	config := filepath.Join(dir, "peerrc")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil { // mpop wants it to be private
		return 0, usage{}, err
	}
	name := peerOf(b.protocol)
	args := []string{"-c", config, "-q", "bench"}
	if !b.imap() {
		args = []string{"-C", config, "-q"}
	}
	log := newOutput()
	cmd := exec.Command(installed(name), args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	began := time.Now()
	c, err := startChild(cmd)
	if err != nil {
		return 0, usage{}, err
	}
	peak := watchPeak(c)
	err = c.wait(ctx)
	took, used.Peak = time.Since(began), peak()
	if err != nil {
		return 0, usage{}, fmt.Errorf("%s: %w\n%s", name, err, log.tail(10))
	}
	got := 0
	for _, sub := range []string{"cur", "new"} {
		files, err := os.ReadDir(filepath.Join(maildir, sub))
		if err != nil {
			return 0, usage{}, err
		}
		for _, f := range files {
			if f.Name()[0] != '.' { // mbsync keeps its own state there
				got++
			}
		}
	}
	if got != b.count {
		return 0, usage{}, fmt.Errorf("%s brought %d of %d messages\n%s", name, got, b.count, log.tail(10))
	}
	state := cmd.ProcessState
	used.CPU = (state.UserTime() + state.SystemTime()).Seconds()
	return took, used, nil
}

// watchPeak reads the peak memory of a process until it ends. What the kernel reports at its end will not do: that
// includes the moment before exec, in which the process was a copy of this one.
func watchPeak(c *child) (peak func() int64) {
	found := make(chan int64)
	go func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		var highest int64
		for {
			select {
			case <-c.exited:
				found <- highest
				return
			case <-tick.C:
				highest = max(highest, peakRSS(c.pid()))
			}
		}
	}()
	return func() int64 { return <-found }
}
