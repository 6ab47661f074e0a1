package auth

import (
	"slices"
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// trusted are the fields that count, top first.
type trusted struct {
	id      string // authserv-id of the topmost, as the channel has it; empty if there is none
	fields  []results
	ignored int // Authentication-Results fields that do not count
}

// trust picks the fields of a header that the channel trusts, as the package comment says.
func trust(h *header, ids []string) trusted {
	var t trusted
	known := make(map[string]string, len(ids))
	for _, id := range ids {
		known[folded(id)] = id
	}
	type candidate struct {
		results
		known string
	}
	var block []candidate // of the fields between two Received fields
	total, hops := 0, 0
	below := hop{} // the border, once it was passed
	inside, over := true, false
	// end judges a block; next is the Received field below it, if there is one.
	end := func(next *hop) {
		for _, c := range block {
			if over {
				return
			}
			if c.id == "" && !c.broken && next != nil && inside && microsoft(next.by) {
				c.known = parentOf(next.by, ids) // QUIRK: as in parseResults
			}
			if !inside {
				// What comes from outside begins here too: only the topmost can be the server's own.
				over = true
				if !sameHouse(c.id, below.by) {
					return
				}
			}
			if c.known == "" {
				continue
			}
			if t.id == "" {
				t.id = c.known
			}
			t.fields = append(t.fields, c.results)
			// Without any Received field nobody knows where the outside begins.
			over = over || hops == 0 && next == nil
		}
		over = over || len(t.fields) > 0
		block = block[:0]
	}
	for i := range h.fields {
		f := &h.fields[i]
		if f.name == "authentication-results" {
			total++
		}
		if over {
			continue
		}
		switch {
		case f.name == "authentication-results":
			r := parseResults(f.value())
			block = append(block, candidate{r, known[folded(r.id)]})
		case f.name == "received":
			next := parseReceived(f.value())
			end(&next)
			hops++
			if !inside {
				over = true
			}
			inside = inside && next.inside()
			below = next
		case origin(f.name):
			// The message as its author sent it begins here.
			end(nil)
			over = true
		}
	}
	if !over {
		end(nil)
	}
	t.ignored = total - len(t.fields)
	return t
}

// origin tells fields that authors write (RFC 5322 §3.6.1 to §3.6.5) or sign: no server inside puts its results below.
func origin(name string) bool {
	switch name {
	case "from", "sender", "reply-to", "to", "cc", "bcc", "date", "subject", "message-id", "in-reply-to", "references", "mime-version", "dkim-signature":
		return true
	}
	return strings.HasPrefix(name, "content-")
}

// folded makes identifiers comparable. Most are host names, but they need not be, RFC 8601 §2.5.
func folded(id string) string {
	if name := ascii(id); name != "" && !strings.HasSuffix(id, ".") {
		return name
	}
	return strings.ToLower(id)
}

// parentOf finds the identifier that a host lies in.
func parentOf(host string, ids []string) string {
	host = ascii(host)
	i := slices.IndexFunc(ids, func(id string) bool {
		name := ascii(id)
		return name != "" && organisation(name) != "" && (host == name || strings.HasSuffix(host, "."+name))
	})
	if i < 0 {
		return ""
	}
	return ids[i]
}

// spf is the result for the envelope sender, or for the name in HELO where that is empty (RFC 7208 §2.4), and its domain:
// the one that DMARC is about.
func (t *trusted) spf() (ingest.Verdict, string) {
	for _, f := range t.fields {
		var first *result
		for i := range f.list {
			r := &f.list[i]
			if r.method != "spf" {
				continue
			}
			if domain := mailFrom(r); domain != "" {
				return f.verdict(r), domain
			}
			if first == nil {
				first = r
			}
		}
		if first != nil {
			return f.verdict(first), ascii(first.property("smtp.helo"))
		}
	}
	return ingest.VerdictUnknown, ""
}

// mailFrom is the domain of the envelope sender; smtp.mail and smtp.envelope-from are what older programs write.
func mailFrom(r *result) string {
	for _, name := range []string{"smtp.mailfrom", "smtp.mail", "smtp.envelope-from"} {
		if domain := domainOf(r.property(name)); domain != "" {
			return domain
		}
	}
	return ""
}

// dkim are the results of signatures, of the topmost field that has some. checked is false if none has.
func (t *trusted) dkim() (list []ingest.DKIMResult, checked bool) {
	for _, f := range t.fields {
		for i := range f.list {
			r := &f.list[i]
			if r.method != "dkim" {
				continue
			}
			checked = true
			domain := ascii(r.property("header.d"))
			if domain == "" {
				domain = domainOf(r.property("header.i"))
			}
			v := f.verdict(r)
			if domain == "" || v == ingest.VerdictNone || len(list) == maxSignatures {
				continue
			}
			one := ingest.DKIMResult{Domain: domain, Selector: word(r.property("header.s")), Verdict: v, By: t.id}
			if v != ingest.VerdictPass {
				one.Detail = word(strings.TrimSpace(r.value + " " + r.reason))
			}
			list = append(list, one)
		}
		if checked {
			break
		}
	}
	return list, checked
}

// dmarc is the result for a domain of From. A pass counts only for the domain that people see, and not if the same block
// says that neither SPF nor DKIM passed for it.
func (t *trusted) dmarc(from string) ingest.Verdict {
	for _, f := range t.fields {
		for i := range f.list {
			r := &f.list[i]
			if r.method != "dmarc" {
				continue
			}
			v := f.verdict(r)
			if v != ingest.VerdictPass {
				return v
			}
			about := r.property("header.from")
			if from == "" || about != "" && !aligned(domainOf(about), from) || t.contradicts(from) {
				return ingest.VerdictUnknown
			}
			return v
		}
	}
	return ingest.VerdictUnknown
}

// contradicts tells whether both SPF and DKIM were checked and neither passed for a domain.
func (t *trusted) contradicts(from string) bool {
	spf, domain := t.spf()
	signatures, checked := t.dkim()
	if spf == ingest.VerdictUnknown || !checked || spf == ingest.VerdictPass && (domain == "" || aligned(domain, from)) {
		return false
	}
	return !slices.ContainsFunc(signatures, func(s ingest.DKIMResult) bool {
		return s.Verdict == ingest.VerdictUnknown || s.Verdict == ingest.VerdictPass && aligned(s.Domain, from)
	})
}

// verdict is what a result means, RFC 8601 §2.7.
func (f *results) verdict(r *result) ingest.Verdict {
	switch r.value {
	case "pass":
		if f.broken || r.broken {
			return ingest.VerdictUnknown
		}
		return ingest.VerdictPass
	case "fail", "hardfail", "softfail", "policy":
		return ingest.VerdictFail
	case "none", "bestguesspass": // QUIRK: Exchange writes bestguesspass where no policy is published
		return ingest.VerdictNone
	case "neutral":
		if r.method == "dkim" { // there was a signature, and it did not verify
			return ingest.VerdictFail
		}
		return ingest.VerdictNone
	case "permerror":
		if r.method == "dkim" {
			return ingest.VerdictFail
		}
	}
	return ingest.VerdictUnknown
}

// word makes foreign text fit for a record: one line of valid UTF-8, at most 200 octets.
func word(s string) string {
	const longest = 200
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "\ufffd"))), " ")
	for len(s) > longest {
		s = strings.ToValidUTF8(s[:longest], "")
	}
	return s
}
