package reply

import (
	"strings"

	"golang.org/x/net/html"
)

// tag is an element with those of its attributes that tell who made it.
type tag struct {
	name, id, class, style, kind, label, marker, cite string
	signature                                         bool
}

func element(z *html.Tokenizer) tag {
	name, more := z.TagName()
	t := tag{name: string(name)}
	for n := 0; more && n < 64; n++ {
		var key, value []byte
		key, value, more = z.TagAttr()
		switch string(key) {
		case "id":
			t.id = string(value)
		case "class":
			t.class = string(value)
		case "style":
			t.style = strings.ToLower(string(value))
		case "type":
			t.kind = strings.ToLower(string(value))
		case "name":
			t.label = string(value)
		case "cite":
			t.cite = string(value)
		case "data-marker":
			t.marker = string(value)
		case "data-smartmail":
			t.signature = t.signature || string(value) == "gmail_signature"
		}
	}
	return t
}

// beginsRest says that with this element the old message begins and goes on to the end of the body.
func beginsRest(t tag) bool {
	switch t.id {
	case "appendonsend", "divRplyFwdMsg", "stopSpelling", "zwchr", "OLK_SRC_BODY_SECTION", "mail-editor-reference-message-container":
		return true
	}
	return t.marker == "__DIVIDER__" || hasClass(t.class, "OutlookMessageHeader")
}

// isQuote says that an element is how a mail program puts what it quotes.
func isQuote(t tag) bool {
	switch t.name {
	case "blockquote":
		return t.kind == "cite" || strings.HasPrefix(t.cite, "mid:") || hasClass(t.class, "protonmail_quote") || hasClass(t.class, "tutanota_quote") || hasClass(t.class, "front-blockquote")
	case "div", "span", "table", "section":
	default:
		return false
	}
	switch {
	case t.name == "div" && hasClass(t.class, "gmail_quote"), hasClass(t.class, "yahoo_quoted"), hasClass(t.class, "protonmail_quote"), hasClass(t.class, "tutanota_quote"),
		hasClass(t.class, "zmail_extra"), hasClass(t.class, "moz-cite-prefix"), hasClass(t.class, "gmail_attr"), hasClass(t.class, "ms-outlook-mobile-reference-message"):
		return true
	}
	return strings.HasPrefix(t.id, "yahoo_quoted") || t.label == "quote" || t.label == "messageReplySection" || t.marker == "__QUOTED_TEXT__"
}

// isSignature says that an element is how a mail program puts the signature.
func isSignature(t tag) bool {
	switch t.name {
	case "div", "span", "pre", "table":
		return t.signature || hasClass(t.class, "gmail_signature") || hasClass(t.class, "moz-signature") || hasClass(t.class, "protonmail_signature_block") ||
			t.id == "Signature" || t.id == "ms-outlook-mobile-signature"
	}
	return false
}

// isIndent says that a blockquote is what people make who indent a paragraph in Gmail and elsewhere.
func isIndent(t tag) bool {
	return hasClass(t.class, "gmail_quote") || strings.Contains(strings.ReplaceAll(t.style, " ", ""), "border:none")
}

// isHeaderBorder knows the line that Outlook since 2007 and Windows Mail draw above the header of the old message.
func isHeaderBorder(style string) bool {
	if !strings.Contains(style, "border-top") {
		return false
	}
	return strings.Contains(style, "#b5c4df") || strings.Contains(style, "#e1e1e1") || strings.Contains(style, "rgb(229, 229, 229)") || strings.Contains(style, "rgb(225, 225, 225)") || strings.Contains(style, "rgb(181, 196, 223)")
}

func hasClass(class, name string) bool {
	if !strings.Contains(class, name) {
		return false
	}
	for c := range strings.FieldsSeq(class) {
		if c == name {
			return true
		}
	}
	return false
}
