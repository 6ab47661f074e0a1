package seal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// maxFile is the largest keyset file read, in octets. A key takes about 250.
const maxFile = 1 << 20

// Open reads the keyset from a file in Tink's JSON form. A missing file gives an error that is fs.ErrNotExist: Create
// makes one. The file is refused when it is not a regular file, when anybody may write it but its owner, or when
// others may read it. The group may read it only where it belongs to another user than ours, which is how systemd
// credentials and Kubernetes secrets are handed to a service.
func Open(path string) (*Sealer, error) {
	s := &Sealer{path: path}
	if _, err := s.reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Create writes a new keyset with one random AES-256-GCM key and opens it. The file has mode 0600 and is on disk,
// complete, before it has its name. A file that is there already is never replaced: the error is fs.ErrExist, because
// losing a keyset loses every credential sealed with it.
func Create(path string) (*Sealer, error) {
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("seal: make a key: %w", err)
	}
	tmp, err := writeTemp(path, handle, nil)
	if err != nil {
		return nil, fmt.Errorf("seal: create keyset file %s: %w", path, err)
	}
	defer os.Remove(tmp)
	if err := os.Link(tmp, path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("seal: keyset file %s: %w: use it, or choose another name", path, fs.ErrExist)
		}
		return nil, fmt.Errorf("seal: create keyset file: %w", err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("seal: create keyset file %s: %w", path, err)
	}
	return Open(path)
}

// Rotate adds a new random key to the keyset file and makes it the primary one; values sealed with the older keys
// still open. The file is replaced in one step and keeps its owner and mode; two rotations at once follow each other.
// A Sealer that is in use seals with the older key until it meets a value of the new one or is opened again.
func Rotate(path string) (*Sealer, error) {
	// A link is followed: renaming over it would leave its target, the real keyset, behind without the new key.
	path, err := filepath.EvalSymlinks(path)
	if err != nil {
		return nil, fmt.Errorf("seal: rotate: %w", err)
	}
	// The lock is held on the folder, not on the file: the file is another one afterwards.
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("seal: rotate: %w", err)
	}
	defer dir.Close()
	if err := flock(dir); err != nil {
		return nil, fmt.Errorf("seal: rotate: lock folder %s: %w", dir.Name(), err)
	}
	handle, err := readFile(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("seal: rotate: %w", err)
	}
	manager := keyset.NewManagerFromHandle(handle)
	id, err := manager.Add(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("seal: rotate %s: make a key: %w", path, err)
	}
	if err := manager.SetPrimary(id); err != nil {
		return nil, fmt.Errorf("seal: rotate %s: %w", path, err)
	}
	if handle, err = manager.Handle(); err != nil {
		return nil, fmt.Errorf("seal: rotate %s: %w", path, err)
	}
	tmp, err := writeTemp(path, handle, info)
	if err != nil {
		return nil, fmt.Errorf("seal: rotate %s: %w", path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return nil, fmt.Errorf("seal: rotate: %w", errors.Join(err, os.Remove(tmp)))
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return nil, fmt.Errorf("seal: rotate %s: %w", path, err)
	}
	return Open(path)
}

// readFile reads a keyset in clear after looking at the mode of the file that was really opened.
func readFile(path string) (*keyset.Handle, error) {
	// O_NONBLOCK: opening a pipe by mistake must not wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("seal: keyset file: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("seal: keyset file: %w", err)
	}
	if err := checkMode(path, info); err != nil {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, fmt.Errorf("seal: keyset file: %w", err)
	}
	if len(text) == 0 || len(text) > maxFile {
		return nil, fmt.Errorf("seal: keyset file %s is not a keyset: it has %d octets, want 1 to %d", path, info.Size(), maxFile)
	}
	handle, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(text)))
	if err != nil {
		// The cause is left out: a JSON error may quote the line it stopped at, which is key material.
		return nil, fmt.Errorf("seal: keyset file %s is damaged or not a Tink keyset in JSON: restore it from a backup", path)
	}
	return handle, nil
}

func checkMode(path string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("seal: keyset file %s is not a regular file", path)
	}
	forbidden := fs.FileMode(0o077)
	if st, ok := info.Sys().(*syscall.Stat_t); ok && int(st.Uid) != os.Geteuid() {
		forbidden = 0o037
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return fmt.Errorf("seal: keyset file %s has mode %04o, so that other users can get at the keys: run chmod 600 %s", path, mode, path)
	}
	return nil
}

// writeTemp writes the keyset to a new file beside path, through to the disk, and gives its name. The file has mode
// 0600, or owner and mode of like.
func writeTemp(path string, handle *keyset.Handle, like fs.FileInfo) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return "", err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	defer func() {
		if cerr := f.Close(); err == nil {
			err = cerr
		}
	}()
	if like != nil {
		if st, ok := like.Sys().(*syscall.Stat_t); ok {
			if err := f.Chown(int(st.Uid), int(st.Gid)); err != nil {
				return "", err
			}
		}
		if err := f.Chmod(like.Mode().Perm()); err != nil {
			return "", err
		}
	}
	if err := insecurecleartextkeyset.Write(handle, keyset.NewJSONWriter(f)); err != nil {
		return "", err
	}
	return f.Name(), f.Sync()
}

// flock waits for the exclusive lock; closing the file gives it back.
func flock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// syncDir makes a new name in a folder durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
