package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
)

// ErrAddrInUse means that something else listens on the address. It comes wrapped with the address.
var ErrAddrInUse = errors.New("address is already in use")

// natsPatience is how long a server may take to recover its streams and accept connections.
const natsPatience = 60 * time.Second

// NATSConfig says where the in-process NATS server listens and keeps its streams.
type NATSConfig struct {
	// Dir holds the JetStream files. It is made if absent and locked: two servers on one folder destroy it.
	Dir string
	// Addr is host:port for TCP clients. Port 0 takes any free one. Empty opens no socket: only this process connects.
	Addr string
	// SyncAlways makes every acknowledged message durable against a crash of the machine, at a tenth of the speed.
	// Otherwise only against a crash of this process: files are flushed to the disk every two minutes.
	SyncAlways bool
	// Log receives what the server has to say. Nil discards it.
	Log *slog.Logger
}

// NATS is a NATS server with JetStream inside this process.
type NATS struct {
	server *server.Server
	log    *slog.Logger
	lock   *os.File
	listen bool
	stop   sync.Once
}

// StartNATS starts the server and returns when it accepts connections and has recovered its streams. A taken address
// is an error wrapping ErrAddrInUse, a folder that another server uses one wrapping ErrDirInUse.
func StartNATS(cfg NATSConfig) (*NATS, error) {
	opts := &server.Options{ServerName: "mailintake", DontListen: cfg.Addr == "", SyncAlways: cfg.SyncAlways}
	if cfg.Addr != "" {
		host, port, err := splitAddr(cfg.Addr)
		if err != nil {
			return nil, fmt.Errorf("embedded nats: %w", err)
		}
		opts.Host, opts.Port = host, port
	}
	n, err := startNATS(cfg.Dir, opts, cfg.Log)
	if err != nil {
		return nil, fmt.Errorf("embedded nats: %w", err)
	}
	if err := n.awaitReady(); err != nil {
		n.Stop()
		return nil, fmt.Errorf("embedded nats: %w", err)
	}
	return n, nil
}

func startNATS(dir string, opts *server.Options, log *slog.Logger) (*NATS, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if !opts.DontListen {
		if err := checkFree(opts.Host, opts.Port); err != nil {
			return nil, err
		}
	}
	lock, err := lockDir(dir)
	if err != nil {
		return nil, err
	}
	opts.JetStream, opts.StoreDir = true, dir
	opts.NoSigs = true // signals belong to the program around it
	s, err := server.NewServer(opts)
	if err != nil {
		lock.Close()
		return nil, err
	}
	n := &NATS{server: s, log: log, lock: lock, listen: !opts.DontListen}
	s.SetLoggerV2(natsLog{log.With("component", "nats")}, false, false, false)
	s.Start()
	return n, nil
}

// awaitReady returns when clients are served. The server reports a failure in starting only by not becoming ready, or
// by shutting itself down.
func (n *NATS) awaitReady() error {
	for deadline := time.Now().Add(natsPatience); time.Now().Before(deadline); {
		if n.server.ReadyForConnections(100*time.Millisecond) && n.server.JetStreamEnabled() {
			return nil
		}
		if !n.server.Running() {
			return errors.New("the server shut itself down at start; its log says why")
		}
	}
	return fmt.Errorf("the server is not ready after %v; its log says why", natsPatience)
}

func splitAddr(addr string) (host string, port int, err error) {
	host, p, err := net.SplitHostPort(addr)
	if err != nil {
		return "", 0, err
	}
	port, err = strconv.Atoi(p)
	if err != nil || port < 0 || port > 65535 {
		return "", 0, fmt.Errorf("port of %q is not a number from 0 to 65535", addr)
	}
	if host == "" {
		host = server.DEFAULT_HOST
	}
	if port == 0 {
		port = server.RANDOM_PORT
	}
	return host, port, nil
}

// checkFree asks before the server does, since the server only logs that it could not listen.
func checkFree(host string, port int) error {
	if port == server.RANDOM_PORT {
		port = 0
	}
	addr := net.JoinHostPort(host, strconv.Itoa(port))
	ln, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("%w: %s", ErrAddrInUse, addr)
	}
	if err != nil {
		return err
	}
	return ln.Close()
}

// URL is where clients connect, for example "nats://127.0.0.1:4222"; empty if the server listens nowhere.
func (n *NATS) URL() string {
	if !n.listen {
		return ""
	}
	return n.server.ClientURL()
}

// InProcess is for nats.InProcessServer: a connection without a socket.
func (n *NATS) InProcess() nats.InProcessConnProvider { return n.server }

// Connect opens a client connection within the process. The caller closes it.
func (n *NATS) Connect(opts ...nats.Option) (*nats.Conn, error) {
	return nats.Connect("", append([]nats.Option{nats.InProcessServer(n.server)}, opts...)...)
}

// Version is the version of the server.
func (n *NATS) Version() string { return server.VERSION }

// Stop disconnects all clients, writes out the streams and returns when all is closed. Stopping twice is harmless.
func (n *NATS) Stop() {
	n.stop.Do(func() {
		n.server.Shutdown()
		n.server.WaitForShutdown()
		n.lock.Close()
	})
}

// natsLog passes the server's words on. It has a lot to say at start, so its notices count as debugging.
type natsLog struct{ log *slog.Logger }

func (l natsLog) Noticef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLog) Warnf(format string, v ...any)   { l.log.Warn(fmt.Sprintf(format, v...)) }
func (l natsLog) Errorf(format string, v ...any)  { l.log.Error(fmt.Sprintf(format, v...)) }

// Fatalf is an error like others here: the process is not the server's to end.
func (l natsLog) Fatalf(format string, v ...any) { l.log.Error(fmt.Sprintf(format, v...)) }
func (l natsLog) Debugf(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
func (l natsLog) Tracef(format string, v ...any) { l.log.Debug(fmt.Sprintf(format, v...)) }
