package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"time"

	"google.golang.org/grpc/health/grpc_health_v1"
)

// doctorCmd checks the surroundings of the service. It takes the settings of serve, so that it sees what serve sees.
type doctorCmd struct {
	Quiet       bool     `help:"Only ask the service on this machine for its health and say nothing if it is well: a health check for containers."`
	DatabaseURL string   `env:"MAILINTAKE_DATABASE_URL" help:"Postgres of the service." placeholder:"URL"`
	NATSURL     string   `name:"nats-url" env:"MAILINTAKE_NATS_URL" help:"NATS of the service." placeholder:"URL"`
	KeysetFile  string   `env:"MAILINTAKE_KEYSET_FILE" help:"Keyset of the service." type:"path" placeholder:"FILE"`
	TokenHashes []string `env:"MAILINTAKE_TOKEN_HASHES" help:"SHA-256 of tokens, as serve takes them." placeholder:"HEX"`
	EgressAllow []string `env:"MAILINTAKE_EGRESS_ALLOW" help:"Networks, as serve takes them." placeholder:"CIDR"`
	TLSCert     string   `name:"tls-cert" env:"MAILINTAKE_TLS_CERT" type:"path" help:"Certificate chain of the service; its health is then asked with TLS." placeholder:"FILE"`
	TLSKey      string   `name:"tls-key" env:"MAILINTAKE_TLS_KEY" type:"path" help:"Its key." placeholder:"FILE"`
	GRPCAddr    string   `name:"grpc-addr" env:"MAILINTAKE_GRPC_ADDR" default:":7400" help:"Where the service on this machine listens (${default})."`
	Server      string   `env:"MAILINTAKE_SERVER" help:"Ask this service for its health instead of the one on this machine." placeholder:"HOST:PORT"`
	TLS         bool     `name:"tls" help:"Ask --server with TLS."`
	CA          string   `name:"ca" env:"MAILINTAKE_CA" type:"path" help:"Certificates to trust for --server instead of the system's, PEM." placeholder:"FILE"`
	Insecure    bool     `help:"Ask --server without TLS although it is not on this machine."`
}

// Run makes all checks; one that fails fails the command.
func (c *doctorCmd) Run(ctx context.Context, con *console) error {
	if c.Quiet {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		return c.askHealth(ctx)
	}
	r := &report{w: con.out}
	r.ok("mailintake", version())
	r.ok("Go", runtime.Version()+" "+runtime.GOOS+"/"+runtime.GOARCH)
	for _, check := range []func(context.Context, *report){c.postgres, c.nats, c.keyset, c.spool, c.egress, c.api, c.health} {
		ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
		check(ctx, r)
		cancel()
	}
	switch {
	case r.err != nil:
		return r.err
	case ctx.Err() != nil:
		return ctx.Err()
	case r.failed > 0:
		return fmt.Errorf("%d of %d checks failed", r.failed, r.checks)
	}
	return nil
}

// report writes one line for each check.
type report struct {
	w              io.Writer
	checks, failed int
	err            error // of the writer
}

func (r *report) line(mark, subject, text, advice string) {
	if advice != "" {
		text += " → " + advice
	}
	if _, err := fmt.Fprintf(r.w, "%-4s  %-12s  %s\n", mark, subject, plain(text)); err != nil && r.err == nil {
		r.err = err
	}
}

// ok, warn, fail and skip tell how a check went. The advice says what to do.
func (r *report) ok(subject, text string) {
	r.checks++
	r.line("ok", subject, text, "")
}

func (r *report) warn(subject, text, advice string) {
	r.checks++
	r.line("warn", subject, text, advice)
}

func (r *report) fail(subject, text, advice string) {
	r.checks++
	r.failed++
	r.line("FAIL", subject, text, advice)
}

func (r *report) skip(subject, text string) { r.line("-", subject, "not checked: "+text, "") }

// local is the service on this machine: its listener's port on loopback, unless it listens on one address alone.
func (c *doctorCmd) local() (string, error) {
	host, port, err := net.SplitHostPort(c.GRPCAddr)
	if err != nil {
		return "", &usageError{fmt.Sprintf("--grpc-addr: %q is not host:port", c.GRPCAddr)}
	}
	switch host {
	case "", "0.0.0.0":
		host = "127.0.0.1"
	case "::":
		host = "::1"
	}
	return net.JoinHostPort(host, port), nil
}

// askHealth asks the service whether it is well.
func (c *doctorCmd) askHealth(ctx context.Context) error {
	target := remote{Server: c.Server, TLS: c.TLS, CA: c.CA, Insecure: c.Insecure}
	if c.Server == "" {
		addr, err := c.local()
		if err != nil {
			return err
		}
		// What is asked stays on this machine, whatever the address.
		target = remote{Server: addr, Insecure: true}
		if c.TLSCert != "" {
			cert, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
			if err != nil {
				return fmt.Errorf("--tls-cert: %w", err)
			}
			target.TLS, target.only = true, cert.Certificate[0]
		}
	}
	conn, err := target.dial()
	if err != nil {
		return err
	}
	res, err := grpc_health_v1.NewHealthClient(conn).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	if err := errors.Join(target.failed("ask "+target.Server+" for its health", err), conn.Close()); err != nil {
		return err
	}
	if res.GetStatus() != grpc_health_v1.HealthCheckResponse_SERVING {
		return fmt.Errorf("the service at %s is up and says %s: %w", target.Server, res.GetStatus(), errUnwell)
	}
	return nil
}

// errUnwell is a service that answers and cannot work.
var errUnwell = errors.New("its database is away or not migrated")

// health reports askHealth. That no service runs is no fault before it was started.
func (c *doctorCmd) health(ctx context.Context, r *report) {
	err := c.askHealth(ctx)
	switch {
	case err == nil:
		r.ok("service", "answers and is well")
	case errors.Is(err, errUnwell):
		r.fail("service", err.Error(), "see the checks of Postgres and the service's log")
	case c.Server == "" && strings.Contains(err.Error(), "connection refused"):
		r.warn("service", "none runs on this machine at "+c.GRPCAddr, "start it with mailintake serve, or name another with --server")
	default:
		r.fail("service", strings.ReplaceAll(err.Error(), "\n", " → "), "")
	}
}
