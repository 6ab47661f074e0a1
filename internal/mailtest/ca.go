package mailtest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"time"
)

// CA is a certificate authority in memory. Its methods panic on errors, which could only be mistakes in this file.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  []byte
}

// Certificate is a server certificate with its key, in the forms that Go and that files want.
type Certificate struct {
	TLS     tls.Certificate
	CertPEM []byte
	KeyPEM  []byte
}

// NewCA makes an authority of its own, valid for ten years.
func NewCA() *CA {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "mailtest CA"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	must(err)
	cert, err := x509.ParseCertificate(der)
	must(err)
	return &CA{cert: cert, key: key, pem: encode("CERTIFICATE", der)}
}

// PEM is the authority's certificate.
func (ca *CA) PEM() []byte { return ca.pem }

// Pool holds the authority's certificate alone.
func (ca *CA) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(ca.cert)
	return p
}

// ClientConfig trusts this authority alone and expects the given name.
func (ca *CA) ClientConfig(serverName string) *tls.Config {
	return &tls.Config{RootCAs: ca.Pool(), ServerName: serverName, MinVersion: tls.VersionTLS12}
}

// Server is a certificate for localhost, 127.0.0.1 to 127.0.0.3 and ::1, and for further names or addresses.
func (ca *CA) Server(more ...string) *Certificate {
	hosts := append([]string{"localhost", "127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"}, more...)
	return ca.issue(hosts, time.Now().Add(-time.Hour), time.Now().AddDate(5, 0, 0))
}

// Expired is like Server, but ran out yesterday.
func (ca *CA) Expired() *Certificate {
	return ca.issue([]string{"localhost", "127.0.0.1", "127.0.0.2", "127.0.0.3", "::1"}, time.Now().AddDate(0, -2, 0), time.Now().AddDate(0, 0, -1))
}

// WrongHost is in order, but for another host.
func (ca *CA) WrongHost() *Certificate {
	return ca.issue([]string{"elsewhere.invalid"}, time.Now().Add(-time.Hour), time.Now().AddDate(5, 0, 0))
}

func (ca *CA) issue(hosts []string, from, to time.Time) *Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	t := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: hosts[0]}, NotBefore: from, NotAfter: to,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}, BasicConstraintsValid: true,
	}
	for _, h := range hosts {
		if ip := net.ParseIP(h); ip != nil {
			t.IPAddresses = append(t.IPAddresses, ip)
		} else {
			t.DNSNames = append(t.DNSNames, h)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, t, ca.cert, &key.PublicKey, ca.key)
	must(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	c := &Certificate{CertPEM: encode("CERTIFICATE", der), KeyPEM: encode("PRIVATE KEY", keyDER)}
	c.TLS, err = tls.X509KeyPair(c.CertPEM, c.KeyPEM)
	must(err)
	return c
}

// ServerConfig serves this certificate, TLS 1.2 or later.
func (c *Certificate) ServerConfig() *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{c.TLS}, MinVersion: tls.VersionTLS12}
}

func encode(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func serial() *big.Int {
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	must(err)
	return n
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
