package tnef

import "strings"

// messageID is the interface identifier of an attached message, IID_IMessage ([MS-OXTNEF] 2.1.3.5.1), as it is sent.
const messageID = "\x07\x03\x02\x00\x00\x00\x00\x00\xc0\x00\x00\x00\x00\x00\x00\x46"

// attachment is what is known of one.
type attachment struct {
	d       *Decoder
	hasData bool
	begun   bool
	closed  bool // it has its data; more of it is another form of the same
	kind    Kind

	title, short, long, display string // names
	contentType, contentID      string
	inline                      bool
}

// openAttachment begins an attachment if none is open.
func (d *Decoder) openAttachment() {
	if !d.attached {
		d.attached, d.attachment = true, attachment{d: d}
	}
}

// endAttachment ends the attachment that is open. One that has a name and no data is a link, or its data was lost.
func (d *Decoder) endAttachment() {
	if !d.attached {
		return
	}
	d.attached = false
	a := &d.attachment
	name := a.name()
	if !a.begun {
		if !a.hasData && name == "" {
			return
		}
		d.to.Begin(a.kind)
	}
	d.to.End(Object{Kind: a.kind, Name: name, ContentType: a.contentType, ContentID: a.contentID, Inline: a.inline})
}

// name is the best one. The title and the short name may be of the 8.3 form; what is displayed is the subject of a
// message, and of a file often what it is about.
func (a *attachment) name() string {
	names := []string{a.long, a.title, a.short, a.display}
	if a.kind == Message {
		names = []string{a.display, a.long, a.title, a.short}
	}
	for _, s := range names {
		if s = strings.TrimSpace(s); s != "" {
			return s
		}
	}
	return ""
}

// object takes the interface identifier of data that is an object. That of a message is dropped, so that a stream is
// left; that of other objects stays, since nobody but its application reads them.
func (a *attachment) object(id []byte) {
	if string(id) == messageID && !a.begun {
		a.kind = Message
		return
	}
	a.octets(id)
}

// octets takes data of the attachment.
func (a *attachment) octets(p []byte) {
	a.hasData = true
	if len(p) == 0 || a.closed {
		return
	}
	if !a.begun {
		a.begun = true
		a.d.to.Begin(a.kind)
	}
	a.d.to.Octets(p)
}

// endData says that one form of the data is over.
func (a *attachment) endData() {
	a.hasData = true
	a.closed = a.begun
}
