package ingest

import "log/slog"

// Secret is a credential in clear. However it is printed, logged or marshalled it reads "[secret]"; Reveal is the only
// way to its value, so that a search for Reveal finds every use.
type Secret struct{ value string }

// NewSecret wraps a credential.
func NewSecret(value string) Secret { return Secret{value} }

// Reveal gives the credential in clear, for the login command and for sealing.
func (s Secret) Reveal() string { return s.value }

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.value == "" }

// String is "[secret]".
func (Secret) String() string { return "[secret]" }

// GoString is "[secret]".
func (Secret) GoString() string { return "[secret]" }

// MarshalText gives "[secret]".
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// LogValue gives "[secret]".
func (Secret) LogValue() slog.Value { return slog.StringValue("[secret]") }
