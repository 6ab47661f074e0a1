package poll

import (
	"context"

	"github.com/mailintake/mailintake/ingest"
)

// replay reads a range of the mailbox again: what is stored stays as it is, what is missing comes in, and what was
// deferred, given up or skipped is tried anew. The cursor does not move.
func (v *visit) replay(ctx context.Context, f ingest.Fetch) error {
	var p ingest.Progress
	limit := ingest.Limit{Messages: batchMessages, Octets: batchOctets}
	cur := ingest.Cursor{Folder: v.ch.Mailbox.Folder}
	if f.Range.FirstUID > 0 {
		cur.LastUID = f.Range.FirstUID - 1
	}
	imap := v.ch.Mailbox.Protocol.IsIMAP()
	if !imap {
		cur.Folder = ""
	}
	for {
		page, err := v.list(ctx, cur, limit)
		if err != nil {
			return err
		}
		var entries []ingest.Entry
		past := false
		for _, e := range page.Entries {
			if f.Range.LastUID > 0 && e.Ref.UID > f.Range.LastUID {
				past = true
				break
			}
			if within(f.Range, e) {
				entries = append(entries, e)
			}
		}
		counts := ingest.Counts{}
		b := v.plan(entries, &counts)
		b.again, b.cursor = true, v.ch.Cursor
		if err := v.ask(ctx, b); err != nil {
			return err
		}
		p.Matched += len(b.entries)
		p.Known += counts.Known
		p.Missing += len(b.entries) - counts.Known
		if !f.DryRun {
			fetchErr := v.fetch(ctx, b)
			if err := v.submit(ctx, b); err != nil {
				return err
			}
			if err := v.finish(ctx, true); err != nil {
				return err
			}
			p.Stored += counts.Stored
			p.Failed += counts.Deferred + counts.Quarantined
			if fetchErr != nil {
				return fetchErr
			}
			v.progress(ctx)
		}
		done := past || !page.More
		wanted, err := v.Store.SaveFetch(ctx, f.ID, p, done, "")
		if err != nil {
			return stored(err)
		}
		if done || !wanted {
			return nil
		}
		cur = page.Next
	}
}

// within applies the range's dates to the server's time of arrival. A server that tells none is taken at its word only
// where the range has no dates; control refuses dates for POP3.
func within(r ingest.Range, e ingest.Entry) bool {
	return (r.Since.IsZero() || !e.Received.Before(r.Since)) && (r.Until.IsZero() || e.Received.Before(r.Until))
}
