package auth

import (
	"context"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"github.com/mailintake/mailintake/ingest"
)

const (
	maxSignatures = 5        // of one message; those of the domain of From first
	maxSigned     = 1000     // names in h=
	maxRecord     = 4 << 10  // octets of a TXT record; a key of 4096 bits has 736
	maxWork       = 16 << 20 // steps of the library to collect the signed fields, about one for an octet
)

// signature is one DKIM-Signature field, RFC 6376 §3.5.
type signature struct {
	at       int // index of the field
	domain   string
	selector string
	signed   []string // names of h=, lower case
	user     string   // domain of i=
}

// check is what came of a signature.
type check struct {
	ingest.DKIMResult
	// aged says that the signature may have been good when the message arrived: its key is gone or it has expired.
	aged bool
}

// verifier checks the signatures of one message.
type verifier struct {
	header   *header
	resolver Resolver
	open     func() (io.ReadCloser, error)
}

// verify checks the signatures, those of the domain of From first. The body is read once for each that has a key.
func (v *verifier) verify(ctx context.Context, from string) []check {
	list := v.header.signatures()
	slices.SortStableFunc(list, func(a, b signature) int {
		switch x, y := aligned(a.domain, from), aligned(b.domain, from); {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	var out []check
	for _, s := range list[:min(len(list), maxSignatures)] {
		c := v.one(ctx, s)
		c.Domain, c.Selector, c.By, c.Detail = s.domain, word(s.selector), "self", word(c.Detail)
		out = append(out, c)
	}
	return out
}

// signatures are the fields that say whose they are; the others cannot verify.
func (h *header) signatures() []signature {
	var list []signature
	for i := range h.fields {
		f := &h.fields[i]
		if f.name != "dkim-signature" {
			continue
		}
		s := signature{at: i}
		for tag := range strings.SplitSeq(f.value(), ";") {
			name, value, _ := strings.Cut(tag, "=")
			value = strings.Join(strings.Fields(value), "")
			switch strings.TrimSpace(name) {
			case "d":
				s.domain = ascii(value)
			case "s":
				s.selector = ascii(value)
			case "h":
				s.signed = strings.Split(strings.ToLower(value), ":")
			case "i":
				s.user = domainOf(value)
			}
		}
		if s.domain != "" && s.selector != "" && len(s.signed) > 0 {
			list = append(list, s)
		}
	}
	return list
}

func undone(why string) check {
	return check{DKIMResult: ingest.DKIMResult{Verdict: ingest.VerdictUnknown, Detail: why}}
}

func failed(why string) check {
	return check{DKIMResult: ingest.DKIMResult{Verdict: ingest.VerdictFail, Detail: why}}
}

// one checks one signature.
func (v *verifier) one(ctx context.Context, s signature) check {
	if ctx.Err() != nil {
		return undone("no time left")
	}
	if n := v.header.count("from"); n != 1 {
		// RFC 6376 §8.15: the From that is signed may be another than the one that people see.
		return failed("From is not there once")
	}
	top, ok := v.header.present(s)
	if v.header.cut || !ok {
		return undone("the header is too long")
	}
	message, err := v.open()
	if err != nil {
		return undone("the message cannot be read")
	}
	defer message.Close()
	body := &body{ctx: ctx, in: message, skip: v.header.size}
	key := &keyLookup{ctx: ctx, resolver: v.resolver}
	results, err := dkim.VerifyWithOptions(io.MultiReader(strings.NewReader(top), body), &dkim.VerifyOptions{
		LookupTXT:        key.lookup,
		MaxVerifications: 1, // the first field of top; more would be goroutines that hang when the body breaks off
	})
	switch {
	case ctx.Err() != nil:
		return undone("no time left")
	case body.err != nil:
		return undone("the message cannot be read: " + body.err.Error())
	case key.unanswered:
		return undone("DNS did not answer")
	case len(results) == 0:
		return undone("the signature cannot be checked")
	}
	r := results[0]
	if r.Err == nil && (err == nil || errors.Is(err, dkim.ErrTooManySignatures)) {
		if key.strict && s.user != "" && s.user != s.domain {
			return failed("the key is for " + s.domain + " alone") // flag s, RFC 6376 §3.6.1
		}
		return check{DKIMResult: ingest.DKIMResult{Verdict: ingest.VerdictPass}}
	}
	c := failed("the signature cannot be checked")
	if r.Err != nil {
		c.Detail = strings.TrimPrefix(r.Err.Error(), "dkim: ")
	}
	c.aged = key.missing || !r.Expiration.IsZero() && r.Expiration.Before(time.Now())
	return c
}

func (h *header) count(name string) int {
	n := 0
	for _, f := range h.fields {
		if f.name == name {
			n++
		}
	}
	return n
}

// present gives the header to verify one signature by: its own field first and then those that it signs, so that the
// library takes that signature and has no more to search than it needs. ok is false where even that is too much: the
// library searches all fields for each name, and copies a field for each of its lines.
func (h *header) present(s signature) (text string, ok bool) {
	if len(s.signed) > maxSigned {
		return "", false
	}
	var b strings.Builder
	work, fields := 0, 0
	take := func(f *field) {
		fields++
		b.WriteString(f.raw)
		work += len(f.raw) * strings.Count(f.raw, "\n") / 2
	}
	take(&h.fields[s.at])
	for i := range h.fields {
		if f := &h.fields[i]; i != s.at && slices.Contains(s.signed, f.name) {
			take(f)
		}
	}
	b.WriteString("\r\n")
	const each = 64 // a field costs more to compare than its octets
	work += (b.Len() + each*fields) * len(s.signed)
	return b.String(), work <= maxWork
}

// keyLookup asks for the key of one signature and remembers what came of it.
type keyLookup struct {
	ctx        context.Context // of one call: the library has no room for it
	resolver   Resolver
	unanswered bool
	missing    bool
	strict     bool // the key has the flag s
}

func (k *keyLookup) lookup(name string) ([]string, error) {
	if ascii(name) == "" {
		k.missing = true
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	records, err := k.resolver.LookupTXT(k.ctx, name)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		k.missing = true
		return nil, err
	case err != nil:
		k.unanswered = true
		return nil, &net.DNSError{Err: err.Error(), Name: name, IsTemporary: true}
	}
	// Other records may stand at the same name, such as those of a wildcard.
	var keys []string
	for _, record := range records {
		tags := recordTags(record)
		if _, is := tags["p"]; is && len(record) <= maxRecord {
			keys = append(keys, record)
			k.missing = tags["p"] == "" // revoked, RFC 6376 §3.6.1
			k.strict = slices.Contains(strings.Split(tags["t"], ":"), "s")
		}
	}
	if len(keys) == 0 {
		k.missing = true
	}
	return keys, nil
}

// recordTags reads a list of tags, RFC 6376 §3.2.
func recordTags(record string) map[string]string {
	tags := map[string]string{}
	if len(record) > maxRecord {
		return tags
	}
	for tag := range strings.SplitSeq(record, ";") {
		if name, value, ok := strings.Cut(tag, "="); ok {
			tags[strings.TrimSpace(name)] = strings.Join(strings.Fields(value), "")
		}
	}
	return tags
}
