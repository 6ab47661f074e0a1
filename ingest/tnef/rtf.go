package tnef

import (
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxRTF    = 4 << 20 // octets of RTF that are read; text of no message is longer
	maxGroups = 256     // groups in one another whose state is kept apart
	maxWord   = 32      // letters of a control word, as Word has it
	maxFonts  = 1000
	outSize   = 2 << 10 // octets of text before they are passed on
)

// What an Extractor reads in RTF.
const (
	inText  = iota
	inSlash // behind a backslash
	inWord
	inNumber
	inHex // behind \'
	inBinary
)

// Extractor makes HTML or plain text of RTF, in UTF-8. Outlook hides the HTML of a message in RTF: it marks what is
// HTML only and what is RTF only ([MS-OXRTFEX] 2.1.3), and the HTML comes back whole. All other RTF gives its text.
type Extractor struct {
	emit  func(p []byte)
	left  int // octets that are still read
	limit int // octets that are still given
	cut   bool
	html  bool // the RTF holds HTML
	rtf   bool // it is RTF

	state    int
	word     [maxWord]byte
	wordLen  int
	number   int
	digits   int
	negative bool
	hex      byte // value of the digits so far
	binary   int  // octets of \bin to come

	group  group
	outer  []group
	beyond int  // groups in one another that are not kept apart
	star   bool // \* was read: an unknown destination is to be skipped

	page      int         // code page of text, \ansicpg
	table     table       // of the page used last
	fonts     map[int]int // code pages of fonts
	deffont   int         // font of plain text
	font      int         // of the font table that is read
	skip      int         // characters that stand for the one of \u
	surrogate rune
	run       []byte // octets of a code page whose characters may have more than one
	lead      bool   // run ends within a character
	out       []byte
}

// group is what { and } put by and bring back.
type group struct {
	skipped bool // a destination that is not text
	tag     bool // HTML that RTF readers do not see, \*\htmltag
	hidden  bool // text that only RTF readers see, \htmlrtf, and hidden text
	fonts   bool // the font table
	fresh   bool // nothing was read in it yet
	page    int
	uc      int // characters behind \u that stand for the same
}

// NewExtractor gives an extractor that passes text on, at most limit octets, in pieces that are valid during the call
// alone.
func NewExtractor(limit int, emit func(p []byte)) *Extractor {
	return &Extractor{emit: emit, left: maxRTF, limit: max(limit, 0), page: 1252, group: group{page: 1252, uc: 1}, fonts: make(map[int]int), out: make([]byte, 0, outSize+64)}
}

// HTML tells whether it is HTML that comes out. It is known when the first piece comes.
func (x *Extractor) HTML() bool { return x.html }

// Cut tells whether there would be more text than was given.
func (x *Extractor) Cut() bool { return x.cut }

// Write takes the next octets of the RTF.
func (x *Extractor) Write(p []byte) {
	over := len(p) > x.left
	p = p[:min(len(p), x.left)]
	x.left -= len(p)
	for i := 0; i < len(p) && !x.cut; i++ {
		c := p[i]
		switch x.state {
		case inText:
			x.plain(c)
		case inSlash:
			x.slash(c)
		case inWord:
			if isLetter(c) {
				if x.wordLen < maxWord {
					x.word[x.wordLen] = c
					x.wordLen++
				}
				continue
			}
			x.number, x.digits, x.negative, x.state = 0, 0, false, inNumber
			if c == '-' {
				x.negative = true
				continue
			}
			i--
		case inNumber:
			if c >= '0' && c <= '9' {
				if x.digits++; x.number < 1e8 {
					x.number = x.number*10 + int(c-'0')
				}
				continue
			}
			x.state = inText
			x.control()
			if c != ' ' { // a space ends the word and is part of it
				i--
			}
		case inHex:
			v := unhex(c)
			if v == 0xff {
				x.state = inText
				i--
				continue
			}
			x.hex = x.hex<<4 | v
			if x.digits++; x.digits == 2 {
				x.state = inText
				x.octet(x.hex)
			}
		case inBinary:
			n := min(x.binary, len(p)-i)
			x.binary -= n
			i += n - 1
			if x.binary == 0 {
				x.state = inText
			}
		}
	}
	x.cut = x.cut || over
}

// Finish passes on what is left.
func (x *Extractor) Finish() {
	if x.cut {
		return
	}
	if x.state == inWord || x.state == inNumber {
		x.control()
	}
	x.endRun()
	x.endSurrogate()
	x.flush()
}

// plain takes an octet outside of control words.
func (x *Extractor) plain(c byte) {
	switch c {
	case '\\':
		x.state = inSlash
		return
	case '{':
		x.open()
		return
	case '}':
		x.close()
		return
	case '\r', '\n', 0:
		return
	}
	x.octet(c)
}

// slash takes the octet behind a backslash.
func (x *Extractor) slash(c byte) {
	x.state = inText
	switch {
	case isLetter(c):
		x.word[0], x.wordLen, x.state = c, 1, inWord
	case c == '\'':
		x.hex, x.digits, x.state = 0, 0, inHex
	case c == '\\' || c == '{' || c == '}':
		x.octet(c)
	case c == '~':
		x.char('\u00a0')
	case c == '_':
		x.char('\u2011')
	case c == '*':
		x.star = true
	case c == '\n' || c == '\r':
		x.char('\n')
	}
}

func (x *Extractor) open() {
	x.endRun()
	x.skip = 0
	if len(x.outer) == maxGroups {
		x.beyond++
		return
	}
	x.outer = append(x.outer, x.group)
	x.group.fresh = true
}

func (x *Extractor) close() {
	x.endRun()
	x.skip, x.star = 0, false
	if x.beyond > 0 {
		x.beyond--
		return
	}
	if n := len(x.outer); n > 0 {
		x.group, x.outer = x.outer[n-1], x.outer[:n-1]
	}
}

// shown tells whether text is content here.
func (x *Extractor) shown() bool {
	g := &x.group
	return x.rtf && !g.skipped && (g.tag || !g.hidden)
}

// octet takes one octet of text in the code page.
func (x *Extractor) octet(c byte) {
	x.group.fresh = false
	if x.skip > 0 {
		x.skip--
		return
	}
	if !x.shown() {
		return
	}
	if c < 0x80 && !x.lead {
		x.endRun()
		x.ascii(c)
		return
	}
	table := x.current()
	if table.single != nil {
		x.char(table.single.DecodeByte(c))
		return
	}
	x.run = append(x.run, c)
	x.lead = !x.lead && c >= 0x80 && (table.page != 932 || c < 0xa1 || c > 0xdf) // half-width katakana are one octet
	if len(x.run) >= 256 && !x.lead {
		x.endRun()
	}
}

// endRun decodes the run of octets.
func (x *Extractor) endRun() {
	if len(x.run) == 0 {
		return
	}
	raw := x.run
	x.run, x.lead = x.run[:0], false
	x.endSurrogate()
	for _, r := range x.current().decode(raw) {
		x.rune(r)
	}
}

// current is the table of the text that is read. HTML that RTF readers do not see is in the code page of the document.
func (x *Extractor) current() *table {
	page := x.group.page
	if x.group.tag {
		page = x.page
	}
	if x.table.page != page {
		x.table = tableOf(page)
	}
	return &x.table
}

func (x *Extractor) ascii(c byte) {
	if x.surrogate != 0 {
		x.endSurrogate()
	}
	if c == 0 {
		return
	}
	if x.out = append(x.out, c); len(x.out) >= outSize {
		x.flush()
	}
}

// char takes a character that is no octet.
func (x *Extractor) char(r rune) {
	x.endRun()
	x.endSurrogate()
	if x.shown() {
		x.rune(r)
	}
}

// unicode takes the number of \u: a character, or half of one beyond the BMP.
func (x *Extractor) unicode(n int) {
	x.endRun()
	if n < 0 {
		n += 0x10000 // numbers are signed, of 16 bits
	}
	x.skip = x.group.uc
	if !x.shown() {
		return
	}
	r := rune(n)
	switch {
	case utf16.IsSurrogate(r) && x.surrogate == 0:
		x.surrogate = r
		return
	case x.surrogate != 0 && utf16.IsSurrogate(r):
		r = utf16.DecodeRune(x.surrogate, r)
		x.surrogate = 0
	default:
		x.endSurrogate()
	}
	x.rune(r)
}

// endSurrogate gives up the half of a character whose other half did not come.
func (x *Extractor) endSurrogate() {
	if x.surrogate != 0 {
		x.surrogate = 0
		x.rune(utf8.RuneError)
	}
}

func (x *Extractor) rune(r rune) {
	if r == 0 {
		return
	}
	x.out = utf8.AppendRune(x.out, r)
	if len(x.out) >= outSize {
		x.flush()
	}
}

func (x *Extractor) flush() {
	p := x.out
	x.out = x.out[:0]
	if len(p) > x.limit {
		x.cut = true
		n := x.limit
		for n > 0 && !utf8.RuneStart(p[n]) { // no half characters
			n--
		}
		p = p[:n]
	}
	if x.limit -= len(p); len(p) > 0 {
		x.emit(p)
	}
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// unhex is the value of a hexadecimal digit or 0xff.
func unhex(c byte) byte {
	switch {
	case c >= '0' && c <= '9':
		return c - '0'
	case c|0x20 >= 'a' && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10
	}
	return 0xff
}
