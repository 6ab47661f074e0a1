package pop3

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/mailintake/mailintake/ingest"
)

// stuff is how a server sends content, RFC 1939 §3: a dot is put before a line that begins with one, the last line
// gets a CRLF if it has none, the terminator follows.
func stuff(content []byte) []byte {
	lines := bytes.SplitAfter(content, []byte("\r\n"))
	var out []byte
	for _, line := range lines {
		if bytes.HasPrefix(line, []byte(".")) {
			out = append(out, '.')
		}
		out = append(out, line...)
	}
	if len(content) > 0 && !bytes.HasSuffix(content, []byte("\r\n")) {
		out = append(out, "\r\n"...)
	}
	return append(out, ".\r\n"...)
}

// chunked gives at most as many octets per Read as the next octet of plan says.
type chunked struct {
	r    io.Reader
	plan []byte
	at   int
}

func (c *chunked) Read(p []byte) (int, error) {
	n := len(p)
	if len(c.plan) > 0 {
		n = min(n, 1+int(c.plan[c.at%len(c.plan)]))
		c.at++
	}
	return c.r.Read(p[:n])
}

func FuzzBody(f *testing.F) {
	for _, seed := range []string{"", ".", "..\r\n.", "a\r\n.\r\nb", "\r\n.\n.\r\n", "a\n.\nb", "\r", "\r\n", "\r\r\n\r", strings.Repeat("x", 40) + "\r\n.", "\x00\xff"} {
		f.Add([]byte(seed), []byte{0}, uint16(16))
		f.Add([]byte(seed), []byte{2, 0, 7}, uint16(33))
	}
	f.Fuzz(func(t *testing.T, content, plan []byte, buffer uint16) {
		const after = "+OK next\r\n"
		want := content
		if len(want) > 0 && !bytes.HasSuffix(want, []byte("\r\n")) {
			want = append(bytes.Clone(want), "\r\n"...)
		}
		wire := append(stuff(content), after...)
		for _, way := range []func(*body) ([]byte, error){
			func(b *body) ([]byte, error) { return io.ReadAll(iotest.OneByteReader(b)) },
			func(b *body) ([]byte, error) {
				var out bytes.Buffer
				_, err := b.WriteTo(&out)
				return out.Bytes(), err
			},
		} {
			r := bufio.NewReaderSize(&chunked{bytes.NewReader(wire), plan, 0}, int(buffer))
			got, err := way(newBody(r, int64(len(want)), nil))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("got %q, %v; want %q", got, err, want)
			}
			rest, _ := io.ReadAll(r)
			if string(rest) != after {
				t.Fatalf("left for the next answer: %q", rest)
			}
		}
		if len(want) > 0 {
			r := bufio.NewReaderSize(&chunked{bytes.NewReader(wire), plan, 0}, int(buffer))
			got, err := io.ReadAll(newBody(r, int64(len(want))-1, nil))
			if !errors.Is(err, errBodyTooLarge) || len(got) >= len(want) {
				t.Fatalf("one octet too many: got %d octets, %v", len(got), err)
			}
		}
		// However early the connection ends, what came is a prefix and never complete.
		cut := len(wire) - len(after) - 1
		if len(plan) > 0 {
			cut = int(plan[0]) % (cut + 1)
		}
		got, err := io.ReadAll(newBody(bufio.NewReaderSize(bytes.NewReader(wire[:cut]), int(buffer)), -1, nil))
		if err == nil || !bytes.HasPrefix(want, got) {
			t.Fatalf("cut at %d: got %q, %v", cut, got, err)
		}
	})
}

func FuzzListing(f *testing.F) {
	f.Add([]byte("1 a\r\n2 b\r\n.\r\n"), []byte("1 10\r\n2 20\r\n.\r\n"))
	f.Add([]byte("2 a\r\n1 a\r\n\r\n1 b c\r\n.\r\n"), []byte("-1 5\r\n1 99999999999999999999\r\n..x\r\n.\r\n"))
	f.Add([]byte("1\r\n0 z\r\n.\r\n"), []byte(" 7\t8 9\n3 4\r\n.\r\n"))
	f.Fuzz(func(t *testing.T, uidlAnswer, listAnswer []byte) {
		var tables [2]table
		for i, answer := range [][]byte{uidlAnswer, listAnswer} {
			if tables[i].read(newBody(bufio.NewReader(bytes.NewReader(answer)), 1<<20, nil)) != nil {
				return
			}
			if lines := bytes.Count(answer, []byte("\n")); len(tables[i].rows)+tables[i].orphans > lines {
				t.Fatalf("%d rows and %d orphans out of %d lines", len(tables[i].rows), tables[i].orphans, lines)
			}
		}
		s := &session{entries: merge(tables[0].rows, tables[1].rows)}
		s.index()
		named := map[int]bool{}
		last, seen := 0, map[string]bool{}
		for i, e := range s.entries {
			named[e.number] = true
			if e.number <= last {
				t.Fatalf("number %d after %d", e.number, last)
			}
			last = e.number
			if e.size < -1 {
				t.Fatalf("size %d", e.size)
			}
			if e.anonymous {
				continue
			}
			if seen[e.uidl] || !printable(e.uidl) || len(e.uidl) > maxUIDL || strings.HasPrefix(e.uidl, ingest.FingerprintPrefix) {
				t.Fatalf("entry %d has the ref %q", e.number, e.uidl)
			}
			seen[e.uidl] = true
			if s.byUIDL[e.uidl] != i {
				t.Fatalf("%q leads to entry %d, not %d", e.uidl, s.byUIDL[e.uidl], i)
			}
		}
		if len(s.byUIDL) != len(seen) {
			t.Fatalf("%d refs in the index, %d in the listing", len(s.byUIDL), len(seen))
		}
		for _, table := range tables {
			for _, r := range table.rows {
				if !named[r.number] {
					t.Fatalf("message %d is lost", r.number)
				}
			}
		}
	})
}

func FuzzStatus(f *testing.F) {
	for _, seed := range []string{"+OK\r\n", "-err [AUTH] x\n", "+ \r\n", "\r\n", "+OK\r+OK\r\n", "+OK \x00\xff\r\n"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		st, ok := parseStatus(bytes.TrimRight(line, "\r\n"), false)
		if !ok {
			return
		}
		head := strings.ToUpper(string(line[:min(4, len(line))]))
		if st.ok != strings.HasPrefix(head, "+OK") || !st.ok && head != "-ERR" {
			t.Fatalf("%q is read as %+v", line, st)
		}
		if strings.ContainsAny(ingest.CleanServerText(st.text), "\r\n\x00") {
			t.Fatalf("%q is shown with control characters", line)
		}
	})
}
