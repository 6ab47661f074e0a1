package html

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
	"pgregory.net/rapid"
)

// checkSafe holds a result of Safe against what it promises.
func checkSafe(t rapid.TB, in string, limit int, p Policy) {
	t.Helper()
	out, report := Safe(in, limit, p)
	if len(out) > limit {
		t.Errorf("%.300q: %d octets, limit %d", in, len(out), limit)
	}
	if clean(out) != out {
		t.Errorf("%.300q: not clean: %.300q", in, out)
	}
	again, second := Safe(out, limit, p)
	if diff := difference(again, out); diff != "" {
		t.Errorf("%.300q: Safe of the result changes it: %s", in, diff)
	}
	if second.Cut || second.RemoteBlocked {
		t.Errorf("%.300q: %+v of the result %.300q (at first %+v)", in, second, out, report)
	}
	checkTree(t, in, out, p)
}

// checkTree parses a fragment inside an element of a page, as a browser would, and looks at all that is in it.
func checkTree(t rapid.TB, in, out string, p Policy) {
	t.Helper()
	page, err := html.Parse(strings.NewReader("<!DOCTYPE html><html><head></head><body><div>" + out + "</div><hr/></body></html>"))
	if err != nil {
		t.Fatal(err)
	}
	body := page.LastChild.LastChild
	viewer := body.FirstChild
	if body.LastChild == viewer || body.LastChild.DataAtom != atom.Hr || viewer.NextSibling != body.LastChild {
		t.Errorf("%.300q: breaks out of the element around it: %.300q", in, out)
		return
	}
	var b strings.Builder
	for n := range viewer.ChildNodes() {
		if err := html.Render(&b, n); err != nil {
			t.Fatal(err)
		}
	}
	// The renderer writes empty elements as XHTML does.
	if diff := difference(strings.ReplaceAll(b.String(), "/>", ">"), out); diff != "" {
		t.Errorf("%.300q: a browser nests it differently: %s", in, diff)
	}
	for n := range viewer.Descendants() {
		switch n.Type {
		case html.TextNode:
		case html.ElementNode:
			if !slices.Contains(writtenElements(), n.Data) || n.Namespace != "" {
				t.Errorf("%.300q: element %s:%s", in, n.Namespace, n.Data)
			}
			for _, a := range n.Attr {
				checkAttribute(t, in, n.Data, a, p)
			}
		default:
			t.Errorf("%.300q: node %v", in, n)
		}
	}
}

// difference shows where two long strings begin to differ.
func difference(got, want string) string {
	if got == want {
		return ""
	}
	i := 0
	for i < len(got) && i < len(want) && got[i] == want[i] {
		i++
	}
	i = max(0, i-60)
	return fmt.Sprintf("at %d got %.150q, want %.150q", i, got[i:], want[i:])
}

func checkAttribute(t rapid.TB, in, element string, a html.Attribute, p Policy) {
	t.Helper()
	value := strings.ToLower(a.Val)
	scheme, _, _ := strings.Cut(value, ":")
	ok := true
	switch a.Key {
	case "href":
		ok = element == "a" && slices.Contains([]string{"http", "https", "mailto", "tel"}, scheme)
	case "src", "background":
		ok = scheme == "cid" || scheme == "data" || p.RemoteContent && (scheme == "http" || scheme == "https")
	case "style":
		for _, bad := range []string{"\\", "expression", "javascript", "position", "<", ">", "{", "}", "/*", "behavior", "-moz-binding", "import"} {
			ok = ok && !strings.Contains(value, bad)
		}
		if !p.RemoteContent {
			ok = ok && !strings.Contains(value, "//")
		}
	case "id", "class", "name", "srcset", "form", "action", "ping", "srcdoc", "usemap", "poster", "data", "formaction", "http-equiv":
		ok = false
	}
	if !ok || strings.HasPrefix(a.Key, "on") {
		t.Errorf("%.300q: <%s %s=%.200q>", in, element, a.Key, a.Val)
	}
}
