package html

import (
	"regexp"
	"sync"

	"github.com/microcosm-cc/bluemonday"
)

// writtenElements are the elements that Safe writes. Of all others what they hold is written, unless the walker hides it.
func writtenElements() []string {
	return []string{
		"div", "p", "center", "blockquote", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "br",
		"ul", "ol", "li", "dl", "dt", "dd",
		"table", "caption", "colgroup", "col", "thead", "tbody", "tfoot", "tr", "td", "th",
		"a", "img", "span", "font", "b", "strong", "i", "em", "u", "s", "strike", "del", "ins", "big", "small", "sub", "sup",
		"code", "tt", "kbd", "samp", "var", "cite", "q", "abbr", "dfn", "mark", "bdi", "bdo", "wbr",
	}
}

// attributeRule allows an attribute where its whole value matches a pattern.
type attributeRule struct {
	name     string
	pattern  string
	elements []string // nil: of all that are written
}

func attributeRules(p Policy) []attributeRule {
	const (
		// Of ASCII letters, digits and # % ' + , - . / _ alone.
		plainChar = `[^\x00-\x1f!"$&(-*:-@\[-^\x60{-\x7f]`
		word      = `[A-Za-z]{1,12}`
		color     = `[#A-Za-z0-9]{1,30}`
		length    = `[0-9]{1,5}(?:\.[0-9]{1,5})?(?:px|pt|%|\*)?`
		count     = `[0-9]{1,3}`
		spacing   = `[0-9]{1,4}(?:px|pt)?`
		number    = `-?[0-9]{1,9}`
		flag      = ``
		link      = `(?:https?://|mailto:|tel:)[^\x00-\x20"<>\\]*`
		embedded  = `cid:[^\x00-\x20"<>\\]+|data:image/[a-z.-]+;base64,[A-Za-z0-9+/=]+`
		remote    = `https?://[^\x00-\x20"<>\\]+`
		style     = `(?:[a-z-]+:(?:` + plainChar + `|(?:rgb|hsl)a?\([0-9a-z.,%/ +-]*\)|url\('(?:cid:|data:image/|https?://)[^'()\\<>"]*'\))+(?:;|$))+`
	)
	picture := embedded
	if p.RemoteContent {
		picture += "|" + remote
	}
	cells := []string{"td", "th"}
	columns := []string{"col", "colgroup"}
	rows := []string{"thead", "tbody", "tfoot", "tr", "td", "th", "col", "colgroup"}
	sized := []string{"table", "col", "colgroup", "td", "th", "tr", "img", "hr"}
	return []attributeRule{
		{"style", style, nil},
		{"dir", `(?i:ltr|rtl|auto)`, nil},
		{"lang", `[A-Za-z0-9-]{1,35}`, nil},
		{"title", `(?s:.*)`, nil},
		{"href", link, []string{"a"}},
		{"rel", `noopener noreferrer nofollow`, []string{"a"}},
		{"target", `_blank`, []string{"a"}},
		{"src", picture, []string{"img"}},
		{"alt", `(?s:.*)`, []string{"img"}},
		{"background", picture, []string{"table", "tr", "td", "th"}},
		{"align", word, append([]string{"div", "p", "h1", "h2", "h3", "h4", "h5", "h6", "table", "caption", "img", "hr"}, rows...)},
		{"valign", word, append([]string{"img"}, rows...)},
		{"bgcolor", color, append([]string{"table"}, rows...)},
		{"bordercolor", color, []string{"table", "tr", "td", "th"}},
		{"color", color, []string{"font", "hr"}},
		{"face", plainChar + `+`, []string{"font"}},
		{"size", `[+-]?[0-9]{1,3}`, []string{"font", "hr"}},
		{"width", length, sized},
		{"height", length, sized},
		{"border", spacing, []string{"table", "img"}},
		{"hspace", spacing, []string{"img", "table"}},
		{"vspace", spacing, []string{"img", "table"}},
		{"cellpadding", spacing, []string{"table"}},
		{"cellspacing", spacing, []string{"table"}},
		{"frame", word, []string{"table"}},
		{"rules", word, []string{"table"}},
		{"colspan", count, cells},
		{"rowspan", count, cells},
		{"span", count, columns},
		{"nowrap", flag, cells},
		{"noshade", flag, []string{"hr"}},
		{"reversed", flag, []string{"ol"}},
		{"clear", word, []string{"br"}},
		{"start", number, []string{"ol"}},
		{"value", number, []string{"li"}},
		{"type", `disc|circle|square|[1aAiI]`, []string{"ol", "ul", "li"}},
		{"type", `cite`, []string{"blockquote"}},
	}
}

// policies are the lists as bluemonday wants them, without and with remote content. They take a millisecond to make and
// never change.
var policies = [...]func() *bluemonday.Policy{
	sync.OnceValue(func() *bluemonday.Policy { return newPolicy(Policy{}) }),
	sync.OnceValue(func() *bluemonday.Policy { return newPolicy(Policy{RemoteContent: true}) }),
}

func policyOf(p Policy) *bluemonday.Policy {
	if p.RemoteContent {
		return policies[1]()
	}
	return policies[0]()
}

// newPolicy makes the lists into a policy that lets through nothing else.
func newPolicy(p Policy) *bluemonday.Policy {
	b := bluemonday.NewPolicy()
	written := writtenElements()
	b.AllowElements(written...)
	b.AllowNoAttrs().OnElements(written...)
	for _, rule := range attributeRules(p) {
		allow := b.AllowAttrs(rule.name).Matching(regexp.MustCompile(`^(?:` + rule.pattern + `)$`))
		if rule.elements == nil {
			allow.Globally()
		} else {
			allow.OnElements(rule.elements...)
		}
	}
	return b
}
