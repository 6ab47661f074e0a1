package imap

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(m.Run()) // a child runs one hostile case under a memory limit; its own goroutines end with it
	}
	goleak.VerifyTestMain(m)
}
