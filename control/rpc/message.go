package rpc

import (
	"encoding/hex"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest/contract"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// messageProto is a message as it is stored.
func messageProto(m *control.Message) *mailintakev1.Message {
	mail := &m.Mail
	return &mailintakev1.Message{
		Name: m.Name(), EventId: m.EventID, Sequence: m.Sequence, Ref: m.Ref.String(), ReceiveTime: timestamp(m.Received), StoreTime: timestamp(m.Stored),
		SizeBytes: m.Size, Sha256: hex.EncodeToString(m.SHA256[:]), Subject: clean(mail.Subject),
		From: contract.Addresses(mail.From), Sender: contract.Addresses(mail.Sender), ReplyTo: contract.Addresses(mail.ReplyTo),
		To: contract.Addresses(mail.To), Cc: contract.Addresses(mail.Cc), Date: timestamp(mail.Date),
		MessageIdHeader: clean(mail.MessageID), InReplyTo: contract.Texts(mail.InReplyTo), References: contract.Texts(mail.References),
		Preview: clean(m.Preview), Text: clean(mail.Text), TextTruncated: mail.TextCut, ReplyText: clean(mail.ReplyText), Language: clean(mail.Language),
		HasHtml: mail.HasHTML, Parts: contract.Parts(mail.Parts), Defects: contract.Defects(mail.Defects),
		MessageClass: contract.Class(mail.Class), Evidence: contract.Evidence(mail.Evidence), AutoReply: contract.AutoReply(mail.AutoReply),
		Bounce: contract.Bounce(mail.Bounce), Authentication: contract.Authentication(mail.Auth),
		Thread: contract.Thread(m.Thread, control.ChannelName(m.Tenant, m.Channel)), Siblings: contract.Texts(m.Siblings), ParserVersion: int32(m.Parser),
		Invitation: contract.Invitation(mail.Calendar), Priority: clean(string(mail.Priority)), MailingList: contract.MailingList(mail.List),
		MatchedRecipient: contract.Recipient(mail.Recipient), Protection: clean(string(mail.Protection)),
	}
}
