package mime

// The defects. A code is stored and shown; it is never renamed. Where is a part path, a header field, or empty for the
// message as a whole.
const (
	ReadFailed         = "READ_FAILED"          // the octets could not be read to their end
	HeaderMissing      = "HEADER_MISSING"       // no header; everything is body
	HeaderUnended      = "HEADER_UNENDED"       // no empty line between header and body
	HeaderLine         = "HEADER_LINE"          // a header line that is no field; left out
	HeaderTooLong      = "HEADER_TOO_LONG"      // fields beyond the limit were left out
	HeaderRaw8Bit      = "HEADER_RAW_8BIT"      // octets beyond ASCII, not UTF-8; a charset was assumed
	HeaderSpace        = "HEADER_SPACE"         // white space between a field name and its colon
	EnvelopeLine       = "ENVELOPE_LINE"        // an mbox From_ line before the header
	BareCR             = "BARE_CR"              // lines end with CR alone; in a header where lines end otherwise it is white space
	LinesMixed         = "LINES_MIXED"          // some lines of a header end with CRLF, others with LF; both count
	DuplicateField     = "DUPLICATE_FIELD"      // the first one counts
	DuplicateParam     = "DUPLICATE_PARAM"      // a parameter stands twice and says two things; the first one counts
	CommentRemoved     = "COMMENT_REMOVED"      // a comment in Content-Type or Content-Disposition
	EncodedWord        = "ENCODED_WORD"         // an encoded word in a charset that is not known; another was assumed
	AddressBad         = "ADDRESS_BAD"          // an address that could be read in part or not at all
	DateBad            = "DATE_BAD"             // a date that cannot be read
	DateMissing        = "DATE_MISSING"         // no Date, RFC 5322 §3.6 requires one
	FromMissing        = "FROM_MISSING"         // no From, RFC 5322 §3.6 requires one
	MessageIDBad       = "MESSAGE_ID_BAD"       // not of the form <left@right>
	ContentTypeBad     = "CONTENT_TYPE_BAD"     // no type/subtype; taken for text/plain or octets
	EncodingUnknown    = "ENCODING_UNKNOWN"     // Content-Transfer-Encoding unknown or misspelt; see text
	EncodingForbidden  = "ENCODING_FORBIDDEN"   // base64 or quoted-printable on a multipart, RFC 2045 §6.4, where it is ignored, or on a message, which is decoded
	Base64Junk         = "BASE64_JUNK"          // octets that are not base64 were left out
	Base64Padding      = "BASE64_PADDING"       // the last group is not complete
	Base64Trailing     = "BASE64_TRAILING"      // text behind the end of base64 was left out
	Base64None         = "BASE64_NONE"          // declared as base64 but plain; kept as it is
	QuotedPrintableBad = "QUOTED_PRINTABLE_BAD" // an equals sign that encodes nothing; kept as it is
	CharsetUnknown     = "CHARSET_UNKNOWN"      // the declared charset is not known; another was assumed
	CharsetWrong       = "CHARSET_WRONG"        // octets that the declared charset does not have
	BoundaryMissing    = "BOUNDARY_MISSING"     // a multipart that declares no usable boundary
	BoundaryBad        = "BOUNDARY_BAD"         // not as RFC 2046 §5.1.1 has it, or encoded; taken as it is
	BoundaryReused     = "BOUNDARY_REUSED"      // of a multipart around it; the innermost counts
	BoundaryGuessed    = "BOUNDARY_GUESSED"     // a line was taken for a boundary that is not the declared one
	BoundaryNeverSeen  = "BOUNDARY_NEVER_SEEN"  // a multipart without any part; read as text
	PreambleLong       = "PREAMBLE_LONG"        // too much before the first boundary to be a preamble; read as a part
	MultipartUnclosed  = "MULTIPART_UNCLOSED"   // no closing boundary; the last part may be cut
	EpilogueText       = "EPILOGUE_TEXT"        // text behind the closing boundary; not shown
	PartAfterClose     = "PART_AFTER_CLOSE"     // parts behind the closing boundary; read as if it were not there
	TooDeep            = "TOO_DEEP"             // nested beyond the limit; one opaque part
	TooManyParts       = "TOO_MANY_PARTS"       // the rest is one opaque part
	Uuencoded          = "UUENCODED"            // a uuencoded file in text; it is a part as well, and the text goes without it
	UuencodeUnended    = "UUENCODE_UNENDED"     // a uuencoded file that has no last line; it may be cut
	TNEF               = "TNEF"                 // a winmail.dat; what lies in it is listed behind it
	TNEFDamaged        = "TNEF_DAMAGED"         // what can be read of a winmail.dat is listed
	SMIMEDamaged       = "SMIME_DAMAGED"        // what can be read of a signed message is read
	FilenameUnsafe     = "FILENAME_UNSAFE"      // a path, control or direction characters in a file name
	FilenameConflict   = "FILENAME_CONFLICT"    // Content-Disposition and Content-Type name a file differently; the former counts
	TooManyAddresses   = "TOO_MANY_ADDRESSES"   // addresses of one field were left out
	TooManyIdentifiers = "TOO_MANY_IDENTIFIERS" // identifiers were left out
	NulRemoved         = "NUL_REMOVED"          // NUL characters in text or in a header
)
