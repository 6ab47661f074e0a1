package store

import (
	"crypto/sha256"
	"strings"

	"github.com/google/uuid"
)

// messageKey is what the table identifier knows a Message-ID by. Case matters (RFC 5322 §3.6.4).
func messageKey(tenant, id string) uuid.UUID { return keyOf(tenant, "message-id", id) }

// fingerprintKey is what it knows a fingerprint by.
func fingerprintKey(tenant, fingerprint string) uuid.UUID {
	return keyOf(tenant, "fingerprint", fingerprint)
}

// keyOf takes the first 16 octets of a hash. Senders choose the values, so a hash that they could make collide would let
// them into conversations whose ids they do not know.
func keyOf(tenant, kind, value string) uuid.UUID {
	sum := sha256.Sum256([]byte(strings.Join([]string{tenant, kind, value}, "\x00")))
	return uuid.UUID(sum[:16])
}
