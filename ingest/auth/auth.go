package auth

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// Resolver looks up TXT records, one string per record. *net.Resolver is one, and so is Cache.
type Resolver interface {
	LookupTXT(ctx context.Context, name string) ([]string, error)
}

// Options are the settings that a check depends on.
type Options struct {
	// AuthservIDs are the identifiers in Authentication-Results that the channel trusts, RFC 8601 §2.5, such as
	// mx.google.com. Case does not matter. For Exchange Online, whose fields have none, it is the domain of the
	// servers that take mail over: protection.outlook.com.
	AuthservIDs []string
	// Resolver is asked for the keys of DKIM signatures. Nil means that DNS is not allowed, and signatures are not
	// verified here.
	Resolver Resolver
	// Timeout is how long verifying may take for one message, with all its lookups. Zero means DefaultTimeout.
	Timeout time.Duration
}

// DefaultTimeout is how long signatures of a message are verified at most.
const DefaultTimeout = 5 * time.Second

// Check tells what is known of the origin of a message. from are the addresses of its From field. open gives the
// message as it is stored, anew with each call; it is called once, and once more for each signature that is verified.
//
// Check never fails. What could not be checked is unknown, and nothing that a sender can write makes it pass: SPF and
// DMARC are those of a trusted field, DKIM that and what was verified here. Where both speak about a signature, ours
// counts, except that a key which is gone and a signature that has expired were good when the trusted server saw them.
// DKIM is pass if any signature is, of whatever domain; Aligned tells whether that has to do with From.
func Check(ctx context.Context, from []ingest.Address, open func() (io.ReadCloser, error), o Options) ingest.Auth {
	var a ingest.Auth
	h, err := headerOf(open)
	if err != nil {
		return a
	}
	domain := author(h, from)
	t := trust(h, o.AuthservIDs)
	a.AuthservID, a.Ignored = t.id, t.ignored
	a.SPF, a.SPFDomain = t.spf()
	a.DMARC = t.dmarc(domain)

	results, checked := t.dkim()
	if o.Resolver != nil {
		if o.Timeout <= 0 {
			o.Timeout = DefaultTimeout
		}
		ctx, cancel := context.WithTimeout(ctx, o.Timeout)
		defer cancel()
		v := verifier{header: h, resolver: o.Resolver, open: open}
		results = merge(v.verify(ctx, domain), results)
	}
	a.DKIMDomains = results
	a.DKIM = overall(results)
	if len(results) == 0 && !h.cut && (checked || h.count("dkim-signature") == 0) {
		a.DKIM = ingest.VerdictNone
	}
	a.Aligned = a.SPF == ingest.VerdictPass && aligned(a.SPFDomain, domain) ||
		slices.ContainsFunc(results, func(r ingest.DKIMResult) bool {
			return r.Verdict == ingest.VerdictPass && aligned(r.Domain, domain)
		})
	return a
}

func headerOf(open func() (io.ReadCloser, error)) (*header, error) {
	message, err := open()
	if err != nil {
		return nil, err
	}
	defer message.Close()
	return readHeader(message)
}

// merge puts what was verified here before what a trusted server says.
func merge(own []check, theirs []ingest.DKIMResult) []ingest.DKIMResult {
	var out []ingest.DKIMResult
	for _, c := range own {
		out = append(out, c.DKIMResult)
	}
	for _, r := range theirs {
		known := false
		for i, c := range own {
			if c.Domain != r.Domain || r.Selector != "" && r.Selector != c.Selector {
				continue
			}
			known = true
			if c.Verdict == ingest.VerdictUnknown || c.aged && r.Verdict == ingest.VerdictPass {
				r.Selector = c.Selector
				out[i] = r
			}
		}
		if !known && len(out) < maxSignatures {
			out = append(out, r)
		}
	}
	return out
}

// overall is the verdict on a message with these signatures.
func overall(results []ingest.DKIMResult) ingest.Verdict {
	out := ingest.VerdictUnknown
	for _, r := range results {
		switch r.Verdict {
		case ingest.VerdictPass:
			return ingest.VerdictPass
		case ingest.VerdictFail:
			out = ingest.VerdictFail
		}
	}
	return out
}
