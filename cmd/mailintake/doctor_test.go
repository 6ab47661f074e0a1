package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/health"
	"google.golang.org/grpc/health/grpc_health_v1"

	"github.com/mailintake/mailintake/ingest/relay"
	"github.com/mailintake/mailintake/internal/embedded"
	"github.com/mailintake/mailintake/internal/mailtest"
	"github.com/mailintake/mailintake/store/seal"
	"github.com/mailintake/mailintake/store/storetest"
)

// expect checks that a text has every pattern, in (?m) mode.
func expect(t *testing.T, text string, patterns ...string) {
	t.Helper()
	for _, p := range patterns {
		if !regexp.MustCompile("(?m)" + p).MatchString(text) {
			t.Errorf("%s is missing in:\n%s", p, text)
		}
	}
}

// certificate writes a server certificate and its key to files.
func certificate(t *testing.T, c *mailtest.Certificate) (cert, key string) {
	t.Helper()
	dir := t.TempDir()
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for name, text := range map[string][]byte{cert: c.CertPEM, key: c.KeyPEM} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// A service with TLS and tokens, seen by doctor and by clients.
func TestSecureService(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	s.stop()
	ca := mailtest.NewCA()
	s.cfg.TLSCert, s.cfg.TLSKey = certificate(t, ca.Server())
	sum := sha256.Sum256([]byte("the token"))
	s.cfg.TokenHashes = []string{hex.EncodeToString(sum[:])}
	s.start()
	s.await("service", 20*time.Second, s.svc.healthy.Load)
	addr := s.svc.grpcListener.Addr().String()
	caFile := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(caFile, ca.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	// The stream is there once the relay has had its first look.
	s.await("stream", 20*time.Second, func() bool {
		st, err := relay.Inspect(t.Context(), s.svc.nats)
		return err == nil && st.Stream
	})

	all := []string{"doctor", "--database-url", s.db.URL, "--nats-url", s.ns.URL(), "--keyset-file", s.cfg.KeysetFile, "--grpc-addr", addr,
		"--token-hashes", s.cfg.TokenHashes[0], "--egress-allow", "10.0.0.0/8,fd00::/8", "--tls-cert", s.cfg.TLSCert, "--tls-key", s.cfg.TLSKey}
	status, out, errOut := command(t.Context(), all...)
	if status != exitOK || strings.Contains(out, "FAIL") || errOut != "" {
		t.Errorf("got status %d, want 0\n%s%s", status, out, errOut)
	}
	expect(t, out, `^ok    mailintake    \S`, `^ok    Go            go1`, `^ok    Postgres      version 1[5-9].*, answers in `, `^ok    clock         `,
		`^ok    schema        up to date$`, `^ok    rights        `, `^ok    NATS          version 2\.`, `^ok    JetStream     stream EMAIL has 0 events`,
		`^ok    keyset        .*, primary key \d+$`, `^ok    spool         .* free$`, `^ok    egress        public addresses and 10.0.0.0/8, fd00::/8$`,
		`^ok    tokens        1 accepted$`, `^ok    certificate   .*valid until`, `^ok    service       answers and is well$`)

	for _, tt := range []struct {
		name   string
		args   []string
		status int
		errOut string
	}{
		{"health check that knows the certificate", []string{"doctor", "--quiet", "--grpc-addr", addr, "--tls-cert", s.cfg.TLSCert, "--tls-key", s.cfg.TLSKey}, exitOK, `^$`},
		{"health check by name", []string{"doctor", "--quiet", "--server", addr, "--ca", caFile}, exitOK, `^$`},
		{"health check in clear", []string{"doctor", "--quiet", "--grpc-addr", addr}, exitFailure, `ask .* for its health: `},
		{"client with token", []string{"channel", "list", "--server", "https://" + addr, "--ca", caFile, "--token", "the token"}, exitOK, `^no channels$`},
		{"client without token", []string{"channel", "list", "--server", addr, "--ca", caFile}, exitFailure, `(?s)^mailintake: list channels: .*\nThe service wants a token: set MAILINTAKE_TOKEN or --token\.$`},
		{"client with a wrong token", []string{"channel", "list", "--server", addr, "--ca", caFile, "--token", "x"}, exitFailure, `the token is not known`},
		{"client that does not trust", []string{"channel", "list", "--server", addr, "--tls", "--token", "the token"}, exitFailure, `certificate signed by unknown authority`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			status, _, errOut := command(t.Context(), tt.args...)
			if status != tt.status {
				t.Errorf("got status %d, want %d", status, tt.status)
			}
			expect(t, errOut, tt.errOut)
		})
	}
	other, otherKey := certificate(t, ca.Server())
	status, _, errOut = command(t.Context(), "doctor", "--quiet", "--grpc-addr", addr, "--tls-cert", other, "--tls-key", otherKey)
	if status != exitFailure {
		t.Errorf("another certificate: got status %d, want 1", status)
	}
	expect(t, errOut, `shows another certificate`)
}

func TestDoctorFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open := filepath.Join(dir, "open.json")
	if _, err := seal.Create(open); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	expired, expiredKey := certificate(t, mailtest.NewCA().Expired())
	db := storetest.New(t)
	empty, err := db.Server.CreateDatabase(t.Context(), "doctor_empty")
	if err != nil {
		t.Fatal(err)
	}
	plainNATS := natsWithoutStream(t)
	for _, tt := range []struct {
		name string
		args []string
		want []string
	}{
		{"all away", []string{"--database-url", "postgres://u:hidden@127.0.0.1:1/db", "--nats-url", "nats://u:hidden@127.0.0.1:1", "--keyset-file", filepath.Join(dir, "absent")},
			[]string{`^FAIL  Postgres +cannot be reached: .*127.0.0.1.* → start it, or check`, `^FAIL  NATS +cannot be reached: .*refused.* → start it`,
				`^FAIL  keyset +.*absent does not exist → make it with mailintake keys create`}},
		{"unreadable settings", []string{"--database-url", "postgres://u:hidden@[", "--nats-url", "nats://u:hidden%zz@h", "--egress-allow", "10.0.0.0", "--token-hashes", "abc"},
			[]string{`^FAIL  Postgres +.*→ write --database-url as`, `^FAIL  NATS +--nats-url is not a URL → write it as`, `^FAIL  egress +.*"10.0.0.0" is not a network`,
				`^FAIL  tokens +.*64 hex digits → make a hash with`}},
		{"open keyset", []string{"--keyset-file", open}, []string{`^FAIL  keyset +.*mode 0644.*chmod 600`}},
		{"not migrated", []string{"--database-url", empty}, []string{`^ok    Postgres`, `^FAIL  schema +lacks \d+ migrations, the first is 0001_mailbox.sql → run mailintake migrate$`}},
		{"expired certificate", []string{"--tls-cert", expired, "--tls-key", expiredKey}, []string{`^FAIL  certificate +.*valid until .* → renew it`}},
		{"half a pair", []string{"--tls-cert", expired}, []string{`^FAIL  certificate `}},
		{"network with bits behind its mask, no stream", []string{"--egress-allow", "10.1.2.3/8", "--nats-url", plainNATS, "--database-url", "postgres://127.0.0.1:1/db"},
			[]string{`^warn  egress +10.1.2.3/8 has bits behind its mask → write 10.0.0.0/8`, `^ok    JetStream +enabled; stream EMAIL does not exist yet`}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			status, out, errOut := command(t.Context(), append([]string{"doctor", "--grpc-addr", "127.0.0.1:1"}, tt.args...)...)
			if status != exitFailure {
				t.Errorf("got status %d, want 1", status)
			}
			expect(t, out, tt.want...)
			expect(t, errOut, `^mailintake: \d+ of \d+ checks failed$`)
			if strings.Contains(out+errOut, "hidden") {
				t.Errorf("a password is shown:\n%s", out)
			}
		})
	}
}

// What migrate makes is what doctor looks for.
func TestMigrateThenDoctor(t *testing.T) {
	t.Parallel()
	url, err := storetest.New(t).Server.CreateDatabase(t.Context(), "doctor_migrate")
	if err != nil {
		t.Fatal(err)
	}
	if status, out, errOut := command(t.Context(), "migrate", "--database-url", url); status != exitOK || !strings.Contains(out, "applied 0001_mailbox.sql") {
		t.Fatalf("migrate: status %d\n%s%s", status, out, errOut)
	}
	status, out, errOut := command(t.Context(), "doctor", "--grpc-addr", "127.0.0.1:1", "--database-url", url)
	if status != exitOK {
		t.Errorf("doctor: status %d\n%s%s", status, out, errOut)
	}
	expect(t, out, `^ok    schema        up to date$`, `^ok    rights `)
}

func TestDoctorSeesMissingRights(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	db.Exec(`create role doctor_reader login`)
	t.Cleanup(func() {
		db.Exec(`drop owned by doctor_reader`)
		db.Exec(`drop role doctor_reader`)
	})
	db.Exec(`grant select on all tables in schema public to doctor_reader`)
	u, err := url.Parse(db.URL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("user", "doctor_reader")
	u.RawQuery = q.Encode()
	status, out, _ := command(t.Context(), "doctor", "--grpc-addr", "127.0.0.1:1", "--database-url", u.String())
	if status != exitFailure {
		t.Errorf("got status %d, want 1", status)
	}
	expect(t, out, `^FAIL  rights +.*insert on table message.* → grant them`, `ownership of table raw`, `delete on table outbox`, `create in schema public`, `usage of sequence river_job_id_seq`)
	if strings.Contains(out, "select on") {
		t.Errorf("a right that is there is called missing:\n%s", out)
	}
}

// natsWithoutStream is a server with JetStream that no relay has seen yet.
func natsWithoutStream(t *testing.T) string {
	t.Helper()
	ns, err := embedded.StartNATS(embedded.NATSConfig{Dir: t.TempDir(), Addr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(ns.Stop)
	return ns.URL()
}

// The health check of a container tells a service that cannot work from one that is well.
func TestDoctorQuiet(t *testing.T) {
	t.Parallel()
	state := health.NewServer()
	srv := grpc.NewServer()
	grpc_health_v1.RegisterHealthServer(srv, state)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	check := []string{"doctor", "--quiet", "--grpc-addr", ":" + port}
	if status, out, errOut := command(t.Context(), check...); status != exitOK || out+errOut != "" {
		t.Errorf("healthy: got status %d and %q, want 0 and nothing", status, out+errOut)
	}
	state.SetServingStatus("", grpc_health_v1.HealthCheckResponse_NOT_SERVING)
	status, out, errOut := command(t.Context(), check...)
	if status != exitFailure || out != "" {
		t.Errorf("not serving: got status %d and %q, want 1 and nothing", status, out)
	}
	expect(t, errOut, `is up and says NOT_SERVING: its database is away`)
	status, out, _ = command(t.Context(), "doctor", "--grpc-addr", ":"+port)
	if status != exitFailure {
		t.Errorf("not serving: got status %d, want 1", status)
	}
	expect(t, out, `^FAIL  service +.*NOT_SERVING.* → see the checks`)
}

// Events are followed until the reader is interrupted, which is no failure.
func TestEventsFollow(t *testing.T) {
	t.Parallel()
	s := newStack(t)
	inbox := mailtest.NewMailbox()
	imap := mailtest.StartIMAP(t, mailtest.IMAPOptions{Accounts: []mailtest.Account{{User: "u", Password: "p", Inbox: inbox}}})
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("p"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.await("service", 20*time.Second, s.svc.healthy.Load)
	status, _, errOut := command(t.Context(), "channel", "create", "live", "--protocol", "imap", "--starttls", "disabled", "--host", "127.0.0.1", "--port", port(imap.Addr()),
		"--username", "u", "--password-file", password, "--email-address", "live@example.com", "--initial-sync", "all", "--poll-interval", "10s",
		"--server", s.svc.grpcListener.Addr().String(), "--tenant", "acme")
	if status != exitOK {
		t.Fatal(errOut)
	}
	inbox.Append(sampleMessages(1)[0])
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out := &lineSignal{line: make(chan string, 10)}
	done := make(chan int, 1)
	s.awaitEvents("live", 1, 30*time.Second)
	go func() {
		done <- run(ctx, []string{"events", "--all", "--tenant", "*", "--nats-url", s.ns.URL()}, out, out)
	}()
	expect(t, <-out.line, `acme/live  received  #1  `)
	inbox.Append(sampleMessages(2)[1])
	status, _, errOut = command(t.Context(), "replay", "create", "live", "--kind", "retry", "--server", s.svc.grpcListener.Addr().String(), "--tenant", "acme")
	if status != exitOK {
		t.Fatal(errOut)
	}
	expect(t, <-out.line, `acme/live  received  #2  `)
	cancel()
	if status := <-done; status != exitOK {
		t.Errorf("interrupted: got status %d, want 0", status)
	}

	status, _, errOut = command(t.Context(), "events", "--no-follow", "--nats-url", "nats://127.0.0.1:1")
	if status != exitFailure {
		t.Errorf("NATS away: got status %d, want 1", status)
	}
	expect(t, errOut, `^mailintake: NATS cannot be reached: .*connection refused.*check --nats-url`)
	status, _, errOut = command(t.Context(), "events", "--no-follow", "--nats-url", natsWithoutStream(t))
	if status != exitFailure {
		t.Errorf("no stream: got status %d, want 1", status)
	}
	expect(t, errOut, `the service makes it when its relay starts$`)
}

func port(addr string) string {
	_, port, _ := net.SplitHostPort(addr)
	return port
}

// lineSignal is a writer whose lines can be waited for.
type lineSignal struct {
	rest []byte
	line chan string
}

func (w *lineSignal) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, ok := bytes.Cut(w.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		w.rest = rest
		w.line <- string(line)
	}
}
