package auth

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
)

// The limits of a header are those of the parser, so that both read the same fields.
const (
	maxHeader = 256 << 10 // octets
	maxFields = 1000
)

// header are the fields of a message as they stand.
type header struct {
	fields []field
	size   int64 // octets up to the body
	cut    bool  // there is more than the limits allow, or no end
}

// field is one header field.
type field struct {
	name string // lower case
	raw  string // all lines, with name and line ends
}

// readHeader reads the header of a message and no more than a buffer beyond it. Lines that are no fields are left out,
// as the parser does.
func readHeader(r io.Reader) (*header, error) {
	h := new(header)
	in := bufio.NewReaderSize(r, 16<<10)
	first, err := in.Peek(4 << 10)
	if err != nil && err != io.EOF {
		return nil, err
	}
	eol := byte('\n')
	if bytes.IndexByte(first, '\n') < 0 && bytes.IndexByte(first, '\r') >= 0 {
		eol = '\r' // of a system that had no LF
	}
	if mark := []byte("\xef\xbb\xbf"); bytes.HasPrefix(first, mark) {
		h.size, _ = io.CopyN(io.Discard, in, int64(len(mark)))
	}
	var lines []byte            // of the last field
	taken, begun := false, true // the line is of a field; the piece is the first of its line
	flush := func() {
		if len(lines) > 0 {
			h.fields[len(h.fields)-1].raw = string(lines)
		}
		lines = lines[:0]
	}
	for {
		piece, err := in.ReadSlice(eol)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err
		}
		h.size += int64(len(piece))
		if h.size > maxHeader {
			h.cut = true
			flush()
			return h, nil
		}
		if begun {
			switch text := bytes.TrimRight(piece, "\r\n"); {
			case len(text) == 0 && len(h.fields) == 0 && err == nil: // empty lines before the header
				continue
			case len(text) == 0:
				flush()
				return h, nil
			case text[0] == ' ' || text[0] == '\t':
				// It goes on as it began.
			default:
				name, ok := fieldName(text)
				taken = ok
				if !ok {
					break
				}
				flush()
				if len(h.fields) == maxFields {
					h.cut = true
					return h, nil
				}
				h.fields = append(h.fields, field{name: name})
			}
		}
		if taken {
			lines = append(lines, piece...)
		}
		if begun = !errors.Is(err, bufio.ErrBufferFull); begun && taken {
			lines = append(bytes.TrimRight(lines, "\r\n"), "\r\n"...)
		}
		if err == io.EOF {
			flush()
			return h, nil
		}
	}
}

// fieldName is the name at the beginning of a line, RFC 5322 §2.2 and §4.5.
func fieldName(line []byte) (string, bool) {
	n := 0
	for n < len(line) && line[n] > ' ' && line[n] < 0x7f && line[n] != ':' {
		n++
	}
	colon := n
	for colon < len(line) && (line[colon] == ' ' || line[colon] == '\t') {
		colon++
	}
	if n == 0 || colon == len(line) || line[colon] != ':' || bytes.HasPrefix(line[colon:], []byte("://")) {
		return "", false
	}
	return strings.ToLower(string(line[:n])), true
}

// value is the unfolded body of the field, valid UTF-8.
func (f *field) value() string {
	_, v, _ := strings.Cut(f.raw, ":")
	return strings.TrimSpace(strings.ToValidUTF8(strings.ReplaceAll(v, "\r\n", ""), "\ufffd"))
}
