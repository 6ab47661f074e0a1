package mailtest

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// letter is a small message with its number in it.
func letter(n int) []byte {
	return fmt.Appendf(nil, "From: a@example.test\r\nTo: b@example.test\r\nSubject: letter %d\r\nMessage-ID: <%d@example.test>\r\n\r\nhello %d\r\n.dot\r\n..two\r\n", n, n, n)
}

func TestCRLF(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ in, want string }{
		{"", ""}, {"a", "a"}, {"a\n", "a\r\n"}, {"a\r\n", "a\r\n"}, {"\n\n", "\r\n\r\n"}, {"a\rb\r\nc\n", "a\rb\r\nc\r\n"},
	} {
		if got := string(CRLF([]byte(c.in))); got != c.want {
			t.Errorf("CRLF(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestMailboxNumbers(t *testing.T) {
	t.Parallel()
	m := NewMailbox()
	for i := range 4 {
		m.Append(letter(i))
	}
	changed := m.Changed()
	m.Remove(2)
	<-changed
	m.SetNextUID(10)
	m.SetNextUID(5) // does not go back
	m.Append(letter(9))
	m.SetFlags(10, `\SEEN`, "Mine")
	var uids []uint32
	uidls := map[string]bool{}
	for _, s := range m.Messages() {
		uids = append(uids, s.UID)
		uidls[s.UIDL] = true
	}
	if want := []uint32{1, 3, 4, 10}; !slices.Equal(uids, want) || len(uidls) != len(want) {
		t.Errorf("UIDs %v and %d different UIDLs, want %v", uids, len(uidls), want)
	}
	if got := m.Messages()[3].Flags; !slices.Equal(got, []string{`\Seen`, "mine"}) {
		t.Errorf("flags %v", got)
	}
	m.SetUIDValidity(77)
	if got := m.Messages(); got[3].UID != 4 || uidls[got[3].UIDL] || m.UIDValidity() != 77 {
		t.Errorf("after a change of UIDVALIDITY to %d: UID %d, UIDL %s", m.UIDValidity(), got[3].UID, got[3].UIDL)
	}
	m.SetUIDL(1, "again")
	m.SetUIDL(2, "again")
	if got := m.Messages(); got[0].UIDL != "again" || got[1].UIDL != "again" {
		t.Error("SetUIDL does not")
	}
	m.RenewUIDLs("new-")
	if got := m.Messages(); got[0].UIDL != "new-00000001" {
		t.Errorf("UIDL %s after RenewUIDLs", got[0].UIDL)
	}
}

func TestDirectoryMailboxRemembers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"b-second.eml", "a-first.eml", "ignored.txt"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(name), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, err := OpenMailbox(dir)
	if err != nil {
		t.Fatal(err)
	}
	old := time.Date(2024, 2, 29, 12, 0, 0, 0, time.UTC)
	if _, err := m.Deliver(letter(3), old); err != nil {
		t.Fatal(err)
	}
	m.Append(letter(4))
	m.Remove(1, 4) // the first and the last: neither number may come again
	if err := os.WriteFile(filepath.Join(dir, "00-dropped-in.eml"), []byte("later"), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err = OpenMailbox(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.Append(letter(6))
	before := m.Messages()
	var got []uint32
	for _, s := range before {
		got = append(got, s.UID)
	}
	if want := []uint32{2, 3, 5, 6}; !slices.Equal(got, want) {
		t.Fatalf("UIDs %v, want %v", got, want)
	}
	if !bytes.Equal(before[1].Raw, letter(3)) || !before[1].Received.Equal(old) || string(before[2].Raw) != "later" {
		t.Errorf("messages are not what they were: %q at %v, %q", before[1].Raw, before[1].Received, before[2].Raw)
	}
	m.SetUIDValidity(9)
	m, err = OpenMailbox(dir)
	if err != nil {
		t.Fatal(err)
	}
	again := m.Messages()
	for i := range before {
		before[i].UID = uint32(i + 1)
		before[i].UIDL = fmt.Sprintf("%08x%08x", i+1, 9)
	}
	before[3].Received = again[3].Received // a file system may keep times less exactly
	if diff := cmp.Diff(again, before); diff != "" {
		t.Errorf("after reopening (-got +want):\n%s", diff)
	}
}
