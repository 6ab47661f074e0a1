//go:build race

package imap

// raceEnabled: the race detector reserves more address space than a memory limit allows.
const raceEnabled = true
