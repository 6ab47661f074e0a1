package rpc_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mailintake/mailintake/ingest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

func TestCreateReplayRefuses(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.create(t, "imap")
	b.create(t, "pop", func(c *mailintakev1.EmailChannel) { c.Protocol = mailintakev1.EmailChannel_POP3 })
	b.create(t, "off", func(c *mailintakev1.EmailChannel) { c.Enabled = false })
	const fetch, events, retry = mailintakev1.Replay_FETCH, mailintakev1.Replay_EVENTS, mailintakev1.Replay_RETRY
	now := timestamppb.New(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	for _, tt := range []struct {
		name, channel string
		kind          mailintakev1.Replay_Kind
		rng           *mailintakev1.Replay_Range
		code          codes.Code
		reason, field string
	}{
		{"no kind", "imap", 0, nil, codes.InvalidArgument, "INVALID_FIELD", "replay.kind"},
		{"unknown kind", "imap", 9, nil, codes.InvalidArgument, "INVALID_FIELD", "replay.kind"},
		{"sequences to fetch", "imap", fetch, &mailintakev1.Replay_Range{FirstSequence: 1}, codes.InvalidArgument, "INVALID_FIELD", "replay.range.first_sequence"},
		{"UIDs of events", "imap", events, &mailintakev1.Replay_Range{LastUid: 1}, codes.InvalidArgument, "INVALID_FIELD", "replay.range.first_uid"},
		{"UIDs over POP3", "pop", fetch, &mailintakev1.Replay_Range{FirstUid: 1}, codes.InvalidArgument, "INVALID_FIELD", "replay.range.first_uid"},
		{"dates over POP3", "pop", fetch, &mailintakev1.Replay_Range{EndTime: now}, codes.InvalidArgument, "INVALID_FIELD", "replay.range.start_time"},
		{"range to retry", "imap", retry, &mailintakev1.Replay_Range{StartTime: now}, codes.InvalidArgument, "INVALID_FIELD", "replay.range"},
		{"UIDs upside down", "imap", fetch, &mailintakev1.Replay_Range{FirstUid: 5, LastUid: 4}, codes.InvalidArgument, "INVALID_FIELD", "replay.range.last_uid"},
		{"sequences upside down", "imap", events, &mailintakev1.Replay_Range{FirstSequence: 5, LastSequence: 4}, codes.InvalidArgument, "INVALID_FIELD", "replay.range.last_sequence"},
		{"negative sequence", "imap", events, &mailintakev1.Replay_Range{FirstSequence: -5}, codes.InvalidArgument, "INVALID_FIELD", "replay.range.first_sequence"},
		{"empty time", "imap", fetch, &mailintakev1.Replay_Range{StartTime: now, EndTime: now}, codes.InvalidArgument, "INVALID_FIELD", "replay.range.end_time"},
		{"impossible time", "imap", fetch, &mailintakev1.Replay_Range{StartTime: &timestamppb.Timestamp{Seconds: -1 << 60}}, codes.InvalidArgument, "INVALID_FIELD", "replay.range.start_time"},
		{"UIDs to parse", "imap", mailintakev1.Replay_PARSE, &mailintakev1.Replay_Range{FirstUid: 1}, codes.InvalidArgument, "INVALID_FIELD", "replay.range.first_uid"},
		{"sequences to parse upside down", "imap", mailintakev1.Replay_PARSE, &mailintakev1.Replay_Range{FirstSequence: 5, LastSequence: 4}, codes.InvalidArgument, "INVALID_FIELD", "replay.range.last_sequence"},
		{"disabled fetch", "off", fetch, nil, codes.FailedPrecondition, "CHANNEL_DISABLED", ""},
		{"disabled retry", "off", retry, nil, codes.FailedPrecondition, "CHANNEL_DISABLED", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := b.replays.CreateReplay(t.Context(), &mailintakev1.CreateReplayRequest{Parent: "tenants/acme",
				Replay: &mailintakev1.Replay{EmailChannel: "tenants/acme/emailChannels/" + tt.channel, Kind: tt.kind, Range: tt.rng}})
			if tt.field == "" {
				want(t, err, tt.code, tt.reason)
			} else {
				want(t, err, tt.code, tt.reason, tt.field)
			}
		})
	}
	_, err := b.replays.CreateReplay(t.Context(), &mailintakev1.CreateReplayRequest{Parent: "tenants/other", Replay: &mailintakev1.Replay{EmailChannel: "tenants/acme/emailChannels/imap", Kind: retry}})
	want(t, err, codes.InvalidArgument, "INVALID_FIELD", "replay.email_channel")
	_, err = b.replays.CreateReplay(t.Context(), &mailintakev1.CreateReplayRequest{Parent: "tenants/acme"})
	want(t, err, codes.InvalidArgument, "INVALID_FIELD", "replay")
	if len(b.store.replays) != 0 {
		t.Errorf("refused replays were stored: %v", b.store.replays)
	}
	if _, err := b.replays.CreateReplay(t.Context(), &mailintakev1.CreateReplayRequest{Parent: "tenants/acme", Replay: &mailintakev1.Replay{EmailChannel: "tenants/acme/emailChannels/off", Kind: events}}); err != nil {
		t.Errorf("events of a disabled channel: %v", err)
	}
	parse := &mailintakev1.Replay{EmailChannel: "tenants/acme/emailChannels/off", Kind: mailintakev1.Replay_PARSE, DryRun: true,
		Range: &mailintakev1.Replay_Range{FirstSequence: 1, LastSequence: 50, StartTime: now}}
	made, err := b.replays.CreateReplay(t.Context(), &mailintakev1.CreateReplayRequest{Parent: "tenants/acme", Replay: parse})
	if err != nil || made.GetKind() != mailintakev1.Replay_PARSE || !made.GetDryRun() || made.GetRange().GetLastSequence() != 50 {
		t.Errorf("parsing a disabled channel again: %v, %v", made, err)
	}
}

func TestReplays(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	for _, id := range []string{"a", "b"} {
		b.create(t, id)
	}
	in := &mailintakev1.Replay{EmailChannel: "tenants/acme/emailChannels/a", Kind: mailintakev1.Replay_FETCH, DryRun: true,
		Range: &mailintakev1.Replay_Range{FirstUid: 3, LastUid: 9, StartTime: timestamppb.New(time.Unix(1.7e9, 0)), EndTime: timestamppb.New(time.Unix(1.8e9, 0))}}
	made, err := b.replays.CreateReplay(ctx, &mailintakev1.CreateReplayRequest{Parent: "tenants/acme", Replay: in})
	if err != nil {
		t.Fatal(err)
	}
	in.Name, in.State, in.RequestedBy, in.CreateTime, in.Progress = made.GetName(), mailintakev1.Replay_QUEUED, "local", timestamppb.New(b.store.clock), &mailintakev1.Replay_Progress{}
	if diff := cmp.Diff(made, in, protocmp.Transform()); diff != "" {
		t.Errorf("got -, want +:\n%s", diff)
	}
	if got, want := b.store.audit[2].Detail, "FETCH uids 3-9 from 2023-11-14T22:13:20Z until 2027-01-15T08:00:00Z dry run"; got != want {
		t.Errorf("got audit %q, want %q", got, want)
	}

	b.store.replays[0].State, b.store.replays[0].Error = ingest.ReplayFailed, "gone"
	b.store.replays[0].Progress = ingest.Progress{Matched: 1, Known: 2, Missing: 3, Stored: 4, Failed: 5, Done: 6, Changed: 7, Fields: map[string]int{"text": 7, "bad\xff": 1},
		Examples: []ingest.Example{{Message: "tenants/acme/emailChannels/a/messages/x", Fields: []ingest.Change{{Field: "text", Old: "\xffa", New: "b"}}}}}
	got, err := b.replays.GetReplay(ctx, &mailintakev1.GetReplayRequest{Name: made.GetName()})
	in.State, in.Error = mailintakev1.Replay_FAILED, "gone"
	in.Progress = &mailintakev1.Replay_Progress{Matched: 1, Known: 2, Missing: 3, Stored: 4, Failed: 5, Done: 6, Changed: 7, ChangedFields: map[string]int64{"text": 7, "bad\uFFFD": 1},
		Examples: []*mailintakev1.Replay_MessageChange{{Message: "tenants/acme/emailChannels/a/messages/x", Fields: []*mailintakev1.Replay_FieldChange{{Field: "text", OldValue: "\uFFFDa", NewValue: "b"}}}}}
	if diff := cmp.Diff(got, in, protocmp.Transform()); err != nil || diff != "" {
		t.Errorf("get: %v, got -, want +:\n%s", err, diff)
	}

	for i := range 4 {
		r := &mailintakev1.Replay{EmailChannel: "tenants/acme/emailChannels/" + []string{"a", "b"}[i%2], Kind: mailintakev1.Replay_RETRY}
		if _, err := b.replays.CreateReplay(ctx, &mailintakev1.CreateReplayRequest{Parent: "tenants/acme", Replay: r}); err != nil {
			t.Fatal(err)
		}
	}
	number := map[string]int{}
	for i, r := range b.store.replays {
		number["tenants/acme/replays/"+r.ID] = i
	}
	for _, tt := range []struct {
		filter string
		size   int32
		want   string
	}{
		{"", 0, "4 3 2 1 0"},
		{"", 2, "4 3 | 2 1 | 0"},
		{`email_channel = "tenants/acme/emailChannels/a"`, 0, "3 1 0"},
		{`email_channel = "tenants/acme/emailChannels/a" AND state = "QUEUED"`, 1, "3 | 1"},
		{`state = "FAILED" OR state = "CANCELLED"`, 0, "0"},
		{`state != "QUEUED" AND state != "FAILED"`, 0, ""},
		{`state = "QUEUED" AND state = "FAILED"`, 0, ""},
	} {
		var got []string
		r := &mailintakev1.ListReplaysRequest{Parent: "tenants/acme", Filter: tt.filter, PageSize: tt.size}
		for {
			reply, err := b.replays.ListReplays(ctx, r)
			if err != nil {
				t.Fatalf("%s: %v", tt.filter, err)
			}
			for _, p := range reply.GetReplays() {
				got = append(got, fmt.Sprint(number[p.GetName()]))
			}
			if r.PageToken = reply.GetNextPageToken(); r.PageToken == "" {
				break
			}
			got = append(got, "|")
		}
		if g := strings.Join(got, " "); g != tt.want {
			t.Errorf("%s: got %s, want %s", tt.filter, g, tt.want)
		}
	}
	for _, filter := range []string{`email_channel = "a"`, `email_channel = "tenants/other/emailChannels/a"`, `state = "DONE"`, `failed`,
		`email_channel = "tenants/acme/emailChannels/a" OR state = "QUEUED"`, `email_channel = ""`} {
		_, err := b.replays.ListReplays(ctx, &mailintakev1.ListReplaysRequest{Parent: "tenants/acme", Filter: filter})
		want(t, err, codes.InvalidArgument, "INVALID_FIELD", "filter")
	}

	last := "tenants/acme/replays/" + b.store.replays[4].ID
	for range 2 { // the second time it has ended already
		got, err := b.replays.CancelReplay(ctx, &mailintakev1.CancelReplayRequest{Name: last})
		if err != nil || got.GetState() != mailintakev1.Replay_CANCELLED {
			t.Errorf("cancel: %v, %v", got, err)
		}
	}
	if a := b.store.audit[len(b.store.audit)-1]; a.Action != "replay.cancel" || a.Resource != last {
		t.Errorf("got audit %v", a)
	}
}
