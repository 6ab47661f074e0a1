package control

import (
	"errors"
	"strings"
	"testing"
	"testing/quick"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

func TestParseFilter(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		in   string
		want [][]term
	}{
		{"", nil},
		{"  ", nil},
		{"failed", [][]term{{{field: "failed"}}}},
		{`a="b"`, [][]term{{{"a", "=", "b"}}}},
		{`a >= "b\"\\ c" AND d`, [][]term{{{"a", ">=", `b"\ c`}}, {{field: "d"}}}},
		{`a OR b AND c OR d != "AND"`, [][]term{{{field: "a"}, {field: "b"}}, {{field: "c"}, {"d", "!=", "AND"}}}},
	} {
		got, err := parseFilter(tt.in)
		if diff := cmp.Diff(got, tt.want, cmp.AllowUnexported(term{})); err != nil || diff != "" {
			t.Errorf("%s: %v, got -, want +:\n%s", tt.in, err, diff)
		}
	}
}

// Whatever a filter holds, it is refused as invalid or understood.
func FuzzFilters(f *testing.F) {
	for _, s := range []string{`failed AND state != "ACTIVE"`, `receive_time >= "2026-01-01T00:00:00Z"`, `"`, `a = "\`, `email_channel = "x"`, "=", "!"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		check := func(err error) {
			if e, ok := errors.AsType[*Error](err); err != nil && (!ok || e.Kind != KindInvalid) {
				t.Errorf("%q: %v", s, err)
			}
		}
		_, err := channelFilter(s)
		check(err)
		_, _, err = replayFilter(s)
		check(err)
		var q MessageQuery
		check(messageFilter(s, &q))
		if strings.ContainsRune(q.MessageID, 0) {
			t.Errorf("%q lets a NUL through", s)
		}
	})
}

func TestPageTokens(t *testing.T) {
	t.Parallel()
	p := Pages{Key: []byte("key")}
	if err := quick.Check(func(after, parent, filter string) bool {
		if after == "" {
			return true
		}
		token := p.token(after, parent, filter)
		got, err := p.after(token, parent, filter)
		_, other := p.after(token, parent+filter, "")
		_, key := Pages{Key: []byte("other")}.after(token, parent, filter)
		return err == nil && got == after && (other != nil || filter == "") && key != nil
	}, nil); err != nil {
		t.Error(err)
	}
	// No single changed bit goes unnoticed.
	token := p.token("support", "list")
	for i := range token {
		for bit := range 8 {
			b := []byte(token)
			b[i] ^= 1 << bit
			if _, err := p.after(string(b), "list"); err == nil {
				t.Errorf("octet %d, bit %d: accepted", i, bit)
			}
		}
	}
}

func TestNames(t *testing.T) {
	t.Parallel()
	id := ingest.MessageID{0x01, 0x90, 15: 7}
	tenant, channel, got, err := ParseMessage("name", MessageName("acme", "support", id))
	if tenant != "acme" || channel != "support" || got != id || err != nil {
		t.Errorf("got %s %s %x %v", tenant, channel, got, err)
	}
	// A resource has one name: other spellings of a UUID are refused.
	for _, s := range []string{"{01900000-0000-0000-0000-000000000007}", "01900000000000000000000000000007", "urn:uuid:01900000-0000-0000-0000-000000000007",
		"01900000-0000-0000-0000-00000000000A"} {
		if _, _, err := ParseReplay("name", "tenants/acme/replays/"+s); err == nil {
			t.Errorf("%s was accepted", s)
		}
	}
	for in, want := range map[string]bool{"a": true, "0": true, "a-b": true, "a-": true, strings.Repeat("a", 39): true,
		"": false, "-": false, "A": false, "a_b": false, "ä": false, strings.Repeat("a", 40): false} {
		if got := ValidID(in); got != want {
			t.Errorf("ValidID(%q) = %v", in, got)
		}
	}
}
