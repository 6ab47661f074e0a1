package html

import (
	"bytes"
	"strings"
)

const (
	maxCells    = 5000 // of a table of data
	maxCellText = 300  // octets
	maxSpan     = 20
)

// hints are what the start tag of a table tells of its purpose.
type hints struct {
	border bool // has lines between its cells
	layout bool // says that it holds no data
}

func hintsOf(z *scanner) hints {
	border := z.get("border")
	n, _ := number(border, 0)
	return hints{border: n > 0, layout: lower(z.get("role")) == "presentation" || lower(z.get("role")) == "none"}
}

// table remembers where the cells of a table stand in the text. Most tables in mail lay out a page; the innermost may
// hold data, and is then written again with a row to a line.
type table struct {
	hints
	rows   [][]span
	cells  int
	heads  int
	nested bool // holds another table

	begun bool
	start int // where in the text the rows begin
	// What the text had waiting there.
	want   int
	marker string
}

// span is the text of a cell.
type span struct{ from, to int }

func (b *table) nests() { b.nested, b.rows = true, nil }

func (b *table) openRow(t *plainText) {
	if b.nested {
		return
	}
	if !b.begun {
		b.begun, b.start, b.want, b.marker = true, len(t.out), t.want, t.marker
	}
	b.rows = append(b.rows, nil)
}

func (b *table) openCell(t *plainText, head bool, columns int) {
	if b.nested || len(b.rows) == 0 {
		return
	}
	if head {
		b.heads++
	}
	if b.cells += min(columns, maxSpan); b.cells > maxCells || len(b.rows) > maxCells {
		b.nests()
		return
	}
	row := &b.rows[len(b.rows)-1]
	*row = append(*row, span{len(t.out), -1})
	for range min(columns, maxSpan) - 1 {
		*row = append(*row, span{len(t.out), len(t.out)})
	}
}

func (b *table) closeCell(t *plainText) {
	if b.nested || len(b.rows) == 0 {
		return
	}
	row := b.rows[len(b.rows)-1]
	for i := len(row) - 1; i >= 0; i-- {
		if row[i].to < 0 {
			row[i].to = len(t.out)
			return
		}
	}
}

// isData tells a table that a reader reads by its rows and columns.
func (b *table) isData() bool {
	if b == nil || b.nested || b.layout || len(b.rows) == 0 {
		return false
	}
	columns, even := len(b.rows[0]), true
	for _, row := range b.rows {
		even = even && len(row) == columns
		columns = max(columns, len(row))
		for _, c := range row {
			if c.to-c.from > maxCellText {
				return false
			}
		}
	}
	return columns > 1 && (b.border || b.heads > 0 || columns > 2 && len(b.rows) > 1 && even)
}

// write writes the table again, cells between bars. A column without any text keeps others apart and is left out.
func (b *table) write(t *plainText) {
	var rows [][]string
	used := make(map[int]bool)
	for _, row := range b.rows {
		var cells []string
		for i, c := range row {
			cell := t.cellText(c)
			used[i] = used[i] || cell != ""
			cells = append(cells, cell)
		}
		rows = append(rows, cells)
	}
	t.out, t.want, t.marker = t.out[:b.start], b.want, b.marker
	t.space = false
	t.newline(2)
	for _, cells := range rows {
		var line []string
		for i, cell := range cells {
			if used[i] {
				line = append(line, cell)
			}
		}
		for len(line) > 0 && line[len(line)-1] == "" {
			line = line[:len(line)-1]
		}
		if len(line) > 0 {
			t.write(strings.Join(line, " | "))
			t.newline(1)
		}
	}
}

// cellText is the text of a cell in one line, without what the lines of the text begin with.
func (t *plainText) cellText(c span) string {
	var words [][]byte
	for line := range bytes.SplitSeq(t.out[c.from:max(c.from, c.to)], []byte("\n")) {
		line = bytes.TrimPrefix(line, []byte(strings.TrimRight(t.now.indent, " ")))
		if line = bytes.TrimSpace(line); len(line) > 0 {
			words = append(words, line)
		}
	}
	return string(bytes.Join(words, []byte(" ")))
}
