package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"time"

	"buf.build/go/protovalidate"
	"github.com/google/uuid"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/peer"
	"google.golang.org/protobuf/proto"

	"github.com/mailintake/mailintake/control"
)

// unaryTimeout bounds a call whose client set no deadline; a connection test may take that long.
const unaryTimeout = 150 * time.Second

// chain is what happens to every call: it is logged, panics are caught, the caller is authenticated, the request is
// checked, and errors become statuses.
type chain struct {
	auth      Authenticator
	validator protovalidate.Validator
	log       *slog.Logger
}

func (c *chain) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (resp any, err error) {
	if _, ok := ctx.Deadline(); !ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, unaryTimeout)
		defer cancel()
	}
	err = c.call(ctx, info.FullMethod, func(ctx context.Context, n *note) error {
		if err := c.check(req, n); err != nil {
			return err
		}
		resp, err = handler(ctx, req)
		return err
	})
	if err != nil {
		return nil, err
	}
	return resp, nil
}

func (c *chain) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	return c.call(ss.Context(), info.FullMethod, func(ctx context.Context, n *note) error {
		return handler(srv, &checkedStream{ServerStream: ss, ctx: ctx, check: func(m any) error { return c.check(m, n) }})
	})
}

// checkedStream checks every request that comes in.
type checkedStream struct {
	grpc.ServerStream
	ctx   context.Context
	check func(any) error
}

func (s *checkedStream) Context() context.Context { return s.ctx }

func (s *checkedStream) RecvMsg(m any) error {
	if err := s.ServerStream.RecvMsg(m); err != nil {
		return err
	}
	return s.check(m)
}

// note is what the log tells about a call beside its method and outcome.
type note struct{ resource string }

func (c *chain) call(ctx context.Context, method string, do func(context.Context, *note) error) error {
	start, id := time.Now(), uuid.NewString()
	var n note
	ctx, err := c.authenticated(ctx, method)
	if err == nil {
		err = c.recovered(ctx, id, method, func() error { return do(ctx, &n) })
	}
	if err == nil {
		c.record(ctx, method, codes.OK, nil, id, n, time.Since(start))
		return nil
	}
	s := statusOf(err, id)
	c.record(ctx, method, s.Code(), err, id, n, time.Since(start))
	return s.Err()
}

func (c *chain) authenticated(ctx context.Context, method string) (context.Context, error) {
	with, err := c.authenticate(ctx, method)
	if err != nil {
		return ctx, err
	}
	return with, nil
}

// panicked is a panic in a handler.
type panicked struct{ value any }

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

func (c *chain) recovered(ctx context.Context, id, method string, do func() error) (err error) {
	defer func() {
		if v := recover(); v != nil {
			c.log.LogAttrs(ctx, slog.LevelError, "panic in a call", slog.String("id", id), slog.String("method", method),
				slog.Any("panic", v), slog.String("stack", string(debug.Stack())))
			err = &panicked{v}
		}
	}()
	return do()
}

// check refuses requests that cannot be decoded, that have fields unknown to this server, or that break a rule of the
// protos.
func (c *chain) check(req any, n *note) error {
	m, ok := req.(proto.Message)
	if !ok {
		return nil
	}
	n.resource = resourceOf(m)
	if path, number, found := unknownField(m.ProtoReflect()); found {
		if number == undecodable {
			return &control.Error{Kind: control.KindInvalid, Reason: "UNDECODABLE_REQUEST",
				Message: "the request cannot be decoded: it is not valid protobuf, or a string is not valid UTF-8"}
		}
		e := control.Invalid(control.Violation{Field: path, Description: fmt.Sprintf("has a field, number %d, that this server does not know", number)})
		e.Reason, e.Message = "UNKNOWN_FIELD", strings.TrimSpace(path+" "+e.Violations[0].Description)
		return e
	}
	if err := c.validator.Validate(m); err != nil {
		if _, ok := errors.AsType[*protovalidate.ValidationError](err); ok {
			return err
		}
		return fmt.Errorf("rpc: validation: %w", err)
	}
	return nil
}

// resourceOf is the name that a request is about. Requests are not logged otherwise: they hold secrets and content.
func resourceOf(m proto.Message) string {
	if r, ok := m.(interface{ GetName() string }); ok && r.GetName() != "" {
		return r.GetName()
	}
	if r, ok := m.(interface{ GetParent() string }); ok {
		return r.GetParent()
	}
	return ""
}

// record logs a call: changes and failures at info, faults of ours at error, everything else at debug.
func (c *chain) record(ctx context.Context, method string, code codes.Code, err error, id string, n note, took time.Duration) {
	level := slog.LevelInfo
	switch {
	case code == codes.Internal || code == codes.DataLoss || code == codes.Unknown:
		level = slog.LevelError
	case code == codes.OK && readsOnly(method):
		level = slog.LevelDebug
	}
	if !c.log.Enabled(ctx, level) {
		return
	}
	attrs := []slog.Attr{slog.String("id", id), slog.String("method", method), slog.String("code", code.String()), slog.Duration("took", took)}
	if actor := actorOf(ctx); actor != "" {
		attrs = append(attrs, slog.String("actor", actor))
	}
	if n.resource != "" {
		attrs = append(attrs, slog.String("resource", n.resource))
	}
	if p, ok := peer.FromContext(ctx); ok {
		attrs = append(attrs, slog.String("peer", p.Addr.String()))
	}
	// What is invalid may quote the request, so only the cause of other failures is logged.
	if err != nil && code != codes.InvalidArgument {
		attrs = append(attrs, slog.String("error", err.Error()))
	}
	c.log.LogAttrs(ctx, level, "call", attrs...)
}

func readsOnly(method string) bool {
	name := method[strings.LastIndexByte(method, '/')+1:]
	for _, p := range []string{"Get", "List", "Read", "Check", "Watch", "ServerReflectionInfo"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
