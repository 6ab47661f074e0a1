package contract

import (
	"fmt"

	"github.com/mailintake/mailintake/ingest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// Class is what kind of message it is; what is not known is unspecified.
func Class(c ingest.Class) mailintakev1.MessageClass {
	return mailintakev1.MessageClass(mailintakev1.MessageClass_value[string(c)])
}

// Evidence is what verdicts rest on.
func Evidence(list []ingest.Evidence) []*mailintakev1.Evidence {
	return each(list, func(e *ingest.Evidence) *mailintakev1.Evidence {
		return &mailintakev1.Evidence{Rule: Text(e.Rule), Source: Text(e.Source), Value: Text(e.Value)}
	})
}

// AutoReply is nil where the parser gave no verdict.
func AutoReply(a ingest.AutoReply) *mailintakev1.AutoReplyVerdict {
	if a == (ingest.AutoReply{}) {
		return nil
	}
	return &mailintakev1.AutoReplyVerdict{Allowed: a.Allowed, Reason: Text(a.Reason)}
}

// Bounce is nil where there is none.
func Bounce(b *ingest.Bounce) *mailintakev1.Bounce {
	if b == nil {
		return nil
	}
	return &mailintakev1.Bounce{
		Recipients: each(b.Recipients, func(r *ingest.BounceRecipient) *mailintakev1.BounceRecipient {
			return &mailintakev1.BounceRecipient{
				Address: Text(r.Address), Original: Text(r.Original), Action: Text(r.Action), Status: Text(r.Status), ReplyCode: Text(r.ReplyCode),
				Reason: Text(r.Reason), Hard: r.Hard, Diagnostic: Text(r.Diagnostic),
			}
		}),
		Action: Text(b.Action), Status: Text(b.Status), Hard: b.Hard, ReportingMta: Text(b.ReportingMTA),
		OriginalMessageId: Text(b.OriginalMessageID), OriginalSubject: Text(b.OriginalSubject), FeedbackType: Text(b.FeedbackType),
	}
}

// Authentication is what is known of a message's origin.
func Authentication(a ingest.Auth) *mailintakev1.Authentication {
	return &mailintakev1.Authentication{
		Spf: verdict(a.SPF), Dkim: verdict(a.DKIM), Dmarc: verdict(a.DMARC), Aligned: a.Aligned, AuthservId: Text(a.AuthservID), SpfDomain: Text(a.SPFDomain),
		DkimResults: each(a.DKIMDomains, func(d *ingest.DKIMResult) *mailintakev1.DkimResult {
			return &mailintakev1.DkimResult{Domain: Text(d.Domain), Selector: Text(d.Selector), Verdict: verdict(d.Verdict), By: Text(d.By), Detail: Text(d.Detail)}
		}),
		Ignored: number(a.Ignored),
	}
}

func verdict(v ingest.Verdict) string {
	if v == ingest.VerdictUnknown {
		return "unknown"
	}
	return Text(string(v))
}

// Thread is nil where the message has no place in one. channel is the resource name of its channel.
func Thread(t ingest.Thread, channel string) *mailintakev1.MessageThread {
	if t.ID == "" {
		return nil
	}
	out := &mailintakev1.MessageThread{
		Id: Text(t.ID), Method: Text(t.Method), Confidence: number(t.Confidence), ParentMissing: t.ParentMissing, ParentErased: t.ParentErased,
		Merged: Texts(t.Merged), SubjectHint: Text(t.Hint), MessageIdReused: t.Reused,
	}
	if t.Parent != (ingest.MessageID{}) {
		out.Parent = MessageName(channel, t.Parent)
	}
	return out
}

// MessageName is the resource name of a message of a channel.
func MessageName(channel string, id ingest.MessageID) string {
	return channel + "/messages/" + fmt.Sprintf("%x-%x-%x-%x-%x", id[0:4], id[4:6], id[6:8], id[8:10], id[10:16]) // RFC 9562 §4
}
