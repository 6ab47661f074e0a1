package imap

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

func settling(caps string) string {
	return `
S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready
C: AUTHENTICATE PLAIN \S+
S: $ OK [CAPABILITY IMAP4rev1 ` + caps + `] in
C: SELECT INBOX
S: * 3 EXISTS
S: * OK [UIDVALIDITY 1000] .
S: * OK [UIDNEXT 14] .
S: $ OK [READ-WRITE] done
`
}

func TestSettle(t *testing.T) {
	mixed := append(refs(13, 11, 12, 20, 13), ingest.Ref{Folder: "INBOX", UIDValidity: 999, UID: 5}, ingest.Ref{Folder: "Other", UIDValidity: 1000, UID: 6})
	for _, test := range []struct {
		name   string
		script string
		how    ingest.Settlement
		refs   []ingest.Ref
		kind   ingest.Kind
		reason ingest.Reason
	}{
		{name: "seen", script: settling("UIDPLUS") + `C: UID STORE 11:13,20 \+FLAGS.SILENT \(\\Seen\)
S: * 1 FETCH (UID 11 FLAGS (\Seen a]))
S: $ OK done` + ending, how: ingest.SettleMarkSeen, refs: mixed},
		{name: "delete", script: settling("UIDPLUS") + `C: UID STORE 11:13,20 \+FLAGS.SILENT \(\\Deleted\)
S: $ OK done
C: UID EXPUNGE 11:13,20
S: * 3 EXPUNGE
S: * 0 EXPUNGE
S: $ OK done` + ending, how: ingest.SettleDelete, refs: mixed},
		{name: "delete with IMAP4rev2", script: settling("IMAP4rev2") + `C: UID STORE 11 \+FLAGS.SILENT \(\\Deleted\)
S: $ OK done
C: UID EXPUNGE 11
S: $ OK done` + ending, how: ingest.SettleDelete, refs: refs(11)},
		{name: "delete without UIDPLUS never expunges", script: settling("") + `C: UID STORE 11 \+FLAGS.SILENT \(\\Deleted\)
S: $ OK done` + ending, how: ingest.SettleDelete, refs: refs(11)},
		{name: "leave", script: settling("") + ending, how: ingest.SettleLeave, refs: mixed},
		{name: "nothing of this generation", script: settling("") + ending, how: ingest.SettleDelete, refs: mixed[5:]},
		{name: "refused", script: settling("UIDPLUS") + `C: UID STORE .*
S: $ NO [NOPERM] not yours`, how: ingest.SettleDelete, refs: refs(11), kind: ingest.KindTemporary, reason: ingest.ReasonRefused},
		{name: "refused in a folder for reading", script: strings.Replace(settling("UIDPLUS"), "READ-WRITE", "READ-ONLY", 1) + `C: UID STORE .*
S: $ NO not yours`, how: ingest.SettleMarkSeen, refs: refs(11), kind: ingest.KindConfig, reason: ingest.ReasonRefused},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s := opened(t, test.script, func(m *ingest.Mailbox, _ *dial.Dialer) { m.Settlement = ingest.SettleDelete })
			err := s.Settle(t.Context(), test.refs, test.how)
			if test.reason != "" {
				wantError(t, err, test.kind, test.reason)
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestUIDSets(t *testing.T) {
	var odd []uint32
	for i := range uint32(1000) {
		odd = append(odd, 4294967295-2*i)
	}
	sets := uidSets(odd)
	n := 0
	for _, set := range sets {
		if len(set.String()) > 7000 {
			t.Errorf("a set of %d octets", len(set.String()))
		}
		n += len(set)
	}
	if n != len(odd) {
		t.Errorf("%d UIDs in, %d out", len(odd), n)
	}
	if got := fmt.Sprint(uidSets([]uint32{3, 1, 2, 2, 9})); got != "[1:3,9]" {
		t.Errorf("got %s", got)
	}
	if uidSets(nil) != nil {
		t.Error("a set of nothing")
	}
}

func TestCloseTwice(t *testing.T) {
	s := opened(t, opening+"C: LOGOUT\nX: close")
	if err := errors.Join(s.Close(), s.Close()); err != nil {
		t.Error(err)
	}
}
