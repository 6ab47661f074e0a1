package mailtest

import (
	"strings"
	"sync"
)

// Account is a user of a server and the mail that the user sees.
type Account struct {
	User, Password string
	// Inbox is the POP3 maildrop and the IMAP folder INBOX. Nil makes an empty one.
	Inbox *Mailbox
	// Folders are further IMAP folders by name; "/" separates levels.
	Folders map[string]*Mailbox
}

// accounts are the users of a server and its mood towards logins.
type accounts struct {
	mu       sync.Mutex
	byUser   map[string]*Account
	refusal  string
	attempts int
}

func newAccounts(list []Account) *accounts {
	a := &accounts{byUser: map[string]*Account{}}
	for _, acc := range list {
		if acc.Inbox == nil {
			acc.Inbox = NewMailbox()
		}
		a.byUser[acc.User] = &acc
	}
	return a
}

// SetPassword changes a user's password for the logins to come.
func (a *accounts) SetPassword(user, password string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if acc := a.byUser[user]; acc != nil {
		acc.Password = password
	}
}

// SetLoginError makes the server refuse every login with this text, which may begin with a response code in brackets:
// "[UNAVAILABLE] try later" (IMAP, RFC 5530 §3), "[SYS/TEMP] try later" (POP3, RFC 3206 §4). Empty ends that.
func (a *accounts) SetLoginError(text string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.refusal = text
}

// Logins is the number of login attempts so far, successful or not.
func (a *accounts) Logins() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.attempts
}

// login returns the account, or why there is none: the text of SetLoginError, or empty for a wrong name or password.
func (a *accounts) login(user, password string) (acc *Account, attempt int, refusal string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.attempts++
	if a.refusal != "" {
		return nil, a.attempts, a.refusal
	}
	if acc := a.byUser[user]; acc != nil && acc.Password == password {
		return acc, a.attempts, ""
	}
	return nil, a.attempts, ""
}

// splitCode splits "[CODE] text".
func splitCode(s string) (code, text string) {
	if rest, ok := strings.CutPrefix(s, "["); ok {
		if code, text, ok := strings.Cut(rest, "]"); ok {
			return code, strings.TrimSpace(text)
		}
	}
	return "", s
}
