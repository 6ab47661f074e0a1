package pop3

import (
	"encoding/base64"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

func TestGreeting(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, greeting string
		kind           ingest.Kind
		reason         ingest.Reason
		server         string
	}{
		{"refused", "S: -ERR [SYS/TEMP] busy", ingest.KindTemporary, ingest.ReasonGreetingRefused, "[SYS/TEMP] busy"},
		{"ssh", "S: SSH-2.0-OpenSSH_9.2", ingest.KindConfig, ingest.ReasonNotAMailServer, "SSH-2.0-OpenSSH_9.2"},
		{"imap", "S: * OK IMAP4rev1 ready", ingest.KindConfig, ingest.ReasonNotAMailServer, "* OK IMAP4rev1 ready"},
		{"smtp", "S: 220 mx ESMTP", ingest.KindConfig, ingest.ReasonNotAMailServer, "220 mx ESMTP"},
		{"empty line", "S: ", ingest.KindConfig, ingest.ReasonNotAMailServer, ""},
		{"prefix only", "S: +OKAY", ingest.KindConfig, ingest.ReasonNotAMailServer, "+OKAY"},
		{"binary", "S> \\x15\\x03\\x01\\x00\\x02\\x02\\x46\nCLOSE", ingest.KindConfig, ingest.ReasonNotAMailServer, "F"},
		{"prompt without a line end", "S> login: \nHANG", ingest.KindConfig, ingest.ReasonNotAMailServer, "login:"},
		{"closed", "CLOSE", ingest.KindTemporary, ingest.ReasonConnectionLost, ""},
		{"half a greeting", "S> +OK rea\nCLOSE", ingest.KindTemporary, ingest.ReasonConnectionLost, ""},
		{"silence", "HANG", ingest.KindTemporary, ingest.ReasonGreetingTimeout, ""},
		{"endless line", "S> +OK " + strings.Repeat("x", maxStatusLine) + "\nHANG", ingest.KindProtocol, ingest.ReasonLimit, ""},
		{"unasked list", "S> +OK 2 messages\\r\\n1 120\\r\\n2 200\\r\\n.\\r\\n", ingest.KindProtocol, ingest.ReasonProtocol, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			client := testClient()
			client.Dialer.GreetingTimeout = 300 * time.Millisecond
			e := refuse(t, client, play(t, tt.greeting).mailbox())
			wantError(t, e, tt.kind, tt.reason)
			if e.Server != tt.server {
				t.Errorf("server text: got %q, want %q", e.Server, tt.server)
			}
		})
	}
}

func TestGreetingInLowerCaseAndWithTab(t *testing.T) {
	t.Parallel()
	transcript := "S: +ok\\tcome in\nC: CAPA\nS: -err no\nC: USER alice\nS: +Ok\nC: PASS secret\nS: +OK" + bye
	trace := &dial.Trace{}
	server := play(t, strings.Replace(transcript, "\n\t\tC: QUIT", "\nC: UIDL\nS: +OK\nS: 1 a\nS: .\nC: LIST\nS: +OK\nS: 1 5\nS: .\nC: QUIT", 1))
	s, err := testClient().Open(dial.WithTrace(t.Context(), trace), server.mailbox())
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if trace.Banner != "come in" || !trace.Greeting.Passed || !trace.Login.Passed || !trace.Folder.Passed || trace.Messages != 1 {
		t.Errorf("trace: got %+v", trace)
	}
}

func TestLoginRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		answer string
		kind   ingest.Kind
		reason ingest.Reason
		after  time.Duration
	}{
		{"[AUTH] wrong", ingest.KindAuth, ingest.ReasonLoginRefused, 0},
		{"[auth] wrong", ingest.KindAuth, ingest.ReasonLoginRefused, 0},
		{"invalid login or password", ingest.KindAuth, ingest.ReasonLoginRefused, 0},
		{"", ingest.KindAuth, ingest.ReasonLoginRefused, 0},
		{"[X-ODD] no", ingest.KindAuth, ingest.ReasonLoginRefused, 0},
		{"[IN-USE] maildrop already locked", ingest.KindTemporary, ingest.ReasonMailboxInUse, 0},
		{"[LOGIN-DELAY] minimum 15 minutes", ingest.KindThrottled, ingest.ReasonThrottled, 900 * time.Second},
		{"[SYS/TEMP] down", ingest.KindTemporary, ingest.ReasonServerUnavailable, 0},
		{"[SYS/PERM] mailbox broken", ingest.KindConfig, ingest.ReasonServerUnavailable, 0},
		{"unable to lock maildrop", ingest.KindTemporary, ingest.ReasonMailboxInUse, 0},
		{"Your account is locked", ingest.KindTemporary, ingest.ReasonServerUnavailable, 0},
		{"Your account has been blocked", ingest.KindAuth, ingest.ReasonLoginRefused, 0},
		{"Temporary authentication failure", ingest.KindTemporary, ingest.ReasonServerUnavailable, 0},
		{"please try again later", ingest.KindTemporary, ingest.ReasonServerUnavailable, 0},
		{"Maximum number of connections exceeded: too many", ingest.KindThrottled, ingest.ReasonThrottled, 900 * time.Second},
		{"[AUTH] Plaintext authentication disallowed on non-secure (SSL/TLS) connections.", ingest.KindConfig, ingest.ReasonLoginDisabled, 0},
	} {
		t.Run(tt.answer, func(t *testing.T) {
			t.Parallel()
			e := refuse(t, testClient(), play(t, `S: +OK
				C: CAPA
				S: +OK
				S: USER
				S: LOGIN-DELAY 900
				S: .
				C: USER alice
				S: +OK
				C: PASS secret
				S: -ERR `+tt.answer).mailbox())
			wantError(t, e, tt.kind, tt.reason)
			if e.RetryAfter != tt.after {
				t.Errorf("RetryAfter: got %v, want %v", e.RetryAfter, tt.after)
			}
			if e.Server != tt.answer {
				t.Errorf("server text: got %q, want %q", e.Server, tt.answer)
			}
		})
	}
}

func TestLoginErrorsHideTheCredential(t *testing.T) {
	t.Parallel()
	blob := base64.StdEncoding.EncodeToString([]byte("\x00alice\x00s3kr1t pass"))
	server := play(t, `S: +OK
		C: CAPA
		S: +OK
		S: SASL PLAIN
		S: USER
		S: .
		C: AUTH PLAIN
		S: + 
		C: `+blob+`
		S: -ERR cannot take `+blob+` nor s3kr1t pass`)
	m := server.mailbox()
	m.Password = ingest.NewSecret("s3kr1t pass")
	e := refuse(t, testClient(), m)
	wantError(t, e, ingest.KindAuth, ingest.ReasonLoginRefused)
	if text := fmt.Sprintf("%v %+v", e, *e); strings.Contains(text, "s3kr1t") || strings.Contains(text, blob) {
		t.Errorf("the error gives the password away: %s", text)
	}
}

func TestLoginWays(t *testing.T) {
	t.Parallel()
	blob := func(password string) string {
		return base64.StdEncoding.EncodeToString([]byte("\x00alice\x00" + password))
	}
	for _, tt := range []struct{ name, password, transcript string }{
		{"user and pass where both would do", "secret", "S: +OK\nC: CAPA\nS: +OK\nS: USER\nS: SASL PLAIN\nS: PIPELINING\nS: .\nC: USER alice\nS: +OK\nC: PASS secret\nS: +OK"},
		{"plain beyond ascii", "pässword", "S: +OK\nC: CAPA\nS: +OK\nS: USER\nS: SASL LOGIN PLAIN\nS: PIPELINING\nS: .\nC: AUTH PLAIN\nS: +\nC: " + blob("pässword") + "\nS: +OK"},
		{"plain without USER", "secret", "S: +OK\nC: CAPA\nS: +OK\nS: SASL plain\nS: PIPELINING\nS: .\nC: AUTH PLAIN\nS: + go\nC: " + blob("secret") + "\nS: +OK"},
		{"plain refused before the credential", "pass word", "S: +OK\nC: CAPA\nS: +OK\nS: USER\nS: SASL PLAIN\nS: PIPELINING\nS: .\nC: AUTH PLAIN\nS: -ERR not here\nC: USER alice\nS: +OK\nC: PASS pass word\nS: +OK"},
		{"beyond ascii without sasl", "pässword", "S: +OK\nC: CAPA\nS: -ERR\nC: USER alice\nS: +OK\nC: PASS pässword\nS: +OK"},
		{"capabilities again after login", "secret", "S: +OK\nC: CAPA\nS: +OK\nS: USER\nS: .\nC: USER alice\nS: +OK\nC: PASS secret\nS: +OK\nC: CAPA\nS: +OK\nS: PIPELINING\nS: ."},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := play(t, tt.transcript+bye).mailbox()
			m.Password = ingest.NewSecret(tt.password)
			s, err := testClient().Open(t.Context(), m)
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestIPv6(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp6", "[::1]:0")
	if err != nil {
		t.Skipf("needs IPv6 on the loopback: %v", err)
	}
	m := playOn(t, ln, slow+bye).mailbox()
	if m.Host != "::1" {
		t.Fatalf("host is %q", m.Host)
	}
	s, err := testClient().Open(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestLoginDisabledInClear(t *testing.T) {
	t.Parallel()
	e := refuse(t, testClient(), play(t, "S: +OK\nC: CAPA\nS: +OK\nS: STLS\nS: UIDL\nS: .").mailbox())
	wantError(t, e, ingest.KindConfig, ingest.ReasonLoginDisabled)
}

// A server whose transcript is empty would report that nobody connected; here nobody may.
func TestCredentialThatWouldInjectCommands(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"a\r\nDELE 1", "a\nDELE 1", "a\rDELE 1", "a\x00b"} {
		for _, field := range []string{"username", "password"} {
			m := &ingest.Mailbox{Protocol: ingest.POP3, Host: "127.0.0.1", Port: 1, Username: "alice", Password: ingest.NewSecret("x")}
			if field == "username" {
				m.Username = bad
			} else {
				m.Password = ingest.NewSecret(bad)
			}
			e := refuse(t, testClient(), m)
			wantError(t, e, ingest.KindConfig, ingest.ReasonLoginRefused)
			if !strings.Contains(e.Hint, field) {
				t.Errorf("hint %q does not name %s", e.Hint, field)
			}
		}
	}
}

func TestStartTLSRefusals(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, answer string
		kind         ingest.Kind
		reason       ingest.Reason
	}{
		{"not offered", "S: -ERR unknown command", ingest.KindConfig, ingest.ReasonStartTLSRefused},
		{"not now", "S: -ERR [SYS/TEMP] later", ingest.KindTemporary, ingest.ReasonStartTLSRefused},
		{"garbage", "S: whatever", ingest.KindProtocol, ingest.ReasonProtocol},
		{"injection", "S> +OK begin\\r\\n+OK\\r\\n+OK\\r\\n", ingest.KindProtocol, ingest.ReasonStartTLSInjection},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			m := play(t, "S: +OK\nC: STLS\n"+tt.answer).mailbox()
			m.StartTLS = true
			wantError(t, refuse(t, testClient(), m), tt.kind, tt.reason)
		})
	}
}

func TestSilenceAtLogin(t *testing.T) {
	t.Parallel()
	client := testClient()
	client.Dialer.LoginTimeout = 300 * time.Millisecond
	m := play(t, "S: +OK\nC: CAPA\nS: -ERR\nC: USER alice\nHANG").mailbox()
	wantError(t, refuse(t, client, m), ingest.KindTemporary, ingest.ReasonTimeout)
}
