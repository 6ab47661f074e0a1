package dial

import (
	"errors"
	"fmt"
	"net/netip"
)

// Egress is the policy for outgoing connections. Hosts come from tenants, so by default nothing that belongs to the
// operator's own network can be reached: loopback, link-local (with the cloud metadata services), private, shared,
// multicast, unspecified and reserved addresses are denied. The zero value is this policy without exceptions.
type Egress struct {
	// Allow are exceptions; an address within one of them is permitted whatever the policy says.
	Allow []netip.Prefix
}

// ErrEgressDenied is in the chain of every error of Egress.Check.
var ErrEgressDenied = errors.New("address denied by the egress policy")

// Check returns nil if a may be connected to. IPv4 addresses that hide in IPv6 ones (mapped, RFC 4291 §2.5.5; NAT64,
// RFC 6052; 6to4, RFC 3056) are judged by the IPv4 address.
func (e Egress) Check(a netip.Addr) error {
	inner := embedded(a)
	for _, p := range e.Allow {
		if p.Contains(inner) || p.Contains(a.WithZone("")) {
			return nil
		}
	}
	if !inner.IsValid() || inner.IsUnspecified() || inner.IsLoopback() || inner.IsPrivate() || inner.IsMulticast() ||
		inner.IsLinkLocalUnicast() || inner.IsInterfaceLocalMulticast() || inner.IsLinkLocalMulticast() {
		return fmt.Errorf("%w: %s", ErrEgressDenied, a)
	}
	for _, p := range special() {
		if p.Contains(inner) {
			return fmt.Errorf("%w: %s lies in %s", ErrEgressDenied, a, p)
		}
	}
	return nil
}

// special are the networks beyond those that net/netip knows (IANA special-purpose registries, RFC 6890).
func special() []netip.Prefix {
	four := func(a, b, c, d byte, bits int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{a, b, c, d}), bits)
	}
	six := func(a, b byte, bits int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom16([16]byte{a, b}), bits)
	}
	return []netip.Prefix{
		four(0, 0, 0, 0, 8),        // this network
		four(100, 64, 0, 0, 10),    // shared address space, RFC 6598
		four(168, 63, 129, 16, 32), // Azure platform services
		four(192, 0, 0, 0, 24),     // protocol assignments
		four(192, 0, 2, 0, 24),     // documentation
		four(198, 18, 0, 0, 15),    // benchmarking
		four(198, 51, 100, 0, 24),  // documentation
		four(203, 0, 113, 0, 24),   // documentation
		four(240, 0, 0, 0, 4),      // reserved and broadcast
		six(0, 0, 96),              // IPv4-compatible, deprecated
		six(0xfe, 0xc0, 10),        // site-local, deprecated
		six(0x01, 0x00, 64),        // discard only
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01}), 32),             // Teredo
		netip.PrefixFrom(netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8}), 32), // documentation
	}
}

// embedded is the IPv4 address within a where there is one, otherwise a without its zone.
func embedded(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if !a.Is6() {
		return a
	}
	b := a.As16()
	switch {
	case b[0] == 0x20 && b[1] == 0x02: // 6to4
		return netip.AddrFrom4([4]byte(b[2:6]))
	case [12]byte(b[:12]) == [12]byte{0x00, 0x64, 0xff, 0x9b}: // NAT64
		return netip.AddrFrom4([4]byte(b[12:]))
	}
	return a
}
