package imap

import (
	"context"
	"errors"
	"fmt"
	"time"

	goimap "github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// logoutTimeout bounds the farewell; the server loses nothing when it is cut short.
const logoutTimeout = 5 * time.Second

// session is an ingest.Session over one connection with one folder open.
type session struct {
	conn       *dial.Conn
	guard      *guard
	client     *imapclient.Client
	readOnly   bool
	settlement ingest.Settlement
	folder     string
	maxMessage int64
	username   string
	password   ingest.Secret // emptied by login

	state     mailbox
	top       uint32 // highest UID when the folder was opened; valid if topKnown
	topKnown  bool
	uidBehind bool // the server names UIDs behind bodies: fetch one by one
	closed    bool
}

var _ ingest.Session = (*session)(nil)

// command runs a flight of n commands, which issue sends and waits for, under the limits of the connection. Whatever
// goes wrong becomes an *ingest.Error; a panic, ours or the library's, costs the connection, not the process.
func (s *session) command(ctx context.Context, op string, n int, sink *sink, issue func() error) (err error) {
	if err := s.conn.Err(); err != nil {
		return s.failure(op, err)
	}
	if err := context.Cause(ctx); err != nil {
		return dial.Classify(op, err)
	}
	defer s.conn.Begin(ctx)()
	s.guard.begin(sink, n)
	defer func() {
		if r := recover(); r != nil {
			e := violation(fmt.Sprintf("panic while a command ran: %v", r))
			e.Op = op
			s.conn.Fail(e)
			err = e
		}
	}()
	return s.failure(op, issue())
}

// failure explains the error of a command: by what the connection died of, by what the server said, or else it is the
// library that could not make sense of an answer, after which nothing can be trusted any more.
func (s *session) failure(op string, err error) error {
	if err == nil {
		return nil
	}
	cause := s.conn.Err()
	refusal, refused := errors.AsType[*goimap.Error](err)
	switch bye := s.guard.farewell(); {
	case refused && refusal != nil: // even if the server closed the connection right behind it
		return s.guard.lastResult().error(op)
	case bye != nil:
		e := bye.error(op)
		e.Err = cause
		return e
	case cause == nil || errors.Is(cause, dial.ErrClosed) && !s.closed:
		e := violation(err.Error())
		e.Op = op
		s.conn.Fail(e)
		return e
	}
	e := *dial.Classify(op, cause)
	if e.Op == "" {
		e.Op = op
	}
	return &e
}

// abort drops the connection and waits for the library's goroutine.
func (s *session) abort(err error) {
	s.closed = true
	s.conn.Fail(err)
	_ = s.client.Close() // its error is ours
}

// Close logs out and frees the connection; after an error it only does the latter.
func (s *session) Close() error {
	if s.closed {
		return nil
	}
	if s.conn.Err() == nil {
		ctx, cancel := context.WithTimeout(context.Background(), logoutTimeout)
		defer cancel()
		// The farewell is a courtesy: nothing that was done depends on it.
		_ = s.command(ctx, "logout", 1, newSink(), func() error { return s.client.Logout().Wait() })
	}
	s.closed = true
	_ = s.conn.Close() // nothing that was done depends on this either
	_ = s.client.Close()
	return nil
}

// canExpunge tells whether single messages can be deleted for good (RFC 4315 §2.1, part of IMAP4rev2).
func (s *session) canExpunge() bool {
	caps := s.guard.capabilities()
	return caps.has("UIDPLUS") || caps.has("IMAP4REV2")
}

func (s *session) ref(uid uint32) ingest.Ref {
	return ingest.Ref{Folder: s.folder, UIDValidity: s.state.uidValidity, UID: uid}
}
