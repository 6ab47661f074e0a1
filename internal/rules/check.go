package rules

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Report is what Check found.
type Report struct {
	// Broken are the rules that are broken: file, line, what is wrong and what to do.
	Broken []string
	// Unused are rows without a package, which a row may wait for, and owners that do not import what they own.
	Unused []string
}

// Check parses every Go file below root, which holds a module named module, whatever its build tags, and compares it
// with the table. Folders named testdata, those that begin with a dot or an underscore, and nested modules are left
// out. The error is for a tree that cannot be read or parsed.
func Check(root fs.FS, module string, table Table) (Report, error) {
	c := &checker{root: root, module: module, table: table, seen: map[string]bool{}}
	if err := fs.WalkDir(root, ".", c.visit); err != nil {
		return Report{}, err
	}
	var unused []string
	for name := range table.Packages {
		if !c.seen[name] {
			unused = append(unused, "package "+name+" has a row and no files")
		}
	}
	for prefix, owners := range table.Libraries {
		for _, owner := range owners {
			if c.seen[owner] && !c.seen[prefix+" "+owner] {
				unused = append(unused, "package "+owner+" may import "+prefix+" and does not")
			}
		}
	}
	slices.Sort(c.broken)
	slices.Sort(unused)
	return Report{Broken: slices.Compact(c.broken), Unused: unused}, nil
}

type checker struct {
	root   fs.FS
	module string
	table  Table
	fset   token.FileSet
	broken []string
	seen   map[string]bool // packages, and "library package" pairs outside tests
}

func (c *checker) visit(name string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	base := path.Base(name)
	if d.IsDir() {
		if name == "." {
			return nil
		}
		if base == "testdata" || base[0] == '.' || base[0] == '_' {
			return fs.SkipDir
		}
		if _, err := fs.Stat(c.root, name+"/go.mod"); !errors.Is(err, fs.ErrNotExist) {
			return cmp.Or(err, fs.SkipDir)
		}
		return nil
	}
	if path.Ext(base) != ".go" || base[0] == '.' || base[0] == '_' {
		return nil
	}
	src, err := fs.ReadFile(c.root, name)
	if err != nil {
		return err
	}
	tree, err := parser.ParseFile(&c.fset, name, src, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	pkg := path.Dir(name)
	c.seen[pkg] = true
	row, ok := c.table.Packages[pkg]
	if !ok {
		c.fail(tree.Package, "package %s has no row in internal/rules/tables.go: give it a floor there, or put the code into a package that has one", pkg)
		return nil
	}
	f := &file{checker: c, tree: tree, pkg: pkg, row: row, test: strings.HasSuffix(base, "_test.go")}
	f.imports()
	f.code()
	return nil
}

// fail records a broken rule at a place.
func (c *checker) fail(pos token.Pos, format string, args ...any) {
	at := c.fset.Position(pos)
	c.broken = append(c.broken, fmt.Sprintf("%s:%d: ", at.Filename, at.Line)+fmt.Sprintf(format, args...))
}

// file is one parsed file of a package that has a row.
type file struct {
	*checker
	tree *ast.File
	pkg  string
	row  Row
	test bool
}

func (f *file) imports() {
	for _, spec := range f.tree.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			f.fail(spec.Pos(), "import path %s cannot be read: %v", spec.Path.Value, err)
			continue
		}
		if spec.Name != nil && spec.Name.Name == "." {
			f.fail(spec.Pos(), "dot import of %s hides where names come from: import it by its name", name)
		}
		first, _, _ := strings.Cut(name, "/")
		switch {
		case name == f.module || strings.HasPrefix(name, f.module+"/"):
			f.project(spec, strings.TrimPrefix(strings.TrimPrefix(name, f.module), "/"))
		case name == "C":
			f.fail(spec.Pos(), "cgo is not allowed: the released binary is static")
		case strings.Contains(first, "."):
			f.library(spec, name)
		default:
			f.standard(spec, name)
		}
	}
}

// project judges an import of one of our own packages.
func (f *file) project(spec *ast.ImportSpec, name string) {
	if name == f.pkg {
		return // an external test imports what it tests
	}
	to, ok := f.table.Packages[name]
	switch {
	case !ok:
		f.fail(spec.Pos(), "package %s has no row in internal/rules/tables.go: give it a floor there", name)
	case f.test:
		if to.Floor > f.row.Floor && f.row.Floor != Help {
			f.fail(spec.Pos(), "a test of %s (floor %d) imports %s (floor %d): a test that needs what lies above belongs up there", f.pkg, f.row.Floor, name, to.Floor)
		}
	case f.row.Std:
		f.fail(spec.Pos(), "%s imports %s: it may import the standard library alone", f.pkg, name)
	case to.TestsAlone:
		f.fail(spec.Pos(), "%s imports %s, which is for tests alone: move the import to a _test.go file", f.pkg, name)
	case f.row.Floor == Help:
		if to.Floor > 3 {
			f.fail(spec.Pos(), "%s imports %s: nothing imports a command; move what is needed to a package below", f.pkg, name)
		}
	case to.Floor == Help:
		if f.row.Floor != 4 {
			f.fail(spec.Pos(), "%s imports %s, which is for cmd and tests: hand it over in cmd as a value or an interface", f.pkg, name)
		}
	case to.Floor > f.row.Floor, to.Floor == f.row.Floor && !slices.Contains(f.row.Beside, name):
		f.fail(spec.Pos(), "%s (floor %d) imports %s (floor %d): imports go down only; declare an interface here and let cmd hand the value over", f.pkg, f.row.Floor, name, to.Floor)
	case f.row.Only != nil && to.Floor >= 2 && !slices.Contains(f.row.Only, name):
		f.fail(spec.Pos(), "%s imports %s: of its neighbours it may know %s alone; go through them or declare an interface and let cmd hand the value over",
			f.pkg, name, strings.Join(f.row.Only, " and "))
	}
}

// library judges an import of another module.
func (f *file) library(spec *ast.ImportSpec, name string) {
	prefix, owners, ok := f.owners(name)
	switch {
	case !ok:
		f.fail(spec.Pos(), "%s is of a module without an owner: name its owner in internal/rules/tables.go and its reason in ARCHITECTURE.md, or do without it", name)
	case slices.Contains(owners, f.pkg):
		if !f.test {
			f.seen[prefix+" "+f.pkg] = true
		}
	case f.test && (owners == nil || slices.Contains(f.table.InTests[prefix], f.pkg)):
	case owners == nil:
		f.fail(spec.Pos(), "%s imports %s, which is for test files alone", f.pkg, name)
	default:
		f.fail(spec.Pos(), "%s imports %s, which belongs to %s: ask that package for what is needed instead", f.pkg, name, strings.Join(owners, ", "))
	}
}

// owners finds the longest row whose prefix ends at a segment of the import path.
func (f *file) owners(name string) (prefix string, owners []string, ok bool) {
	for prefix = name; prefix != "."; prefix = path.Dir(prefix) {
		if owners, ok = f.table.Libraries[prefix]; ok {
			return prefix, owners, true
		}
	}
	return "", nil, false
}

// standard judges an import of the standard library.
func (f *file) standard(spec *ast.ImportSpec, name string) {
	if f.test {
		return
	}
	if name == "flag" && f.readsNoEnvironment() {
		f.fail(spec.Pos(), "%s imports flag: only cmd reads the command line; make it a field that cmd sets", f.pkg)
	}
	if f.row.Pure && slices.Contains([]string{"net", "net/http", "os", "os/exec", "syscall"}, name) {
		f.fail(spec.Pos(), "%s imports %s: it works on values alone; do the input and output in the package that calls it", f.pkg, name)
	}
}

// readsNoEnvironment is true for all but cmd and the helpers of cmd and tests.
func (f *file) readsNoEnvironment() bool { return f.row.Floor != 4 && f.row.Floor != Help }
