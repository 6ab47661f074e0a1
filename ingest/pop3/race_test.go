//go:build race

package pop3

// raceDetector needs terabytes of address space, which no limit on it survives.
const raceDetector = true
