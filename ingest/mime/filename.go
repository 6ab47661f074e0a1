package mime

import "strings"

// filename is the name of a part as the sender gave it: filename*, filename, name*, name. Control characters are taken out,
// a path in it is not.
func (w *walker) filename(path string, e *entity) string {
	raw := w.nameParam(e.dispParams, "filename")
	other := w.nameParam(e.params, "name")
	switch {
	case raw == "":
		raw = other
	case other != "" && other != raw:
		w.defect(FilenameConflict, path, other)
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0:
			return -1
		}
		return r
	}, raw)
	if name != raw || strings.ContainsFunc(name, isHarmful) {
		w.defect(FilenameUnsafe, path, name)
	}
	return shortenName(strings.TrimSpace(name), maxFilename)
}

// nameParam is a file name among parameters, decoded by RFC 2231 or, as many senders do, RFC 2047.
func (w *walker) nameParam(list params, name string) string {
	fallback := func(raw []byte) string { return w.headerText(string(raw), "") }
	v, ok := list.extended(name, fallback)
	if !ok {
		v = fallback([]byte(list.get(name)))
	}
	return clean(v)
}

// isHarmful tells characters that lead a file name elsewhere or show it as another: separators and directions.
func isHarmful(r rune) bool {
	return r == '/' || r == '\\' || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 || r == 0x200e || r == 0x200f
}

// SafeName makes of Part.Filename a name that a file can be stored under in a directory of one's own: separators become
// underscores, control and direction characters go, at most 255 octets are left and the extension among them. It is
// empty where the part has no name.
func SafeName(filename string) string {
	name := strings.Map(func(r rune) rune {
		switch {
		case r == '/' || r == '\\':
			return '_'
		case r == '\t' || r == '\n' || r == '\r':
			return ' '
		case r < 0x20 || r >= 0x7f && r < 0xa0 || isHarmful(r):
			return -1
		}
		return r
	}, clean(filename))
	name = strings.TrimSpace(name)
	if strings.Trim(name, ".") == "" && name != "" {
		return "_"
	}
	return shortenName(name, maxSafeName)
}

// shortenName cuts a name to n octets. The extension says what the file is; it stays.
func shortenName(name string, n int) string {
	if len(name) <= n {
		return name
	}
	const longestExtension = 20
	ext := ""
	if i := strings.LastIndexByte(name, '.'); i >= 0 && len(name)-i <= longestExtension {
		ext = name[i:]
	}
	return shorten(name, n-len(ext)) + ext
}
