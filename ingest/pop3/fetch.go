package pop3

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/mailintake/mailintake/ingest"
)

// Fetch streams the bodies of refs that this session listed, in the order given. See ingest.Session for the contract.
//
// A body counts as complete only when its terminator came and what follows is a status line: the answer to the next
// RETR, or to a NOOP behind the last one. Thus a message whose server forgot to protect a line of one dot is not taken
// for its own first half. Of octets received Mailbox.MaxMessageBytes are accepted, whatever LIST said; a message that
// LIST says is larger is not asked for.
//
// POP3 cannot stop a message half-way. So when one is cut, lost or too large, Missing holds this ref alone, the error
// is not nil, the connection is closed, and the refs behind it are neither delivered nor missing: a new session is due.
// A refusal of one message is in Missing and leaves the others undisturbed.
func (s *session) Fetch(ctx context.Context, refs []ingest.Ref, each func(ingest.Arrival) error) (ingest.Missing, error) {
	missing := ingest.Missing{}
	if err := s.usable(ctx, "fetch"); err != nil {
		return missing, err
	}
	if err := s.loadListing(ctx); err != nil {
		return missing, err
	}
	type wish struct {
		ref ingest.Ref
		*entry
	}
	var wanted []wish
	for _, ref := range refs {
		switch e := s.lookup(ref); {
		case e == nil:
			missing[ref] = &ingest.Error{Op: "fetch", Kind: ingest.KindGone, Reason: ingest.ReasonGone, Err: errors.New("not listed in this session")}
		case e.doomed:
			missing[ref] = &ingest.Error{Op: "fetch", Kind: ingest.KindGone, Reason: ingest.ReasonGone, Err: errors.New("deleted in this session")}
		case s.max > 0 && e.size > s.max:
			missing[ref] = s.tooLarge(fmt.Errorf("the server announces %d octets, the limit is %d", e.size, s.max))
		default:
			wanted = append(wanted, wish{ref, e})
		}
	}
	if len(wanted) == 0 {
		return missing, nil
	}
	p := s.pipeline(ctx, "fetch", len(wanted)+1, func(i int) (string, int) {
		if i == len(wanted) {
			return "NOOP", 0
		}
		return "RETR", wanted[i].number
	})
	defer p.close()
	st, err := p.next()
	for _, w := range wanted {
		if err != nil {
			missing[w.ref] = err
			return missing, err
		}
		if !st.ok {
			missing[w.ref] = retrRefusal(st)
			st, err = p.next()
			continue
		}
		w.retrieved = true
		var follows status
		var followErr error
		b := newBody(s.wire.r, s.limit(), func() error {
			follows, followErr = p.next()
			if ingest.KindOf(followErr) == ingest.KindProtocol {
				return followErr
			}
			return nil // if the connection is lost now, this message is complete all the same
		})
		eachErr := each(ingest.Arrival{Ref: w.ref, Size: -1, Body: (*strict)(b)})
		if b.err == nil && eachErr == nil {
			_, _ = io.Copy(io.Discard, b) // not drained, against the contract; b.err says what became of it
		}
		if b.err != nil && !b.ended {
			fault, lost := s.fault(b.err)
			missing[w.ref] = fault
			return missing, lost
		}
		if eachErr != nil {
			_ = s.broke("fetch", eachErr) // the caller gets its own error back as it was
			return missing, eachErr
		}
		st, err = follows, followErr
	}
	return missing, err
}

// limit is how many octets a body may have; below zero is no limit.
func (s *session) limit() int64 {
	if s.max > 0 {
		return s.max
	}
	return -1
}

// fault gives the error for the message whose body ended in cause, and the one for the session, which it closes.
func (s *session) fault(cause error) (message, session error) {
	if !errors.Is(cause, errBodyTooLarge) {
		e := s.broke("fetch", cause)
		return e, e
	}
	lost := s.broke("fetch", &ingest.Error{
		Op: "fetch", Kind: ingest.KindTemporary, Reason: ingest.ReasonTooLarge,
		Err: fmt.Errorf("connection given up to stop a message of more than %d octets", s.max),
	})
	return s.tooLarge(fmt.Errorf("more than %d octets came", s.max)), lost
}

func (s *session) tooLarge(cause error) *ingest.Error {
	return &ingest.Error{
		Op: "fetch", Kind: ingest.KindTooLarge, Reason: ingest.ReasonTooLarge, Err: cause,
		Hint: "The message stays on the server; raise max_message_bytes to take it.",
	}
}

// strict is a body whose errors, io.EOF aside, are *ingest.Error, as the caller of Fetch sees it.
type strict body

// Read reads from the body.
func (b *strict) Read(p []byte) (int, error) {
	n, err := (*body)(b).Read(p)
	return n, b.translate(err)
}

// WriteTo writes the rest of the body.
func (b *strict) WriteTo(w io.Writer) (int64, error) {
	n, err := (*body)(b).WriteTo(w)
	if b.err == nil {
		return n, err // an error of w
	}
	return n, b.translate(err)
}

func (b *strict) translate(err error) error {
	switch {
	case err == nil || b.ended:
		return err
	case errors.Is(err, errBodyTooLarge):
		return &ingest.Error{Op: "fetch", Kind: ingest.KindTooLarge, Reason: ingest.ReasonTooLarge, Err: err}
	}
	return classify("fetch", err)
}
