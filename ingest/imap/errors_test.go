package imap

import (
	"errors"
	"testing"

	"github.com/mailintake/mailintake/ingest"
)

func wantError(t testing.TB, err error, kind ingest.Kind, reason ingest.Reason) {
	t.Helper()
	e, ok := errors.AsType[*ingest.Error](err)
	if !ok {
		t.Fatalf("got %v (%T), want an *ingest.Error of kind %v, reason %v", err, err, kind, reason)
	}
	if e.Kind != kind || e.Reason != reason {
		t.Errorf("got kind %v, reason %v (%v), want %v, %v", e.Kind, e.Reason, e, kind, reason)
	}
	if e.Op == "" {
		t.Errorf("%v does not say what was being done", e)
	}
}
