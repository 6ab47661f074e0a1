package imap

import (
	"context"
	"crypto/x509"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

const childEnv = "MAILINTAKE_IMAP_CHILD"

// shared finds the folder of mail servers for tests, beside the repository or where MAILINTAKE_SHARED says.
func shared(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("MAILINTAKE_SHARED"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		candidate := filepath.Join(dir, "shared")
		if _, err := os.Stat(filepath.Join(candidate, "mailservers")); err == nil {
			return candidate
		}
	}
	t.Skip("no folder of mail servers beside the repository; set MAILINTAKE_SHARED to run this test")
	return ""
}

func loopback() dial.Egress {
	return dial.Egress{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
}

func testDialer() *dial.Dialer {
	return &dial.Dialer{Egress: loopback(), ConnectTimeout: 5 * time.Second, HandshakeTimeout: 5 * time.Second,
		GreetingTimeout: 5 * time.Second, LoginTimeout: 10 * time.Second, IOTimeout: 10 * time.Second}
}

func roots(t testing.TB, file string) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatalf("%s holds no certificate", file)
	}
	return pool
}

// listAll pages through everything after the cursor.
func listAll(ctx context.Context, s ingest.Session, after ingest.Cursor, limit ingest.Limit) ([]ingest.Entry, ingest.Cursor, error) {
	var all []ingest.Entry
	for {
		page, err := s.List(ctx, after, limit)
		if err != nil {
			return all, after, err
		}
		all, after = append(all, page.Entries...), page.Next
		if !page.More {
			return all, after, nil
		}
	}
}

// fetchAll fetches refs and gives complete bodies by UID.
func fetchAll(ctx context.Context, s ingest.Session, refs []ingest.Ref) (map[uint32]string, ingest.Missing, error) {
	got := map[uint32]string{}
	missing, err := s.Fetch(ctx, refs, func(a ingest.Arrival) error {
		body, err := io.ReadAll(a.Body)
		if err == nil {
			got[a.Ref.UID] = string(body)
		}
		return nil
	})
	return got, missing, err
}

func refsOf(entries []ingest.Entry) []ingest.Ref {
	var refs []ingest.Ref
	for _, e := range entries {
		refs = append(refs, e.Ref)
	}
	return refs
}
