package mime

import (
	"strings"
	"testing"
)

func TestOwnAddressIsNotAnswered(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, from string
		own        []string
		want       string
	}{
		{"the channel itself", "Support@Example.COM", []string{"support@example.com"}, "OWN_ADDRESS"},
		{"an alias of the channel", "help@example.com", []string{"support@example.com", "help@example.com"}, "OWN_ADDRESS"},
		{"somebody else", "jane@example.net", []string{"support@example.com"}, "OK"},
		{"addresses not known", "support@example.com", nil, "OK"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			raw := "From: " + tt.from + "\r\nTo: support@example.com\r\nSubject: A question\r\n\r\nHello.\r\n"
			m := Parse(strings.NewReader(raw), int64(len(raw)), Options{Addresses: tt.own})
			if got := m.AutoReply; got.Reason != tt.want || got.Allowed != (tt.want == "OK") {
				t.Errorf("got %+v, want %s", got, tt.want)
			}
		})
	}
}
