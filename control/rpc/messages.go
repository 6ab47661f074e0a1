package rpc

import (
	"context"
	"encoding/hex"

	"google.golang.org/grpc"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// messages serves MessageService.
type messages struct {
	mailintakev1.UnimplementedMessageServiceServer
	service *control.Messages
}

func (s *messages) GetMessage(ctx context.Context, r *mailintakev1.GetMessageRequest) (*mailintakev1.Message, error) {
	m, err := s.service.Get(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	if r.GetView() == mailintakev1.MessageView_MESSAGE_VIEW_BASIC {
		m.Mail.Text = ""
	}
	return messageProto(&m), nil
}

func (s *messages) ListMessages(ctx context.Context, r *mailintakev1.ListMessagesRequest) (*mailintakev1.ListMessagesResponse, error) {
	list := control.ListMessages{
		Parent: r.GetParent(), PageSize: int(r.GetPageSize()), PageToken: r.GetPageToken(), Filter: r.GetFilter(), OrderBy: r.GetOrderBy(),
		Text: r.GetView() == mailintakev1.MessageView_MESSAGE_VIEW_FULL,
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

func messageProto(m *control.Message) *mailintakev1.Message {
	mail := &m.Mail
	out := &mailintakev1.Message{
		Name: m.Name(), EventId: m.EventID, Sequence: m.Sequence, Ref: m.Ref.String(), ReceiveTime: timestamp(m.Received), StoreTime: timestamp(m.Stored),
		SizeBytes: m.Size, Sha256: hex.EncodeToString(m.SHA256[:]), Subject: clean(mail.Subject),
		From: addresses(mail.From), Sender: addresses(mail.Sender), ReplyTo: addresses(mail.ReplyTo), To: addresses(mail.To), Cc: addresses(mail.Cc),
		Date: timestamp(mail.Date), MessageIdHeader: clean(mail.MessageID), InReplyTo: cleanAll(mail.InReplyTo), References: cleanAll(mail.References),
		Preview: clean(m.Preview), Text: clean(mail.Text), TextTruncated: mail.TextCut, HasHtml: mail.HasHTML,
	}
	for _, p := range mail.Parts {
		out.Parts = append(out.Parts, &mailintakev1.Part{
			Path: clean(p.Path), ContentType: clean(p.ContentType), Charset: clean(p.Charset), Filename: clean(p.Filename), ContentId: clean(p.ContentID),
			Inline: p.Inline, Body: p.Body, SizeBytes: p.Size, Sha256: p.SHA256,
		})
	}
	for _, d := range mail.Defects {
		out.Defects = append(out.Defects, &mailintakev1.Defect{Code: clean(d.Code), Where: clean(d.Where), Text: clean(d.Text)})
	}
	return out
}

func addresses(list []ingest.Address) []*mailintakev1.Address {
	out := make([]*mailintakev1.Address, len(list))
	for i, a := range list {
		out[i] = &mailintakev1.Address{Name: clean(a.Name), Email: clean(a.Email)}
	}
	return out
}
