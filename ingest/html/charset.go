package html

import "bytes"

// MetaCharset finds the charset that an HTML page declares in its first 4 KiB.
func MetaCharset(raw []byte) string {
	head := bytes.ToLower(raw[:min(len(raw), 4<<10)])
	for {
		i := bytes.Index(head, []byte("<meta"))
		if i < 0 {
			return ""
		}
		head = head[i+len("<meta"):]
		tag := head
		if j := bytes.IndexByte(tag, '>'); j >= 0 {
			tag = tag[:j]
		}
		if j := bytes.Index(tag, []byte("charset=")); j >= 0 {
			value := bytes.TrimLeft(tag[j+len("charset="):], "\"' ")
			if k := bytes.IndexAny(value, "\"' ;/"); k >= 0 {
				value = value[:k]
			}
			return string(value)
		}
	}
}
