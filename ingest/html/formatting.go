package html

import "slices"

// closeLink ends an open link, since links do not nest. Blocks that were opened inside it go on behind it.
func (w *walker[D]) closeLink() {
	for w.dropPending("a") {
		continue
	}
	i := -1
	if w.open["a"] > 0 || w.shut > 0 {
		i = len(w.stack) - 1
		for i >= 0 && w.stack[i].name != "a" {
			if w.stack[i].traits&cell != 0 {
				return
			}
			i--
		}
	}
	if i < 0 {
		return
	}
	var again []element[D]
	for _, e := range w.stack[i+1:] {
		if e.traits&block != 0 && e.name != "li" && e.name != "dd" && e.name != "dt" && !isTableContext(e.name) {
			again = append(again, e)
		}
	}
	w.closeFrom(i)
	for w.dropPending("a") {
		continue
	}
	for _, e := range again {
		w.push(e)
	}
}

// endFormatting reads the end tag of a formatting element. If a block is open in it, it goes on to the end of that.
func (w *walker[D]) endFormatting(name string) {
	if w.dropPending(name) || w.open[name] == 0 {
		return
	}
	blocks := false
	for i := len(w.stack) - 1; i >= 0; i-- {
		e := &w.stack[i]
		switch {
		case e.name == name && !e.closed && !blocks:
			w.closeFrom(i)
			return
		case e.name == name && !e.closed:
			e.closed = true
			w.open[name]--
			w.shut++
			return
		case e.traits&cell != 0:
			return
		}
		blocks = blocks || e.traits&special != 0
	}
}

func (w *walker[D]) isPending(name string) bool {
	return slices.ContainsFunc(w.pending, func(e element[D]) bool { return e.name == name })
}

// dropPending forgets the last pending element with a name.
func (w *walker[D]) dropPending(name string) bool {
	for i := len(w.pending) - 1; i >= 0; i-- {
		if w.pending[i].name == name {
			w.pending = append(w.pending[:i:i], w.pending[i+1:]...)
			return true
		}
	}
	return false
}
