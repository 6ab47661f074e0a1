package relay

import (
	"slices"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// cutter shortens what senders can make long in an event, wherever it stands, and keeps the names of the fields that it
// shortened: "to", "rfc.subject". A list is named for what was cut in its entries, too. What was cut can be cut again by
// tighter limits.
type cutter struct {
	list, text int // entries of a list, characters of a string
	truncated  []string
}

// kept are fields that are bounded already, or that an event is useless without.
func kept(field string) bool {
	switch field {
	case "message", "email_channel", "sequence", "source", "sha256", "times", "preview", "truncated", "parser_version":
		return true
	}
	return false
}

// message cuts the fields of m, whose path is prefix, in the order of their numbers, so that equal events are cut alike.
func (k *cutter) message(m protoreflect.Message, prefix string) {
	fields := m.Descriptor().Fields()
	for i := range fields.Len() {
		fd := fields.Get(i)
		path := string(fd.Name())
		if prefix == "" && kept(path) || !m.Has(fd) {
			continue
		}
		if prefix != "" {
			path = prefix + "." + path
		}
		switch {
		case fd.IsList():
			k.entries(m.Mutable(fd).List(), fd, path)
		case fd.Kind() == protoreflect.MessageKind:
			k.message(m.Mutable(fd).Message(), path)
		case fd.Kind() == protoreflect.StringKind:
			m.Set(fd, protoreflect.ValueOfString(k.string(path, m.Get(fd).String())))
		}
	}
}

// entries cuts a list. References keep the first one, which names the thread, and the last ones, which name the parents
// (RFC 5322 §3.6.4).
func (k *cutter) entries(list protoreflect.List, fd protoreflect.FieldDescriptor, path string) {
	if n := list.Len(); n > k.list {
		k.note(path)
		if path == "rfc.references" {
			for i := 1; i < k.list; i++ {
				list.Set(i, list.Get(n-k.list+i))
			}
		}
		list.Truncate(k.list)
	}
	for i := range list.Len() {
		switch fd.Kind() {
		case protoreflect.StringKind:
			list.Set(i, protoreflect.ValueOfString(k.string(path, list.Get(i).String())))
		case protoreflect.MessageKind:
			inner := cutter{list: k.list, text: k.text}
			inner.message(list.Get(i).Message(), path)
			if len(inner.truncated) > 0 {
				k.note(path)
			}
		}
	}
}

func (k *cutter) string(path, s string) string {
	short := clean(s, k.text)
	if len(short) < len(s) {
		k.note(path)
	}
	return short
}

// note records once that a field was cut.
func (k *cutter) note(path string) {
	if !slices.Contains(k.truncated, path) {
		k.truncated = append(k.truncated, path)
	}
}
