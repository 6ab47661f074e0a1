package imap

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"

	goimap "github.com/emersion/go-imap/v2"

	"github.com/mailintake/mailintake/ingest"
)

// Fetch streams the bodies of refs: one UID FETCH for all of them, without setting \Seen. each runs in the caller's
// goroutine, while the message comes in.
//
// What the flight did not bring is looked for: refs that SEARCH does not know any more are gone; the others are asked
// for one by one, where a body counts even if its UID comes behind it. What then still has no body, or an empty one,
// is missing with KindProtocol and MESSAGE_WITHOUT_BODY, or with what the server said when it refused.
//
// A body beyond the limit of the mailbox is dropped and missing with KindTooLarge. If it is so large that dropping it
// would take too long, the connection is given up: Fetch then returns the KindTooLarge error too, and Missing holds
// the ref. Refs of another folder or UIDVALIDITY are missing with KindGone. When each fails, the connection is closed.
func (s *session) Fetch(ctx context.Context, refs []ingest.Ref, each func(ingest.Arrival) error) (ingest.Missing, error) {
	missing := ingest.Missing{}
	byUID := make(map[uint32]ingest.Ref, len(refs))
	for _, r := range refs {
		if r != s.ref(r.UID) || r.UID == 0 {
			missing[r] = &ingest.Error{Op: "fetch", Kind: ingest.KindGone, Reason: ingest.ReasonGone, Err: errors.New("the ref belongs to another folder or UIDVALIDITY")}
			continue
		}
		byUID[r.UID] = r
	}
	f := &fetch{session: s, refs: byUID, each: each, missing: missing}
	err := f.run(ctx)
	return missing, err
}

// fetch is one call of Fetch.
type fetch struct {
	session *session
	refs    map[uint32]ingest.Ref
	each    func(ingest.Arrival) error
	missing ingest.Missing
}

func (f *fetch) run(ctx context.Context) error {
	left := slices.Sorted(maps.Keys(f.refs))
	if !f.session.uidBehind || len(left) == 1 {
		var after []uint32
		for _, set := range uidSets(left) {
			rest, _, err := f.flight(ctx, set, uidsIn(set, left), len(left) == 1)
			if err != nil {
				return err
			}
			after = append(after, rest...)
		}
		left = after
	}
	if len(left) == 0 {
		return nil
	}
	there, err := f.session.present(ctx, left)
	if err != nil {
		return err
	}
	for _, uid := range left {
		if !there[uid] {
			f.missing[f.refs[uid]] = &ingest.Error{Op: "fetch", Kind: ingest.KindGone, Reason: ingest.ReasonGone}
			continue
		}
		if err := f.alone(ctx, uid); err != nil {
			return err
		}
	}
	return nil
}

// alone asks for one message that the server says it has.
func (f *fetch) alone(ctx context.Context, uid uint32) error {
	rest, refusal, err := f.flight(ctx, goimap.UIDSetNum(goimap.UID(uid)), []uint32{uid}, true)
	if err != nil || len(rest) == 0 {
		return err
	}
	e := refusal
	if e == nil {
		e = &ingest.Error{Op: "fetch", Hint: "The server lists this message and sends no body for it."}
	}
	if e.Reason != ingest.ReasonServerUnavailable {
		e.Kind, e.Reason = ingest.KindProtocol, ingest.ReasonMissingBody
	}
	f.missing[f.refs[uid]] = e
	return nil
}

// flight fetches one set and returns the UIDs that brought no complete body, and why if the server refused.
func (f *fetch) flight(ctx context.Context, set goimap.UIDSet, uids []uint32, single bool) (rest []uint32, refusal *ingest.Error, err error) {
	s := f.session
	sink := newSink()
	sink.arrivals, sink.failed = make(chan *arrival), s.conn.Done()
	sink.single, sink.maxMessage = single, s.maxMessage
	sink.unwanted, sink.extra = s.maxMessage+maxDrain, int64(len(uids))*perRef
	sink.lo, sink.hi, sink.keep = uids[0], uids[len(uids)-1], len(uids)
	sink.wanted = make(map[uint32]bool, len(uids))
	for _, uid := range uids {
		sink.wanted[uid] = true
	}
	var broken error // of each
	err = s.command(ctx, "fetch", 1, sink, func() error {
		options := &goimap.FetchOptions{UID: true, InternalDate: true, BodySection: []*goimap.FetchItemBodySection{{Peek: true}}}
		command := s.client.Fetch(set, options)
		result := make(chan error, 1)
		go func() { result <- command.Close() }()
		for {
			select {
			case a := <-sink.arrivals:
				if broken = f.deliver(a, uids); broken != nil {
					return <-result
				}
			case err := <-result:
				return err
			}
		}
	})
	sink.mu.Lock()
	defer sink.mu.Unlock()
	for uid, n := range sink.large {
		f.missing[f.refs[uid]] = errTooLarge(n, s.maxMessage)
	}
	if sink.behind {
		s.uidBehind = true
	}
	if broken != nil {
		return nil, nil, broken
	}
	if err != nil && s.conn.Err() != nil {
		return nil, nil, err
	}
	refusal, _ = errors.AsType[*ingest.Error](err)
	if refusal != nil && refusal.Kind == ingest.KindThrottled {
		return nil, nil, refusal // asking for each message would be the opposite of a pause
	}
	return slices.Sorted(maps.Keys(sink.wanted)), refusal, nil
}

// deliver runs each and reads what it left.
func (f *fetch) deliver(a *arrival, uids []uint32) error {
	sound := false
	defer func() {
		if !sound { // each failed or panicked: nothing may be read from the middle of a message
			f.session.conn.Fail(errAborted)
		}
		close(a.ack)
	}()
	uid := a.fetched.uid
	if uid == 0 {
		uid = uids[0] // the only one; checked against what follows before the body counts
	}
	received := a.fetched.entry.received
	if received.IsZero() {
		received = a.fetched.sink.received(uid)
	}
	if err := f.each(ingest.Arrival{Ref: f.refs[uid], Size: a.size, Received: received, Body: a}); err != nil {
		return err
	}
	a.drain()
	sound = true
	return nil
}

// present asks which UIDs exist.
func (s *session) present(ctx context.Context, uids []uint32) (map[uint32]bool, error) {
	there := make(map[uint32]bool, len(uids))
	for _, set := range uidSets(uids) {
		sink := newSink()
		sink.lo, sink.hi, sink.keep, sink.extra = 1, math.MaxUint32, len(uids), int64(len(uids))*12
		err := s.command(ctx, "fetch", 1, sink, func() error {
			_, err := s.client.UIDSearch(&goimap.SearchCriteria{UID: []goimap.UIDSet{set}}, nil).Wait()
			return err
		})
		if err != nil {
			return nil, err
		}
		found, _ := sink.listed()
		for _, uid := range found {
			there[uid] = true
		}
	}
	return there, nil
}

// errAborted is what the connection of a Fetch dies of whose caller gave up in the middle.
var errAborted = errors.New("the receiver of a message gave up")

func errTooLarge(n, limit int64) *ingest.Error {
	return &ingest.Error{Op: "fetch", Kind: ingest.KindTooLarge, Reason: ingest.ReasonTooLarge,
		Hint: "max_message_bytes: raise it if this message is wanted.",
		Err:  fmt.Errorf("the message has %d octets, the limit is %d", n, limit)}
}
