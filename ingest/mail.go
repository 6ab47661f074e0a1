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
	// ReplyText is what the sender wrote anew: Text without quotation and signature. It is never empty where Text is not.
	ReplyText string `json:",omitempty"`
	Language  string `json:",omitempty"` // of ReplyText, a primary subtag of BCP 47 such as "de"; empty where it cannot be told
	HasHTML   bool
	Parts     []Part
	// Multiparts are the inner nodes of the MIME tree, in the order of the message; Parts are its leaves.
	Multiparts []Multipart `json:",omitempty"`
	// Protection says how the message as a whole is signed or encrypted; what a signature is worth is not checked.
	Protection Protection `json:",omitempty"`
	Defects    []Defect

	Priority  Priority   `json:",omitempty"`
	List      List       `json:",omitzero"` // of a mailing list that the message came by
	Recipient Recipient  `json:",omitzero"` // which address of the channel the message was for
	Calendar  *Invite    `json:",omitempty"`
	Class     Class      `json:",omitempty"`
	Evidence  []Evidence `json:",omitempty"` // what Class and AutoReply rest on, strongest first
	AutoReply AutoReply  `json:",omitzero"`
	Bounce    *Bounce    `json:",omitempty"` // of class BOUNCE, and of COMPLAINT and READ_RECEIPT what applies to them
	Auth      Auth       `json:",omitzero"`
	// Fingerprint is a SHA-256 in hex over what a message says and not how it travelled: Message-ID, Date, From, Subject
	// and the types and hashes of its parts. Copies of one message in several mailboxes have it in common.
	Fingerprint string `json:",omitempty"`
}

// MaxText is how many octets of text are kept beside the raw message.
const MaxText = 256 << 10

// Address is one mailbox of an address field (RFC 5322 §3.4).
type Address struct {
	Name  string `json:"name,omitempty"`
	Email string `json:"email,omitempty"` // addr-spec; empty where none could be read
}

// Part is one leaf of the MIME tree (RFC 2045), in the order of the message. A message, a winmail.dat (TNEF), a signed
// S/MIME envelope or a text with uuencoded files is a leaf as well as a tree: what lies inside follows it, with its path
// as prefix.
type Part struct {
	Path        string `json:"path"`               // "1.2": positions from the root, 1-based, as IMAP numbers them (RFC 9051 §6.4.5.1)
	ContentType string `json:"content_type"`       // type/subtype, lower case, no parameters
	Charset     string `json:"charset,omitempty"`  // as declared
	Filename    string `json:"filename,omitempty"` // decoded, as the sender wrote it: it may be a path. mime.SafeName makes a name to store a file under
	ContentID   string `json:"content_id,omitempty"`
	Inline      bool   `json:"inline,omitempty"` // Content-Disposition inline, or none and referenced by Content-ID
	Body        bool   `json:"body,omitempty"`   // body text or body HTML, not an attachment
	Size        int64  `json:"size"`             // decoded octets
	SHA256      string `json:"sha256"`           // of the decoded octets, lower-case hex
	// Attached says that the part lies inside an attached message (message/rfc822): it belongs to that message, and is no
	// attachment of this one.
	Attached bool `json:"attached,omitempty"`
}

// Multipart is an inner node of the MIME tree.
type Multipart struct {
	Path        string `json:"path"`         // empty for the root, whose parts are "1", "2" …
	ContentType string `json:"content_type"` // multipart/mixed and so on, lower case
}

// Attachments are the parts that are neither body text nor body HTML nor inside an attached message; those that HTML
// shows in place are among them.
func (m *Mail) Attachments() []Part {
	var list []Part
	for _, p := range m.Parts {
		if !p.Body && !p.Attached {
			list = append(list, p)
		}
	}
	return list
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

// Field is one header field (RFC 5322 §2.2).
type Field struct {
	Name  string // as it stands
	Value string // unfolded; valid UTF-8 without NUL
}
