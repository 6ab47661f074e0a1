package auth

import (
	"net/netip"
	"strings"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/mailintake/mailintake/ingest"
)

// ascii makes domains comparable: lower case, A-labels (RFC 5890), no dot at the end. It is empty for what is no domain
// name, an address literal among others.
func ascii(domain string) string {
	domain = strings.TrimSuffix(strings.TrimSpace(domain), ".")
	const longest = 253 // octets, RFC 1035 §2.3.4
	if domain == "" || len(domain) > 4*longest {
		return ""
	}
	for i := 0; i < len(domain); i++ {
		if domain[i] >= 0x80 {
			var err error
			if domain, err = idna.Lookup.ToASCII(domain); err != nil {
				return ""
			}
			break
		}
	}
	domain = strings.ToLower(domain)
	if len(domain) > longest {
		return ""
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 {
			return ""
		}
		for i := 0; i < len(label); i++ {
			c := label[i]
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' {
				return ""
			}
		}
	}
	if _, err := netip.ParseAddr(domain); err == nil {
		return ""
	}
	return domain
}

// domainOf is the domain of an address, or what is one already.
func domainOf(address string) string {
	address = strings.Trim(strings.TrimSpace(address), "<>")
	return ascii(address[strings.LastIndexByte(address, '@')+1:])
}

// organisation is the domain that somebody registered, RFC 7489 §3.2; empty where there is none, as for a public suffix.
func organisation(domain string) string {
	org, err := publicsuffix.EffectiveTLDPlusOne(domain)
	if err != nil {
		return ""
	}
	return org
}

// aligned is relaxed alignment, RFC 7489 §3.1. The domains are as ascii gives them.
func aligned(a, b string) bool {
	if a == "" || b == "" {
		return false
	}
	org := organisation(a)
	return a == b || org != "" && org == organisation(b)
}

// author is the domain of From. It is empty unless From is there once and has one address, and that is the one which
// the caller read out of it: everything else would let a sender show people one address and programs another.
func author(h *header, from []ingest.Address) string {
	if len(from) != 1 || h.cut {
		return ""
	}
	field := ""
	for _, f := range h.fields {
		if f.name == "from" {
			if field != "" {
				return ""
			}
			field = f.value()
		}
	}
	at := strings.LastIndexByte(from[0].Email, '@')
	if at < 0 || !strings.Contains(strings.ToLower(field), strings.ToLower(from[0].Email[at+1:])) {
		return ""
	}
	return ascii(from[0].Email[at+1:])
}
