package ingest_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mailintake/mailintake/ingest"
)

func TestRefString(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		ref  ingest.Ref
		want string
	}{
		{"imap", ingest.Ref{Folder: "INBOX", UIDValidity: 9, UID: 4}, "imap:INBOX;UIDVALIDITY=9;UID=4"},
		{"largest", ingest.Ref{Folder: "INBOX", UIDValidity: 4294967295, UID: 4294967295}, "imap:INBOX;UIDVALIDITY=4294967295;UID=4294967295"},
		{"folder that looks like a ref", ingest.Ref{Folder: "a;UIDVALIDITY=1;UID=2/é%", UID: 3}, "imap:a%3BUIDVALIDITY=1%3BUID=2%2F%C3%A9%25;UIDVALIDITY=0;UID=3"},
		{"pop3", ingest.Ref{UIDL: "whqtswO00WBw418f9t5JxYwZ"}, "pop3:UIDL=whqtswO00WBw418f9t5JxYwZ"},
		{"fingerprint", ingest.Ref{UIDL: ingest.FingerprintPrefix + "00#2"}, "pop3:UIDL=%20sha256:00%232"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.ref.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if back, err := ingest.ParseRef(tt.want); err != nil || back != tt.ref {
				t.Errorf("parsed back: got %+v, %v; want %+v", back, err, tt.ref)
			}
		})
	}
	for _, bad := range []string{"", "imap:", "imap:INBOX;UIDVALIDITY=1", "imap:INBOX;UIDVALIDITY=1;UID=0", "imap:INBOX;UIDVALIDITY=1;UID=4294967296", "pop3:UIDL=%zz", "nntp:1"} {
		if r, err := ingest.ParseRef(bad); err == nil {
			t.Errorf("%q was read as %+v", bad, r)
		}
	}
}

func FuzzRef(f *testing.F) {
	f.Add("INBOX", uint32(1), uint32(2), "")
	f.Add("", uint32(0), uint32(0), "a b;c/%\x00\xff")
	f.Fuzz(func(t *testing.T, folder string, validity, uid uint32, uidl string) {
		r := ingest.Ref{Folder: folder, UIDValidity: validity, UID: uid, UIDL: uidl}
		if uid == 0 {
			r.Folder, r.UIDValidity = "", 0
		} else {
			r.UIDL = ""
		}
		back, err := ingest.ParseRef(r.String())
		if err != nil || back != r {
			t.Fatalf("%+v became %q and then %+v, %v", r, r.String(), back, err)
		}
	})
}

func TestCleanServerText(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ name, in, want string }{
		{"plain", "[AUTH] no", "[AUTH] no"},
		{"escapes", "a\x1b[31mb\r\nc\x00", "a [31mb  c"},
		{"not utf-8", "caf\xe9", "caf\ufffd"},
		{"bidi", "a\u202eb", "a b"},
		{"long", strings.Repeat("é", 400), strings.Repeat("é", 300) + "…"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := ingest.CleanServerText(tt.in); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	if got := ingest.Preview("  one\r\n\r\n two\u00a0\x1b three "); got != "one two three" {
		t.Errorf("got %q", got)
	}
	if got := utf8.RuneCountInString(ingest.Preview(strings.Repeat("é", 1000))); got != ingest.PreviewLength {
		t.Errorf("got %d characters, want %d", got, ingest.PreviewLength)
	}
}

// A credential must not leave through any of the usual ways of printing.
func TestSecretIsNeverPrinted(t *testing.T) {
	t.Parallel()
	s := ingest.NewSecret("hunter2")
	if s.Reveal() != "hunter2" || s.IsZero() {
		t.Fatal("the secret is lost")
	}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		if got := sprint(format, s, struct{ P ingest.Secret }{s}); strings.Contains(got, "hunter2") || strings.Contains(got, "68756e74657232") {
			t.Errorf("%s prints %s", format, got)
		}
	}
}

func sprint(format string, args ...any) string {
	var out []string
	for _, a := range args {
		out = append(out, fmt.Sprintf(format, a))
	}
	return strings.Join(out, " ")
}
