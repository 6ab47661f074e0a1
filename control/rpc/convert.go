package rpc

import (
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/contract"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// settingsOf takes the settings out of a channel as a client sends it. Defaults that belong to the wire form alone,
// such as unspecified enum values, are filled in.
func settingsOf(in *mailintakev1.EmailChannel) (control.Settings, error) {
	s := control.Settings{
		DisplayName: in.GetDisplayName(), EmailAddress: in.GetEmailAddress(), Enabled: in.GetEnabled(), Description: in.GetDescription(),
		Labels: in.GetLabels(), Script: in.GetScript(), Protocol: ingest.Protocol(in.GetProtocol()), Host: in.GetHost(), Port: int(in.GetPort()),
		StartTLS:      in.GetStarttls() != mailintakev1.EmailChannel_Tls_DISABLED,
		TLSServerName: in.GetTls().GetServerName(), TLSCAPEM: in.GetTls().GetCaPem(),
		Username: in.GetUsername(), PollInterval: in.GetPollInterval().AsDuration(), MaxMessageBytes: in.GetMaxMessageBytes(),
		Aliases: in.GetAliases(), FallbackCharset: in.GetFallbackCharset(), AuthservIDs: in.GetAuthservIds(),
	}
	if len(in.GetFolders()) > 0 {
		s.Folder = in.GetFolders()[0]
	}
	switch in.GetInitialSync() {
	case mailintakev1.EmailChannel_SINCE:
		s.InitialSync = ingest.SyncSince
	case mailintakev1.EmailChannel_ALL:
		s.InitialSync = ingest.SyncAll
	}
	switch in.GetSettlement() {
	case mailintakev1.EmailChannel_MARK_SEEN:
		s.Settlement = ingest.SettleMarkSeen
	case mailintakev1.EmailChannel_DELETE:
		s.Settlement = ingest.SettleDelete
	}
	if d := in.GetPollInterval(); d != nil && d.CheckValid() != nil {
		return s, control.Invalid(control.Violation{Field: "email_channel.poll_interval", Description: "is not a valid duration"})
	}
	var err error
	s.SyncSince, err = timeOf("email_channel.initial_sync_time", in.GetInitialSyncTime())
	return s, err
}

// populated gives the paths of all fields that are not empty; of tls its own fields.
func populated(in *mailintakev1.EmailChannel) []string {
	var paths []string
	in.ProtoReflect().Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		if name := string(fd.Name()); name != "tls" {
			paths = append(paths, name)
			return true
		}
		v.Message().Range(func(sub protoreflect.FieldDescriptor, _ protoreflect.Value) bool {
			paths = append(paths, "tls."+string(sub.Name()))
			return true
		})
		return true
	})
	return paths
}

// timeOf reads an optional time. 0 AD to 9999 AD is the range of the type (see timestamp.proto).
func timeOf(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if t.CheckValid() != nil || t.AsTime().Year() < 1970 {
		return time.Time{}, control.Invalid(control.Violation{Field: field, Description: "must lie between the years 1970 and 9999"})
	}
	return t.AsTime(), nil
}

// timestamp is the inverse of timeOf.
func timestamp(t time.Time) *timestamppb.Timestamp { return contract.Time(t) }

// clean makes a string fit for the wire.
func clean(s string) string { return contract.Text(s) }

// channelProto is a channel as clients see it; the password is not in it.
func channelProto(c *control.Channel) *mailintakev1.EmailChannel {
	s, h := &c.Settings, &c.Health
	out := &mailintakev1.EmailChannel{
		Name: c.Name(), Uid: c.UID, DisplayName: s.DisplayName, EmailAddress: s.EmailAddress, Enabled: s.Enabled, Description: s.Description,
		Labels: s.Labels, Script: s.Script, Protocol: mailintakev1.EmailChannel_Protocol(s.Protocol), Host: s.Host, Port: int32(s.Port),
		Username: s.Username, PasswordSet: c.PasswordSet, PollInterval: durationpb.New(s.PollInterval),
		InitialSync: mailintakev1.EmailChannel_InitialSync(s.InitialSync) + mailintakev1.EmailChannel_NEW_ONLY, InitialSyncTime: timestamp(s.SyncSince),
		Settlement: mailintakev1.EmailChannel_Settlement(s.Settlement) + mailintakev1.EmailChannel_LEAVE, MaxMessageBytes: s.MaxMessageBytes,
		Aliases: s.Aliases, FallbackCharset: s.FallbackCharset, AuthservIds: s.AuthservIDs,
		State: mailintakev1.EmailChannel_State(h.State), Etag: c.Etag(),
		CreateTime: timestamp(c.Created), UpdateTime: timestamp(c.Updated), DeleteTime: timestamp(c.Deleted),
	}
	if !s.Protocol.ImplicitTLS() {
		out.Starttls = mailintakev1.EmailChannel_Tls_REQUIRED
		if !s.StartTLS {
			out.Starttls = mailintakev1.EmailChannel_Tls_DISABLED
		}
	}
	if s.TLSServerName != "" || s.TLSCAPEM != "" {
		out.Tls = &mailintakev1.EmailChannel_Tls{ServerName: s.TLSServerName, CaPem: s.TLSCAPEM}
	}
	if s.Folder != "" {
		out.Folders = []string{s.Folder}
	}
	out.Status = &mailintakev1.EmailChannel_Status{
		Reason: string(h.Reason), ServerText: clean(h.ServerText), Hint: clean(h.Hint), Detail: clean(h.Detail), SinceTime: timestamp(h.Since),
		ConsecutiveFailures: int64(h.Failures), LastAttemptTime: timestamp(h.LastAttempt), LastSuccessTime: timestamp(h.LastSuccess),
		NextAttemptTime: timestamp(h.NextAttempt), Backlog: int64(h.Backlog), Owner: string(c.Owner), NextSequence: c.NextSequence,
		Deferred: c.Deferred, Quarantined: c.Quarantined,
	}
	if c.Cursor.UIDValidity != 0 || c.Cursor.LastUID != 0 {
		out.Status.Cursor = &mailintakev1.EmailChannel_Cursor{Folder: clean(c.Cursor.Folder), UidValidity: c.Cursor.UIDValidity, LastUid: c.Cursor.LastUID}
	}
	if v := h.Visit; v != (ingest.Counts{}) {
		out.Status.LastVisit = &mailintakev1.EmailChannel_Counts{
			Listed: int64(v.Listed), Known: int64(v.Known), Stored: int64(v.Stored), Duplicate: int64(v.Duplicate), Deferred: int64(v.Deferred),
			Quarantined: int64(v.Quarantined), Skipped: int64(v.Skipped), Gone: int64(v.Gone),
		}
	}
	return out
}
