package mailtest

import (
	"bufio"
	"bytes"
	"io"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-message/textproto"
)

// Fetch answers FETCH and UID FETCH.
func (s *imapSession) Fetch(w *imapserver.FetchWriter, set imap.NumSet, opt *imap.FetchOptions) error {
	if err := s.begin("FETCH", uidPrefix(set)+"FETCH "+set.String()+" ("+strings.Join(fetchItems(opt), " ")+")"); err != nil {
		return err
	}
	return s.fetch(w, set, opt)
}

// fetchItems names what is asked for, in one order whatever the client's was.
func fetchItems(opt *imap.FetchOptions) []string {
	var items []string
	for _, i := range []struct {
		wanted bool
		name   string
	}{
		{opt.UID, "UID"}, {opt.Flags, "FLAGS"}, {opt.InternalDate, "INTERNALDATE"}, {opt.RFC822Size, "RFC822.SIZE"},
		{opt.Envelope, "ENVELOPE"}, {opt.BodyStructure != nil, "BODYSTRUCTURE"},
	} {
		if i.wanted {
			items = append(items, i.name)
		}
	}
	for _, b := range opt.BodySection {
		name := "BODY"
		if b.Peek {
			name = "BODY.PEEK"
		}
		items = append(items, name+"["+string(b.Specifier)+"]")
	}
	for range opt.BinarySection {
		items = append(items, "BINARY")
	}
	return items
}

// fetch sends what was in the folder when the command came. No lock is held while sending: a stalled client must not
// stop the mailbox.
func (s *imapSession) fetch(w *imapserver.FetchWriter, set imap.NumSet, opt *imap.FetchOptions) error {
	type snapshot struct {
		numbered
		flags []imap.Flag
	}
	bodies := len(opt.BodySection)+len(opt.BinarySection) > 0
	markSeen := false
	for _, b := range opt.BodySection {
		markSeen = markSeen || !b.Peek
	}
	s.box.mu.Lock()
	var all []snapshot
	for _, h := range s.chosen(set) {
		if markSeen && !s.readOnly && !h.msg.flags[canonical(imap.FlagSeen)] {
			h.msg.flags[canonical(imap.FlagSeen)] = true
			s.box.tracker.QueueMessageFlags(h.at, imap.UID(h.msg.uid), h.msg.flagList(), nil)
			s.box.notify()
		}
		all = append(all, snapshot{h, h.msg.flagList()})
	}
	s.box.mu.Unlock()

	faults := s.server.fault()
	for _, h := range all {
		var fault FetchFault
		if bodies && faults.Fetch != nil {
			fault = faults.Fetch(h.msg.uid)
		}
		if fault.Refuse != "" {
			return no(fault.Refuse)
		}
		if fault.Omit {
			continue
		}
		raw := h.msg.raw
		if fault.Body != nil {
			raw = fault.Body
		}
		if fault.Cut || fault.Stall {
			return s.breakOff(w, h.seq, h.msg.uid, raw, opt, fault)
		}
		r := w.CreateMessage(h.seq)
		r.WriteUID(imap.UID(h.msg.uid))
		if opt.Flags {
			r.WriteFlags(h.flags)
		}
		if opt.InternalDate {
			r.WriteInternalDate(h.msg.received)
		}
		if opt.RFC822Size {
			octets := int64(len(raw))
			if faults.Size != nil {
				octets = faults.Size(h.msg.uid, octets)
			}
			r.WriteRFC822Size(octets)
		}
		if opt.Envelope {
			header, _ := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(raw)))
			r.WriteEnvelope(imapserver.ExtractEnvelope(header))
		}
		if opt.BodyStructure != nil {
			r.WriteBodyStructure(imapserver.ExtractBodyStructure(bytes.NewReader(raw)))
		}
		for _, item := range opt.BodySection {
			if err := literal(r.WriteBodySection, item, section(raw, item)); err != nil {
				return err
			}
		}
		for _, item := range opt.BinarySection {
			if err := literal(r.WriteBinarySection, item, imapserver.ExtractBinarySection(bytes.NewReader(raw), item)); err != nil {
				return err
			}
		}
		for _, item := range opt.BinarySectionSize {
			r.WriteBinarySectionSize(item, imapserver.ExtractBinarySectionSize(bytes.NewReader(raw), item))
		}
		if err := r.Close(); err != nil {
			return err
		}
	}
	return nil
}

func literal[T any](begin func(T, int64) io.WriteCloser, item T, b []byte) error {
	lw := begin(item, int64(len(b)))
	if _, err := lw.Write(b); err != nil {
		return err
	}
	return lw.Close()
}

// breakOff sends the beginning of a literal and then closes the connection or falls silent.
func (s *imapSession) breakOff(w *imapserver.FetchWriter, seq, uid uint32, raw []byte, opt *imap.FetchOptions, fault FetchFault) error {
	body := raw
	var item *imap.FetchItemBodySection
	if len(opt.BodySection) > 0 {
		item = opt.BodySection[0]
		body = section(raw, item)
	} else {
		item = &imap.FetchItemBodySection{}
	}
	after := min(fault.After, len(body))
	conn, exact := s.conn.NetConn().(*cutter)
	if exact {
		conn.arm(after, fault.Stall)
	}
	r := w.CreateMessage(seq)
	r.WriteUID(imap.UID(uid))
	lw := r.WriteBodySection(item, int64(len(body)))
	// The library holds up to 4 KiB back; the rest of the answer pushes them out, and the armed connection swallows it.
	// Without one the connection ends before the rest is written, which then goes nowhere. Either way the answer must be
	// finished, or the library would wait for it for ever; that it fails is the point.
	_, _ = lw.Write(body[:after])
	if !exact {
		s.breakConn(fault.Stall)
	}
	_, _ = lw.Write(body[after:])
	_ = lw.Close()
	_ = r.Close()
	if exact {
		s.breakConn(fault.Stall)
	}
	return io.ErrUnexpectedEOF
}

func (s *imapSession) breakConn(stall bool) {
	if stall {
		_ = s.stall()
	}
	hangUp(s.conn.NetConn())
}
