package embedded

import (
	"io"
	"os"
	"strings"
)

// maxLog is the size in octets beyond which a start puts the old log aside.
const maxLog = 16 << 20

func openLog(name string) (*os.File, error) {
	if fi, err := os.Stat(name); err == nil && fi.Size() > maxLog {
		if err := os.Rename(name, name+".1"); err != nil {
			return nil, err
		}
	}
	return os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
}

// logSince returns at most the last 64 KiB of what was logged after mark.
func logSince(name string, mark int64) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 64 << 10
	if fi, err := f.Stat(); err == nil && fi.Size()-mark > most {
		mark = fi.Size() - most
	}
	raw, _ := io.ReadAll(io.NewSectionReader(f, mark, most))
	return string(raw)
}

func lastLines(s string, n int) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	return strings.Join(lines, "\n")
}
