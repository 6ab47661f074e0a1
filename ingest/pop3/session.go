package pop3

import (
	"context"
	"errors"
	"time"

	gopop3 "github.com/knadh/go-pop3"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// farewell is how long Close waits for the answer to a QUIT that nothing depends on.
const farewell = 5 * time.Second

// session is one login to one maildrop, which it holds exclusively (RFC 1939 §4) until Close.
type session struct {
	wire      *wire
	pop       *gopop3.Conn
	caps      capabilities
	encrypted bool
	window    int
	max       int64    // of a message in octets, 0 is no limit
	secrets   []string // during login: what must not appear in errors

	listed  bool
	entries []entry        // by number
	byUIDL  map[string]int // Ref.UIDL to index in entries
	noUIDL  bool           // the server has no UIDL
	noTOP   bool           // the server has no TOP
	printed int            // entries below this index have their fingerprint where they need one
	prints  map[string]int // how many entries have each fingerprint

	deletions int // DELEs that the server accepted
	closed    bool
	closeErr  error
}

// command sends one line and reads the status line that answers it. The error is about the connection; -ERR is none.
func (s *session) command(op, line string) (status, error) {
	if err := s.send(op, line); err != nil {
		return status{}, err
	}
	return s.answer(op)
}

// send writes one command, or several joined by CRLF.
func (s *session) send(op, lines string) error {
	if err := s.pop.Send(lines); err != nil {
		return s.broke(op, err)
	}
	return nil
}

// answer reads the next status line through go-pop3. Whether that is +OK or -ERR is taken from the wire: the errors of
// go-pop3 do not tell a refusal from a lost connection.
func (s *session) answer(op string) (status, error) {
	if _, err := s.pop.ReadOne(); err != nil && s.wire.err != nil {
		return status{}, s.broke(op, s.wire.err)
	}
	return s.wire.last, nil
}

// quiet makes sure that nothing came that was not asked for. To be called when no answer is due.
func (s *session) quiet(op string) error {
	if s.wire.r.Buffered() > 0 {
		return s.broke(op, &notStatus{})
	}
	return nil
}

// broke closes the connection without QUIT, so that the server deletes nothing (RFC 1939 §6), and says why.
func (s *session) broke(op string, err error) *ingest.Error {
	e := classify(op, err)
	s.wire.Fail(e)
	return e
}

// usable refuses work on a connection that is closed or broken, and for a context that has ended.
func (s *session) usable(ctx context.Context, op string) error {
	if s.closed {
		return &ingest.Error{Op: op, Kind: ingest.KindTemporary, Reason: ingest.ReasonConnectionLost, Err: dial.ErrClosed}
	}
	if err := s.wire.Err(); err != nil {
		return dial.Classify(op, err)
	}
	if ctx.Err() != nil {
		return s.broke(op, context.Cause(ctx))
	}
	return nil
}

// Settle deletes refs at the server with DELE; the server does it when Close says QUIT. SettleLeave and SettleMarkSeen
// send nothing, as POP3 has no flags; but they too tell the session that refs are stored, see Close. Refs that this
// session did not list, or that are deleted already, are passed over. A server that refuses to delete some message
// gives an error after all others were dealt with; that alone does not keep Close from deleting those.
func (s *session) Settle(ctx context.Context, refs []ingest.Ref, how ingest.Settlement) error {
	if err := s.usable(ctx, "settle"); err != nil {
		return err
	}
	if err := s.loadListing(ctx); err != nil {
		return err
	}
	var doomed []*entry
	for _, ref := range refs {
		e := s.lookup(ref)
		if e == nil {
			continue
		}
		e.settled = true
		if how == ingest.SettleDelete && !e.doomed {
			e.doomed = true
			doomed = append(doomed, e)
		}
	}
	var refused *ingest.Error
	p := s.pipeline(ctx, "settle", len(doomed), func(i int) (string, int) { return "DELE", doomed[i].number })
	defer p.close()
	for range doomed {
		st, err := p.next()
		if err != nil {
			return err
		}
		if st.ok {
			s.deletions++
		} else if e := retrRefusal(st); e.Kind != ingest.KindGone && refused == nil {
			refused = refusal("settle", st)
			refused.Hint = "The server refuses to delete; other messages are not concerned."
		}
	}
	if refused != nil {
		return refused
	}
	return nil
}

// Close says QUIT, at which the server deletes what Settle marked. When it did mark something, a nil error means that
// the server confirmed; any error, that nothing may be taken for deleted. After an error of another method, and where
// the server says EXPIRE 0 and something retrieved was not settled, the connection is cut without QUIT instead,
// because then a server must not delete anything.
func (s *session) Close() error {
	if s.closed {
		return s.closeErr
	}
	s.closed = true
	s.closeErr = s.quit()
	return s.closeErr
}

func (s *session) quit() error {
	cause := s.wire.Err()
	if cause == nil && s.caps.consumes() && s.unsettled() {
		cause = errors.New("the server announces EXPIRE 0 and messages that it sent are not stored yet")
	}
	if cause != nil {
		s.wire.Fail(cause)
		if s.deletions > 0 {
			e := dial.Classify("quit", cause)
			return &ingest.Error{
				Op: "quit", Kind: ingest.KindTemporary, Reason: e.Reason, Err: cause,
				Hint: "The session ended before QUIT: nothing was deleted. The messages are deleted at the next visit.",
			}
		}
		return nil
	}
	ctx := context.Background()
	if s.deletions == 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, farewell)
		defer cancel()
	}
	end := s.wire.Begin(ctx)
	st, err := s.command("quit", "QUIT")
	end()
	_ = s.wire.Close() // the answer to QUIT is all that counts
	switch {
	case s.deletions == 0 || err == nil && st.ok:
		return nil
	case err != nil:
		return &ingest.Error{
			Op: "quit", Kind: ingest.KindTemporary, Reason: classify("quit", err).Reason, Err: err,
			Hint: "QUIT was not confirmed, so that messages may not be deleted. They are deleted at the next visit.",
		}
	}
	e := refusal("quit", st)
	e.Kind = ingest.KindTemporary
	e.Hint = "The server did not delete all messages. They are deleted at the next visit."
	return e
}

// unsettled reports whether a message was retrieved and not settled in any way.
func (s *session) unsettled() bool {
	for i := range s.entries {
		if s.entries[i].retrieved && !s.entries[i].settled {
			return true
		}
	}
	return false
}

// lookup finds what List listed under ref, or nil.
func (s *session) lookup(ref ingest.Ref) *entry {
	if i, ok := s.byUIDL[ref.UIDL]; ok && !ref.IsIMAP() {
		return &s.entries[i]
	}
	return nil
}
