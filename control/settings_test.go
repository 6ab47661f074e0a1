package control

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

func TestCanonicalHost(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{ // no want: refused
		{"mail.example.com", "mail.example.com"},
		{"Mail.EXAMPLE.com", "mail.example.com"},
		{"mail.example.com.", "mail.example.com"},
		{"localhost", "localhost"},
		{"mail_server", "mail_server"},
		{"bücher.example", "xn--bcher-kva.example"},
		{"xn--bcher-kva.example", "xn--bcher-kva.example"},
		{"192.0.2.1", "192.0.2.1"},
		{"2001:DB8::1", "2001:db8::1"},
		{"[2001:db8::1]", "2001:db8::1"},
		{"::ffff:192.0.2.1", "192.0.2.1"},
		{"1.example", "1.example"},
		{"fe80::1%eth0", ""},
		{"0.0.0.0", ""},
		{"::", ""},
		{"224.0.0.1", ""},
		{"192.0.2", ""},
		{"192.0.2.256", ""},
		{"12345", ""},
		{".", ""},
		{"a..b", ""},
		{".a", ""},
		{"-a.example", ""},
		{"a-.example", ""},
		{"a b", ""},
		{"a\tb", ""},
		{"a\r\nb", ""},
		{"a\u00a0b", ""},
		{"a\x00", ""},
		{"imap://a", ""},
		{"a:143", ""},
		{"[::1]:143", ""},
		{"a/b", ""},
		{"user@a", ""},
		{"a?b", ""},
		{"a#b", ""},
		{"*.example.com", ""},
		{"a\xff", ""},
		{strings.Repeat("a", 63) + ".example", strings.Repeat("a", 63) + ".example"},
		{strings.Repeat("a", 64) + ".example", ""},
		{strings.Repeat("a.", 126) + "aa", ""},
	} {
		got, problem := canonicalHost(tt.in)
		if (problem == "") != (tt.want != "") || problem == "" && got != tt.want {
			t.Errorf("%q: got %q, %q, want %q", tt.in, got, problem, tt.want)
		}
		if problem == "" {
			if again, problem := canonicalHost(got); again != got || problem != "" {
				t.Errorf("%q is not canonical: %q, %q", got, again, problem)
			}
		}
	}
}

func TestCheckAddress(t *testing.T) {
	t.Parallel()
	for in, ok := range map[string]bool{
		"support@example.com":           true,
		"a.b+c_d-e@mail.example.com":    true,
		`"a b"@example.com`:             true,
		"büro@exämple.de":               true,
		"a@[192.0.2.1]":                 true,
		"a@localhost":                   true,
		"a@b@example.com":               false,
		"@example.com":                  false,
		"a@":                            false,
		"a":                             false,
		"a b@example.com":               false,
		" a@example.com":                false,
		"a@example.com ":                false,
		"<a@example.com>":               false,
		"A <a@example.com>":             false,
		"a@example.com (comment)":       false,
		"a@example.com>, <b@c":          false,
		"a@-example.com":                false,
		"a@[nonsense]":                  false,
		"a@example.com\x00":             false,
		"a\r\nBcc: x@y@example.com":     false,
		strings.Repeat("a", 250) + "@b": true,
		strings.Repeat("a", 260) + "@b": false,
	} {
		if problem := checkAddress(in); (problem == "") != ok {
			t.Errorf("%q: got %q", in, problem)
		}
	}
}

func TestCheckCertificates(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now()}, &x509.Certificate{SerialNumber: big.NewInt(1)}, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	good := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
	for _, tt := range []struct {
		name, in string
		ok       bool
	}{
		{"none", "", true},
		{"one", good, true},
		{"two with a blank line", good + "\n\n" + good, true},
		{"text around", "Example CA\n" + good, true},
		{"space alone", "  \n", true},
		{"text", "hello", false},
		{"text behind", good + "hello", false},
		{"cut short", good[:len(good)-20], false},
		{"second is broken", good + strings.Replace(good, "\nMI", "\nAA", 1), false},
		{"key", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), false},
		{"not a certificate", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})), false},
	} {
		if problem := checkCertificates(tt.in); (problem == "") != tt.ok {
			t.Errorf("%s: got %q", tt.name, problem)
		}
	}
	s := Settings{Protocol: ingest.IMAP, TLSCAPEM: good}
	if m := s.Mailbox(ingest.Secret{}); m.TLSRoots == nil || m.Port != 143 || m.Folder != "INBOX" {
		t.Errorf("got %+v", m)
	}
	s = Settings{Protocol: ingest.POP3S, Port: 4711}
	if m := s.Mailbox(ingest.Secret{}); m.TLSRoots != nil || m.Port != 4711 || m.Folder != "" {
		t.Errorf("got %+v", m)
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	s := Settings{DisplayName: "a", EmailAddress: "a@b", Protocol: ingest.POP3, Host: "h", Username: "u", StartTLS: true}
	if vs := s.complete(); len(vs) > 0 {
		t.Fatal(vs)
	}
	if s.PollInterval != 60*time.Second || s.MaxMessageBytes != 41943040 || s.InitialSync != ingest.SyncNewOnly || s.Settlement != ingest.SettleLeave {
		t.Errorf("got %+v", s)
	}
	before := s
	if vs := s.complete(); len(vs) > 0 || len(differences(&s, &before)) > 0 {
		t.Errorf("completing twice changes %v, %v", differences(&s, &before), vs)
	}
}
