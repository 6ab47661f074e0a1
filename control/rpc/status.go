package rpc

import (
	"context"
	"errors"
	"fmt"

	"buf.build/go/protovalidate"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/protoadapt"

	"github.com/mailintake/mailintake/control"
)

// domain is the domain of every ErrorInfo.
const domain = "mailintake"

// statusOf turns any error into what a client sees. Statuses pass as they are; text that is not ours never gets out:
// id stands for it and is in the log.
func statusOf(err error, id string) *status.Status {
	if e, ok := errors.AsType[*control.Error](err); ok {
		return controlStatus(e, id)
	}
	if e, ok := errors.AsType[*protovalidate.ValidationError](err); ok {
		return controlStatus(control.Invalid(violations(e)...), id)
	}
	switch {
	case errors.Is(err, context.Canceled):
		return status.New(codes.Canceled, "the call was cancelled")
	case errors.Is(err, context.DeadlineExceeded):
		return status.New(codes.DeadlineExceeded, "the call took longer than its deadline")
	}
	if s, ok := status.FromError(err); ok {
		return s
	}
	return controlStatus(&control.Error{Kind: control.KindInternal, Reason: "INTERNAL"}, id)
}

func controlStatus(e *control.Error, id string) *status.Status {
	code, text := codes.Internal, e.Message
	var details []protoadapt.MessageV1
	info := &errdetails.ErrorInfo{Reason: e.Reason, Domain: domain}
	if e.Resource != "" {
		info.Metadata = map[string]string{"resource": e.Resource}
	}
	details = append(details, info)
	switch e.Kind {
	case control.KindInvalid:
		code = codes.InvalidArgument
		bad := &errdetails.BadRequest{}
		for _, v := range e.Violations {
			bad.FieldViolations = append(bad.FieldViolations, &errdetails.BadRequest_FieldViolation{Field: v.Field, Description: v.Description})
		}
		details = append(details, bad)
	case control.KindNotFound:
		code = codes.NotFound
	case control.KindAlreadyExists:
		code = codes.AlreadyExists
	case control.KindConflict:
		code = codes.Aborted
	case control.KindPrecondition:
		code = codes.FailedPrecondition
	case control.KindUnavailable:
		code = codes.Unavailable
	case control.KindDataLoss:
		code = codes.DataLoss
	case control.KindInternal:
		text = fmt.Sprintf("internal error; the log has it under id %s", id)
	}
	s, err := status.New(code, text).WithDetails(details...)
	if err != nil { // details that cannot be marshalled: not with these types
		return status.New(code, text)
	}
	return s
}

// violations puts what protovalidate found into the words of control.
func violations(e *protovalidate.ValidationError) []control.Violation {
	vs := make([]control.Violation, 0, len(e.Violations))
	for _, v := range e.Violations {
		vs = append(vs, control.Violation{Field: protovalidate.FieldPathString(v.Proto.GetField()), Description: v.Proto.GetMessage()})
	}
	if len(vs) == 0 {
		vs = append(vs, control.Violation{Description: "the request is not valid"})
	}
	return vs
}
