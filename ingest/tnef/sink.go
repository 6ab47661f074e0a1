package tnef

// What a sink does with a value.
const (
	ignored   = iota
	collected // kept, up to a limit
	fileData
	objectData // an interface identifier, then the data
	bodyData
)

// sink takes the value of an attribute or of a property in pieces.
type sink struct {
	d     *Decoder
	mode  int
	kept  []byte // at most limit octets
	limit int

	// of a body
	kind  Kind
	left  int64 // octets before the NUL that ends a string
	begun bool
	o     Object
	lz    decompressor
}

func (s *sink) ignore() { s.mode = ignored }

// small keeps the beginning of a value.
func (s *sink) small(limit int) {
	s.mode, s.limit, s.kept = collected, limit, s.kept[:0]
}

// file passes the value on as data of the attachment.
func (s *sink) file() { s.mode = fileData }

// object passes the value on as data of the attachment, once the identifier has told what it is.
func (s *sink) object() {
	s.small(len(messageID))
	s.mode = objectData
}

// body passes the value, size octets with a NUL of so many octets at its end, on as a body.
func (s *sink) body(k Kind, size int64, terminator int, charset string) {
	s.small(terminator)
	s.mode, s.kind, s.begun = bodyData, k, false
	s.left = size - int64(terminator)
	s.o = Object{Kind: k, Charset: charset}
	if k == RTF {
		s.lz.begin(s.bodyOctets)
	}
}

// write takes a piece of the value.
func (s *sink) write(p []byte) {
	switch s.mode {
	case collected:
		s.kept = append(s.kept, p[:min(len(p), s.limit-len(s.kept))]...)
	case fileData:
		s.d.attachment.octets(p)
	case objectData:
		n := min(len(p), s.limit-len(s.kept))
		if n > 0 {
			s.kept = append(s.kept, p[:n]...)
			if len(s.kept) < s.limit {
				return
			}
			s.d.attachment.object(s.kept)
		}
		s.d.attachment.octets(p[n:])
	case bodyData:
		n := int(max(min(int64(len(p)), s.left), 0))
		s.left -= int64(n)
		if s.kind == RTF {
			s.lz.write(p[:n])
		} else {
			s.bodyOctets(p[:n])
		}
		s.kept = append(s.kept, p[n:]...)
	}
}

func (s *sink) bodyOctets(p []byte) {
	if len(p) == 0 {
		return
	}
	if !s.begun {
		s.begun = true
		s.d.to.Begin(s.kind)
	}
	s.d.to.Octets(p)
}

// end gives what was collected.
func (s *sink) end() []byte {
	switch s.mode {
	case collected:
		return s.kept
	case objectData:
		if len(s.kept) < s.limit {
			s.d.attachment.octets(s.kept)
		}
	case bodyData:
		if s.kind == RTF {
			if damage := s.lz.end(); damage != "" {
				s.d.damaged(damage)
			}
		} else if len(s.kept) > 0 && !blank(s.kept) {
			s.bodyOctets(s.kept) // a string that does not end with NUL
		}
		if s.begun {
			s.d.to.End(s.o)
		}
	}
	s.mode = ignored
	return nil
}
