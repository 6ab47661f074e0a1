//go:build unix

package html

import (
	"fmt"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// attacks are HTML of one MiB each that takes much time or memory in a reader that is not careful.
func attacks() map[string]string {
	const mib = 1 << 20
	rep := func(s string) string { return strings.Repeat(s, mib/len(s)+1)[:mib] }
	a := make(map[string]string)
	for _, s := range pieces() {
		a["repeated "+s] = rep(s)
	}
	for _, s := range []string{
		"<", "<a", "<a ", "<a b=", "<a b=\"", "<a b=\"x\" c='", "<!--", "<!-", "<!--x--", "--", "</", "</x", "&#", "&#x", "&amp", "&ampx", "<p title=\"", "<p style=\"", "<p a=b",
		"<b><p>", "<b><i><font color=red><p>", "<a href=x>", "<a href=\"http://x\">y</a>", "<a href=\"http://x\"><p>y", "<a><div>", "<b><div></b>", "<b><div></b></div>", "<table><tr><td>",
		"<table><td>x", "<tr><td>x", "<td>x</td>", "<li>x", "<ul><li>", "<ol><li>x", "<dl><dt><dd>", "<blockquote>x", "<pre>\n", "<span>x</span>", "<span style=\"color:red\">x</span>",
		"<p></div>", "</p>", "</b>", "</table>", "</svg>", "<svg><p>", "<h1><h2>", "<div hidden>", "<q>", "<br>x", "<img alt=x>", "<h1><span>", "<li><span>",
		"<script>", "<style>", "<style>x</style>", "<title>", "<xmp></", "<textarea>x</textarea>", "<select><option>", "x ", "\u00a0", "\u200d", "\u200b", "x\n",
	} {
		a["repeated "+s] = rep(s)
	}
	deep := strings.Repeat("<div>", maxDepth-10)
	for _, s := range []string{"<b>", "</b>", "</i>", "<p>", "</p>", "<li>", "</li>", "<span></span>", "</span>", "<a href=x>y", "</h1>", "<dd>", "</td>", "<table><td>x</table>", "<h1>x", "x<br>"} {
		a["deep, then "+s] = "<b><p><h1><li>" + deep + rep(s)
		a["deep inline, then "+s] = "<b>" + strings.Repeat("<span>", maxDepth-10) + rep(s)
		a["deep, closed, then "+s] = strings.Repeat("<b><div>", maxDepth/2-4) + strings.Repeat("</b>", maxDepth/2-4) + rep(s)
	}
	var attributes, classes strings.Builder
	for i := 0; attributes.Len() < mib/2; i++ {
		fmt.Fprintf(&attributes, "a%d ", i)
	}
	a["attributes, then tags"] = "<a " + attributes.String() + ">" + rep("<b>")[:mib/2]
	a["one tag of attributes"] = "<a " + rep("b=c ") + ">"
	many := ""
	for i := range maxAttributes {
		many += fmt.Sprintf(" a%d", i)
	}
	a["tags of many attributes"] = rep("<p" + many + ">")
	a["one long attribute"] = "<p title=\"" + rep("x") + "\">x"
	a["one long style"] = "<p style=\"" + rep("color:red;") + "\">x"
	a["styles"] = rep("<p style=\"" + strings.Repeat("color:red;", 50) + "\">x")
	a["styles of escapes"] = rep("<p style=\"color:" + strings.Repeat("\\41 ", 50) + "\">x")
	a["styles of addresses"] = rep("<p style=\"" + strings.Repeat("background:url(cid:x);", 50) + "\">x")
	a["styles of parentheses"] = "<p style=\"" + rep("(") + "\">x"
	a["styles of quotes"] = "<p style=\"" + rep("a:';") + "\">x"
	a["styles of comments"] = "<p style=\"" + rep("/*") + "\">x"
	for i := 0; classes.Len() < maxStylesheet; i++ {
		fmt.Fprintf(&classes, ".c%d,p{color:red;margin:1px}", i%2000)
	}
	a["rules"] = "<style>" + classes.String() + "</style>" + rep("<p class=\"c1 c2 c3 c4 c5 c6 c7 c8\">x")
	for _, s := range []string{"a,", "a{", "a{}", "a{b:c}", "@media{", "}", "/*", "a{b:c;", "'", "\\", "<!--", "@import x;"} {
		a["style sheet of "+s] = "<style>" + rep(s)[:maxStylesheet-1] + "</style>x"
	}
	a["many rules for one element"] = "<style>" + strings.Repeat("p{"+strings.Repeat("color:red;", 90)+"}", 250) + "</style>" + rep("<p>x")
	a["data: picture"] = "<img src=\"data:image/png;base64," + rep("QUJD")[:maxPicture-100] + "\">"
	a["long link"] = "<a href=\"http://" + rep("x") + "\">x</a>"
	a["links over paragraphs"] = "<p><a href=\"http://x/" + strings.Repeat("y", 1900) + "\">" + rep("x<p>")
	a["formatting over paragraphs"] = "<p>" + strings.Repeat("<font title=\""+strings.Repeat("y", 400)+"\">", maxPending) + rep("x<p>")
	return a
}

// cpu is the time that this process has spent computing: unlike the clock it does not pass for what others do.
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// allocated is how many octets this process has allocated so far.
func allocated() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.TotalAlloc
}

// No HTML takes many times longer than honest HTML of its size. What is quadratic takes hundreds of times longer.
func TestAttackTime(t *testing.T) {
	honest := strings.Repeat("<p style=\"margin:0\">An <b>honest</b> line of a <a href=\"http://example.com/\">mail</a>, as people write them.</p>\n", 1<<20/112)
	for name, run := range map[string]func(string) int{
		"Text": func(s string) int { text, _ := Text(s, 256<<10); return len(text) },
		"Safe": func(s string) int { safe, _ := Safe(s, 1<<20, Policy{RemoteContent: true}); return len(safe) },
	} {
		spent := func(s string) time.Duration {
			runtime.GC()
			start := cpu(t)
			run(s)
			return cpu(t) - start
		}
		spent(honest)
		usual := spent(honest)
		limit := max(4*usual, 100*time.Millisecond)
		var worst time.Duration
		worstName := ""
		for attack, s := range attacks() {
			took := spent(s) * (1 << 20) / time.Duration(len(s))
			if took > limit { // another process may have disturbed it
				took = min(took, spent(s)*(1<<20)/time.Duration(len(s)))
			}
			if took > worst {
				worst, worstName = took, attack
			}
			if took > limit {
				t.Errorf("%s, %s: %v per MB, limit %v", name, attack, took, limit)
			}
		}
		t.Logf("%s: honest %v per MB; worst: %s, %v per MB", name, usual, worstName, worst)
	}
}
