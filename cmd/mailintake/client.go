package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/mailintake/mailintake/control"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// callTimeout bounds one call; a connection test waits for a mail server and has testTimeout.
const (
	callTimeout = 30 * time.Second
	testTimeout = 2 * time.Minute
)

// remote is how to reach a running service.
type remote struct {
	Server   string `group:"Connection" env:"MAILINTAKE_SERVER" default:"127.0.0.1:7400" help:"gRPC address of the service (${default}); https://… means TLS." placeholder:"HOST:PORT"`
	Token    string `group:"Connection" env:"MAILINTAKE_TOKEN" help:"Bearer token; better given by the environment, since other users can see flags."`
	TLS      bool   `group:"Connection" name:"tls" help:"Connect with TLS."`
	CA       string `group:"Connection" name:"ca" env:"MAILINTAKE_CA" type:"path" help:"Certificates to trust instead of the system's, PEM; implies TLS." placeholder:"FILE"`
	Insecure bool   `group:"Connection" help:"Connect without TLS to a server that is not on this machine."`

	// only, if set, is the one certificate that the server may show, in DER, whatever name it is for.
	only []byte
}

// client is what every command has that talks to the service.
type client struct {
	remote
	Tenant string `group:"Connection" env:"MAILINTAKE_TENANT" default:"default" help:"Tenant that ids belong to (${default})."`
	Output string `short:"o" enum:"table,json" default:"table" help:"How to print: table or json."`
}

// AfterApply hands the client to the command below.
func (c *client) AfterApply(k *kong.Context) error {
	k.Bind(c)
	return nil
}

// printer is where answers go.
func (c *client) printer(con *console) printer { return printer{w: con.out, json: c.Output == "json"} }

// dial makes a connection, which is opened by the first call. Its errors are mistakes in the flags.
func (r *remote) dial() (*grpc.ClientConn, error) {
	addr, secure := strings.CutPrefix(r.Server, "https://")
	port := "7400"
	if secure {
		port = "443"
	}
	addr = strings.TrimSuffix(addr, "/")
	if strings.Contains(addr, "/") || addr == "" {
		return nil, &usageError{fmt.Sprintf("--server: %q is neither host:port nor https://host:port", r.Server)}
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		addr = net.JoinHostPort(strings.Trim(addr, "[]"), port)
	}
	secure = secure || r.TLS || r.CA != ""
	if !secure && !loopbackHost(addr) && !r.Insecure {
		return nil, &usageError{fmt.Sprintf("--server: %s is not this machine, and passwords and mail would travel in clear; add --tls, or --insecure if the network is safe", addr)}
	}
	options := []grpc.DialOption{
		grpc.WithUserAgent("mailintake/" + version()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16 << 20)),
	}
	if r.Token != "" {
		options = append(options, grpc.WithPerRPCCredentials(bearer(r.Token)))
	}
	if !secure {
		options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	} else {
		config := &tls.Config{MinVersion: tls.VersionTLS12}
		if r.CA != "" {
			pem, err := os.ReadFile(r.CA)
			if err != nil {
				return nil, &usageError{fmt.Sprintf("--ca: %v", err)}
			}
			config.RootCAs = x509.NewCertPool()
			if !config.RootCAs.AppendCertsFromPEM(pem) {
				return nil, &usageError{fmt.Sprintf("--ca: %s holds no certificate in PEM form", r.CA)}
			}
		}
		if r.only != nil {
			config.InsecureSkipVerify = true // the check is another one: the server's certificate must be this very one
			config.VerifyConnection = r.isOnly
		}
		options = append(options, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	}
	conn, err := grpc.NewClient(addr, options...)
	if err != nil {
		return nil, &usageError{fmt.Sprintf("--server: %v", err)}
	}
	return conn, nil
}

func (r *remote) isOnly(s tls.ConnectionState) error {
	if len(s.PeerCertificates) == 0 || !bytes.Equal(s.PeerCertificates[0].Raw, r.only) {
		return errors.New("the server shows another certificate than the one it is configured with; restart it to take up the new one")
	}
	return nil
}

// loopbackHost reports whether host:port stays on this machine.
func loopbackHost(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// bearer sends a token with every call. Whether the connection may be in clear was decided before, by dial.
type bearer string

// GetRequestMetadata is the header (RFC 6750 §2.1).
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b)}, nil
}

// RequireTransportSecurity is false: a service on this machine is talked to in clear.
func (bearer) RequireTransportSecurity() bool { return false }

// services are the clients of one connection.
type services struct {
	channels mailintakev1.EmailChannelServiceClient
	messages mailintakev1.MessageServiceClient
	replays  mailintakev1.ReplayServiceClient
}

// with runs f with a connection.
func (c *client) with(f func(s services) error) (err error) {
	if !control.ValidID(c.Tenant) {
		return &usageError{fmt.Sprintf("--tenant: %q is not a tenant; ids are 1 to 39 lower-case letters, digits and hyphens", c.Tenant)}
	}
	conn, err := c.dial()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	return f(services{mailintakev1.NewEmailChannelServiceClient(conn), mailintakev1.NewMessageServiceClient(conn), mailintakev1.NewReplayServiceClient(conn)})
}

// channelName turns an argument, an id or a full name, into a full name.
func (c *client) channelName(arg string) (string, error) {
	if control.ValidID(arg) {
		return control.ChannelName(c.Tenant, arg), nil
	}
	if _, _, err := control.ParseChannel("channel", arg); err != nil {
		return "", &usageError{fmt.Sprintf("%q is not a channel: give its id, 1 to 39 lower-case letters, digits and hyphens, or tenants/…/emailChannels/…", arg)}
	}
	return arg, nil
}

// messageName takes a full name, or channel/id.
func (c *client) messageName(arg string) (string, error) {
	name := arg
	if channel, id, ok := strings.Cut(arg, "/"); ok && !strings.Contains(id, "/") {
		name = control.ChannelName(c.Tenant, channel) + "/messages/" + id
	}
	if _, _, _, err := control.ParseMessage("message", name); err != nil {
		return "", &usageError{fmt.Sprintf("%q is not a message: give CHANNEL/ID with the ids that message list prints, or tenants/…/emailChannels/…/messages/…", arg)}
	}
	return name, nil
}

// replayName takes a full name or an id.
func (c *client) replayName(arg string) (string, error) {
	name := arg
	if !strings.Contains(arg, "/") {
		name = control.ReplayName(c.Tenant, arg)
	}
	if _, _, err := control.ParseReplay("replay", name); err != nil {
		return "", &usageError{fmt.Sprintf("%q is not a replay: give the id that replay list prints, or tenants/…/replays/…", arg)}
	}
	return name, nil
}

// shortName leaves away the part of a resource name that the tenant of the command tells.
func (c *client) shortName(name string) string {
	rest, ok := strings.CutPrefix(name, control.TenantName(c.Tenant)+"/")
	if !ok {
		return name
	}
	_, id, _ := strings.Cut(rest, "/")
	return strings.Replace(id, "/messages/", "/", 1)
}

// callError is a refused or failed call, told so that somebody can act on it.
type callError struct {
	what   string // what was attempted: "create channel support"
	status *status.Status
	server string
}

// failed wraps the error of a call; nil stays nil.
func (r *remote) failed(what string, err error) error {
	if err == nil {
		return nil
	}
	return &callError{what, status.Convert(err), r.Server}
}

// Error is one line for what failed, one for each wrong field and one for what to do.
func (e *callError) Error() string {
	var b strings.Builder
	var fields []*errdetails.BadRequest_FieldViolation
	for _, d := range e.status.Details() {
		if bad, ok := d.(*errdetails.BadRequest); ok {
			fields = append(fields, bad.GetFieldViolations()...)
		}
	}
	if len(fields) == 0 {
		fmt.Fprintf(&b, "%s: %s", e.what, plain(cause(e.status.Message())))
	} else {
		fmt.Fprintf(&b, "%s: the request is not valid:", e.what)
		for _, f := range fields {
			fmt.Fprintf(&b, "\n  %s: %s", fieldName(f.GetField()), plain(f.GetDescription()))
		}
	}
	if hint := e.hint(); hint != "" {
		b.WriteString("\n" + hint)
	}
	return b.String()
}

// cause takes out of a transport error what the network said: the rest of the sentence is about gRPC.
func cause(text string) string {
	_, desc, ok := strings.Cut(text, `desc = "`)
	if !ok {
		return text
	}
	desc = strings.TrimSuffix(desc, `"`)
	for _, layer := range []string{"transport: ", "Error while dialing: ", "authentication handshake failed: ", "failed to write client preface: "} {
		desc = strings.TrimPrefix(desc, layer)
	}
	return desc
}

// fieldName is a field without the resource that the command is about anyway.
func fieldName(path string) string {
	for _, prefix := range []string{"email_channel.", "replay."} {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			return plain(rest)
		}
	}
	if path == "" {
		return "request"
	}
	return plain(path)
}

func (e *callError) hint() string {
	switch e.status.Code() {
	case codes.Canceled:
		return "Whether it was done is not known: the answer was not waited for."
	case codes.Unauthenticated:
		return "The service wants a token: set MAILINTAKE_TOKEN or --token."
	case codes.Unavailable:
		if strings.Contains(e.status.Message(), "connection error") || strings.Contains(e.status.Message(), "name resolver error") || strings.Contains(e.status.Message(), "produced zero addresses") {
			return fmt.Sprintf("Is the service running at %s? Check --server (MAILINTAKE_SERVER) and whether it speaks TLS (--tls, --ca); mailintake doctor looks further.", e.server)
		}
	case codes.DeadlineExceeded:
		return fmt.Sprintf("The service at %s did not answer in time; mailintake doctor looks further.", e.server)
	case codes.Unimplemented:
		return fmt.Sprintf("What answers at %s is not mailintake's gRPC API, or an older one; the JSON API has another port.", e.server)
	}
	return ""
}
