package dial

import (
	"errors"
	"net/netip"
	"testing"
)

func TestEgress(t *testing.T) {
	exception := Egress{Allow: []netip.Prefix{netip.MustParsePrefix("10.1.0.0/16"), netip.MustParsePrefix("::1/128")}}
	for _, test := range []struct {
		addr    string
		policy  Egress
		allowed bool
	}{
		{"93.184.216.34", Egress{}, true},
		{"2606:2800:220:1::1", Egress{}, true},
		{"127.0.0.1", Egress{}, false},
		{"127.255.0.1", Egress{}, false},
		{"0.0.0.0", Egress{}, false},
		{"10.1.2.3", Egress{}, false},
		{"10.1.2.3", exception, true},
		{"::ffff:10.1.2.3", exception, true},
		{"10.2.2.3", exception, false},
		{"172.16.0.1", Egress{}, false},
		{"172.32.0.1", Egress{}, true},
		{"192.168.1.1", Egress{}, false},
		{"100.64.0.1", Egress{}, false},
		{"100.100.100.200", Egress{}, false},
		{"169.254.169.254", Egress{}, false},
		{"168.63.129.16", Egress{}, false},
		{"224.0.0.1", Egress{}, false},
		{"255.255.255.255", Egress{}, false},
		{"::", Egress{}, false},
		{"::1", Egress{}, false},
		{"::1", exception, true},
		{"::ffff:127.0.0.1", Egress{}, false},
		{"::127.0.0.1", Egress{}, false},
		{"64:ff9b::a01:203", Egress{}, false}, // 10.1.2.3 behind NAT64
		{"64:ff9b::5db8:d822", Egress{}, true},
		{"2002:7f00:1::", Egress{}, false}, // 127.0.0.1 behind 6to4
		{"fe80::1%eth0", Egress{}, false},
		{"fec0::1", Egress{}, false},
		{"fd00:ec2::254", Egress{}, false},
		{"ff02::1", Egress{}, false},
		{"2001:db8::1", Egress{}, false},
		{"2001::1", Egress{}, false},
	} {
		err := test.policy.Check(netip.MustParseAddr(test.addr))
		if (err == nil) != test.allowed {
			t.Errorf("%s: %v, allowed should be %v", test.addr, err, test.allowed)
		}
		if err != nil && !errors.Is(err, ErrEgressDenied) {
			t.Errorf("%s: %v is no ErrEgressDenied", test.addr, err)
		}
	}
	if (Egress{}).Check(netip.Addr{}) == nil {
		t.Error("no address at all is allowed")
	}
}
