package control

import (
	"context"
	"errors"
	"fmt"
)

// Kind is what went wrong, in the words of the one who asked.
type Kind int

// The kinds of failure.
const (
	KindInternal      Kind = iota // a fault of ours; the cause is in Err and in the log
	KindInvalid                   // the request is wrong whatever the state; Violations say where
	KindNotFound                  // there is no such resource
	KindAlreadyExists             // the name is taken
	KindConflict                  // the resource changed since the caller read it
	KindPrecondition              // the resource is not in a state that allows this
	KindUnavailable               // storage is away; ask again later
	KindDataLoss                  // what is stored is not complete
)

var kindNames = [...]string{"internal", "invalid", "not-found", "already-exists", "conflict", "precondition", "unavailable", "data-loss"}

// String is the lower-case name used in logs.
func (k Kind) String() string { return kindNames[k] }

// Violation is one field that is not as it must be.
type Violation struct {
	Field       string // path in the request, in proto field names: "email_channel.host"
	Description string // for people: what is expected
}

// Error is what the services of this package return.
type Error struct {
	Kind       Kind
	Reason     string      // stable, UPPER_SNAKE_CASE
	Message    string      // for people; holds nothing that the caller may not see
	Resource   string      // name of the resource concerned; may be empty
	Violations []Violation // of KindInvalid
	Err        error       // the cause, for the log only; may be nil
}

// Error reads "message: cause". It is for logs; clients get Message.
func (e *Error) Error() string {
	if e.Err == nil {
		return e.Message
	}
	return fmt.Sprintf("%s: %v", e.Message, e.Err)
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Invalid is an error of KindInvalid with at least one violation.
func Invalid(v ...Violation) *Error {
	msg := v[0].Field + ": " + v[0].Description
	if len(v) > 1 {
		msg = fmt.Sprintf("%s (and %d more)", msg, len(v)-1)
	}
	return &Error{Kind: KindInvalid, Reason: "INVALID_FIELD", Message: msg, Violations: v}
}

// precondition is an error of KindPrecondition.
func precondition(reason, resource, message string) *Error {
	return &Error{Kind: KindPrecondition, Reason: reason, Resource: resource, Message: message}
}

// stored turns what the store returned about a resource into an *Error; context errors pass as they are.
func stored(err error, resource string) error {
	if err == nil {
		return nil
	}
	e := &Error{Resource: resource, Err: err}
	switch {
	case errors.Is(err, ErrNotFound):
		e.Kind, e.Reason, e.Message = KindNotFound, "RESOURCE_NOT_FOUND", resource+" does not exist"
	case errors.Is(err, ErrAlreadyExists):
		e.Kind, e.Reason, e.Message = KindAlreadyExists, "RESOURCE_EXISTS", resource+" exists already"
	case errors.Is(err, ErrConflict):
		e.Kind, e.Reason, e.Message = KindConflict, "ETAG_MISMATCH", resource+" has changed since it was read; read it again and repeat the change"
	case errors.Is(err, ErrUnreadable):
		e.Kind, e.Reason, e.Message = KindPrecondition, "CREDENTIAL_UNREADABLE", "the stored password of "+resource+" cannot be unsealed; set it again"
	case errors.Is(err, ErrUnavailable):
		e.Kind, e.Reason, e.Message = KindUnavailable, "STORAGE_UNAVAILABLE", "storage is unavailable; try again later"
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return err
	default:
		e.Kind, e.Reason, e.Message = KindInternal, "INTERNAL", "internal error"
	}
	return e
}
