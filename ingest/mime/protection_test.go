package mime

import (
	"strings"
	"testing"

	"github.com/mailintake/mailintake/ingest"
)

func TestProtection(t *testing.T) {
	t.Parallel()
	const enveloped = "MIAGCSqGSIb3DQEHA6CAMIACAQAxggEQMIIBDAIBADB1"
	const signed = "MIIHhQYJKoZIhvcNAQcCoIIHdjCCB3ICAQExDTALBglghkgBZQMEAgEw"
	for _, c := range []struct {
		name, message string
		want          ingest.Protection
	}{
		{"none", "Subject: x\n\nhello\n", ""},
		{"PGP/MIME signed", "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=b\n\n--b\n\nx\n--b\nContent-Type: application/pgp-signature\n\ny\n--b--\n", ingest.ProtectionPGPSigned},
		{"S/MIME signed", "Content-Type: multipart/signed; protocol=\"application/x-pkcs7-signature\"; boundary=b\n\n--b\n\nx\n--b--\n", ingest.ProtectionSMIMESigned},
		{"signed, with a footer of a list", "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=b\n\n--b\n\nx\n--b--\n--a\n\nfooter\n--a--\n", ingest.ProtectionPGPSigned},
		{"a signed message attached", "Content-Type: multipart/mixed; boundary=a\n\n--a\n\nx\n--a\nContent-Type: message/rfc822\n\nContent-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=b\n\n--b\n\nx\n--b--\n--a--\n", ""},
		{"PGP/MIME encrypted", "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\n\n--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream\n\nx\n--b--\n", ingest.ProtectionPGPEncrypted},
		{"encrypted, then changed by a gateway", "Content-Type: multipart/mixed; boundary=b\n\n--b\n\n\n--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n--b\nContent-Type: application/octet-stream; name=encrypted.asc\n\nx\n--b--\n", ingest.ProtectionPGPEncrypted},
		{"S/MIME encrypted", "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=smime.p7m\n\n" + enveloped + "\n", ingest.ProtectionSMIMEEncrypted},
		{"S/MIME encrypted, type not given", "Content-Type: application/x-pkcs7-mime; name=smime.p7m\nContent-Transfer-Encoding: base64\n\n" + enveloped + "\n", ingest.ProtectionSMIMEEncrypted},
		{"S/MIME signed, opaque, type not given", "Content-Type: application/x-pkcs7-mime; name=smime.p7m\nContent-Transfer-Encoding: base64\n\n" + signed + "\n", ingest.ProtectionSMIMESigned},
		{"S/MIME certificates alone", "Content-Type: application/pkcs7-mime; smime-type=certs-only; name=smime.p7c\nContent-Transfer-Encoding: base64\n\n" + signed + "\n", ""},
		{"signed and encrypted inside", "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=b\n\n--b\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=c\n\n--c\n\nx\n--c--\n--b--\n", ingest.ProtectionPGPEncrypted},
		{"armour in text", "Subject: x\n\nHello,\n-----BEGIN PGP MESSAGE-----\n\nhQEMA\n-----END PGP MESSAGE-----\n", ingest.ProtectionPGPEncrypted},
		{"clear-signed text", "Subject: x\n\n-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\nhello\n-----BEGIN PGP SIGNATURE-----\n\nx\n-----END PGP SIGNATURE-----\n", ingest.ProtectionPGPSigned},
		{"quoted armour", "Subject: x\n\n> -----BEGIN PGP MESSAGE-----\nWhat is that?\n", ""},
		{"a key alone", "Subject: x\n\n-----BEGIN PGP PUBLIC KEY BLOCK-----\n", ""},
	} {
		if got := parse(t, c.message).Protection; got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestUnflow(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in, want string
		delSp    bool
	}{
		{"", "", false},
		{"fixed\nlines\n", "fixed\nlines\n", false},
		{"one \nparagraph \nof three\nnext\n", "one paragraph of three\nnext\n", false},
		{"日本 \n語\n", "日本語\n", true},
		{"a  \nb\n", "a b\n", true},
		{" >stuffed\n  indented\n From \nx\n", ">stuffed\n indented\nFrom x\n", false},
		{"text \n> quoted \n> again \nanswer\n", "text \n> quoted \n> again \nanswer\n", false},
		{"text \n-- \nName \nof mine\n", "text \n-- \nName of mine\n", false},
		{"ends in a space ", "ends in a space ", false},
		{"ends in a space \n", "ends in a space ", false},
		{"a \n\nb\n", "a \n\nb\n", false},
	} {
		if got := unflow(c.in, c.delSp); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
	flowed := "Content-Type: text/plain; charset=utf-8; Format=Flowed; DelSp=Yes\n\none \ntwo\n"
	if m := parse(t, flowed); strings.TrimSpace(m.Text) != "onetwo" {
		t.Errorf("text %q", m.Text)
	}
}
