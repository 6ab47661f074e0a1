package auth

import (
	"net/netip"
	"slices"
	"strings"
)

// hop is one Received field, RFC 5321 §4.4.
type hop struct {
	from  string   // what the client called itself; empty where the field has no from clause
	names []string // other host names of the client that the server noted
	ips   []netip.Addr
	by    string
	doubt bool // the server says that a name may be forged or is not known
}

// parseReceived reads what it can of a field's value; programs write it in many ways.
func parseReceived(value string) hop {
	var h hop
	s := scanner{rest: value}
	clause := ""
	const most = 40 // words; what matters stands at the beginning
	for range most {
		for strings.HasPrefix(s.rest, " ") || strings.HasPrefix(s.rest, "\t") {
			s.rest = s.rest[1:]
		}
		if s.rest == "" || s.rest[0] == ';' {
			break
		}
		if s.rest[0] == '(' {
			n, _ := comment(s.rest)
			if clause == "from" {
				h.client(s.rest[:n])
			}
			s.rest = s.rest[n:]
			continue
		}
		before := s.rest
		word := strings.ToLower(s.word(""))
		if s.rest == before {
			break
		}
		switch word {
		case "from", "by", "via", "with", "id", "for":
			if word == "from" && h.from != "" || word == "by" && h.by != "" {
				return h
			}
			clause = word
			continue
		}
		switch {
		case clause == "from" && h.from == "":
			h.from = word
			h.address(word)
		case clause == "from":
			h.client(word)
		case clause == "by" && h.by == "":
			h.by = word
		}
	}
	return h
}

// client reads what the server noted of the client: its name by DNS and its address.
func (h *hop) client(text string) {
	text = strings.ToLower(text)
	if strings.Contains(text, "may be forged") || strings.Contains(text, "unknown") || strings.Contains(text, "unverified") {
		h.doubt = true
	}
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t()[],;=<>@", r) })
	known := len(h.ips)
	words = slices.DeleteFunc(words, h.address)
	if len(h.ips) == known {
		return // what stands beside no address is about TLS or the login
	}
	for _, word := range words {
		if strings.Contains(strings.TrimSuffix(word, "."), ".") && ascii(word) != "" {
			h.names = append(h.names, word)
		}
	}
}

// address takes a word for an address if it is one.
func (h *hop) address(word string) bool {
	word = strings.TrimPrefix(strings.Trim(word, "[]"), "ipv6:")
	ip, err := netip.ParseAddr(word)
	if err != nil {
		if port, perr := netip.ParseAddrPort(word); perr == nil {
			ip, err = port.Addr(), nil
		}
	}
	if err == nil {
		h.ips = append(h.ips, ip.Unmap())
	}
	return err == nil
}

// inside tells whether the message was passed on within the house: from a program on the same host, from private
// addresses alone, or from a host whose names are all of the same organisation. A client chooses its first name itself,
// so that name alone says nothing where the server noted more.
func (h *hop) inside() bool {
	if h.from == "" {
		return true
	}
	private := len(h.ips) > 0
	for _, ip := range h.ips {
		private = private && (ip.IsPrivate() || ip.IsLoopback() || ip.IsLinkLocalUnicast())
	}
	if private {
		return true
	}
	if h.doubt || !sameHouse(h.from, h.by) {
		return false
	}
	for _, name := range h.names {
		if !sameHouse(name, h.by) {
			return false
		}
	}
	// QUIRK: Exchange Online notes no name of its own servers, only addresses.
	return len(h.ips) == 0 || len(h.names) > 0 || microsoft(h.by)
}

// sameHouse tells whether two hosts belong to one organisation.
func sameHouse(a, b string) bool {
	a, b = ascii(a), ascii(b)
	return aligned(a, b) || microsoft(a) && microsoft(b)
}

// microsoft tells hosts of Exchange Online, which has two domains.
func microsoft(host string) bool {
	org := organisation(ascii(host))
	return org == "outlook.com" || org == "office365.com"
}
