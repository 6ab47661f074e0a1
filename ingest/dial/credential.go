package dial

import (
	"errors"
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// CheckCredential refuses what would break out of a login command: CR, LF and NUL in user name, password or folder.
// Sessions call it before they connect. The error names the field, never its value.
func CheckCredential(m *ingest.Mailbox) error {
	for _, f := range [...]struct{ name, value string }{
		{"username", m.Username}, {"password", m.Password.Reveal()}, {"folders", m.Folder},
	} {
		if strings.ContainsAny(f.value, "\r\n\x00") {
			return &ingest.Error{
				Op: "login", Kind: ingest.KindConfig, Reason: ingest.ReasonLoginRefused,
				Hint: f.name + ": must not contain line breaks or NUL; enter it again.",
				Err:  errors.New(f.name + " contains a line break or NUL"),
			}
		}
	}
	return nil
}

// LoginMechanism is the client side of SASL LOGIN, which has no RFC: whatever the server's prompts say, the first is
// answered with the user name and the second with the password. It fits the Client interface of go-sasl.
type LoginMechanism struct {
	username, password string
	step               int
}

// NewLoginMechanism makes one exchange; it is not reusable.
func NewLoginMechanism(username, password string) *LoginMechanism {
	return &LoginMechanism{username: username, password: password}
}

// Start names the mechanism; there is no initial response, since many servers do not accept one for LOGIN.
func (l *LoginMechanism) Start() (mechanism string, initial []byte, err error) {
	return "LOGIN", nil, nil
}

// Next answers a prompt; a third one is an error.
func (l *LoginMechanism) Next([]byte) ([]byte, error) {
	l.step++
	switch l.step {
	case 1:
		return []byte(l.username), nil
	case 2:
		return []byte(l.password), nil
	}
	return nil, errors.New("the server asks for more than user name and password")
}
