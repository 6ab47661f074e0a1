package relay

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestEncode(t *testing.T) {
	t.Parallel()
	row := Row{
		ID: 7, ChannelID: 3, Tenant: "acme", Channel: "support", Sequence: 42, EventID: "0190a6c2-7c1f-7e4e-9f8f-000000000001",
		Type: TypeReceived, Time: time.Date(2026, 3, 1, 13, 30, 0, 5000, time.FixedZone("", 3600)),
		Data:        []byte(` {"message":"tenants/acme/emailChannels/support/messages/m1","preview":"<b> & \"x\" \u2028"} `),
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}
	tests := []struct {
		name    string
		change  func(*Row)
		subject string
		header  map[string][]string
		event   map[string]any
	}{
		{
			name:    "first publication",
			change:  func(*Row) {},
			subject: "email.v1.acme.support.received",
			header: map[string][]string{
				"Nats-Msg-Id": {row.EventID}, "Mailintake-Sequence": {"42"}, "Content-Type": {"application/cloudevents+json"},
				"traceparent": {row.TraceParent},
			},
			event: map[string]any{
				"specversion": "1.0", "id": row.EventID, "source": "//mailintake/tenants/acme/emailChannels/support",
				"type": "mailintake.email.received.v1", "subject": "tenants/acme/emailChannels/support/messages/m1",
				"time": "2026-03-01T12:30:00.000005Z", "datacontenttype": "application/json", "sequence": "42", "sequencetype": "Integer",
				"traceparent": row.TraceParent,
				"data":        map[string]any{"message": "tenants/acme/emailChannels/support/messages/m1", "preview": "<b> & \"x\" \u2028"},
			},
		},
		{
			name: "replay of an event without message",
			change: func(r *Row) {
				r.Type, r.ReplayID, r.TraceParent, r.Data = TypeQuarantined, "rep-1", "", []byte(`{"reason":"MESSAGE_TOO_LARGE"}`)
			},
			subject: "email.v1.acme.support.replayed.rep-1.quarantined",
			header: map[string][]string{
				"Nats-Msg-Id": {row.EventID + "/rep-1"}, "Mailintake-Sequence": {"42"}, "Content-Type": {"application/cloudevents+json"},
				"Mailintake-Replay": {"rep-1"},
			},
			event: map[string]any{
				"specversion": "1.0", "id": row.EventID, "source": "//mailintake/tenants/acme/emailChannels/support",
				"type": "mailintake.email.quarantined.v1", "time": "2026-03-01T12:30:00.000005Z", "datacontenttype": "application/json",
				"sequence": "42", "sequencetype": "Integer", "replay": "rep-1", "data": map[string]any{"reason": "MESSAGE_TOO_LARGE"},
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			r := row
			tt.change(&r)
			m, err := Encode(r)
			if err != nil {
				t.Fatal(err)
			}
			if m.Subject != tt.subject {
				t.Errorf("subject is %s, want %s", m.Subject, tt.subject)
			}
			if d := cmp.Diff(map[string][]string(m.Header), tt.header); d != "" {
				t.Errorf("header (-got +want):\n%s", d)
			}
			var event map[string]any
			if err := json.Unmarshal(m.Data, &event); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(event, tt.event); d != "" {
				t.Errorf("event (-got +want):\n%s", d)
			}
		})
	}
}

func TestEncodeRefusesWhatCannotBeAnEvent(t *testing.T) {
	t.Parallel()
	good := Row{Tenant: "a", Channel: "b", Sequence: 1, EventID: "e", Type: "received", Data: []byte(`{}`)}
	if _, err := Encode(good); err != nil {
		t.Fatalf("the good row: %v", err)
	}
	tests := map[string]func(*Row){
		"tenant with a dot":            func(r *Row) { r.Tenant = "a.b" },
		"tenant with a wildcard":       func(r *Row) { r.Tenant = "*" },
		"tenant beginning with a dash": func(r *Row) { r.Tenant = "-a" },
		"empty channel":                func(r *Row) { r.Channel = "" },
		"long channel":                 func(r *Row) { r.Channel = strings.Repeat("a", 40) },
		"upper case type":              func(r *Row) { r.Type = "Received" },
		"type that means replays":      func(r *Row) { r.Type = "replayed" },
		"sequence 0":                   func(r *Row) { r.Sequence = 0 },
		"no event id":                  func(r *Row) { r.EventID = "" },
		"line break in the event id":   func(r *Row) { r.EventID = "a\r\nb" },
		"line break in the replay":     func(r *Row) { r.ReplayID = "a\nb" },
		"replay with a dot":            func(r *Row) { r.ReplayID = "a.b" },
		"no data":                      func(r *Row) { r.Data = nil },
		"data null":                    func(r *Row) { r.Data = []byte("null") },
		"two values":                   func(r *Row) { r.Data = []byte(`{}{}`) },
		"message that is no string":    func(r *Row) { r.Data = []byte(`{"message":1}`) },
	}
	for name, spoil := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := good
			spoil(&r)
			if m, err := Encode(r); err == nil {
				t.Errorf("encoded as %s %s", m.Subject, m.Data)
			}
		})
	}
}
