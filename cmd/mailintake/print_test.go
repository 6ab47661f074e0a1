package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/mailintake/mailintake/ingest/relay"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

func TestPlain(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"text", "Grüße aus 東京", "Grüße aus 東京"},
		{"escape sequence", "a\x1b[2J\x1b]0;title\x07b", "a [2J ]0;title b"},
		{"C1 control", "a\u009b31mb", "a 31mb"},
		{"line breaks and tabs", "a\r\nb\tc\u2028d", "a b c d"},
		{"direction", "invoice\u202efdp.exe", "invoice fdp.exe"},
		{"not UTF-8", "a\xffb", "a b"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := plain(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		n    int
		want string
	}{{"short", 5, "short"}, {"längere", 5, "läng…"}, {"a bcd", 3, "a…"}, {"", 5, ""}} {
		if got := cut(tt.in, tt.n); got != tt.want {
			t.Errorf("cut(%q, %d): got %q, want %q", tt.in, tt.n, got, tt.want)
		}
	}
}

func TestTimesForPeople(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		d          time.Duration
		ago, until string
	}{
		{0, "now", "due"},
		{42 * time.Second, "42s ago", "due"},
		{5*time.Minute + 7*time.Second, "5m7s ago", "due"},
		{6 * time.Minute, "6m ago", "due"},
		{59*time.Minute + 40*time.Second, "59m ago", "due"},
		{26*time.Hour + 3*time.Minute, "26h03m ago", "due"},
		{80 * 24 * time.Hour, "80d ago", "due"},
		{-90 * time.Second, "now", "in 1m30s"},
	} {
		at := timestamppb.New(now.Add(-tt.d))
		if got := ago(at, now); got != tt.ago {
			t.Errorf("ago %v: got %q, want %q", tt.d, got, tt.ago)
		}
		if got := until(at, now); got != tt.until {
			t.Errorf("until %v: got %q, want %q", tt.d, got, tt.until)
		}
	}
	if ago(nil, now)+until(nil, now)+stamp(nil) != "" {
		t.Error("a time that is not there is shown")
	}
}

func TestOctets(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{-1: "unknown size", 0: "0 B", 1023: "1023 B", 1536: "1.5 KiB", 40 << 20: "40.0 MiB", 3 << 30: "3.0 GiB"} {
		if got := octets(n); got != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

// What -o json prints is read back as what the API sent.
func TestJSONRoundTrip(t *testing.T) {
	t.Parallel()
	ch := &mailintakev1.EmailChannel{Name: "tenants/a/emailChannels/b", Labels: map[string]string{"k": "v <&>"}, State: mailintakev1.EmailChannel_THROTTLED,
		Status: &mailintakev1.EmailChannel_Status{ServerText: "line\n\x1b[2J", Backlog: 1 << 60, LastSuccessTime: timestamppb.Now()}}
	var one, lines strings.Builder
	if err := (printer{w: &one, json: true}).one(ch, nil); err != nil {
		t.Fatal(err)
	}
	p := printer{w: &lines, json: true}
	for range 2 {
		if err := p.line(ch); err != nil {
			t.Fatal(err)
		}
	}
	if n := strings.Count(lines.String(), "\n"); n != 2 {
		t.Errorf("got %d lines, want one for each resource", n)
	}
	first, _, _ := strings.Cut(lines.String(), "\n")
	for _, text := range []string{one.String(), first} {
		var got mailintakev1.EmailChannel
		if err := protojson.Unmarshal([]byte(text), &got); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		if diff := cmp.Diff(&got, ch, protocmp.Transform()); diff != "" {
			t.Errorf("got -, want +:\n%s", diff)
		}
		if strings.Contains(text, "\x1b") {
			t.Errorf("an escape sequence gets through: %q", text)
		}
	}
}

func TestFlagValues(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]span{"5-90": {5, 90}, "7": {7, 7}, "5-": {5, 0}, "-90": {0, 90}, "": {}, "-": {}, "0-3": {}, "9-5": {}, "a-b": {}, "1-2-3": {}} {
		var got span
		err := got.UnmarshalText([]byte(text))
		if (err != nil) != (want == span{}) || err == nil && got != want {
			t.Errorf("span %q: got %v, %v, want %v", text, got, err, want)
		}
	}
	for text, want := range map[string]byteSize{"65536": 65536, "512KiB": 512 << 10, "40MiB": 40 << 20, "1 GiB": 1 << 30, "": -1, "40MB": -1, "-1": -1, "9999999999GiB": -1} {
		var got byteSize
		err := got.UnmarshalText([]byte(text))
		if (err != nil) != (want < 0) || err == nil && got != want {
			t.Errorf("size %q: got %d, %v, want %d", text, got, err, want)
		}
	}
	now := time.Now()
	for text, want := range map[string]time.Time{
		"2026-01-31T08:00:00Z": time.Date(2026, 1, 31, 8, 0, 0, 0, time.UTC), "2026-01-31": time.Date(2026, 1, 31, 0, 0, 0, 0, time.Local),
		"10m": now.Add(-10 * time.Minute), "2d": now.Add(-48 * time.Hour), "-5m": {}, "soon": {}, "d": {}, "": {}, "-2d": {},
	} {
		var got moment
		err := got.UnmarshalText([]byte(text))
		if (err != nil) != want.IsZero() || err == nil && got.Sub(want).Abs() > time.Minute {
			t.Errorf("time %q: got %v, %v, want %v", text, got.Time, err, want)
		}
	}
}

func TestFormatEvent(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 2, 12, 0, 0, int(250*time.Millisecond), time.Local)
	data := func(m proto.Message) json.RawMessage {
		b, err := protojson.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	entry := func(typ, replay string) relay.Entry {
		return relay.Entry{Tenant: "acme", Channel: "support", Type: typ, Sequence: 7, ReplayID: replay}
	}
	for _, tt := range []struct {
		name  string
		event relay.Event
		want  string
	}{
		{"received", relay.Event{Entry: entry("received", ""), Time: at, Data: data(&mailintakev1.ReceivedEvent{
			From: []*mailintakev1.Address{{Name: "Jane", Email: "jane@example.net"}, {Email: "joe@example.net"}},
			Rfc:  &mailintakev1.EventHeader{Subject: "A\x1b[31m\nB"}, Source: &mailintakev1.EventSource{SizeBytes: 2048},
			Defects: []*mailintakev1.Defect{{Code: "X"}}})},
			`12:00:00.250  acme/support  received  #7  Jane <jane@example.net>, joe@example.net  "A [31m B"  2.0 KiB  defects: 1`},
		{"quarantined, replayed", relay.Event{Entry: entry("quarantined", "r1"), Time: at, Data: data(&mailintakev1.QuarantinedEvent{
			Reason: "MESSAGE_TOO_LARGE", Detail: "50 MiB", Source: &mailintakev1.EventSource{Ref: "imap:INBOX;UIDVALIDITY=9;UID=4", SizeBytes: -1}})},
			`12:00:00.250  acme/support  quarantined  #7  MESSAGE_TOO_LARGE  50 MiB  imap:INBOX;UIDVALIDITY=9;UID=4  unknown size  replay r1`},
		{"of a newer service", relay.Event{Entry: entry("erased", ""), Time: at, Data: json.RawMessage(`{"what":1}`)}, `12:00:00.250  acme/support  erased  #7`},
		{"amended", relay.Event{Entry: entry("amended", ""), Time: at, Data: data(&mailintakev1.AmendedEvent{
			Message: "tenants/acme/emailChannels/support/messages/m1", Changed: []string{"text", "subject"}, OldParserVersion: 2, ParserVersion: 3})},
			`12:00:00.250  acme/support  amended  #7  m1  text, subject  parser 3, before 2`},
		{"bounced", relay.Event{Entry: entry("bounced", ""), Time: at, Data: data(&mailintakev1.ReceivedEvent{
			MessageClass: mailintakev1.MessageClass_BOUNCE, Source: &mailintakev1.EventSource{SizeBytes: 1}, Rfc: &mailintakev1.EventHeader{Subject: "s"},
			Bounce: &mailintakev1.Bounce{Recipients: []*mailintakev1.BounceRecipient{{Action: "failed", Address: "a@x\x1b.example"}, {Address: "b"}}}})},
			`12:00:00.250  acme/support  bounced  #7  "s"  1 B  bounce  failed a@x .example`},
		{"with fields of a newer service", relay.Event{Entry: entry("received", ""), Time: at, Data: json.RawMessage(`{"what":1,"rfc":{"subject":"s"},"source":{"sizeBytes":"1"}}`)},
			`12:00:00.250  acme/support  received  #7  "s"  1 B`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := formatEvent(tt.event); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A password is read from standard input without the newline that ends it. Not parallel: it takes the place of standard
// input.
func TestPasswordFromStandardInput(t *testing.T) {
	old := os.Stdin
	t.Cleanup(func() { os.Stdin = old })
	for _, tt := range []struct {
		name, in, want string
		flag           bool
	}{
		{"line", "se cret \n", "se cret ", true},
		{"CRLF", "secret\r\n", "secret", true},
		{"no newline", "secret", "secret", true},
		{"empty", "\n", "", true},
		{"endless", strings.Repeat("x", maxPassword+1), "", true},
		{"not asked for", "secret\n", "", false},
	} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		os.Stdin = r
		if _, err := w.WriteString(tt.in); err != nil {
			t.Fatal(err)
		}
		w.Close()
		got, err := (&channelFields{PasswordStdin: tt.flag}).password(t.Context(), &console{out: os.Stdout, err: os.Stderr}, true)
		if got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got, err, tt.want)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPostgresVersions(t *testing.T) {
	t.Parallel()
	for major, want := range map[string]bool{"15": true, "18": true, "19beta1": true, "14": false, "9": false, "": false, "x": false} {
		if got := atLeast(major, minPostgres); got != want {
			t.Errorf("%q: got %v, want %v", major, got, want)
		}
	}
}
