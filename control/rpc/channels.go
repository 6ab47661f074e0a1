package rpc

import (
	"context"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// maxPageOctets bounds what a list call sends, well below what clients take by default (4 MiB); a page that would be
// larger ends early and the next one goes on.
const maxPageOctets = 3 << 20

// requests are the messages whose validation rules are compiled at start.
func requests() []proto.Message {
	return []proto.Message{
		&mailintakev1.CreateEmailChannelRequest{}, &mailintakev1.GetEmailChannelRequest{}, &mailintakev1.ListEmailChannelsRequest{},
		&mailintakev1.UpdateEmailChannelRequest{}, &mailintakev1.DeleteEmailChannelRequest{}, &mailintakev1.UndeleteEmailChannelRequest{},
		&mailintakev1.TestEmailChannelRequest{},
		&mailintakev1.GetMessageRequest{}, &mailintakev1.ListMessagesRequest{}, &mailintakev1.ReadRawMessageRequest{},
		&mailintakev1.ReadAttachmentRequest{},
		&mailintakev1.CreateReplayRequest{}, &mailintakev1.GetReplayRequest{}, &mailintakev1.ListReplaysRequest{}, &mailintakev1.CancelReplayRequest{},
	}
}

// channels serves EmailChannelService.
type channels struct {
	mailintakev1.UnimplementedEmailChannelServiceServer
	service *control.Channels
}

func (s *channels) CreateEmailChannel(ctx context.Context, r *mailintakev1.CreateEmailChannelRequest) (*mailintakev1.EmailChannel, error) {
	tenant, err := control.ParseTenant("parent", r.GetParent())
	if err != nil {
		return nil, err
	}
	set, err := settingsOf(r.GetEmailChannel())
	if err != nil {
		return nil, err
	}
	ch, err := s.service.Create(ctx, actorOf(ctx), control.CreateChannel{
		Tenant: tenant, Channel: r.GetEmailChannelId(), Settings: set, Password: ingest.NewSecret(r.GetEmailChannel().GetPassword()),
	})
	return channelReply(ch, err)
}

func (s *channels) GetEmailChannel(ctx context.Context, r *mailintakev1.GetEmailChannelRequest) (*mailintakev1.EmailChannel, error) {
	ch, err := s.service.Get(ctx, r.GetName())
	return channelReply(ch, err)
}

func (s *channels) ListEmailChannels(ctx context.Context, r *mailintakev1.ListEmailChannelsRequest) (*mailintakev1.ListEmailChannelsResponse, error) {
	list := control.ListChannels{
		Parent: r.GetParent(), PageSize: int(r.GetPageSize()), PageToken: r.GetPageToken(), Filter: r.GetFilter(), OrderBy: r.GetOrderBy(),
		ShowDeleted: r.GetShowDeleted(),
	}
	page, more, err := s.service.List(ctx, list)
	if err != nil {
		return nil, err
	}
	reply := &mailintakev1.ListEmailChannelsResponse{}
	n := fill(page, &reply.EmailChannels, channelProto)
	if n < len(page) || more {
		reply.NextPageToken = s.service.PageToken(list, page[n-1])
	}
	return reply, nil
}

// fill converts items until they would be larger than maxPageOctets, but at least one, and says how many it took.
func fill[T any, P proto.Message](items []T, to *[]P, convert func(*T) P) int {
	octets := 0
	for i := range items {
		p := convert(&items[i])
		if octets += proto.Size(p); octets > maxPageOctets && i > 0 {
			return i
		}
		*to = append(*to, p)
	}
	return len(items)
}

func (s *channels) UpdateEmailChannel(ctx context.Context, r *mailintakev1.UpdateEmailChannelRequest) (*mailintakev1.EmailChannel, error) {
	in := r.GetEmailChannel()
	set, err := settingsOf(in)
	if err != nil {
		return nil, err
	}
	paths := r.GetUpdateMask().GetPaths()
	if len(paths) == 0 {
		paths = populated(in)
	}
	ch, err := s.service.Update(ctx, actorOf(ctx), control.UpdateChannel{
		Name: in.GetName(), Etag: in.GetEtag(), Settings: set, Password: ingest.NewSecret(in.GetPassword()), Paths: paths,
	})
	return channelReply(ch, err)
}

func (s *channels) DeleteEmailChannel(ctx context.Context, r *mailintakev1.DeleteEmailChannelRequest) (*mailintakev1.EmailChannel, error) {
	ch, err := s.service.Delete(ctx, actorOf(ctx), r.GetName(), r.GetEtag())
	return channelReply(ch, err)
}

func (s *channels) UndeleteEmailChannel(ctx context.Context, r *mailintakev1.UndeleteEmailChannelRequest) (*mailintakev1.EmailChannel, error) {
	ch, err := s.service.Undelete(ctx, actorOf(ctx), r.GetName(), r.GetEtag())
	return channelReply(ch, err)
}

func (s *channels) TestEmailChannel(ctx context.Context, r *mailintakev1.TestEmailChannelRequest) (*mailintakev1.TestEmailChannelResponse, error) {
	t := control.TestChannel{Parent: r.GetParent(), Name: r.GetName(), Password: ingest.NewSecret(r.GetEmailChannel().GetPassword())}
	if in := r.GetEmailChannel(); in != nil {
		set, err := settingsOf(in)
		if err != nil {
			return nil, err
		}
		t.Settings = &set
	}
	result, err := s.service.Test(ctx, t)
	if err != nil {
		return nil, err
	}
	return testProto(result), nil
}

func channelReply(ch control.Channel, err error) (*mailintakev1.EmailChannel, error) {
	if err != nil {
		return nil, err
	}
	return channelProto(&ch), nil
}

func testProto(r control.TestResult) *mailintakev1.TestEmailChannelResponse {
	out := &mailintakev1.TestEmailChannelResponse{
		Ok: r.OK, Addresses: r.Probe.Addresses, RemoteAddress: r.Probe.RemoteAddress, Greeting: r.Probe.Greeting,
		Capabilities: r.Probe.Capabilities, Folder: r.Folder, Notes: r.Probe.Notes,
	}
	for _, s := range r.Stages {
		stage := &mailintakev1.TestEmailChannelResponse_Stage{
			Kind: mailintakev1.TestEmailChannelResponse_Stage_Kind(s.Stage), Ok: s.Err == nil, Took: durationpb.New(s.Took),
		}
		if e := s.Err; e != nil {
			stage.Took = nil
			stage.Error = &mailintakev1.TestEmailChannelResponse_Stage_Error{
				Reason: string(e.Reason), ServerText: e.Server, Hint: e.Hint, Detail: clean(e.Error()),
			}
		}
		out.Stages = append(out.Stages, stage)
		if s.Stage == control.StageFolder && s.Err == nil {
			out.MessageCount = proto.Int64(int64(r.Probe.Messages))
		}
	}
	if r.Probe.TLSVersion != "" {
		out.Tls = &mailintakev1.TestEmailChannelResponse_TlsInfo{
			Version: r.Probe.TLSVersion, CipherSuite: r.Probe.TLSCipher, CertificateNotAfterTime: timestamp(r.Probe.CertificateNotAfter),
		}
	}
	return out
}
