// Package mime reads a stored message (RFC 5322, RFC 2045 to 2049) into an ingest.Mail.
//
// It is total: any octets give a Mail, and what is broken is listed in its defects. It is bounded: every octet is looked
// at a fixed number of times, and memory does not grow with the message. It is pure: the only input is the reader, and
// the same octets give the same Mail. Mail that programs read in several ways has one reading here, and a defect tells of
// the others.
//
// The octets pass once through a walker, which finds lines and boundaries, into leaves, which decode, count and hash
// them. What is packed in a part, in TNEF, S/MIME or uuencode, is read on the way as well. go-message supplies the
// character sets; its part reader is not used, because it lets every octet pass every level of nesting and gives up a
// message for one bad line.
package mime

import (
	"bytes"
	"io"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/class"
)

// Version is the version of the parser. It is stored with what the parser made of a message and rises whenever the same
// octets may give another Mail, so that messages can be parsed again.
const Version = 2

// The limits of one message. What lies beyond them is kept as one opaque part or left out, and flagged by a defect.
const (
	maxDepth       = 20        // multiparts and messages around one part
	maxEncoded     = 5         // messages around one part that are encoded, which RFC 2046 §5.2.1 forbids; each decodes its octets again
	maxParts       = 500       // leaves
	maxEntities    = 1000      // leaves and what holds them
	maxHeader      = 256 << 10 // octets of one header, of the message or of a part
	maxFields      = 1000      // fields of one header
	maxBoundary    = 998       // octets; RFC 2046 §5.1.1 allows 70
	maxAddresses   = 10000     // of one field
	maxReferences  = 100       // message identifiers of References
	maxMessageID   = 998       // octets; a line can have no more, RFC 5322 §2.1.1
	maxType        = 255       // octets of type and subtype
	maxFilename    = 1000      // octets
	maxSafeName    = 255       // octets, as file systems have it
	maxPreamble    = 1 << 20   // octets before the first boundary; what is longer is a part
	maxDefects     = 100
	maxSameDefects = 10
	maxDefectText  = 200 // octets

	// Octets of body parts that are kept until the end of the message, to be decoded to text. HTML shrinks when its
	// tags go, so that it may be longer.
	maxPlainOctets = 2 * ingest.MaxText
	maxHTMLOctets  = 4 * ingest.MaxText
	maxKeptOctets  = 6 * ingest.MaxText
	maxSpareOctets = 4 * ingest.MaxText // of those that count where the message has no other

	maxBoundaryLine = maxBoundary + 100 // octets, with padding and line end; a longer line is no boundary

	// Octets of a walker's buffer. How large it is must not change what is read: no decision looks further than the
	// smallest one.
	minBuffer = 4 << 10
	maxBuffer = 32 << 10
)

// Options are the settings of a channel that parsing depends on.
type Options struct {
	// FallbackCharset is assumed for text that names no usable charset and is not UTF-8. Empty, or a name that is not
	// known, means windows-1252.
	FallbackCharset string
	// Addresses are the channel's own: the customer-facing one first, then its aliases. Mail.Recipient says which of them
	// the message was for.
	Addresses []string
}

// Parse reads a message of about size octets from r up to its end; size is a hint and may be 0. It never fails: where
// the message is broken it keeps what it could read and lists defects. An error of r ends the message there, with
// defect READ_FAILED.
func Parse(r io.Reader, size int64, o Options) *ingest.Mail {
	p := newParser(o)
	p.read(r, size)
	p.finish()
	return p.mail
}

func newParser(o Options) *parser {
	p := &parser{mail: new(ingest.Mail), fallback: o.FallbackCharset, own: o.Addresses}
	if _, ok := lookup(p.fallback); !ok {
		p.fallback = "windows-1252"
	}
	return p
}

// read takes the whole message through a walker.
func (p *parser) read(r io.Reader, size int64) {
	w := newWalker(p, "", 0, int(min(max(size+1, minBuffer), maxBuffer)))
	p.kept = make([]byte, 0, min(max(size, 0), 8<<10))
	for empty := 0; ; {
		n, err := r.Read(w.space())
		w.end += n
		if n > 0 {
			empty = 0
		} else if empty++; empty > 100 && err == nil {
			err = io.ErrNoProgress
		}
		// A short message is read whole before the first look: that is quicker and tells its kind of line ends.
		if err == nil && !w.full() {
			continue
		}
		if err != nil {
			if err != io.EOF {
				p.failed = err
				p.defect(ReadFailed, "", err.Error())
			}
			break
		}
		w.scan(false)
		if p.copy != nil && p.copy.err != nil {
			break
		}
	}
	w.scan(true)
}

// parser is what all walkers of one message share.
type parser struct {
	mail     *ingest.Mail
	fallback string   // charset of text that names none; known
	own      []string // Options.Addresses
	declared string   // charset that the message's own Content-Type names
	entities int
	kept     []byte           // octets of body parts, decoded from their transfer encoding
	plain    int              // octets of kept that are plain text
	bodies   []body           // what lies in kept
	pages    []page           // HTML that the text is made of, where it is made of that alone
	spare    []spareBody      // bodies that count where the message has no other; in kept as well
	groups   int              // multipart/alternative seen, and others that are alternatives
	spared   int              // octets of kept that are spare
	loose    map[string][]int // by Content-ID, parts without disposition
	header   []ingest.Field   // of the message itself
	reports  []class.Report
	reported int // octets of reports

	uuLost int // octets that uuencoded lines have lost

	view   *View   // what Inspect gives, nil for others
	copy   *copier // of the octets of one part, for Extract; nil for others
	failed error   // of the reader
}

// body is one body part in parser.kept.
type body struct {
	start, end int
	charset    string // as declared
	html       bool
	cut        bool // the part was longer
	group      int  // the multipart/alternative it lies in; 0 for none
	flowed     bool // format=flowed, RFC 3676
	delSp      bool // and the spaces at line ends are not content
}

// defect notes what is wrong, once per code and place, and a code that many parts have no more than maxSameDefects times.
func (p *parser) defect(code, where, text string) {
	if len(p.mail.Defects) >= maxDefects {
		return
	}
	same := 0
	for _, d := range p.mail.Defects {
		if d.Code == code {
			if same++; d.Where == where || same == maxSameDefects {
				return
			}
		}
	}
	p.mail.Defects = append(p.mail.Defects, ingest.Defect{Code: code, Where: where, Text: shorten(clean(shorten(text, 600)), maxDefectText)})
}

// finish makes the text and settles what depends on the whole message.
func (p *parser) finish() {
	p.useSpare()
	p.chooseText()
	p.protectText()
	p.useInvitation()
	p.markInline()
	p.understand()
}

// refer notes a part that HTML may refer to by its Content-ID.
func (p *parser) refer(contentID string, index int) {
	if p.loose == nil {
		p.loose = make(map[string][]int)
	}
	p.loose[contentID] = append(p.loose[contentID], index)
}

// markInline finds the parts without disposition that HTML refers to by Content-ID, RFC 2392.
func (p *parser) markInline() {
	if len(p.loose) == 0 {
		return
	}
	left := maxParts
	for _, b := range p.bodies {
		if !b.html {
			continue
		}
		for rest := p.kept[b.start:b.end]; left > 0; left-- {
			i := bytes.Index(rest, []byte("cid:"))
			if i < 0 {
				break
			}
			rest = rest[i+len("cid:"):]
			n := bytes.IndexAny(rest[:min(len(rest), 256)], "\"'> )\r\n\t")
			if n < 0 {
				continue
			}
			for _, part := range p.loose[string(rest[:n])] {
				p.mail.Parts[part].Inline = true
			}
		}
	}
}
