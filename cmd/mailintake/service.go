package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"
	"google.golang.org/grpc"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/control/rpc"
	"github.com/mailintake/mailintake/ingest/mime"
	"github.com/mailintake/mailintake/ingest/poll"
	"github.com/mailintake/mailintake/ingest/relay"
	"github.com/mailintake/mailintake/ingest/spool"
	"github.com/mailintake/mailintake/internal/embedded"
	"github.com/mailintake/mailintake/store"
	"github.com/mailintake/mailintake/store/seal"
)

// roles are the parts of the service that a process takes.
type roles struct{ poll, relay, control bool }

// service is one running process: what serve and demo have in common.
type service struct {
	cfg     settings
	roles   roles
	log     *slog.Logger
	reg     *prometheus.Registry
	pg      *embedded.Postgres
	ns      *embedded.NATS
	store   *store.Store
	nats    *nats.Conn
	boxes   *mailboxes
	replica *store.Replica
	healthy atomic.Bool // the database answered lately

	grpcListener, httpListener, adminListener net.Listener
}

// start brings up everything that run needs. The listeners come first: a taken port is found before anything is
// touched, and what waits for the database can already be asked how it is.
func start(ctx context.Context, cfg settings, r roles, log *slog.Logger) (_ *service, err error) {
	s := &service{cfg: cfg, roles: r, log: log, reg: prometheus.NewRegistry()}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	s.reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if err := s.listen(); err != nil {
		return nil, err
	}
	if cfg.embedded {
		if err := s.startEmbedded(ctx); err != nil {
			return nil, err
		}
	}
	sealer, err := s.sealer()
	if err != nil {
		return nil, err
	}
	if s.store, err = store.Open(ctx, store.Config{URL: s.cfg.DatabaseURL, MaxConns: 24, Sealer: sealer, Log: log}); err != nil {
		return nil, err
	}
	opts := relay.DialOptions{URL: s.cfg.NATSURL, Name: "mailintake", Log: log}
	if s.ns != nil {
		opts.InProcess = s.ns.InProcess()
	}
	if s.nats, err = relay.Dial(opts); err != nil {
		return nil, err
	}
	allow, err := cfg.egress()
	if err != nil {
		return nil, err
	}
	s.boxes = newMailboxes(allow)
	return s, nil
}

func (s *service) listen() (err error) {
	bind := func(name, addr string) net.Listener {
		if err != nil {
			return nil
		}
		l, lerr := net.Listen("tcp", addr)
		if lerr != nil {
			err = portError(name, addr, lerr)
		}
		return l
	}
	if s.roles.control {
		s.grpcListener = bind("grpc-addr", s.cfg.GRPCAddr)
		s.httpListener = bind("http-addr", s.cfg.HTTPAddr)
	}
	s.adminListener = bind("admin-addr", s.cfg.AdminAddr)
	return err
}

// portError says in one line which port is taken and which flag changes it.
func portError(flag, addr string, err error) error {
	if errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, embedded.ErrAddrInUse) {
		return fmt.Errorf("port %s is taken by another program; choose another with --%s", addr, flag)
	}
	return fmt.Errorf("cannot listen on %s (--%s): %w", addr, flag, err)
}

// startEmbedded starts Postgres and NATS below the data directory and points the settings at them.
func (s *service) startEmbedded(ctx context.Context) (err error) {
	dir := s.cfg.DataDir
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("data directory: %w; choose another with --data-dir", err)
	}
	if s.ns, err = embedded.StartNATS(embedded.NATSConfig{Dir: filepath.Join(dir, "nats"), Addr: s.cfg.NATSAddr, Log: s.log}); err != nil {
		if errors.Is(err, embedded.ErrAddrInUse) {
			return portError("nats-addr", s.cfg.NATSAddr, err)
		}
		return err
	}
	if s.pg, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: filepath.Join(dir, "postgres"), Log: s.log}); err != nil {
		return err
	}
	s.cfg.DatabaseURL, err = s.pg.CreateDatabase(ctx, "mailintake")
	if err != nil {
		return err
	}
	if s.cfg.KeysetFile == "" {
		s.cfg.KeysetFile = filepath.Join(dir, "keyset.json")
		if _, err := os.Stat(s.cfg.KeysetFile); errors.Is(err, os.ErrNotExist) {
			if _, err := seal.Create(s.cfg.KeysetFile); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *service) sealer() (*seal.Sealer, error) {
	if s.cfg.KeysetFile == "" {
		return nil, errors.New("no keyset: set --keyset-file")
	}
	return seal.Open(s.cfg.KeysetFile)
}

// ready waits until the database answers and its schema is this program's. With embedded servers it migrates itself;
// elsewhere that is a step of the deployment, and a schema that lags behind is named and waited for.
func (s *service) ready(ctx context.Context) error {
	pause, told := time.Second, ""
	for {
		problem := s.prepare(ctx)
		if problem == nil {
			s.healthy.Store(true)
			return nil
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if text := problem.Error(); text != told {
			s.log.Warn("waiting for the database", "problem", text)
			told = text
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause = min(2*pause, 15*time.Second)
	}
}

func (s *service) prepare(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if s.cfg.embedded {
		if _, err := s.store.Migrate(ctx); err != nil {
			return err
		}
		return s.store.EndReplicas(ctx)
	}
	if _, _, err := s.store.Ping(ctx); err != nil {
		return fmt.Errorf("%w; see that Postgres runs and that --database-url (MAILINTAKE_DATABASE_URL) is right", err)
	}
	pending, err := s.store.Pending(ctx)
	if err != nil {
		return err
	}
	if len(pending) > 0 {
		return fmt.Errorf("the schema lacks %d migrations; run: mailintake migrate", len(pending))
	}
	return nil
}

// run does the work until the context ends.
func (s *service) run(ctx context.Context) error {
	stopAdmin := s.serveAdmin()
	defer stopAdmin()
	if err := s.ready(ctx); err != nil {
		return err
	}
	g, ctx := errgroup.WithContext(ctx)
	if s.pg != nil {
		g.Go(func() error {
			select {
			case <-ctx.Done():
				return nil
			case <-s.pg.Done():
				return fmt.Errorf("the embedded Postgres ended: %w", s.pg.Err())
			}
		})
	}
	s.replica = &store.Replica{Store: s.store, Relay: s.roles.relay, Log: s.log}
	if s.roles.poll {
		metrics := poll.NewMetrics(s.reg)
		reader := newReader(s.cfg.DKIM == "verify")
		defer func() { _ = reader.close() }() // a cache of answers has nothing to save
		scheduler := poll.NewScheduler(&poll.Poller{Store: s.store, Open: s.boxes.open, Parse: reader.parse, Version: mime.Version, Event: relay.EventData,
			Spool: &spool.Pool{}, Log: s.log, Metrics: metrics}, s.log)
		s.replica.Channels = scheduler
		g.Go(func() error { return scheduler.Run(ctx) })
		jobs := &store.Jobs{Store: s.store, Log: s.log, Parse: reader.reparse, Version: mime.Version, Amended: relay.AmendedData}
		g.Go(func() error { return jobs.Run(ctx) })
		g.Go(func() error { return (&poll.Watchdog{Mark: s.markStalled, Log: s.log}).Run(ctx) })
	}
	if s.roles.relay {
		r := &relay.Relay{Conn: s.nats, Outbox: outbox{s.store}, Owned: s.replica.Buckets, Wake: s.store.RelayWake(),
			Stream: relay.StreamSettings{Replicas: s.cfg.StreamReplicas}, Log: s.log, Metrics: relay.NewMetrics(s.reg)}
		g.Go(func() error { return r.Run(ctx) })
	}
	if s.roles.poll || s.roles.relay {
		g.Go(func() error { return s.replica.Run(ctx) })
	}
	g.Go(func() error { return s.housekeeping(ctx) })
	if s.roles.control {
		g.Go(func() error { return s.serveAPI(ctx) })
	}
	return g.Wait()
}

func (s *service) markStalled(ctx context.Context) ([]string, error) {
	list, err := s.store.MarkStalled(ctx)
	names := make([]string, len(list))
	for i, x := range list {
		names[i] = control.ChannelName(x.Tenant, x.Channel)
	}
	return names, err
}

// housekeeping makes partitions ahead, asks the database how it is and keeps the gauges that only it can tell.
func (s *service) housekeeping(ctx context.Context) error {
	states := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "mailintake_channels", Help: "Channels by state."}, []string{"state"})
	rows := prometheus.NewGauge(prometheus.GaugeOpts{Name: "mailintake_outbox_rows", Help: "Events that wait for the stream."})
	oldest := prometheus.NewGauge(prometheus.GaugeOpts{Name: "mailintake_outbox_oldest_seconds", Help: "How long the oldest of them has waited."})
	s.reg.MustRegister(states, rows, oldest)
	look := time.NewTicker(5 * time.Second)
	defer look.Stop()
	partitions := time.NewTicker(time.Hour)
	defer partitions.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-partitions.C:
			if _, err := s.store.MakePartitions(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("could not make day partitions ahead; there are some for days to come", "error", err)
			}
		case <-look.C:
			qctx, cancel := context.WithTimeout(ctx, 4*time.Second)
			counts, err := s.store.CountStates(qctx)
			n, age, err2 := s.store.OutboxAge(qctx)
			cancel()
			s.healthy.Store(err == nil && err2 == nil)
			if err == nil && err2 == nil {
				states.Reset()
				for st, c := range counts {
					states.WithLabelValues(st.String()).Set(float64(c))
				}
				rows.Set(float64(n))
				oldest.Set(age.Seconds())
			}
		}
	}
}

func (s *service) serveAPI(ctx context.Context) error {
	var auth rpc.Authenticator
	if len(s.cfg.TokenHashes) > 0 {
		var err error
		if auth, err = rpc.StaticTokens(s.cfg.TokenHashes); err != nil {
			return err
		}
	}
	tlsConfig, err := s.cfg.tls()
	if err != nil {
		return err
	}
	pages := control.Pages{}
	srv, err := rpc.NewServer(rpc.Config{
		Channels:      &control.Channels{Store: s.store, Prober: s.boxes, Pages: pages, KnownCharset: mime.KnownCharset},
		Messages:      &control.Messages{Store: s.store, Pages: pages, Parser: inspector()},
		Replays:       &control.Replays{Store: s.store, Pages: pages},
		Authenticator: auth, Health: func(string) bool { return s.healthy.Load() }, Done: ctx.Done(), Log: s.log,
	})
	if err != nil {
		return err
	}
	gateway, err := rpc.NewGateway(ctx, srv)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", gateway)
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second, TLSConfig: tlsConfig, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug)}
	grpcListener, httpListener := s.grpcListener, s.httpListener
	if tlsConfig != nil {
		// One server serves the network and the gateway's memory, so TLS belongs to the listener.
		grpcListener = tls.NewListener(grpcListener, &tls.Config{Certificates: tlsConfig.Certificates, MinVersion: tlsConfig.MinVersion, NextProtos: []string{"h2"}})
		httpListener = tls.NewListener(httpListener, tlsConfig)
	}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return srv.Serve(grpcListener) })
	g.Go(func() error {
		if err := web.Serve(httpListener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	g.Go(func() error {
		<-ctx.Done()
		stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		err := web.Shutdown(stop)
		done := make(chan struct{})
		go func() { srv.GracefulStop(); close(done) }()
		select {
		case <-done:
		case <-stop.Done():
			srv.Stop()
			<-done
		}
		return errors.Join(ignoreTimeout(err), gateway.Close())
	})
	if err := g.Wait(); err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

func ignoreTimeout(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

// serveAdmin serves what operators' machines ask for. It is on loopback by default and has no credentials.
func (s *service) serveAdmin() (stop func()) {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		if !s.healthy.Load() {
			http.Error(w, "the database is away", http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := srv.Serve(s.adminListener); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("metrics and health are no longer served", "error", err)
		}
	}()
	return func() {
		if err := srv.Close(); err != nil {
			s.log.Debug("closing the admin listener", "error", err)
		}
		<-done
	}
}

// close stops what start started, in reverse.
func (s *service) close() {
	for _, l := range []net.Listener{s.grpcListener, s.httpListener, s.adminListener} {
		if l != nil {
			_ = l.Close() // closed already where a server had it
		}
	}
	if s.nats != nil {
		s.nats.Close()
	}
	if s.store != nil {
		s.store.Close()
	}
	if s.ns != nil {
		s.ns.Stop()
	}
	if s.pg != nil {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := s.pg.Stop(ctx); err != nil {
			s.log.Error("the embedded Postgres did not stop well", "error", err)
		}
	}
}
