package rpc

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net"
	"net/http"
	"net/url"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"github.com/grpc-ecosystem/grpc-gateway/v2/utilities"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// Gateway serves the API as JSON over HTTP. It is a client of the gRPC server over memory, so that authentication,
// validation and logging are the same. It serves paths under /v1/.
type Gateway struct {
	handler  http.Handler
	conn     *grpc.ClientConn
	listener *bufconn.Listener
	served   chan struct{}
}

// NewGateway connects a gateway to srv, which must not have transport credentials. Close it before or after stopping
// the server.
func NewGateway(ctx context.Context, srv *grpc.Server) (*Gateway, error) {
	listener := bufconn.Listen(1 << 20)
	conn, err := grpc.NewClient("passthrough:///gateway",
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }),
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(16<<20)))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("rpc: gateway: %w", err), listener.Close())
	}
	mux := runtime.NewServeMux(
		// What a client does not set it does not send back by accident: no empty fields in answers. What it sends and
		// we do not know is an error.
		runtime.WithMarshalerOption(runtime.MIMEWildcard, &runtime.JSONPb{
			MarshalOptions:   protojson.MarshalOptions{},
			UnmarshalOptions: protojson.UnmarshalOptions{},
		}),
		runtime.SetQueryParameterParser(strictQuery{}),
		runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }), // authorization goes by itself
	)
	if err := errors.Join(
		mailintakev1.RegisterEmailChannelServiceHandler(ctx, mux, conn),
		mailintakev1.RegisterMessageServiceHandler(ctx, mux, conn),
		mailintakev1.RegisterReplayServiceHandler(ctx, mux, conn),
	); err != nil {
		return nil, errors.Join(fmt.Errorf("rpc: gateway: %w", err), conn.Close(), listener.Close())
	}
	g := &Gateway{conn: conn, listener: listener, served: make(chan struct{})}
	go func() {
		defer close(g.served)
		_ = srv.Serve(listener) // ends when the listener or the server does; calls say what is wrong
	}()
	// A page in a browser must not reach an API on the same machine: it cannot send JSON elsewhere without asking first.
	g.handler = http.NewCrossOriginProtection().Handler(jsonOnly(mux))
	return g, nil
}

// ServeHTTP serves the API.
func (g *Gateway) ServeHTTP(w http.ResponseWriter, r *http.Request) { g.handler.ServeHTTP(w, r) }

// Close ends the connection to the server and waits until the server has let go of it. Calls under way are cut.
func (g *Gateway) Close() error {
	err := errors.Join(g.conn.Close(), g.listener.Close())
	<-g.served
	return err
}

// jsonOnly limits the size of bodies and refuses those that do not say that they are JSON.
func jsonOnly(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.ContentLength != 0 {
			if media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || media != "application/json" {
				http.Error(w, "the body must have Content-Type application/json", http.StatusUnsupportedMediaType)
				return
			}
			r.Body = http.MaxBytesReader(w, r.Body, DefaultMaxRecv)
		}
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

// strictQuery refuses query parameters that the request does not have; the parser of the gateway skips them.
type strictQuery struct{}

func (strictQuery) Parse(m proto.Message, values url.Values, filter *utilities.DoubleArray) error {
	for key := range values {
		if !hasField(m.ProtoReflect().Descriptor(), key) {
			return status.Errorf(codes.InvalidArgument, "unknown query parameter %q", key)
		}
	}
	return (&runtime.DefaultQueryParser{}).Parse(m, values, filter)
}

func hasField(md protoreflect.MessageDescriptor, key string) bool {
	for i := range md.Fields().Len() {
		if fd := md.Fields().Get(i); key == string(fd.Name()) || key == fd.JSONName() {
			return true
		}
	}
	return false
}
