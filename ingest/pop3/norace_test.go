//go:build !race

package pop3

const raceDetector = false
