package store_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store"
)

// reparser are jobs whose parser, version 2, makes of a letter what letter does, changed.
func (b *bench) reparser(change func(uid uint32, m *ingest.Mail)) *store.Jobs {
	return &store.Jobs{Store: b.Store, Log: slog.New(slog.DiscardHandler), Version: 2,
		Parse: func(_ context.Context, _ *ingest.Channel, o ingest.Octets) *ingest.Mail {
			r, err := o.Open()
			if err != nil {
				return &ingest.Mail{}
			}
			all, _ := io.ReadAll(r) // that it could not be read is for the caller to notice
			var uid uint32
			if _, err := fmt.Sscanf(string(all), "letter %d", &uid); err != nil {
				return &ingest.Mail{Subject: "not a letter"}
			}
			m := letter(uid, nil).Mail
			change(uid, m)
			return m
		},
		Amended: func(a ingest.Amendment) (string, []byte, error) {
			return "amended", fmt.Appendf(nil, `{"message":"m/%s","changed":"%s","old":%d,"new":%d,"sequence":%d,"replay":"%s"}`, uuidText(a.ID), strings.Join(a.Changed, " "),
				a.OldParser, a.Parser, a.Sequence, a.Replay), nil
		}}
}

// through takes steps of a replay until it is done.
func (b *bench) through(t *testing.T, j *store.Jobs, id string) ingest.Replay {
	t.Helper()
	for done := false; !done; {
		var err error
		if done, err = j.StepParse(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	return b.state(t, id)
}

func letters(from, to uint32) []ingest.Item {
	var items []ingest.Item
	for uid := from; uid <= to; uid++ {
		items = append(items, letter(uid, nil))
	}
	return items
}

func dry(r *ingest.Replay) { r.DryRun = true }

func TestReplayParse(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.mustCommit(t, letters(1, 5)...)
	j := b.reparser(func(uid uint32, m *ingest.Mail) {
		if uid%2 == 0 {
			m.Subject, m.Class, m.ReplyText = fmt.Sprintf("Grüße %d %s", uid, strings.Repeat("ü", 200)), ingest.ClassBounce, "hell"
			m.From = []ingest.Address{{Email: "Ann@example.com"}}
		}
	})
	name := func(uid uint32) string { return control.MessageName("acme", "support", r.IDs[ref(uid)]) }
	example := func(uid uint32) ingest.Example {
		return ingest.Example{Message: name(uid), Fields: []ingest.Change{
			{Field: "subject", Old: fmt.Sprintf("message %d", uid), New: fmt.Sprintf("Grüße %d %s", uid, strings.Repeat("ü", 95))},
			{Field: "from", New: `[{"email":"Ann@example.com"}]`}, {Field: "reply_text", Old: "hello", New: "hell"}, {Field: "message_class", New: "BOUNCE"}}}
	}
	want := ingest.Progress{Matched: 5, Done: 5, Changed: 2, Fields: map[string]int{"subject": 2, "from": 2, "reply_text": 2, "message_class": 2},
		Examples: []ingest.Example{example(2), example(4)}}

	got := b.through(t, j, b.replay(t, ingest.ReplayParse, dry).ID)
	if diff := cmp.Diff(want, got.Progress); diff != "" || got.State != ingest.ReplaySucceeded {
		t.Errorf("dry run: state %v (-want +got):\n%s", got.State, diff)
	}
	if n := b.Int(`select count(*) from message where parser_version = 1 and mail->>'Subject' like 'message%'`); n != 5 || b.Int(`select count(*) from event`) != 5 {
		t.Errorf("the dry run changed messages or made events; %d are as they were", n)
	}

	replay := b.replay(t, ingest.ReplayParse)
	got = b.through(t, j, replay.ID)
	if diff := cmp.Diff(want, got.Progress); diff != "" || got.State != ingest.ReplaySucceeded {
		t.Errorf("state %v (-want +got):\n%s", got.State, diff)
	}
	m := b.stored(t, r.IDs[ref(2)])
	if !strings.HasPrefix(m.Mail.Subject, "Grüße 2") || m.Mail.ReplyText != "hell" || m.Mail.Text != "hello" || m.Parser != 2 || m.Sequence != 2 || m.Thread.ID != uuidText(m.ID) {
		t.Errorf("got %+v", m)
	}
	if n := b.Int(`select count(*) from message where parser_version = 2`); n != 5 {
		t.Errorf("%d messages of the new parser, want all 5", n)
	}
	if n := b.Int(`select count(*) from message where sender = 'ann@example.com'`); n != 2 {
		t.Errorf("%d messages of the new sender, want 2", n)
	}
	if n := b.Int(`select count(*) from event where type = 'amended' and message_id is null and seq in (6, 7)
  and data = format('{"message":"m/%s","changed":"subject from reply_text message_class","old":1,"new":2,"sequence":%s,"replay":"%s"}',
    (select message_id from message m where m.seq = 2 * (event.seq - 5)), seq, $1::text)`, replay.ID); n != 2 {
		t.Errorf("%d events say what changed, want 2", n)
	}
	// Once more: nothing is different, so nothing is said. New mail comes behind.
	if got := b.through(t, j, b.replay(t, ingest.ReplayParse).ID); got.Progress.Changed != 0 || got.Progress.Done != 5 {
		t.Errorf("again: got %+v", got.Progress)
	}
	if r := b.mustCommit(t, letter(9, nil)); r.FirstSequence != 8 {
		t.Errorf("new mail has sequence %d, want 8", r.FirstSequence)
	}
	if vs := b.violations(t); len(vs) != 0 {
		t.Errorf("violations: %q", texts(vs))
	}
}

func TestReplayParseRanges(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustCommit(t, letters(1, 9)...)
	b.Exec(`update message set stored_at = '2026-01-01 00:00:00Z'::timestamptz + seq * interval '1 hour'`)
	hour := func(h int) time.Time { return time.Date(2026, 1, 1, h, 0, 0, 0, time.UTC) }
	for _, tc := range []struct {
		name string
		r    ingest.Range
		want []uint32
	}{
		{"all", ingest.Range{}, []uint32{1, 2, 3, 4, 5, 6, 7, 8, 9}},
		{"sequences", ingest.Range{FirstSequence: 3, LastSequence: 4}, []uint32{3, 4}},
		{"since", ingest.Range{Since: hour(8)}, []uint32{8, 9}},
		{"until", ingest.Range{Until: hour(3)}, []uint32{1, 2}},
		{"none", ingest.Range{FirstSequence: 10}, nil},
	} {
		var read []uint32
		j := b.reparser(func(uid uint32, _ *ingest.Mail) { read = append(read, uid) })
		got := b.through(t, j, b.replay(t, ingest.ReplayParse, func(r *ingest.Replay) { r.Range, r.DryRun = tc.r, true }).ID)
		if !slices.Equal(read, tc.want) || got.Progress.Matched != len(tc.want) || got.Progress.Done != len(tc.want) || got.State != ingest.ReplaySucceeded {
			t.Errorf("%s: parsed %v, %v %+v, want %v", tc.name, read, got.State, got.Progress, tc.want)
		}
	}
}

// Rows that an older parser made have no thread. A replay gives them one, and joins what came since.
func TestReplayParseFindsThreads(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.mustCommit(t, letters(1, 3)...)
	b.Exec(`update message set thread = null, threading = null, identifier = null, parent = null, fingerprint = null, sender = null, subject_key = null`)
	b.Exec(`delete from identifier`)
	late := b.mustCommit(t, letter(4, references("1@x")))
	if m := b.stored(t, r.IDs[ref(1)]); m.Thread.ID != "" {
		t.Fatalf("got %+v, want no thread yet", m.Thread)
	}
	find := control.MessageQuery{Tenant: "acme", Channel: "support", MessageID: "2@x", Limit: 10}
	if list, err := b.Messages(t.Context(), find); err != nil || len(list) != 1 || list[0].ID != r.IDs[ref(2)] {
		t.Errorf("a message without key is not found by its Message-ID: %d, %v", len(list), err)
	}
	change := func(uid uint32, m *ingest.Mail) {
		if uid == 2 {
			m.InReplyTo = []string{"1@x"}
		}
		if uid == 4 {
			m.References = []string{"1@x"}
		}
	}
	dryRun := b.through(t, b.reparser(change), b.replay(t, ingest.ReplayParse, dry).ID)
	got := b.through(t, b.reparser(change), b.replay(t, ingest.ReplayParse).ID)
	want := map[string]int{"thread": 3, "in_reply_to": 1}
	if diff := cmp.Diff(want, got.Progress.Fields); diff != "" {
		t.Errorf("fields (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, dryRun.Progress.Fields); diff != "" {
		t.Errorf("fields of the dry run (-want +got):\n%s", diff)
	}
	// The answer came into the database first, so its thread is the one that the others join.
	with := uuidText(late.IDs[ref(4)])
	for uid, want := range map[uint32]ingest.Thread{
		1: {ID: with, Method: "REFERENCES", Confidence: 100},
		2: {ID: with, Method: "IN_REPLY_TO", Confidence: 100, Parent: r.IDs[ref(1)]},
		3: {ID: uuidText(r.IDs[ref(3)]), Method: "NEW"},
	} {
		if diff := cmp.Diff(want, b.stored(t, r.IDs[ref(uid)]).Thread); diff != "" {
			t.Errorf("message %d (-want +got):\n%s", uid, diff)
		}
	}
	if th := b.stored(t, late.IDs[ref(4)]).Thread; th.Parent != r.IDs[ref(1)] || th.ParentMissing {
		t.Errorf("got %+v: its parent is known now", th)
	}
	if vs := b.violations(t); len(vs) != 0 {
		t.Errorf("violations: %q", texts(vs))
	}
}

// What was known on arrival alone is kept, and nobody is answered late.
func TestReplayParseKeepsWhatTheArrivalTold(t *testing.T) {
	t.Parallel()
	allowed := ingest.AutoReply{Allowed: true, Reason: "OK"}
	auth := ingest.Auth{SPF: ingest.VerdictPass, AuthservID: "mx.example.com"}
	for _, tc := range []struct {
		name           string
		old, new, want ingest.AutoReply
	}{
		{"allowed then and now", allowed, allowed, allowed},
		{"too many then", ingest.AutoReply{Reason: "RATE_SENDER"}, allowed, ingest.AutoReply{Reason: "RATE_SENDER"}},
		{"a list then", ingest.AutoReply{Reason: "LIST"}, allowed, ingest.AutoReply{Reason: "HISTORICAL"}},
		{"not known then", ingest.AutoReply{}, allowed, ingest.AutoReply{Reason: "HISTORICAL"}},
		{"a list now", allowed, ingest.AutoReply{Reason: "LIST"}, ingest.AutoReply{Reason: "LIST"}},
	} {
		b := setup(t)
		b.polled.Started = time.Now()
		r := b.mustCommit(t, letter(1, func(m *ingest.Mail) { m.AutoReply, m.Auth = tc.old, auth }))
		b.through(t, b.reparser(func(_ uint32, m *ingest.Mail) { m.AutoReply = tc.new }), b.replay(t, ingest.ReplayParse).ID)
		m := b.stored(t, r.IDs[ref(1)])
		if m.Mail.AutoReply != tc.want {
			t.Errorf("%s: got %+v, want %+v", tc.name, m.Mail.AutoReply, tc.want)
		}
		if diff := cmp.Diff(auth, m.Mail.Auth); diff != "" {
			t.Errorf("%s: verdicts (-want +got):\n%s", tc.name, diff)
		}
	}
}

// Workers that take each other for dead read the same portions; each message counts, and is announced, once.
func TestReplayParseBySeveralWorkersWhileMailComesIn(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 5*store.ParsePortion + 3
	b.mustCommit(t, letters(1, n)...)
	r := b.replay(t, ingest.ReplayParse)
	j := b.reparser(func(_ uint32, m *ingest.Mail) { m.Subject = "new" })
	var workers sync.WaitGroup
	for range 3 {
		workers.Go(func() {
			for done := false; !done; {
				var err error
				if done, err = j.StepParse(t.Context(), r.ID); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for uid := uint32(n + 1); uid <= n+20; uid++ {
		b.mustCommit(t, letter(uid, nil))
	}
	workers.Wait()
	got := b.state(t, r.ID)
	if p := got.Progress; p.Done != p.Matched || p.Changed != p.Matched || p.Matched < n || p.Fields["subject"] != p.Matched || len(p.Examples) != ingest.MaxExamples {
		t.Errorf("got %+v", p)
	}
	if events := b.Int(`select count(*) from event where type = 'amended'`); events != int64(got.Progress.Matched) {
		t.Errorf("%d amended events of %d messages", events, got.Progress.Matched)
	}
	if vs := b.violations(t); len(vs) != 0 {
		t.Errorf("violations: %q", texts(vs))
	}
}

func TestReplayParseGoesOnAfterAFailure(t *testing.T) {
	t.Parallel()
	b := setup(t)
	const n = 3 * store.ParsePortion
	b.mustCommit(t, letters(1, n)...)
	r := b.replay(t, ingest.ReplayParse)
	j := b.reparser(func(_ uint32, m *ingest.Mail) { m.Subject = "new" })
	encode, calls := j.Amended, 0
	j.Amended = func(a ingest.Amendment) (string, []byte, error) {
		if calls++; calls == store.ParsePortion+5 { // in the middle of the second portion
			return "", nil, fmt.Errorf("the process dies")
		}
		return encode(a)
	}
	if done, err := j.StepParse(t.Context(), r.ID); err == nil || done {
		t.Fatalf("got %v, %v", done, err)
	}
	if got := b.state(t, r.ID); got.Progress.Done != store.ParsePortion || got.State != ingest.ReplayRunning {
		t.Errorf("after the failure: %v %+v", got.State, got.Progress)
	}
	if got := b.through(t, j, r.ID); got.Progress.Done != n || got.Progress.Changed != n || got.Progress.Matched != n {
		t.Errorf("got %+v", got.Progress)
	}
	if events := b.Int(`select count(*) from event where type = 'amended'`); events != n {
		t.Errorf("%d events, want %d", events, n)
	}
	if vs := b.violations(t); len(vs) != 0 {
		t.Errorf("violations: %q", texts(vs))
	}
}

func TestReplayParseIsCancelled(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustCommit(t, letters(1, 3*store.ParsePortion)...)
	r := b.replay(t, ingest.ReplayParse)
	j := b.reparser(func(uid uint32, m *ingest.Mail) {
		m.Subject = "new"
		if uid == store.ParsePortion+1 {
			if _, err := b.CancelReplay(t.Context(), "acme", r.ID, control.Audit{Actor: "test", Action: "replay.cancel"}); err != nil {
				t.Error(err)
			}
		}
	})
	got := b.through(t, j, r.ID)
	if got.State != ingest.ReplayCancelled || got.Progress.Done != store.ParsePortion {
		t.Errorf("got %v %+v, want what was done before the cancellation", got.State, got.Progress)
	}
	if n := b.Int(`select count(*) from message where parser_version = 2`); n != store.ParsePortion {
		t.Errorf("%d messages were changed", n)
	}
}

// The owner's epoch goes on, whoever counts the sequence; a channel that nobody owns is no obstacle.
func TestReplayParseStandsInForTheOwner(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustCommit(t, letters(1, 3)...)
	subject := "one"
	j := b.reparser(func(_ uint32, m *ingest.Mail) { m.Subject = subject })
	b.Exec(`update channel_state set owner = null`)
	b.through(t, j, b.replay(t, ingest.ReplayParse).ID)
	b.own, subject = claim(t, b.DB, b.channel.ID), "two"
	b.through(t, j, b.replay(t, ingest.ReplayParse).ID)
	b.mustCommit(t, letter(4, nil))
	if n := b.Int(`select next_seq from channel_state`); n != 11 {
		t.Errorf("next sequence is %d, want 11", n)
	}
	if vs := b.violations(t); len(vs) != 0 {
		t.Errorf("violations: %q", texts(vs))
	}
}

func TestReplayParseOfWhatCannotBeParsed(t *testing.T) {
	t.Parallel()
	b := setup(t)
	r := b.mustCommit(t, letters(1, 3)...)
	j := b.reparser(func(uid uint32, m *ingest.Mail) {
		if uid == 2 {
			panic("cannot stand this one")
		}
		m.Subject = "new"
	})
	b.Exec(`delete from raw where message_id = $1`, uuidText(r.IDs[ref(3)]))
	got := b.through(t, j, b.replay(t, ingest.ReplayParse).ID)
	if p := got.Progress; got.State != ingest.ReplaySucceeded || p.Done != 3 || p.Failed != 2 || p.Changed != 1 {
		t.Errorf("got %v %+v", got.State, p)
	}
	for uid, want := range map[uint32]string{1: "new", 2: "message 2", 3: "message 3"} {
		if m := b.stored(t, r.IDs[ref(uid)]); m.Mail.Subject != want {
			t.Errorf("message %d is %q, want %q", uid, m.Mail.Subject, want)
		}
	}
	lacking := &store.Jobs{Store: b.Store, Log: slog.New(slog.DiscardHandler)}
	if got := b.through(t, lacking, b.replay(t, ingest.ReplayParse).ID); got.State != ingest.ReplayFailed || got.Error == "" {
		t.Errorf("a process without parser: got %v %q", got.State, got.Error)
	}
}

func TestReplayParseIsAJob(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.mustCommit(t, letters(1, 3)...)
	wake := b.Int(`select wake from channel where channel_id = $1`, b.channel.ID)
	j := b.reparser(func(_ uint32, m *ingest.Mail) { m.Subject = "new" })
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- j.Run(ctx) }()
	r := b.replay(t, ingest.ReplayParse)
	if got := b.ends(t, r.ID, ingest.ReplaySucceeded); got.Progress.Changed != 3 {
		t.Errorf("got %+v", got.Progress)
	}
	if n := b.Int(`select wake from channel where channel_id = $1`, b.channel.ID); n != wake {
		t.Error("the owner was woken for nothing")
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
