package mailtest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"testing"
)

func TestCertificates(t *testing.T) {
	t.Parallel()
	ca := NewCA()
	if !x509.NewCertPool().AppendCertsFromPEM(ca.PEM()) {
		t.Error("PEM is no certificate")
	}
	handshake := func(c *Certificate, cfg *tls.Config) error {
		s, err := RunRaw("", func(conn net.Conn) { _ = tls.Server(conn, c.ServerConfig()).Handshake() })
		if err != nil {
			return err
		}
		defer s.Close()
		conn, err := tls.Dial("tcp", s.Addr(), cfg)
		if err == nil {
			conn.Close()
		}
		return err
	}
	for _, name := range []string{"localhost", "127.0.0.1", "127.0.0.2", "::1", "mail.test"} {
		if err := handshake(ca.Server("mail.test"), ca.ClientConfig(name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	var invalid x509.CertificateInvalidError
	if err := handshake(ca.Expired(), ca.ClientConfig("localhost")); !errors.As(err, &invalid) || invalid.Reason != x509.Expired {
		t.Errorf("expired: %v", err)
	}
	var host x509.HostnameError
	if err := handshake(ca.WrongHost(), ca.ClientConfig("localhost")); !errors.As(err, &host) {
		t.Errorf("wrong host: %v", err)
	}
	var unknown x509.UnknownAuthorityError
	if err := handshake(ca.Server(), NewCA().ClientConfig("localhost")); !errors.As(err, &unknown) {
		t.Errorf("other authority: %v", err)
	}
}
