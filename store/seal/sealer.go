package seal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"github.com/mailintake/mailintake/ingest"
)

// ErrUnreadable is wrapped by every error of Unseal that means: this value and this keyset do not belong together.
// Asking again does not help; the credential must be entered anew or the right keyset put back.
var ErrUnreadable = errors.New("sealed value cannot be opened")

// Sealer seals and opens credentials. It is safe for concurrent use.
//
// A Sealer that came from a file looks at the file again when it meets a value sealed with a key that it does not
// know, so that replicas sharing the file go on working while another process rotates the keyset.
type Sealer struct {
	path string // empty: the keyset did not come from a file
	keys atomic.Pointer[keys]
}

// keys is one reading of the keyset.
type keys struct {
	aead    tink.AEAD
	primary uint32
	ids     map[uint32]bool // of the enabled keys
}

// New makes a Sealer of a keyset in memory. It fails if the keyset holds anything but AEAD keys with a Tink prefix:
// without the prefix a value does not tell which key opens it.
func New(handle *keyset.Handle) (*Sealer, error) {
	k, err := readKeys(handle)
	if err != nil {
		return nil, err
	}
	s := &Sealer{}
	s.keys.Store(k)
	return s, nil
}

func readKeys(handle *keyset.Handle) (*keys, error) {
	if handle == nil {
		return nil, errors.New("seal: no keyset")
	}
	primary, err := handle.Primary()
	if err != nil {
		return nil, fmt.Errorf("seal: keyset has no primary key: %w", err)
	}
	a, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("seal: keyset is not for AEAD: %w", err)
	}
	k := &keys{aead: a, primary: primary.KeyID(), ids: make(map[uint32]bool, handle.Len())}
	for i := range handle.Len() {
		e, err := handle.Entry(i)
		if err != nil {
			return nil, fmt.Errorf("seal: read keyset: %w", err)
		}
		if _, fixed := e.Key().IDRequirement(); !fixed {
			return nil, fmt.Errorf("seal: key %d of the keyset has no Tink prefix", e.KeyID())
		}
		if e.KeyStatus() == keyset.Enabled {
			k.ids[e.KeyID()] = true
		}
	}
	return k, nil
}

// KeyID is the number of the primary key, the one that Seal uses. It is no secret.
func (s *Sealer) KeyID() uint32 { return s.keys.Load().primary }

// Seal encrypts a credential for one field of one resource. The result is 33 octets longer than the credential (prefix,
// nonce and tag) and begins with the number of the key (see SealedBy); two calls never give the same octets. It fails if
// resource or field is empty or has a line end in it.
func (s *Sealer) Seal(resource, field string, secret ingest.Secret) ([]byte, error) {
	ad, err := associated(resource, field)
	if err != nil {
		return nil, err
	}
	sealed, err := s.keys.Load().aead.Encrypt([]byte(secret.Reveal()), ad)
	if err != nil {
		return nil, fmt.Errorf("seal: encrypt %s of %s: %w", field, resource, err)
	}
	return sealed, nil
}

// Unseal is the inverse of Seal for the same resource and field. Its errors wrap ErrUnreadable and say whether the key
// is missing or the value was changed, cut or moved from another place; they never hold any part of the credential.
func (s *Sealer) Unseal(resource, field string, sealed []byte) (ingest.Secret, error) {
	ad, err := associated(resource, field)
	if err != nil {
		return ingest.Secret{}, err
	}
	id, err := SealedBy(sealed)
	if err != nil {
		return ingest.Secret{}, fmt.Errorf("seal: %s of %s: %w", field, resource, err)
	}
	k := s.keys.Load()
	if !k.ids[id] && s.path != "" {
		if k, err = s.reload(); err != nil {
			return ingest.Secret{}, fmt.Errorf("seal: %s of %s needs key %d: %w", field, resource, id, err)
		}
	}
	if !k.ids[id] {
		return ingest.Secret{}, fmt.Errorf("seal: %s of %s: %w: it was sealed with key %d, which is not in the keyset: put the keyset with that key back or enter the credential again",
			field, resource, ErrUnreadable, id)
	}
	clear, err := k.aead.Decrypt(sealed, ad)
	if err != nil {
		return ingest.Secret{}, fmt.Errorf("seal: %s of %s: %w: it was changed, or sealed for another resource or field: enter the credential again",
			field, resource, ErrUnreadable)
	}
	return ingest.NewSecret(string(clear)), nil
}

// reload reads the keyset file again and takes what it finds.
func (s *Sealer) reload() (*keys, error) {
	handle, err := readFile(s.path)
	if err != nil {
		return nil, err
	}
	k, err := readKeys(handle)
	if err != nil {
		return nil, err
	}
	s.keys.Store(k)
	return k, nil
}

// SealedBy is the number of the key that a value was sealed with: compared with KeyID it tells what a rotation still
// has to seal anew. The error wraps ErrUnreadable when the octets are not a sealed value.
func SealedBy(sealed []byte) (uint32, error) {
	// Tink's output prefix: version octet 1, then the key number in network byte order. The shortest value seals "".
	const prefix, nonce, tag = 5, 12, 16
	if len(sealed) < prefix+nonce+tag || sealed[0] != 1 {
		return 0, fmt.Errorf("%w: not a sealed value", ErrUnreadable)
	}
	return binary.BigEndian.Uint32(sealed[1:prefix]), nil
}

// associated binds a value to its place. Neither part may hold the separator: two places would look the same.
func associated(resource, field string) ([]byte, error) {
	switch {
	case resource == "" || field == "":
		return nil, fmt.Errorf("seal: resource %q and field %q must both be named", resource, field)
	case strings.Contains(resource, "\n") || strings.Contains(field, "\n"):
		return nil, fmt.Errorf("seal: resource %q or field %q has a line end in it", resource, field)
	}
	return []byte(resource + "\n" + field), nil
}
