package mime

// What an element of a CMS object is, RFC 5652 §3 and §5.1.
const (
	cmsOther       = iota
	cmsInfo        // ContentInfo
	cmsType        // its content type
	cmsContent     // its content, explicitly tagged
	cmsSigned      // SignedData
	cmsEncap       // EncapsulatedContentInfo
	cmsInnerType   // its content type
	cmsInner       // its content, explicitly tagged
	cmsOctets      // its octets, or a piece of them
	maxCMSElements = 32
)

// The content types, as they are encoded.
const (
	oidData          = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"         // RFC 5652 §4
	oidSigned        = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02"         // §5.1
	oidEnveloped     = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"         // §6.1
	oidEncrypted     = "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x06"         // §8
	oidAuthEnveloped = "\x2a\x86\x48\x86\xf7\x0d\x01\x09\x10\x01\x17" // RFC 5083 §2.1
)

// cmsReader takes a CMS object apart as far as its signed content, which it passes on. It reads BER as it comes, with
// lengths that are not known ahead and octet strings in pieces, since senders write their objects while they sign.
type cmsReader struct {
	emit func(p []byte)
	at   int64 // octets read

	head    [16]byte // of the element that begins
	have    int
	open    [maxCMSElements]cmsElement
	depth   int
	left    int64 // octets of a value to come
	value   int   // what it is
	oid     []byte
	over    bool // all is read that is wanted
	damage  string
	kind    string // content type; empty until it is known
	inner   string // of the content
	started bool   // content was passed on
}

// cmsElement is an element with elements in it.
type cmsElement struct {
	what     int
	end      int64 // -1 if its end is marked
	children int
}

func (c *cmsReader) write(p []byte) {
	for len(p) > 0 && !c.over {
		if c.left > 0 {
			n := int(min(int64(len(p)), c.left))
			c.octets(p[:n])
			c.left -= int64(n)
			c.at += int64(n)
			p = p[n:]
			if c.left == 0 {
				c.ended()
			}
			continue
		}
		c.head[c.have] = p[0]
		c.have++
		c.at++
		p = p[1:]
		if tag, size, whole := parseBER(c.head[:c.have]); whole {
			c.have = 0
			c.begin(tag, size)
		} else if c.have == len(c.head) {
			c.broken("an element that cannot be read")
		}
	}
}

// parseBER reads identifier and length of an element, ITU-T X.690 §8.1. size is -1 where the end is marked, and tag is
// that of the first octet alone: those with more are not looked at.
func parseBER(head []byte) (tag byte, size int64, whole bool) {
	tag, rest := head[0], head[1:]
	if tag&0x1f == 0x1f {
		for {
			if len(rest) == 0 {
				return 0, 0, false
			}
			c := rest[0]
			rest = rest[1:]
			if c < 0x80 {
				break
			}
		}
	}
	if len(rest) == 0 {
		return 0, 0, false
	}
	n := int(rest[0])
	rest = rest[1:]
	switch {
	case n < 0x80:
		return tag, int64(n), true
	case n == 0x80:
		return tag, -1, true
	}
	n &= 0x7f
	if len(rest) < n {
		return 0, 0, false
	}
	for _, b := range rest[:n] {
		if size >= 1<<48 {
			return tag, size, true // longer than anything
		}
		size = size<<8 | int64(b)
	}
	return tag, size, true
}

// begin acts on the head of an element.
func (c *cmsReader) begin(tag byte, size int64) {
	if tag == 0 && size == 0 && c.depth > 0 && c.open[c.depth-1].end < 0 {
		c.pop()
		c.ended()
		return
	}
	what := c.what(tag)
	if c.over {
		return
	}
	const constructed = 0x20
	if tag&constructed == 0 || what == cmsOther && size >= 0 { // of an element that nobody wants the octets are skipped
		if size < 0 {
			c.broken("a value without length")
			return
		}
		c.left, c.value, c.oid = size, what, c.oid[:0]
		if size == 0 {
			c.ended()
		}
		return
	}
	if c.depth == maxCMSElements {
		c.broken("too many elements in one another")
		return
	}
	e := cmsElement{what: what, end: -1}
	if size >= 0 {
		e.end = c.at + size
	}
	c.open[c.depth] = e
	c.depth++
	if size == 0 {
		c.ended()
	}
}

// what an element is follows from what it lies in, and from its place there.
func (c *cmsReader) what(tag byte) int {
	const (
		sequence  = 0x30
		objectID  = 0x06
		explicit0 = 0xa0
		octets    = 0x04
		inPieces  = 0x24
	)
	if c.depth == 0 {
		if tag != sequence {
			c.broken("no CMS object")
		}
		return cmsInfo
	}
	parent := &c.open[c.depth-1]
	parent.children++
	switch {
	case parent.what == cmsInfo && parent.children == 1 && tag == objectID:
		return cmsType
	case parent.what == cmsInfo && parent.children == 2 && tag == explicit0:
		if c.kind != oidSigned {
			c.over = true // encrypted, or nothing that holds a message
		}
		return cmsContent
	case parent.what == cmsContent && tag == sequence:
		return cmsSigned
	case parent.what == cmsSigned && parent.children == 3 && tag == sequence:
		return cmsEncap
	case parent.what == cmsEncap && parent.children == 1 && tag == objectID:
		return cmsInnerType
	case parent.what == cmsEncap && parent.children == 2 && tag == explicit0:
		c.over = c.inner != oidData
		return cmsInner
	case (parent.what == cmsInner || parent.what == cmsOctets) && (tag == octets || tag == inPieces):
		return cmsOctets
	case parent.what == cmsInfo:
		c.broken("no CMS object")
	}
	return cmsOther
}

// octets takes octets of a value.
func (c *cmsReader) octets(p []byte) {
	switch c.value {
	case cmsType, cmsInnerType:
		c.oid = append(c.oid, p[:min(len(p), 16-len(c.oid))]...)
	case cmsOctets:
		c.started = true
		c.emit(p)
	}
}

// ended acts on the end of a value or element, and on the elements that end with it.
func (c *cmsReader) ended() {
	switch c.value {
	case cmsType:
		c.kind = string(c.oid)
	case cmsInnerType:
		c.inner = string(c.oid)
	}
	c.value = cmsOther
	for c.depth > 0 && !c.over {
		end := c.open[c.depth-1].end
		if end < 0 || c.at < end {
			return
		}
		if c.at > end {
			c.damaged("elements longer than what they lie in")
		}
		c.pop()
	}
	c.over = c.over || c.depth == 0
}

// pop closes the innermost element. Behind the content there are certificates and signatures, which nobody reads.
func (c *cmsReader) pop() {
	c.depth--
	c.over = c.over || c.open[c.depth].what == cmsEncap
}

func (c *cmsReader) damaged(what string) {
	if c.damage == "" {
		c.damage = what
	}
}

func (c *cmsReader) broken(what string) {
	c.damaged(what)
	c.over = true
}

// finish says what was wrong.
func (c *cmsReader) finish() (damage string) {
	switch {
	case c.at == 0:
		c.damaged("empty")
	case !c.over && c.kind == "":
		c.damaged("no CMS object")
	case !c.over:
		c.damaged("ends before its content does")
	}
	return c.damage
}

// encrypted tells content types that nobody without a key can read.
func (c *cmsReader) encrypted() bool {
	return c.kind == oidEnveloped || c.kind == oidEncrypted || c.kind == oidAuthEnveloped
}
