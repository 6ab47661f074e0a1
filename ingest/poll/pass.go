package poll

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// baselineSlack is how much the clock of a mail server may differ from ours where a mailbox that was numbered anew is
// told from history by its dates.
const baselineSlack = time.Hour

// main brings in what is new.
func (v *visit) main(ctx context.Context) error {
	if !v.ch.Mailbox.Protocol.IsIMAP() {
		return v.mainPOP3(ctx)
	}
	folder := v.ch.Mailbox.Folder
	restart := false
	if v.ch.Cursor.Folder != folder {
		restart = v.ch.Cursor.Folder != "" // the channel was pointed at another folder, whose old mail is history too
		v.ch.Cursor, v.ch.Started = ingest.Cursor{Folder: folder}, time.Time{}
	}
	if v.ch.Started.IsZero() && v.ch.Baseline.IsZero() && v.ch.Mailbox.InitialSync == ingest.SyncNewOnly {
		return v.startHere(ctx)
	}
	limit := ingest.Limit{Messages: batchMessages, Octets: batchOctets}
	page, err := v.list(ctx, v.ch.Cursor, limit)
	if err != nil {
		return err
	}
	if page.Reset {
		restart = true
		v.log.Warn("the mailbox was numbered anew: reading it from the start", "was", v.ch.Cursor.UIDValidity, "is", page.Next.UIDValidity)
		v.Metrics.resets.Inc()
		v.ch.Cursor, v.ch.Started = ingest.Cursor{Folder: folder}, time.Time{}
		v.memory.looked = false
	} else if changed := !v.memory.looked || v.memory.total != page.Total || v.memory.uidNext != page.UIDNext; changed && v.ch.Cursor.LastUID > v.ch.Cursor.Floor {
		low := v.ch.Cursor
		low.LastUID -= min(lookBack, low.LastUID-low.Floor)
		if page, err = v.list(ctx, low, limit); err != nil {
			return err
		}
	}
	total, next := page.Total, page.UIDNext
	history := v.ch.Started.IsZero()
	for {
		b := v.plan(page.Entries, &v.counts)
		b.restart = restart
		restart = false
		b.cursor = v.ch.Cursor
		b.cursor.UIDValidity = page.Next.UIDValidity
		b.cursor.LastUID = max(b.cursor.LastUID, page.Next.LastUID)
		if err := v.ask(ctx, b); err != nil {
			return err
		}
		if history = history && b.onlyHistory(); history && b.history > 0 {
			// Nothing up to here is wanted: the floor says so for all of it, without a row for each.
			b.cursor.Floor = b.entries[len(b.entries)-1].Ref.UID
			b.items = nil
		}
		b.start = v.ch.Started.IsZero() && !page.More
		if err := v.bring(ctx, b); err != nil {
			return err
		}
		if !page.More {
			break
		}
		if page, err = v.list(ctx, page.Next, limit); err != nil {
			return err
		}
	}
	if err := v.finish(ctx, true); err != nil {
		return err
	}
	v.memory.total, v.memory.uidNext, v.memory.looked = total, next, true
	return nil
}

// startHere begins a channel that wants new mail only: everything up to the UID that the server would give next is
// history. It reads no message.
func (v *visit) startHere(ctx context.Context) error {
	cur := ingest.Cursor{Folder: v.ch.Mailbox.Folder, LastUID: maxUID}
	page, err := v.list(ctx, cur, ingest.Limit{Messages: 1})
	if err != nil {
		return err
	}
	top := page.Next.LastUID
	if top == maxUID {
		return &ingest.Error{Op: "list", Kind: ingest.KindProtocol, Reason: ingest.ReasonProtocol,
			Err:  errors.New("the server tells neither UIDNEXT nor the UID of the last message, so new mail cannot be told from old"),
			Hint: "set initial_sync to ALL"}
	}
	b := &batch{start: true, cursor: ingest.Cursor{Folder: cur.Folder, UIDValidity: page.Next.UIDValidity, Floor: top, LastUID: top}, counts: &v.counts}
	if err := v.submit(ctx, b); err != nil {
		return err
	}
	return v.finish(ctx, true)
}

// mainPOP3 compares the whole maildrop with the ledger.
func (v *visit) mainPOP3(ctx context.Context) error {
	entries := v.maildrop
	for first := true; first || len(entries) > 0; first = false {
		n := chunk(entries)
		if v.ch.Started.IsZero() && v.ch.Mailbox.InitialSync == ingest.SyncNewOnly {
			// What is history is decided for all of it at once: a visit that broke off half way would leave it to the
			// next one, which would take for history what came in between.
			n = len(entries)
		}
		b := v.plan(entries[:n], &v.counts)
		if err := v.ask(ctx, b); err != nil {
			return err
		}
		b.start = v.ch.Started.IsZero() && n == len(entries)
		if err := v.bring(ctx, b); err != nil {
			return err
		}
		entries = entries[n:]
	}
	return v.finish(ctx, true)
}

// list is a page of the listing, on a new connection if the last one broke.
func (v *visit) list(ctx context.Context, after ingest.Cursor, limit ingest.Limit) (ingest.Page, error) {
	sess, err := v.session(ctx)
	if err != nil {
		return ingest.Page{}, err
	}
	return sess.List(ctx, after, limit)
}

func (v *visit) listAll(ctx context.Context) ([]ingest.Entry, error) {
	var entries []ingest.Entry
	for cur := (ingest.Cursor{}); ; {
		page, err := v.sess.List(ctx, cur, ingest.Limit{Messages: 5000})
		if err != nil {
			return nil, err
		}
		entries = append(entries, page.Entries...)
		if !page.More {
			return entries, nil
		}
		cur = page.Next
	}
}

// chunk is how many of the entries make one batch.
func chunk(entries []ingest.Entry) int {
	var octets int64
	for i, e := range entries {
		if i == batchMessages || i > 0 && octets+e.Size > batchOctets {
			return i
		}
		octets += max(e.Size, 0)
	}
	return len(entries)
}

// plan sorts the entries of one page: what to fetch, what is decided without, what is known.
func (v *visit) plan(entries []ingest.Entry, counts *ingest.Counts) *batch {
	return &batch{entries: entries, counts: counts, arrived: map[ingest.Ref]*arrival{}, missing: ingest.Missing{}}
}

// bring fetches what a batch lacks and hands it to the commit.
func (v *visit) bring(ctx context.Context, b *batch) error {
	fetchErr := v.fetch(ctx, b)
	if fetchErr != nil {
		// The cursor must not pass a message that is neither stored nor deferred.
		b.start = false
		for _, e := range b.entries {
			if b.open(e.Ref) {
				if e.Ref.IsIMAP() {
					b.cursor.LastUID = max(v.ch.Cursor.LastUID, min(b.cursor.LastUID, e.Ref.UID-1))
				}
				break
			}
		}
	}
	if err := v.submit(ctx, b); err != nil {
		return err
	}
	if fetchErr != nil {
		return fetchErr
	}
	v.progress(ctx)
	return nil
}

// ask looks the entries up in the ledger and decides what can be decided without the body.
func (v *visit) ask(ctx context.Context, b *batch) error {
	refs := make([]ingest.Ref, 0, len(b.entries))
	seen := make(map[ingest.Ref]bool, len(b.entries))
	unique := b.entries[:0:0]
	for _, e := range b.entries {
		if !seen[e.Ref] {
			seen[e.Ref] = true
			refs = append(refs, e.Ref)
			unique = append(unique, e)
		}
	}
	b.entries = unique
	known, err := v.Store.Known(ctx, v.own.Channel, refs)
	if err != nil {
		return stored(err)
	}
	b.counts.Listed += len(unique)
	for _, e := range unique {
		switch standing := known[e.Ref]; {
		case standing == ingest.Removed && !e.Ref.IsIMAP():
			if b.reused == nil {
				b.reused = map[ingest.Ref]bool{}
			}
			b.reused[e.Ref] = true
			v.decide(b, e)
		case standing == ingest.Stored || standing == ingest.Duplicate || standing == ingest.Removed:
			// On IMAP settlePending has seen to what is still to be settled, and a mark that somebody took away since
			// is not set again.
			if !e.Ref.IsIMAP() {
				b.settle = append(b.settle, e.Ref)
			}
			b.counts.Known++
		case standing != ingest.Unknown && !b.again:
			b.counts.Known++
		default:
			v.decide(b, e)
		}
	}
	return nil
}

// decide says what becomes of an entry that is not stored.
func (v *visit) decide(b *batch, e ingest.Entry) {
	reason, history := v.unwanted(e)
	switch {
	case reason != "" && !b.again:
		b.items = append(b.items, ingest.Item{Ref: e.Ref, Standing: ingest.Skipped, Reason: reason, Size: e.Size, Received: e.Received})
		if history {
			b.history++
		}
	case e.Size > v.ch.Mailbox.MaxMessageBytes:
		b.items = append(b.items, v.tooLarge(e.Ref, e.Size, e.Received,
			fmt.Sprintf("the server announces %d octets, the channel allows %d", e.Size, v.ch.Mailbox.MaxMessageBytes)))
	default:
		b.fetch = append(b.fetch, e.Ref)
		if b.received == nil {
			b.received = map[ingest.Ref]time.Time{}
		}
		b.received[e.Ref] = e.Received
	}
}

func (v *visit) tooLarge(ref ingest.Ref, size int64, received time.Time, detail string) ingest.Item {
	return ingest.Item{Ref: ref, Standing: ingest.Quarantined, Reason: ingest.ReasonTooLarge, Size: size, Received: received, Event: v.Event,
		Detail: detail + "; raise max_message_bytes and replay the channel to bring it in"}
}

// unwanted says why an entry is not wanted by policy, empty if it is. history is true for mail from before the channel.
func (v *visit) unwanted(e ingest.Entry) (reason ingest.Reason, history bool) {
	if e.Deleted {
		return ingest.ReasonFlaggedDeleted, false
	}
	if !v.ch.Started.IsZero() {
		return "", false
	}
	m := &v.ch.Mailbox
	before := func(t time.Time) bool { return !e.Received.IsZero() && e.Received.Before(t) }
	switch {
	case m.InitialSync == ingest.SyncNewOnly && !m.Protocol.IsIMAP():
		return ingest.ReasonBeforeStart, true
	case m.InitialSync == ingest.SyncNewOnly && before(v.ch.Baseline.Add(-baselineSlack)),
		m.InitialSync == ingest.SyncSince && before(m.SyncSince):
		return ingest.ReasonBeforeStart, true
	}
	return "", false
}

// retryDeferred tries messages again that brought no body before. It comes last: what breaks the connection here costs
// nothing else.
func (v *visit) retryDeferred(ctx context.Context) error {
	waiting, err := v.Store.Deferred(ctx, v.own.Channel, 50)
	if err != nil || len(waiting) == 0 {
		return stored(err)
	}
	attempts := make(map[ingest.Ref]int, len(waiting))
	for _, d := range waiting {
		attempts[d.Ref] = d.Attempts
		b := v.plan(nil, &ingest.Counts{})
		b.attempts = attempts
		b.cursor = v.ch.Cursor
		if v.lost(d.Ref) {
			b.missing[d.Ref] = &ingest.Error{Op: "fetch", Kind: ingest.KindGone, Reason: ingest.ReasonGone}
		} else {
			b.fetch = []ingest.Ref{d.Ref}
		}
		if err := v.fetch(ctx, b); err != nil {
			return err
		}
		if err := v.submit(ctx, b); err != nil {
			return err
		}
		if err := v.finish(ctx, true); err != nil {
			return err
		}
	}
	return nil
}

// lost reports whether a ref cannot be fetched any more: of another folder or generation, or no longer in the maildrop.
func (v *visit) lost(r ingest.Ref) bool {
	if v.ch.Mailbox.Protocol.IsIMAP() {
		return r.Folder != v.ch.Mailbox.Folder || r.UIDValidity != v.ch.Cursor.UIDValidity
	}
	return !v.listed[r]
}
