package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/control/rpc"
	"github.com/mailintake/mailintake/ingest/relay"
	"github.com/mailintake/mailintake/internal/embedded"
	"github.com/mailintake/mailintake/internal/mailtest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
	"github.com/mailintake/mailintake/store"
	"github.com/mailintake/mailintake/store/seal"
	"github.com/mailintake/mailintake/store/storetest"
)

// stack is a whole service on real Postgres and JetStream, driven through its API as anybody would.
type stack struct {
	t        *testing.T
	db       *storetest.DB
	ns       *embedded.NATS
	nsDir    string
	cfg      settings
	svc      *service
	stop     func()
	channels mailintakev1.EmailChannelServiceClient
	messages mailintakev1.MessageServiceClient
	replays  mailintakev1.ReplayServiceClient
}

func newStack(t *testing.T) *stack {
	t.Helper()
	return newStackOn(t, storetest.New(t))
}

func newStackOn(t *testing.T, db *storetest.DB) *stack {
	t.Helper()
	s := &stack{t: t, db: db}
	dir := t.TempDir()
	var err error
	s.nsDir = filepath.Join(dir, "nats")
	if s.ns, err = embedded.StartNATS(embedded.NATSConfig{Dir: s.nsDir, Addr: "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.ns.Stop)
	keyset := filepath.Join(dir, "keyset.json")
	if _, err := seal.Create(keyset); err != nil {
		t.Fatal(err)
	}
	s.cfg = settings{DatabaseURL: s.db.URL, NATSURL: s.ns.URL(), KeysetFile: keyset, GRPCAddr: "127.0.0.1:0", HTTPAddr: "127.0.0.1:0",
		AdminAddr: "127.0.0.1:0", NATSAddr: "127.0.0.1:0", EgressAllow: []string{"127.0.0.0/8"}, StreamReplicas: 1}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

// start runs the service; stop ends it and waits.
func (s *stack) start() {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	svc, err := start(ctx, s.cfg, roles{poll: true, relay: true, control: true}, testLog(s.t))
	if err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- svc.run(ctx) }()
	conn, err := grpc.NewClient(svc.grpcListener.Addr().String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		s.t.Fatal(err)
	}
	s.svc = svc
	s.channels, s.messages, s.replays = mailintakev1.NewEmailChannelServiceClient(conn), mailintakev1.NewMessageServiceClient(conn), mailintakev1.NewReplayServiceClient(conn)
	s.stop = func() {
		cancel()
		if err := <-done; err != nil && ctx.Err() == nil {
			s.t.Errorf("service: %v", err)
		}
		conn.Close()
		svc.close()
		s.stop = func() {}
	}
}

// testLog shows the service's log of a test that failed.
func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(testWriter{t}, &slog.HandlerOptions{Level: slog.LevelInfo}))
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

func (s *stack) create(id string, ch *mailintakev1.EmailChannel) *mailintakev1.EmailChannel {
	s.t.Helper()
	ch.DisplayName, ch.EmailAddress, ch.Enabled = id, id+"@example.com", true
	if ch.PollInterval == nil {
		ch.PollInterval = durationpb.New(10 * time.Second)
	}
	if ch.InitialSync == 0 {
		ch.InitialSync = mailintakev1.EmailChannel_ALL
	}
	got, err := s.channels.CreateEmailChannel(s.t.Context(), &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: id, EmailChannel: ch},
		grpc.WaitForReady(true))
	if err != nil {
		s.t.Fatal(err)
	}
	return got
}

func (s *stack) get(name string) *mailintakev1.EmailChannel {
	s.t.Helper()
	ch, err := s.channels.GetEmailChannel(s.t.Context(), &mailintakev1.GetEmailChannelRequest{Name: name})
	if err != nil {
		s.t.Fatal(err)
	}
	return ch
}

// retry asks for a visit now and waits for its end.
func (s *stack) replay(r *mailintakev1.Replay) *mailintakev1.Replay {
	s.t.Helper()
	got, err := s.replays.CreateReplay(s.t.Context(), &mailintakev1.CreateReplayRequest{Parent: "tenants/acme", Replay: r})
	if err != nil {
		s.t.Fatal(err)
	}
	s.await("replay to end", 40*time.Second, func() bool {
		if got, err = s.replays.GetReplay(s.t.Context(), &mailintakev1.GetReplayRequest{Name: got.Name}); err != nil {
			s.t.Fatal(err)
		}
		return got.EndTime != nil
	})
	return got
}

// await polls a condition that only another process can bring about.
func (s *stack) await(what string, limit time.Duration, ok func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(limit)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited %v in vain for %s", limit, what)
		}
		<-tick.C
	}
}

// stream reads all first publications of a channel, in order.
func (s *stack) stream(channel string) (events []relay.Event, replayed int) {
	s.t.Helper()
	err := relay.Tail(s.t.Context(), s.svc.nats, relay.TailOptions{Subject: relay.Filter("acme", channel)}, func(e relay.Event) error {
		if e.ReplayID != "" {
			replayed++
			return nil
		}
		events = append(events, e)
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return events, replayed
}

// awaitEvents waits until the channel has n events in the stream and checks that they are 1 to n.
func (s *stack) awaitEvents(channel string, n int, limit time.Duration) []relay.Event {
	s.t.Helper()
	s.await(fmt.Sprintf("%d stored messages", n), limit, func() bool {
		return s.db.Int(`select count(*) from message join channel c using (channel_id) where c.channel = $1`, channel) >= int64(n) &&
			s.db.Int(`select count(*) from outbox`) == 0
	})
	events, _ := s.stream(channel)
	if len(events) != n {
		s.t.Fatalf("channel %s: the stream has %d events, want %d", channel, len(events), n)
	}
	for i, e := range events {
		if e.Sequence != int64(i+1) || e.Type != relay.TypeReceived && e.Type != relay.TypeBounced && e.Type != relay.TypeAutoReply {
			s.t.Fatalf("channel %s: place %d has %s with sequence %d", channel, i, e.Type, e.Sequence)
		}
	}
	return events
}

func (s *stack) raw(name string) []byte {
	s.t.Helper()
	stream, err := s.messages.ReadRawMessage(s.t.Context(), &mailintakev1.ReadRawMessageRequest{Name: name})
	if err != nil {
		s.t.Fatal(err)
	}
	var out []byte
	for {
		part, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			s.t.Fatal(err)
		}
		out = append(out, part.Data...)
	}
}

// verify runs the invariants and fails on every violation.
func (s *stack) verify() verifyReport {
	s.t.Helper()
	r, err := verify(s.t.Context(), s.db.Store, s.svc.nats, func(v store.Violation, n int) {
		s.t.Errorf("invariant %d: %s: %s", v.Invariant, v.Channel, v.What)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// corpus gives n different messages with CRLF line ends, out of the shared corpus.
func corpus(t testing.TB, n int) [][]byte {
	t.Helper()
	dir := sharedDir(t)
	var msgs [][]byte
	seen := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(dir, "corpus"), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".eml") || len(msgs) == n {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if b = mailtest.CRLF(b); len(b) > 0 && !seen[string(b)] {
			seen[string(b)] = true
			msgs = append(msgs, b)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(msgs) < n {
		t.Fatalf("the corpus has %d messages, the test needs %d", len(msgs), n)
	}
	return msgs
}

// sharedDir is the folder of test material beside the checkout; without it the test is skipped.
func sharedDir(t testing.TB) string {
	t.Helper()
	dir := os.Getenv("MAILINTAKE_SHARED")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared")
	}
	if _, err := os.Stat(filepath.Join(dir, "corpus")); err != nil {
		t.Skip("needs the mail corpus in ../shared (or MAILINTAKE_SHARED), which a plain clone does not have")
	}
	return dir
}

// runMain makes the test binary behave as the program, so that a test can kill it.
const runMain = "MAILINTAKE_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runMain) != "" {
		main()
	}
	// The parser of the validation rules (antlr, below protovalidate) fills tables that all parsers of a process share,
	// and the race detector has seen the services of two parallel tests do so at once. A server made ahead leaves them
	// nothing to fill. Outside of tests a process makes one server.
	if _, err := rpc.NewServer(rpc.Config{Channels: &control.Channels{}, Messages: &control.Messages{}, Replays: &control.Replays{}}); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(storetest.Run(m))
}

func TestDovecotToStream(t *testing.T) {
	t.Parallel()
	msgs := corpus(t, 305)
	dove := mailtest.StartDovecot(t, mailtest.DovecotOptions{Users: map[string]string{"pop3": "secret", "pop3s": "secret", "imap": "secret", "imaps": "secret"}})
	s := newStack(t)
	for _, p := range []struct {
		protocol mailintakev1.EmailChannel_Protocol
		user     string
		port     int
	}{
		{mailintakev1.EmailChannel_POP3, "pop3", dove.POP3},
		{mailintakev1.EmailChannel_POP3S, "pop3s", dove.POP3S},
		{mailintakev1.EmailChannel_IMAP, "imap", dove.IMAP},
		{mailintakev1.EmailChannel_IMAPS, "imaps", dove.IMAPS},
	} {
		if err := dove.Deliver(p.user, msgs[:300]...); err != nil {
			t.Fatal(err)
		}
		s.create(p.user, &mailintakev1.EmailChannel{Protocol: p.protocol, Host: "127.0.0.1", Port: int32(p.port),
			Tls: &mailintakev1.EmailChannel_Tls{CaPem: string(dove.CAPEM)}, Username: p.user, Password: "secret"})
	}
	for _, ch := range []string{"pop3", "pop3s", "imap", "imaps"} {
		events := s.awaitEvents(ch, 300, time.Minute)
		got := make([]string, len(events))
		for i, e := range events {
			got[i] = string(s.raw(e.About))
		}
		sameMessages(t, ch, got, msgs[:300])
		if err := dove.Deliver(ch, msgs[300:305]...); err != nil {
			t.Fatal(err)
		}
	}
	for _, ch := range []string{"pop3", "pop3s", "imap", "imaps"} {
		s.awaitEvents(ch, 305, 30*time.Second)
		r := s.replay(&mailintakev1.Replay{EmailChannel: "tenants/acme/emailChannels/" + ch, Kind: mailintakev1.Replay_RETRY})
		if r.State != mailintakev1.Replay_SUCCEEDED {
			t.Errorf("%s: another visit: %v %s", ch, r.State, r.Error)
		}
		s.awaitEvents(ch, 305, 0)
	}
	if r := s.verify(); r.messages != 4*305 {
		t.Errorf("verify looked at %d messages, want %d", r.messages, 4*305)
	}
}

// A channel that names no port finds the server on the standard ones: 110, 995, 143, 993.
func TestStandardPorts(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("needs root to listen on the standard ports")
	}
	users := map[string]mailintakev1.EmailChannel_Protocol{"pop3": mailintakev1.EmailChannel_POP3, "pop3s": mailintakev1.EmailChannel_POP3S,
		"imap": mailintakev1.EmailChannel_IMAP, "imaps": mailintakev1.EmailChannel_IMAPS}
	passwords := map[string]string{}
	for u := range users {
		passwords[u] = "secret"
	}
	// The certificate of the test is for other addresses, so the name that it must bear is given.
	dove := mailtest.StartDovecot(t, mailtest.DovecotOptions{Address: "127.0.0.2", StandardPorts: true, Users: passwords})
	s := newStack(t)
	msgs := sampleMessages(10)
	for u, protocol := range users {
		if err := dove.Deliver(u, msgs...); err != nil {
			t.Fatal(err)
		}
		ch := s.create(u, &mailintakev1.EmailChannel{Protocol: protocol, Host: "127.0.0.2",
			Tls: &mailintakev1.EmailChannel_Tls{CaPem: string(dove.CAPEM), ServerName: "localhost"}, Username: u, Password: "secret"})
		if ch.Port != 0 {
			t.Errorf("%s: the API shows port %d, want 0 as it was given", u, ch.Port)
		}
	}
	for u := range users {
		s.awaitEvents(u, 10, 30*time.Second)
	}
	s.verify()
}

// sameMessages compares as sets; POP3 cannot tell whether the last line had an end.
func sameMessages(t *testing.T, what string, got []string, want [][]byte) {
	t.Helper()
	trim := func(b []byte) string { return string(bytes.TrimSuffix(b, []byte("\r\n"))) }
	var a, b []string
	for _, m := range got {
		a = append(a, trim([]byte(m)))
	}
	for _, m := range want {
		b = append(b, trim(m))
	}
	slices.Sort(a)
	slices.Sort(b)
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Errorf("%s: message differs from what was delivered:\n got %.200q\nwant %.200q", what, a[i], b[i])
			return
		}
	}
	if len(a) != len(b) {
		t.Errorf("%s: %d messages, want %d", what, len(a), len(b))
	}
}
