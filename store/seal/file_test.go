package seal

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/mailintake/mailintake/ingest"
)

func newFile(t *testing.T) (path string, s *Sealer) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "keyset.json")
	s, err := Create(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, s
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// keyMaterial is the key of the first entry as it stands in the file.
func keyMaterial(t *testing.T, path string) string {
	t.Helper()
	var file struct {
		Key []struct{ KeyData struct{ Value string } }
	}
	if err := json.Unmarshal([]byte(read(t, path)), &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Key) == 0 || len(file.Key[0].KeyData.Value) < 40 {
		t.Fatalf("no key in %s", path)
	}
	return file.Key[0].KeyData.Value
}

// onlyFile fails the test when anything but name lies in the folder.
func onlyFile(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Name() != filepath.Base(path) {
		t.Errorf("the folder holds %v, want %s alone", entries, filepath.Base(path))
	}
}

func TestCreateThenOpen(t *testing.T) {
	t.Parallel()
	path, created := newFile(t)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != 0o600 {
		t.Errorf("mode is %v, want -rw-------", got)
	}
	onlyFile(t, path)
	opened, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if opened.KeyID() != created.KeyID() {
		t.Errorf("opened key %d, created %d", opened.KeyID(), created.KeyID())
	}
	got, err := opened.Unseal(resource, "password", mustSeal(t, created, password))
	if err != nil || got.Reveal() != password {
		t.Errorf("Unseal gave %q, %v", got.Reveal(), err)
	}
}

func TestCreateNeverReplaces(t *testing.T) {
	t.Parallel()
	path, _ := newFile(t)
	before := read(t, path)
	if _, err := Create(path); !errors.Is(err, fs.ErrExist) {
		t.Errorf("Create over a keyset gave %v, want fs.ErrExist", err)
	}
	if read(t, path) != before {
		t.Error("Create changed a keyset that was there")
	}
	onlyFile(t, path)
	if _, err := Create(filepath.Join(filepath.Dir(path), "missing", "keyset.json")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Create in a missing folder gave %v, want fs.ErrNotExist", err)
	}
}

func TestOpenLooksAtTheMode(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		mode    fs.FileMode
		foreign bool // the file belongs to another user
		ok      bool
	}{
		{0o600, false, true},
		{0o400, false, true},
		{0o700, false, true},
		{0o640, false, false},
		{0o440, false, false},
		{0o604, false, false},
		{0o620, false, false},
		{0o644, false, false},
		{0o666, false, false},
		{0o440, true, true},
		{0o640, true, true},
		{0o660, true, false},
		{0o444, true, false},
	} {
		name := tt.mode.String()
		if tt.foreign {
			name += " foreign"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if tt.foreign && os.Geteuid() != 0 {
				t.Skip("only root can give a file away")
			}
			path, _ := newFile(t)
			if tt.foreign {
				if err := os.Chown(path, 65534, 65534); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(path, tt.mode); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if tt.ok && err != nil {
				t.Errorf("Open refused it: %v", err)
			}
			if !tt.ok && (err == nil || !strings.Contains(err.Error(), "chmod 600 "+path)) {
				t.Errorf("Open gave %v, want a refusal with the command that helps", err)
			}
		})
	}
}

func TestOpenRefusesWhatIsNoKeyset(t *testing.T) {
	t.Parallel()
	path, _ := newFile(t)
	good, key := read(t, path), keyMaterial(t, path)
	for _, tt := range []struct{ name, text, says string }{
		{"empty", "", "0 octets"},
		{"text", "swordfish", "not a Tink keyset"},
		{"cut", good[:len(good)-3], "not a Tink keyset"},
		{"unknown field", strings.Replace(good, `"value":`, `"`+key+`":`, 1), "not a Tink keyset"},
		{"too long", strings.Repeat(" ", maxFile+1), "octets"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "keyset.json")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(path)
			if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), path) {
				t.Errorf("Open gave %v, want the path and %q", err, tt.says)
			}
			if err != nil && strings.Contains(err.Error(), key[:8]) {
				t.Errorf("the error shows key material: %v", err)
			}
		})
	}
	if _, err := Open(filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("Open of a folder gave %v", err)
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(pipe); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("Open of a pipe gave %v", err)
	}
	if _, err := Open(path + ".missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Open of a missing file gave %v, want fs.ErrNotExist", err)
	}
}

func TestRotate(t *testing.T) {
	t.Parallel()
	path, first := newFile(t)
	old := mustSeal(t, first, password)
	second, err := Rotate(path)
	if err != nil {
		t.Fatal(err)
	}
	if second.KeyID() == first.KeyID() {
		t.Error("the primary key is the same after a rotation")
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("after a rotation the file is %v, %v", info.Mode(), err)
	}
	onlyFile(t, path)
	if got, err := second.Unseal(resource, "password", old); err != nil || got.Reveal() != password {
		t.Errorf("a value of the older key gave %q, %v", got.Reveal(), err)
	}
	fresh := mustSeal(t, second, password)
	if id, err := SealedBy(fresh); err != nil || id != second.KeyID() {
		t.Errorf("after a rotation Seal used key %d, %v, want %d", id, err, second.KeyID())
	}
	// A process that runs since before the rotation meets a value of the new key.
	if got, err := first.Unseal(resource, "password", fresh); err != nil || got.Reveal() != password {
		t.Errorf("a Sealer opened before the rotation gave %q, %v", got.Reveal(), err)
	}
	if first.KeyID() != second.KeyID() {
		t.Errorf("it goes on sealing with key %d, want %d", first.KeyID(), second.KeyID())
	}
}

func TestRotateKeepsOwnerAndFollowsLinks(t *testing.T) {
	t.Parallel()
	path, first := newFile(t)
	old := mustSeal(t, first, password)
	if os.Geteuid() == 0 {
		if err := os.Chown(path, 65534, 65534); err != nil {
			t.Fatal(err)
		}
	}
	before, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(t.TempDir(), "link.json")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if _, err := Rotate(link); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&fs.ModeSymlink == 0 {
		t.Errorf("the link became %v, %v", info.Mode(), err)
	}
	after, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	b, a := before.Sys().(*syscall.Stat_t), after.Sys().(*syscall.Stat_t)
	if b.Uid != a.Uid || b.Gid != a.Gid || before.Mode() != after.Mode() {
		t.Errorf("owner and mode changed from %d:%d %v to %d:%d %v", b.Uid, b.Gid, before.Mode(), a.Uid, a.Gid, after.Mode())
	}
	s, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if s.KeyID() == first.KeyID() {
		t.Error("the file behind the link was not rotated")
	}
	if _, err := s.Unseal(resource, "password", old); err != nil {
		t.Error(err)
	}
}

// A key that one of several rotations at once lost would take every value sealed with it along.
func TestRotationsAtOnceLoseNoKey(t *testing.T) {
	t.Parallel()
	path, first := newFile(t)
	values := [][]byte{mustSeal(t, first, password)}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			s, err := Rotate(path)
			if err != nil {
				t.Error(err)
				return
			}
			sealed, err := s.Seal(resource, "password", ingest.NewSecret(password))
			if err != nil {
				t.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			values = append(values, sealed)
		})
	}
	wg.Wait()
	last, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := len(last.keys.Load().ids); got != 9 {
		t.Errorf("the keyset has %d keys, want 9", got)
	}
	for _, sealed := range values {
		if _, err := last.Unseal(resource, "password", sealed); err != nil {
			t.Error(err)
		}
	}
}

func TestRotateLeavesADamagedFileAlone(t *testing.T) {
	t.Parallel()
	path, _ := newFile(t)
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Rotate(path); err == nil {
		t.Error("Rotate accepted a damaged keyset")
	}
	if got := read(t, path); got != "{" {
		t.Errorf("Rotate changed a damaged keyset to %q", got)
	}
	onlyFile(t, path)
	if _, err := Rotate(path + ".missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Rotate of a missing file gave %v, want fs.ErrNotExist", err)
	}
}

// When the file is gone, values of known keys still open, and the error for others names the file.
func TestUnsealWithoutTheFile(t *testing.T) {
	t.Parallel()
	path, s := newFile(t)
	sealed := mustSeal(t, s, password)
	other := mustSeal(t, newSealer(t), password)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Unseal(resource, "password", sealed); err != nil {
		t.Error(err)
	}
	if _, err := s.Unseal(resource, "password", other); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("Unseal gave %v, want fs.ErrNotExist with the path", err)
	}
}
