package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mailintake/mailintake/ingest/relay"
	"github.com/mailintake/mailintake/internal/mailtest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
	"github.com/mailintake/mailintake/store"
)

// program is mailintake as a process of its own, with everything below one data directory.
type program struct {
	t    *testing.T
	dir  string
	grpc int
	nats int
	cmd  *exec.Cmd
	log  *os.File
}

func newProgram(t *testing.T) *program {
	t.Helper()
	// Postgres runs as another user when we are root, and a test's own folder is closed to it.
	dir, err := os.MkdirTemp("", "mi-kill-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := &program{t: t, dir: dir, grpc: freePort(t), nats: freePort(t)}
	if p.log, err = os.Create(filepath.Join(dir, "log")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			b, _ := os.ReadFile(p.log.Name())
			t.Logf("the end of the program's log:\n%s", b[max(0, len(b)-8000):])
		}
		p.log.Close()
		// The embedded Postgres ends with its parent, a moment later.
		deadline := time.Now().Add(20 * time.Second)
		for os.RemoveAll(dir) != nil && time.Now().Before(deadline) {
			<-time.After(100 * time.Millisecond)
		}
	})
	return p
}

func (p *program) start() {
	p.t.Helper()
	p.cmd = exec.Command(os.Args[0], "serve", "--embedded", "--data-dir", filepath.Join(p.dir, "data"), "--grpc-addr", fmt.Sprintf("127.0.0.1:%d", p.grpc),
		"--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--nats-addr", fmt.Sprintf("127.0.0.1:%d", p.nats))
	p.cmd.Env = append(os.Environ(), runMain+"=1")
	p.cmd.Stdout, p.cmd.Stderr = p.log, p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// kill is kill -9.
func (p *program) kill() {
	if p.cmd != nil {
		p.cmd.Process.Kill()
		p.cmd.Wait()
		p.cmd = nil
	}
}

func (p *program) databaseURL() string {
	return fmt.Sprintf("host=%s port=5432 user=postgres dbname=mailintake sslmode=disable", filepath.Join(p.dir, "data", "postgres"))
}

// count asks the program's database; -1 while it does not answer.
func (p *program) count(sql string, args ...any) int {
	ctx, cancel := context.WithTimeout(p.t.Context(), 30*time.Second) // hashing 200 MB takes a loaded machine that long
	defer cancel()
	conn, err := pgx.Connect(ctx, p.databaseURL())
	if err != nil {
		return -1
	}
	defer conn.Close(ctx)
	n := -1
	if conn.QueryRow(ctx, sql, args...).Scan(&n) != nil {
		return -1
	}
	return n
}

func (p *program) await(what string, limit time.Duration, ok func() bool) {
	p.t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			p.t.Fatalf("waited %v in vain for %s", limit, what)
		}
		<-tick.C
	}
}

// Ten times during the import of 2,000 messages the service, its Postgres and its JetStream die at once. In the end every
// message is stored once and announced once; with DELETE the mailbox is empty and nothing was deleted that is not stored.
func TestKillNineTenTimes(t *testing.T) {
	t.Parallel()
	users := map[string]mailintakev1.EmailChannel_Settlement{"imap-delete": mailintakev1.EmailChannel_DELETE, "imap-leave": mailintakev1.EmailChannel_LEAVE,
		"pop3-delete": mailintakev1.EmailChannel_DELETE, "imap-seen": mailintakev1.EmailChannel_MARK_SEEN}
	const messages, kills = 500, 10 // of each of four mailboxes: 2,000 in all
	passwords := map[string]string{}
	for u := range users {
		passwords[u] = "secret"
	}
	dove := mailtest.StartDovecot(t, mailtest.DovecotOptions{Users: passwords})
	msgs := sampleMessages(messages)
	slow := map[string]int{}
	for _, protocol := range []string{"imaps", "pop3s"} {
		// A link of 20 ms makes the import last long enough to be killed in the middle.
		proxy, err := mailtest.RunDelayProxy(dove.Addr(protocol), 10*time.Millisecond)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(proxy.Close)
		slow[protocol] = proxy.Port()
	}
	p := newProgram(t)
	p.start()
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", p.grpc), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := mailintakev1.NewEmailChannelServiceClient(conn)
	for u, settlement := range users {
		if err := dove.Deliver(u, msgs...); err != nil {
			t.Fatal(err)
		}
		ch := &mailintakev1.EmailChannel{DisplayName: u, EmailAddress: u + "@example.com", Enabled: true, Protocol: mailintakev1.EmailChannel_IMAPS, Host: "127.0.0.1",
			Port: int32(slow["imaps"]), Username: u, Password: "secret", Tls: &mailintakev1.EmailChannel_Tls{CaPem: string(dove.CAPEM)},
			PollInterval: durationpb.New(10 * time.Second), InitialSync: mailintakev1.EmailChannel_ALL, Settlement: settlement}
		if strings.HasPrefix(u, "pop3") {
			ch.Protocol, ch.Port = mailintakev1.EmailChannel_POP3S, int32(slow["pop3s"])
		}
		if _, err := client.CreateEmailChannel(t.Context(), &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: u, EmailChannel: ch},
			grpc.WaitForReady(true)); err != nil {
			t.Fatal(err)
		}
	}
	total := messages * len(users)
	for i := range kills {
		want := total * i / (kills + 1)
		p.await(fmt.Sprintf("more than %d messages before kill %d", want, i+1), 60*time.Second, func() bool { return p.count(`select count(*) from message`) > want })
		<-time.After(time.Duration(rand.IntN(250)) * time.Millisecond) // any moment will do
		t.Logf("kill %d at %d messages, %d waiting events", i+1, p.count(`select count(*) from message`), p.count(`select count(*) from outbox`))
		p.kill()
		p.start()
	}
	p.await("the import to end", 2*time.Minute, func() bool {
		return p.count(`select count(*) from message`) >= total && p.count(`select count(*) from outbox`) == 0 &&
			p.count(`select count(*) from ledger where unsettled`) == 0
	})
	for u, settlement := range users {
		if n := p.count(`select count(*) from message join channel using (channel_id) where channel = $1`, u); n != messages {
			t.Errorf("%s: %d messages stored, want %d", u, n, messages)
		}
		want := messages
		if settlement == mailintakev1.EmailChannel_DELETE {
			want = 0
		}
		p.await(fmt.Sprintf("%s: %d messages left on the server, now %d", u, want, dove.Count(u)), 30*time.Second, func() bool { return dove.Count(u) == want })
	}
	nc, err := relay.Dial(relay.DialOptions{URL: fmt.Sprintf("nats://127.0.0.1:%d", p.nats)})
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	st, err := store.Open(t.Context(), store.Config{URL: p.databaseURL()})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	r, err := verify(t.Context(), st, nc, func(v store.Violation, _ int) { t.Errorf("invariant %d: %s: %s", v.Invariant, v.Channel, v.What) })
	if err != nil {
		t.Fatal(err)
	}
	if r.published != total {
		t.Errorf("%d events in the stream, want %d", r.published, total)
	}
}

// Two processes share the channels. One is paused in the middle of an import until the other has taken over, and must
// find out when it wakes; then the other is killed, and the first takes everything back.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	const messages = 400
	users := []string{"one", "two", "three", "four"}
	passwords := map[string]string{}
	for _, u := range users {
		passwords[u] = "secret"
	}
	dove := mailtest.StartDovecot(t, mailtest.DovecotOptions{Users: passwords})
	proxy, err := mailtest.RunDelayProxy(dove.Addr("imaps"), 15*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	s := newStack(t)
	s.stop() // its settings, database and NATS are what is wanted
	serve := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "serve", "--database-url", s.cfg.DatabaseURL, "--nats-url", s.cfg.NATSURL, "--keyset-file", s.cfg.KeysetFile,
			"--grpc-addr", "127.0.0.1:0", "--http-addr", "127.0.0.1:0", "--admin-addr", "127.0.0.1:0", "--egress-allow", "127.0.0.0/8",
			"--token-hashes", strings.Repeat("0", 64))
		cmd.Env = append(os.Environ(), runMain+"=1")
		cmd.Stderr = testWriter{t}
		cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			cmd.Process.Kill()
			cmd.Wait()
		})
		return cmd
	}
	s.start()
	for _, u := range users {
		if err := dove.Deliver(u, sampleMessages(messages)...); err != nil {
			t.Fatal(err)
		}
		s.create(u, &mailintakev1.EmailChannel{Protocol: mailintakev1.EmailChannel_IMAPS, Host: "127.0.0.1", Port: int32(proxy.Port()), Username: u, Password: "secret",
			Tls: &mailintakev1.EmailChannel_Tls{CaPem: string(dove.CAPEM)}, Settlement: mailintakev1.EmailChannel_DELETE, PollInterval: durationpb.New(10 * time.Second)})
	}
	s.stop()
	stored := func() int64 { return s.db.Int(`select count(*) from message`) }
	at := stored()
	a := serve()
	s.await("the import to go on", 30*time.Second, func() bool { return stored() > at })
	if err := a.Process.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	b := serve()
	s.await("the other to take everything over", 60*time.Second, func() bool { return stored() == int64(messages*len(users)) })
	if err := a.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		s.await("the mailbox of "+u+" to be emptied", 60*time.Second, func() bool { return dove.Count(u) == 0 })
		if err := dove.Deliver(u, sampleMessages(messages + 20)[messages:]...); err != nil {
			t.Fatal(err)
		}
	}
	s.await("new mail", 60*time.Second, func() bool { return stored() == int64((messages+20)*len(users)) })
	b.Process.Kill()
	for _, u := range users {
		if err := dove.Deliver(u, sampleMessages(messages + 40)[messages+20:]...); err != nil {
			t.Fatal(err)
		}
	}
	s.await("the first to take everything back", 90*time.Second, func() bool {
		return stored() == int64((messages+40)*len(users)) && s.db.Int(`select count(*) from outbox`) == 0 && s.db.Int(`select count(*) from ledger where unsettled`) == 0
	})
	for _, u := range users {
		if n := dove.Count(u); n != 0 {
			t.Errorf("%s: %d messages left on the server, want none", u, n)
		}
	}
	a.Process.Kill()
	a.Wait()
	s.start()
	if r := s.verify(); r.published != (messages+40)*len(users) {
		t.Errorf("%d events in the stream, want %d", r.published, (messages+40)*len(users))
	}
}
