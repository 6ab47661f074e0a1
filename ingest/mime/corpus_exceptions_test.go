package mime

import "strings"

// corpusExceptions are the places where Parse differs from what two other parsers agree on, with the reason why it is
// right to. TestCorpus fails for a difference that is not listed and for one that is listed but gone.
func corpusExceptions() []exception {
	return []exception{
		{"the boundary is missing, not the declared one, or never there; the others show nothing, we show what can be read", `
			cpython/msg/msg_17.txt text
			cpython/msg/msg_25.txt text
			cpython/msg/msg_31.txt text
			cpython/msg/msg_41.txt text
			enmime/msg/testdata/mail/multipart-wo-boundary.raw text
			flanker/msg/tests/fixtures/messages/mailformed-headers.eml html
			mime4j/msg/core/src/test/resources/mimetools-testmsgs/badbound.msg text
			mime4j/msg/core/src/test/resources/testmsgs/ending-boundaries.msg text
			mime4j/msg/core/src/test/resources/testmsgs/missing-boundary.msg text
			mime4j/msg/core/src/test/resources/testmsgs/missing-inner-boundary.msg text
			rspamd/msg/test/functional/messages/btc2.eml html
			rspamd/msg/test/functional/messages/btc3.eml html
			rspamd/msg/test/functional/messages/btc4.eml html
			rspamd/msg/test/functional/messages/external_relay.eml text
			rspamd/msg/test/functional/messages/freemailcc.eml text
			rspamd/msg/test/functional/messages/phish_sender.eml text
			rspamd/msg/test/functional/messages/phish_sender3.eml text
			rspamd/msg/test/functional/messages/phish_sender5.eml text
			rspamd/msg/test/functional/messages/phish_sender6.eml text
			sisimai/msg/maildir/bsd/lhost-messagingserver-03.eml text
			sisimai/msg/maildir/bsd/rfc3464-04.eml text
			sisimai/msg/maildir/bsd/rfc3464-06.eml text
			sisimai/msg/maildir/bsd/rhost-franceptt-07.eml text
			sisimai/msg/maildir/bsd/rhost-google-02.eml text`},
		{"the boundary stands on a folded line that lost its white space; the others drop it", `
			sisimai/msg/maildir/bsd/lhost-apachejames-01.eml text
			sisimai/msg/maildir/bsd/lhost-office365-09.eml html
			sisimai/msg/maildir/bsd/lhost-office365-10.eml html
			sisimai/msg/maildir/bsd/lhost-office365-11.eml html
			sisimai/msg/maildir/bsd/lhost-office365-12.eml html
			sisimai/msg/maildir/bsd/lhost-verizon-02.eml text
			sisimai/msg/maildir/dos/lhost-apachejames-01.eml text`},
		{"the Content-Type is of a text but misspelt; the others make an attachment of it, we show it", `
			enmime/msg/testdata/parts/ctype-invalid-characters.raw attachment_count attachment_names attachment_sha256 attachment_types attachments attachments_core text
			sisimai/msg/maildir/bsd/lhost-x1-02.eml attachment_count attachment_names attachment_sha256 text text_first`},
		{"octets beyond ASCII without a charset that fits: the others put replacement characters, we read them by the fallback", `
			enmime/msg/testdata/parts/chardet-fail.raw text text_first
			enmime/msg/testdata/parts/chardet-success-big-5.raw text text_first
			enmime/msg/testdata/parts/chardet-success-iso-8859-1.raw text text_first
			flanker/msg/tests/fixtures/messages/mailformed-headers.eml subject
			flanker/msg/tests/fixtures/messages/spam/broken-headers.eml subject
			mime4j/msg/core/src/test/resources/mimetools-testmsgs/infinite.msg text
			php-mime-mail-parser/msg/tests/mails/m0019 text text_first
			php-mime-mail-parser/msg/tests/mails/m0022 text text_first
			php-mime-mail-parser/msg/tests/mails/m0023 text text_first
			sisimai/msg/maildir/bsd/rfc3464-08.eml text_first`},
		{"declared as base64 but plain text: the others decode it to noise", `
			php-mime-mail-parser/msg/tests/mails/m0028 attachment_sha256 attachments attachments_core`},
		{"white space before the colon of a field name, RFC 5322 §4.5", `
			ruby-mail/msg/spec/fixtures/emails/rfc2822/example13.eml date from from_name`},
		{"a date in digits, 29-04-2017 23:34, can be read", `
			sisimai/msg/maildir/bsd/rfc3464-34.eml date`},
		{"two messages in one file, the second repeats the boundary after its end: nothing is left out, PART_AFTER_CLOSE", `
			sisimai/msg/maildir/bsd/rhost-cox-01.eml attachment_count attachment_names
			sisimai/msg/maildir/dos/rhost-cox-01.eml attachment_count attachment_names`},
		{"uuencoded files are taken out of the text and become parts", `
			mime4j/msg/core/src/test/resources/mimetools-testmsgs/sig-uu.msg text text_first
			mime4j/msg/core/src/test/resources/mimetools-testmsgs/uu-junk.msg text
			mime4j/msg/core/src/test/resources/mimetools-testmsgs/uu-zeegee.msg text text_first`},
		{"the text of a signed S/MIME message is the text", `
			notmuch/msg/test/corpora/pkcs7/smime-onepart-signed.eml text
			notmuch/msg/test/corpora/protected-headers/smime-onepart-signed.eml text`},
		{"no NUL in strings", `
			sisimai/msg/maildir/err/make-test-31.eml subject`},
	}
}

// exception is one reason to differ.
type exception struct {
	reason string
	where  string // file and fields, a line each
}

// places are file and field of each difference.
func (e exception) places() (list []string) {
	for line := range strings.Lines(e.where) {
		words := strings.Fields(line)
		for i := 1; i < len(words); i++ {
			list = append(list, words[0]+" "+words[i])
		}
	}
	return list
}
