package rpc

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
)

// Authenticator decides who a caller is.
type Authenticator interface {
	// Authenticate gives the actor that a bearer token (RFC 6750 §2.1) stands for, as it shall appear in the audit.
	// ok is false if the token is not good; an error means that this could not be found out.
	Authenticate(ctx context.Context, token string) (actor string, ok bool, err error)
}

// staticTokens accepts a fixed set of tokens, of which it knows the SHA-256 only.
type staticTokens [][sha256.Size]byte

// StaticTokens is an Authenticator for tokens whose SHA-256, in hex, is among hashes. The actor is "token:" and the
// first eight digits of the hash. Tokens must be long and random: a hash of a guessable one can be reversed.
func StaticTokens(hashes []string) (Authenticator, error) {
	if len(hashes) == 0 {
		return nil, errors.New("rpc: no token hashes")
	}
	tokens := make(staticTokens, len(hashes))
	for i, h := range hashes {
		b, err := hex.DecodeString(strings.TrimSpace(h))
		if err != nil || len(b) != sha256.Size {
			return nil, fmt.Errorf("rpc: token hash %d is not a SHA-256 in 64 hex digits", i+1)
		}
		tokens[i] = [sha256.Size]byte(b)
	}
	return tokens, nil
}

// Authenticate compares in constant time with every token.
func (t staticTokens) Authenticate(_ context.Context, token string) (string, bool, error) {
	sum := sha256.Sum256([]byte(token))
	match := -1
	for i := range t {
		match = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(sum[:], t[i][:]), i, match)
	}
	if match < 0 {
		return "", false, nil
	}
	return "token:" + hex.EncodeToString(sum[:4]), true, nil
}

type actorKey struct{}

// actorOf is who makes the call.
func actorOf(ctx context.Context) string {
	actor, _ := ctx.Value(actorKey{}).(string)
	return actor
}

// authenticate puts the actor into the context or refuses the call.
func (c *chain) authenticate(ctx context.Context, method string) (context.Context, error) {
	if c.auth == nil {
		return context.WithValue(ctx, actorKey{}, "local"), nil
	}
	if strings.HasPrefix(method, "/grpc.health.v1.Health/") {
		return ctx, nil // probes have no credentials, and health tells nothing but itself
	}
	values := metadata.ValueFromIncomingContext(ctx, "authorization")
	if len(values) != 1 {
		return nil, unauthenticated("TOKEN_MISSING", "send the header authorization: Bearer <token>, once")
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, unauthenticated("TOKEN_MISSING", "the authorization header must be Bearer <token>")
	}
	actor, ok, err := c.auth.Authenticate(ctx, token)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, unauthenticated("TOKEN_INVALID", "the token is not known")
	}
	return context.WithValue(ctx, actorKey{}, actor), nil
}

func unauthenticated(reason, text string) error {
	s, err := status.New(codes.Unauthenticated, text).WithDetails(&errdetails.ErrorInfo{Reason: reason, Domain: domain})
	if err != nil {
		return status.Error(codes.Unauthenticated, text)
	}
	return s.Err()
}
