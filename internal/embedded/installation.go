package embedded

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// installation is a set of Postgres programs.
type installation struct {
	bin     string // folder of initdb and postgres, links resolved
	version string // "15.18"
}

// major is what a data directory calls the version: "15", or "9.6" before 10.
func (i installation) major() string {
	parts := strings.Split(i.version, ".")
	if len(parts) > 1 && len(parts[0]) == 1 {
		return parts[0] + "." + parts[1]
	}
	return parts[0]
}

const debianRoot = "/usr/lib/postgresql"

// findInstallation returns the programs to use: those in bin if it is named, else the ones that wrote the data (want is
// its major version, or empty), else the first found. If only other versions exist it returns one of those.
func findInstallation(ctx context.Context, bin, want string) (installation, error) {
	var dirs []string
	if bin != "" {
		dirs = []string{bin}
	} else {
		if path, err := exec.LookPath("postgres"); err == nil {
			dirs = append(dirs, filepath.Dir(path))
		}
		dirs = append(dirs, versionedDirs(debianRoot)...)
	}
	var first installation
	var trouble []error
	for _, d := range dirs {
		i, err := inspect(ctx, d)
		if err != nil {
			trouble = append(trouble, err)
			continue
		}
		if want == "" || i.major() == want {
			return i, nil
		}
		if first.bin == "" {
			first = i
		}
	}
	if first.bin != "" {
		return first, nil
	}
	where := "PATH and " + debianRoot
	if bin != "" {
		where = bin
	}
	err := fmt.Errorf("%w: looked in %s; on Debian and Ubuntu: apt-get install -y postgresql", ErrNotInstalled, where)
	if len(trouble) > 0 {
		err = fmt.Errorf("%w (%w)", err, errors.Join(trouble...))
	}
	return installation{}, err
}

// inspect resolves links, for postgres finds its libraries and initdb finds postgres beside the real file, and asks for
// the version.
func inspect(ctx context.Context, dir string) (installation, error) {
	real, err := filepath.EvalSymlinks(filepath.Join(dir, "postgres"))
	if err != nil {
		return installation{}, err
	}
	bin := filepath.Dir(real)
	if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
		return installation{}, fmt.Errorf("%s has postgres without initdb: %w", bin, err)
	}
	out, err := exec.CommandContext(ctx, real, "--version").Output()
	if err != nil {
		return installation{}, fmt.Errorf("%s --version: %w", real, err)
	}
	version := regexp.MustCompile(`\d+(\.\d+)*`).FindString(string(out))
	if version == "" {
		return installation{}, fmt.Errorf("%s --version says %q", real, out)
	}
	return installation{bin: bin, version: version}, nil
}

// versionedDirs returns root/*/bin, newest version first; 9.6 is older than 15.
func versionedDirs(root string) []string {
	dirs, _ := filepath.Glob(filepath.Join(root, "*", "bin"))
	number := func(dir string) float64 {
		n, _ := strconv.ParseFloat(filepath.Base(filepath.Dir(dir)), 64)
		return n
	}
	slices.SortFunc(dirs, func(a, b string) int { return cmp.Compare(number(b), number(a)) })
	return dirs
}
