package tnef

import (
	"encoding/binary"
	"hash/crc32"
)

// The kinds of compressed RTF, [MS-OXRTFCP] 2.1.3.1.1.
const (
	lzfu = 0x75465a4c // "LZFu"
	mela = 0x414c454d // "MELA", not compressed
)

const (
	lzfuHead   = 16
	dictionary = 4096 // octets
	lzfuOut    = 2 << 10

	// initial is what the dictionary begins with, [MS-OXRTFCP] 2.1.2.1.
	initial = "{\\rtf1\\ansi\\mac\\deff0\\deftab720{\\fonttbl;}{\\f0\\fnil \\froman \\fswiss \\fmodern \\fscript \\fdecor MS Sans SerifSymbolArialTimes New RomanCourier{\\colortbl\\red0\\green0\\blue0\r\n\\par \\pard\\plain\\f0\\fs20\\b\\i\\u\\tab\\tx"
)

// decompressor makes RTF of compressed RTF. An octet of input gives at most 136/17 octets of output: eight references,
// of two octets each, stand for 17 octets each.
type decompressor struct {
	emit   func(p []byte)
	head   [lzfuHead]byte
	have   int
	kind   uint32
	crc    uint32
	size   int64 // octets given
	over   bool  // the end mark was read
	bad    bool  // neither kind
	dict   *[dictionary]byte
	at     int  // where dict is written next
	flags  byte // which of the tokens to come are references
	tokens int  // tokens that flags still tells of
	half   int  // first octet of a reference, -1 if none
	out    []byte
}

// begin starts anew.
func (z *decompressor) begin(emit func(p []byte)) {
	if z.dict == nil {
		z.dict = new([dictionary]byte)
		z.out = make([]byte, 0, lzfuOut+32)
	}
	clear(z.dict[:])
	*z = decompressor{emit: emit, dict: z.dict, out: z.out[:0], at: copy(z.dict[:], initial), half: -1}
}

func (z *decompressor) write(p []byte) {
	if z.have < lzfuHead {
		n := copy(z.head[z.have:], p)
		z.have += n
		p = p[n:]
		z.kind = binary.LittleEndian.Uint32(z.head[8:])
		z.bad = z.have == lzfuHead && z.kind != lzfu && z.kind != mela
	}
	if len(p) == 0 || z.bad || z.over {
		return
	}
	if z.kind == mela {
		// As long as it says; padding may follow.
		p = p[:min(int64(len(p)), max(int64(binary.LittleEndian.Uint32(z.head[4:]))-z.size, 0))]
		z.size += int64(len(p))
		z.emit(p)
		return
	}
	for i, c := range p {
		if z.token(c); z.over {
			p = p[:i+1]
			break
		}
	}
	// The checksum starts with 0 and is not inverted, [MS-OXRTFCP] 2.1.3.2.
	z.crc = ^crc32.Update(^z.crc, crc32.IEEETable, p)
	z.flush()
}

// token takes one octet of the compressed contents.
func (z *decompressor) token(c byte) {
	switch {
	case z.tokens == 0:
		z.flags, z.tokens = c, 8
		return
	case z.half >= 0:
		offset, length := z.half<<4|int(c>>4), int(c&0xf)+2
		z.half = -1
		if offset == z.at {
			z.over = true
			return
		}
		z.repeat(offset, length)
	case z.flags&1 != 0:
		z.half = int(c)
		return
	default:
		z.put(c)
	}
	z.flags >>= 1
	z.tokens--
}

func (z *decompressor) put(c byte) {
	z.dict[z.at] = c
	z.at = (z.at + 1) % dictionary
	z.out = append(z.out, c)
	if len(z.out) >= lzfuOut {
		z.flush()
	}
}

// repeat puts what stands in the dictionary at offset, and what it puts meanwhile.
func (z *decompressor) repeat(offset, length int) {
	dict, at, out := z.dict, z.at, z.out
	for range length {
		c := dict[offset%dictionary]
		dict[at%dictionary] = c
		out = append(out, c)
		offset++
		at++
	}
	z.at, z.out = at%dictionary, out
	if len(z.out) >= lzfuOut {
		z.flush()
	}
}

func (z *decompressor) flush() {
	if len(z.out) > 0 {
		z.size += int64(len(z.out))
		z.emit(z.out)
		z.out = z.out[:0]
	}
}

// end says what was wrong.
func (z *decompressor) end() (damage string) {
	switch {
	case z.have < lzfuHead || z.bad:
		return "a body that is not compressed RTF"
	case z.kind == lzfu && z.over && z.crc != binary.LittleEndian.Uint32(z.head[12:]):
		return "wrong checksum of compressed RTF"
	case z.size != int64(binary.LittleEndian.Uint32(z.head[4:])):
		return "compressed RTF of another size than declared"
	}
	return ""
}
