package rpc_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// defaults are what a channel gets for what it leaves open.
func TestCreateFillsInDefaults(t *testing.T) {
	t.Parallel()
	b := setup(t)
	got := b.create(t, "support", func(c *mailintakev1.EmailChannel) { c.Protocol = mailintakev1.EmailChannel_IMAP })
	want := &mailintakev1.EmailChannel{
		Name: "tenants/acme/emailChannels/support", DisplayName: "Support", EmailAddress: "support@example.com", Enabled: true,
		Protocol: mailintakev1.EmailChannel_IMAP, Host: "mail.example.com", Starttls: mailintakev1.EmailChannel_Tls_REQUIRED,
		Username: "support", PasswordSet: true, PollInterval: durationpb.New(60 * time.Second), InitialSync: mailintakev1.EmailChannel_NEW_ONLY,
		Settlement: mailintakev1.EmailChannel_LEAVE, MaxMessageBytes: 41943040, State: mailintakev1.EmailChannel_PENDING,
		Status: &mailintakev1.EmailChannel_Status{NextSequence: 1}, Etag: `W/"1"`,
	}
	if diff := cmp.Diff(got, want, protocmp.Transform(), protocmp.IgnoreFields(&mailintakev1.EmailChannel{}, "uid", "create_time", "update_time"),
		protocmp.IgnoreFields(&mailintakev1.EmailChannel_Status{}, "since_time")); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	if got := b.store.secrets[1].Reveal(); got != "correct horse" {
		t.Errorf("got password %q", got)
	}
	if got, want := b.store.audit[0], (control.Audit{Actor: "local", Action: "channel.create", Resource: "tenants/acme/emailChannels/support"}); got != want {
		t.Errorf("got audit %v, want %v", got, want)
	}
}

// Every field that can be written comes back, through create and through a full update.
func TestEveryFieldIsKept(t *testing.T) {
	t.Parallel()
	b := setup(t)
	full := &mailintakev1.EmailChannel{
		DisplayName: "Büro", EmailAddress: "büro@exämple.com", Description: "two\nlines", Labels: map[string]string{"team": "A & B"}, Script: "script-7",
		Enabled: true, Protocol: mailintakev1.EmailChannel_IMAP, Host: "xn--exmple-cua.com", Port: 1143, Starttls: mailintakev1.EmailChannel_Tls_REQUIRED,
		Tls: &mailintakev1.EmailChannel_Tls{ServerName: "other.example.com"}, Username: `DOMAIN\user`, Password: "pässword", Folders: []string{"Eingang/Ä"},
		PollInterval: durationpb.New(90 * time.Second), InitialSync: mailintakev1.EmailChannel_SINCE, InitialSyncTime: timestamppb.New(time.Unix(1.7e9, 0)),
		Settlement: mailintakev1.EmailChannel_MARK_SEEN, MaxMessageBytes: 1 << 20,
	}
	same := func(how string, got *mailintakev1.EmailChannel) {
		t.Helper()
		want := proto.Clone(full).(*mailintakev1.EmailChannel)
		want.Password, want.PasswordSet = "", true
		if diff := cmp.Diff(got, want, protocmp.Transform(), protocmp.IgnoreFields(want, "name", "uid", "state", "status", "etag", "create_time", "update_time")); diff != "" {
			t.Errorf("%s: got -, want +:\n%s", how, diff)
		}
	}
	same("create", b.create(t, "one", func(c *mailintakev1.EmailChannel) { proto.Reset(c); proto.Merge(c, full) }))
	for how, mask := range map[string][]string{"without-mask": nil, "star": {"*"}} {
		c := b.create(t, "two-"+how)
		in := proto.Clone(full).(*mailintakev1.EmailChannel)
		in.Name = c.GetName()
		got, err := b.channels.UpdateEmailChannel(t.Context(), &mailintakev1.UpdateEmailChannelRequest{EmailChannel: in, UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}})
		if err != nil {
			t.Fatal(err)
		}
		same(how, got)
		if got := b.store.secrets[b.store.channels[c.GetName()].ID].Reveal(); got != "pässword" {
			t.Errorf("%s: got password %q", how, got)
		}
	}
}

func TestUpdateMask(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		in    *mailintakev1.EmailChannel
		mask  []string
		check func(*mailintakev1.EmailChannel) bool
		audit string // changed fields, or none
	}{
		{"no mask changes what is set", &mailintakev1.EmailChannel{Host: "new.example.com", Port: 99}, nil,
			func(c *mailintakev1.EmailChannel) bool {
				return c.GetHost() == "new.example.com" && c.GetPort() == 99 && c.GetEnabled() && c.GetScript() == "old"
			}, "host,port"},
		{"a mask can clear", &mailintakev1.EmailChannel{Host: "ignored.example.com"}, []string{"script", "enabled"},
			func(c *mailintakev1.EmailChannel) bool {
				return c.GetScript() == "" && !c.GetEnabled() && c.GetHost() == "mail.example.com"
			}, "enabled,script"},
		{"one of the tls fields", &mailintakev1.EmailChannel{Tls: &mailintakev1.EmailChannel_Tls{ServerName: "b.example.com"}}, []string{"tls.server_name"},
			func(c *mailintakev1.EmailChannel) bool { return c.GetTls().GetServerName() == "b.example.com" }, "tls.server_name"},
		{"tls as a whole", &mailintakev1.EmailChannel{}, []string{"tls"},
			func(c *mailintakev1.EmailChannel) bool { return c.GetTls() == nil }, "tls.server_name"},
		{"one label", &mailintakev1.EmailChannel{Labels: map[string]string{"a": "2"}}, []string{"labels.a", "labels.b"},
			func(c *mailintakev1.EmailChannel) bool { return len(c.GetLabels()) == 2 && c.GetLabels()["a"] == "2" }, "labels"},
		{"all labels", &mailintakev1.EmailChannel{Labels: map[string]string{"z": "9"}}, []string{"labels"},
			func(c *mailintakev1.EmailChannel) bool { return len(c.GetLabels()) == 1 }, "labels"},
		{"output only fields are skipped", &mailintakev1.EmailChannel{State: mailintakev1.EmailChannel_ACTIVE, Uid: "x"}, []string{"state", "uid", "status.reason", "etag", "name"},
			func(c *mailintakev1.EmailChannel) bool { return c.GetState() == mailintakev1.EmailChannel_PENDING }, "none"},
		{"nothing new", &mailintakev1.EmailChannel{Script: "old"}, []string{"script"},
			func(c *mailintakev1.EmailChannel) bool { return c.GetEtag() == `W/"1"` }, "none"},
		{"password alone", &mailintakev1.EmailChannel{Password: "new"}, []string{"password"},
			func(c *mailintakev1.EmailChannel) bool { return c.GetPasswordSet() }, "password"},
		{"protocol with its default port", &mailintakev1.EmailChannel{Protocol: mailintakev1.EmailChannel_POP3S}, []string{"protocol"},
			func(c *mailintakev1.EmailChannel) bool { return c.GetProtocol() == mailintakev1.EmailChannel_POP3S }, "protocol"},
		{"star keeps the password", func() *mailintakev1.EmailChannel { c := channel(); c.Password = ""; return c }(), []string{"*"},
			func(c *mailintakev1.EmailChannel) bool {
				return c.GetPasswordSet() && c.GetScript() == "" && len(c.GetLabels()) == 0
			}, "labels,script,tls.server_name"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			c := b.create(t, "support", func(c *mailintakev1.EmailChannel) {
				c.Script, c.Labels, c.Tls = "old", map[string]string{"a": "1", "b": "1", "c": "1"}, &mailintakev1.EmailChannel_Tls{ServerName: "a.example.com"}
			})
			tt.in.Name = c.GetName()
			got, err := b.channels.UpdateEmailChannel(t.Context(), &mailintakev1.UpdateEmailChannelRequest{EmailChannel: tt.in, UpdateMask: &fieldmaskpb.FieldMask{Paths: tt.mask}})
			if err != nil {
				t.Fatal(err)
			}
			if !tt.check(got) {
				t.Errorf("got %v", got)
			}
			detail := "none"
			if len(b.store.audit) > 1 {
				detail = b.store.audit[1].Detail
			}
			if detail != tt.audit {
				t.Errorf("got audit of %s, want %s", detail, tt.audit)
			}
			wantPassword := "correct horse"
			if tt.audit == "password" {
				wantPassword = "new"
			}
			if got := b.store.secrets[1].Reveal(); got != wantPassword {
				t.Errorf("got password %q", got)
			}
		})
	}
}

func TestUpdateRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.create(t, "support")
	update := func(in *mailintakev1.EmailChannel, mask ...string) error {
		in.Name = c.GetName()
		_, err := b.channels.UpdateEmailChannel(t.Context(), &mailintakev1.UpdateEmailChannelRequest{EmailChannel: in, UpdateMask: &fieldmaskpb.FieldMask{Paths: mask}})
		return err
	}
	want(t, update(&mailintakev1.EmailChannel{}, "colour"), codes.InvalidArgument, "INVALID_FIELD", "update_mask")
	want(t, update(&mailintakev1.EmailChannel{}, "tls.colour"), codes.InvalidArgument, "INVALID_FIELD", "update_mask")
	want(t, update(&mailintakev1.EmailChannel{}, "host.x"), codes.InvalidArgument, "INVALID_FIELD", "update_mask")
	want(t, update(&mailintakev1.EmailChannel{}, "name.x"), codes.InvalidArgument, "INVALID_FIELD", "update_mask")
	want(t, update(channel(), "*", "host"), codes.InvalidArgument, "INVALID_FIELD", "update_mask")
	want(t, update(&mailintakev1.EmailChannel{}, "password"), codes.InvalidArgument, "INVALID_FIELD", "email_channel.password")
	want(t, update(&mailintakev1.EmailChannel{}, "display_name"), codes.InvalidArgument, "INVALID_FIELD", "email_channel.display_name")
	want(t, update(&mailintakev1.EmailChannel{}, "*"), codes.InvalidArgument, "INVALID_FIELD",
		"email_channel.display_name", "email_channel.email_address", "email_channel.protocol")
	// What does not fit what stays.
	if err := update(&mailintakev1.EmailChannel{Folders: []string{"A"}}, "folders"); err != nil {
		t.Fatal(err)
	}
	want(t, update(&mailintakev1.EmailChannel{Protocol: mailintakev1.EmailChannel_POP3}), codes.InvalidArgument, "INVALID_FIELD", "email_channel.folders")
	// The initial sync is over once it was decided.
	b.store.channels[c.GetName()].Started = time.Unix(1, 0)
	want(t, update(&mailintakev1.EmailChannel{InitialSync: mailintakev1.EmailChannel_ALL}, "initial_sync"), codes.FailedPrecondition, "INITIAL_SYNC_DONE")
	if err := update(&mailintakev1.EmailChannel{InitialSync: mailintakev1.EmailChannel_NEW_ONLY, Script: "x"}, "initial_sync", "script"); err != nil {
		t.Errorf("an unchanged initial sync: %v", err)
	}
	_, err := b.channels.UpdateEmailChannel(t.Context(), &mailintakev1.UpdateEmailChannelRequest{})
	want(t, err, codes.InvalidArgument, "INVALID_FIELD", "email_channel")
}

func TestDeleteAndUndelete(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	c := b.create(t, "support")
	_, err := b.channels.UndeleteEmailChannel(ctx, &mailintakev1.UndeleteEmailChannelRequest{Name: c.GetName()})
	want(t, err, codes.AlreadyExists, "RESOURCE_EXISTS")
	gone, err := b.channels.DeleteEmailChannel(ctx, &mailintakev1.DeleteEmailChannelRequest{Name: c.GetName(), Etag: c.GetEtag()})
	if err != nil || gone.GetDeleteTime() == nil || gone.GetState() != mailintakev1.EmailChannel_DISABLED {
		t.Fatalf("delete: %v, %v", gone, err)
	}
	_, err = b.channels.DeleteEmailChannel(ctx, &mailintakev1.DeleteEmailChannelRequest{Name: c.GetName()})
	want(t, err, codes.NotFound, "RESOURCE_NOT_FOUND")
	_, err = b.channels.UpdateEmailChannel(ctx, &mailintakev1.UpdateEmailChannelRequest{EmailChannel: &mailintakev1.EmailChannel{Name: c.GetName(), Script: "x"}})
	want(t, err, codes.FailedPrecondition, "RESOURCE_DELETED")
	_, err = b.channels.CreateEmailChannel(ctx, &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: "support", EmailChannel: channel()})
	want(t, err, codes.AlreadyExists, "RESOURCE_DELETED")
	_, err = b.replays.CreateReplay(ctx, &mailintakev1.CreateReplayRequest{Parent: "tenants/acme", Replay: &mailintakev1.Replay{EmailChannel: c.GetName(), Kind: mailintakev1.Replay_EVENTS}})
	want(t, err, codes.FailedPrecondition, "RESOURCE_DELETED")
	for deleted, n := range map[bool]int{false: 0, true: 1} {
		list, err := b.channels.ListEmailChannels(ctx, &mailintakev1.ListEmailChannelsRequest{Parent: "tenants/acme", ShowDeleted: deleted})
		if err != nil || len(list.GetEmailChannels()) != n {
			t.Errorf("list with show_deleted=%v: %v, %v", deleted, list, err)
		}
	}
	if got, err := b.channels.GetEmailChannel(ctx, &mailintakev1.GetEmailChannelRequest{Name: c.GetName()}); err != nil || got.GetDeleteTime() == nil {
		t.Errorf("get of a deleted channel: %v, %v", got, err)
	}
	back, err := b.channels.UndeleteEmailChannel(ctx, &mailintakev1.UndeleteEmailChannelRequest{Name: c.GetName(), Etag: gone.GetEtag()})
	if err != nil || back.GetDeleteTime() != nil {
		t.Errorf("undelete: %v, %v", back, err)
	}
}

func TestStatusIsShown(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "support")
	at := time.Date(2026, 5, 6, 7, 8, 9, 0, time.UTC)
	c := b.store.channels["tenants/acme/emailChannels/support"]
	c.Health = ingest.Health{State: ingest.StateAuthFailed, Reason: ingest.ReasonLoginRefused, ServerText: "NO \xff", Hint: "Check the password.", Detail: "login: refused",
		Since: at, Failures: 3, LastAttempt: at, LastSuccess: at, NextAttempt: at, Backlog: 4, Visit: ingest.Counts{Listed: 36, Known: 1, Stored: 2, Duplicate: 3, Deferred: 4, Quarantined: 5, Skipped: 6, Gone: 15}}
	c.Cursor, c.Owner, c.NextSequence, c.Deferred, c.Quarantined = ingest.Cursor{Folder: "INBOX", UIDValidity: 7, LastUID: 8}, "replica", 9, 10, 11
	got, err := b.channels.GetEmailChannel(t.Context(), &mailintakev1.GetEmailChannelRequest{Name: c.Name()})
	if err != nil {
		t.Fatal(err)
	}
	ts := timestamppb.New(at)
	want := &mailintakev1.EmailChannel_Status{Reason: "LOGIN_REFUSED", ServerText: "NO \uFFFD", Hint: "Check the password.", Detail: "login: refused", SinceTime: ts,
		ConsecutiveFailures: 3, LastAttemptTime: ts, LastSuccessTime: ts, NextAttemptTime: ts, Backlog: 4,
		Cursor: &mailintakev1.EmailChannel_Cursor{Folder: "INBOX", UidValidity: 7, LastUid: 8}, Owner: "replica",
		LastVisit:    &mailintakev1.EmailChannel_Counts{Listed: 36, Known: 1, Stored: 2, Duplicate: 3, Deferred: 4, Quarantined: 5, Skipped: 6, Gone: 15},
		NextSequence: 9, Deferred: 10, Quarantined: 11}
	if diff := cmp.Diff(got.GetStatus(), want, protocmp.Transform()); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	if got.GetState() != mailintakev1.EmailChannel_AUTH_FAILED {
		t.Errorf("got state %v", got.GetState())
	}
}

// The numbers of the wire and of package ingest are used for each other.
func TestEnumsAgree(t *testing.T) {
	t.Parallel()
	for n, name := range mailintakev1.EmailChannel_State_name {
		if got := ingest.State(n).String(); got != name {
			t.Errorf("state %d: got %s, want %s", n, got, name)
		}
	}
	for n, name := range mailintakev1.EmailChannel_Protocol_name {
		if got := ingest.Protocol(n).String(); got != name {
			t.Errorf("protocol %d: got %s, want %s", n, got, name)
		}
	}
	for n, name := range mailintakev1.Replay_Kind_name {
		if got := ingest.ReplayKind(n).String(); got != name {
			t.Errorf("kind %d: got %s, want %s", n, got, name)
		}
	}
	for n, name := range mailintakev1.Replay_State_name {
		if got := ingest.ReplayState(n).String(); got != name {
			t.Errorf("replay state %d: got %s, want %s", n, got, name)
		}
	}
	for n, name := range mailintakev1.TestEmailChannelResponse_Stage_Kind_name {
		if got := control.Stage(n).String(); got != name {
			t.Errorf("stage %d: got %s, want %s", n, got, name)
		}
	}
	for n, name := range mailintakev1.EmailChannel_InitialSync_name {
		if n > 0 && ingest.InitialSync(n-1).String() != name {
			t.Errorf("initial sync %d is not %s", n, name)
		}
	}
	for n, name := range mailintakev1.EmailChannel_Settlement_name {
		if n > 0 && ingest.Settlement(n-1).String() != name {
			t.Errorf("settlement %d is not %s", n, name)
		}
	}
}

func TestConnectionTest(t *testing.T) {
	t.Parallel()
	b := setup(t)
	saved := b.create(t, "support")
	var seen []ingest.Mailbox
	b.prober = func(_ context.Context, m ingest.Mailbox) control.Probe {
		seen = append(seen, m)
		return control.Probe{
			Took:      map[control.Stage]time.Duration{control.StageDNS: 1, control.StageTCP: 2, control.StageTLS: 3, control.StageGreeting: 4, control.StageLogin: 5, control.StageFolder: 6},
			Addresses: []string{"192.0.2.1"}, RemoteAddress: "192.0.2.1:993", TLSVersion: "TLS 1.3", TLSCipher: "TLS_AES_128_GCM_SHA256",
			CertificateNotAfter: time.Unix(1.9e9, 0), Greeting: "* OK", Capabilities: []string{"IMAP4rev1"}, Messages: 0, Notes: []string{"a note"},
		}
	}
	got, err := b.channels.TestEmailChannel(t.Context(), &mailintakev1.TestEmailChannelRequest{Parent: "tenants/acme", Name: saved.GetName()})
	if err != nil {
		t.Fatal(err)
	}
	stage := func(k mailintakev1.TestEmailChannelResponse_Stage_Kind, took int32) *mailintakev1.TestEmailChannelResponse_Stage {
		return &mailintakev1.TestEmailChannelResponse_Stage{Kind: k, Ok: true, Took: &durationpb.Duration{Nanos: took}}
	}
	wantReply := &mailintakev1.TestEmailChannelResponse{Ok: true, Stages: []*mailintakev1.TestEmailChannelResponse_Stage{
		stage(mailintakev1.TestEmailChannelResponse_Stage_DNS, 1), stage(mailintakev1.TestEmailChannelResponse_Stage_TCP, 2), stage(mailintakev1.TestEmailChannelResponse_Stage_TLS, 3),
		stage(mailintakev1.TestEmailChannelResponse_Stage_GREETING, 4), stage(mailintakev1.TestEmailChannelResponse_Stage_LOGIN, 5), stage(mailintakev1.TestEmailChannelResponse_Stage_FOLDER, 6)},
		Addresses: []string{"192.0.2.1"}, RemoteAddress: "192.0.2.1:993", Greeting: "* OK", Capabilities: []string{"IMAP4rev1"}, Folder: "INBOX", MessageCount: proto.Int64(0), Notes: []string{"a note"},
		Tls: &mailintakev1.TestEmailChannelResponse_TlsInfo{Version: "TLS 1.3", CipherSuite: "TLS_AES_128_GCM_SHA256", CertificateNotAfterTime: &timestamppb.Timestamp{Seconds: 1.9e9}}}
	if diff := cmp.Diff(got, wantReply, protocmp.Transform()); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}

	// An unsaved configuration borrows the saved password.
	draft := &mailintakev1.EmailChannel{Protocol: mailintakev1.EmailChannel_POP3, Host: "Draft.Example.COM", Username: "other"}
	if _, err := b.channels.TestEmailChannel(t.Context(), &mailintakev1.TestEmailChannelRequest{Parent: "tenants/acme", Name: saved.GetName(), EmailChannel: draft}); err != nil {
		t.Fatal(err)
	}
	draft.Password = "draft"
	if _, err := b.channels.TestEmailChannel(t.Context(), &mailintakev1.TestEmailChannelRequest{Parent: "tenants/acme", EmailChannel: draft}); err != nil {
		t.Fatal(err)
	}
	var logins []string
	for _, m := range seen {
		logins = append(logins, fmt.Sprint(m.Protocol, " ", m.Host, ":", m.Port, " ", m.Username, " ", m.Password.Reveal(), " ", m.StartTLS, " ", m.Folder))
	}
	if diff := cmp.Diff(logins, []string{"IMAPS mail.example.com:993 support correct horse true INBOX", "POP3 draft.example.com:110 other correct horse true ", "POP3 draft.example.com:110 other draft true "}); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	if len(b.store.audit) != 1 || len(b.store.channels) != 1 {
		t.Error("a test left something behind")
	}
	test := func(r *mailintakev1.TestEmailChannelRequest) error {
		_, err := b.channels.TestEmailChannel(t.Context(), r)
		return err
	}
	want(t, test(&mailintakev1.TestEmailChannelRequest{Parent: "tenants/acme"}), codes.InvalidArgument, "INVALID_FIELD", "")
	want(t, test(&mailintakev1.TestEmailChannelRequest{Parent: "tenants/other", Name: saved.GetName()}), codes.InvalidArgument, "INVALID_FIELD", "name")
	draft.Password = ""
	want(t, test(&mailintakev1.TestEmailChannelRequest{Parent: "tenants/acme", EmailChannel: draft}), codes.InvalidArgument, "INVALID_FIELD", "email_channel.password")
	draft.Host = "imap://x"
	want(t, test(&mailintakev1.TestEmailChannelRequest{Parent: "tenants/acme", EmailChannel: draft}), codes.InvalidArgument, "INVALID_FIELD", "email_channel.host")
}

// The stage that fails is the one behind the last that was passed, in the order of the connection.
func TestConnectionTestFailures(t *testing.T) {
	t.Parallel()
	refused := &ingest.Error{Op: "x", Kind: ingest.KindAuth, Reason: ingest.ReasonLoginRefused, Server: "NO bad", Hint: "Check it."}
	for _, tt := range []struct {
		name     string
		protocol mailintakev1.EmailChannel_Protocol
		starttls mailintakev1.EmailChannel_Tls_Starttls
		host     string
		passed   []control.Stage
		err      error
		want     string
	}{
		{"nothing", mailintakev1.EmailChannel_IMAPS, 0, "a.example", nil, refused, "DNS!LOGIN_REFUSED"},
		{"address", mailintakev1.EmailChannel_IMAPS, 0, "192.0.2.1", nil, refused, "TCP!LOGIN_REFUSED"},
		{"implicit TLS", mailintakev1.EmailChannel_POP3S, 0, "a.example", []control.Stage{control.StageDNS, control.StageTCP}, refused, "DNS TCP TLS!LOGIN_REFUSED"},
		{"greeting comes first with STARTTLS", mailintakev1.EmailChannel_IMAP, 0, "a.example", []control.Stage{control.StageDNS, control.StageTCP, control.StageGreeting}, refused, "DNS TCP GREETING TLS!LOGIN_REFUSED"},
		{"plain", mailintakev1.EmailChannel_POP3, mailintakev1.EmailChannel_Tls_DISABLED, "a.example", []control.Stage{control.StageDNS, control.StageTCP, control.StageGreeting}, refused, "DNS TCP GREETING LOGIN!LOGIN_REFUSED"},
		{"behind all stages", mailintakev1.EmailChannel_POP3, mailintakev1.EmailChannel_Tls_DISABLED, "a.example",
			[]control.Stage{control.StageDNS, control.StageTCP, control.StageGreeting, control.StageLogin, control.StageFolder}, refused, "DNS TCP GREETING LOGIN FOLDER!LOGIN_REFUSED"},
		{"time", mailintakev1.EmailChannel_IMAPS, 0, "a.example", []control.Stage{control.StageDNS}, context.DeadlineExceeded, "DNS TCP!TIMEOUT"},
		{"fault of ours", mailintakev1.EmailChannel_IMAPS, 0, "a.example", []control.Stage{control.StageDNS}, errors.New("bug"), "DNS TCP!INTERNAL"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := setup(t)
			b.prober = func(context.Context, ingest.Mailbox) control.Probe {
				p := control.Probe{Took: map[control.Stage]time.Duration{}, Err: tt.err}
				for _, s := range tt.passed {
					p.Took[s] = time.Millisecond
				}
				return p
			}
			r, err := b.channels.TestEmailChannel(t.Context(), &mailintakev1.TestEmailChannelRequest{Parent: "tenants/acme", EmailChannel: &mailintakev1.EmailChannel{
				Protocol: tt.protocol, Starttls: tt.starttls, Host: tt.host, Username: "u", Password: "p"}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range r.GetStages() {
				name := s.GetKind().String()
				if !s.GetOk() {
					name += "!" + s.GetError().GetReason()
				}
				got = append(got, name)
			}
			if s := strings.Join(got, " "); s != tt.want || r.GetOk() || r.MessageCount != nil {
				t.Errorf("got %s, want %s (%v)", s, tt.want, r)
			}
			last := r.GetStages()[len(r.GetStages())-1].GetError()
			if errors.Is(tt.err, refused) && (last.GetServerText() != "NO bad" || last.GetHint() != "Check it.") {
				t.Errorf("got %v", last)
			}
		})
	}
}

func TestFilterFailed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for i := range 8 {
		c := b.create(t, fmt.Sprintf("c%d", i+1))
		b.store.channels[c.GetName()].Health.State = ingest.State(i + 1)
	}
	for filter, want := range map[string]string{
		"":                                      "c1 c2 c3 c4 c5 c6 c7 c8",
		"failed":                                "c4 c5 c6 c7 c8",
		`state = "ACTIVE"`:                      "c3",
		`state="ACTIVE"`:                        "c3",
		`state != "DISABLED"`:                   "c2 c3 c4 c5 c6 c7 c8",
		`state = "ACTIVE" OR state = "PENDING"`: "c2 c3",
		`failed AND state != "THROTTLED" AND state != "STALLED"`:         "c4 c5 c6",
		`failed OR state = "PENDING" AND state != "BACKING_OFF"`:         "c2 c5 c6 c7 c8",
		`state = "AUTH_FAILED" AND state = "CONFIG_ERROR" OR failed`:     "c5",
		`state != "ACTIVE" AND state != "PENDING" AND state = "STALLED"`: "c8",
	} {
		r, err := b.channels.ListEmailChannels(t.Context(), &mailintakev1.ListEmailChannelsRequest{Parent: "tenants/acme", Filter: filter})
		if err != nil {
			t.Errorf("%s: %v", filter, err)
			continue
		}
		var got []string
		for _, c := range r.GetEmailChannels() {
			got = append(got, c.GetName()[strings.LastIndexByte(c.GetName(), '/')+1:])
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%s: got %s, want %s", filter, g, want)
		}
	}
}

// A page is cut before it is too large for a client, and the next one goes on behind the cut.
func TestLargePagesAreCut(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var names []string
	for i := range 80 {
		c := b.create(t, fmt.Sprintf("c%02d", i))
		b.store.channels[c.GetName()].Settings.TLSCAPEM = strings.Repeat("x", 64<<10)
		names = append(names, c.GetName())
	}
	var got []string
	pages := 0
	for token := ""; ; pages++ {
		r, err := b.channels.ListEmailChannels(t.Context(), &mailintakev1.ListEmailChannelsRequest{Parent: "tenants/acme", PageSize: 1000, PageToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range r.GetEmailChannels() {
			got = append(got, c.GetName())
		}
		if token = r.GetNextPageToken(); token == "" {
			break
		}
	}
	if !slices.Equal(got, names) || pages != 1 {
		t.Errorf("got %d of %d channels in %d pages", len(got), len(names), pages+1)
	}
}
