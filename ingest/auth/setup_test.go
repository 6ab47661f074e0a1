package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-msgauth/dkim"
	"go.uber.org/goleak"

	"github.com/mailintake/mailintake/ingest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// opener gives a message again and again.
func opener(raw string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(raw)), nil }
}

func crlf(s string) string {
	return strings.ReplaceAll(strings.ReplaceAll(strings.TrimLeft(s, "\n"), "\r\n", "\n"), "\n", "\r\n")
}

func people(emails ...string) []ingest.Address {
	var list []ingest.Address
	for _, e := range emails {
		list = append(list, ingest.Address{Email: e})
	}
	return list
}

// zone is a Resolver over a table. A name that is not in it does not exist; a value "SERVFAIL" stands for a server that
// fails.
type zone map[string]string

func (z zone) LookupTXT(_ context.Context, name string) ([]string, error) {
	switch record, ok := z[name]; {
	case !ok:
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	case record == "SERVFAIL":
		return nil, &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	default:
		return strings.Split(record, "\x00"), nil
	}
}

// keys are made once: RSA takes its time.
var keys = sync.OnceValue(func() map[string]crypto.Signer {
	// The seeds are fixed so that a failure comes again; the keys protect nothing.
	random := rand.NewChaCha8([32]byte{1})
	out := map[string]crypto.Signer{}
	for name, bits := range map[string]int{"rsa": 2048, "other": 1024} {
		key, err := rsa.GenerateKey(random, bits)
		if err != nil {
			panic(err)
		}
		out[name] = key
	}
	_, ed, err := ed25519.GenerateKey(random)
	if err != nil {
		panic(err)
	}
	out["ed25519"] = ed
	return out
})

// record is the TXT record of a key.
func record(t testing.TB, name string) string {
	t.Helper()
	switch pub := keys()[name].Public().(type) {
	case ed25519.PublicKey:
		return "v=DKIM1; k=ed25519; p=" + base64.StdEncoding.EncodeToString(pub)
	default:
		der, err := x509.MarshalPKIXPublicKey(pub)
		if err != nil {
			t.Fatal(err)
		}
		return "v=DKIM1; k=rsa; p=" + base64.StdEncoding.EncodeToString(der)
	}
}

// sign puts a signature on a message.
func sign(t testing.TB, raw, key string, change func(*dkim.SignOptions)) string {
	t.Helper()
	o := &dkim.SignOptions{
		Domain: "example.com", Selector: key, Signer: keys()[key],
		HeaderCanonicalization: dkim.CanonicalizationRelaxed, BodyCanonicalization: dkim.CanonicalizationRelaxed,
		HeaderKeys: []string{"From", "To", "Subject", "Date", "From"},
	}
	if change != nil {
		change(o)
	}
	var b bytes.Buffer
	if err := dkim.Sign(&b, strings.NewReader(raw), o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// corpusDir is the folder of foreign test mail. It lies beside the repository, or where MAILINTAKE_SHARED says.
func corpusDir(t testing.TB) string {
	t.Helper()
	shared := os.Getenv("MAILINTAKE_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	dir := filepath.Join(shared, "corpus")
	if _, err := os.Stat(filepath.Join(dir, "agreed.jsonl")); err != nil {
		t.Skip("no corpus of test mail here: ", err)
	}
	return dir
}
