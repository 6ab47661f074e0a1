package seal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/mac"

	"github.com/mailintake/mailintake/ingest"
)

const (
	resource = "tenants/acme/emailChannels/support"
	password = "correct horse; battery\u2028staple"
)

func newSealer(t *testing.T) *Sealer {
	t.Helper()
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(handle)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustSeal(t *testing.T, s *Sealer, value string) []byte {
	t.Helper()
	sealed, err := s.Seal(resource, "password", ingest.NewSecret(value))
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func TestSealRoundTrip(t *testing.T) {
	t.Parallel()
	s := newSealer(t)
	for _, tt := range []struct{ name, value string }{
		{"empty", ""},
		{"ascii", "hunter2"},
		{"unicode", password},
		{"octets", "\x00\xff\r\n"},
		{"long", strings.Repeat("token.", 4000)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			sealed := mustSeal(t, s, tt.value)
			if got, want := len(sealed), len(tt.value)+33; got != want {
				t.Errorf("sealed value has %d octets, want %d", got, want)
			}
			if tt.value != "" && bytes.Contains(sealed, []byte(tt.value)) {
				t.Error("the sealed value holds the credential in clear")
			}
			if again := mustSeal(t, s, tt.value); bytes.Equal(sealed, again) {
				t.Error("sealing twice gave the same octets")
			}
			id, err := SealedBy(sealed)
			if err != nil || id != s.KeyID() {
				t.Errorf("SealedBy = %d, %v, want %d", id, err, s.KeyID())
			}
			got, err := s.Unseal(resource, "password", sealed)
			if err != nil || got.Reveal() != tt.value {
				t.Errorf("Unseal gave %q, %v, want %q", got.Reveal(), err, tt.value)
			}
		})
	}
}

func TestUnsealRefuses(t *testing.T) {
	t.Parallel()
	s := newSealer(t)
	sealed := mustSeal(t, s, password)
	change := func(at int) []byte {
		b := bytes.Clone(sealed)
		b[at] ^= 1
		return b
	}
	for _, tt := range []struct {
		name            string
		sealer          *Sealer
		resource, field string
		sealed          []byte
		says            string
	}{
		{"other resource", s, "tenants/acme/emailChannels/sales", "password", sealed, "another resource"},
		{"other field", s, resource, "client_secret", sealed, "another resource or field"},
		{"other keyset", newSealer(t), resource, "password", sealed, fmt.Sprintf("key %d, which is not in the keyset", s.KeyID())},
		{"nothing", s, resource, "password", nil, "not a sealed value"},
		{"clear text", s, resource, "password", []byte(password), "not a sealed value"},
		{"cut to the prefix", s, resource, "password", sealed[:5], "not a sealed value"},
		{"cut by one octet", s, resource, "password", sealed[:len(sealed)-1], "changed"},
		{"longer by one octet", s, resource, "password", append(bytes.Clone(sealed), 0), "changed"},
		{"version changed", s, resource, "password", change(0), "not a sealed value"},
		{"key number changed", s, resource, "password", change(4), "not in the keyset"},
		{"nonce changed", s, resource, "password", change(5), "changed"},
		{"text changed", s, resource, "password", change(20), "changed"},
		{"tag changed", s, resource, "password", change(len(sealed) - 1), "changed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := tt.sealer.Unseal(tt.resource, tt.field, tt.sealed)
			if !errors.Is(err, ErrUnreadable) {
				t.Fatalf("Unseal gave %v, want ErrUnreadable", err)
			}
			if !got.IsZero() {
				t.Error("Unseal gave a value beside its error")
			}
			if !strings.Contains(err.Error(), tt.says) {
				t.Errorf("error %q does not say %q", err, tt.says)
			}
			if strings.Contains(err.Error(), password) {
				t.Errorf("error %q holds the credential", err)
			}
		})
	}
}

// Every octet of a sealed value is guarded.
func TestUnsealRefusesEveryBitFlip(t *testing.T) {
	t.Parallel()
	s := newSealer(t)
	sealed := mustSeal(t, s, password)
	for i := range len(sealed) * 8 {
		b := bytes.Clone(sealed)
		b[i/8] ^= 1 << (i % 8)
		if _, err := s.Unseal(resource, "password", b); !errors.Is(err, ErrUnreadable) {
			t.Fatalf("bit %d changed: got %v, want ErrUnreadable", i, err)
		}
	}
}

// "a" + "b\nc" and "a\nb" + "c" would be the same place.
func TestPlacesAreUnambiguous(t *testing.T) {
	t.Parallel()
	s := newSealer(t)
	for _, place := range [][2]string{{"", "password"}, {resource, ""}, {"a", "b\nc"}, {"a\nb", "c"}} {
		if _, err := s.Seal(place[0], place[1], ingest.NewSecret(password)); err == nil {
			t.Errorf("Seal accepted the place %q", place)
		}
		if _, err := s.Unseal(place[0], place[1], mustSeal(t, s, password)); err == nil {
			t.Errorf("Unseal accepted the place %q", place)
		}
	}
}

func TestNewRefusesOtherKeysets(t *testing.T) {
	t.Parallel()
	macs, err := keyset.NewHandle(mac.HMACSHA256Tag256KeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := keyset.NewHandle(aead.AES256GCMNoPrefixKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	for name, handle := range map[string]*keyset.Handle{"none": nil, "empty": {}, "mac": macs, "no prefix": raw} {
		if s, err := New(handle); err == nil {
			t.Errorf("%s: New accepted the keyset: %v", name, s.KeyID())
		}
	}
}

// However a Sealer or what it gives is printed, no credential and no key material comes out.
func TestNothingPrintsSecrets(t *testing.T) {
	t.Parallel()
	path := t.TempDir() + "/keyset.json"
	s, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	key := keyMaterial(t, path)
	secret, err := s.Unseal(resource, "password", mustSeal(t, s, password))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	for _, v := range []any{s, secret, &secret, struct{ S ingest.Secret }{secret}} {
		fmt.Fprintf(&out, "%v %+v %#v %s\n", v, v, v, v)
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(text)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("message", "value", v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("message", "value", v)
	}
	for _, leak := range []string{password, key} {
		if strings.Contains(out.String(), leak) {
			t.Errorf("printed %q:\n%s", leak, out.String())
		}
	}
	if !strings.Contains(out.String(), "[secret]") {
		t.Errorf("nothing was printed:\n%s", out.String())
	}
}
