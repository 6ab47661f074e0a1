package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/encoding"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/control/rpc"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

const certificateLike = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"

func TestCreateRefusesBadFields(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, tt := range []struct {
		name   string
		change func(*mailintakev1.EmailChannel)
		field  string
	}{
		{"no display name", func(c *mailintakev1.EmailChannel) { c.DisplayName = "" }, "email_channel.display_name"},
		{"long display name", func(c *mailintakev1.EmailChannel) { c.DisplayName = strings.Repeat("ä", 81) }, "email_channel.display_name"},
		{"NUL in display name", func(c *mailintakev1.EmailChannel) { c.DisplayName = "a\x00b" }, "email_channel.display_name"},
		{"NUL in description", func(c *mailintakev1.EmailChannel) { c.Description = "a\nb\x00" }, "email_channel.description"},
		{"NUL in script", func(c *mailintakev1.EmailChannel) { c.Script = "\x00" }, "email_channel.script"},
		{"no address", func(c *mailintakev1.EmailChannel) { c.EmailAddress = "" }, "email_channel.email_address"},
		{"address with name", func(c *mailintakev1.EmailChannel) { c.EmailAddress = "Support <support@example.com>" }, "email_channel.email_address"},
		{"two addresses", func(c *mailintakev1.EmailChannel) { c.EmailAddress = "a@example.com, b@example.com" }, "email_channel.email_address"},
		{"address without domain", func(c *mailintakev1.EmailChannel) { c.EmailAddress = "support" }, "email_channel.email_address"},
		{"address with line end", func(c *mailintakev1.EmailChannel) { c.EmailAddress = "a@example.com\r\n" }, "email_channel.email_address"},
		{"label key", func(c *mailintakev1.EmailChannel) { c.Labels = map[string]string{"No": "x"} }, `email_channel.labels["No"]`},
		{"label value", func(c *mailintakev1.EmailChannel) { c.Labels = map[string]string{"a": "x\x00"} }, "email_channel.labels"},
		{"no protocol", func(c *mailintakev1.EmailChannel) { c.Protocol = 0 }, "email_channel.protocol"},
		{"unknown protocol", func(c *mailintakev1.EmailChannel) { c.Protocol = 9 }, "email_channel.protocol"},
		{"no host", func(c *mailintakev1.EmailChannel) { c.Host = "" }, "email_channel.host"},
		{"host with scheme", func(c *mailintakev1.EmailChannel) { c.Host = "imaps://mail.example.com" }, "email_channel.host"},
		{"host with port", func(c *mailintakev1.EmailChannel) { c.Host = "mail.example.com:993" }, "email_channel.host"},
		{"host with path", func(c *mailintakev1.EmailChannel) { c.Host = "mail.example.com/x" }, "email_channel.host"},
		{"host with space", func(c *mailintakev1.EmailChannel) { c.Host = "mail example" }, "email_channel.host"},
		{"host with line end", func(c *mailintakev1.EmailChannel) { c.Host = "mail.example.com\r\n" }, "email_channel.host"},
		{"host with NUL", func(c *mailintakev1.EmailChannel) { c.Host = "mail\x00.example.com" }, "email_channel.host"},
		{"host with empty label", func(c *mailintakev1.EmailChannel) { c.Host = "mail..example" }, "email_channel.host"},
		{"host that is no address", func(c *mailintakev1.EmailChannel) { c.Host = "10.0.0.256" }, "email_channel.host"},
		{"negative port", func(c *mailintakev1.EmailChannel) { c.Port = -1 }, "email_channel.port"},
		{"port beyond the range", func(c *mailintakev1.EmailChannel) { c.Port = 65536 }, "email_channel.port"},
		{"unknown starttls", func(c *mailintakev1.EmailChannel) { c.Starttls = 7 }, "email_channel.starttls"},
		{"starttls off with IMAPS", func(c *mailintakev1.EmailChannel) { c.Starttls = mailintakev1.EmailChannel_Tls_DISABLED }, "email_channel.starttls"},
		{"tls without tls", func(c *mailintakev1.EmailChannel) {
			c.Protocol, c.Starttls = mailintakev1.EmailChannel_IMAP, mailintakev1.EmailChannel_Tls_DISABLED
			c.Tls = &mailintakev1.EmailChannel_Tls{ServerName: "x.example"}
		}, "email_channel.tls"},
		{"server name", func(c *mailintakev1.EmailChannel) { c.Tls = &mailintakev1.EmailChannel_Tls{ServerName: "a b"} }, "email_channel.tls.server_name"},
		{"CA that is not PEM", func(c *mailintakev1.EmailChannel) { c.Tls = &mailintakev1.EmailChannel_Tls{CaPem: "hello"} }, "email_channel.tls.ca_pem"},
		{"CA that is no certificate", func(c *mailintakev1.EmailChannel) { c.Tls = &mailintakev1.EmailChannel_Tls{CaPem: certificateLike} }, "email_channel.tls.ca_pem"},
		{"CA that is a key", func(c *mailintakev1.EmailChannel) {
			c.Tls = &mailintakev1.EmailChannel_Tls{CaPem: strings.ReplaceAll(certificateLike, "CERTIFICATE", "PRIVATE KEY")}
		}, "email_channel.tls.ca_pem"},
		{"no user name", func(c *mailintakev1.EmailChannel) { c.Username = "" }, "email_channel.username"},
		{"CR LF in user name", func(c *mailintakev1.EmailChannel) { c.Username = "a\r\nA1 LOGOUT" }, "email_channel.username"},
		{"escape in user name", func(c *mailintakev1.EmailChannel) { c.Username = "a\x1b" }, "email_channel.username"},
		{"LF in password", func(c *mailintakev1.EmailChannel) { c.Password = "a\nb" }, "email_channel.password"},
		{"NUL in password", func(c *mailintakev1.EmailChannel) { c.Password = "a\x00b" }, "email_channel.password"},
		{"DEL in password", func(c *mailintakev1.EmailChannel) { c.Password = "a\x7f" }, "email_channel.password"},
		{"long password", func(c *mailintakev1.EmailChannel) { c.Password = strings.Repeat("x", 513) }, "email_channel.password"},
		{"no password", func(c *mailintakev1.EmailChannel) { c.Password = "" }, "email_channel.password"},
		{"two folders", func(c *mailintakev1.EmailChannel) { c.Folders = []string{"INBOX", "Other"} }, "email_channel.folders"},
		{"CR in folder", func(c *mailintakev1.EmailChannel) { c.Folders = []string{"IN\rBOX"} }, "email_channel.folders"},
		{"folder with POP3", func(c *mailintakev1.EmailChannel) {
			c.Protocol, c.Folders = mailintakev1.EmailChannel_POP3S, []string{"INBOX"}
		}, "email_channel.folders"},
		{"short interval", func(c *mailintakev1.EmailChannel) { c.PollInterval = &durationpb.Duration{Seconds: 9} }, "email_channel.poll_interval"},
		{"long interval", func(c *mailintakev1.EmailChannel) { c.PollInterval = &durationpb.Duration{Seconds: 86401} }, "email_channel.poll_interval"},
		{"crooked interval", func(c *mailintakev1.EmailChannel) { c.PollInterval = &durationpb.Duration{Seconds: 10, Nanos: 1} }, "email_channel.poll_interval"},
		{"impossible interval", func(c *mailintakev1.EmailChannel) { c.PollInterval = &durationpb.Duration{Seconds: 20, Nanos: -5} }, "email_channel.poll_interval"},
		{"unknown initial sync", func(c *mailintakev1.EmailChannel) { c.InitialSync = 9 }, "email_channel.initial_sync"},
		{"SINCE without time", func(c *mailintakev1.EmailChannel) { c.InitialSync = mailintakev1.EmailChannel_SINCE }, "email_channel.initial_sync_time"},
		{"time without SINCE", func(c *mailintakev1.EmailChannel) { c.InitialSyncTime = timestamppb.Now() }, "email_channel.initial_sync_time"},
		{"impossible time", func(c *mailintakev1.EmailChannel) {
			c.InitialSync, c.InitialSyncTime = mailintakev1.EmailChannel_SINCE, &timestamppb.Timestamp{Seconds: 1 << 60}
		}, "email_channel.initial_sync_time"},
		{"alias that is no address", func(c *mailintakev1.EmailChannel) { c.Aliases = []string{"a@example.com", "Sales <s@example.com>"} }, "email_channel.aliases[1]"},
		{"empty alias", func(c *mailintakev1.EmailChannel) { c.Aliases = []string{""} }, "email_channel.aliases[0]"},
		{"NUL in alias", func(c *mailintakev1.EmailChannel) { c.Aliases = []string{"a\x00@example.com"} }, "email_channel.aliases[0]"},
		{"alias twice", func(c *mailintakev1.EmailChannel) { c.Aliases = []string{"a@example.com", "A@Example.com"} }, "email_channel.aliases[1]"},
		{"alias that is the address", func(c *mailintakev1.EmailChannel) { c.Aliases = []string{"support@EXAMPLE.com"} }, "email_channel.aliases[0]"},
		{"long alias", func(c *mailintakev1.EmailChannel) { c.Aliases = []string{strings.Repeat("a", 250) + "@example.com"} }, "email_channel.aliases[0]"},
		{"many aliases", func(c *mailintakev1.EmailChannel) { c.Aliases = make([]string, 101) }, "email_channel.aliases"},
		{"unknown charset", func(c *mailintakev1.EmailChannel) { c.FallbackCharset = "klingon" }, "email_channel.fallback_charset"},
		{"NUL in charset", func(c *mailintakev1.EmailChannel) { c.FallbackCharset = "koi8-r\x00" }, "email_channel.fallback_charset"},
		{"long charset", func(c *mailintakev1.EmailChannel) { c.FallbackCharset = strings.Repeat("x", 41) }, "email_channel.fallback_charset"},
		{"authserv-id with space", func(c *mailintakev1.EmailChannel) { c.AuthservIds = []string{"mx.example.com", "mx example"} }, "email_channel.authserv_ids[1]"},
		{"empty authserv-id", func(c *mailintakev1.EmailChannel) { c.AuthservIds = []string{""} }, "email_channel.authserv_ids[0]"},
		{"authserv-id twice", func(c *mailintakev1.EmailChannel) { c.AuthservIds = []string{"mx.example.com", "MX.example.com"} }, "email_channel.authserv_ids[1]"},
		{"authserv-id with line end", func(c *mailintakev1.EmailChannel) { c.AuthservIds = []string{"mx.example.com\n"} }, "email_channel.authserv_ids[0]"},
		{"long authserv-id", func(c *mailintakev1.EmailChannel) { c.AuthservIds = []string{strings.Repeat("x", 254)} }, "email_channel.authserv_ids[0]"},
		{"many authserv-ids", func(c *mailintakev1.EmailChannel) { c.AuthservIds = make([]string, 21) }, "email_channel.authserv_ids"},
		{"unknown settlement", func(c *mailintakev1.EmailChannel) { c.Settlement = 9 }, "email_channel.settlement"},
		{"MARK_SEEN with POP3", func(c *mailintakev1.EmailChannel) {
			c.Protocol, c.Settlement = mailintakev1.EmailChannel_POP3, mailintakev1.EmailChannel_MARK_SEEN
		}, "email_channel.settlement"},
		{"small limit", func(c *mailintakev1.EmailChannel) { c.MaxMessageBytes = 65535 }, "email_channel.max_message_bytes"},
		{"large limit", func(c *mailintakev1.EmailChannel) { c.MaxMessageBytes = 1<<30 + 1 }, "email_channel.max_message_bytes"},
		{"negative limit", func(c *mailintakev1.EmailChannel) { c.MaxMessageBytes = -1 }, "email_channel.max_message_bytes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := channel()
			tt.change(c)
			_, err := b.channels.CreateEmailChannel(t.Context(), &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: "x", EmailChannel: c})
			want(t, err, codes.InvalidArgument, "INVALID_FIELD", tt.field)
		})
	}
	if len(b.store.audit) != 0 {
		t.Errorf("refused calls left audit entries: %v", b.store.audit)
	}
}

func TestAllViolationsAtOnce(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := &mailintakev1.EmailChannel{Protocol: mailintakev1.EmailChannel_IMAP, Host: "a:1", Username: "a\nb", Enabled: true}
	_, err := b.channels.CreateEmailChannel(t.Context(), &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: "x", EmailChannel: c})
	want(t, err, codes.InvalidArgument, "INVALID_FIELD",
		"email_channel.display_name", "email_channel.email_address", "email_channel.host", "email_channel.username", "email_channel.password")
}

func TestNames(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "support")
	ctx := t.Context()
	const uid = "/messages/01900000-0000-7000-8000-000000000000"
	calls := map[string]func(name string) error{
		"GetEmailChannel": func(n string) error {
			_, err := b.channels.GetEmailChannel(ctx, &mailintakev1.GetEmailChannelRequest{Name: n})
			return err
		},
		"DeleteEmailChannel": func(n string) error {
			_, err := b.channels.DeleteEmailChannel(ctx, &mailintakev1.DeleteEmailChannelRequest{Name: n})
			return err
		},
		"UndeleteEmailChannel": func(n string) error {
			_, err := b.channels.UndeleteEmailChannel(ctx, &mailintakev1.UndeleteEmailChannelRequest{Name: n})
			return err
		},
		"UpdateEmailChannel": func(n string) error {
			_, err := b.channels.UpdateEmailChannel(ctx, &mailintakev1.UpdateEmailChannelRequest{EmailChannel: &mailintakev1.EmailChannel{Name: n, Script: "x"}})
			return err
		},
		"TestEmailChannel": func(n string) error {
			_, err := b.channels.TestEmailChannel(ctx, &mailintakev1.TestEmailChannelRequest{Parent: "tenants/acme", Name: n})
			return err
		},
		"ListMessages": func(n string) error {
			_, err := b.messages.ListMessages(ctx, &mailintakev1.ListMessagesRequest{Parent: n})
			return err
		},
		"GetMessage": func(n string) error {
			_, err := b.messages.GetMessage(ctx, &mailintakev1.GetMessageRequest{Name: n + uid})
			return err
		},
		"ReadRawMessage": func(n string) error {
			s, err := b.messages.ReadRawMessage(ctx, &mailintakev1.ReadRawMessageRequest{Name: n + uid})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		},
		"ReadAttachment": func(n string) error {
			s, err := b.messages.ReadAttachment(ctx, &mailintakev1.ReadAttachmentRequest{Name: n + uid, Part: "1"})
			if err == nil {
				_, err = s.Recv()
			}
			return err
		},
		"CreateReplay": func(n string) error {
			_, err := b.replays.CreateReplay(ctx, &mailintakev1.CreateReplayRequest{Parent: "tenants/acme",
				Replay: &mailintakev1.Replay{EmailChannel: n, Kind: mailintakev1.Replay_RETRY}})
			return err
		},
	}
	for method, call := range calls {
		if err := call("tenants/acme/emailChannels/other"); status.Code(err) != codes.NotFound {
			t.Errorf("%s of an unknown channel: %v", method, err)
		}
		for _, n := range []string{"", "support", "tenants/acme", "tenants/acme/emailChannels/", "tenants/acme/emailChannels/Support",
			"tenants/acme/emailChannels/-x", "tenants/acme/emailChannels/" + strings.Repeat("x", 40), "tenants//emailChannels/x",
			"tenants/acme/emailChannels/a/b", "/tenants/acme/emailChannels/support", "tenants/acme/emailChannels/support\n",
			"tenants/acme/emailChannels/sup\x00port", "tenants/acme/emailChannels/..", "tenants/a%2Fb/emailChannels/x"} {
			if method == "TestEmailChannel" && n == "" {
				continue
			}
			if err := call(n); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s of %q: %v", method, n, err)
			}
		}
	}
	for _, n := range []string{"tenants/acme/replays/x", "tenants/acme/replays/01900000-0000-7000-8000-00000000000G", "x"} {
		_, err := b.replays.GetReplay(ctx, &mailintakev1.GetReplayRequest{Name: n})
		want(t, err, codes.InvalidArgument, "INVALID_FIELD", "name")
		_, err = b.replays.CancelReplay(ctx, &mailintakev1.CancelReplayRequest{Name: n})
		want(t, err, codes.InvalidArgument, "INVALID_FIELD", "name")
	}
	_, err := b.replays.GetReplay(ctx, &mailintakev1.GetReplayRequest{Name: "tenants/acme/replays/01900000-0000-7000-8000-000000000000"})
	want(t, err, codes.NotFound, "RESOURCE_NOT_FOUND")
	for _, id := range []string{"", "Support", "-a", strings.Repeat("a", 40), "a/b", "ä", "a\n"} {
		_, err := b.channels.CreateEmailChannel(ctx, &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: id, EmailChannel: channel()})
		want(t, err, codes.InvalidArgument, "INVALID_FIELD", "email_channel_id")
	}
	_, err = b.channels.CreateEmailChannel(ctx, &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: "support", EmailChannel: channel()})
	want(t, err, codes.AlreadyExists, "RESOURCE_EXISTS")
	_, err = b.channels.CreateEmailChannel(ctx, &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: "none"})
	want(t, err, codes.InvalidArgument, "INVALID_FIELD", "email_channel")
}

func TestUnknownFields(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "support")
	extra := protowire.AppendVarint(protowire.AppendTag(nil, 4711, protowire.VarintType), 1)

	top := &mailintakev1.GetEmailChannelRequest{Name: "tenants/acme/emailChannels/support"}
	top.ProtoReflect().SetUnknown(extra)
	_, err := b.channels.GetEmailChannel(t.Context(), top)
	want(t, err, codes.InvalidArgument, "UNKNOWN_FIELD", "")

	deep := channel()
	deep.Tls = &mailintakev1.EmailChannel_Tls{}
	deep.Tls.ProtoReflect().SetUnknown(extra)
	_, err = b.channels.CreateEmailChannel(t.Context(), &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: "x", EmailChannel: deep})
	want(t, err, codes.InvalidArgument, "UNKNOWN_FIELD", "email_channel.tls")

	read := &mailintakev1.ReadRawMessageRequest{Name: "tenants/acme/emailChannels/support/messages/01900000-0000-7000-8000-000000000000"}
	read.ProtoReflect().SetUnknown(extra)
	stream, err := b.messages.ReadRawMessage(t.Context(), read)
	if err != nil {
		t.Fatal(err)
	}
	_, err = stream.Recv()
	want(t, err, codes.InvalidArgument, "UNKNOWN_FIELD", "")
}

// rawCodec sends octets as they are.
type rawCodec struct{ encoding.CodecV2 }

func (c rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	if raw, ok := v.([]byte); ok {
		return mem.BufferSlice{mem.SliceBuffer(raw)}, nil
	}
	return c.CodecV2.Marshal(v)
}

func TestUndecodableRequests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, raw := range map[string][]byte{
		"not UTF-8": protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "tenants/\xff"),
		"cut short": {0x0a, 0x7f, 'x'},
		"garbage":   []byte("GET / HTTP/1.1\r\n\r\n"),
	} {
		for _, method := range []string{"EmailChannelService/GetEmailChannel", "EmailChannelService/CreateEmailChannel", "ReplayService/ListReplays"} {
			var reply mailintakev1.EmailChannel
			err := b.conn.Invoke(t.Context(), "/mailintake.v1."+method, raw, &reply, grpc.ForceCodecV2(rawCodec{encoding.GetCodecV2("proto")}))
			if code, reason, _ := fields(err); code != codes.InvalidArgument || reason != "UNDECODABLE_REQUEST" {
				t.Errorf("%s to %s: %v", name, method, err)
			}
		}
		stream, err := b.conn.NewStream(t.Context(), &grpc.StreamDesc{ServerStreams: true}, "/mailintake.v1.MessageService/ReadRawMessage",
			grpc.ForceCodecV2(rawCodec{encoding.GetCodecV2("proto")}))
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(stream.SendMsg(raw), stream.CloseSend()); err != nil {
			t.Fatal(err)
		}
		if code, reason, _ := fields(stream.RecvMsg(&mailintakev1.ReadRawMessageResponse{})); code != codes.InvalidArgument || reason != "UNDECODABLE_REQUEST" {
			t.Errorf("%s to ReadRawMessage: %v %s", name, code, reason)
		}
	}
}

func TestOversizedRequests(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := channel()
	c.Description = strings.Repeat("x", 5<<20)
	_, err := b.channels.CreateEmailChannel(t.Context(), &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: "x", EmailChannel: c})
	if status.Code(err) != codes.ResourceExhausted {
		t.Errorf("5 MiB: %v", err)
	}
	c.Description = strings.Repeat("x", 3<<20)
	_, err = b.channels.CreateEmailChannel(t.Context(), &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: "x", EmailChannel: c})
	want(t, err, codes.InvalidArgument, "INVALID_FIELD", "email_channel.description")
	if n := len(status.Convert(err).Message()); n > 1000 {
		t.Errorf("the message repeats the request: %d octets", n)
	}
}

func TestLists(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 3 {
		b.create(t, fmt.Sprintf("c%d", i))
	}
	list := func(r *mailintakev1.ListEmailChannelsRequest) (*mailintakev1.ListEmailChannelsResponse, error) {
		return b.channels.ListEmailChannels(t.Context(), r)
	}
	first, err := list(&mailintakev1.ListEmailChannelsRequest{Parent: "tenants/acme", PageSize: 2, Filter: `state = "PENDING"`})
	if err != nil || len(first.GetEmailChannels()) != 2 || first.GetNextPageToken() == "" {
		t.Fatalf("first page: %v, %v", first, err)
	}
	token := first.GetNextPageToken()
	second, err := list(&mailintakev1.ListEmailChannelsRequest{Parent: "tenants/acme", PageSize: 2, Filter: `state = "PENDING"`, PageToken: token})
	if err != nil || len(second.GetEmailChannels()) != 1 || second.GetEmailChannels()[0].GetName() != "tenants/acme/emailChannels/c2" || second.GetNextPageToken() != "" {
		t.Fatalf("second page: %v, %v", second, err)
	}
	flip := []byte(token)
	flip[len(flip)-2] ^= 1
	for name, r := range map[string]*mailintakev1.ListEmailChannelsRequest{
		"tampered":     {Parent: "tenants/acme", Filter: `state = "PENDING"`, PageToken: string(flip)},
		"garbage":      {Parent: "tenants/acme", Filter: `state = "PENDING"`, PageToken: "!!"},
		"short":        {Parent: "tenants/acme", Filter: `state = "PENDING"`, PageToken: "AAAA"},
		"other filter": {Parent: "tenants/acme", PageToken: token},
		"other tenant": {Parent: "tenants/other", Filter: `state = "PENDING"`, PageToken: token},
		"other order":  {Parent: "tenants/acme", Filter: `state = "PENDING"`, OrderBy: "name desc", PageToken: token},
		"deleted too":  {Parent: "tenants/acme", Filter: `state = "PENDING"`, ShowDeleted: true, PageToken: token},
	} {
		_, err := list(r)
		if code, reason, v := fields(err); code != codes.InvalidArgument || reason != "INVALID_PAGE_TOKEN" || len(v) != 1 {
			t.Errorf("%s: %v", name, err)
		}
	}
	for field, r := range map[string]*mailintakev1.ListEmailChannelsRequest{
		"page_size": {Parent: "tenants/acme", PageSize: -1},
		"order_by":  {Parent: "tenants/acme", OrderBy: "host"},
		"filter":    {Parent: "tenants/acme", Filter: `state = "BROKEN"`},
		"parent":    {Parent: "acme"},
	} {
		_, err := list(r)
		want(t, err, codes.InvalidArgument, "INVALID_FIELD", field)
	}
	for _, filter := range []string{`state`, `state =`, `state = ACTIVE`, `state = "ACTIVE" AND`, `= "x"`, `"x"`, `state = "ACTIVE`, `state > "ACTIVE"`,
		`host = "x"`, `state = "ACTIVE" failed`, `failed = "x"`, `(failed)`, "state = \"A\x00\"", `AND`, `state ! "ACTIVE"`} {
		_, err := list(&mailintakev1.ListEmailChannelsRequest{Parent: "tenants/acme", Filter: filter})
		want(t, err, codes.InvalidArgument, "INVALID_FIELD", "filter")
	}
	none, err := list(&mailintakev1.ListEmailChannelsRequest{Parent: "tenants/acme", Filter: `state = "ACTIVE" AND failed`})
	if err != nil || len(none.GetEmailChannels()) != 0 {
		t.Errorf("a filter that excludes itself: %v, %v", none, err)
	}
	desc, err := list(&mailintakev1.ListEmailChannelsRequest{Parent: "tenants/acme", OrderBy: "name desc", PageSize: 1})
	if err != nil || desc.GetEmailChannels()[0].GetName() != "tenants/acme/emailChannels/c2" {
		t.Errorf("descending: %v, %v", desc, err)
	}
}

func TestEtags(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.create(t, "support")
	ctx := t.Context()
	update := func(etag, script string) (*mailintakev1.EmailChannel, error) {
		return b.channels.UpdateEmailChannel(ctx, &mailintakev1.UpdateEmailChannelRequest{
			EmailChannel: &mailintakev1.EmailChannel{Name: c.GetName(), Etag: etag, Script: script}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"script"}}})
	}
	next, err := update(c.GetEtag(), "one")
	if err != nil || next.GetEtag() == c.GetEtag() || next.GetScript() != "one" {
		t.Fatalf("update: %v, %v", next, err)
	}
	_, err = update(c.GetEtag(), "two")
	want(t, err, codes.Aborted, "ETAG_MISMATCH")
	_, err = update("nonsense", "two")
	want(t, err, codes.Aborted, "ETAG_MISMATCH")
	_, err = b.channels.DeleteEmailChannel(ctx, &mailintakev1.DeleteEmailChannelRequest{Name: c.GetName(), Etag: c.GetEtag()})
	want(t, err, codes.Aborted, "ETAG_MISMATCH")

	// Between reading and writing somebody else is quicker: with an etag the update fails, without it is repeated.
	race := func() {
		b.store.mu.Lock()
		b.store.channels[c.GetName()].Revision++
		b.store.mu.Unlock()
	}
	b.store.beforeUpdate = race
	_, err = update(next.GetEtag(), "three")
	want(t, err, codes.Aborted, "ETAG_MISMATCH")
	b.store.beforeUpdate = race
	if got, err := update("", "four"); err != nil || got.GetScript() != "four" {
		t.Errorf("update without etag: %v, %v", got, err)
	}
}

func TestAuthentication(t *testing.T) {
	t.Parallel()
	auth, err := rpc.StaticTokens([]string{hash("first"), strings.ToUpper(hash("second"))})
	if err != nil {
		t.Fatal(err)
	}
	b := setup(t, func(c *rpc.Config) { c.Authenticator = auth })
	call := func(ctx context.Context) error {
		_, err := b.channels.ListEmailChannels(ctx, &mailintakev1.ListEmailChannelsRequest{Parent: "tenants/acme"})
		return err
	}
	with := func(pairs ...string) context.Context { return metadata.AppendToOutgoingContext(t.Context(), pairs...) }
	want(t, call(t.Context()), codes.Unauthenticated, "TOKEN_MISSING")
	want(t, call(with("authorization", "Basic Zmlyc3Q=")), codes.Unauthenticated, "TOKEN_MISSING")
	want(t, call(with("authorization", "Bearer ")), codes.Unauthenticated, "TOKEN_MISSING")
	want(t, call(with("authorization", "Bearer first", "authorization", "Bearer second")), codes.Unauthenticated, "TOKEN_MISSING")
	want(t, call(with("authorization", "Bearer third")), codes.Unauthenticated, "TOKEN_INVALID")
	want(t, call(with("authorization", "Bearer "+hash("first"))), codes.Unauthenticated, "TOKEN_INVALID")
	for _, token := range []string{"first", "second"} {
		if err := call(with("authorization", "bearer "+token)); err != nil {
			t.Errorf("token %s: %v", token, err)
		}
	}
	stream, err := b.messages.ReadRawMessage(t.Context(), &mailintakev1.ReadRawMessageRequest{Name: "tenants/acme/emailChannels/x/messages/01900000-0000-7000-8000-000000000000"})
	if err == nil {
		_, err = stream.Recv()
	}
	want(t, err, codes.Unauthenticated, "TOKEN_MISSING")
	// A refused caller is refused before its request is looked at.
	_, err = b.channels.GetEmailChannel(t.Context(), &mailintakev1.GetEmailChannelRequest{Name: "bad"})
	want(t, err, codes.Unauthenticated, "TOKEN_MISSING")
	if _, err := b.channels.CreateEmailChannel(with("authorization", "Bearer first"),
		&mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: "x", EmailChannel: channel()}); err != nil {
		t.Fatal(err)
	}
	if got, want := b.store.audit[0].Actor, "token:"+hash("first")[:8]; got != want {
		t.Errorf("got actor %q, want %q", got, want)
	}
	for _, bad := range [][]string{nil, {"xyz"}, {hash("a")[:10]}, {hash("a"), "first"}} {
		if _, err := rpc.StaticTokens(bad); err == nil {
			t.Errorf("StaticTokens(%q) was accepted", bad)
		}
	}
}

func TestFaultsOfOursStayInside(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "support")
	get := func() error {
		_, err := b.channels.GetEmailChannel(t.Context(), &mailintakev1.GetEmailChannelRequest{Name: "tenants/acme/emailChannels/support"})
		return err
	}
	b.store.fail = fmt.Errorf(`ERROR: relation "channel" does not exist (SQLSTATE 42P01)`)
	err := get()
	want(t, err, codes.Internal, "INTERNAL")
	if strings.Contains(err.Error(), "relation") || !strings.Contains(b.log.String(), "42P01") {
		t.Errorf("database text got out or is not in the log: %v", err)
	}
	id := err.Error()[strings.LastIndexByte(err.Error(), ' ')+1:]
	if !strings.Contains(b.log.String(), id) {
		t.Errorf("id %s is not in the log", id)
	}
	b.store.fail = fmt.Errorf("%w: dial tcp 10.0.0.1:5432: connection refused", control.ErrUnavailable)
	err = get()
	want(t, err, codes.Unavailable, "STORAGE_UNAVAILABLE")
	if strings.Contains(err.Error(), "10.0.0.1") {
		t.Errorf("an address got out: %v", err)
	}
	b.store.fail = nil
	b.store.beforeUpdate = func() { panic("secret text") }
	b.create(t, "other")
	_, err = b.channels.DeleteEmailChannel(t.Context(), &mailintakev1.DeleteEmailChannelRequest{Name: "tenants/acme/emailChannels/other"})
	want(t, err, codes.Internal, "INTERNAL")
	if strings.Contains(err.Error(), "secret text") || !strings.Contains(b.log.String(), "secret text") {
		t.Errorf("the panic got out or is not in the log: %v", err)
	}
	if _, err := b.channels.DeleteEmailChannel(t.Context(), &mailintakev1.DeleteEmailChannelRequest{Name: "tenants/acme/emailChannels/other"}); err != nil {
		t.Errorf("after the panic: %v", err)
	}
}

func TestNothingSecretIsLogged(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "support")
	for _, change := range []func(*mailintakev1.EmailChannel){
		func(c *mailintakev1.EmailChannel) { c.Host = "bad host" },
		func(c *mailintakev1.EmailChannel) { c.Password += "\n" },
		func(c *mailintakev1.EmailChannel) { c.Password = strings.Repeat(c.Password, 100) },
	} {
		c := channel()
		change(c)
		_, err := b.channels.CreateEmailChannel(t.Context(), &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: "x", EmailChannel: c})
		if err == nil || strings.Contains(err.Error(), "correct horse") {
			t.Errorf("the password is in the error: %v", err)
		}
	}
	if log := b.log.String(); strings.Contains(log, "correct horse") || !strings.Contains(log, "CreateEmailChannel") {
		t.Errorf("the password is in the log, or nothing is:\n%s", log)
	}
	got, err := b.channels.GetEmailChannel(t.Context(), &mailintakev1.GetEmailChannelRequest{Name: "tenants/acme/emailChannels/support"})
	if err != nil || got.GetPassword() != "" || !got.GetPasswordSet() {
		t.Errorf("password of a saved channel: %v, %v", got, err)
	}
	if raw, _ := proto.Marshal(got); strings.Contains(string(raw), "correct horse") {
		t.Error("the password is in the reply")
	}
}
