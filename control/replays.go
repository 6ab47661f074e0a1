package control

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// Replays is the service that brings channels back to completeness.
type Replays struct {
	Store Store
	Pages Pages
}

// CreateReplay is what Create needs.
type CreateReplay struct {
	Parent  string
	Channel string // full resource name
	Kind    ingest.ReplayKind
	Range   ingest.Range
	DryRun  bool
}

// Create records a replay, which begins soon. It returns errors of KindInvalid, KindNotFound, and KindPrecondition if
// the channel's state does not allow it.
func (s *Replays) Create(ctx context.Context, actor string, c CreateReplay) (ingest.Replay, error) {
	tenant, err := ParseTenant("parent", c.Parent)
	if err != nil {
		return ingest.Replay{}, err
	}
	owner, channel, err := ParseChannel("replay.email_channel", c.Channel)
	if err != nil {
		return ingest.Replay{}, err
	}
	if owner != tenant {
		return ingest.Replay{}, Invalid(Violation{"replay.email_channel", "must be a channel of " + c.Parent})
	}
	if vs := checkReplay(c); len(vs) > 0 {
		return ingest.Replay{}, Invalid(vs...)
	}
	ch, err := s.Store.Channel(ctx, tenant, channel)
	if err != nil {
		return ingest.Replay{}, stored(err, c.Channel)
	}
	switch {
	case !ch.Deleted.IsZero():
		return ingest.Replay{}, precondition("RESOURCE_DELETED", c.Channel, c.Channel+" is deleted; undelete it first")
	case !ch.Settings.Enabled && c.Kind != ingest.ReplayEvents && c.Kind != ingest.ReplayParse:
		return ingest.Replay{}, precondition("CHANNEL_DISABLED", c.Channel, c.Channel+" is disabled, so its mailbox is not read; enable it first")
	}
	if vs := checkProtocol(c, ch.Settings.Protocol); len(vs) > 0 {
		return ingest.Replay{}, Invalid(vs...)
	}
	r, err := s.Store.CreateReplay(ctx, ingest.Replay{
		Tenant: tenant, Channel: channel, ChannelID: ch.ID, Kind: c.Kind, Range: c.Range, DryRun: c.DryRun, RequestedBy: actor,
	}, Audit{Actor: actor, Action: "replay.create", Resource: c.Channel, Detail: describe(c)})
	return r, stored(err, c.Channel)
}

// checkReplay reports ranges that do not fit the kind: what a kind would ignore is refused.
func checkReplay(c CreateReplay) []Violation {
	var vs []Violation
	bad := func(field, problem string) { vs = append(vs, Violation{"replay." + field, problem}) }
	r := c.Range
	uids, sequences := r.FirstUID != 0 || r.LastUID != 0, r.FirstSequence != 0 || r.LastSequence != 0
	switch c.Kind {
	case ingest.ReplayFetch:
		if sequences {
			bad("range.first_sequence", "must be empty with FETCH; sequences select EVENTS or what to PARSE")
		}
	case ingest.ReplayEvents, ingest.ReplayParse:
		if uids {
			bad("range.first_uid", fmt.Sprintf("must be empty with %s; UIDs select what to FETCH", c.Kind))
		}
	case ingest.ReplayRetry:
		if r != (ingest.Range{}) {
			bad("range", "must be empty with RETRY, which visits the mailbox as usual")
		}
	default:
		bad("kind", "is required: FETCH, EVENTS, RETRY or PARSE")
	}
	if r.LastUID != 0 && r.FirstUID > r.LastUID {
		bad("range.last_uid", "must not be less than first_uid")
	}
	if r.FirstSequence < 0 || r.LastSequence < 0 {
		bad("range.first_sequence", "must not be negative")
	}
	if r.LastSequence != 0 && r.FirstSequence > r.LastSequence {
		bad("range.last_sequence", "must not be less than first_sequence")
	}
	for field, t := range map[string]time.Time{"range.start_time": r.Since, "range.end_time": r.Until} {
		if problem := checkTime(t); problem != "" && !t.IsZero() {
			bad(field, problem)
		}
	}
	if !r.Until.IsZero() && !r.Since.Before(r.Until) {
		bad("range.end_time", "must be after start_time")
	}
	return vs
}

// checkProtocol reports what a range selects by and the channel's protocol does not have: POP3 lists neither UIDs nor
// times of arrival (RFC 1939 §5).
func checkProtocol(c CreateReplay, p ingest.Protocol) []Violation {
	if p.IsIMAP() || c.Kind != ingest.ReplayFetch {
		return nil
	}
	var vs []Violation
	if c.Range.FirstUID != 0 || c.Range.LastUID != 0 {
		vs = append(vs, Violation{"replay.range.first_uid", fmt.Sprintf("must be empty with %s, which has no UIDs; fetch all instead", p)})
	}
	if !c.Range.Since.IsZero() || !c.Range.Until.IsZero() {
		vs = append(vs, Violation{"replay.range.start_time", fmt.Sprintf("must be empty with %s, which lists no times of arrival; fetch all instead", p)})
	}
	return vs
}

// describe says for the audit what a replay was asked to do.
func describe(c CreateReplay) string {
	var b strings.Builder
	b.WriteString(c.Kind.String())
	r := c.Range
	if r.FirstUID != 0 || r.LastUID != 0 {
		fmt.Fprintf(&b, " uids %d-%d", r.FirstUID, r.LastUID)
	}
	if r.FirstSequence != 0 || r.LastSequence != 0 {
		fmt.Fprintf(&b, " sequences %d-%d", r.FirstSequence, r.LastSequence)
	}
	if !r.Since.IsZero() {
		b.WriteString(" from " + r.Since.UTC().Format(time.RFC3339))
	}
	if !r.Until.IsZero() {
		b.WriteString(" until " + r.Until.UTC().Format(time.RFC3339))
	}
	if c.DryRun {
		b.WriteString(" dry run")
	}
	return b.String()
}

// Get reads one replay. It returns errors of KindInvalid and KindNotFound.
func (s *Replays) Get(ctx context.Context, name string) (ingest.Replay, error) {
	tenant, id, err := ParseReplay("name", name)
	if err != nil {
		return ingest.Replay{}, err
	}
	r, err := s.Store.Replay(ctx, tenant, id)
	return r, stored(err, name)
}

// ListReplays is what List needs.
type ListReplays struct {
	Parent    string
	PageSize  int // 0 means DefaultPageSize; at most MaxPageSize items are returned
	PageToken string
	Filter    string // as in the API
}

func (l *ListReplays) list() []string { return []string{"replays", l.Parent, l.Filter} }

// List returns one page of replays, the newest first, and whether there are more.
func (s *Replays) List(ctx context.Context, l ListReplays) (page []ingest.Replay, more bool, err error) {
	var q ReplayQuery
	if q.Tenant, err = ParseTenant("parent", l.Parent); err != nil {
		return nil, false, err
	}
	channel, states, err := replayFilter(l.Filter)
	if err != nil {
		return nil, false, err
	}
	if channel != "" {
		owner, id, err := ParseChannel("filter", channel)
		if err != nil {
			return nil, false, err
		}
		if owner != q.Tenant {
			return nil, false, badFilter("email_channel must be a channel of %s", l.Parent)
		}
		q.Channel = id
	}
	if q.Before, err = s.Pages.after(l.PageToken, l.list()...); err != nil {
		return nil, false, err
	}
	if q.Before != "" && !canonicalUUID(q.Before) {
		return nil, false, Invalid(Violation{"page_token", "must be the next_page_token of the page before"})
	}
	size, err := pageSize(l.PageSize, MaxPageSize)
	if err != nil {
		return nil, false, err
	}
	if q.States = states; states != nil && len(states) == 0 {
		return nil, false, nil
	}
	q.Limit = size + 1
	page, err = s.Store.Replays(ctx, q)
	if err != nil {
		return nil, false, stored(err, l.Parent)
	}
	return page[:min(size, len(page))], len(page) > size, nil
}

// PageToken is the token of the page that begins behind last.
func (s *Replays) PageToken(l ListReplays, last ingest.Replay) string {
	return s.Pages.token(last.ID, l.list()...)
}

// Cancel ends a replay; one that has ended is returned as it is. It returns errors of KindInvalid and KindNotFound.
func (s *Replays) Cancel(ctx context.Context, actor, name string) (ingest.Replay, error) {
	tenant, id, err := ParseReplay("name", name)
	if err != nil {
		return ingest.Replay{}, err
	}
	r, err := s.Store.CancelReplay(ctx, tenant, id, Audit{Actor: actor, Action: "replay.cancel", Resource: name})
	return r, stored(err, name)
}
