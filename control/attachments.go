package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"net/url"
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// ReadAttachment is what Messages.ReadAttachment needs. Exactly one of Part and ContentID is set.
type ReadAttachment struct {
	Name      string // of the message
	Part      string // path
	ContentID string // with or without angle brackets, or as a cid: URL has it (RFC 2392)
	Offset    int64  // first octet to send
}

// Attachment is how one part is to be served.
type Attachment struct {
	Part        ingest.Part
	Filename    string // safe to save under
	ContentType string // safe to serve
}

// ReadAttachment describes one part, then gives its decoded octets from the offset on to each, in pieces of at most
// ChunkSize that each must not keep. An error of describe or each ends it and comes back as it is. The octets are read
// and decoded as they are taken, so that neither the size of the part nor a slow reader costs memory. It returns errors of
// KindInvalid, KindNotFound, and KindDataLoss if what was sent is not what the part's hash says.
func (s *Messages) ReadAttachment(ctx context.Context, r ReadAttachment, describe func(Attachment) error, each func([]byte) error) error {
	tenant, channel, id, err := ParseMessage("name", r.Name)
	if err != nil {
		return err
	}
	if (r.Part == "") == (r.ContentID == "") {
		return Invalid(Violation{"part", "either part or content_id must be set, and not both"})
	}
	m, err := s.Store.Message(ctx, tenant, channel, id)
	if err != nil {
		return stored(err, r.Name)
	}
	part, err := r.find(&m)
	if err != nil {
		return err
	}
	if r.Offset < 0 || r.Offset > part.Size {
		return Invalid(Violation{"offset", fmt.Sprintf("must be 0 to %d, the size of the part", part.Size)})
	}
	ch, err := s.Store.Channel(ctx, tenant, channel)
	if err != nil {
		return stored(err, r.Name)
	}
	if err := describe(Attachment{Part: part, Filename: SafeFilename(part), ContentType: SafeContentType(part.ContentType)}); err != nil {
		return err
	}
	raw := s.raw(ctx, &m)
	out := &pieces{skip: r.Offset, each: each, hash: sha256.New(), piece: make([]byte, 0, min(part.Size, ChunkSize))}
	_, found, err := s.Parser.Extract(raw, m.Size, part.Path, &ch.Settings, out)
	if err == nil {
		err = out.flush()
	}
	switch {
	case raw.err != nil:
		return raw.err
	case err != nil:
		return err
	case !found || hex.EncodeToString(out.hash.Sum(nil)) != part.SHA256:
		return &Error{Kind: KindDataLoss, Reason: "PART_CHANGED", Resource: r.Name, Message: fmt.Sprintf(
			"part %s of %s reads differently today than when its hash was stored; bring the message up to date with a replay of kind PARSE and read it again", part.Path, r.Name)}
	}
	return nil
}

// find is the part that is asked for.
func (r *ReadAttachment) find(m *Message) (ingest.Part, error) {
	parts := m.Mail.Parts
	if r.Part != "" {
		for _, p := range parts {
			if p.Path == r.Part {
				return p, nil
			}
		}
		return ingest.Part{}, r.notFound("no part "+r.Part, parts, func(p ingest.Part) string { return p.Path })
	}
	for _, id := range contentIDs(r.ContentID) {
		for _, p := range parts {
			if p.ContentID == id {
				return p, nil
			}
		}
	}
	return ingest.Part{}, r.notFound("no part with Content-ID "+r.ContentID, parts, func(p ingest.Part) string { return p.ContentID })
}

// contentIDs are the spellings of a Content-ID that a client may mean, the likeliest first: a cid: URL has no brackets
// and percent-encodes what URLs do not allow (RFC 2392 §2).
func contentIDs(s string) []string {
	s = strings.TrimPrefix(s, "cid:")
	ids := []string{s, strings.TrimSuffix(strings.TrimPrefix(s, "<"), ">")}
	if decoded, err := url.PathUnescape(ids[1]); err == nil {
		ids = append(ids, decoded)
	}
	return ids
}

// notFound names the parts that there are.
func (r *ReadAttachment) notFound(what string, parts []ingest.Part, name func(ingest.Part) string) error {
	const listed = 20
	var names []string
	for _, p := range parts {
		if n := name(p); n != "" {
			names = append(names, n)
		}
	}
	there := "it has none"
	if len(names) > 0 {
		there = "it has " + strings.Join(names[:min(len(names), listed)], ", ")
	}
	if n := len(names) - listed; n > 0 {
		there += fmt.Sprintf(" and %d more", n)
	}
	return &Error{Kind: KindNotFound, Reason: "PART_NOT_FOUND", Resource: r.Name, Message: fmt.Sprintf("%s has %s; %s", r.Name, what, there)}
}

// pieces hashes what is written, leaves out what stands before an offset and passes the rest on in pieces of ChunkSize.
type pieces struct {
	skip  int64 // octets to leave out
	each  func([]byte) error
	hash  hash.Hash
	piece []byte
}

// Write takes the next octets of the part.
func (w *pieces) Write(p []byte) (int, error) {
	n := len(p)
	w.hash.Write(p)
	left := min(w.skip, int64(len(p)))
	w.skip -= left
	for p = p[left:]; len(p) > 0; {
		k := min(len(p), ChunkSize-len(w.piece))
		w.piece = append(w.piece, p[:k]...)
		p = p[k:]
		if len(w.piece) == ChunkSize {
			if err := w.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

func (w *pieces) flush() error {
	if len(w.piece) == 0 {
		return nil
	}
	err := w.each(w.piece)
	w.piece = w.piece[:0]
	return err
}

// rawReader reads a stored message from its beginning to its end.
type rawReader struct {
	ctx   context.Context // of the call that reads
	store Store
	m     *Message
	at    int64
	chunk []byte
	err   error // as a service returns it; what wraps a reader may hide it
}

func (s *Messages) raw(ctx context.Context, m *Message) *rawReader {
	return &rawReader{ctx: ctx, store: s.Store, m: m}
}

// Read reads.
func (r *rawReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if len(r.chunk) == 0 {
		if r.at == r.m.Size {
			return 0, io.EOF
		}
		if r.chunk, r.err = r.next(); r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.chunk)
	r.chunk = r.chunk[n:]
	return n, nil
}

// next reads the chunk at r.at and moves behind it.
func (r *rawReader) next() ([]byte, error) {
	data, err := r.store.ReadRaw(r.ctx, r.m.Tenant, r.m.Channel, r.m.ID, r.at, ChunkSize)
	if err == nil {
		err = r.ctx.Err()
	}
	if err != nil {
		return nil, stored(err, r.m.Name())
	}
	if len(data) == 0 {
		return nil, &Error{Kind: KindDataLoss, Reason: "RAW_INCOMPLETE", Resource: r.m.Name(),
			Message: fmt.Sprintf("%s ends after %d of %d octets", r.m.Name(), r.at, r.m.Size)}
	}
	r.at += int64(len(data))
	return data, nil
}
