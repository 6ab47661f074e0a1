package mime

import "bytes"

// Where a uuDecoder is.
const (
	uuBefore = iota
	uuInFile
	uuBehind
)

// uuDecoder is what a decoder knows of a part that is uuencoded as a whole, Content-Transfer-Encoding x-uuencode: its
// octets are those of the first file in it.
type uuDecoder struct {
	state int
	name  string // of the file, for a part that has none
}

// uuLine decodes one line. A part that does not begin with a file is not encoded and stays as it is.
func (d *decoder) uuLine(line []byte) {
	text := trimEnd(line)
	switch d.uu.state {
	case uuBefore:
		name, ok := parseUUBegin(text)
		switch {
		case ok:
			d.uu = uuDecoder{state: uuInFile, name: name}
			d.defects[sawUU] = true
			d.out = d.out[:0]
		case len(bytes.TrimSpace(text)) == 0:
			d.out = append(d.out, line...) // content, if no file follows
		default:
			d.flush()
			d.defects[sawNoUU] = true
			d.encoding = identity
			d.leaf.decoded(line)
		}
	case uuInFile:
		if string(bytes.TrimRight(text, " \t")) == "end" {
			d.uu.state = uuBehind
		} else if isUULine(text, false) && d.leaf.walker.hasUUSpace(text) {
			d.out = appendUULine(d.out, text)
		}
	}
}
