package html

import (
	"strconv"
	"strings"
)

// list is the list that an item belongs to.
type list struct {
	ordered bool
	next    int // number of the next item
	letters bool
}

// openItem gives an item of a list its mark.
func (t *plainText) openItem(d *tag) {
	mark := "- "
	if l := t.now.list; l != nil && l.ordered {
		if d.numbered {
			l.next = d.start
		}
		mark = itemNumber(l.next, l.letters) + ". "
		l.next++
	}
	if d.breaks == 0 {
		return // a list in one line, as menus are
	}
	t.marker = t.now.indent + mark
	t.setIndent(strings.Repeat(" ", len(mark)))
}

// itemNumber is the mark of an item in an ordered list: 1, 2, 3 or a, b, c.
func itemNumber(n int, letters bool) string {
	if letters && n >= 1 && n <= 26 {
		return string(rune('a' + n - 1))
	}
	return strconv.Itoa(n)
}
