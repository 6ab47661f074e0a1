package rules

import (
	"go/ast"
	"path"
	"slices"
	"strconv"
)

// ambient are functions and variables of the process as a whole, which only cmd may use.
var ambient = map[string][]string{
	"os":      {"Getenv", "LookupEnv", "Environ", "ExpandEnv", "Setenv", "Unsetenv", "Clearenv", "Exit", "Args"},
	"syscall": {"Getenv", "Environ", "Setenv", "Unsetenv", "Clearenv", "Exit"},
	"log":     {"Fatal", "Fatalf", "Fatalln"},
}

// code judges what stands below the imports: init functions, use of environment and exit, goroutines, sleeps.
// Generated files are free in this, test files in all but sleeping.
func (f *file) code() {
	if ast.IsGenerated(f.tree) {
		return
	}
	f.sleeps()
	if f.test {
		return
	}
	for _, decl := range f.tree.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			f.fail(fn.Pos(), "func init runs wherever the package is imported: make it a constructor that cmd calls")
		}
	}
	names := f.importNames()
	ast.Inspect(f.tree, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.GoStmt:
			if f.row.Pure {
				f.fail(n.Pos(), "%s starts a goroutine: it works on values alone; whoever calls it may do so", f.pkg)
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			if ok && f.readsNoEnvironment() && slices.Contains(ambient[names[x.Name]], n.Sel.Name) {
				f.fail(n.Pos(), "%s uses %s.%s: only cmd reads the environment or ends the process; take the value as a field, give back an error", f.pkg, x.Name, n.Sel.Name)
			}
		}
		return true
	})
}

// sleeps finds waits that nothing can end. In a bubble of testing/synctest a sleep takes no time and is how time
// passes; a helper of tests may have to ask a foreign server again and again that offers no signal.
func (f *file) sleeps() {
	names := f.importNames()
	if _, ok := names["synctest"]; ok && f.test || f.row.Floor == Help && !f.test {
		return
	}
	ast.Inspect(f.tree, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
			if x, ok := sel.X.(*ast.Ident); ok && names[x.Name] == "time" {
				f.fail(n.Pos(), "time.Sleep cannot be woken: wait for a channel, or for a timer and ctx.Done(); in tests for a signal, or use testing/synctest")
			}
		}
		return true
	})
}

// importNames maps the names by which the file knows packages to their import paths.
func (f *file) importNames() map[string]string {
	names := map[string]string{}
	for _, spec := range f.tree.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			continue // reported with the imports
		}
		name := path.Base(p)
		if spec.Name != nil {
			name = spec.Name.Name
		}
		names[name] = p
	}
	return names
}
