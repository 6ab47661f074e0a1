package tnef

// The levels of attributes, [MS-OXTNEF] 2.1.3.2.
const (
	levelMessage    = 1
	levelAttachment = 2
)

// maxType is the largest type of attributes, [MS-OXTNEF] 2.1.3.4.
const maxType = 9

// The attributes that are read, [MS-OXTNEF] 2.1.3.3: the type stands in the high half.
const (
	attOemCodepage = 0x00069007
	attMsgProps    = 0x00069003
	attBody        = 0x0002800c
	attRenddata    = 0x00069002 // begins an attachment
	attTitle       = 0x00018010 // file name, 8-bit
	attData        = 0x0006800f
	attProps       = 0x00069005 // of an attachment
)

// attributes tells whether an attribute is known, and whether its value may be long.
func attributes(id uint32) (bulky, known bool) {
	switch id {
	case attMsgProps, attBody, attData, attProps,
		0x00068011, // attAttachMetaFile
		0x00069004, // attRecipTable
		0x00069001, // attAttachTransportFilename
		0x00068007: // attMessageStatus and old writers' data
		return true, true
	case attOemCodepage, attRenddata, attTitle,
		0x00089006, // attTnefVersion
		0x00078008, // attMessageClass
		0x00070006, // attOriginalMessageClass
		0x00008000, // attFrom
		0x00060000, // attOwner
		0x00060001, // attSentFor
		0x00060002, // attDelegate
		0x00030006, // attDateStart of old writers
		0x00030007, // attDateEnd of old writers
		0x00040008, // attAidOwner of old writers
		0x00040009, // attRequestRes
		0x00018004, // attSubject
		0x00038005, // attDateSent
		0x00038006, // attDateRecd
		0x00018009, // attMessageID
		0x0001800a, // attParentID
		0x0001800b, // attConversationID
		0x0004800d, // attPriority
		0x00038012, // attAttachCreateDate
		0x00038013, // attAttachModifyDate
		0x00038020: // attDateModified
		return false, true
	}
	return false, false
}
