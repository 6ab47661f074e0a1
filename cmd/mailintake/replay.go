package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/mailintake/mailintake/control"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// replayCmd are the commands for replays.
type replayCmd struct {
	client
	Create replayCreateCmd `cmd:"" help:"Read mail again, publish events again, visit a mailbox at once, or parse stored mail again."`
	Get    replayGetCmd    `cmd:"" help:"Show how far a replay is."`
	List   replayListCmd   `cmd:"" help:"List replays, the newest first."`
	Cancel replayCancelCmd `cmd:"" help:"End a replay; what it did stays done."`
}

type replayCreateCmd struct {
	Channel   string  `arg:"" help:"Id or full name of the channel."`
	Kind      string  `required:"" help:"fetch: read the mailbox again and bring in what is missing; events: publish events again, with the same ids; retry: visit at once, whatever failed; parse: parse stored messages again with this version's parser."`
	UIDs      *span   `name:"uids" help:"fetch over IMAP: only these UIDs." placeholder:"5-90"`
	Since     *moment `help:"Only what is of this time or later; an age such as 2d, too." placeholder:"TIME"`
	Until     *moment `help:"Only what is before this time." placeholder:"TIME"`
	Sequences *span   `help:"events and parse: only these sequences of the channel." placeholder:"1-50"`
	DryRun    bool    `help:"Only count what would be done; waits for the result."`
	Wait      bool    `help:"Wait until it ends, and fail if it does."`
}

// Run starts the replay.
func (c *replayCreateCmd) Run(ctx context.Context, con *console, cl *client) error {
	name, err := cl.channelName(c.Channel)
	if err != nil {
		return err
	}
	tenant, _, err := control.ParseChannel("channel", name)
	if err != nil {
		return err
	}
	replay := &mailintakev1.Replay{EmailChannel: name, DryRun: c.DryRun}
	if err := chooseEnum("--kind", c.Kind, &replay.Kind, mailintakev1.Replay_KIND_UNSPECIFIED.Descriptor()); err != nil {
		return &usageError{err.Error()}
	}
	if replay.Range, err = c.limits(); err != nil {
		return err
	}
	return cl.with(func(s services) error {
		create, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		r, err := s.replays.CreateReplay(create, &mailintakev1.CreateReplayRequest{Parent: control.TenantName(tenant), Replay: replay})
		if err != nil {
			return cl.failed("replay "+c.Channel, err)
		}
		if c.Wait || c.DryRun {
			return cl.await(ctx, con, s, r)
		}
		return cl.printer(con).one(r, func(w io.Writer) error {
			_, err := fmt.Fprintf(w, "%s is queued; see how it goes with: mailintake replay get %s\n", r.GetName(), lastSegment(r.GetName()))
			return err
		})
	})
}

// limits is the range that the flags give; nil for none.
func (c *replayCreateCmd) limits() (*mailintakev1.Replay_Range, error) {
	if c.UIDs == nil && c.Sequences == nil && c.Since == nil && c.Until == nil {
		return nil, nil
	}
	r := &mailintakev1.Replay_Range{StartTime: c.Since.proto(), EndTime: c.Until.proto()}
	if u := c.UIDs; u != nil {
		if u.first > math.MaxUint32 || u.last > math.MaxUint32 {
			return nil, &usageError{"--uids: a UID is at most 4294967295"}
		}
		r.FirstUid, r.LastUid = uint32(u.first), uint32(u.last)
	}
	if q := c.Sequences; q != nil {
		r.FirstSequence, r.LastSequence = q.first, q.last
	}
	return r, nil
}

// await watches a replay until it ends. Progress goes to the error output, the result to the output.
func (c *client) await(ctx context.Context, con *console, s services, r *mailintakev1.Replay) error {
	told, name := "", r.GetName()
	for pause := 100 * time.Millisecond; !ended(r); pause = min(2*pause, 2*time.Second) {
		if line := strings.ToLower(r.GetState().String()) + ": " + describeProgress(r); line != told {
			told = line
			if _, err := fmt.Fprintln(con.err, line); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("no longer watching %s, which goes on; stop it with: mailintake replay cancel %s", name, lastSegment(name))
		case <-time.After(pause):
		}
		get, cancel := context.WithTimeout(ctx, callTimeout)
		next, err := s.replays.GetReplay(get, &mailintakev1.GetReplayRequest{Name: name})
		cancel()
		if err != nil {
			return c.failed("watch "+name+", which goes on", err)
		}
		r = next
	}
	if err := c.printer(con).one(r, func(w io.Writer) error { return describeReplay(w, r) }); err != nil {
		return err
	}
	if r.GetState() != mailintakev1.Replay_SUCCEEDED {
		return errReported
	}
	return nil
}

func ended(r *mailintakev1.Replay) bool {
	return r.GetState() != mailintakev1.Replay_QUEUED && r.GetState() != mailintakev1.Replay_RUNNING
}

// describeProgress tells the counts that matter for the kind.
func describeProgress(r *mailintakev1.Replay) string {
	p := r.GetProgress()
	switch r.GetKind() {
	case mailintakev1.Replay_FETCH:
		if r.GetDryRun() {
			return fmt.Sprintf("%d in range, %d known, %d missing", p.GetMatched(), p.GetKnown(), p.GetMissing())
		}
		return fmt.Sprintf("%d in range, %d known, %d missing: %d stored, %d failed", p.GetMatched(), p.GetKnown(), p.GetMissing(), p.GetStored(), p.GetFailed())
	case mailintakev1.Replay_EVENTS:
		return fmt.Sprintf("%d in range, %d published again", p.GetMatched(), p.GetDone())
	case mailintakev1.Replay_PARSE:
		changed := "changed"
		if r.GetDryRun() {
			changed = "would change"
		}
		return fmt.Sprintf("%d in range, %d parsed again, %d %s", p.GetMatched(), p.GetDone(), p.GetChanged(), changed)
	}
	return "visit"
}

// describeRange tells what a replay is limited to.
func describeRange(r *mailintakev1.Replay_Range) string {
	var parts []string
	numbers := func(what string, first, last int64) {
		switch {
		case first != 0 && last != 0:
			parts = append(parts, fmt.Sprintf("%s %d-%d", what, first, last))
		case first != 0:
			parts = append(parts, fmt.Sprintf("%s from %d", what, first))
		case last != 0:
			parts = append(parts, fmt.Sprintf("%s up to %d", what, last))
		}
	}
	numbers("UIDs", int64(r.GetFirstUid()), int64(r.GetLastUid()))
	numbers("sequences", r.GetFirstSequence(), r.GetLastSequence())
	if t := r.GetStartTime(); t != nil {
		parts = append(parts, "since "+stamp(t))
	}
	if t := r.GetEndTime(); t != nil {
		parts = append(parts, "before "+stamp(t))
	}
	if len(parts) == 0 {
		return "all"
	}
	return strings.Join(parts, ", ")
}

// describeReplay writes everything about a replay.
func describeReplay(w io.Writer, r *mailintakev1.Replay) error {
	f := newFacts(w)
	f.add("name", r.GetName())
	f.add("channel", r.GetEmailChannel())
	f.add("kind", r.GetKind().String()+dryMark(r))
	f.add("range", describeRange(r.GetRange()))
	f.add("state", r.GetState().String())
	if r.GetKind() != mailintakev1.Replay_RETRY {
		f.add("result", describeProgress(r))
	}
	f.add("error", r.GetError())
	f.add("asked by", r.GetRequestedBy())
	f.add("asked", stamp(r.GetCreateTime()))
	f.add("began", stamp(r.GetStartTime()))
	f.add("ended", stamp(r.GetEndTime()))
	if err := f.flush(); err != nil {
		return err
	}
	return describeChanges(w, r.GetProgress())
}

// describeChanges tells what a parse replay changed: how many messages by field, then the examples as a diff.
func describeChanges(w io.Writer, p *mailintakev1.Replay_Progress) error {
	var b strings.Builder
	fields := slices.SortedFunc(maps.Keys(p.GetChangedFields()), func(a, b string) int {
		return cmp.Or(cmp.Compare(p.GetChangedFields()[b], p.GetChangedFields()[a]), cmp.Compare(a, b))
	})
	for i, field := range fields {
		if i == 0 {
			b.WriteString("\nchanged fields:\n")
		}
		fmt.Fprintf(&b, "%8d  %s\n", p.GetChangedFields()[field], plain(field))
	}
	for _, e := range p.GetExamples() {
		fmt.Fprintf(&b, "\n%s\n", plain(e.GetMessage()))
		for _, f := range e.GetFields() {
			fmt.Fprintf(&b, "  %s\n    - %s\n    + %s\n", plain(f.GetField()), plain(f.GetOldValue()), plain(f.GetNewValue()))
		}
	}
	if n := p.GetChanged() - int64(len(p.GetExamples())); n > 0 && len(p.GetExamples()) > 0 {
		fmt.Fprintf(&b, "\n… and %d more\n", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func dryMark(r *mailintakev1.Replay) string {
	if r.GetDryRun() {
		return " (dry run: nothing was changed)"
	}
	return ""
}

type replayGetCmd struct {
	Replay string `arg:"" help:"Id or full name."`
	Wait   bool   `help:"Wait until it ends, and fail if it does."`
}

// Run shows the replay.
func (c *replayGetCmd) Run(ctx context.Context, con *console, cl *client) error {
	name, err := cl.replayName(c.Replay)
	if err != nil {
		return err
	}
	return cl.with(func(s services) error {
		get, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		r, err := s.replays.GetReplay(get, &mailintakev1.GetReplayRequest{Name: name})
		if err != nil {
			return cl.failed("get replay "+c.Replay, err)
		}
		if c.Wait {
			return cl.await(ctx, con, s, r)
		}
		return cl.printer(con).one(r, func(w io.Writer) error { return describeReplay(w, r) })
	})
}

type replayListCmd struct {
	Channel string `help:"Only replays of this channel."`
	Limit   int    `default:"50" help:"At most so many replays (${default}); 0 for all."`
}

// Run lists replays.
func (c *replayListCmd) Run(ctx context.Context, con *console, cl *client) error {
	req := &mailintakev1.ListReplaysRequest{Parent: control.TenantName(cl.Tenant)}
	if c.Limit < 0 {
		return &usageError{"--limit: must not be negative"}
	}
	if c.Channel != "" {
		name, err := cl.channelName(c.Channel)
		if err != nil {
			return err
		}
		tenant, _, err := control.ParseChannel("channel", name)
		if err != nil {
			return err
		}
		req.Parent, req.Filter = control.TenantName(tenant), "email_channel = "+quote(name)
	}
	p := cl.printer(con)
	t := newTable(con.out, "REPLAY", "CHANNEL", "KIND", "STATE", "ASKED", "RANGE", "RESULT")
	n := 0
	err := cl.with(func(s services) error {
		return pages(ctx, func(ctx context.Context, token string) (string, error) {
			req.PageToken, req.PageSize = token, 500
			if c.Limit > 0 {
				req.PageSize = int32(min(500, c.Limit-n))
			}
			res, err := s.replays.ListReplays(ctx, req)
			if err != nil {
				return "", cl.failed("list replays", err)
			}
			for _, r := range res.GetReplays() {
				n++
				if p.json {
					if err := p.line(r); err != nil {
						return "", err
					}
					continue
				}
				kind, result := strings.ToLower(r.GetKind().String()), describeProgress(r)
				if r.GetDryRun() {
					kind += " (dry run)"
				}
				if r.GetError() != "" {
					result = r.GetError()
				}
				t.row(lastSegment(r.GetName()), cl.shortName(r.GetEmailChannel()), kind, r.GetState().String(), ago(r.GetCreateTime(), time.Now()),
					cut(describeRange(r.GetRange()), 50), cut(result, 80))
			}
			if n == c.Limit {
				return "", nil
			}
			return res.GetNextPageToken(), nil
		})
	})
	if err != nil || p.json {
		return err
	}
	if n == 0 {
		_, err := fmt.Fprintln(con.err, "no replays")
		return err
	}
	return t.flush()
}

type replayCancelCmd struct {
	Replay string `arg:"" help:"Id or full name."`
}

// Run ends the replay.
func (c *replayCancelCmd) Run(ctx context.Context, con *console, cl *client) error {
	name, err := cl.replayName(c.Replay)
	if err != nil {
		return err
	}
	return cl.with(func(s services) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		r, err := s.replays.CancelReplay(ctx, &mailintakev1.CancelReplayRequest{Name: name})
		if err != nil {
			return cl.failed("cancel replay "+c.Replay, err)
		}
		return cl.printer(con).one(r, func(w io.Writer) error { return describeReplay(w, r) })
	})
}
