package rpc

import (
	"context"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// replays serves ReplayService.
type replays struct {
	mailintakev1.UnimplementedReplayServiceServer
	service *control.Replays
}

func (s *replays) CreateReplay(ctx context.Context, r *mailintakev1.CreateReplayRequest) (*mailintakev1.Replay, error) {
	in, rng := r.GetReplay(), r.GetReplay().GetRange()
	since, err := timeOf("replay.range.start_time", rng.GetStartTime())
	if err != nil {
		return nil, err
	}
	until, err := timeOf("replay.range.end_time", rng.GetEndTime())
	if err != nil {
		return nil, err
	}
	out, err := s.service.Create(ctx, actorOf(ctx), control.CreateReplay{
		Parent: r.GetParent(), Channel: in.GetEmailChannel(), Kind: ingest.ReplayKind(in.GetKind()), DryRun: in.GetDryRun(),
		Range: ingest.Range{
			FirstUID: rng.GetFirstUid(), LastUID: rng.GetLastUid(), FirstSequence: rng.GetFirstSequence(), LastSequence: rng.GetLastSequence(),
			Since: since, Until: until,
		},
	})
	return replayReply(out, err)
}

func (s *replays) GetReplay(ctx context.Context, r *mailintakev1.GetReplayRequest) (*mailintakev1.Replay, error) {
	out, err := s.service.Get(ctx, r.GetName())
	return replayReply(out, err)
}

func (s *replays) ListReplays(ctx context.Context, r *mailintakev1.ListReplaysRequest) (*mailintakev1.ListReplaysResponse, error) {
	list := control.ListReplays{Parent: r.GetParent(), PageSize: int(r.GetPageSize()), PageToken: r.GetPageToken(), Filter: r.GetFilter()}
	page, more, err := s.service.List(ctx, list)
	if err != nil {
		return nil, err
	}
	reply := &mailintakev1.ListReplaysResponse{}
	n := fill(page, &reply.Replays, replayProto)
	if n < len(page) || more {
		reply.NextPageToken = s.service.PageToken(list, page[n-1])
	}
	return reply, nil
}

func (s *replays) CancelReplay(ctx context.Context, r *mailintakev1.CancelReplayRequest) (*mailintakev1.Replay, error) {
	out, err := s.service.Cancel(ctx, actorOf(ctx), r.GetName())
	return replayReply(out, err)
}

func replayReply(r ingest.Replay, err error) (*mailintakev1.Replay, error) {
	if err != nil {
		return nil, err
	}
	return replayProto(&r), nil
}

func replayProto(r *ingest.Replay) *mailintakev1.Replay {
	p := r.Progress
	out := &mailintakev1.Replay{
		Name: control.ReplayName(r.Tenant, r.ID), EmailChannel: control.ChannelName(r.Tenant, r.Channel), Kind: mailintakev1.Replay_Kind(r.Kind),
		DryRun: r.DryRun, State: mailintakev1.Replay_State(r.State), Error: clean(r.Error), RequestedBy: clean(r.RequestedBy),
		CreateTime: timestamp(r.Created), StartTime: timestamp(r.Started), EndTime: timestamp(r.Ended),
		Progress: &mailintakev1.Replay_Progress{
			Matched: int64(p.Matched), Known: int64(p.Known), Missing: int64(p.Missing), Stored: int64(p.Stored), Failed: int64(p.Failed), Done: int64(p.Done),
			Changed: int64(p.Changed),
		},
	}
	if len(p.Fields) > 0 {
		out.Progress.ChangedFields = make(map[string]int64, len(p.Fields))
		for field, n := range p.Fields {
			out.Progress.ChangedFields[clean(field)] = int64(n)
		}
	}
	for _, e := range p.Examples {
		change := &mailintakev1.Replay_MessageChange{Message: clean(e.Message)}
		for _, f := range e.Fields {
			change.Fields = append(change.Fields, &mailintakev1.Replay_FieldChange{Field: clean(f.Field), OldValue: clean(f.Old), NewValue: clean(f.New)})
		}
		out.Progress.Examples = append(out.Progress.Examples, change)
	}
	if r.Range != (ingest.Range{}) {
		out.Range = &mailintakev1.Replay_Range{
			FirstUid: r.Range.FirstUID, LastUid: r.Range.LastUID, FirstSequence: r.Range.FirstSequence, LastSequence: r.Range.LastSequence,
			StartTime: timestamp(r.Range.Since), EndTime: timestamp(r.Range.Until),
		}
	}
	return out
}
