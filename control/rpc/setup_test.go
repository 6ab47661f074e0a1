package rpc_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/control/rpc"
	"github.com/mailintake/mailintake/ingest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// prober is a control.Prober made of a function.
type prober func(context.Context, ingest.Mailbox) control.Probe

func (p prober) Probe(ctx context.Context, m ingest.Mailbox) control.Probe { return p(ctx, m) }

// lines is a log that may be written and read at the same time.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// bench is a server with everything around it.
type bench struct {
	store    *memory
	prober   prober
	parser   control.Parser
	log      *lines
	srv      *grpc.Server
	conn     *grpc.ClientConn
	channels mailintakev1.EmailChannelServiceClient
	messages mailintakev1.MessageServiceClient
	replays  mailintakev1.ReplayServiceClient
}

// wholeParser takes the whole message for part 1, and for the value of its one header field.
func wholeParser() control.Parser {
	return control.Parser{
		Inspect: func(r io.Reader, _ int64, s *control.Settings, remote bool) control.View {
			raw, _ := io.ReadAll(r)
			return control.View{
				Header: []ingest.Field{{Name: "Subject", Value: string(raw) + " " + s.FallbackCharset}}, Multiparts: []ingest.Multipart{{ContentType: "multipart/mixed"}},
				HTML: "<b>" + string(raw) + "</b>", RemoteBlocked: !remote, HTMLCut: remote,
			}
		},
		Extract: func(r io.Reader, _ int64, path string, _ *control.Settings, w io.Writer) (ingest.Part, bool, error) {
			if path != "1" {
				_, err := io.Copy(io.Discard, r)
				return ingest.Part{}, false, err
			}
			_, err := io.Copy(w, r)
			return ingest.Part{Path: path}, true, err
		},
	}
}

func setup(t *testing.T, change ...func(*rpc.Config)) *bench {
	t.Helper()
	b := &bench{store: newMemory(), log: &lines{}}
	b.prober = func(context.Context, ingest.Mailbox) control.Probe { return control.Probe{} }
	b.parser = wholeParser()
	pages := control.Pages{Key: []byte("0123456789abcdef")}
	cfg := rpc.Config{
		Channels: &control.Channels{Store: b.store, Pages: pages,
			Prober:       prober(func(ctx context.Context, m ingest.Mailbox) control.Probe { return b.prober(ctx, m) }),
			KnownCharset: func(name string) bool { return name == "koi8-r" }},
		Messages: &control.Messages{Store: b.store, Pages: pages, Parser: control.Parser{
			Inspect: func(r io.Reader, size int64, s *control.Settings, remote bool) control.View {
				return b.parser.Inspect(r, size, s, remote)
			},
			Extract: func(r io.Reader, size int64, path string, s *control.Settings, w io.Writer) (ingest.Part, bool, error) {
				return b.parser.Extract(r, size, path, s, w)
			},
		}},
		Replays: &control.Replays{Store: b.store, Pages: pages},
		Log:     slog.New(slog.NewJSONHandler(b.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	for _, f := range change {
		f(&cfg)
	}
	srv, err := rpc.NewServer(cfg)
	if err != nil {
		t.Fatal(err)
	}
	b.srv = srv
	lis := bufconn.Listen(1 << 20)
	served := make(chan error, 1)
	go func() { served <- srv.Serve(lis) }()
	b.conn, err = grpc.NewClient("passthrough:///test", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return lis.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = b.conn.Close()
		srv.Stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	b.channels, b.messages = mailintakev1.NewEmailChannelServiceClient(b.conn), mailintakev1.NewMessageServiceClient(b.conn)
	b.replays = mailintakev1.NewReplayServiceClient(b.conn)
	return b
}

// channel is a valid configuration.
func channel() *mailintakev1.EmailChannel {
	return &mailintakev1.EmailChannel{
		DisplayName: "Support", EmailAddress: "support@example.com", Enabled: true, Protocol: mailintakev1.EmailChannel_IMAPS,
		Host: "mail.example.com", Username: "support", Password: "correct horse",
	}
}

// create adds a valid channel that change has been at.
func (b *bench) create(t *testing.T, id string, change ...func(*mailintakev1.EmailChannel)) *mailintakev1.EmailChannel {
	t.Helper()
	c := channel()
	for _, f := range change {
		f(c)
	}
	out, err := b.channels.CreateEmailChannel(t.Context(), &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: id, EmailChannel: c})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// fields are the fields that an error complains about; reason is its stable cause.
func fields(err error) (code codes.Code, reason string, violated []string) {
	s := status.Convert(err)
	for _, d := range s.Details() {
		switch d := d.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == "mailintake" {
				reason = d.GetReason()
			}
		case *errdetails.BadRequest:
			for _, v := range d.GetFieldViolations() {
				if v.GetDescription() == "" {
					violated = append(violated, "no description: "+v.GetField())
				}
				violated = append(violated, v.GetField())
			}
		}
	}
	return s.Code(), reason, violated
}

// want checks an error against code, reason and, where given, the fields that it complains about.
func want(t *testing.T, err error, code codes.Code, reason string, violated ...string) {
	t.Helper()
	c, r, v := fields(err)
	if c != code || r != reason || strings.Join(v, " ") != strings.Join(violated, " ") {
		t.Errorf("got %v %s %q, want %v %s %q (%v)", c, r, v, code, reason, violated, err)
	}
}

func hash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}
