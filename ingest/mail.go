package ingest

import (
	"strings"
	"time"
	"unicode"
)

// Mail is what the parser makes of a message. Parsing cannot fail: what is broken is listed in Defects. All strings
// are valid UTF-8 without NUL.
type Mail struct {
	Subject    string
	From       []Address
	Sender     []Address
	ReplyTo    []Address
	To         []Address
	Cc         []Address
	Date       time.Time // of the Date header, with its offset; zero if missing or unreadable
	Received   time.Time // of the topmost Received header (RFC 5321 §4.4); zero if missing or unreadable
	MessageID  string    // without angle brackets
	InReplyTo  []string
	References []string // at most 100: the first and the last 99
	Text       string   // best plain text, at most MaxText octets
	TextCut    bool     // Text was longer
	HasHTML    bool
	Parts      []Part
	Defects    []Defect
}

// MaxText is how many octets of text are kept beside the raw message.
const MaxText = 256 << 10

// Address is one mailbox of an address field (RFC 5322 §3.4).
type Address struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"` // addr-spec; empty where none could be read
}

// Part is one leaf of the MIME tree (RFC 2045), in the order of the message.
type Part struct {
	Path        string `json:"path"`               // "1.2": positions from the root, 1-based, as IMAP numbers them (RFC 9051 §6.4.5.1)
	ContentType string `json:"content_type"`       // type/subtype, lower case, no parameters
	Charset     string `json:"charset,omitempty"`  // as declared
	Filename    string `json:"filename,omitempty"` // decoded, no path separators
	ContentID   string `json:"content_id,omitempty"`
	Inline      bool   `json:"inline,omitempty"` // Content-Disposition inline, or none and referenced by Content-ID
	Body        bool   `json:"body,omitempty"`   // body text or body HTML, not an attachment
	Size        int64  `json:"size"`             // decoded octets
	SHA256      string `json:"sha256"`           // of the decoded octets, lower-case hex
}

// Defect is one thing that is wrong with a message and what the parser did about it.
type Defect struct {
	Code  string `json:"code"`            // stable, UPPER_SNAKE_CASE
	Where string `json:"where,omitempty"` // part path or header field
	Text  string `json:"text,omitempty"`  // for people
}

// PreviewLength is the length of a preview in characters.
const PreviewLength = 500

// Preview is the first PreviewLength characters of a text on one line, white space and control
// characters folded into single spaces.
func Preview(text string) string {
	var b strings.Builder
	n, space := 0, false
	for _, r := range text {
		if unicode.IsSpace(r) || unicode.IsControl(r) {
			space = n > 0
			continue
		}
		if space {
			b.WriteByte(' ')
			n++
			space = false
		}
		if n >= PreviewLength {
			break
		}
		b.WriteRune(r) // an invalid octet becomes U+FFFD
		n++
	}
	return strings.TrimRight(b.String(), " ")
}
