package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/mailintake/mailintake/internal/mailtest"
)

// script is one run of a file in testdata/script: what somebody types, and what must come of it. Its lines are
//
//	service                   starts a service, $SERVER and $NATS, and an IMAPS server on $PORT with user "box", password
//	                          "secret" and the certificate authority $WORK/ca.pem
//	deliver FILE              puts a mail into the mailbox of "box"
//	mailintake ARG…           must succeed; with ! in front it must fail
//	status N                  of the last command
//	stdout REGEXP, stderr …   must match what it wrote (in (?m) mode); with ! in front it must not
//	lines N                   of its standard output
//	same FILE                 its standard output, octet by octet
//	keep NAME REGEXP          sets $NAME to the first group of a match in its standard output
//	state CHANNEL STATE       waits until the channel is in this state
//	events CHANNEL N          waits until the stream has that many events of the channel
//
// Words may stand in single quotes. After lines "-- name --" come files of $WORK; line ends become CRLF in *.eml.
type script struct {
	t        *testing.T
	vars     map[string]string
	stack    *stack
	inbox    *mailtest.Mailbox
	out, err bytes.Buffer
	code     int
}

func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s := &script{t: t, vars: map[string]string{"WORK": t.TempDir()}}
			for i, line := range strings.Split(s.unpack(string(text)), "\n") {
				if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
					continue
				}
				if problem := s.do(s.words(line)); problem != "" {
					t.Fatalf("%s:%d: %s\n%s\nstatus %d\nstdout:\n%s\nstderr:\n%s", file, i+1, line, problem, s.code, s.out.String(), s.err.String())
				}
			}
		})
	}
}

// unpack writes the files of the archive and returns what stands before the first.
func (s *script) unpack(text string) string {
	marker := regexp.MustCompile(`(?m)^-- (\S+) --\n`)
	at := marker.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		name, body := text[m[2]:m[3]], text[m[1]:end]
		if strings.HasSuffix(name, ".eml") {
			body = strings.ReplaceAll(body, "\n", "\r\n")
		}
		s.write(name, body)
	}
	if len(at) == 0 {
		return text
	}
	return text[:at[0][0]]
}

func (s *script) write(name, body string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.vars["WORK"], name), []byte(body), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// words splits a line; variables are replaced in all of them.
func (s *script) words(line string) []string {
	var words []string
	for rest := line; rest != ""; rest = strings.TrimLeft(rest, " \t") {
		var word string
		if quoted, ok := strings.CutPrefix(rest, "'"); ok {
			word, rest, ok = strings.Cut(quoted, "'")
			if !ok {
				s.t.Fatalf("quote is not closed: %s", line)
			}
		} else if i := strings.IndexAny(rest, " \t"); i >= 0 {
			word, rest = rest[:i], rest[i:]
		} else {
			word, rest = rest, ""
		}
		words = append(words, regexp.MustCompile(`\$[A-Z]+`).ReplaceAllStringFunc(word, func(v string) string {
			value, ok := s.vars[v[1:]]
			if !ok {
				return v
			}
			return value
		}))
	}
	return words
}

// do runs one line and returns what is wrong.
func (s *script) do(words []string) string {
	not := words[0] == "!"
	if not {
		words = words[1:]
	}
	args := words[1:]
	switch words[0] {
	case "service":
		s.service()
	case "deliver":
		raw, err := os.ReadFile(filepath.Join(s.vars["WORK"], args[0]))
		if err != nil {
			return err.Error()
		}
		s.inbox.Append(raw)
	case "mailintake":
		s.out.Reset()
		s.err.Reset()
		s.code = run(s.t.Context(), s.complete(args), &s.out, &s.err)
		if (s.code != 0) != not {
			return fmt.Sprintf("ended with status %d", s.code)
		}
	case "status":
		if strconv.Itoa(s.code) != args[0] {
			return fmt.Sprintf("got status %d", s.code)
		}
	case "stdout", "stderr":
		text := s.out.Bytes()
		if words[0] == "stderr" {
			text = s.err.Bytes()
		}
		if regexp.MustCompile("(?m)"+args[0]).Match(text) == not {
			return "unexpected " + words[0]
		}
	case "lines":
		if n := bytes.Count(s.out.Bytes(), []byte("\n")); strconv.Itoa(n) != args[0] {
			return fmt.Sprintf("got %d lines", n)
		}
	case "same":
		want, err := os.ReadFile(filepath.Join(s.vars["WORK"], args[0]))
		if err != nil {
			return err.Error()
		}
		if !bytes.Equal(s.out.Bytes(), want) {
			return fmt.Sprintf("got %q, want %q", s.out.Bytes(), want)
		}
	case "keep":
		m := regexp.MustCompile("(?m)" + args[1]).FindSubmatch(s.out.Bytes())
		if m == nil {
			return "nothing matches"
		}
		s.vars[args[0]] = string(m[1])
	case "state":
		s.stack.await("state "+args[1], 30*time.Second, func() bool {
			return s.stack.get("tenants/acme/emailChannels/"+args[0]).GetState().String() == args[1]
		})
	case "events":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err.Error()
		}
		s.stack.awaitEvents(args[0], n, 30*time.Second)
	default:
		return "no such command"
	}
	return ""
}

func (s *script) service() {
	s.t.Helper()
	ca := mailtest.NewCA()
	s.inbox = mailtest.NewMailbox()
	imap := mailtest.StartIMAP(s.t, mailtest.IMAPOptions{Cert: ca.Server(), ImplicitTLS: true,
		Accounts: []mailtest.Account{{User: "box", Password: "secret", Inbox: s.inbox}}})
	s.stack = newStack(s.t)
	s.write("ca.pem", string(ca.PEM()))
	s.write("password", "secret\n")
	s.write("wrong", "no-secret\n")
	s.vars["PORT"], s.vars["SERVER"], s.vars["NATS"] = strconv.Itoa(imap.Port()), s.stack.svc.grpcListener.Addr().String(), s.stack.ns.URL()
	// The API takes calls as soon as the schema has been looked at.
	s.stack.await("service", 20*time.Second, s.stack.svc.healthy.Load)
}

// complete adds the flags that say where the service is, as the environment would.
func (s *script) complete(args []string) []string {
	if s.stack == nil || len(args) < 2 {
		return args
	}
	switch args[0] {
	case "channel", "message", "replay":
		return append(args, "--server", s.vars["SERVER"], "--tenant", "acme")
	case "events":
		return append(args, "--nats-url", s.vars["NATS"], "--tenant", "acme")
	}
	return args
}

// command runs a command line and returns its status and what it wrote.
func command(ctx context.Context, args ...string) (status int, out, errOut string) {
	var o, e bytes.Buffer
	status = run(ctx, args, &o, &e)
	return status, o.String(), e.String()
}
