package pop3

import (
	"strings"
	"testing"

	"github.com/mailintake/mailintake/ingest"
)

func TestDeleteAtQuit(t *testing.T) {
	t.Parallel()
	s, refs := openThree(t, hello, "C: DELE 1\nC: DELE 3\nS: +OK\nS: +OK"+bye)
	for range 2 { // the second time there is nothing left to say
		if err := s.Settle(t.Context(), []ingest.Ref{refs[0], uidl("unknown"), refs[2], refs[0]}, ingest.SettleDelete); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	if err := s.Settle(t.Context(), refs, ingest.SettleDelete); err == nil {
		t.Error("Settle works after Close")
	}
}

func TestSettleThatSaysNothing(t *testing.T) {
	t.Parallel()
	s, refs := openThree(t, hello, bye)
	for _, how := range []ingest.Settlement{ingest.SettleMarkSeen, ingest.SettleLeave} {
		if err := s.Settle(t.Context(), refs, how); err != nil {
			t.Error(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestQuitNotConfirmed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, answer string
		reason       ingest.Reason
	}{
		{"refused", "S: -ERR some deleted messages not removed", ingest.ReasonRefused},
		{"cut", "CLOSE", ingest.ReasonConnectionLost},
		{"garbage", "S: bye", ingest.ReasonProtocol},
	} {
		for _, deleting := range []bool{true, false} {
			t.Run(tt.name, func(t *testing.T) {
				t.Parallel()
				dele := ""
				if deleting {
					dele = "C: DELE 1\nS: +OK\n"
				}
				s, refs := openThree(t, slow, dele+"C: QUIT\n"+tt.answer)
				if !deleting {
					if err := s.Close(); err != nil {
						t.Errorf("nothing was to be deleted, Close says %v", err)
					}
					return
				}
				if err := s.Settle(t.Context(), refs[:1], ingest.SettleDelete); err != nil {
					t.Fatal(err)
				}
				wantError(t, s.Close(), ingest.KindTemporary, tt.reason)
				if err := s.Close(); err == nil {
					t.Error("the second Close forgets the error")
				}
			})
		}
	}
}

// After an error the connection is cut: the transcript ends with the DELEs, and a QUIT would fail the test.
func TestNoQuitAfterError(t *testing.T) {
	t.Parallel()
	s, refs := openThree(t, slow, "C: DELE 1\nS: +OK\nC: RETR 2\nS: +OK\nS: m\nS: .\nS: rest\nEOF")
	if err := s.Settle(t.Context(), refs[:1], ingest.SettleDelete); err != nil {
		t.Fatal(err)
	}
	f := fetch(t.Context(), s, refs[1:2])
	wantError(t, f.err, ingest.KindProtocol, ingest.ReasonProtocol)
	wantError(t, s.Close(), ingest.KindTemporary, ingest.ReasonProtocol)
}

func TestDeleteCut(t *testing.T) {
	t.Parallel()
	s, refs := openThree(t, hello, "C: DELE 1\nC: DELE 2\nC: DELE 3\nS: +OK\nCLOSE")
	wantError(t, s.Settle(t.Context(), refs, ingest.SettleDelete), ingest.KindTemporary, ingest.ReasonConnectionLost)
	wantError(t, s.Close(), ingest.KindTemporary, ingest.ReasonConnectionLost)
}

func TestDeleteRefused(t *testing.T) {
	t.Parallel()
	s, refs := openThree(t, hello, "C: DELE 1\nC: DELE 2\nC: DELE 3\nS: -ERR message 1 already deleted\nS: -ERR read only\nS: +OK"+bye)
	err := s.Settle(t.Context(), refs, ingest.SettleDelete)
	wantError(t, err, ingest.KindProtocol, ingest.ReasonRefused)
	if e := asError(t, err); e.Server != "read only" {
		t.Errorf("server text %q", e.Server)
	}
	if err := s.Close(); err != nil {
		t.Errorf("what was accepted is deleted all the same: %v", err)
	}
}

// EXPIRE 0 lets a server delete at QUIT what was retrieved, so that there must be no QUIT before it is stored.
func TestExpireZero(t *testing.T) {
	t.Parallel()
	expire := strings.Replace(hello, "S: UIDL", "S: UIDL\n\t\tS: EXPIRE 0", 1)
	retr := "C: RETR 1\nC: RETR 2\nC: NOOP\nS: +OK\nS: m1\nS: .\nS: +OK\nS: m2\nS: .\nS: +OK"
	for _, tt := range []struct {
		name, end string
		settle    func(s *session, refs []ingest.Ref) error
		lost      bool
	}{
		{"not stored", "\nEOF", func(*session, []ingest.Ref) error { return nil }, false},
		{"stored and left", bye, func(s *session, refs []ingest.Ref) error {
			return s.Settle(t.Context(), refs[:2], ingest.SettleLeave)
		}, false},
		{"one deleted, one not stored", "\nC: DELE 1\nS: +OK\nEOF", func(s *session, refs []ingest.Ref) error {
			return s.Settle(t.Context(), refs[:1], ingest.SettleDelete)
		}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, refs := openThree(t, expire, retr+tt.end)
			if f := fetch(t.Context(), s, refs[:2]); f.err != nil || len(f.bodies) != 2 {
				t.Fatalf("%v, %v", f.err, f.missing)
			}
			if err := tt.settle(s, refs); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); (err != nil) != tt.lost {
				t.Errorf("Close: %v", err)
			}
		})
	}
}
