package mime

import "github.com/mailintake/mailintake/ingest"

// smime unwraps a signed message, RFC 8551 §3.5.2: what was signed is a MIME entity, and its body is that of the message.
// Nobody verifies the signature here.
type smime struct {
	p   *parser
	in  container
	cms cmsReader
	sub *walker // reads the content; nil until there is some
}

func newSMIME(p *parser, c container) *smime {
	s := &smime{p: p, in: c}
	s.cms.emit = s.content
	return s
}

func (s *smime) write(p []byte) { s.cms.write(p) }

// content takes octets of what was signed.
func (s *smime) content(p []byte) {
	if s.sub == nil {
		s.sub = newWalker(s.p, s.in.path+".", s.in.depth, minBuffer)
		s.sub.attached, s.sub.nested, s.sub.entity = s.in.attached, s.in.nested, true
	}
	s.sub.write(p)
}

func (s *smime) finish() {
	cut := !s.cms.over
	damage := s.cms.finish()
	if s.sub != nil {
		s.sub.finish()
	}
	if damage != "" {
		s.p.defect(SMIMEDamaged, s.in.path, damage)
	}
	if s.in.attached || !isWhole(s.in.path) {
		return
	}
	switch {
	case s.cms.encrypted():
		s.p.protect(ingest.ProtectionSMIMEEncrypted)
	case s.cms.kind == oidSigned && (s.cms.started || cut):
		s.p.protect(ingest.ProtectionSMIMESigned)
	}
}
