package html

type vector struct{ name, in string }

func vectors() []vector { return nil }
