package mime

import (
	"strings"

	"github.com/mailintake/mailintake/ingest"
)

// protect notes a protection that the structure shows. The outermost comes first; an encryption outranks a signature.
func (p *parser) protect(found ingest.Protection) {
	switch p.mail.Protection {
	case ingest.ProtectionNone:
		p.mail.Protection = found
	case ingest.ProtectionPGPSigned, ingest.ProtectionSMIMESigned:
		if found == ingest.ProtectionPGPEncrypted || found == ingest.ProtectionSMIMEEncrypted {
			p.mail.Protection = found
		}
	}
}

// isWhole tells whether what lies at path is the message as a whole, or its first part: what comes later are the
// footers of mailing lists.
func isWhole(path string) bool { return strings.Trim(path, "1.") == "" }

// protectMultipart reads RFC 1847 with RFC 3156 and RFC 8551.
func (p *parser) protectMultipart(path string, e *entity) {
	if !isWhole(path) {
		return
	}
	protocol := strings.ToLower(e.params.get("protocol"))
	switch e.contentType {
	case "multipart/signed":
		if strings.Contains(protocol, "pkcs7-signature") {
			p.protect(ingest.ProtectionSMIMESigned)
		} else if strings.Contains(protocol, "pgp-signature") {
			p.protect(ingest.ProtectionPGPSigned)
		}
	case "multipart/encrypted":
		if protocol == "" || strings.Contains(protocol, "pgp-encrypted") {
			p.protect(ingest.ProtectionPGPEncrypted)
		}
	}
}

// protectPart reads what a part alone says: RFC 8551 §3.2, RFC 3156 §4 where a gateway has changed the multipart around
// it, and application/pgp of old. Where S/MIME does not say what it is, its octets do, see smime.
func (p *parser) protectPart(path string, e *entity) {
	switch e.contentType {
	case "application/pkcs7-mime", "application/x-pkcs7-mime":
		if !isWhole(path) {
			return
		}
		switch strings.ToLower(e.params.get("smime-type")) {
		case "signed-data":
			p.protect(ingest.ProtectionSMIMESigned)
		case "enveloped-data", "authenveloped-data":
			p.protect(ingest.ProtectionSMIMEEncrypted)
		}
	case "application/pgp-encrypted":
		p.protect(ingest.ProtectionPGPEncrypted)
	case "application/pgp":
		if strings.HasPrefix(strings.ToLower(e.params.get("x-action")), "sign") {
			p.protect(ingest.ProtectionPGPSigned)
		} else {
			p.protect(ingest.ProtectionPGPEncrypted)
		}
	}
}

// protectText looks for OpenPGP in the text itself, RFC 9580 §6.2 and §7. What is quoted does not count.
func (p *parser) protectText() {
	const begin = "-----BEGIN PGP "
	rest := p.mail.Text
	for {
		i := strings.Index(rest, begin)
		if i < 0 {
			return
		}
		line := i == 0 || rest[i-1] == '\n'
		rest = rest[i+len(begin):]
		switch {
		case !line:
		case strings.HasPrefix(rest, "MESSAGE-----"), strings.HasPrefix(rest, "MESSAGE, PART "):
			p.protect(ingest.ProtectionPGPEncrypted)
			return
		case strings.HasPrefix(rest, "SIGNED MESSAGE-----"):
			p.protect(ingest.ProtectionPGPSigned)
			return
		}
	}
}
