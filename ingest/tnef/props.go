package tnef

import (
	"encoding/binary"
	"strings"
)

// What a property list waits for, [MS-OXTNEF] 2.1.3.5.
const (
	listCount  = iota
	listTag    // type and identifier
	namedSet   // of a named property: property set and kind of its name
	namedID    // its number
	namedSize  // the size of its name
	namedName  // its name
	valueCount // of a property of many values, or of a string
	valueSize
	valueData
	listOver // or it cannot be understood further
)

// The types of properties, [MS-OXCDATA] 2.11.1.
const (
	typeString8  = 0x001e
	typeUnicode  = 0x001f
	typeBinary   = 0x0102
	typeObject   = 0x000d
	typeMultiple = 0x1000 // flag
)

// The properties that are read, [MS-OXPROPS].
const (
	propBody         = 0x1000
	propRTF          = 0x1009 // compressed
	propHTML         = 0x1013
	propDisplayName  = 0x3001
	propData         = 0x3701
	propFileName     = 0x3704 // 8.3
	propLongFileName = 0x3707
	propMimeTag      = 0x370e
	propContentID    = 0x3712
	propFlags        = 0x3714
	propInternetCode = 0x3fde
)

const inHTML = 4 // a flag of propFlags: HTML shows the attachment, [MS-OXCMSG] 2.2.2.18

// props reads a list of properties in pieces.
type props struct {
	d           *Decoder
	ofAttached  bool
	state       int
	field       [20]byte
	have, want  int
	left        uint32 // properties to come
	kind, id    uint16
	values      uint32 // values of the property to come
	first       bool   // the value is the property's first
	size        int64  // octets of the value or name to come, without padding
	pad         int    // octets behind it
	interpreted bool   // the value is for us
}

func (l *props) begin(ofAttached bool) {
	*l = props{d: l.d, ofAttached: ofAttached, want: 4}
}

func (l *props) write(p []byte) {
	for len(p) > 0 && l.state != listOver {
		if l.size > 0 {
			n := int(min(int64(len(p)), l.size))
			if l.state == valueData && l.interpreted {
				l.d.value.write(p[:n])
			}
			l.size -= int64(n)
			p = p[n:]
			if l.size > 0 {
				return
			}
			l.want = l.pad
			if l.want > 0 {
				continue
			}
		}
		n := copy(l.field[l.have:l.want], p)
		l.have += n
		p = p[n:]
		// What needs no octets follows at once.
		for l.have == l.want && l.size == 0 && l.state != listOver {
			l.have = 0
			l.next()
		}
	}
}

// next acts on a complete field, or on the end of a value or name.
func (l *props) next() {
	number := binary.LittleEndian.Uint32(l.field[:])
	switch l.state {
	case listCount:
		l.left = number
		l.property()
	case listTag:
		l.kind, l.id = uint16(number&0xffff), uint16(number>>16)
		if l.id >= 0x8000 {
			l.expect(namedSet, 20)
		} else {
			l.tagged()
		}
	case namedSet:
		if binary.LittleEndian.Uint32(l.field[16:]) == 0 {
			l.expect(namedID, 4)
		} else {
			l.expect(namedSize, 4)
		}
	case namedID, namedName:
		l.tagged()
	case namedSize:
		l.octets(namedName, number)
	case valueCount:
		l.values = number
		l.value()
	case valueSize:
		l.octets(valueData, number)
		l.beginValue()
	case valueData:
		l.endValue()
		l.value()
	}
}

func (l *props) expect(state, want int) { l.state, l.want = state, want }

// octets waits for a value or name of a size that is padded to four octets.
func (l *props) octets(state int, size uint32) {
	l.state, l.size = state, int64(size)
	l.pad = int(-size & 3)
	l.want = 0
}

// property waits for the next one.
func (l *props) property() {
	if l.left == 0 {
		l.state = listOver
		return
	}
	l.left--
	l.expect(listTag, 4)
}

// tagged waits for the values of the property whose tag was read.
func (l *props) tagged() {
	l.first = true
	if l.kind&typeMultiple != 0 || variable(l.kind) {
		l.expect(valueCount, 4)
		return
	}
	l.values = 1
	l.value()
}

// value waits for the next value of the property.
func (l *props) value() {
	if l.values == 0 {
		l.property()
		return
	}
	l.values--
	if variable(l.kind) {
		l.expect(valueSize, 4)
		return
	}
	size, known := fixedSize(l.kind)
	if !known {
		l.d.damaged("a property of unknown type")
		l.state = listOver
		return
	}
	l.octets(valueData, size)
	l.beginValue()
}

func variable(kind uint16) bool {
	switch kind &^ typeMultiple {
	case typeString8, typeUnicode, typeBinary, typeObject:
		return true
	}
	return false
}

// fixedSize is the size of a value on the wire, where none is smaller than four octets.
func fixedSize(kind uint16) (size uint32, known bool) {
	switch kind &^ typeMultiple {
	case 0x0002, 0x0003, 0x0004, 0x000a, 0x000b: // 16 and 32 bits, float, error, boolean
		return 4, true
	case 0x0005, 0x0006, 0x0007, 0x0014, 0x0040: // double, currency, times, 64 bits
		return 8, true
	case 0x0048: // GUID
		return 16, true
	}
	return 0, false
}

// beginValue says what is done with the octets of a value.
func (l *props) beginValue() {
	l.interpreted = l.first && l.id < 0x8000
	l.first = false
	if !l.interpreted {
		return
	}
	v := &l.d.value
	v.small(maxSmall)
	if l.ofAttached {
		if l.id == propData {
			if l.kind == typeObject {
				v.object()
			} else {
				v.file()
			}
		}
		return
	}
	charset, terminator := "", 0
	switch l.kind {
	case typeUnicode:
		charset, terminator = "utf-16le", 2
	case typeString8:
		charset, terminator = charsetName(l.d.codepage), 1
	}
	switch l.id {
	case propBody:
		v.body(Text, l.size, terminator, charset)
	case propHTML:
		if l.kind == typeString8 {
			charset = "" // it may say so itself
		}
		v.body(HTML, l.size, terminator, charset)
	case propRTF:
		v.body(RTF, l.size, 0, "")
	}
}

// endValue takes a value that is complete, or that the list cut.
func (l *props) endValue() {
	if !l.interpreted {
		return
	}
	l.interpreted = false
	got := l.d.value.end()
	a := &l.d.attachment
	if !l.ofAttached {
		if l.id == propInternetCode && len(got) >= 4 {
			l.d.internet = int(binary.LittleEndian.Uint32(got) & 0xffff)
		}
		return
	}
	switch l.id {
	case propData:
		a.endData()
	case propFileName:
		a.short = l.text(got)
	case propLongFileName:
		a.long = l.text(got)
	case propDisplayName:
		a.display = l.text(got)
	case propMimeTag:
		a.contentType = l.text(got)
	case propContentID:
		a.contentID = strings.Trim(l.text(got), "<> ")
	case propFlags:
		a.inline = len(got) >= 4 && got[0]&inHTML != 0
	}
}

// text is a string value.
func (l *props) text(raw []byte) string {
	if l.kind == typeUnicode {
		return decodeUTF16(raw)
	}
	return l.d.text8(raw)
}

// end ends the list where its attribute ends.
func (l *props) end() {
	if l.state == listOver {
		return
	}
	l.d.damaged("ends in the middle of a list of properties")
	if l.state == valueData {
		l.endValue()
	}
	l.state = listOver
}
