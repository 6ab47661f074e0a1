package poll

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// visit is one look into one mailbox.
type visit struct {
	*Poller
	ch       *ingest.Channel
	own      ingest.Ownership
	log      *slog.Logger
	memory   *memory
	sess     ingest.Session
	reopens  int
	counts   ingest.Counts
	deleted  []ingest.Ref // POP3: marked, and gone only once Close succeeds
	refused  error        // the server refused to settle; nothing more is settled in this visit
	validity uint32       // UIDVALIDITY of the folder
	// maildrop is the listing of a POP3 mailbox, and listed its refs: what is stored under a ref that is not among them
	// was numbered anew.
	maildrop []ingest.Entry
	listed   map[ingest.Ref]bool
	renamed  map[ingest.Ref]ingest.Ref // POP3: by the server's ref, the ledger's where a UIDL was used anew
	lastSave time.Time
	inFlight *commit // the commit that goes on while the next batch is fetched
}

const maxUID = math.MaxUint32

// memory is what a channel remembers from one visit to the next while it stays with this replica. Losing it costs a
// listing, never a message.
type memory struct {
	total    int    // messages in the mailbox at the last look
	uidNext  uint32 // and its UIDNEXT
	looked   bool
	suspect  ingest.Ref // the first message that a broken fetch did not bring
	suspects int        // how often in a row
}

// storeError marks failures of our own database: they are no fault of the channel.
type storeError struct{ err error }

func (e *storeError) Error() string { return e.err.Error() }
func (e *storeError) Unwrap() error { return e.err }

func stored(err error) error {
	if err == nil || ingest.KindOf(err) == ingest.KindFenced {
		return err
	}
	return &storeError{err}
}

// Visit looks into the mailbox of ch once: it runs the fetch replays that wait, tries deferred messages again, brings in
// what is new and settles what is stored. counts says what became of every message that the server listed, also when
// the visit failed half way.
func (p *Poller) Visit(ctx context.Context, own ingest.Ownership, ch *ingest.Channel, mem *memory) (ingest.Counts, error) {
	v := &visit{Poller: p, ch: ch, own: own, memory: mem, lastSave: time.Now(), renamed: map[ingest.Ref]ingest.Ref{},
		log: p.Log.With("channel", ch.Name(), "epoch", own.Epoch)}
	err := v.run(ctx)
	if n := v.counts; err == nil && n.Listed != n.Sum() {
		v.Metrics.gaps.Inc()
		v.log.Error("the listing does not add up: a message without a disposition", "counts", n)
	}
	return v.counts, err
}

func (v *visit) run(ctx context.Context) (err error) {
	if v.ch.BadCredential != nil {
		return &ingest.Error{Op: "unseal", Kind: ingest.KindConfig, Reason: ingest.ReasonCredential, Err: v.ch.BadCredential,
			Hint: "set the password again, or start the service with the keyset that sealed it"}
	}
	if err := v.open(ctx); err != nil {
		return err
	}
	if err := v.look(ctx); err != nil {
		return errors.Join(err, v.close(ctx))
	}
	well := false
	defer func() {
		// What was read is committed whatever stopped the reading, a panic too.
		err = errors.Join(err, v.finish(ctx, well))
		if v.sess != nil {
			err = errors.Join(err, v.close(ctx))
		}
		if err == nil {
			err = v.refused
		}
	}()
	if err := v.work(ctx); err != nil {
		return err
	}
	well = true
	return nil
}

// work does the visit proper. New mail comes first: a replay may be long, and deferred messages may break the connection.
func (v *visit) work(ctx context.Context) error {
	if err := v.settlePending(ctx); err != nil {
		return err
	}
	if err := v.main(ctx); err != nil {
		return err
	}
	for _, f := range v.ch.Fetches {
		if err := v.replay(ctx, f); err != nil {
			return err
		}
	}
	return v.retryDeferred(ctx)
}

func (v *visit) open(ctx context.Context) (err error) {
	v.sess, err = v.Open(ctx, &v.ch.Mailbox, v.ch.Mailbox.Settlement == ingest.SettleLeave)
	return err
}

// reopen logs in again after the connection broke or had to be dropped. Nothing that was marked for deletion on the
// old connection is deleted.
func (v *visit) reopen(ctx context.Context) error {
	if v.sess != nil {
		_ = v.sess.Close() // what it may have deleted is settled again, which is harmless
		v.sess = nil
	}
	v.deleted = nil
	if v.reopens++; v.reopens > maxReopens {
		return &ingest.Error{Op: "fetch", Kind: ingest.KindProtocol, Reason: ingest.ReasonProtocol,
			Err: fmt.Errorf("the connection broke %d times in one visit; the rest waits for the next one", v.reopens)}
	}
	if err := v.open(ctx); err != nil {
		return err
	}
	if !v.ch.Mailbox.Protocol.IsIMAP() {
		// Only a listing tells a POP3 session which number bears which UIDL or, on a server without, which fingerprint.
		_, err := v.listAll(ctx)
		return err
	}
	before := v.validity
	if err := v.look(ctx); err != nil {
		return err
	}
	if v.validity != before {
		return &ingest.Error{Op: "select", Kind: ingest.KindTemporary, Reason: ingest.ReasonProtocol,
			Err: fmt.Errorf("UIDVALIDITY changed from %d to %d during the visit", before, v.validity)}
	}
	return nil
}

// look learns what the session's refs mean: the UIDVALIDITY of a folder, or everything that a POP3 maildrop lists.
func (v *visit) look(ctx context.Context) (err error) {
	if v.ch.Mailbox.Protocol.IsIMAP() {
		// A listing from the last possible UID on asks the server nothing.
		page, err := v.sess.List(ctx, ingest.Cursor{Folder: v.ch.Mailbox.Folder, LastUID: maxUID}, ingest.Limit{Messages: 1})
		v.validity = page.Next.UIDValidity
		return err
	}
	if v.maildrop, err = v.listAll(ctx); err != nil {
		return err
	}
	v.listed = make(map[ingest.Ref]bool, len(v.maildrop))
	for _, e := range v.maildrop {
		v.listed[e.Ref] = true
	}
	return nil
}

// session is the open session, a new one if the last one broke.
func (v *visit) session(ctx context.Context) (ingest.Session, error) {
	if v.sess == nil {
		if err := v.reopen(ctx); err != nil {
			return nil, err
		}
	}
	return v.sess, nil
}

// close ends the session. POP3 deletes only now (RFC 1939 §6); what it confirmed is recorded, also when the visit was
// stopped meanwhile.
func (v *visit) close(ctx context.Context) error {
	err := v.sess.Close()
	deleted := v.deleted
	v.sess, v.deleted = nil, nil
	if err != nil || len(deleted) == 0 {
		return err
	}
	for _, r := range deleted {
		if ledger, ok := v.renamed[r]; ok {
			deleted = append(deleted, ledger)
		}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTime)
	defer cancel()
	return stored(v.Store.Settled(ctx, v.own, deleted, v.ch.Mailbox.Settlement))
}

// settle settles stored refs and records it. A server that refuses does not keep new mail from coming in: the visit goes
// on without settling and ends with the refusal.
func (v *visit) settle(ctx context.Context, refs []ingest.Ref) error {
	how := v.ch.Mailbox.Settlement
	if len(refs) == 0 || v.sess == nil || v.refused != nil {
		return nil // what a broken session could not settle, the next visit finds
	}
	if how == ingest.SettleLeave {
		if v.ch.Mailbox.Protocol.IsIMAP() {
			return nil
		}
		// QUIRK: a POP3 server that announces EXPIRE 0 (RFC 2449 §6.7) may delete at QUIT whatever was retrieved, so
		// the session must know what is stored before it may say QUIT.
		return v.sess.Settle(ctx, refs, how)
	}
	if err := v.sess.Settle(ctx, refs, how); err != nil {
		if !refusal(err) {
			return err
		}
		v.log.Warn("the server refuses to settle; reading goes on", "error", err)
		v.refused = err
		return v.close(ctx) // a POP3 session still deletes what it did accept
	}
	v.Metrics.settled.Add(float64(len(refs)))
	if !v.ch.Mailbox.Protocol.IsIMAP() && how == ingest.SettleDelete {
		v.deleted = append(v.deleted, refs...)
		return nil
	}
	return stored(v.Store.Settled(ctx, v.own, refs, how))
}

// refusal reports whether the server understood and would not, or what it said cannot pass by itself.
func refusal(err error) bool {
	e, ok := errors.AsType[*ingest.Error](err)
	return ok && (e.Reason == ingest.ReasonRefused || e.Kind == ingest.KindProtocol || e.Kind == ingest.KindConfig)
}

// settlePending settles what an earlier visit stored and did not come to settle. On IMAP its UIDs lie below the cursor,
// so no listing would show them again; a POP3 listing shows everything that is left. Refs of an older generation, and
// those that the maildrop no longer lists, mean nothing any more and are let go.
func (v *visit) settlePending(ctx context.Context) error {
	if v.ch.Mailbox.Settlement == ingest.SettleLeave {
		return nil
	}
	refs, err := v.Store.Unsettled(ctx, v.own.Channel, 10_000)
	if err != nil || len(refs) == 0 {
		return stored(err)
	}
	imap := v.ch.Mailbox.Protocol.IsIMAP()
	var now, void []ingest.Ref
	for _, r := range refs {
		switch {
		case imap && r.IsIMAP() && r.Folder == v.ch.Mailbox.Folder && r.UIDValidity == v.validity:
			now = append(now, r)
		case imap || !v.listed[r]:
			void = append(void, r)
		}
	}
	if len(void) > 0 {
		if err := v.Store.Settled(ctx, v.own, void, ingest.SettleLeave); err != nil {
			return stored(err)
		}
	}
	return v.settle(ctx, now)
}

// progress keeps the watchdog and the people informed during a long visit.
func (v *visit) progress(ctx context.Context) {
	if time.Since(v.lastSave) < saveEvery {
		return
	}
	v.lastSave = time.Now()
	h := v.ch.Health
	h.State, h.Reason, h.ServerText, h.Hint, h.Detail, h.Failures, h.AuthFailures = ingest.StateActive, "", "", "", "", 0, 0
	h.LastAttempt, h.LastSuccess, h.NextAttempt = v.lastSave, v.lastSave, time.Time{}
	h.Visit = v.counts
	if err := v.Store.SaveHealth(ctx, v.own, v.ch.Revision, h); err != nil {
		v.log.Warn("could not record progress", "error", err)
	}
}
