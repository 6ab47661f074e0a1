package poll

import (
	"context"
	"errors"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/mailintake/mailintake/ingest"
)

// commit is a batch on its way into the database.
type commit struct {
	batch  *batch
	done   chan struct{}
	settle []ingest.Ref
	counts ingest.Counts
	err    error
}

// submit waits for the commit before, settles what that one stored, and starts the commit of b, which then runs while
// the next batch is fetched: the socket and the database take turns waiting for each other otherwise.
func (v *visit) submit(ctx context.Context, b *batch) error {
	if err := v.finish(ctx, true); err != nil {
		b.discard()
		return err
	}
	moved := v.ch.Mailbox.Protocol.IsIMAP() && b.cursor != v.ch.Cursor
	if len(b.items)+len(b.order)+len(b.missing) == 0 && !moved && !b.start && !b.restart {
		return v.settle(ctx, b.settle)
	}
	if b.restart {
		v.ch.Started = time.Time{}
	}
	v.ch.Cursor = b.cursor
	c := &commit{batch: b, done: make(chan struct{})}
	v.inFlight = c
	go func() {
		defer close(c.done)
		c.err = v.commit(ctx, c)
	}()
	return nil
}

// finish waits for the commit in flight. If the visit goes well so far, it also settles on the server what is stored.
func (v *visit) finish(ctx context.Context, well bool) error {
	c := v.inFlight
	if c == nil {
		return nil
	}
	v.inFlight = nil
	<-c.done
	if c.err != nil {
		return c.err
	}
	c.batch.counts.Add(c.counts)
	for ledger, server := range c.batch.renamed {
		v.renamed[server] = ledger
	}
	if c.batch.start && v.ch.Started.IsZero() {
		v.ch.Started = time.Now()
	}
	if !well || v.sess == nil {
		return nil
	}
	return v.settle(ctx, c.settle)
}

// commit parses what arrived and writes the batch.
func (v *visit) commit(ctx context.Context, c *commit) (err error) {
	b := c.batch
	defer b.discard()
	defer func() {
		if p := recover(); p != nil {
			err = panicked(p)
		}
	}()
	if err := v.parse(ctx, b); err != nil {
		return err
	}
	items, err := v.itemsOf(ctx, b)
	if err != nil {
		return stored(err)
	}
	began := time.Now()
	receipt, err := v.Store.Commit(ctx, v.own, &ingest.Batch{Channel: v.ch, Items: items, Cursor: b.cursor,
		Start: b.start, Restart: b.restart && !b.start}) // begun anew and decided at once is decided
	if err != nil {
		return stored(err)
	}
	v.Metrics.commitSeconds.Observe(time.Since(began).Seconds())
	c.settle = b.settle
	c.counts.Known += b.same
	for i := range items {
		it := &items[i]
		server := it.Ref
		if r, ok := b.renamed[it.Ref]; ok {
			server = r
		}
		_, fresh := receipt.IDs[it.Ref]
		switch {
		case it.Standing == ingest.Stored && fresh:
			c.counts.Stored++
			c.settle = append(c.settle, server)
		case it.Standing == ingest.Stored: // another commit was first
			c.counts.Known++
			if s := receipt.Known[it.Ref]; s == ingest.Stored || s == ingest.Duplicate || s == ingest.Removed {
				c.settle = append(c.settle, server)
			}
		case it.Standing == ingest.Duplicate:
			c.counts.Duplicate++
			c.settle = append(c.settle, server)
		case it.Standing == ingest.Deferred:
			c.counts.Deferred++
		case it.Standing == ingest.Quarantined:
			c.counts.Quarantined++
		case it.Reason == ingest.ReasonGone:
			c.counts.Gone++
		default:
			c.counts.Skipped++
		}
	}
	// History that the floor covers has no items, and what vanished before we knew it needs none.
	if len(b.items) == 0 {
		c.counts.Skipped += b.history
	}
	for r, why := range b.missing {
		if ingest.KindOf(why) == ingest.KindGone && b.attempts[r] == 0 {
			c.counts.Gone++
		}
	}
	v.Metrics.count(c.counts)
	return nil
}

func (v *visit) parse(ctx context.Context, b *batch) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, a := range b.order {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			// A fault of the parser must keep no message out, least of all those that arrived with it.
			defer func() {
				if p := recover(); p != nil {
					v.Metrics.panics.Inc()
					v.log.Error("panic in the parser", "ref", a.ref, "panic", p, "stack", string(debug.Stack()))
					a.mail = &ingest.Mail{Defects: []ingest.Defect{{Code: "PARSER_FAILED", Text: "a fault of the parser; the message itself is kept whole"}}}
				}
			}()
			a.mail = v.Parse(ctx, v.ch, a.octets)
			return nil
		})
	}
	return g.Wait()
}

// itemsOf turns what a batch gathered into items, in the order of the listing.
func (v *visit) itemsOf(ctx context.Context, b *batch) ([]ingest.Item, error) {
	found, err := v.sameContent(ctx, b)
	if err != nil {
		return nil, err
	}
	twins := v.twins(b, found)
	items := b.items
	place := make(map[ingest.Ref]int, len(b.entries))
	for i, e := range b.entries {
		place[e.Ref] = i
	}
	settle := v.ch.Mailbox.Settlement != ingest.SettleLeave
	for _, a := range b.order {
		it := ingest.Item{Ref: a.ref, Standing: ingest.Stored, Size: a.octets.Size(), Received: a.received, Content: a.octets.Content(), Settle: settle}
		original, twin := twins[a.ref]
		if b.reused[a.ref] {
			it.Ref, twin = a.ref.Again(it.Content), false
			if has(found[it.Content], a.ref) || has(found[it.Content], it.Ref) {
				// The message that we deleted, still there: it is deleted again.
				b.same++
				b.settle = append(b.settle, a.ref)
				continue
			}
			if b.renamed == nil {
				b.renamed = map[ingest.Ref]ingest.Ref{}
			}
			b.renamed[it.Ref], place[it.Ref] = a.ref, place[a.ref]
			v.log.Warn("the server used a UIDL anew for another message", "ref", a.ref)
		}
		switch {
		case twin:
			it.Standing, it.Original = ingest.Duplicate, original
		case v.older(b, a):
			it.Standing, it.Reason, it.Settle = ingest.Skipped, ingest.ReasonBeforeStart, false
		default:
			it.Octets, it.Mail, it.Parser, it.Event = a.octets, a.mail, v.Version, v.Event
		}
		items = append(items, it)
	}
	for r, why := range b.missing {
		if it, ok := v.absent(b, r, why); ok {
			items = append(items, it)
		}
	}
	slices.SortStableFunc(items, func(x, y ingest.Item) int { return place[x.Ref] - place[y.Ref] })
	return items, nil
}

// older applies SINCE to POP3, which tells no dates: the message itself must be read for them.
func (v *visit) older(b *batch, a *arrival) bool {
	m := &v.ch.Mailbox
	if m.Protocol.IsIMAP() || m.InitialSync != ingest.SyncSince || !v.ch.Started.IsZero() || b.again {
		return false
	}
	at := a.mail.Received
	if at.IsZero() {
		at = a.mail.Date
	}
	return !at.IsZero() && at.Before(m.SyncSince)
}

// absent is the item for a message that brought no body; false if it needs none.
func (v *visit) absent(b *batch, r ingest.Ref, why error) (ingest.Item, bool) {
	it := ingest.Item{Ref: r, Standing: ingest.Deferred, Reason: ingest.ReasonMissingBody, Size: -1, Received: b.received[r], Detail: why.Error()}
	if e, ok := errors.AsType[*ingest.Error](why); ok {
		it.Reason = e.Reason
	}
	for _, e := range b.entries {
		if e.Ref == r {
			it.Size = e.Size
		}
	}
	switch kind := ingest.KindOf(why); {
	case kind == ingest.KindGone && b.attempts[r] == 0:
		return it, false
	case kind == ingest.KindGone:
		it.Standing, it.Reason = ingest.Skipped, ingest.ReasonGone
	case kind == ingest.KindTooLarge:
		return v.tooLarge(r, it.Size, it.Received, "the message exceeded the limit while it was read"), true
	case b.attempts[r]+1 >= maxAttempts:
		it.Standing, it.Event = ingest.Quarantined, v.Event
	}
	return it, true
}

// twins finds arrivals whose content is stored under a ref that means nothing any more: of an older UIDVALIDITY, of the
// other protocol, or, for POP3, of a UIDL that the maildrop no longer lists. Two equal messages that lie in the mailbox
// side by side are two messages; and what we deleted ourselves cannot come back under a new number.
func (v *visit) twins(b *batch, found map[ingest.Digest][]ingest.Twin) map[ingest.Ref]ingest.MessageID {
	twins := map[ingest.Ref]ingest.MessageID{}
	taken := map[ingest.MessageID]bool{}
	for _, a := range b.order {
		present := map[ingest.MessageID]bool{}
		for _, t := range found[a.octets.Content()] {
			same := t.Ref.Generation() == a.ref.Generation()
			if v.listed != nil && !t.Ref.IsIMAP() {
				same = v.listed[t.Ref]
			}
			if same || t.Deleted {
				present[t.ID] = true
			}
		}
		for _, t := range found[a.octets.Content()] {
			if !present[t.ID] && !taken[t.ID] {
				twins[a.ref], taken[t.ID] = t.ID, true
				break
			}
		}
	}
	return twins
}

// sameContent finds the ledger's refs with the contents that arrived.
func (v *visit) sameContent(ctx context.Context, b *batch) (map[ingest.Digest][]ingest.Twin, error) {
	contents := make([]ingest.Digest, len(b.order))
	for i, a := range b.order {
		contents[i] = a.octets.Content()
	}
	return v.Store.Twins(ctx, v.own.Channel, contents)
}

func has(twins []ingest.Twin, r ingest.Ref) bool {
	return slices.ContainsFunc(twins, func(t ingest.Twin) bool { return t.Ref == r })
}
