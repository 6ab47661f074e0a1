//go:build race

package mime

// raceEnabled says that the race detector slows the tests down; assembly such as SHA-256 stays as fast as it is, so that
// ratios shift.
const raceEnabled = true
