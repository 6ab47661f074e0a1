//go:build unix && !linux

package mailtest

import "syscall"

// dieWithParent is a wish that only Linux grants.
func dieWithParent(*syscall.SysProcAttr, syscall.Signal) {}
