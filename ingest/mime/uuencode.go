package mime

import (
	"bytes"
	"strconv"

	"github.com/mailintake/mailintake/ingest"
)

const (
	maxUULine = 200     // octets of a line that may belong to a uuencoded file, with its end
	maxUULost = 1 << 20 // octets of zeros that stand for lost white space, in one message
)

// What a uuReader is in.
const (
	uuText  = iota
	uuBegun // a line that may begin a file was read
	uuFile
)

// uuReader takes uuencoded files out of text: each becomes a part, and what is left goes on as text. A file is a line
// "begin", a mode and a name, lines of data that are as long as they say, and a line "end", which may be missing.
type uuReader struct {
	p     *parser
	in    container
	eol   byte
	pass  func(p []byte) // takes the text
	state int
	count int
	file  *packed

	bol  bool   // the next octet begins a line
	line []byte // the beginning of a line that may belong to a file
	held []byte // text, or the end of a file: what follows will tell
	name string
	last bool // held has a line that may be the last one of the file
	out  []byte
}

func newUUReader(p *parser, c container, eol byte, pass func(p []byte)) *uuReader {
	return &uuReader{p: p, in: c, eol: eol, pass: pass, bol: true}
}

func (u *uuReader) write(p []byte) {
	for len(p) > 0 {
		if u.state == uuText && len(u.line) == 0 {
			// All but lines with a b at their beginning is text.
			n := 0
			for !u.bol || p[n] != 'b' {
				i := bytes.IndexByte(p[n:], u.eol) + 1
				if n += i; i == 0 {
					u.bol, n = false, len(p)
					break
				}
				if u.bol = true; n == len(p) {
					break
				}
			}
			if n > 0 {
				u.pass(p[:n])
			}
			p = p[n:]
			if len(p) == 0 {
				return
			}
		}
		i := bytes.IndexByte(p, u.eol) + 1
		n := i
		if i == 0 {
			n = len(p)
		}
		if len(u.line)+n > maxUULine {
			u.long()
			continue
		}
		u.line = append(u.line, p[:n]...)
		p = p[n:]
		if i > 0 {
			u.take()
		}
	}
}

// long ends what was begun: the line is too long to be of a file.
func (u *uuReader) long() {
	u.giveUp()
	u.pass(u.line)
	u.line, u.bol = u.line[:0], false
}

// take takes a whole line.
func (u *uuReader) take() {
	line := u.line
	u.line, u.bol = u.line[:0], true
	text := trimEnd(line)
	if u.state == uuBegun {
		if isUULine(text, true) || string(text) == "`" {
			u.begin()
		} else {
			u.giveUp()
		}
	}
	if u.state == uuFile {
		switch {
		case string(bytes.TrimRight(text, " \t")) == "end":
			u.end()
			return
		case isUUEnd(text) && len(u.held)+len(line) <= maxUULine:
			u.held, u.last = append(u.held, line...), u.last || len(text) > 0
			return
		case !u.last && isUULine(text, false) && u.p.hasUUSpace(text):
			u.held = u.held[:0]
			u.out = appendUULine(u.out[:0], text)
			u.file.write(u.out)
			return
		}
		u.giveUp()
	}
	name, ok := parseUUBegin(text)
	if !ok {
		u.pass(line)
		return
	}
	u.name, u.state = name, uuBegun
	u.held = append(u.held[:0], line...)
}

// begin lists the file whose first line is held.
func (u *uuReader) begin() {
	u.count++
	u.state, u.held, u.last = uuFile, u.held[:0], false
	path := u.in.path + "." + strconv.Itoa(u.count)
	part := ingest.Part{Path: path, ContentType: "application/octet-stream", Filename: u.p.packedName(path, u.name), Attached: u.in.attached}
	u.p.defect(Uuencoded, u.in.path, "")
	if u.file = u.p.addPacked(part); u.file != nil {
		u.file.sub = u.p.expand(part.ContentType, container{path: path, name: part.Filename, depth: u.in.depth, nested: u.in.nested, attached: u.in.attached})
	}
}

// end ends the file.
func (u *uuReader) end() {
	u.file.finish()
	u.file, u.state, u.held = nil, uuText, u.held[:0]
}

// giveUp ends the file without its last line, or takes what seemed to begin one for text.
func (u *uuReader) giveUp() {
	switch u.state {
	case uuBegun:
		u.state = uuText
		u.pass(u.held)
	case uuFile:
		text := u.held
		u.p.defect(UuencodeUnended, u.in.path+"."+strconv.Itoa(u.count), "")
		if u.last {
			text = nil
		}
		u.file.finish()
		u.file, u.state = nil, uuText
		if len(text) > 0 {
			u.pass(text)
		}
	}
	u.held = u.held[:0]
}

func (u *uuReader) finish() {
	if len(u.line) > 0 {
		u.take()
	}
	u.giveUp()
}

// parseUUBegin reads the first line of a file; the name may be missing.
func parseUUBegin(line []byte) (name string, ok bool) {
	rest, found := bytes.CutPrefix(line, []byte("begin "))
	if !found {
		return "", false
	}
	rest = bytes.TrimLeft(rest, " ")
	n := 0
	for n < len(rest) && rest[n] >= '0' && rest[n] <= '7' {
		n++
	}
	if n < 3 || n > 4 || n < len(rest) && rest[n] != ' ' {
		return "", false
	}
	return string(bytes.Trim(rest[n:], " \t\"")), true
}

// isUULine tells a line of data: its first character says how many octets the others stand for. White space at its end
// may be lost, which is zeros; of the first line no more than half.
func isUULine(line []byte, first bool) bool {
	if len(line) == 0 {
		return false
	}
	for _, c := range line {
		if c < ' ' || c > '`' {
			return false
		}
	}
	octets := int(line[0]-' ') & 63
	if octets == 0 {
		return false
	}
	chars, whole, least := len(line)-1, (octets+2)/3*4, (octets*4+2)/3
	const checksum = 2 // characters that some encoders add
	switch {
	case chars > whole+checksum:
		return false
	case chars >= least:
		return true
	case first:
		return line[0] == 'M' && chars >= whole/2
	}
	return line[0] == 'M' // a whole line of 45 octets
}

// hasUUSpace takes the octets that a line has lost from what a message may lose.
func (p *parser) hasUUSpace(line []byte) bool {
	octets := int(line[0]-' ') & 63
	p.uuLost += max(octets-(len(line)-1)*3/4, 0)
	return p.uuLost <= maxUULost
}

// isUUEnd tells a line that stands for no octets, which is the last but one of a file.
func isUUEnd(line []byte) bool {
	line = bytes.TrimRight(line, " \t")
	return len(line) == 0 || string(line) == "`"
}

// appendUULine decodes a line of data.
func appendUULine(out, line []byte) []byte {
	octets, line := int(line[0]-' ')&63, line[1:]
	for ; octets > 0; octets -= 3 {
		var v [4]byte
		for i := range v {
			if i < len(line) {
				v[i] = (line[i] - ' ') & 63
			}
		}
		line = line[min(4, len(line)):]
		group := [3]byte{v[0]<<2 | v[1]>>4, v[1]<<4 | v[2]>>2, v[2]<<6 | v[3]}
		out = append(out, group[:min(octets, 3)]...)
	}
	return out
}

// trimEnd cuts the line end.
func trimEnd(line []byte) []byte {
	return bytes.TrimRight(line, "\r\n")
}

// takeFiles takes uuencoded files out of the text of a leaf.
func (l *leaf) takeFiles(c container) {
	eol := byte('\n')
	if l.decode.encoding != base64Encoding {
		eol = l.walker.eol
	}
	l.uu = newUUReader(l.walker.parser, c, eol, l.keepOctets)
}
