//go:build unix

package html

import (
	"fmt"
	"iter"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// attacks are HTML of about size octets each that takes much time or memory in a reader that is not careful.
func attacks(size int) iter.Seq2[string, string] {
	return func(yield func(name, html string) bool) {
		more := true
		add := func(name, html string) { more = more && yield(name, html) }
		addAttacks(size, add)
	}
}

func addAttacks(size int, add func(name, html string)) {
	rep := func(s string) string { return strings.Repeat(s, size/len(s)+1)[:size] }
	for _, s := range pieces() {
		add("repeated "+s, rep(s))
	}
	for _, s := range []string{
		"<", "<a", "<a ", "<a b=", "<a b=\"", "<a b=\"x\" c='", "<!--", "<!-", "<!--x--", "--", "</", "</x", "&#", "&#x", "&amp", "&ampx", "<p title=\"", "<p style=\"", "<p a=b",
		"<b><p>", "<b><i><font color=red><p>", "<a href=x>", "<a href=\"http://x\">y</a>", "<a href=\"http://x\"><p>y", "<a><div>", "<b><div></b>", "<b><div></b></div>", "<table><tr><td>",
		"<table><td>x", "<tr><td>x", "<td>x</td>", "<li>x", "<ul><li>", "<ol><li>x", "<dl><dt><dd>", "<blockquote>x", "<pre>\n", "<span>x</span>", "<span style=\"color:red\">x</span>",
		"<p></div>", "</p>", "</b>", "</table>", "</svg>", "<svg><p>", "<h1><h2>", "<div hidden>", "<q>", "<br>x", "<img alt=x>", "<h1><span>", "<li><span>",
		"<script>", "<style>", "<style>x</style>", "<title>", "<xmp></", "<textarea>x</textarea>", "<select><option>", "x ", "\u00a0", "\u200d", "\u200b", "x\n",
	} {
		add("repeated "+s, rep(s))
	}
	deep := strings.Repeat("<div>", maxDepth-10)
	for _, s := range []string{"<b>", "</b>", "</i>", "<p>", "</p>", "<li>", "</li>", "<span></span>", "</span>", "<a href=x>y", "</h1>", "<dd>", "</td>", "<table><td>x</table>", "<h1>x", "x<br>"} {
		add("deep, then "+s, "<b><p><h1><li>"+deep+rep(s))
		add("deep inline, then "+s, "<b>"+strings.Repeat("<span>", maxDepth-10)+rep(s))
		add("deep, closed, then "+s, strings.Repeat("<b><div>", maxDepth/2-4)+strings.Repeat("</b>", maxDepth/2-4)+rep(s))
	}
	var attributes, classes strings.Builder
	for i := 0; attributes.Len() < size/2; i++ {
		fmt.Fprintf(&attributes, "a%d ", i)
	}
	add("attributes, then tags", "<a "+attributes.String()+">"+rep("<b>")[:size/2])
	add("one tag of attributes", "<a "+rep("b=c ")+">")
	many := ""
	for i := range maxAttributes {
		many += fmt.Sprintf(" a%d", i)
	}
	add("tags of many attributes", rep("<p"+many+">"))
	add("one long attribute", "<p title=\""+rep("x")+"\">x")
	add("one long style", "<p style=\""+rep("color:red;")+"\">x")
	add("styles", rep("<p style=\""+strings.Repeat("color:red;", 50)+"\">x"))
	add("styles of escapes", rep("<p style=\"color:"+strings.Repeat("\\41 ", 50)+"\">x"))
	add("styles of addresses", rep("<p style=\""+strings.Repeat("background:url(cid:x);", 50)+"\">x"))
	add("styles of parentheses", "<p style=\""+rep("(")+"\">x")
	add("styles of quotes", "<p style=\""+rep("a:';")+"\">x")
	add("styles of comments", "<p style=\""+rep("/*")+"\">x")
	for i := 0; classes.Len() < min(size, maxStylesheet-100); i++ {
		fmt.Fprintf(&classes, ".c%d,p{color:red;margin:1px}", i%2000)
	}
	add("rules", "<style>"+classes.String()+"</style>"+rep("<p class=\"c1 c2 c3 c4 c5 c6 c7 c8\">x"))
	for _, s := range []string{"a,", "a{", "a{}", "a{b:c}", "@media{", "}", "/*", "a{b:c;", "'", "\\", "<!--", "@import x;"} {
		add("style sheet of "+s, "<style>"+rep(s)[:min(size, maxStylesheet-1)]+"</style>x")
	}
	add("many rules for one element", "<style>"+strings.Repeat("p{"+strings.Repeat("color:red;", 90)+"}", size/5000)+"</style>"+rep("<p>x"))
	add("data: picture", "<img src=\"data:image/png;base64,"+rep("QUJD")[:min(size, maxPicture-100)/4*4]+"\">")
	add("words", rep("<p>some words</p>\n"))
	add("nothing but tags", rep("<p></p>"))
	add("cells", "<table>"+rep("<tr><td><td>"))
	add("long link", "<a href=\"http://"+rep("x")+"\">x</a>")
	add("links over paragraphs", "<p><a href=\"http://x/"+strings.Repeat("y", 1900)+"\">"+rep("x<p>"))
	add("formatting over paragraphs", "<p>"+strings.Repeat("<font title=\""+strings.Repeat("y", 400)+"\">", maxPending)+rep("x<p>"))
}

// cpu is the time that this process has spent computing: unlike the clock it does not pass for what others do.
func cpu(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// No HTML takes many times longer than honest HTML of its size. What is quadratic takes hundreds of times longer.
func TestAttackTime(t *testing.T) {
	const size = 64 << 10
	honest := strings.Repeat("<p style=\"margin:0\">An <b>honest</b> line of a <a href=\"http://example.com/\">mail</a>, as people write them.</p>\n", size/112)
	for name, run := range map[string]func(string){
		"Text": func(s string) { Text(s, size) },
		"Safe": func(s string) { Safe(s, 2*size, Policy{RemoteContent: true}) },
	} {
		spent := func(s string) time.Duration {
			runtime.GC()
			start := cpu(t)
			run(s)
			return (cpu(t) - start) * (1 << 20) / time.Duration(len(s))
		}
		spent(honest)
		usual := min(spent(honest), spent(honest))
		limit := max(20*usual, 100*time.Millisecond)
		var worst time.Duration
		worstName := ""
		for attack, s := range attacks(size) {
			took := spent(s)
			for range 3 {
				if took > limit { // something else may have disturbed it
					took = min(took, spent(s))
				}
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

// Beyond the HTML, no more than 8 MB are in use at any time.
func TestMemory(t *testing.T) {
	const size, limit = 2 << 20, 256 << 10
	live := func() uint64 {
		// What the collection found alive: what is allocated while it ends is not counted, however late this goroutine goes on.
		runtime.GC()
		sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64()
	}
	names := []string{
		"words", "nothing but tags", "cells", "attributes, then tags", "one tag of attributes", "one long attribute", "one long style", "rules",
		"data: picture", "formatting over paragraphs", "repeated <a href=x>", "repeated <table><tr><td>", "repeated &",
	}
	for name, s := range attacks(size) {
		if !slices.Contains(names, name) {
			continue
		}
		for function, run := range map[string]func(){
			"Text": func() { Text(s, limit) },
			"Safe": func() { Safe(s, limit, Policy{}) },
		} {
			before := live()
			done := make(chan struct{})
			go func() {
				defer close(done)
				run()
			}()
			var peak uint64
			for running := true; running; {
				select {
				case <-done:
					running = false
				default:
					peak = max(peak, live())
				}
			}
			if peak > before && peak-before > 8<<20 {
				t.Errorf("%s, %s: %d KiB", function, name, (peak-before)>>10)
			} else {
				t.Logf("%s, %s: %d KiB", function, name, (max(peak, before)-before)>>10)
			}
		}
		runtime.KeepAlive(s)
	}
}
