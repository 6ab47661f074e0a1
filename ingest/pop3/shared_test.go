package pop3

import (
	"crypto/x509"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// mailservers is the folder with real and faulty mail servers that lies beside the repository; tests that need it are
// skipped where there is none.
func mailservers(t testing.TB) string {
	t.Helper()
	if dir := os.Getenv("MAILINTAKE_SHARED"); dir != "" {
		return filepath.Join(dir, "mailservers")
	}
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		found := filepath.Join(dir, "shared", "mailservers")
		if _, err := os.Stat(found); err == nil {
			return found
		}
	}
	t.Skip("needs the mail servers in ../shared (or MAILINTAKE_SHARED), which are not here")
	return ""
}

// run runs a command and fails the test with its output if it fails.
func run(t testing.TB, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

func roots(t testing.TB, tlsDir string) *x509.CertPool {
	t.Helper()
	pem, err := os.ReadFile(filepath.Join(tlsDir, "ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		t.Fatal("ca.pem holds no certificate")
	}
	return pool
}

// freePorts are n TCP ports on 127.0.0.1 that nobody used a moment ago.
func freePorts(t testing.TB, n int) []int {
	t.Helper()
	ports := make([]int, n)
	for i := range ports {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		ports[i] = ln.Addr().(*net.TCPAddr).Port
	}
	return ports
}
