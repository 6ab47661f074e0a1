package html

// inCell makes sure that content which stands in a table outside its cells has one. A browser moves it in front of the
// table, where it would be out of order.
func (w *walker[D]) inCell() {
	if isTableContext(w.top()) && w.hiddenAt == 0 {
		w.row()
		w.push(element[D]{name: "td", traits: traitsOf("td")})
	}
}

// row makes the current element a row of the innermost table.
func (w *walker[D]) row() {
	w.popTo("tr", "tbody", "thead", "tfoot")
	if w.top() == "table" {
		w.push(element[D]{name: "tbody", traits: traitsOf("tbody")})
	}
	if w.top() != "tr" {
		w.push(element[D]{name: "tr", traits: traitsOf("tr")})
	}
}

// popTo closes elements until the current one is the innermost table or has one of the names.
func (w *walker[D]) popTo(names ...string) {
	for len(w.stack) > 0 {
		top := w.top()
		if top == "table" {
			return
		}
		for _, name := range names {
			if top == name {
				return
			}
		}
		w.pop()
	}
}

// startPart reads the start tag of a part of a table.
func (w *walker[D]) startPart(e element[D]) {
	switch e.name {
	case "td", "th":
		w.row()
	case "tr":
		w.popTo("tbody", "thead", "tfoot")
		if w.top() == "table" {
			w.push(element[D]{name: "tbody", traits: traitsOf("tbody")})
		}
	case "col":
		w.popTo("colgroup")
		if w.top() == "table" {
			w.push(element[D]{name: "colgroup", traits: traitsOf("colgroup")})
		}
		if w.isShown() {
			w.sink.void(e.name, e.data)
		}
		return
	default:
		w.popTo()
	}
	w.push(e)
}
