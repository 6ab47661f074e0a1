package main

// defectWords says what a defect means for whoever reads the message. Codes that are newer than this program are told
// by their name.
func defectWords(code string) string {
	known := map[string]string{
		"READ_FAILED":          "the stored octets could not be read to their end",
		"HEADER_MISSING":       "there is no header; everything was taken for text",
		"HEADER_UNENDED":       "no empty line stands between header and text",
		"HEADER_LINE":          "a header line is no field and was left out",
		"HEADER_TOO_LONG":      "the header is too long; fields were left out",
		"HEADER_RAW_8BIT":      "the header has characters that are not encoded; a charset was assumed",
		"HEADER_SPACE":         "white space stands between a field name and its colon",
		"DUPLICATE_FIELD":      "a field stands twice; the first one counts",
		"DUPLICATE_PARAM":      "a parameter stands twice and says two things; the first one counts",
		"ENCODED_WORD":         "an encoded word cannot be decoded and was kept as it is",
		"ADDRESS_BAD":          "an address could be read in part or not at all",
		"DATE_BAD":             "the date cannot be read",
		"DATE_MISSING":         "there is no date",
		"FROM_MISSING":         "there is no sender",
		"MESSAGE_ID_BAD":       "the Message-ID is not of the usual form",
		"CONTENT_TYPE_BAD":     "the type of a part cannot be read; it was taken for text or octets",
		"ENCODING_UNKNOWN":     "the transfer encoding is not known",
		"ENCODING_FORBIDDEN":   "a part with parts inside declares an encoding that it may not have",
		"BASE64_JUNK":          "octets that are not base64 were left out",
		"BASE64_PADDING":       "the end of a base64 part is missing",
		"BASE64_TRAILING":      "text behind the end of base64 was left out",
		"BASE64_NONE":          "a part says that it is base64 and is not; it was kept as it is",
		"QUOTED_PRINTABLE_BAD": "quoted-printable is broken in places, which were kept as they are",
		"CHARSET_UNKNOWN":      "the declared charset is not known; another was assumed",
		"CHARSET_WRONG":        "the text has octets that its charset does not have",
		"BOUNDARY_MISSING":     "a multipart declares no boundary",
		"BOUNDARY_BAD":         "a boundary is not of the usual form",
		"BOUNDARY_REUSED":      "a boundary is that of a multipart around it, too",
		"BOUNDARY_GUESSED":     "a line was taken for a boundary that is not the declared one",
		"BOUNDARY_NEVER_SEEN":  "a multipart has no parts; it was read as text",
		"MULTIPART_UNCLOSED":   "the end of a multipart is missing; the last part may be cut",
		"EPILOGUE_TEXT":        "there is text behind the end, which is not shown",
		"PART_AFTER_CLOSE":     "there are parts behind the end, which were read all the same",
		"TOO_DEEP":             "parts are nested too deeply; what lies further inside is one part",
		"TOO_MANY_PARTS":       "there are too many parts; the rest is one part",
		"FILENAME_UNSAFE":      "a file name holds a path, or characters that hide what it is",
		"FILENAME_CONFLICT":    "a file has two names; that of Content-Disposition counts",
		"TOO_MANY_ADDRESSES":   "there are too many addresses; the rest was left out",
		"TOO_MANY_IDENTIFIERS": "there are too many message ids; the rest was left out",
		"NUL_REMOVED":          "NUL characters were removed",
	}
	if text, ok := known[code]; ok {
		return text
	}
	return words(code)
}
