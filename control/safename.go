package control

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/mailintake/mailintake/ingest"
)

// maxFilename is how long a file name may be, in octets, on the usual file systems.
const maxFilename = 255

// SafeFilename is a name that a part can be saved under, wherever that is: never empty, one path element, nothing hidden
// or reserved, nothing that shows as another name than it is.
func SafeFilename(p ingest.Part) string {
	stem, extension := cutExtension(visible(p.Filename))
	if stem == "" {
		stem = "attachment"
		if extension == "" {
			extension = extensionOf(p.ContentType)
		}
	}
	if reserved(stem) {
		stem = "_" + stem
	}
	if limit := maxFilename - len(extension); len(stem) > limit {
		for !utf8.RuneStart(stem[limit]) {
			limit--
		}
		stem = strings.TrimRight(stem[:limit], " .")
	}
	return stem + extension
}

// visible leaves the characters of a file name that are what they seem. Separators of paths and what Windows forbids
// become underscores; blanks and dots at the ends go, since Windows drops them and Unix hides what begins with a dot; a
// hyphen at the start would be an option to many commands.
func visible(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError, unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs):
			return -1 // among them those that turn the direction: a name that ends in "gpj.exe" must not read "exe.jpg"
		case strings.ContainsRune(`/\:*?"<>|`, r):
			return '_'
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	name = strings.Trim(strings.Join(strings.Fields(name), " "), " .")
	if rest, ok := strings.CutPrefix(name, "-"); ok {
		name = "_" + rest
	}
	return name
}

// cutExtension cuts a name before its last dot. What is too long or too odd to be an extension stays in the stem.
func cutExtension(name string) (stem, extension string) {
	i := strings.LastIndexByte(name, '.')
	if i < 0 || len(name)-i > 20 || strings.ContainsFunc(name[i+1:], func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		return name, ""
	}
	return strings.TrimRight(name[:i], " ."), name[i:]
}

// reserved reports names that Windows takes for devices, whatever extension they have.
func reserved(stem string) bool {
	first, _, _ := strings.Cut(stem, ".")
	return regexp.MustCompile(`(?i)^(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *$`).MatchString(first)
}

// extensionOf is the usual extension of a type. It is a table of our own because that of the system differs from
// machine to machine.
func extensionOf(contentType string) string {
	known := map[string]string{
		"text/plain": ".txt", "text/html": ".html", "text/csv": ".csv", "text/calendar": ".ics", "text/vcard": ".vcf", "text/x-vcard": ".vcf", "text/xml": ".xml",
		"text/rfc822-headers": ".txt", "text/rtf": ".rtf", "application/rtf": ".rtf",
		"message/rfc822": ".eml", "message/global": ".eml", "message/delivery-status": ".txt", "message/disposition-notification": ".txt",
		"message/feedback-report": ".txt", "application/ms-tnef": ".dat",
		"image/png": ".png", "image/jpeg": ".jpg", "image/jpg": ".jpg", "image/gif": ".gif", "image/webp": ".webp", "image/bmp": ".bmp", "image/tiff": ".tif",
		"image/svg+xml": ".svg", "image/heic": ".heic", "image/avif": ".avif",
		"audio/mpeg": ".mp3", "audio/wav": ".wav", "audio/x-wav": ".wav", "audio/ogg": ".ogg", "audio/amr": ".amr", "audio/mp4": ".m4a",
		"video/mp4": ".mp4", "video/quicktime": ".mov", "video/webm": ".webm", "video/3gpp": ".3gp",
		"application/pdf": ".pdf", "application/zip": ".zip", "application/x-zip-compressed": ".zip", "application/gzip": ".gz", "application/json": ".json", "application/xml": ".xml",
		"application/msword": ".doc", "application/vnd.ms-excel": ".xls", "application/vnd.ms-powerpoint": ".ppt", "application/vnd.ms-outlook": ".msg",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document":   ".docx",
		"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet":         ".xlsx",
		"application/vnd.openxmlformats-officedocument.presentationml.presentation": ".pptx",
		"application/vnd.oasis.opendocument.text":                                   ".odt", "application/vnd.oasis.opendocument.spreadsheet": ".ods",
		"application/pkcs7-signature": ".p7s", "application/x-pkcs7-signature": ".p7s", "application/pkcs7-mime": ".p7m", "application/x-pkcs7-mime": ".p7m",
		"application/pgp-signature": ".asc", "application/pgp-encrypted": ".asc", "application/pgp-keys": ".asc",
	}
	if e, ok := known[contentType]; ok {
		return e
	}
	return ".bin"
}

// octetStream is the type of what nobody shows.
const octetStream = "application/octet-stream"

// SafeContentType is a type that a part can be served with to a browser: what the browser would run, or show as a page of
// ours, is served as octets. Types are allowed by name, since there is no end of those that some program runs.
func SafeContentType(contentType string) string {
	kind, sub, _ := strings.Cut(contentType, "/")
	switch {
	case !regexp.MustCompile(`^[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$`).MatchString(sub), strings.HasSuffix(sub, "+xml"), strings.Contains(sub, "svg"), strings.Contains(sub, "xml"):
		// Office documents have "xml" in their names and are listed below.
	case kind == "image", kind == "audio", kind == "video":
		return contentType
	}
	switch contentType {
	case "text/plain", "text/csv", "text/calendar", "text/vcard", "text/x-vcard", "application/pdf", "application/json", "application/rtf", "application/zip", "application/gzip",
		"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint", "application/vnd.ms-outlook",
		"application/vnd.openxmlformats-officedocument.wordprocessingml.document", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
		"application/vnd.openxmlformats-officedocument.presentationml.presentation", "application/vnd.oasis.opendocument.text",
		"application/vnd.oasis.opendocument.spreadsheet", "application/ms-tnef", "application/pkcs7-signature", "application/x-pkcs7-signature",
		"application/pkcs7-mime", "application/x-pkcs7-mime", "application/pgp-signature", "application/pgp-encrypted", "application/pgp-keys":
		return contentType
	}
	return octetStream
}
