package imap

import (
	"context"
	"errors"

	goimap "github.com/emersion/go-imap/v2"

	"github.com/mailintake/mailintake/ingest"
)

// Settle marks messages \Seen, or deletes them: flags them \Deleted and expunges exactly these by UID EXPUNGE (RFC 4315
// §2.1). Where the server has no UIDPLUS they keep the flag and stay until somebody expunges the folder: a plain EXPUNGE
// would take what other clients have flagged, and is never sent; Open notes this in the Trace. Refs of another folder
// or UIDVALIDITY, and refs that are gone, are left out without an error (RFC 9051 §6.4.8).
func (s *session) Settle(ctx context.Context, refs []ingest.Ref, how ingest.Settlement) error {
	if how == ingest.SettleLeave {
		return nil
	}
	if s.readOnly {
		return &ingest.Error{Op: "settle", Kind: ingest.KindConfig, Reason: ingest.ReasonRefused, Err: errors.New("the session was opened for reading only")}
	}
	var uids []uint32
	for _, r := range refs {
		if r.UID != 0 && r == s.ref(r.UID) {
			uids = append(uids, r.UID)
		}
	}
	flag := goimap.FlagSeen
	if how == ingest.SettleDelete {
		flag = goimap.FlagDeleted
	}
	for _, set := range uidSets(uids) {
		err := s.settleSet(ctx, func() error {
			flags := &goimap.StoreFlags{Op: goimap.StoreFlagsAdd, Silent: true, Flags: []goimap.Flag{flag}}
			return s.client.Store(set, flags, nil).Close()
		})
		if err == nil && how == ingest.SettleDelete && s.canExpunge() {
			err = s.settleSet(ctx, func() error { return s.client.UIDExpunge(set).Close() })
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settleSet runs one command of a settlement. Answers about each message are allowed for.
func (s *session) settleSet(ctx context.Context, issue func() error) error {
	sink := newSink()
	sink.extra = min(int64(s.state.exists), maxPage) * perRef
	err := s.command(ctx, "settle", 1, sink, issue)
	e, ok := errors.AsType[*ingest.Error](err)
	if ok && e.Reason == ingest.ReasonRefused && s.state.readOnly {
		e.Kind = ingest.KindConfig
		e.Hint = "settlement: the server opens this folder for reading only; grant the user write access, or set settlement to LEAVE."
	}
	return err
}
