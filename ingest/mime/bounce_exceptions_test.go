package mime

// bounceExceptions are the places where we differ from Sisimai.
func bounceExceptions() map[string]string { return nil }
