package mime

import (
	"bytes"
	"encoding/base64"
)

// The transfer encodings, RFC 2045 §6.
const (
	identity = iota
	base64Encoding
	quotedPrintable
	uuEncoding // no standard, but older than MIME
)

// What a decoder found; indices of decoder.defects.
const (
	sawJunk = iota
	sawPadding
	sawTrailing
	sawPlain
	sawBadQP
	sawUU
	sawNoUU
	sawUUUnended
	sawKinds
)

var decoderDefects = [sawKinds]string{Base64Junk, Base64Padding, Base64Trailing, Base64None, QuotedPrintableBad, Uuencoded, EncodingUnknown, UuencodeUnended}

const (
	maxCarry  = 8 << 10 // octets of a line that is held together; longer ones are decoded in pieces
	outBuffer = 2 << 10 // octets decoded before they are passed on
)

// decoder takes a body in pieces of any size and passes the decoded octets to a leaf. It loses no octet that can be
// decoded: junk is skipped, missing padding is made up for, and what is not encoded at all stays as it is.
type decoder struct {
	encoding int
	eol      byte
	leaf     *leaf
	carry    []byte // the beginning of a line whose end is to come
	long     bool   // carry goes on a line whose beginning is decoded already
	out      []byte
	defects  [sawKinds]bool

	// base64
	group    [4]byte // of the group that is not complete
	n        int     // digits in group
	some     bool    // something was decoded
	padded   bool    // the last group ended with padding
	trailing bool    // the rest is not base64

	uu uuDecoder
}

func (d *decoder) begin(encoding int, eol byte, l *leaf) {
	*d = decoder{encoding: encoding, eol: eol, leaf: l, carry: d.carry[:0], out: d.out[:0]}
	if encoding != identity && d.out == nil {
		d.out = make([]byte, 0, outBuffer+256)
	}
}

func (d *decoder) write(p []byte) {
	if d.encoding == identity {
		d.leaf.decoded(p)
		return
	}
	for len(p) > 0 {
		if d.encoding == identity { // since the last line
			d.leaf.decoded(p)
			return
		}
		i := bytes.IndexByte(p, d.eol) + 1
		if i == 0 {
			d.hold(p)
			return
		}
		if len(d.carry) == 0 && i <= maxCarry {
			d.line(p[:i])
		} else {
			d.hold(p[:i])
			d.line(d.carry)
			d.carry = d.carry[:0]
		}
		d.long = false
		p = p[i:]
	}
}

// hold keeps the beginning of a line; of a long one it decodes all but the last octets.
func (d *decoder) hold(p []byte) {
	for len(p) > 0 {
		n := min(len(p), maxCarry-len(d.carry))
		d.carry = append(d.carry, p[:n]...)
		p = p[n:]
		if len(d.carry) == maxCarry {
			d.long = true
			rest := 0
			switch d.encoding {
			case quotedPrintable:
				rest = d.qpTail(d.carry)
				d.qpPiece(d.carry[:len(d.carry)-rest])
			case uuEncoding:
				d.uuLine(d.carry)
			case base64Encoding:
				d.base64Digits(d.carry)
			}
			if d.encoding == identity { // since this line
				d.carry = d.carry[:0]
				d.leaf.decoded(p)
				return
			}
			d.carry = d.carry[:copy(d.carry, d.carry[len(d.carry)-rest:])]
		}
	}
}

func (d *decoder) line(line []byte) {
	switch d.encoding {
	case quotedPrintable:
		d.qpLine(line)
	case uuEncoding:
		d.uuLine(line)
	default:
		d.base64Line(line)
	}
	if len(d.out) >= outBuffer {
		d.flush()
	}
}

func (d *decoder) flush() {
	if len(d.out) > 0 {
		d.leaf.decoded(d.out)
		d.out = d.out[:0]
	}
}

func (d *decoder) finish() {
	if d.encoding == identity {
		return
	}
	if len(d.carry) > 0 {
		d.line(d.carry)
		d.carry = d.carry[:0]
	}
	if d.encoding == base64Encoding && d.n > 0 && !d.trailing {
		d.defects[sawPadding] = true
		d.endGroup()
	}
	if d.encoding == uuEncoding {
		d.defects[sawUUUnended] = d.uu.state == uuInFile
	}
	d.flush()
}

// base64Value is the value of a base64 digit, RFC 2045 §6.8, or 0xff. The digits of RFC 4648 §5 are not taken: a minus
// is more likely junk.
func base64Value(c byte) byte {
	switch {
	case c >= 'A' && c <= 'Z':
		return c - 'A'
	case c >= 'a' && c <= 'z':
		return c - 'a' + 26
	case c >= '0' && c <= '9':
		return c - '0' + 52
	case c == '+':
		return 62
	case c == '/':
		return 63
	}
	return 0xff
}

// base64Line decodes one whole line, or the end of a long one.
func (d *decoder) base64Line(line []byte) {
	if d.trailing {
		return
	}
	text := trimBlank(line)
	if !d.long {
		if len(text) == 0 {
			return
		}
		if d.n == 0 && !d.padded && len(text)%4 == 0 {
			at := len(d.out)
			d.out = append(d.out, text[:len(text)/4*3]...) // room; overwritten
			n, err := base64.StdEncoding.Decode(d.out[at:], text)
			if err == nil {
				d.out = d.out[:at+n]
				d.some = true
				d.padded = text[len(text)-1] == '='
				return
			}
			d.out = d.out[:at]
		}
		if d.isText(text) {
			if !d.some && d.n == 0 {
				// Not encoded at all: declared by mistake.
				d.defects[sawPlain] = true
				d.flush()
				d.encoding = identity
				d.leaf.decoded(line)
				d.carry = d.carry[:0]
				return
			}
			d.trailing = true
			d.defects[sawTrailing] = true
			if d.n > 0 {
				d.defects[sawPadding] = true
				d.endGroup()
			}
			return
		}
	}
	d.base64Digits(text)
}

// isText tells a line of prose, such as the footer of a mailing list, from base64 with some junk in it.
func (d *decoder) isText(text []byte) bool {
	junk, digits := 0, 0
	for _, c := range bytes.TrimLeft(text, " \t") {
		if base64Value(c) != 0xff {
			digits++
		} else if c != '=' {
			junk++
		}
	}
	if d.padded {
		return junk > 0 || digits == 0 || len(text)%4 != 0
	}
	return junk > 2 && junk*8 > digits || junk > 0 && digits < 4
}

// base64Digits decodes a piece digit by digit and skips what is none.
func (d *decoder) base64Digits(text []byte) {
	if d.trailing {
		return
	}
	for _, c := range text {
		v := base64Value(c)
		if v == 0xff {
			switch c {
			case '=':
				d.endGroup()
				d.padded = true
			case ' ', '\t', '\r', '\n':
			default:
				d.defects[sawJunk] = true
			}
			continue
		}
		d.padded = false
		d.group[d.n] = v
		if d.n++; d.n == 4 {
			d.out = append(d.out, d.group[0]<<2|d.group[1]>>4, d.group[1]<<4|d.group[2]>>2, d.group[2]<<6|d.group[3])
			d.n, d.some = 0, true
		}
	}
	if len(d.out) >= outBuffer {
		d.flush()
	}
}

// endGroup passes on the whole octets of a group that is not complete.
func (d *decoder) endGroup() {
	switch d.n {
	case 1:
		d.defects[sawPadding] = true
	case 2:
		d.out = append(d.out, d.group[0]<<2|d.group[1]>>4)
	case 3:
		d.out = append(d.out, d.group[0]<<2|d.group[1]>>4, d.group[1]<<4|d.group[2]>>2)
	}
	d.some = d.some || d.n > 1
	d.n = 0
}

// qpLine decodes one line with its end, RFC 2045 §6.7: white space before the end is not content, and an equals sign
// there joins the next line.
func (d *decoder) qpLine(line []byte) {
	n := len(line)
	for n > 0 && (line[n-1] == '\n' || line[n-1] == '\r') {
		n--
	}
	end := line[n:]
	text := trimBlank(line[:n])
	if k := len(text); k > 0 && text[k-1] == '=' {
		text, end = text[:k-1], nil
	} else if len(end) == 0 {
		text = line[:n] // the last line: its white space may have been content
	}
	d.qpPiece(text)
	d.out = append(d.out, end...)
}

// qpPiece decodes a piece of a line.
func (d *decoder) qpPiece(text []byte) {
	for {
		i := bytes.IndexByte(text, '=')
		if i < 0 {
			d.out = append(d.out, text...)
			break
		}
		d.out = append(d.out, text[:i]...)
		text = text[i:]
		if len(text) >= 3 {
			if hi, lo := unhex(text[1]), unhex(text[2]); hi != 0xff && lo != 0xff {
				d.out = append(d.out, hi<<4|lo)
				text = text[3:]
				continue
			}
		}
		d.defects[sawBadQP] = true
		d.out = append(d.out, '=')
		text = text[1:]
	}
	if len(d.out) >= outBuffer {
		d.flush()
	}
}

// qpTail is how many octets at the end of a piece may mean something else with what follows.
func (d *decoder) qpTail(piece []byte) int {
	n := len(piece)
	for n > 0 && len(piece)-n < maxCarry/2 && (piece[n-1] == ' ' || piece[n-1] == '\t' || piece[n-1] == '\r') {
		n--
	}
	if n > 0 && piece[n-1] == '=' {
		n--
	} else if n > 1 && piece[n-2] == '=' {
		n -= 2
	}
	return len(piece) - n
}

// trimBlank cuts white space at the end.
func trimBlank(p []byte) []byte {
	n := len(p)
	for n > 0 && (p[n-1] == ' ' || p[n-1] == '\t' || p[n-1] == '\r' || p[n-1] == '\n') {
		n--
	}
	return p[:n]
}

// unhex is the value of a hexadecimal digit or 0xff.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c >= 'A' && c <= 'F':
		return c - 'A' + 10
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10
	}
	return 0xff
}
