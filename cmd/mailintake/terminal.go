package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"unicode"
	"unicode/utf8"
)

// terminal is where text for reading goes.
type terminal struct {
	columns int  // at least minColumns
	tty     bool // it shows weights
}

const (
	defaultColumns = 80
	minColumns     = 20
	maxColumns     = 120 // longer lines are hard to read
)

// terminalOf looks what w is. What is no terminal has the default width.
func terminalOf(w io.Writer) terminal {
	t := terminal{columns: defaultColumns}
	f, ok := w.(*os.File)
	if !ok {
		return t
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return t
	}
	size := exec.Command("stty", "size")
	size.Stdin = f
	out, err := size.Output()
	if err != nil {
		return t
	}
	t.tty = true
	var rows, columns int
	if _, err := fmt.Fscan(bytes.NewReader(out), &rows, &columns); err == nil && columns > 0 {
		t.columns = min(max(columns, minColumns), maxColumns)
	}
	return t
}

// dim gives text less weight where that can be seen.
func (t terminal) dim(s string) string {
	if !t.tty || s == "" {
		return s
	}
	return "\x1b[2m" + s + "\x1b[22m"
}

// bold gives text more weight where that can be seen.
func (t terminal) bold(s string) string {
	if !t.tty || s == "" {
		return s
	}
	return "\x1b[1m" + s + "\x1b[22m"
}

// wrap breaks the lines of a text of foreign origin at the width of the terminal and makes them printable. Marks of
// quotation and indentation are repeated; lines that are laid out, as tables and code, stay as they are.
func (t terminal) wrap(text string) []string {
	var out []string
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		line = printable(line)
		quoted, rest := cutQuoteMarks(line)
		indent := len(rest) - len(strings.TrimLeft(rest, " "))
		if width(line) <= t.columns || preformatted(rest) || indent == len(rest) {
			out = append(out, line)
			continue
		}
		out = append(out, t.fill(quoted+rest[:indent], rest[indent:])...)
	}
	return out
}

// fill breaks s at blanks, and long words between characters that take two columns, which are written without blanks.
func (t terminal) fill(prefix, s string) []string {
	room := max(t.columns-width(prefix), minColumns/2)
	var out []string
	var line strings.Builder
	used := 0
	end := func() {
		if line.Len() > 0 {
			out = append(out, prefix+strings.TrimRight(line.String(), " "))
		}
		line.Reset()
		used = 0
	}
	for word := range strings.FieldsSeq(s) {
		w := width(word)
		if used > 0 && used+1+w > room && !(w > room && wide(word)) {
			end()
		}
		if used > 0 {
			line.WriteByte(' ')
			used++
		}
		if w <= room-used || !wide(word) {
			line.WriteString(word)
			used += w
			continue
		}
		for _, r := range word {
			if n := runeWidth(r); used+n > room {
				end()
			}
			line.WriteRune(r)
			used += runeWidth(r)
		}
	}
	end()
	return out
}

// cutQuoteMarks cuts the marks of quotation off a line: "> > text".
func cutQuoteMarks(line string) (marks, rest string) {
	n := 0
	for i := range len(line) {
		if line[i] == '>' {
			n = i + 1
		} else if line[i] != ' ' || n == 0 {
			break
		}
	}
	if n > 0 && n < len(line) && line[n] == ' ' {
		n++
	}
	return line[:n], line[n:]
}

// preformatted reports a line whose blanks carry meaning: much indentation, or columns.
func preformatted(line string) bool {
	trimmed := strings.TrimLeft(line, " ")
	return len(line)-len(trimmed) >= 4 || strings.Contains(strings.TrimRight(trimmed, " "), "   ")
}

// printable makes one line of foreign origin safe for a terminal and keeps its blanks: control characters, among them
// escape sequences, become blanks, and characters that turn the writing direction or do not show go.
func printable(line string) string {
	var b strings.Builder
	column := 0
	for _, r := range strings.TrimRight(line, "\r\n") {
		switch {
		case r == '\t':
			n := 8 - column%8
			b.WriteString(strings.Repeat(" ", n))
			column += n
			continue
		case r == '\u200c', r == '\u200d': // joiners belong to some scripts and to emoji
		case unicode.In(r, unicode.Cf, unicode.Co, unicode.Cs):
			continue
		case r == utf8.RuneError, unicode.IsControl(r), unicode.IsSpace(r), unicode.In(r, unicode.Zl, unicode.Zp):
			r = ' '
		}
		b.WriteRune(r)
		column += runeWidth(r)
	}
	return strings.TrimRight(b.String(), " ")
}

// width is how many columns a printable text takes.
func width(s string) int {
	n := 0
	for _, r := range s {
		n += runeWidth(r)
	}
	return n
}

func wide(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return runeWidth(r) == 2 })
}

// runeWidth is how many columns terminals give a character, by the blocks of East Asian scripts and emoji (UAX #11).
func runeWidth(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case r >= 0x1100 && r <= 0x115f, r >= 0x2e80 && r <= 0xa4cf && r != 0x303f, r >= 0xac00 && r <= 0xd7a3, r >= 0xf900 && r <= 0xfaff,
		r >= 0xfe30 && r <= 0xfe6f, r >= 0xff00 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6, r >= 0x1f300 && r <= 0x1faff, r >= 0x20000 && r <= 0x3fffd:
		return 2
	}
	return 1
}
