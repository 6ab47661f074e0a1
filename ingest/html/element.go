package html

// traits are what the nesting of elements depends on (WHATWG HTML §13.2.6).
type traits uint16

const (
	block      traits = 1 << iota // begins and ends a line, and ends an open paragraph
	formatting                    // goes on in the next block when its own block ends: §13.2.4.3
	special                       // is not closed by the end tag of something inline: §13.2.4.2
	void                          // has no content and no end tag
	cell                          // holds content of a table, and a world of its own for what is inside
	part                          // of a table, holds cells and no content of its own
	hidden                        // not shown, and what it holds neither
	structure                     // of the document as a whole; its tags are passed over
)

// traitsOf knows the elements; all others are inline.
func traitsOf(name string) traits {
	switch name {
	case "blockquote", "center", "div", "dl", "h1", "h2", "h3", "h4", "h5", "h6", "ol", "p", "pre", "ul", "li", "dd", "dt":
		return block | special
	case "a", "b", "big", "code", "em", "font", "i", "s", "small", "strike", "strong", "tt", "u":
		return formatting
	case "hr":
		return block | void
	case "br", "img", "wbr", "area", "basefont", "bgsound", "embed", "frame", "input", "keygen", "param", "source", "track":
		return void
	case "col":
		return void | part
	case "table":
		return block | special
	case "tbody", "thead", "tfoot", "tr", "colgroup":
		return part | special
	case "td", "th", "caption":
		return cell | special
	case "svg", "math", "template", "select", "datalist", "rp":
		return hidden
	case "html", "head", "body", "frameset", "meta", "link", "base":
		return structure
	}
	return 0
}

// plain is the name of an element that means the same to a reader of mail and nests the same way.
func plain(name string) string {
	switch name {
	case "address", "article", "aside", "details", "dialog", "fieldset", "figcaption", "figure", "footer", "form", "header",
		"hgroup", "legend", "main", "nav", "search", "section", "summary":
		return "div"
	case "dir", "menu":
		return "ul"
	case "listing":
		return "pre"
	case "image":
		return "img"
	}
	return name
}

// isHeading tells h1 to h6.
func isHeading(name string) bool {
	return len(name) == 2 && name[0] == 'h' && name[1] >= '1' && name[1] <= '6'
}

// isBarrier tells the elements beyond which an end tag closes nothing: "in scope", §13.2.4.2.
func isBarrier(name string) bool {
	switch name {
	case "table", "td", "th", "caption":
		return true
	}
	return false
}

// isTableContext tells the elements that hold no text of their own.
func isTableContext(name string) bool {
	switch name {
	case "table", "tbody", "thead", "tfoot", "tr", "colgroup":
		return true
	}
	return false
}
