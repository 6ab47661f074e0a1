package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
)

// settings are what serve and demo are told. Each is a flag and an environment variable; the flag wins. This is the
// only place that reads the environment.
type settings struct {
	DatabaseURL    string   `env:"MAILINTAKE_DATABASE_URL" help:"Postgres 15 or later, as a URL or keyword string." placeholder:"URL"`
	NATSURL        string   `name:"nats-url" env:"MAILINTAKE_NATS_URL" help:"NATS 2.12 or later with JetStream; several servers with commas between." placeholder:"URL"`
	GRPCAddr       string   `name:"grpc-addr" env:"MAILINTAKE_GRPC_ADDR" default:":7400" help:"Where the gRPC API listens (${default}; with --embedded on 127.0.0.1)."`
	HTTPAddr       string   `name:"http-addr" env:"MAILINTAKE_HTTP_ADDR" default:":7480" help:"Where the API as JSON listens (${default}; with --embedded on 127.0.0.1)."`
	AdminAddr      string   `env:"MAILINTAKE_ADMIN_ADDR" default:"127.0.0.1:7490" help:"Where metrics, health and pprof listen (${default})."`
	NATSAddr       string   `name:"nats-addr" env:"MAILINTAKE_NATS_ADDR" default:"127.0.0.1:4222" help:"Where the embedded NATS listens (${default})."`
	DataDir        string   `env:"MAILINTAKE_DATA_DIR" help:"Where --embedded keeps Postgres, JetStream and the keyset (default: $$XDG_DATA_HOME/mailintake, or /var/lib/mailintake as root)." type:"path" placeholder:"DIR"`
	KeysetFile     string   `env:"MAILINTAKE_KEYSET_FILE" help:"Keyset that seals passwords; see: mailintake keys create." type:"path" placeholder:"FILE"`
	TokenHashes    []string `env:"MAILINTAKE_TOKEN_HASHES" help:"SHA-256 in hex of each bearer token that may use the API, with commas between." placeholder:"HEX"`
	TLSCert        string   `name:"tls-cert" env:"MAILINTAKE_TLS_CERT" help:"Certificate chain for gRPC and JSON, PEM." type:"path" placeholder:"FILE"`
	TLSKey         string   `name:"tls-key" env:"MAILINTAKE_TLS_KEY" help:"Its key, PEM." type:"path" placeholder:"FILE"`
	EgressAllow    []string `env:"MAILINTAKE_EGRESS_ALLOW" help:"Networks that mail hosts may lie in although they are private (CIDR, with commas between)." placeholder:"CIDR"`
	StreamReplicas int      `env:"MAILINTAKE_STREAM_REPLICAS" default:"1" help:"Replicas of the stream EMAIL when it is created, 1 to 5; production runs 3."`
	DKIM           string   `name:"dkim" env:"MAILINTAKE_DKIM" default:"verify" enum:"verify,off" help:"verify: check DKIM signatures with keys from this machine's DNS; off: ask no DNS and know only what trusted servers say."`
	LogLevel       string   `env:"MAILINTAKE_LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"debug, info, warn or error."`
	LogFormat      string   `env:"MAILINTAKE_LOG_FORMAT" default:"text" enum:"text,json" help:"text or json."`

	embedded bool
}

// validate fills in what depends on other settings and reports all mistakes at once.
func (s *settings) validate() error {
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if s.embedded {
		if s.DataDir == "" {
			s.DataDir = defaultDataDir()
		}
		s.GRPCAddr, s.HTTPAddr = onLoopback(s.GRPCAddr), onLoopback(s.HTTPAddr)
		if s.DatabaseURL != "" || s.NATSURL != "" {
			bad("--embedded brings its own Postgres and NATS: leave --database-url and --nats-url away, or --embedded")
		}
	} else {
		if s.DatabaseURL == "" {
			bad("--database-url (MAILINTAKE_DATABASE_URL) is missing; for one machine without servers of its own use: mailintake serve --embedded")
		}
		if s.NATSURL == "" {
			bad("--nats-url (MAILINTAKE_NATS_URL) is missing")
		}
		if s.KeysetFile == "" {
			bad("--keyset-file (MAILINTAKE_KEYSET_FILE) is missing; make one with: mailintake keys create")
		}
	}
	for name, addr := range map[string]string{"grpc-addr": s.GRPCAddr, "http-addr": s.HTTPAddr, "admin-addr": s.AdminAddr, "nats-addr": s.NATSAddr} {
		if _, port, err := net.SplitHostPort(addr); err != nil || port == "" {
			bad("--%s: %q is not host:port", name, addr)
		}
	}
	if (s.TLSCert == "") != (s.TLSKey == "") {
		bad("--tls-cert and --tls-key go together")
	}
	if len(s.TokenHashes) == 0 && !(s.embedded && isLoopback(s.GRPCAddr) && isLoopback(s.HTTPAddr)) {
		bad("nobody could tell who calls: set --token-hashes (MAILINTAKE_TOKEN_HASHES), or run with --embedded on loopback addresses alone")
	}
	if s.StreamReplicas < 1 || s.StreamReplicas > 5 {
		bad("--stream-replicas: must be 1 to 5")
	}
	if _, err := s.egress(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// onLoopback puts an address without a host on loopback.
func onLoopback(addr string) string {
	if strings.HasPrefix(addr, ":") {
		return "127.0.0.1" + addr
	}
	return addr
}

func isLoopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

func defaultDataDir() string {
	if os.Geteuid() == 0 {
		return "/var/lib/mailintake"
	}
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "mailintake")
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "mailintake")
	}
	return filepath.Join(home, ".local", "share", "mailintake")
}

// egress are the networks that mail hosts may lie in although the policy denies them.
func (s *settings) egress() ([]netip.Prefix, error) {
	var allow []netip.Prefix
	for _, text := range s.EgressAllow {
		p, err := netip.ParsePrefix(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Errorf("--egress-allow: %q is not a network like 10.20.0.0/16", text)
		}
		allow = append(allow, p)
	}
	if s.embedded {
		allow = append(allow, netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128"))
	}
	return allow, nil
}

// tls is the configuration of the API's listeners; nil for plain text.
func (s *settings) tls() (*tls.Config, error) {
	if s.TLSCert == "" {
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert: %w", err)
	}
	return &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}, nil
}

// logger writes to w as the settings say.
func (s *settings) logger(c *console) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		level = slog.LevelInfo
	}
	opts := &slog.HandlerOptions{Level: level}
	if s.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(c.err, opts))
	}
	return slog.New(slog.NewTextHandler(c.err, opts))
}
