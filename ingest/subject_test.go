package ingest_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/mailintake/mailintake/ingest"
)

func TestBaseSubject(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, subject, base string
		reply               bool
	}{
		{"nothing", "", "", false},
		{"plain", "Order 4711", "order 4711", false},
		{"answer", "Re: Order 4711", "order 4711", true},
		{"German answer", "AW: Order 4711", "order 4711", true},
		{"Swedish answer", "SV: Order 4711", "order 4711", true},
		{"forwarded", "WG: Order 4711", "order 4711", false},
		{"answer to a forwarded one", "Re: Fwd: WG: Order 4711", "order 4711", true},
		{"answer forwarded", "FW: RE: Order 4711", "order 4711", true},
		{"counted", "Re[2]: Re(3): Re^4: Re 5: Order", "order", true},
		{"counted many times", "Re*12: Order", "order", true},
		{"tag", "[support] Order", "order", false},
		{"tags and answers", "Re: [support] AW: [EXTERN] [x] Order", "order", true},
		{"forwarded at the end", "Order (fwd)", "order", false},
		{"spaces", "  re :\t Order \r\n  4711 ", "order 4711", true},
		{"wide colon", "回复：订单", "订单", true},
		{"accents", "RÉP: Commande", "commande", true},
		{"colon of the subject itself", "Order: late", "order: late", false},
		{"word that only begins so", "Research: results", "research: results", false},
		{"colon far behind", "Re the order that I placed last week with you: late", "re the order that i placed last week with you: late", false},
		{"prefix alone", "Re:", "", true},
		{"tag alone", "[x]", "", false},
		{"open bracket", "[x Order", "[x order", false},
		{"brackets inside", "[[x]] Order", "[[x]] order", false},
		{"marks that cannot be seen", "\u200eRe\u200f: \u202aOrder\u202c", "order", true},
		{"broken UTF-8", "Re: \xff\xfe", "\ufffd", true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			base, reply := ingest.BaseSubject(tc.subject)
			if base != tc.base || reply != tc.reply {
				t.Errorf("got %q, %v, want %q, %v", base, reply, tc.base, tc.reply)
			}
		})
	}
}

func FuzzBaseSubject(f *testing.F) {
	for _, s := range []string{"Re: [a] Order (fwd)", strings.Repeat("[", 100), strings.Repeat("[a]", 100), strings.Repeat("re:", 100), "(fwd)(fwd)", "回复：", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		base, _ := ingest.BaseSubject(s)
		if !utf8.ValidString(base) || len(base) > 3*len(s) {
			t.Errorf("got %q", base)
		}
		if again, reply := ingest.BaseSubject(base); again != base || reply {
			t.Errorf("%q has the base %q, which has the base %q", s, base, again)
		}
	})
}
