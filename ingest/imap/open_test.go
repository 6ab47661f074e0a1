package imap

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

func TestOpen(t *testing.T) {
	const greeting = "S: * OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN] ready\n"
	const plain = greeting + "C: AUTHENTICATE PLAIN \\S+\n"
	const in = plain + "S: $ OK [CAPABILITY IMAP4rev1] in\nC: EXAMINE INBOX\n"
	for _, test := range []struct {
		name   string
		script string
		change func(*ingest.Mailbox, *dial.Dialer)
		kind   ingest.Kind
		reason ingest.Reason // empty: opens
		retry  time.Duration
	}{
		{name: "PLAIN with initial response", script: opening + ending},
		{name: "PLAIN without initial response", script: `
S: * OK ready
C: CAPABILITY
S: * CAPABILITY IMAP4rev1 AUTH=PLAIN
S: $ OK done
C: AUTHENTICATE PLAIN
S: + 
c: AGFubmEAc2VjcmV0
S: $ OK done
C: CAPABILITY
S: * CAPABILITY IMAP4rev1 ID
S: $ OK done
C: EXAMINE INBOX
S: $ OK done` + ending},
		{name: "LOGIN command", script: `
S: * OK [CAPABILITY IMAP4rev1] ready
C: LOGIN "anna" "se\\\\c\\"ret"
S: $ OK [CAPABILITY IMAP4rev1] in
C: EXAMINE INBOX
S: $ OK done` + ending, change: func(m *ingest.Mailbox, _ *dial.Dialer) { m.Password = ingest.NewSecret(`se\c"ret`) }},
		{name: "LOGIN command with a literal", script: `
S: * OK [CAPABILITY IMAP4rev1] ready
C: LOGIN "anna" \{9\}
S: + go
c: pässwör
S: $ OK [CAPABILITY IMAP4rev1] in
C: EXAMINE INBOX
S: $ OK done` + ending, change: func(m *ingest.Mailbox, _ *dial.Dialer) { m.Password = ingest.NewSecret("pässwör") }, kind: 0, reason: ""},
		{name: "SASL LOGIN whatever the prompts", script: `
S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=LOGIN] ready
C: AUTHENTICATE LOGIN
S: + 
c: YW5uYQ==
S: + *not base64*
c: c2VjcmV0
S: $ OK [CAPABILITY IMAP4rev1] in
C: EXAMINE INBOX
S: $ OK done` + ending},
		{name: "ID before SELECT, refused", script: plain + `
S: $ OK [CAPABILITY IMAP4rev1 ID] in
C: ID \("name" "mailintake" "version" "1"\)
S: $ BAD no
C: EXAMINE INBOX
S: * ID ("name" {4}
S: a(b)))
S: $ OK done` + ending},
		{name: "SELECT when settling, folder in modified UTF-7", script: plain + `
S: $ OK [CAPABILITY IMAP4rev1] in
C: SELECT "Eing&AOQ-nge"
S: $ OK done` + ending, change: func(m *ingest.Mailbox, _ *dial.Dialer) {
			m.Folder, m.Settlement = "Eingänge", ingest.SettleMarkSeen
		}},
		{name: "bare LF", script: "S: * OK [CAPABILITY IMAP4rev1] ready\n" + `C: LOGIN "anna" "secret"` + "\nX: repeat 1 * OK x\nS: \\n$ OK in\nC: CAPABILITY\nS: $ OK\nC: EXAMINE INBOX\nS: $ OK" + ending},
		{name: "odd status lines", script: in + `
S: * OK [PERMANENTFLAGS (\\Seen a]b "x)] odd
S: * OK [UIDNEXT 99999999999999999999] .
S: * OK [UIDVALIDITY x] .
S: * NO
S: $ OK [READ-ONLY` + ending},

		{name: "wrong password", script: plain + "S: $ NO [AUTHENTICATIONFAILED] wrong", kind: ingest.KindAuth, reason: ingest.ReasonLoginRefused},
		{name: "no code", script: plain + "S: $ NO something went wrong", kind: ingest.KindAuth, reason: ingest.ReasonLoginRefused},
		{name: "no code, temporary in words", script: plain + "S: $ NO Temporary authentication failure", kind: ingest.KindTemporary, reason: ingest.ReasonServerUnavailable},
		{name: "unavailable", script: plain + "S: $ NO [UNAVAILABLE] sorry", kind: ingest.KindTemporary, reason: ingest.ReasonServerUnavailable},
		{name: "in use", script: plain + "S: $ NO [INUSE] sorry", kind: ingest.KindTemporary, reason: ingest.ReasonMailboxInUse},
		{name: "limit", script: plain + "S: $ NO [LIMIT] sorry", kind: ingest.KindThrottled, reason: ingest.ReasonThrottled},
		{name: "throttled", script: plain + "S: $ BAD Request is throttled. Suggested Backoff Time: 90000 milliseconds", kind: ingest.KindThrottled, reason: ingest.ReasonThrottled, retry: 90 * time.Second},
		{name: "authenticated but not connected", script: in + "S: $ BAD User is authenticated but not connected.", kind: ingest.KindThrottled, reason: ingest.ReasonThrottled},
		{name: "BYE at login", script: plain + "S: * BYE Temporary failure\nX: close", kind: ingest.KindTemporary, reason: ingest.ReasonServerUnavailable},
		{name: "BYE at SELECT", script: in + "S: * BYE internal error\nX: close", kind: ingest.KindTemporary, reason: ingest.ReasonServerUnavailable},
		{name: "no folder", script: in + "S: $ NO [NONEXISTENT] what", kind: ingest.KindConfig, reason: ingest.ReasonFolderNotFound},
		{name: "INBOX refused", script: in + "S: $ NO what", kind: ingest.KindTemporary, reason: ingest.ReasonServerUnavailable},
		{name: "no folder, in words", script: plain + "S: $ OK [CAPABILITY IMAP4rev1] in\nC: EXAMINE \"a\"\nS: $ NO Unknown Mailbox: a", kind: ingest.KindConfig, reason: ingest.ReasonFolderNotFound,
			change: func(m *ingest.Mailbox, _ *dial.Dialer) { m.Folder = "a" }},
		{name: "login disabled", script: "S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED] ready", kind: ingest.KindConfig, reason: ingest.ReasonLoginDisabled},
		{name: "PREAUTH", script: "S: * PREAUTH hello", kind: ingest.KindConfig, reason: ingest.ReasonPreauth},
		{name: "greeting BYE", script: "S: * BYE closed for today", kind: ingest.KindTemporary, reason: ingest.ReasonGreetingRefused},
		{name: "POP3", script: "S: +OK ready", kind: ingest.KindConfig, reason: ingest.ReasonNotAMailServer},
		{name: "no greeting", script: "X: silence", kind: ingest.KindTemporary, reason: ingest.ReasonGreetingTimeout},
		{name: "silent at login", script: plain + "X: silence", kind: ingest.KindTemporary, reason: ingest.ReasonTimeout},
		{name: "cut at login", script: plain + "X: close", kind: ingest.KindTemporary, reason: ingest.ReasonConnectionLost},
		// The result comes in the same packet as the prompt, before the answer.
		{name: "result overtakes the exchange", script: `
S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready
C: AUTHENTICATE PLAIN
S: + \r\n$ NO [AUTHENTICATIONFAILED] too late`, kind: ingest.KindAuth, reason: ingest.ReasonLoginRefused},
		{name: "prompts without end", script: plain + "S: + \nX: silence", kind: ingest.KindProtocol, reason: ingest.ReasonProtocol},
		{name: "STARTTLS refused", script: "S: * OK [CAPABILITY IMAP4rev1] ready\nC: STARTTLS\nS: $ BAD what", kind: ingest.KindConfig, reason: ingest.ReasonStartTLSRefused,
			change: func(m *ingest.Mailbox, _ *dial.Dialer) { m.StartTLS = true }},
		{name: "STARTTLS with octets in clear behind", script: "S: * OK [CAPABILITY IMAP4rev1] ready\nC: STARTTLS\nS: $ OK go\\r\\n* CAPABILITY IMAP4rev1 AUTH=PLAIN", kind: ingest.KindProtocol, reason: ingest.ReasonStartTLSInjection,
			change: func(m *ingest.Mailbox, _ *dial.Dialer) { m.StartTLS = true }},
		{name: "STARTTLS answered before it is asked", script: "S: * OK ready\\r\\nT1 OK go\\r\\nM1 OK go\nC: STARTTLS", kind: ingest.KindProtocol, reason: ingest.ReasonStartTLSInjection,
			change: func(m *ingest.Mailbox, _ *dial.Dialer) { m.StartTLS = true }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			s, err := scripted(t, test.script, func(m *ingest.Mailbox, d *dial.Dialer) {
				d.GreetingTimeout, d.LoginTimeout, d.IOTimeout = time.Second, time.Second, 2*time.Second
				if test.change != nil {
					test.change(m, d)
				}
			})
			if test.reason == "" {
				if err != nil {
					t.Fatal(err)
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil {
				t.Fatal("the session opened")
			}
			wantError(t, err, test.kind, test.reason)
			e, _ := errors.AsType[*ingest.Error](err)
			if e.RetryAfter != test.retry {
				t.Errorf("retry after %v, want %v", e.RetryAfter, test.retry)
			}
			if e.Hint == "" && e.Kind != ingest.KindProtocol && e.Reason != ingest.ReasonConnectionLost && e.Reason != ingest.ReasonGreetingRefused && !strings.HasPrefix(test.name, "INBOX") {
				t.Errorf("no hint in %+v", e)
			}
			if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "AGFubmEAc2VjcmV0") {
				t.Errorf("the password is in %q", err)
			}
		})
	}
}
