package store

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/mailintake/mailintake/ingest"
)

// messageKey is what the table identifier knows a Message-ID by. Case matters (RFC 5322 §3.6.4).
func messageKey(tenant, id string) uuid.UUID { return keyOf(tenant, "message-id", id) }

// fingerprintKey is what it knows a fingerprint by.
func fingerprintKey(tenant, fingerprint string) uuid.UUID {
	return keyOf(tenant, "fingerprint", fingerprint)
}

// keyOf takes the first 16 octets of a hash. Senders choose the values, so a hash that they could make collide would let
// them into conversations whose ids they do not know. Nothing is known by the empty value, whose key is zero.
func keyOf(tenant, kind, value string) (key uuid.UUID) {
	if value != "" {
		sum := sha256.Sum256([]byte(strings.Join([]string{tenant, kind, value}, "\x00")))
		copy(key[:], sum[:])
	}
	return key
}

// maxMentions is how many ids of References, and how many of In-Reply-To, count: as many as the parser keeps.
const maxMentions = 100

// mark is what a message is known by, and what it says of itself about the conversation that it belongs to.
type mark struct {
	own        uuid.UUID   // key of its Message-ID; zero if it has none
	print      uuid.UUID   // key of its fingerprint; zero if it has none
	references []uuid.UUID // keys of References, without its own
	answers    []uuid.UUID // keys of In-Reply-To, without its own
	parent     uuid.UUID   // key of the message that it answers; zero if it answers none
	sent       time.Time   // its Date; zero if unknown
	sender     string      // address of From in lower case
	subject    int64       // hash of the subject without prefixes; 0 if nothing is left of it
	reply      bool        // the subject begins as that of an answer
	people     []string    // addresses of From, To and Cc in lower case, without those of the channel
}

func markOf(ch *ingest.Channel, m *ingest.Mail) *mark {
	k := &mark{own: messageKey(ch.Tenant, m.MessageID), print: fingerprintKey(ch.Tenant, m.Fingerprint), sender: senderOf(m)}
	k.references, k.answers = k.mentions(ch.Tenant, m.References), k.mentions(ch.Tenant, m.InReplyTo)
	// In-Reply-To names the parent, and so does the end of References (RFC 5322 §3.6.4). Where In-Reply-To names several,
	// or none, the other one is clearer.
	switch {
	case len(k.answers) == 1 || len(k.references) == 0 && len(k.answers) > 0:
		k.parent = k.answers[0]
	case len(k.references) > 0:
		k.parent = k.references[len(k.references)-1]
	}
	if y := m.Date.Year(); !m.Date.IsZero() && y >= 1 && y <= 9999 {
		k.sent = m.Date
	}
	base, reply := ingest.BaseSubject(m.Subject)
	if base != "" {
		sum := sha256.Sum256([]byte(base))
		k.subject, k.reply = int64(binary.BigEndian.Uint64(sum[:])), reply
	}
	k.people = peopleOf(ch, m)
	return k
}

func (k *mark) mentions(tenant string, ids []string) []uuid.UUID {
	if len(ids) > maxMentions { // the first names the thread, the last ones the parents
		ids = append(ids[:1:1], ids[len(ids)-maxMentions+1:]...)
	}
	var keys []uuid.UUID
	for _, id := range ids {
		if key := messageKey(tenant, id); key != uuid.Nil && key != k.own && !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

// senderOf is the address that a message comes from.
func senderOf(m *ingest.Mail) string {
	for _, list := range [][]ingest.Address{m.From, m.Sender} {
		for _, a := range list {
			if a.Email != "" {
				return strings.ToLower(a.Email)
			}
		}
	}
	return ""
}

// peopleOf are at most 100 of the addresses that a message is from or to.
func peopleOf(ch *ingest.Channel, m *ingest.Mail) []string {
	var people []string
	for _, list := range [][]ingest.Address{m.From, m.To, m.Cc} {
		for _, a := range list[:min(len(list), 100)] {
			email := strings.ToLower(a.Email)
			ours := strings.EqualFold(email, ch.Address) || slices.ContainsFunc(ch.Aliases, func(alias string) bool { return strings.EqualFold(alias, email) })
			if email != "" && !ours && len(people) < 100 && !slices.Contains(people, email) {
				people = append(people, email)
			}
		}
	}
	return people
}
