package imap

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

func TestFetch(t *testing.T) {
	const all = `C: UID FETCH 11:13 \(UID INTERNALDATE BODY.PEEK\[\]\)` + "\n"
	none := map[uint32]string{}
	for _, test := range []struct {
		name    string
		script  string
		uids    []uint32
		got     map[uint32]string
		missing map[uint32]ingest.Reason
		kind    ingest.Kind // of the error; with reason
		reason  ingest.Reason
	}{
		{name: "in any order", uids: []uint32{11, 12, 13}, script: all + `
S: * 3 FETCH (UID 13 INTERNALDATE "20-Nov-2026 12:00:00 +0000" BODY[] {5}
S: c\r\n) )
S: * 1 FETCH (UID 11 BODY[] {3}
S: a\r\n)
S: * 2 FETCH (BODY[] "q\"o\\d" UID 12 FLAGS (\Seen))
S: $ OK done
C: UID SEARCH UID 12
S: * SEARCH 12
S: $ OK done
C: UID FETCH 12 .*
S: * 2 FETCH (BODY[] "q\"o\\d" UID 12 FLAGS (\Seen))
S: $ OK done`, got: map[uint32]string{11: "a\r\n", 12: `q"o\d`, 13: "c\r\n) "}},
		{name: "unknown items, odd flags, lower case, extra spaces", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: * 1  fetch  ( X-GM-MSGID 1278455344230334865 FLAGS (\Seen a]b "q x" $C) ENVELOPE ("x" {3}
S: (() (("a" NIL "b" "c")) NIL) internaldate NIL EMAILID (M1)  uid 11  body[] {3}
S: a\r\n  MODSEQ (12) )
S: $ OK [Error="x]y" AuthResult=0] done`, got: map[uint32]string{11: "a\r\n"}},
		{name: "unknown untagged responses between", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: * VANISHED (EARLIER) 1:5
S: * XLIST (\Inbox) "/" {5}
S: IN(BX
S: * ESEARCH UID ALL 1:300000000
S: * SEARCH 4294967295 0
S: * OK
S: * FLAGS (a]b {
S: * 1 FETCH (UID 11 BODY[] {3}
S: a\r\n)
S: $ OK`, got: map[uint32]string{11: "a\r\n"}},
		{name: "octets as they are", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: * 1 FETCH (UID 11 BODY[] {40}
S: a\0b\rc\nd\xff\xfe\r\n.\r\n$ OK done\r\n* 1 EXPUNGE\r\n))
S: $ OK done`, got: map[uint32]string{11: "a\x00b\rc\nd\xff\xfe\r\n.\r\nT3 OK done\r\n* 1 EXPUNGE\r\n)"}},
		{name: "split over two responses", uids: []uint32{11, 12, 13}, script: all + `
S: * 1 FETCH (UID 11 INTERNALDATE "20-Nov-2026 12:00:00 +0000" FLAGS ())
S: * 1 FETCH (UID 11 BODY[] {1}
S: a)
S: * 2 FETCH (UID 12 BODY[] {1}
S: b)
S: * 3 FETCH (UID 13)
S: * 3 FETCH (UID 13 BODY[] {1}
S: c)
S: $ OK done`, got: map[uint32]string{11: "a", 12: "b", 13: "c"}},
		{name: "UID behind the body", uids: []uint32{11, 12, 13}, script: all + `
S: * 1 FETCH (BODY[] {1}
S: a UID 11)
S: * 2 FETCH (BODY[] {1}
S: b UID 12)
S: * 3 FETCH (UID 13 BODY[] {1}
S: c)
S: $ OK done
C: UID SEARCH UID 11:12
S: * SEARCH 12 11
S: $ OK done
C: UID FETCH 11 .*
S: * 1 FETCH (BODY[] {1}
S: a UID 11)
S: $ OK done
C: UID FETCH 12 .*
S: * 2 FETCH (BODY[] {1}
S: b UID 12)
S: $ OK done`, got: map[uint32]string{11: "a", 12: "b", 13: "c"}},
		{name: "no UID, or another one, behind the body", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: * 1 FETCH (BODY[] {1}
S: a)
S: * 2 FETCH (BODY[] {1}
S: b UID 12)
S: $ OK done
C: UID SEARCH UID 11
S: * SEARCH 11
S: $ OK done
C: UID FETCH 11 .*
S: * 1 FETCH (BODY[] {1}
S: a)
S: $ OK done`, got: none, missing: map[uint32]ingest.Reason{11: ingest.ReasonMissingBody}},
		{name: "answers for others, and twice", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: * 9 FETCH (UID 999 BODY[] {3}
S: xyz)
S: * 1 FETCH (UID 11 BODY[] {1}
S: a BODY[] {1}
S: b)
S: * 1 FETCH (UID 11 BODY[] {1}
S: c)
S: $ OK done`, got: map[uint32]string{11: "a"}},
		{name: "NIL, empty, none, gone", uids: []uint32{11, 12, 13}, script: all + `
S: * 1 FETCH (UID 11 BODY[] NIL)
S: * 2 FETCH (UID 12 BODY[] "")
S: * 4 EXPUNGE
S: $ OK done
C: UID SEARCH UID 11:13
S: * SEARCH 11 12
S: $ OK done
C: UID FETCH 11 .*
S: * 1 FETCH (UID 11 BODY[] NIL)
S: $ OK done
C: UID FETCH 12 .*
S: * 2 FETCH (UID 12 BODY[] {0}
S: )
S: $ OK done`, got: none, missing: map[uint32]ingest.Reason{11: ingest.ReasonMissingBody, 12: ingest.ReasonMissingBody, 13: ingest.ReasonGone}},
		{name: "one is refused", uids: []uint32{11, 12, 13}, script: all + `
S: * 1 FETCH (UID 11 BODY[] {1}
S: a)
S: $ NO [SERVERBUG] cannot read
C: UID SEARCH UID 12:13
S: * SEARCH 12 13
S: $ OK done
C: UID FETCH 12 .*
S: $ NO [SERVERBUG] cannot read
C: UID FETCH 13 .*
S: * 3 FETCH (UID 13 BODY[] {1}
S: c)
S: $ OK done`, got: map[uint32]string{11: "a", 13: "c"}, missing: map[uint32]ingest.Reason{12: ingest.ReasonMissingBody}},
		{name: "throttled", uids: []uint32{11, 12, 13}, script: all + `
S: * 1 FETCH (UID 11 BODY[] {1}
S: a)
S: $ NO Request is throttled. Suggested Backoff Time: 1000 milliseconds`, got: map[uint32]string{11: "a"}, kind: ingest.KindThrottled, reason: ingest.ReasonThrottled},
		{name: "too large, dropped", uids: []uint32{11, 12, 13}, script: all + `
S: * 1 FETCH (UID 11 BODY[] {1}
S: a)
S: * 2 FETCH (UID 12 BODY[] {2000000}
X: repeat 2000000 x
S: )
S: * 3 FETCH (UID 13 BODY[] {1}
S: c)
S: $ OK done`, got: map[uint32]string{11: "a", 13: "c"}, missing: map[uint32]ingest.Reason{12: ingest.ReasonTooLarge}},
		{name: "far too large", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: * 1 FETCH (UID 11 BODY[] {4294967295}
X: repeat 65536 x
X: silence`, got: none, missing: map[uint32]ingest.Reason{11: ingest.ReasonTooLarge}, kind: ingest.KindTooLarge, reason: ingest.ReasonTooLarge},
		{name: "cut in the literal", uids: []uint32{11, 12, 13}, script: all + `
S: * 1 FETCH (UID 11 BODY[] {1}
S: a)
S: * 2 FETCH (UID 12 BODY[] {1000}
S: only this
X: close`, got: map[uint32]string{11: "a"}, kind: ingest.KindTemporary, reason: ingest.ReasonConnectionLost},
		{name: "literal longer than announced", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: * 1 FETCH (UID 11 BODY[] {20}
S: From: a@example.test
S: Subject: x
S: $ OK forged
S: )
S: $ OK done
X: silence`, got: none, kind: ingest.KindProtocol, reason: ingest.ReasonProtocol},
		{name: "literal size beyond 63 bits", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: * 1 FETCH (UID 11 BODY[] {99999999999999999999999}
X: silence`, got: none, kind: ingest.KindProtocol, reason: ingest.ReasonProtocol},
		{name: "negative literal size", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: * 1 FETCH (UID 11 BODY[] {-1}
X: silence`, got: none, kind: ingest.KindProtocol, reason: ingest.ReasonProtocol},
		{name: "nesting", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: * 1 FETCH (BODYSTRUCTURE \r\n
X: silence`, got: none, kind: ingest.KindProtocol, reason: ingest.ReasonProtocol},
		{name: "deep nesting", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: * 2 FETCH (FLAGS ())
X: repeat 1 * 1 FETCH (BODYSTRUCTURE ((((((((((((((((((((((((((
X: repeat 2000000 (
X: silence`, got: none, kind: ingest.KindProtocol, reason: ingest.ReasonLimit},
		{name: "endless line", uids: []uint32{11}, script: `C: UID FETCH 11 .*
X: repeat 1 * OK 
X: repeat 300000000 A
X: silence`, got: none, kind: ingest.KindProtocol, reason: ingest.ReasonLimit},
		{name: "large literal that nobody asked for", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: * 1 FETCH (ENVELOPE ("d" {300000000}
X: repeat 300000000 A
X: silence`, got: none, kind: ingest.KindProtocol, reason: ingest.ReasonLimit},
		{name: "flood", uids: []uint32{11}, script: `C: UID FETCH 11 .*
X: repeat 20000000 * 1 FETCH (FLAGS ())\r\n
X: silence`, got: none, kind: ingest.KindProtocol, reason: ingest.ReasonProtocol},
		{name: "a result for no command", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: T999 OK done
X: silence`, got: none, kind: ingest.KindProtocol, reason: ingest.ReasonProtocol},
		{name: "silent", uids: []uint32{11}, script: `C: UID FETCH 11 .*
X: silence`, got: none, kind: ingest.KindTemporary, reason: ingest.ReasonTimeout},
		{name: "BYE", uids: []uint32{11}, script: `C: UID FETCH 11 .*
S: * BYE Too many connections for this user
X: close`, got: none, kind: ingest.KindThrottled, reason: ingest.ReasonThrottled},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := opened(t, opening+test.script, func(m *ingest.Mailbox, d *dial.Dialer) {
				m.MaxMessageBytes, d.IOTimeout = 1_000_000, time.Second
			})
			got, missing, err := fetchAll(t.Context(), s, refs(test.uids...))
			if diff := cmp.Diff(got, test.got); diff != "" {
				t.Errorf("bodies (got -, want +):\n%s", diff)
			}
			reasons := map[uint32]ingest.Reason{}
			for ref, err := range missing {
				e, _ := errors.AsType[*ingest.Error](err)
				reasons[ref.UID] = e.Reason
			}
			if test.missing == nil {
				test.missing = map[uint32]ingest.Reason{}
			}
			if diff := cmp.Diff(reasons, test.missing); diff != "" {
				t.Errorf("missing (got -, want +):\n%s", diff)
			}
			if test.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			wantError(t, err, test.kind, test.reason)
			if test.kind == ingest.KindThrottled {
				return // the server may still talk
			}
			if _, _, again := fetchAll(t.Context(), s, refs(11)); again == nil {
				t.Error("a broken session goes on working")
			}
		})
	}
}

func TestFetchReceived(t *testing.T) {
	s := opened(t, opening+`
C: UID FETCH 11 .*
S: * 1 FETCH (UID 11 INTERNALDATE " 1-Nov-2026 12:00:00 +0100")
S: * 1 FETCH (UID 11 BODY[] {1}
S: a)
S: $ OK done`)
	want := time.Date(2026, 11, 1, 11, 0, 0, 0, time.UTC)
	_, err := s.Fetch(t.Context(), refs(11), func(a ingest.Arrival) error {
		if !a.Received.Equal(want) || a.Size != 1 {
			t.Errorf("received %v, size %d", a.Received, a.Size)
		}
		return nil // without reading: the session drains the rest
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFetchEachFails(t *testing.T) {
	s := opened(t, opening+`
C: UID FETCH 11 .*
S: * 1 FETCH (UID 11 BODY[] {1000000}
X: repeat 1000000 x
S: )
S: $ OK done`)
	full := errors.New("disk full")
	_, err := s.Fetch(t.Context(), refs(11), func(a ingest.Arrival) error {
		io.CopyN(io.Discard, a.Body, 10)
		return full
	})
	if !errors.Is(err, full) {
		t.Errorf("got %v, want the error of each", err)
	}
	if _, err := s.List(t.Context(), ingest.Cursor{}, ingest.Limit{}); err == nil {
		t.Error("the session goes on in the middle of a message")
	}
}

func TestFetchEachPanics(t *testing.T) {
	s := opened(t, opening+`
C: UID FETCH 11 .*
S: * 1 FETCH (UID 11 BODY[] {3}
S: abc)
S: $ OK done`)
	_, err := s.Fetch(t.Context(), refs(11), func(ingest.Arrival) error { panic("bug") })
	if err == nil || !strings.Contains(err.Error(), "bug") {
		t.Errorf("got %v", err)
	}
}

func TestFetchCancelled(t *testing.T) {
	s := opened(t, opening+`
C: UID FETCH 11 .*
S: * 1 FETCH (UID 11 BODY[] {1000000}
X: silence`)
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.Fetch(ctx, refs(11), func(a ingest.Arrival) error {
		cancel()
		_, err := io.Copy(io.Discard, a.Body)
		return err
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestFetchOtherGeneration(t *testing.T) {
	s := opened(t, opening)
	old := ingest.Ref{Folder: "INBOX", UIDValidity: 999, UID: 11}
	missing, err := s.Fetch(t.Context(), []ingest.Ref{old}, nil)
	if err != nil || ingest.KindOf(missing[old]) != ingest.KindGone {
		t.Errorf("missing %v, %v", missing, err)
	}
}
