package pop3

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
)

// summary shows entries as "number:ref/size", a fingerprint as its first ten characters and its ordinal.
func summary(entries []ingest.Entry) []string {
	out := []string{}
	for _, e := range entries {
		name := e.Ref.UIDL
		if sum, ok := strings.CutPrefix(name, ingest.FingerprintPrefix); ok {
			_, ordinal, _ := strings.Cut(sum, "#")
			name = "print"
			if ordinal != "" {
				name += "#" + ordinal
			}
		}
		out = append(out, fmt.Sprintf("%d:%s/%d", e.Number, name, e.Size))
	}
	return out
}

func TestListing(t *testing.T) {
	t.Parallel()
	top := func(n int, subject string) string {
		return fmt.Sprintf("\nC: TOP %d 16\nS: +OK\nS: Subject: %s\nS: \nS: .", n, subject)
	}
	for _, tt := range []struct {
		name, uidl, list, more string
		want                   []string
	}{
		{"plain", "1 a|2 b", "1 10|2 20", "", []string{"1:a/10", "2:b/20"}},
		{"empty", "", "", "", []string{}},
		{"gaps and order", "5 e|2 b", "2 20|5 50", "", []string{"2:b/20", "5:e/50"}},
		{"white space", " 1  a |2\\tb", "1  10 |2\\t20", "", []string{"1:a/10", "2:b/20"}},
		{"words behind the size", "1 a", "1 10 octets", "", []string{"1:a/10"}},
		{"sizes that cannot be", "1 a|2 b|3 c|4 d", "1 -1|2 18446744073709551616|3 text|4", "", []string{"1:a/-1", "2:b/-1", "3:c/-1", "4:d/-1"}},
		{"UIDL names more than LIST", "1 a|2 b|3 c|4 d", "1 100|2 100", "", []string{"1:a/100", "2:b/100", "3:c/-1", "4:d/-1"}},
		{"blank line that LIST makes up for", "1 a||3 c", "1 10|2 20|3 30", top(2, "x"), []string{"1:a/10", "2:print/20", "3:c/30"}},
		{"LIST with a broken line", "1 a|2 b", "1 10|x 20", "", []string{"1:a/10", "2:b/-1"}},
		{"shared UIDL", "1 same|2 same|3 other", "1 10|2 10|3 10", top(1, "one") + top(2, "two"), []string{"1:print/10", "2:print/10", "3:other/10"}},
		{"three shared, two alike", "1 same|2 same|3 same", "1 10|2 10|3 10", top(1, "one") + top(2, "two") + top(3, "one"), []string{"1:print/10", "2:print/10", "3:print#2/10"}},
		{"one number, two UIDLs", "1 a|1 b|2 c", "1 10|2 10", top(1, "x"), []string{"1:print/10", "2:c/10"}},
		{"one number twice", "1 a|1 a|2 c", "1 10|1 11|2 10", "", []string{"1:a/-1", "2:c/10"}},
		{"UIDL with a space", "1 a b|2 c", "1 10|2 10", top(1, "x"), []string{"1:print/10", "2:c/10"}},
		{"UIDL without a value", "1 |2 c", "1 10|2 10", top(1, "x"), []string{"1:print/10", "2:c/10"}},
		{"UIDL beyond ascii", "1 \\xe9|2 c", "1 10|2 10", top(1, "x"), []string{"1:print/10", "2:c/10"}},
		{"longest UIDL", "1 " + strings.Repeat("u", maxUIDL), "1 10", "", []string{"1:" + strings.Repeat("u", maxUIDL) + "/10"}},
		{"UIDL too long", "1 " + strings.Repeat("u", maxUIDL+1), "1 10", top(1, "x"), []string{"1:print/10"}},
		{"UIDL of 4 KiB", "1 " + strings.Repeat("u", 4096), "1 10", top(1, "x"), []string{"1:print/10"}},
		{"a UIDL that looks like a fingerprint", "1  sha256:abc", "1 10", "", []string{"1:sha256:abc/10"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lines := func(s string) string {
				if s == "" {
					return "\nS: ."
				}
				return "\nS: " + strings.Join(strings.Split(s, "|"), "\nS: ") + "\nS: ."
			}
			// TOPs are sent together, so expect all of them before the first answer.
			var asked, answered string
			for part := range strings.SplitSeq(tt.more, "\nC: ") {
				if line, answer, ok := strings.Cut(part, "\n"); ok {
					asked, answered = asked+"\nC: "+line, answered+"\n"+answer
				}
			}
			s := open(t, hello+"C: UIDL\nC: LIST\nS: +OK"+lines(tt.uidl)+"\nS: +OK"+lines(tt.list)+asked+answered+bye)
			page, err := s.List(t.Context(), ingest.Cursor{}, ingest.Limit{})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, summary(page.Entries)); diff != "" {
				t.Errorf("entries (-want +got):\n%s", diff)
			}
			if page.More || page.Total != len(tt.want) {
				t.Errorf("got more %v, total %d; want false, %d", page.More, page.Total, len(tt.want))
			}
		})
	}
}

func TestListingRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, answers string
		kind          ingest.Kind
		reason        ingest.Reason
	}{
		{"a line of UIDL that nothing makes up for", "S: +OK\nS: 1 a\nS: nonsense\nS: .\nS: +OK\nS: 1 10\nS: .", ingest.KindProtocol, ingest.ReasonProtocol},
		{"a blank line of LIST that nothing makes up for", "S: +OK\nS: 1 a\nS: .\nS: +OK\nS: 1 10\nS: \nS: .", ingest.KindProtocol, ingest.ReasonProtocol},
		{"a number beyond all measure", "S: +OK\nS: 99999999999999999999 a\nS: .\nS: +OK\nS: .", ingest.KindProtocol, ingest.ReasonProtocol},
		{"UIDL announced and refused", "S: -ERR not now\nS: +OK\nS: 1 10\nS: .", ingest.KindTemporary, ingest.ReasonRefused},
		{"UIDL refused for a while", "S: -ERR [SYS/TEMP] busy\nS: +OK\nS: 1 10\nS: .", ingest.KindTemporary, ingest.ReasonServerUnavailable},
		{"a dot line in the listing", "S: +OK\nS: 1 a\nS: .\nS: 2 b\nS: .\nS: +OK\nS: 1 10\nS: 2 10\nS: .", ingest.KindProtocol, ingest.ReasonProtocol},
		{"octets after the listing", "S: +OK\nS: 1 a\nS: .\nS> +OK\\r\\n1 10\\r\\n.\\r\\nmore\\r\\n", ingest.KindProtocol, ingest.ReasonProtocol},
		{"both refused, messages there", "S: -ERR\nS: -ERR cannot list\nC: STAT\nS: +OK 1 10", ingest.KindTemporary, ingest.ReasonRefused},
		{"cut", "S: +OK\nS: 1 a\nCLOSE", ingest.KindTemporary, ingest.ReasonConnectionLost},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := open(t, hello+"C: UIDL\nC: LIST\n"+tt.answers)
			_, err := s.List(t.Context(), ingest.Cursor{}, ingest.Limit{})
			wantError(t, err, tt.kind, tt.reason)
			_, again := s.List(t.Context(), ingest.Cursor{}, ingest.Limit{})
			if again == nil {
				t.Error("the session goes on after the error")
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
		})
	}
}

func TestEmptyMaildropThatRefuses(t *testing.T) {
	t.Parallel()
	for _, answers := range []string{
		"C: UIDL\nS: -ERR no messages\nC: LIST\nS: -ERR no messages\nC: STAT\nS: +OK 0 0",
		"C: UIDL\nS: -ERR no messages\nC: LIST\nS: +OK\nS: .",
		"C: UIDL\nS: +OK\nS: .\nC: LIST\nS: -ERR no messages",
	} {
		s := open(t, slow+answers+bye)
		if entries := listAll(t, s, 1); len(entries) != 0 {
			t.Errorf("got %v", entries)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

func TestPages(t *testing.T) {
	t.Parallel()
	s := open(t, slow+`C: UIDL
		S: +OK
		S: 1 a
		S: 3 c
		S: 4 d
		S: 7 g
		S: .
		C: LIST
		S: +OK
		S: 1 900
		S: 3 50
		S: 4 60
		S: 7 10
		S: .`+bye)
	for _, tt := range []struct {
		after int
		limit ingest.Limit
		want  []string
		more  bool
	}{
		{0, ingest.Limit{}, []string{"1:a/900", "3:c/50", "4:d/60", "7:g/10"}, false},
		{0, ingest.Limit{Messages: 2}, []string{"1:a/900", "3:c/50"}, true},
		{1, ingest.Limit{Messages: 2}, []string{"3:c/50", "4:d/60"}, true},
		{2, ingest.Limit{Messages: 9}, []string{"3:c/50", "4:d/60", "7:g/10"}, false},
		{0, ingest.Limit{Octets: 100}, []string{"1:a/900"}, true},
		{1, ingest.Limit{Octets: 110}, []string{"3:c/50", "4:d/60"}, true},
		{7, ingest.Limit{}, []string{}, false},
		{99, ingest.Limit{Messages: 1}, []string{}, false},
	} {
		page, err := s.List(t.Context(), ingest.Cursor{Number: tt.after}, tt.limit)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tt.want, summary(page.Entries)); diff != "" || page.More != tt.more || page.Total != 4 {
			t.Errorf("after %d, %+v: more %v, total %d, entries (-want +got):\n%s", tt.after, tt.limit, page.More, page.Total, diff)
		}
		if n := len(page.Entries); n > 0 && page.Next.Number != page.Entries[n-1].Number || n == 0 && page.Next.Number != tt.after {
			t.Errorf("after %d, %+v: next is %d", tt.after, tt.limit, page.Next.Number)
		}
	}
}

// Without UIDL the refs come from what the messages say, whatever their numbers are and whichever command reads them.
func TestFingerprintsLast(t *testing.T) {
	t.Parallel()
	message := func(notes, subject string) string {
		return "S: Received: by mx\nS: Subject: " + subject + "\n" + notes + "S: \nS: " + strings.Repeat("line\nS: ", 40) + "end\nS: ."
	}
	prologue := slow + "C: UIDL\nS: -ERR unknown command\nC: LIST\nS: +OK\n"
	first := open(t, prologue+"S: 1 10\nS: 2 20\nS: .\nC: TOP 1 16\nS: +OK\n"+message("", "one")+"\nC: TOP 2 16\nS: +OK\n"+message("", "two")+bye)
	one := listAll(t, first, 1)
	second := open(t, prologue+"S: 1 999\nS: .\nC: TOP 1 16\nS: -ERR unknown command\nC: RETR 1\nS: +OK\n"+
		message("S: X-UIDL: 17\nS: Status: RO\nS:  folded\n", "two")+bye)
	two := listAll(t, second, 1)
	if one[0].Ref == one[1].Ref || !strings.HasPrefix(one[0].Ref.UIDL, ingest.FingerprintPrefix) {
		t.Errorf("two messages, refs %q and %q", one[0].Ref.UIDL, one[1].Ref.UIDL)
	}
	if two[0].Ref != one[1].Ref {
		t.Errorf("the same message is %q, then %q", one[1].Ref.UIDL, two[0].Ref.UIDL)
	}
	if ref, err := ingest.ParseRef(one[0].Ref.String()); err != nil || ref != one[0].Ref {
		t.Errorf("%q does not survive its text form: %v, %v", one[0].Ref.UIDL, ref, err)
	}
}

func TestFingerprintOfWhatCannotBeRead(t *testing.T) {
	t.Parallel()
	s := open(t, slow+`C: UIDL
		S: -ERR
		C: LIST
		S: +OK
		S: 1 10
		S: .
		C: TOP 1 16
		S: -ERR unknown command
		C: RETR 1
		S: -ERR cannot read
		C: RETR 1
		S: -ERR cannot read
		C: NOOP
		S: +OK`+bye)
	entries := listAll(t, s, 10)
	if len(entries) != 1 {
		t.Fatalf("got %d entries, want 1", len(entries))
	}
	f := fetch(t.Context(), s, refsOf(entries))
	if f.err != nil {
		t.Fatal(f.err)
	}
	wantError(t, f.missing[entries[0].Ref], ingest.KindProtocol, ingest.ReasonMissingBody)
}

func TestFingerprintReadsOnlyTheBeginning(t *testing.T) {
	t.Parallel()
	head := "Subject: x\r\nX-Long: " + strings.Repeat("y", 10_000) + "\r\n\r\n" + strings.Repeat("line\r\n", printLines-1)
	sum := func(text string, chunk int) string {
		f := newFingerprint()
		for len(text) > 0 {
			n := min(chunk, len(text))
			f.Write([]byte(text[:n]))
			text = text[n:]
		}
		return f.sum()
	}
	want := sum(head, len(head))
	for _, chunk := range []int{1, 2, 7, 100} {
		if sum(head+"whatever follows\r\n", chunk) != want || sum(head, chunk) != want {
			t.Errorf("chunks of %d give another fingerprint", chunk)
		}
	}
	for _, other := range []string{strings.Replace(head, "line", "Line", 1), "S" + head, strings.Replace(head, "yyy", "yzy", 1), ""} {
		if sum(other, 50) == want {
			t.Errorf("%.20q has the same fingerprint", other)
		}
	}
	if sum("Subject: x", 3) == sum("Subject: y", 3) {
		t.Error("a header line without an end does not count")
	}
}

// A listing has limits on lines and on octets; a big maildrop stays below them.
func TestListingSizes(t *testing.T) {
	t.Parallel()
	listing := func(n int) string {
		var b strings.Builder
		b.WriteString("+OK\r\n")
		for i := range n {
			fmt.Fprintf(&b, "%d u%063d\r\n", i+1, i)
		}
		return b.String() + ".\r\n"
	}
	for _, tt := range []struct {
		name, answer string
		want         int // 0 is refused
	}{
		{"100k messages", listing(100_000), 100_000},
		{"too many lines", "+OK\r\n" + strings.Repeat("1 1\r\n", maxListingLines+1) + ".\r\n", 0},
		{"too many octets", "+OK\r\n1 " + strings.Repeat("x", maxListingOctets) + "\r\n.\r\n", 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			conn, server := net.Pipe()
			go func() {
				io.WriteString(server, "+OK\r\n")
				io.WriteString(server, tt.answer)
				server.Close()
			}()
			defer conn.Close()
			w := newWire(guard(conn))
			if _, err := w.Read(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Read(make([]byte, 100)); err != nil {
				t.Fatal(err)
			}
			var table table
			err := table.read(newBody(w.r, maxListingOctets, nil))
			if (err == nil) != (tt.want > 0) || len(table.rows) != tt.want && tt.want > 0 {
				t.Errorf("got %d rows, error %v", len(table.rows), err)
			}
			if tt.want == 0 {
				wantError(t, classify("list", err), ingest.KindProtocol, ingest.ReasonLimit)
			}
		})
	}
}
