package mime

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"

	"github.com/mailintake/mailintake/ingest"
)

// fingerprint makes Mail.Fingerprint: of what the sender sent, not of what servers added on the way. Two copies of a
// message that were delivered to two mailboxes differ in their trace fields, never in these. Transfer encodings may be
// changed on the way (RFC 6152 §3), so that the decoded parts are what counts.
func fingerprint(m *ingest.Mail) string {
	b := make([]byte, 0, 1024)
	add := func(s string) { b = append(append(b, s...), 0) }
	add(m.MessageID)
	add(m.Subject)
	if m.Date.IsZero() {
		add("")
	} else {
		add(strconv.FormatInt(m.Date.Unix(), 10))
	}
	for _, a := range m.From {
		add(a.Email)
	}
	for i := range m.Parts {
		if p := &m.Parts[i]; !p.Attached {
			add(p.ContentType)
			add(p.SHA256)
		}
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
