package mailtest

import "syscall"

// dieWithParent makes the kernel send sig to the child when its parent dies, even by SIGKILL: prctl(2), PR_SET_PDEATHSIG.
func dieWithParent(attr *syscall.SysProcAttr, sig syscall.Signal) { attr.Pdeathsig = sig }
