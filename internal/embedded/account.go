package embedded

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the user that Postgres runs as. The zero value is this process' own; root needs another one, for Postgres
// refuses to run as root.
type account struct {
	name string
	cred *syscall.Credential
}

// chooseAccount keeps this process' user unless that is root. Root becomes the owner of existing data, else the user
// postgres, else nobody.
func chooseAccount(data string) (account, error) {
	owner := uint32(os.Geteuid())
	fi, err := os.Stat(data)
	exists := err == nil
	if exists {
		owner = fi.Sys().(*syscall.Stat_t).Uid
	}
	if os.Geteuid() != 0 {
		if exists && int(owner) != os.Geteuid() {
			return account{}, fmt.Errorf("%s belongs to uid %d and this process is uid %d: run as that user or name another data folder", data, owner, os.Geteuid())
		}
		return account{}, nil
	}
	if exists && owner != 0 {
		u, err := user.LookupId(strconv.Itoa(int(owner)))
		if err != nil {
			u = &user.User{Username: "uid " + strconv.Itoa(int(owner)), Uid: strconv.Itoa(int(owner)),
				Gid: strconv.Itoa(int(fi.Sys().(*syscall.Stat_t).Gid))}
		}
		return accountOf(u)
	}
	for _, name := range []string{"postgres", "nobody"} {
		if u, err := user.Lookup(name); err == nil {
			return accountOf(u)
		}
	}
	return account{}, errors.New("postgres refuses to run as root, and there is neither a user postgres nor nobody to run it as")
}

func accountOf(u *user.User) (account, error) {
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	if err := errors.Join(err1, err2); err != nil {
		return account{}, err
	}
	return account{name: u.Username, cred: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
}

// own hands a file to the account.
func (a account) own(path string) error {
	if a.cred == nil {
		return nil
	}
	return os.Lchown(path, int(a.cred.Uid), int(a.cred.Gid))
}

// command prepares a program run by the account in dir, with an environment that cannot change what Postgres does.
func (a account) command(ctx context.Context, dir, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.Env = []string{"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "LC_ALL=C.UTF-8", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: a.cred}
	return cmd
}

// canReach starts a harmless program in dir as the account: only the kernel knows all the rules. When that is refused
// it looks for the folder to name.
func (a account) canReach(ctx context.Context, inst installation, dir string) error {
	if a.cred == nil {
		return nil
	}
	out, err := a.command(ctx, dir, filepath.Join(inst.bin, "postgres"), "--version").CombinedOutput()
	if err == nil {
		return nil
	}
	if !errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("%s --version as user %s: %w: %s", inst.bin, a.name, err, out)
	}
	for _, parent := range parents(dir) {
		fi, statErr := os.Stat(parent)
		if statErr == nil && !a.mayEnter(fi) {
			return fmt.Errorf("%w: Postgres runs as user %s, which may not enter %s (mode %04o); run: chmod o+x %s, or name another data folder",
				ErrUnreachableDir, a.name, parent, fi.Mode().Perm(), parent)
		}
	}
	return fmt.Errorf("%w: Postgres runs as user %s, which may not enter %s: %w", ErrUnreachableDir, a.name, dir, err)
}

// mayEnter reads the mode bits: search permission of owner, group or others, whichever applies.
func (a account) mayEnter(fi fs.FileInfo) bool {
	st := fi.Sys().(*syscall.Stat_t)
	shift := 0
	switch {
	case st.Uid == a.cred.Uid:
		shift = 6
	case st.Gid == a.cred.Gid:
		shift = 3
	}
	return fi.Mode().Perm()>>shift&1 == 1
}

// parents are the folders from the root down to dir itself.
func parents(dir string) []string {
	var all []string
	for d := dir; ; d = filepath.Dir(d) {
		all = append([]string{d}, all...)
		if d == filepath.Dir(d) {
			return all
		}
	}
}
