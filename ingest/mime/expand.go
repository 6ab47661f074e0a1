package mime

import (
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// expander reads what is packed in a part while the part's octets are decoded. What it finds is listed behind the part,
// with the part's path as prefix.
type expander interface {
	write(p []byte)
	finish()
}

// container is the part that an expander reads.
type container struct {
	path     string
	name     string // file name
	depth    int    // multiparts, messages and containers around what lies in it
	nested   int    // containers and encoded messages among them; each decodes its octets again
	attached bool   // it lies in an attached message
	certs    bool   // it says that it holds certificates alone, RFC 8551 §3.2.2
}

// expand gives what reads the inside of a part of some type; nil if we know of none.
func (p *parser) expand(contentType string, c container) expander {
	kind := packing(contentType, c.name)
	if kind == notPacked || kind == packedCMS && c.certs {
		return nil
	}
	if kind == packedTNEF {
		p.defect(TNEF, c.path, "")
	}
	if c.nested >= maxEncoded || c.depth >= maxDepth {
		p.defect(TooDeep, c.path, "")
		return nil
	}
	c.nested++
	c.depth++
	if kind == packedTNEF {
		return newWinmail(p, c)
	}
	return newSMIME(p, c)
}

// What a part may be packed in.
const (
	notPacked = iota
	packedTNEF
	packedCMS
)

// packing tells containers by their type, and by the name that their programs give them where the type says nothing.
func packing(contentType, name string) int {
	switch contentType {
	case "application/ms-tnef", "application/vnd.ms-tnef":
		return packedTNEF
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		return packedCMS
	}
	name = strings.ToLower(name)
	switch {
	case name == "winmail.dat":
		return packedTNEF
	case strings.HasSuffix(name, ".p7m") && contentType == "application/octet-stream":
		return packedCMS // RFC 8551 §3.2.1
	}
	return notPacked
}

// container is the part that the current entity is, as an expander has it.
func (w *walker) container(part ingest.Part, e *entity) container {
	return container{
		path:     part.Path,
		name:     part.Filename,
		depth:    w.depth + len(w.frames),
		nested:   w.nested,
		attached: part.Attached,
		certs:    strings.EqualFold(e.params.get("smime-type"), "certs-only"),
	}
}

// packed is a part that has no header of its own, since it was packed in another. A nil one is beyond the limits: it is
// not listed.
type packed struct {
	p     *parser
	index int // in Mail.Parts
	sum   *tally
	sub   expander
}

// addPacked lists a part that was packed in another and begins it.
func (p *parser) addPacked(part ingest.Part) *packed {
	if p.entities >= maxEntities || len(p.mail.Parts) >= maxParts {
		p.defect(TooManyParts, "", "")
		return nil
	}
	p.entities++
	p.mail.Parts = append(p.mail.Parts, part)
	f := &packed{p: p, index: len(p.mail.Parts) - 1, sum: newTally()}
	f.sum.copy = p.copyOf(part.Path)
	return f
}

func (f *packed) write(octets []byte) {
	if f == nil {
		return
	}
	f.sum.add(octets)
	if f.sub != nil {
		f.sub.write(octets)
	}
}

// finish ends the part and gives it for what is known only now; nil if it is not listed.
func (f *packed) finish() *ingest.Part {
	if f == nil {
		return nil
	}
	if f.sub != nil {
		f.sub.finish()
	}
	part := &f.p.mail.Parts[f.index]
	part.Size, part.SHA256 = f.sum.finish(false)
	return part
}

// packedName makes a file name of what a container says.
func (p *parser) packedName(path, raw string) string {
	raw = clean(raw)
	name := strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			return -1
		}
		return r
	}, raw)
	if name != raw || strings.ContainsFunc(name, isHarmful) {
		p.defect(FilenameUnsafe, path, name)
	}
	return shortenName(strings.TrimSpace(name), maxFilename)
}
