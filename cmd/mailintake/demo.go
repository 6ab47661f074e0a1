package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/mailintake/mailintake/ingest/relay"
	"github.com/mailintake/mailintake/internal/mailtest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// demoCmd shows the main job without anything to set up: embedded Postgres and NATS, two sample mailboxes that keep
// receiving mail, their channels, and every event as it comes. What it stores stays; a second start goes on from there.
type demoCmd struct {
	settings
	Every time.Duration `default:"3s" help:"How often a sample mail arrives (${default})."`
	Count int           `help:"Stop after this many events; 0 goes on until Ctrl-C."`
}

// demoBox is one sample mailbox with its channel.
type demoBox struct {
	id, name, address string
	protocol          mailintakev1.EmailChannel_Protocol
	inbox             *mailtest.Mailbox
	port              int
}

// Run shows the demo until Ctrl-C.
func (c *demoCmd) Run(ctx context.Context, con *console) error {
	c.embedded = true
	if c.DataDir == "" {
		c.DataDir = filepath.Join(defaultDataDir(), "demo")
	}
	if err := c.validate(); err != nil {
		return &usageError{err.Error()}
	}
	if err := os.MkdirAll(c.DataDir, 0o755); err != nil {
		return fmt.Errorf("data directory: %w; choose another with --data-dir", err)
	}
	// The log is for when something goes wrong; the events are the show.
	logFile, err := os.OpenFile(filepath.Join(c.DataDir, "mailintake.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	log := c.logger(&console{out: con.out, err: logFile})
	fmt.Fprintf(con.out, "starting Postgres, NATS and two sample mailboxes below %s …\n", c.DataDir)
	s, err := start(ctx, c.settings, roles{poll: true, relay: true, control: true}, log)
	if err != nil {
		return err
	}
	defer s.close()
	ca := mailtest.NewCA()
	boxes, closeBoxes, err := c.mailboxes(ca)
	if err != nil {
		return err
	}
	defer closeBoxes()

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.run(ctx) })
	g.Go(func() error {
		if err := demoChannels(ctx, s.grpcListener.Addr(), boxes, ca.PEM()); err != nil {
			return err
		}
		c.welcome(con.out, s)
		return nil
	})
	g.Go(func() error { return c.deliver(ctx, boxes) })
	g.Go(func() error { return c.show(ctx, con.out, s, cancel, log) })
	err = g.Wait()
	fmt.Fprintf(con.out, "\nstopped; everything is kept in %s, and the next start goes on from there\n", c.DataDir)
	if errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// mailboxes opens the sample mailboxes and serves one by IMAPS, one by POP3S.
func (c *demoCmd) mailboxes(ca *mailtest.CA) (boxes []*demoBox, closeAll func(), err error) {
	boxes = []*demoBox{
		{id: "support", name: "Support", address: "support@demo.example", protocol: mailintakev1.EmailChannel_IMAPS},
		{id: "billing", name: "Billing", address: "billing@demo.example", protocol: mailintakev1.EmailChannel_POP3S},
	}
	var closers []func()
	closeAll = func() {
		for _, f := range closers {
			f()
		}
	}
	cert := ca.Server()
	for _, b := range boxes {
		if b.inbox, err = mailtest.OpenMailbox(filepath.Join(c.DataDir, "mailboxes", b.id)); err != nil {
			closeAll()
			return nil, nil, err
		}
		accounts := []mailtest.Account{{User: b.id, Password: demoPassword, Inbox: b.inbox}}
		if b.protocol == mailintakev1.EmailChannel_IMAPS {
			srv, err := mailtest.RunIMAP(mailtest.IMAPOptions{Accounts: accounts, Cert: cert, ImplicitTLS: true})
			if err != nil {
				closeAll()
				return nil, nil, err
			}
			closers = append(closers, srv.Close)
			b.port = srv.Port()
		} else {
			srv, err := mailtest.RunPOP3(mailtest.POP3Options{Accounts: accounts, Cert: cert, ImplicitTLS: true})
			if err != nil {
				closeAll()
				return nil, nil, err
			}
			closers = append(closers, srv.Close)
			b.port = srv.Port()
		}
	}
	return boxes, closeAll, nil
}

// demoPassword guards nothing: the sample servers listen on loopback for as long as the demo runs.
const demoPassword = "demo"

// demoChannels creates the channels through the API, or points those of an earlier run at today's ports.
func demoChannels(ctx context.Context, addr net.Addr, boxes []*demoBox, caPEM []byte) error {
	conn, err := grpc.NewClient(addr.String(), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	client := mailintakev1.NewEmailChannelServiceClient(conn)
	for _, b := range boxes {
		ch := &mailintakev1.EmailChannel{DisplayName: b.name, EmailAddress: b.address, Enabled: true, Protocol: b.protocol,
			Host: "127.0.0.1", Port: int32(b.port), Tls: &mailintakev1.EmailChannel_Tls{CaPem: string(caPEM)}, Username: b.id, Password: demoPassword,
			PollInterval: durationpb.New(10 * time.Second), InitialSync: mailintakev1.EmailChannel_ALL}
		_, err := client.CreateEmailChannel(ctx, &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/default", EmailChannelId: b.id, EmailChannel: ch},
			grpc.WaitForReady(true))
		if status.Code(err) == codes.AlreadyExists {
			ch.Name = "tenants/default/emailChannels/" + b.id
			_, err = client.UpdateEmailChannel(ctx, &mailintakev1.UpdateEmailChannelRequest{EmailChannel: ch,
				UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"enabled", "host", "port", "tls", "password"}}})
		}
		if err != nil {
			return fmt.Errorf("channel %s: %w", b.id, err)
		}
	}
	return nil
}

func (c *demoCmd) welcome(w io.Writer, s *service) {
	fmt.Fprintf(w, `
  gRPC  %s      JSON  http://%s/v1/tenants/default/emailChannels
  NATS  %s      metrics  http://%s/metrics
  log   %s
  Postgres  %[7]s

Try next, in another terminal:
  bin/mailintake channel list --server %[1]s
  bin/mailintake message list support --server %[1]s
  bin/mailintake channel create mine --protocol imaps --host imap.example.com \
      --email-address you@example.com --username you@example.com --initial-sync all --test --server %[1]s
      (your own mailbox: it asks for the password and changes nothing in the mailbox)

Mail arrives every %[6]s. Each line below is one routing event on JetStream. Ctrl-C stops.

`, s.grpcListener.Addr(), s.httpListener.Addr(), s.ns.URL(), s.adminListener.Addr(), filepath.Join(c.DataDir, "mailintake.log"), c.Every, s.cfg.DatabaseURL)
}

// deliver puts sample mail into the mailboxes, as if customers wrote.
func (c *demoCmd) deliver(ctx context.Context, boxes []*demoBox) error {
	tick := time.NewTicker(c.Every)
	defer tick.Stop()
	n := 0
	for _, b := range boxes {
		n += b.inbox.Len()
	}
	for ; ; n++ {
		b := boxes[n%len(boxes)]
		if _, err := b.inbox.Deliver(sampleMail(n, b.address, time.Now()), time.Now()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// show prints events as a routing engine would get them.
func (c *demoCmd) show(ctx context.Context, w io.Writer, s *service, stop func(), log *slog.Logger) error {
	if err := connected(ctx, s.nats); err != nil {
		return err
	}
	since, shown := time.Now(), 0
	for {
		err := relay.Tail(ctx, s.nats, relay.TailOptions{Since: since, Follow: true}, func(e relay.Event) error {
			fmt.Fprintln(w, formatEvent(e))
			if shown++; shown == c.Count {
				stop()
			}
			return nil
		})
		if err == nil || ctx.Err() != nil {
			return nil
		}
		log.Debug("the stream is not there yet", "error", err)
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}
