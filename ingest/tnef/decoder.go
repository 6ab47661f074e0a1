package tnef

import (
	"encoding/binary"
)

// Kind is what an object of a stream is.
type Kind int

// The kinds of objects.
const (
	File    Kind = iota // an attached file
	Message             // an attached message; its octets are a TNEF stream of their own
	Text                // the body as plain text
	HTML                // the body as HTML
	RTF                 // the body as RTF, decompressed
)

// Object is what is known of an object when its octets are over. Names stand behind the data as often as before it.
type Object struct {
	Kind        Kind
	Name        string // file name as the sender wrote it; empty if there is none
	ContentType string // as the sender wrote it; empty if there is none
	ContentID   string // without brackets
	Inline      bool   // HTML shows it in place
	Charset     string // of Text; that of HTML is known at the end of the stream
}

// Receiver takes the objects of a stream, one after the other. Octets are valid during the call alone.
type Receiver interface {
	Begin(k Kind)
	Octets(p []byte)
	End(o Object)
}

// Result is what is known at the end of a stream.
type Result struct {
	Charset string // of HTML; empty if the stream does not say
	Damage  string // what was wrong first, for people; empty if nothing was
}

// What a Decoder waits for.
const (
	atSignature = iota
	atHead      // of an attribute
	inValue
	atChecksum
	ended // the rest means nothing
)

const (
	signature     = 0x223e9f78 // [MS-OXTNEF] 2.1.3.1
	signatureSize = 4 + 2      // with the legacy key behind it
	headSize      = 1 + 4 + 4  // level, identifier with type, length
	maxSmall      = 2 << 10    // octets of a name or number that are kept
	maxSmallValue = 64 << 10   // octets of an attribute that holds a name or number; more is a lie
)

// Decoder reads one stream.
type Decoder struct {
	to     Receiver
	state  int
	field  [headSize]byte
	have   int    // octets in field
	id     uint32 // of the attribute, with its type
	left   int64  // octets of its value to come
	sum    uint16 // of its value so far
	sure   bool   // the attribute before this one ended where its checksum is
	damage string

	props    props
	value    sink // what the current value is for
	codepage int  // of 8-bit strings, attOemCodepage; 0 if unknown
	internet int  // of HTML, PidTagInternetCodepage; 0 if unknown

	attached   bool // the attachment that follows is being read
	attachment attachment
}

// NewDecoder gives a decoder that hands objects to a receiver.
func NewDecoder(to Receiver) *Decoder {
	d := &Decoder{to: to, sure: true}
	d.props.d, d.value.d = d, d
	return d
}

// Write takes the next octets of the stream.
func (d *Decoder) Write(p []byte) {
	for len(p) > 0 {
		switch d.state {
		case atSignature:
			if p = d.gather(p, signatureSize); d.have < signatureSize {
				return
			}
			d.have, d.state = 0, atHead
			if binary.LittleEndian.Uint32(d.field[:]) != signature {
				d.state = ended
				d.damaged("no TNEF signature")
			}
		case atHead:
			if p = d.gather(p, headSize); d.have == headSize {
				d.beginAttribute()
			}
		case inValue:
			n := int(min(int64(len(p)), d.left))
			for _, c := range p[:n] {
				d.sum += uint16(c)
			}
			d.attributeOctets(p[:n])
			p = p[n:]
			if d.left -= int64(n); d.left == 0 {
				d.endAttribute()
			}
		case atChecksum:
			if p = d.gather(p, 2); d.have == 2 {
				if d.sure = binary.LittleEndian.Uint16(d.field[:]) == d.sum; !d.sure {
					d.damaged("wrong checksum of an attribute")
				}
				d.have, d.state = 0, atHead
			}
		case ended:
			return
		}
	}
}

// gather fills field up to n octets.
func (d *Decoder) gather(p []byte, n int) (rest []byte) {
	k := copy(d.field[d.have:n], p)
	d.have += k
	return p[k:]
}

// Finish ends the stream, and the object that is open.
func (d *Decoder) Finish() Result {
	switch {
	case d.state == atSignature:
		d.damaged("no TNEF signature")
	case d.state == inValue:
		d.damaged("ends in the middle of an attribute")
		d.endAttribute()
	case d.state == atHead && !blank(d.field[:d.have]):
		d.damaged("ends in the middle of an attribute")
	}
	d.endAttachment()
	d.state = ended
	return Result{Charset: charsetName(d.internet), Damage: d.damage}
}

// damaged notes what is wrong first.
func (d *Decoder) damaged(what string) {
	if d.damage == "" {
		d.damage = what
	}
}

// beginAttribute looks at a head. What cannot be one is skipped until the octets look like an attribute that is known:
// its neighbour may have lied about its length.
func (d *Decoder) beginAttribute() {
	level, id, size := d.field[0], binary.LittleEndian.Uint32(d.field[1:]), binary.LittleEndian.Uint32(d.field[5:])
	if !d.plausible(level, id, size) {
		if !blank(d.field[:1]) { // padding does no harm
			d.damaged("octets between the attributes")
			d.sure = false
		}
		d.have = copy(d.field[:], d.field[1:])
		return
	}
	d.have, d.state = 0, inValue
	d.id, d.left, d.sum = id, int64(size), 0
	// What an attribute belongs to follows from what it is: the level may be wrong.
	switch id {
	case attOemCodepage:
		d.value.small(8)
	case attRenddata:
		d.endAttachment()
		d.openAttachment()
		d.value.ignore()
	case attTitle:
		d.openAttachment()
		d.value.small(maxSmall)
	case attData:
		d.openAttachment()
		d.value.file()
	case attProps:
		d.openAttachment()
		d.props.begin(true)
	case attBody:
		d.endAttachment()
		d.value.body(Text, d.left, 1, charsetName(d.codepage))
	case attMsgProps:
		d.endAttachment()
		d.props.begin(false)
	default:
		d.value.ignore()
	}
	if d.left == 0 {
		d.endAttribute()
	}
}

// plausible tells an attribute from octets that mean something else.
func (d *Decoder) plausible(level byte, id, size uint32) bool {
	if level != levelMessage && level != levelAttachment {
		return false
	}
	bulky, known := attributes(id)
	if !known {
		return d.sure && id>>16 <= maxType && size <= maxSmallValue
	}
	return bulky || size <= maxSmallValue
}

func (d *Decoder) attributeOctets(p []byte) {
	if d.id == attMsgProps || d.id == attProps {
		d.props.write(p)
	} else {
		d.value.write(p)
	}
}

func (d *Decoder) endAttribute() {
	d.state = atChecksum
	switch d.id {
	case attMsgProps, attProps:
		d.props.end()
	case attOemCodepage:
		if got := d.value.end(); len(got) >= 4 {
			d.codepage = int(binary.LittleEndian.Uint32(got) & 0xffff)
		}
	case attTitle:
		d.attachment.title = d.text8(d.value.end())
	case attData:
		d.value.end()
		d.attachment.endData()
	default:
		d.value.end()
	}
}

// text8 is an 8-bit string of the stream up to its NUL.
func (d *Decoder) text8(raw []byte) string {
	return decodeText(untilNUL(raw), d.codepage)
}

// blank tells whether octets are padding.
func blank(p []byte) bool {
	for _, c := range p {
		if c != 0 && c != ' ' && c != '\r' && c != '\n' && c != 0x1a {
			return false
		}
	}
	return true
}

func untilNUL(p []byte) []byte {
	for i, c := range p {
		if c == 0 {
			return p[:i]
		}
	}
	return p
}
