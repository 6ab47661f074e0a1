package ingest

import (
	"encoding/hex"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// Ref names one message in one mailbox. Together with the channel it is the key under which a message is stored once.
//
// IMAP sets Folder, UIDValidity and UID (RFC 9051 §2.3.1.1); POP3 sets UIDL alone (RFC 1939 §7), or, where the
// server has none, a fingerprint of the content with the prefix FingerprintPrefix.
type Ref struct {
	Folder      string // as the user wrote it, in UTF-8; empty for POP3
	UIDValidity uint32 // 0 where the server gives none
	UID         uint32 // 1 and up; 0 for POP3
	UIDL        string // octets as the server sent them; empty for IMAP
}

// FingerprintPrefix begins the UIDL of a Ref whose server has no usable UIDL. RFC 1939 §7 allows octets 0x21 to
// 0x7E only, so that a server cannot send a UIDL that begins with this space.
const FingerprintPrefix = " sha256:"

// IsIMAP reports whether the ref names a message by UID.
func (r Ref) IsIMAP() bool { return r.UID != 0 }

// Again is the ref of another message that came under the same UIDL after the first one was deleted. It follows from the
// content, so that it is the same whenever it is asked for, and holds a space, which no server can send.
func (r Ref) Again(content Digest) Ref {
	return Ref{UIDL: r.UIDL + " #" + hex.EncodeToString(content[:8])}
}

// String is the canonical form of the ref, one to one with its value. It is the ledger's key and is fit for logs:
// an IMAP ref reads "imap:INBOX;UIDVALIDITY=9;UID=4" (after RFC 5092 §3), a POP3 ref "pop3:UIDL=whqtswO00WBw418f9t5JxYwZ".
func (r Ref) String() string {
	if !r.IsIMAP() {
		return "pop3:UIDL=" + url.PathEscape(r.UIDL)
	}
	return r.Generation() + ";UID=" + strconv.FormatUint(uint64(r.UID), 10)
}

// Generation names the set of refs within which one ref means one message for ever: the folder and its UIDVALIDITY,
// or POP3 as a whole. Refs of two generations may name the same message.
func (r Ref) Generation() string {
	if !r.IsIMAP() {
		return "pop3"
	}
	return "imap:" + url.PathEscape(r.Folder) + ";UIDVALIDITY=" + strconv.FormatUint(uint64(r.UIDValidity), 10)
}

// ParseRef is the inverse of Ref.String.
func ParseRef(s string) (Ref, error) {
	bad := func() (Ref, error) { return Ref{}, fmt.Errorf("ingest: %q is not a message reference", s) }
	if rest, ok := strings.CutPrefix(s, "pop3:UIDL="); ok {
		uidl, err := url.PathUnescape(rest)
		if err != nil {
			return bad()
		}
		return Ref{UIDL: uidl}, nil
	}
	rest, ok := strings.CutPrefix(s, "imap:")
	if !ok {
		return bad()
	}
	folder, rest, ok1 := strings.Cut(rest, ";UIDVALIDITY=")
	validity, uid, ok2 := strings.Cut(rest, ";UID=")
	f, err1 := url.PathUnescape(folder)
	v, err2 := strconv.ParseUint(validity, 10, 32)
	u, err3 := strconv.ParseUint(uid, 10, 32)
	if !ok1 || !ok2 || err1 != nil || err2 != nil || err3 != nil || u == 0 {
		return bad()
	}
	return Ref{Folder: f, UIDValidity: uint32(v), UID: uint32(u)}, nil
}

// Cursor is how far a folder has been read: every UID from Floor+1 to LastUID is stored, deferred or quarantined.
// POP3 has no cursor between visits: it starts at zero and counts message numbers within one visit.
type Cursor struct {
	Folder      string
	UIDValidity uint32
	Floor       uint32 // UIDs up to here were there before the channel began and are not wanted (NEW_ONLY)
	LastUID     uint32
	Number      int // POP3: the last message number listed in this visit
}
