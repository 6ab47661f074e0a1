package main

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/mailintake/mailintake/internal/mailtest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// sampleMessages gives n small, different messages of our own, for tests that must also run where there is no corpus.
func sampleMessages(n int) [][]byte {
	msgs := make([][]byte, n)
	for i := range msgs {
		msgs[i] = fmt.Appendf(nil, "From: c%d@example.com\r\nTo: support@example.com\r\nSubject: message %d\r\nMessage-ID: <%d@example.com>\r\n\r\n%s\r\n",
			i, i, i, strings.Repeat(fmt.Sprintf("line of message %d. ", i), 20))
	}
	return msgs
}

func (s *stack) state(name string, want mailintakev1.EmailChannel_State, limit time.Duration) *mailintakev1.EmailChannel {
	s.t.Helper()
	var ch *mailintakev1.EmailChannel
	s.await("state "+want.String(), limit, func() bool {
		ch = s.get(name)
		return ch.State == want
	})
	return ch
}

// A mailbox whose password was wrong, one whose host was down and one whose cursor was moved past 20 messages are each
// brought back by a replay, and nothing comes twice.
func TestReplayBringsMailboxesBack(t *testing.T) {
	t.Parallel()
	dove := mailtest.StartDovecot(t, mailtest.DovecotOptions{Users: map[string]string{"wrong": "secret", "down": "secret", "moved": "secret"}})
	msgs := sampleMessages(60)
	for _, user := range []string{"wrong", "down", "moved"} {
		if err := dove.Deliver(user, msgs[:40]...); err != nil {
			t.Fatal(err)
		}
	}
	s := newStack(t)
	box := func(user, password string, port int) *mailintakev1.EmailChannel {
		return &mailintakev1.EmailChannel{Protocol: mailintakev1.EmailChannel_IMAPS, Host: "127.0.0.1", Port: int32(port),
			Tls: &mailintakev1.EmailChannel_Tls{CaPem: string(dove.CAPEM)}, Username: user, Password: password}
	}
	wrong := s.create("wrong", box("wrong", "not-the-secret", dove.IMAPS)).Name
	downPort := freePort(t)
	down := s.create("down", box("down", "secret", downPort)).Name
	moved := s.create("moved", box("moved", "secret", dove.IMAPS)).Name

	s.state(wrong, mailintakev1.EmailChannel_AUTH_FAILED, 20*time.Second)
	s.state(down, mailintakev1.EmailChannel_BACKING_OFF, 20*time.Second)
	s.awaitEvents("moved", 40, 30*time.Second)

	// A retry while the cause lasts says that it failed, and why.
	if r := s.replay(&mailintakev1.Replay{EmailChannel: wrong, Kind: mailintakev1.Replay_RETRY}); r.State != mailintakev1.Replay_FAILED || !strings.Contains(r.Error, "LOGIN_REFUSED") {
		t.Errorf("retry with the wrong password: got %v %q, want FAILED with LOGIN_REFUSED", r.State, r.Error)
	}
	// Mended at the server, not in the channel: only a retry tells us.
	if err := dove.SetPassword("wrong", "not-the-secret"); err != nil {
		t.Fatal(err)
	}
	proxy, err := mailtest.RunDelayProxy(dove.Addr("imaps"), 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Close)
	_, err = s.channels.UpdateEmailChannel(t.Context(), &mailintakev1.UpdateEmailChannelRequest{
		EmailChannel: &mailintakev1.EmailChannel{Name: down, Port: int32(proxy.Port())}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"port"}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{wrong, down} {
		if r := s.replay(&mailintakev1.Replay{EmailChannel: name, Kind: mailintakev1.Replay_RETRY}); r.State != mailintakev1.Replay_SUCCEEDED {
			t.Errorf("retry of %s: got %v %q", name, r.State, r.Error)
		}
	}
	s.awaitEvents("wrong", 40, 20*time.Second)
	s.awaitEvents("down", 40, 20*time.Second)

	// The cursor jumps over 20 messages that arrive meanwhile.
	s.stop()
	if err := dove.Deliver("moved", msgs[40:]...); err != nil {
		t.Fatal(err)
	}
	s.db.Exec(`update channel_state s set last_uid = 60, floor_uid = 60 from channel c where c.channel_id = s.channel_id and c.channel = 'moved'`)
	s.start()
	s.state(moved, mailintakev1.EmailChannel_ACTIVE, 20*time.Second)
	if r := s.replay(&mailintakev1.Replay{EmailChannel: moved, Kind: mailintakev1.Replay_RETRY}); r.State != mailintakev1.Replay_SUCCEEDED {
		t.Fatalf("retry: %v %q", r.State, r.Error)
	}
	s.awaitEvents("moved", 40, 0)
	dry := s.replay(&mailintakev1.Replay{EmailChannel: moved, Kind: mailintakev1.Replay_FETCH, DryRun: true})
	if p := dry.Progress; dry.State != mailintakev1.Replay_SUCCEEDED || p.Matched != 60 || p.Known != 40 || p.Missing != 20 || p.Stored != 0 {
		t.Errorf("dry run: got %v %+v, want 60 matched, 40 known, 20 missing, none stored", dry.State, p)
	}
	s.awaitEvents("moved", 40, 0)
	part := s.replay(&mailintakev1.Replay{EmailChannel: moved, Kind: mailintakev1.Replay_FETCH,
		Range: &mailintakev1.Replay_Range{FirstUid: 41, LastUid: 45}})
	if p := part.Progress; p.Matched != 5 || p.Stored != 5 {
		t.Errorf("fetch of UIDs 41 to 45: got %+v, want 5 matched and stored", p)
	}
	all := s.replay(&mailintakev1.Replay{EmailChannel: moved, Kind: mailintakev1.Replay_FETCH})
	if p := all.Progress; all.State != mailintakev1.Replay_SUCCEEDED || p.Matched != 60 || p.Known != 45 || p.Stored != 15 {
		t.Errorf("fetch of everything: got %v %q %+v, want 60 matched, 45 known, 15 stored", all.State, all.Error, p)
	}
	s.awaitEvents("moved", 60, 10*time.Second)

	// Publishing again: the same ids and sequences, marked, and no first publication more.
	again := s.replay(&mailintakev1.Replay{EmailChannel: moved, Kind: mailintakev1.Replay_EVENTS, Range: &mailintakev1.Replay_Range{FirstSequence: 11, LastSequence: 30}})
	if again.State != mailintakev1.Replay_SUCCEEDED || again.Progress.Done != 20 {
		t.Errorf("replay of events: got %v %q %+v, want 20 done", again.State, again.Error, again.Progress)
	}
	if events, replayed := s.stream("moved"); len(events) != 60 || replayed != 20 {
		t.Errorf("the stream has %d first publications and %d replayed, want 60 and 20", len(events), replayed)
	}
	if r := s.verify(); r.violations > 0 {
		t.Errorf("%d violations", r.violations)
	}
	if n := s.db.Int(`select count(*) from audit where action = 'replay.create'`); n != 8 {
		t.Errorf("%d replays in the audit, want 8", n)
	}
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// Each kind of trouble shows as itself, within its deadline, and no other channel notices.
func TestTroubleIsNamed(t *testing.T) {
	t.Parallel()
	ca := mailtest.NewCA()
	inbox := mailtest.NewMailbox()
	accounts := []mailtest.Account{{User: "u", Password: "p", Inbox: inbox}}
	serve := func(cert *mailtest.Certificate) int {
		srv := mailtest.StartIMAP(t, mailtest.IMAPOptions{Accounts: accounts, Cert: cert, ImplicitTLS: true})
		return srv.Port()
	}
	good := serve(ca.Server())
	silent, err := mailtest.RunRaw("127.0.0.1:0", mailtest.Silent)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(silent.Close)
	s := newStack(t)
	channel := func(host string, port int, password string) *mailintakev1.EmailChannel {
		return &mailintakev1.EmailChannel{Protocol: mailintakev1.EmailChannel_IMAPS, Host: host, Port: int32(port), Username: "u", Password: password,
			Tls: &mailintakev1.EmailChannel_Tls{CaPem: string(ca.PEM())}}
	}
	s.create("good", channel("127.0.0.1", good, "p"))
	for _, tt := range []struct {
		id     string
		ch     *mailintakev1.EmailChannel
		state  mailintakev1.EmailChannel_State
		reason string
		server bool // the server said something
	}{
		{"password", channel("127.0.0.1", good, "wrong"), mailintakev1.EmailChannel_AUTH_FAILED, "LOGIN_REFUSED", true},
		{"refused", channel("127.0.0.1", freePort(t), "p"), mailintakev1.EmailChannel_BACKING_OFF, "CONNECT_REFUSED", false},
		{"unknown", channel("no-such-host.invalid", 993, "p"), 0, "", false},
		{"expired", channel("127.0.0.1", serve(ca.Expired()), "p"), mailintakev1.EmailChannel_CONFIG_ERROR, "CERTIFICATE_EXPIRED", false},
		{"name", channel("127.0.0.1", serve(ca.WrongHost()), "p"), mailintakev1.EmailChannel_CONFIG_ERROR, "CERTIFICATE_NAME", false},
		{"silent", func() *mailintakev1.EmailChannel {
			c := channel("127.0.0.1", silent.Port(), "p")
			c.Protocol, c.Starttls, c.Tls = mailintakev1.EmailChannel_IMAP, mailintakev1.EmailChannel_Tls_DISABLED, nil
			return c
		}(), mailintakev1.EmailChannel_BACKING_OFF, "GREETING_TIMEOUT", false},
	} {
		t.Run(tt.id, func(t *testing.T) {
			name := s.create(tt.id, tt.ch).Name
			var ch *mailintakev1.EmailChannel
			s.await("trouble of "+tt.id, 60*time.Second, func() bool {
				ch = s.get(name)
				return ch.Status.GetReason() != ""
			})
			if tt.id == "unknown" { // a machine without DNS cannot know that the host does not exist
				if ch.Status.Reason != "HOST_NOT_FOUND" && ch.Status.Reason != "DNS_FAILED" {
					t.Errorf("got reason %s, want HOST_NOT_FOUND or DNS_FAILED", ch.Status.Reason)
				}
			} else if ch.State != tt.state || ch.Status.Reason != tt.reason {
				t.Errorf("got %v %s (%s), want %v %s", ch.State, ch.Status.Reason, ch.Status.Detail, tt.state, tt.reason)
			}
			if ch.Status.Hint == "" {
				t.Error("no hint what to do")
			}
			if tt.server && ch.Status.ServerText == "" {
				t.Error("what the server said is missing")
			}
			t.Logf("%v %s: %s | server: %q | hint: %s", ch.State, ch.Status.Reason, ch.Status.Detail, ch.Status.ServerText, ch.Status.Hint)
		})
	}
	for _, m := range sampleMessages(3) {
		inbox.Append(m)
	}
	s.awaitEvents("good", 3, 20*time.Second)
	_, err = s.channels.GetEmailChannel(t.Context(), &mailintakev1.GetEmailChannelRequest{Name: "tenants/acme/emailChannels/nobody"})
	if status.Code(err) != codes.NotFound {
		t.Errorf("an unknown channel gives %v, want NotFound", err)
	}
}
