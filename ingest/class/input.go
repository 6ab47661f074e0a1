package class

import "github.com/mailintake/mailintake/ingest"

// Input is what classification draws on.
type Input struct {
	// Mail has addresses, subject, identifiers, text and parts; its Class, Evidence, AutoReply and Bounce are not read.
	Mail *ingest.Mail
	// Header are the fields of the message's own header, in order; encoded words are not decoded.
	Header []ingest.Field
	// Reports are the parts that machines read, in the order of the message.
	Reports []Report
	// Own are the addresses of the channel, where they are known: what comes from them is never answered.
	Own []string
}

// Report is the text of one part that is meant for machines.
type Report struct {
	Path string
	// ContentType is message/delivery-status (also global-), message/disposition-notification, message/feedback-report,
	// text/rfc822-headers (also message/global-headers), or message/rfc822 for the header of an attached message.
	ContentType string
	// Text is the decoded part with LF line ends; of an attached message the header alone. At most MaxReport octets.
	Text string
}

// MaxReport is how much of one Report is kept, and MaxReports how much of all, in octets.
const (
	MaxReport  = 64 << 10
	MaxReports = 256 << 10
)

// Result is what Classify says.
type Result struct {
	Class     ingest.Class
	Evidence  []ingest.Evidence
	AutoReply ingest.AutoReply
	Bounce    *ingest.Bounce // nil unless Class is ClassBounce, ClassComplaint or ClassReadReceipt
}
