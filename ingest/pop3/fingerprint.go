package pop3

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"strconv"

	"github.com/mailintake/mailintake/ingest"
)

const (
	// printLines is how many lines of text beyond the header go into a fingerprint.
	printLines = 16
	// maxPrintSource is how much a server may send for one fingerprint. One that ignores the line count of TOP, or
	// has no TOP, sends the whole message.
	maxPrintSource = 256 << 20
)

// fingerprints gives every anonymous entry below index to the UIDL of its Ref: ingest.FingerprintPrefix and the
// SHA-256, in hex, of the header and the first printLines lines of text. Neither the number nor the size goes in, so
// that it lasts from session to session, nor do header fields in which mbox servers keep their own notes. The same
// comes out of TOP (RFC 1939 §7) and, where there is no TOP, of RETR. Messages that agree in all this get "#2", "#3"
// and so on behind it, in the order of their numbers. A message that can be read neither way is named by what the
// listing says of it, so that it is listed all the same and its absence goes on record.
func (s *session) fingerprints(ctx context.Context, to int) error {
	var anonymous []*entry
	for i := s.printed; i < to; i++ {
		if s.entries[i].anonymous {
			anonymous = append(anonymous, &s.entries[i])
		}
	}
	sums := make(map[*entry]string, len(anonymous))
	todo := anonymous
	for _, verb := range []string{"TOP", "RETR"} {
		if verb == "TOP" && s.noTOP {
			continue
		}
		var err error
		if todo, err = s.readPrints(ctx, verb, todo, sums); err != nil {
			return err
		}
	}
	for _, e := range todo {
		sum := sha256.Sum256(fmt.Appendf(nil, "unreadable\n%d\n%s", e.size, e.uidl))
		sums[e] = hex.EncodeToString(sum[:])
	}
	for i := s.printed; i < to; i++ {
		e := &s.entries[i]
		if !e.anonymous {
			continue
		}
		sum := sums[e]
		s.prints[sum]++
		e.uidl, e.anonymous = ingest.FingerprintPrefix+sum, false
		if n := s.prints[sum]; n > 1 {
			e.uidl += "#" + strconv.Itoa(n)
		}
		s.byUIDL[e.uidl] = i
	}
	s.printed = max(s.printed, to)
	return nil
}

// readPrints fills sums by TOP or RETR and returns the entries that the server refused.
func (s *session) readPrints(ctx context.Context, verb string, from []*entry, sums map[*entry]string) (refused []*entry, err error) {
	p := s.pipeline(ctx, "list", len(from), func(i int) (string, int) { return verb, from[i].number })
	defer p.close()
	for _, e := range from {
		st, err := p.next()
		if err != nil {
			return nil, err
		}
		if !st.ok {
			if why := refusal("list", st); why.Kind == ingest.KindTemporary {
				return nil, s.broke("list", why)
			}
			refused = append(refused, e)
			continue
		}
		if verb == "RETR" {
			e.retrieved = true
		}
		f := newFingerprint()
		if _, err := io.Copy(f, newBody(s.wire.r, maxPrintSource, nil)); err != nil {
			return nil, s.broke("list", err)
		}
		sums[e] = f.sum()
	}
	if verb == "TOP" && len(refused) > 0 && !s.caps.has("TOP") {
		s.noTOP = len(refused) == len(from)
	}
	if len(from) > 0 {
		return refused, s.quiet("list")
	}
	return refused, nil
}

// fingerprint hashes the beginning of a message that is written to it and ignores the rest.
type fingerprint struct {
	hash hash.Hash
	line []byte // the beginning of the current line, until it is told whether it goes in
	long bool   // the current line was told already
	skip bool   // the current header field stays out
	text int    // lines of text so far; -1 in the header
}

func newFingerprint() *fingerprint { return &fingerprint{hash: sha256.New(), text: -1} }

// maxFieldName is enough of a line to tell whether it stays out.
const maxFieldName = 32

// Write never fails.
func (f *fingerprint) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 && f.text < printLines {
		piece := p
		i := bytes.IndexByte(p, '\n')
		if i >= 0 {
			piece = p[:i+1]
		}
		p = p[len(piece):]
		switch {
		case f.long || f.text >= 0:
			f.add(piece)
		default:
			f.line = append(f.line, piece...)
			if i >= 0 || len(f.line) > maxFieldName {
				f.judge()
				f.add(f.line)
				f.line, f.long = f.line[:0], true
			}
		}
		if i >= 0 {
			if f.text >= 0 {
				f.text++
			}
			f.long = false
		}
	}
	return n, nil
}

func (f *fingerprint) add(p []byte) {
	if !f.skip {
		f.hash.Write(p)
	}
}

// judge looks at the beginning of a header line.
func (f *fingerprint) judge() {
	switch {
	case string(f.line) == "\r\n" || string(f.line) == "\n":
		f.skip, f.text = false, 0 // the empty line itself counts as the first line of text
	case f.line[0] == ' ' || f.line[0] == '\t': // continues the field before it
	default:
		name, _, _ := bytes.Cut(f.line, []byte(":"))
		f.skip = volatile(string(bytes.ToLower(bytes.TrimSpace(name))))
	}
}

// volatile reports whether servers change this header field by themselves.
func volatile(name string) bool {
	switch name {
	case "status", "x-status", "x-uidl", "x-keywords", "x-imap", "x-imapbase", "x-mozilla-status", "x-mozilla-status2":
		return true
	}
	return false
}

// sum is the fingerprint of what was written.
func (f *fingerprint) sum() string {
	if len(f.line) > 0 {
		f.judge()
		f.add(f.line)
	}
	return hex.EncodeToString(f.hash.Sum(nil))
}
