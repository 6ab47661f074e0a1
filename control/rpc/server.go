package rpc

import (
	"errors"
	"log/slog"
	"time"

	"buf.build/go/protovalidate"
	"google.golang.org/grpc"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"

	"github.com/mailintake/mailintake/control"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// DefaultMaxRecv is the largest request that is read, in octets.
const DefaultMaxRecv = 4 << 20

// Config is what a server needs.
type Config struct {
	Channels *control.Channels
	Messages *control.Messages
	Replays  *control.Replays
	// Authenticator decides who may call. Nil lets everybody in, as actor "local": whoever passes nil must have made
	// sure that only this machine can connect.
	Authenticator Authenticator
	// Health tells whether a service can work now; service is a full gRPC service name, or empty for the process as a
	// whole. Nil means always.
	Health func(service string) bool
	// Done, when closed, ends the calls that would never end by themselves, so that GracefulStop can return.
	Done <-chan struct{}
	// MaxRecv is the largest request in octets; 0 means DefaultMaxRecv.
	MaxRecv int
	Log     *slog.Logger // nil discards
}

// NewServer makes a gRPC server with all services registered. Serve it on as many listeners as wanted; the gateway is
// one more. The error is a validation rule in the protos that cannot be compiled.
func NewServer(cfg Config, opts ...grpc.ServerOption) (*grpc.Server, error) {
	if cfg.Channels == nil || cfg.Messages == nil || cfg.Replays == nil {
		return nil, errors.New("rpc: a service is missing in the configuration")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.MaxRecv == 0 {
		cfg.MaxRecv = DefaultMaxRecv
	}
	if cfg.Health == nil {
		cfg.Health = func(string) bool { return true }
	}
	validator, err := protovalidate.New(protovalidate.WithMessages(requests()...))
	if err != nil {
		return nil, err
	}
	c := &chain{auth: cfg.Authenticator, validator: validator, log: cfg.Log}
	srv := grpc.NewServer(append([]grpc.ServerOption{
		grpc.ForceServerCodecV2(codec{}),
		grpc.ChainUnaryInterceptor(c.unary),
		grpc.ChainStreamInterceptor(c.stream),
		grpc.MaxRecvMsgSize(cfg.MaxRecv),
		grpc.MaxHeaderListSize(64 << 10),
		grpc.MaxConcurrentStreams(256),
		grpc.ConnectionTimeout(20 * time.Second),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			Time: time.Minute, Timeout: 20 * time.Second,
			MaxConnectionAge: 30 * time.Minute, MaxConnectionAgeGrace: 5 * time.Minute,
		}),
	}, opts...)...)
	mailintakev1.RegisterEmailChannelServiceServer(srv, &channels{service: cfg.Channels})
	mailintakev1.RegisterMessageServiceServer(srv, &messages{service: cfg.Messages})
	mailintakev1.RegisterReplayServiceServer(srv, &replays{service: cfg.Replays})
	grpc_health_v1.RegisterHealthServer(srv, &health{serving: cfg.Health, done: cfg.Done})
	reflection.Register(srv)
	return srv, nil
}
