//go:build unix && !linux

package embedded

import "syscall"

// dieWithParent is a wish that only Linux grants. Elsewhere a killed parent leaves its Postgres running; the next start
// says so.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
