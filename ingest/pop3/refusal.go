package pop3

import (
	"errors"
	"strings"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// classify turns what broke the connection into an *ingest.Error. The text of an answer that was no status line is
// left out: it may be mail.
func classify(op string, err error) *ingest.Error {
	alien, isAlien := errors.AsType[*notStatus](err)
	switch {
	case isAlien:
		return &ingest.Error{
			Op: op, Kind: ingest.KindProtocol, Reason: ingest.ReasonProtocol, Err: alien,
			Hint: "The server's answers no longer fit the commands, for example because it sent a message with a line of one dot unprotected.",
		}
	case errors.Is(err, errStatusTooLong), errors.Is(err, errListingTooLong), errors.Is(err, errBodyTooLarge):
		return &ingest.Error{Op: op, Kind: ingest.KindProtocol, Reason: ingest.ReasonLimit, Err: err}
	}
	return dial.Classify(op, err)
}

// refusal is the error for an -ERR. Response codes (RFC 2449 §8.1, RFC 3206) say what it means; without one it is a
// command that the server should have obeyed.
func refusal(op string, st status) *ingest.Error {
	e := &ingest.Error{Op: op, Kind: ingest.KindProtocol, Reason: ingest.ReasonRefused, Server: ingest.CleanServerText(st.text)}
	switch {
	case st.is("AUTH"):
		e.Kind, e.Reason = ingest.KindAuth, ingest.ReasonLoginRefused
	case st.is("IN-USE"):
		e.Kind, e.Reason = ingest.KindTemporary, ingest.ReasonMailboxInUse
		e.Hint = "Another program reads this mailbox by POP3 at the moment; only one can at a time."
	case st.is("LOGIN-DELAY"):
		e.Kind, e.Reason = ingest.KindThrottled, ingest.ReasonThrottled
		e.Hint = "The server wants longer pauses between logins; raise poll_interval."
	case st.is("SYS/PERM"):
		e.Kind, e.Reason = ingest.KindConfig, ingest.ReasonServerUnavailable
		e.Hint = "The server reports a lasting fault with this mailbox; its administrator must look at it."
	case st.is("SYS"):
		e.Kind, e.Reason = ingest.KindTemporary, ingest.ReasonServerUnavailable
	}
	return e
}

// loginRefusal is the error for an -ERR to USER, PASS or AUTH. Servers without response codes are read by their words,
// so that a locked maildrop is not taken for a wrong password.
func (s *session) loginRefusal(st status) *ingest.Error {
	code := st.code()
	st.text = s.redact(st.text)
	e := refusal("login", st)
	says := func(words ...string) bool {
		text := strings.ToLower(st.text)
		for _, w := range words {
			if strings.Contains(text, w) {
				return true
			}
		}
		return false
	}
	switch {
	case says("plaintext", "plain text", "cleartext") && says("disallow", "not allowed", "disabled", "prohibited"):
		// QUIRK: Dovecot marks this [AUTH] although no credential was judged.
		e.Kind, e.Reason = ingest.KindConfig, ingest.ReasonLoginDisabled
		e.Hint = "The server takes passwords over TLS only; use POP3S, or POP3 with starttls."
	case e.Kind == ingest.KindThrottled:
		e.RetryAfter = s.caps.loginDelay()
	case code != "" && e.Reason != ingest.ReasonRefused:
	case says("too many", "rate limit", "throttl", "limit exceeded", "connections exceeded"):
		e.Kind, e.Reason = ingest.KindThrottled, ingest.ReasonThrottled
		e.RetryAfter = s.caps.loginDelay()
	case says("in use", "already open", "another session"), says(" lock", "locked") && says("maildrop", "mailbox", "mail drop"):
		e.Kind, e.Reason = ingest.KindTemporary, ingest.ReasonMailboxInUse
		e.Hint = "The server says that the mailbox is locked; usually another program reads it by POP3."
	case says(" locked", "temporar", "try later", "try again later", "unavailable", "internal error", "busy", "not available"):
		e.Kind, e.Reason = ingest.KindTemporary, ingest.ReasonServerUnavailable
	default:
		e.Kind, e.Reason = ingest.KindAuth, ingest.ReasonLoginRefused
	}
	if e.Reason == ingest.ReasonLoginRefused {
		e.Hint = "The server refuses user name or password; some providers want an application password, or POP3 switched on in the account."
	}
	return e
}

// retrRefusal is why a message that is listed does not come. The connection is in order.
func retrRefusal(st status) *ingest.Error {
	e := refusal("fetch", st)
	text := strings.ToLower(st.text)
	gone := false
	for _, w := range []string{"no such message", "already deleted", "not exist", "expunged", "no longer"} {
		gone = gone || strings.Contains(text, w)
	}
	switch {
	case gone:
		e.Kind, e.Reason = ingest.KindGone, ingest.ReasonGone
	case e.Kind != ingest.KindTemporary:
		e.Kind, e.Reason = ingest.KindProtocol, ingest.ReasonMissingBody
		e.Hint = "The server lists this message and refuses to send it; it stays on the server."
	}
	return e
}

// redact takes the credential out of what a server said back.
func (s *session) redact(text string) string {
	for _, secret := range s.secrets {
		text = strings.ReplaceAll(text, secret, "[secret]")
	}
	return text
}
