package html

import "strings"

const (
	// maxDepth is how many elements may be open; browsers stop at 512. What is deeper is read as if its tags were not there.
	maxDepth = 200
	// maxPending is how many formatting elements go on in the next block, and maxReopened how often that happens in all.
	maxPending  = 8
	maxReopened = 20_000
)

// walker turns tags as they come into elements that are nested as a browser nests them (WHATWG HTML §13.2.6), without
// building the tree: an end tag that is left out is added, one that fits nothing is passed over, text in a table stands
// in a cell. Its memory does not grow with the document.
//
// D is what the sink wants to know of an element as long as that is open.
type walker[D any] struct {
	z     *scanner
	sink  sink[D]
	stack []element[D]   // open elements
	open  map[string]int // how many of them have which name, without those that are closed
	shut  int            // how many are closed
	// pending are formatting elements whose block has ended before them. They are opened again where text follows.
	pending  []element[D]
	reopened int
	hiddenAt int // depth of the outermost hidden element, 0 if none is open

	// Of elements beyond maxDepth only the number is known.
	over       int
	overHidden int  // value of over at the outermost hidden one, 0 if none
	broken     bool // a line break stands for their tags
	tooDeep    bool

	begun bool // there was content; a body element that comes later is that of a mail inside the mail
}

type element[D any] struct {
	name   string
	traits traits
	hidden bool
	closed bool // its end tag came, but a block inside it is still open
	data   D
	// pending of the world around a cell.
	pending []element[D]
}

// sink takes what a reader sees. Elements are opened and closed in pairs; what is hidden is left out.
type sink[D any] interface {
	// look reads the start tag in z.
	look(z *scanner) (data D, as effect)
	open(e *element[D])
	close(e *element[D])
	void(name string, data D) // an element without content
	text(s string)            // with its entities
	rawText(name, s string)   // of an element whose content is no markup: without entities but for title and textarea
	full() bool               // nothing more is wanted
}

// effect is what an element does to what it holds.
type effect int

const (
	shows   effect = iota
	hides          // it is not shown
	nothing        // nothing that the sink wants to know of, if the element is inline
)

func walk[D any](s string, to sink[D]) *walker[D] {
	w := &walker[D]{z: newScanner(s), sink: to, open: make(map[string]int)}
	for !to.full() && w.z.next() {
		switch w.z.kind {
		case textToken:
			w.text(w.z.text)
		case rawToken:
			w.rawText()
		case startToken:
			w.start()
		case endToken:
			w.end(w.z.name)
		}
	}
	for len(w.stack) > 0 {
		w.pop()
	}
	return w
}

func (w *walker[D]) top() string {
	if len(w.stack) == 0 {
		return ""
	}
	return w.stack[len(w.stack)-1].name
}

func (w *walker[D]) isShown() bool { return w.hiddenAt == 0 && w.overHidden == 0 }

func (w *walker[D]) text(s string) {
	if strings.TrimLeft(s, " \t\r\n\f") == "" {
		if w.isShown() && !isTableContext(w.top()) {
			w.sink.text(s)
		}
		return
	}
	if !w.isShown() {
		return
	}
	w.begun = true
	w.content()
	w.sink.text(s)
}

// content prepares for something visible.
func (w *walker[D]) content() {
	w.broken = false
	w.inCell()
	pending := w.pending
	w.pending = nil
	for _, e := range pending {
		if w.reopened++; w.reopened <= maxReopened {
			w.push(e)
		}
	}
}

func (w *walker[D]) rawText() {
	name, s := w.z.name, w.z.text
	if w.hiddenAt > 0 && name != "style" || w.overHidden > 0 {
		return
	}
	switch name {
	case "textarea", "xmp", "plaintext":
		if strings.TrimSpace(s) == "" {
			return
		}
		w.content()
	}
	w.sink.rawText(name, s)
}

// start reads a start tag.
func (w *walker[D]) start() {
	name := plain(w.z.name)
	switch name {
	case "script", "style", "title", "textarea", "iframe", "noembed", "noframes", "xmp", "plaintext":
		return // their text follows
	}
	t := traitsOf(name)
	if t&structure != 0 {
		if name == "body" && !w.begun {
			w.begun = true
			data, _ := w.sink.look(w.z)
			w.push(element[D]{name: name, traits: block | special, data: data})
		}
		return
	}
	w.begun = true
	if t&(part|cell) != 0 && w.open["table"] == 0 && w.over == 0 {
		return
	}
	data, as := w.sink.look(w.z)
	e := element[D]{name: name, traits: t, hidden: as == hides || t&hidden != 0, data: data}
	if as == nothing && t&^formatting == 0 && w.open[name] == 0 && !w.isPending(name) {
		return // nor is its end tag
	}
	if len(w.stack) >= maxDepth-4 && w.isTooDeep(&e) {
		return
	}
	if t&(part|cell) != 0 {
		w.startPart(e)
		return
	}
	if t&block != 0 {
		w.closeParagraph()
	}
	switch {
	case name == "li" || name == "dd" || name == "dt":
		w.closeItem(name)
	case isHeading(name):
		w.closeHeading()
	}
	if !w.isShown() {
		w.startHidden(e)
		return
	}
	if isTableContext(w.top()) && !e.hidden {
		if name != "table" && name != "img" {
			return
		}
		w.inCell()
	}
	if name == "a" {
		w.closeLink()
	}
	if t&block == 0 && !e.hidden {
		w.content()
	}
	if t&void == 0 {
		w.push(e)
	} else if !e.hidden {
		w.sink.void(name, data)
	}
}

// startHidden reads a start tag inside a hidden element. Foreign content ends where an element of HTML begins,
// §13.2.6.5.
func (w *walker[D]) startHidden(e element[D]) {
	if w.hiddenAt > 0 && w.hiddenAt <= len(w.stack) {
		if root := w.stack[w.hiddenAt-1].name; (root == "svg" || root == "math") && e.traits&(block|formatting) != 0 && e.name != "a" && e.name != "font" {
			for w.hiddenAt > 0 {
				w.pop()
			}
			w.start()
			return
		}
	}
	if e.traits&void == 0 {
		w.push(e)
	}
}

// isTooDeep counts an element that is not opened because too many are open. A table needs room for a cell.
func (w *walker[D]) isTooDeep(e *element[D]) bool {
	if w.over == 0 && len(w.stack) < maxDepth && (e.name != "table" || len(w.stack) < maxDepth-4) || e.traits&void != 0 {
		return false
	}
	if e.traits&(part|cell) != 0 && w.over == 0 {
		return false
	}
	w.tooDeep = true
	w.over++
	if e.hidden && w.overHidden == 0 {
		w.overHidden = w.over
	}
	if e.traits&(block|part) != 0 && !w.broken && w.isShown() && !isTableContext(w.top()) {
		w.broken = true
		var data D
		w.sink.void("br", data)
	}
	return true
}

// closeParagraph ends an open paragraph: no block stands in one.
func (w *walker[D]) closeParagraph() {
	if i := w.find("p", isBarrier); i >= 0 {
		w.closeFrom(i)
	}
}

// closeHeading ends a heading that another one follows inside it.
func (w *walker[D]) closeHeading() {
	for i := len(w.stack) - 1; i >= 0; i-- {
		e := &w.stack[i]
		if isHeading(e.name) {
			w.closeFrom(i)
			return
		}
		if e.traits&special != 0 {
			return
		}
	}
}

// closeItem ends the item of a list that the next one follows.
func (w *walker[D]) closeItem(name string) {
	for i := len(w.stack) - 1; i >= 0; i-- {
		e := &w.stack[i]
		if e.name == name || name != "li" && (e.name == "dd" || e.name == "dt") {
			w.closeFrom(i)
			return
		}
		if e.traits&special != 0 && e.name != "address" && e.name != "div" && e.name != "p" {
			return
		}
	}
}

// find is the position of the innermost open element with a name, -1 if there is none before a barrier.
func (w *walker[D]) find(name string, isBarrier func(name string) bool) int {
	if w.open[name] == 0 {
		return -1
	}
	for i := len(w.stack) - 1; i >= 0; i-- {
		switch n := w.stack[i].name; {
		case n == name:
			return i
		case isBarrier(n):
			return -1
		}
	}
	return -1
}

// end reads an end tag.
func (w *walker[D]) end(name string) {
	name = plain(name)
	t := traitsOf(name)
	switch {
	case t&structure != 0:
		return
	case w.over > 0:
		if t&void == 0 {
			w.over--
			if w.over < w.overHidden {
				w.overHidden = 0
			}
		}
		return
	case name == "br":
		if w.isShown() && !isTableContext(w.top()) {
			var data D
			w.sink.void("br", data)
		}
		return
	case t&(part|cell) != 0 || name == "table":
		if i := w.find(name, func(n string) bool { return n == "table" }); i >= 0 {
			w.closeFrom(i)
		}
		return
	case t&formatting != 0:
		w.endFormatting(name)
		return
	}
	i := -1
	switch {
	case isHeading(name):
		for j := len(w.stack) - 1; j >= 0 && !isBarrier(w.stack[j].name); j-- {
			if isHeading(w.stack[j].name) {
				i = j
				break
			}
		}
	case name == "li":
		i = w.find(name, func(n string) bool { return isBarrier(n) || n == "ol" || n == "ul" })
	case t&special != 0:
		i = w.find(name, isBarrier)
	default:
		i = w.find(name, func(n string) bool { return traitsOf(n)&special != 0 })
	}
	if i >= 0 {
		w.closeFrom(i)
	} else if name == "p" && w.isShown() && !isTableContext(w.top()) {
		w.push(element[D]{name: "p", traits: t}) // §13.2.6.4.7: it makes an empty paragraph
		w.closeFrom(len(w.stack) - 1)
	}
}

// closeFrom closes the element at a position with all that is open in it. Formatting elements in it are not over yet.
func (w *walker[D]) closeFrom(i int) {
	var unfinished []element[D]
	if w.stack[i].traits&cell == 0 && w.stack[i].name != "table" {
		for _, e := range w.stack[i+1:] {
			if e.traits&cell != 0 {
				break // what is formatted in a cell ends there
			}
			if e.traits&formatting != 0 && !e.closed {
				unfinished = append(unfinished, e)
			}
			if e.hidden {
				break
			}
		}
	}
	for len(w.stack) > i {
		w.pop()
	}
	if n := len(unfinished); n > 0 {
		unfinished = append(unfinished, w.pending...)
		w.pending = unfinished[max(0, len(unfinished)-maxPending):]
	}
	for len(w.stack) > 0 && w.stack[len(w.stack)-1].closed {
		w.pop()
	}
}

func (w *walker[D]) push(e element[D]) {
	if len(w.stack) >= maxDepth {
		w.tooDeep = true
		return
	}
	if e.traits&cell != 0 {
		e.pending, w.pending = w.pending, nil
	}
	w.stack = append(w.stack, e)
	w.open[e.name]++
	switch {
	case w.hiddenAt > 0:
	case e.hidden:
		w.hiddenAt = len(w.stack)
	default:
		w.sink.open(&w.stack[len(w.stack)-1])
	}
}

func (w *walker[D]) pop() {
	n := len(w.stack)
	e := &w.stack[n-1]
	if w.hiddenAt == 0 {
		w.sink.close(e)
	} else if w.hiddenAt == n {
		w.hiddenAt = 0
	}
	if e.traits&cell != 0 {
		w.pending = e.pending
	}
	if e.closed {
		w.shut--
	} else {
		w.open[e.name]--
	}
	*e = element[D]{}
	w.stack = w.stack[:n-1]
}
