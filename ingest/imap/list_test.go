package imap

import (
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// at is opening with another answer to EXAMINE.
func at(lines string) string {
	return `
S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN UIDPLUS] ready
C: AUTHENTICATE PLAIN \S+
S: $ OK [CAPABILITY IMAP4rev1 UIDPLUS] in
C: EXAMINE INBOX
` + lines + "\nS: $ OK [READ-ONLY] done\n"
}

func TestList(t *testing.T) {
	const dense = `C: UID SEARCH UID 11:13
S: * SEARCH 13 11 12
S: $ OK done
C: UID FETCH 11:13 \(UID .*\)
`
	for _, test := range []struct {
		name   string
		script string
		after  ingest.Cursor
		limit  ingest.Limit
		uids   []uint32
		sizes  []int64
		next   ingest.Cursor // Folder INBOX
		more   bool
		reset  bool
	}{
		{name: "any order, odd items", script: opening + dense + `
S: * 3 FETCH (FLAGS (\Seen \DELETED a]) UID 13 RFC822.SIZE 30 INTERNALDATE "20-Nov-2026 12:00:00 +0000")
S: * 1 FETCH (UID 11 RFC822.SIZE 10 INTERNALDATE NIL)
S: * 2 FETCH (UID 12 RFC822.SIZE 99999999999999999999)
S: * 2 FETCH (UID 12 FLAGS ())
S: * 1 FETCH (UID 11 FLAGS ())
S: $ OK done` + ending, after: ingest.Cursor{UIDValidity: 1000, LastUID: 10}, uids: []uint32{11, 12, 13}, sizes: []int64{10, -1, 30}, next: ingest.Cursor{UIDValidity: 1000, LastUID: 13}},
		{name: "SEARCH knows what FETCH does not tell", script: opening + dense + `
S: * 2 FETCH (UID 12 RFC822.SIZE 20)
S: $ NO [SERVERBUG] not today` + ending, after: ingest.Cursor{LastUID: 10}, uids: []uint32{11, 12, 13}, sizes: []int64{-1, 20, -1}, next: ingest.Cursor{UIDValidity: 1000, LastUID: 13}},
		{name: "nothing new costs nothing", script: opening + ending, after: ingest.Cursor{Folder: "INBOX", UIDValidity: 1000, LastUID: 13}, next: ingest.Cursor{UIDValidity: 1000, LastUID: 13}},
		{name: "where it stands costs nothing", script: opening + ending, after: ingest.Cursor{LastUID: math.MaxUint32}, next: ingest.Cursor{UIDValidity: 1000, LastUID: 13}},
		{name: "floor", script: opening + `C: UID SEARCH UID 13
S: * SEARCH 13
S: $ OK done
C: UID FETCH 13 .*
S: * 3 FETCH (UID 13 RFC822.SIZE 30)
S: $ OK done` + ending, after: ingest.Cursor{UIDValidity: 1000, Floor: 12, LastUID: 3}, uids: []uint32{13}, sizes: []int64{30}, next: ingest.Cursor{UIDValidity: 1000, Floor: 12, LastUID: 13}},
		{name: "hostile numbers", script: opening + dense + `
S: * 0 FETCH (UID 11 RFC822.SIZE -1)
S: * 4294967295 FETCH (UID 12)
S: * 9 FETCH (UID 999 RFC822.SIZE 1)
S: * 9 FETCH (RFC822.SIZE 1)
S: $ OK done` + ending, after: ingest.Cursor{LastUID: 10}, uids: []uint32{11, 12, 13}, sizes: []int64{-1, -1, -1}, next: ingest.Cursor{UIDValidity: 1000, LastUID: 13}},
		{name: "search lies", script: opening + `C: UID SEARCH UID 11:13
S: * SEARCH 0 4294967295 11 18446744073709551627 11 (MODSEQ 5)
S: * SEARCH
S: $ OK done
C: UID FETCH 11:13 .*
S: $ OK done` + ending, after: ingest.Cursor{LastUID: 10}, uids: []uint32{11}, sizes: []int64{-1}, next: ingest.Cursor{UIDValidity: 1000, LastUID: 13}},
		{name: "limit of messages", script: opening + dense + `
S: * 1 FETCH (UID 11 RFC822.SIZE 10)
S: * 2 FETCH (UID 12 RFC822.SIZE 20)
S: * 3 FETCH (UID 13 RFC822.SIZE 30)
S: $ OK done` + ending, after: ingest.Cursor{LastUID: 10}, limit: ingest.Limit{Messages: 2}, uids: []uint32{11, 12}, sizes: []int64{10, 20}, next: ingest.Cursor{UIDValidity: 1000, LastUID: 12}, more: true},
		{name: "limit of octets", script: opening + dense + `
S: * 1 FETCH (UID 11 RFC822.SIZE 10)
S: * 2 FETCH (UID 12 RFC822.SIZE 20)
S: * 3 FETCH (UID 13 RFC822.SIZE 30)
S: $ OK done` + ending, after: ingest.Cursor{LastUID: 10}, limit: ingest.Limit{Octets: 5}, uids: []uint32{11}, sizes: []int64{10}, next: ingest.Cursor{UIDValidity: 1000, LastUID: 11}, more: true},
		{name: "sparse", script: at("S: * 2 EXISTS\nS: * OK [UIDVALIDITY 1000] .\nS: * OK [UIDNEXT 4000000000] .") + `
C: UID SEARCH UID 6:\d{10}
S: * SEARCH 3999999999 3000000000
S: $ OK done
C: UID FETCH 3000000000,3999999999 .*
S: * 1 FETCH (UID 3000000000 RFC822.SIZE 10)
S: * 2 FETCH (UID 3999999999 RFC822.SIZE 10)
S: $ OK done` + ending, after: ingest.Cursor{LastUID: 5}, uids: []uint32{3000000000, 3999999999}, sizes: []int64{10, 10}, next: ingest.Cursor{UIDValidity: 1000, LastUID: 3999999999}},
		{name: "sparse, page by page", script: at("S: * 40000 EXISTS\nS: * OK [UIDVALIDITY 1000] .\nS: * OK [UIDNEXT 4000000000] .") + `
C: UID SEARCH UID 6:200003
S: * SEARCH
S: $ OK done
C: UID SEARCH UID 200004:3399971
S: * SEARCH 3000002 3000001 3000003
S: $ OK done
C: UID FETCH 3000001:3000002 .*
S: * 1 FETCH (UID 3000001 RFC822.SIZE 10)
S: $ OK done` + ending, after: ingest.Cursor{LastUID: 5}, limit: ingest.Limit{Messages: 2}, uids: []uint32{3000001, 3000002}, sizes: []int64{10, -1}, next: ingest.Cursor{UIDValidity: 1000, LastUID: 3000002}, more: true},
		{name: "new UIDVALIDITY", script: opening + `
C: UID SEARCH UID 1:13
S: * SEARCH 11
S: $ OK done
C: UID FETCH 1:13 .*
S: * 1 FETCH (UID 11 RFC822.SIZE 10)
S: $ OK done` + ending, after: ingest.Cursor{UIDValidity: 999, Floor: 5, LastUID: 100}, uids: []uint32{11}, sizes: []int64{10}, next: ingest.Cursor{UIDValidity: 1000, LastUID: 13}, reset: true},
		{name: "no UIDVALIDITY, no UIDNEXT", script: at("S: * 3 EXISTS") + `
C: FETCH \* \(UID\)
S: * 3 FETCH (UID 13)
S: $ OK done
C: UID SEARCH UID 13
S: * SEARCH 13
S: $ OK done
C: UID FETCH 13 .*
S: * 3 FETCH (UID 13 RFC822.SIZE 10)
S: $ OK done` + ending, after: ingest.Cursor{LastUID: 12}, uids: []uint32{13}, sizes: []int64{10}, next: ingest.Cursor{LastUID: 13}},
		{name: "both zero, nothing new", script: at("S: * 3 EXISTS\nS: * OK [UIDVALIDITY 0] .\nS: * OK [UIDNEXT 0] .") + `
C: FETCH \* \(UID\)
S: * 3 FETCH (UID 13)
S: $ OK done` + ending, after: ingest.Cursor{LastUID: 13}, next: ingest.Cursor{LastUID: 13}},
		{name: "highest numbers there are", script: at("S: * 2 EXISTS\nS: * OK [UIDVALIDITY 4294967295] .\nS: * OK [UIDNEXT 4294967296] .") + `
C: UID SEARCH UID 4294967294:4294967295
S: * SEARCH 4294967294 4294967295
S: $ OK done
C: UID FETCH 4294967294:4294967295 .*
S: * 1 FETCH (UID 4294967294 RFC822.SIZE 1)
S: * 2 FETCH (UID 4294967295 RFC822.SIZE 2)
S: $ OK done` + ending, after: ingest.Cursor{LastUID: 4294967293}, uids: []uint32{4294967294, 4294967295}, sizes: []int64{1, 2}, next: ingest.Cursor{UIDValidity: 4294967295, LastUID: 4294967295}},
		{name: "empty", script: at("S: * 0 EXISTS\nS: * OK [UIDVALIDITY 7] .\nS: * OK [UIDNEXT 500] .") + ending, next: ingest.Cursor{UIDValidity: 7, LastUID: 499}},
		{name: "EXISTS lies", script: at("S: * 4000000000 EXISTS\nS: * OK [UIDVALIDITY 7] .\nS: * OK [UIDNEXT 2] .") + `
C: UID SEARCH UID 1
S: $ OK done
C: UID FETCH 1 .*
S: $ OK done` + ending, next: ingest.Cursor{UIDValidity: 7, LastUID: 1}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := opened(t, test.script)
			page, err := s.List(t.Context(), test.after, test.limit)
			if err != nil {
				t.Fatal(err)
			}
			var uids []uint32
			var sizes []int64
			for _, e := range page.Entries {
				uids, sizes = append(uids, e.Ref.UID), append(sizes, e.Size)
				if e.Ref.Folder != "INBOX" || e.Ref.UIDValidity != page.Next.UIDValidity {
					t.Errorf("ref %v", e.Ref)
				}
				if e.Deleted != (test.name == "any order, odd items" && e.Ref.UID == 13) {
					t.Errorf("%v: deleted %v", e.Ref, e.Deleted)
				}
			}
			test.next.Folder = "INBOX"
			if diff := cmp.Diff([]any{uids, sizes, page.Next, page.More, page.Reset}, []any{test.uids, test.sizes, test.next, test.more, test.reset}); diff != "" {
				t.Errorf("got -, want +:\n%s", diff)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestListFails(t *testing.T) {
	for _, test := range []struct {
		name   string
		script string
		kind   ingest.Kind
		reason ingest.Reason
	}{
		{"a listing that does not end", "C: UID SEARCH UID .*\nX: repeat 1 * SEARCH\nX: repeat 30000000  1234567\nX: silence", ingest.KindProtocol, ingest.ReasonLimit},
		{"silent", "C: UID SEARCH UID .*\nX: silence", ingest.KindTemporary, ingest.ReasonTimeout},
		{"throttled", "C: UID SEARCH UID .*\nS: $ NO [UNAVAILABLE] Request is throttled. Suggested Backoff Time: 5 seconds\nC: UID FETCH .*\nS: $ OK done", ingest.KindThrottled, ingest.ReasonThrottled},
		{"idle BYE", "S: * BYE Disconnected for inactivity.\nX: close", ingest.KindTemporary, ingest.ReasonServerUnavailable},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := opened(t, opening+test.script, func(_ *ingest.Mailbox, d *dial.Dialer) { d.IOTimeout = time.Second })
			if test.name == "idle BYE" {
				<-s.(*session).conn.Done()
			}
			_, err := s.List(t.Context(), ingest.Cursor{}, ingest.Limit{})
			wantError(t, err, test.kind, test.reason)
		})
	}
}
