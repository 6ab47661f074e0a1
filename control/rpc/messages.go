package rpc

import (
	"context"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest/contract"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// messages serves MessageService.
type messages struct {
	mailintakev1.UnimplementedMessageServiceServer
	service *control.Messages
}

func (s *messages) GetMessage(ctx context.Context, r *mailintakev1.GetMessageRequest) (*mailintakev1.Message, error) {
	full := r.GetView() == mailintakev1.MessageView_MESSAGE_VIEW_FULL
	if r.GetAllowRemoteContent() && !full {
		return nil, control.Invalid(control.Violation{Field: "allow_remote_content", Description: "has a meaning in view FULL alone"})
	}
	m, err := s.service.Get(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	if r.GetView() == mailintakev1.MessageView_MESSAGE_VIEW_BASIC {
		m.Mail.Text, m.Mail.ReplyText = "", ""
	}
	out := messageProto(&m)
	if full {
		v, err := s.service.Inspect(ctx, &m, r.GetAllowRemoteContent())
		if err != nil {
			return nil, err
		}
		addView(out, &v)
	}
	return out, nil
}

// addView adds what view FULL has more. A message that would be larger than clients take goes without its HTML.
func addView(out *mailintakev1.Message, v *control.View) {
	out.Header, out.Multiparts = contract.Header(v.Header), contract.Multiparts(v.Multiparts)
	out.Html, out.HtmlTruncated, out.RemoteContentBlocked = clean(v.HTML), v.HTMLCut, v.RemoteBlocked
	if proto.Size(out) > maxPageOctets {
		out.Html, out.HtmlTruncated = "", true
	}
}

func (s *messages) ListMessages(ctx context.Context, r *mailintakev1.ListMessagesRequest) (*mailintakev1.ListMessagesResponse, error) {
	if r.GetView() == mailintakev1.MessageView_MESSAGE_VIEW_FULL {
		return nil, control.Invalid(control.Violation{Field: "view", Description: "must be BASIC or TEXT in a list; FULL, which reads the raw message, is for GetMessage"})
	}
	list := control.ListMessages{
		Parent: r.GetParent(), PageSize: int(r.GetPageSize()), PageToken: r.GetPageToken(), Filter: r.GetFilter(), OrderBy: r.GetOrderBy(),
		Text: r.GetView() == mailintakev1.MessageView_MESSAGE_VIEW_TEXT,
	}
	page, more, err := s.service.List(ctx, list)
	if err != nil {
		return nil, err
	}
	reply := &mailintakev1.ListMessagesResponse{}
	n := fill(page, &reply.Messages, messageProto)
	if n < len(page) || more {
		reply.NextPageToken = s.service.PageToken(list, page[n-1])
	}
	return reply, nil
}

func (s *messages) ReadRawMessage(r *mailintakev1.ReadRawMessageRequest, stream grpc.ServerStreamingServer[mailintakev1.ReadRawMessageResponse]) error {
	return s.service.ReadRaw(stream.Context(), r.GetName(), r.GetOffset(), func(data []byte) error {
		return stream.Send(&mailintakev1.ReadRawMessageResponse{Data: data})
	})
}

// ReadAttachment sends a description, then pieces. Send encodes a piece before it returns, so that the next one may use
// its memory, and waits while the client is slow.
func (s *messages) ReadAttachment(r *mailintakev1.ReadAttachmentRequest, stream grpc.ServerStreamingServer[mailintakev1.ReadAttachmentResponse]) error {
	return s.service.ReadAttachment(stream.Context(),
		control.ReadAttachment{Name: r.GetName(), Part: r.GetPart(), ContentID: r.GetContentId(), Offset: r.GetOffset()},
		func(a control.Attachment) error {
			return stream.Send(&mailintakev1.ReadAttachmentResponse{
				Part: contract.Part(&a.Part), SafeFilename: a.Filename, SafeContentType: a.ContentType,
			})
		},
		func(data []byte) error { return stream.Send(&mailintakev1.ReadAttachmentResponse{Data: data}) })
}
