package main

import "syscall"

// dieWithParent makes the kernel kill the child when this process dies, even by SIGKILL: prctl(2), PR_SET_PDEATHSIG.
func dieWithParent(attr *syscall.SysProcAttr) { attr.Pdeathsig = syscall.SIGKILL }
