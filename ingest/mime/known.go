package mime

// KnownCharset reports whether text can be decoded from the charset of this name, so that it may be an
// Options.FallbackCharset.
func KnownCharset(name string) bool {
	_, ok := lookup(name)
	return ok
}
