package ingest

import "time"

// Class is what kind of message it is, for a routing engine to decide on. The zero value is not known, which only rows
// of an older parser have.
type Class string

// The classes. They are stored and sent, and never renamed.
const (
	ClassHuman       Class = "HUMAN"        // written by a person, as far as one can tell
	ClassAutoReply   Class = "AUTO_REPLY"   // an answer without a person: out of office, acknowledgement (RFC 3834)
	ClassBounce      Class = "BOUNCE"       // a delivery status notification (RFC 3464) or one in free form
	ClassComplaint   Class = "COMPLAINT"    // an abuse report (RFC 5965)
	ClassReadReceipt Class = "READ_RECEIPT" // a message disposition notification (RFC 8098)
	ClassList        Class = "LIST"         // by a mailing list or newsletter (RFC 2369, RFC 2919)
	ClassCalendar    Class = "CALENDAR"     // an invitation or an answer to one (RFC 5546, RFC 6047)
	ClassSystem      Class = "SYSTEM"       // made by a program that is none of the above: monitoring, notifications
)

// Evidence is one fact that a verdict rests on.
type Evidence struct {
	Rule   string `json:"rule"`             // stable name, lower-case with hyphens: "auto-submitted"
	Source string `json:"source,omitempty"` // header field or part path that it was found in
	Value  string `json:"value,omitempty"`  // what stands there, cut to 200 octets
}

// AutoReply says whether an answer without a person may be sent to this message, RFC 3834 §2.
type AutoReply struct {
	Allowed bool   `json:"allowed"`
	Reason  string `json:"reason"` // stable code of why not: NULL_RETURN_PATH, AUTO_SUBMITTED, LIST …; OK where allowed
}

// Bounce is what a delivery status notification says, RFC 3464, or what could be made out of one in free form.
type Bounce struct {
	Recipients []BounceRecipient `json:"recipients,omitempty"`
	Action     string            `json:"action,omitempty"` // failed, delayed, delivered, relayed or expanded, RFC 3464 §2.3.3; of the first recipient
	// Status is the enhanced status code, RFC 3463, such as 5.1.1; of the first recipient. Where the message gives none, we
	// assume one from class and cause: x.0.9nn (subject 0, detail 900 and up), in the numbering of Sisimai. No server sends such
	// a code and RFC 5248 registers none, so 5.0.911 means "assumed: user unknown". Empty if nothing is known.
	Status            string `json:"status,omitempty"`
	Hard              bool   `json:"hard"` // another try will fail as well; of the first recipient
	ReportingMTA      string `json:"reporting_mta,omitempty"`
	OriginalMessageID string `json:"original_message_id,omitempty"` // of the message it is about, without brackets
	OriginalSubject   string `json:"original_subject,omitempty"`
	FeedbackType      string `json:"feedback_type,omitempty"` // COMPLAINT: abuse, fraud, … RFC 5965 §7.3
}

// BounceRecipient is one address of a notification.
type BounceRecipient struct {
	Address    string `json:"address"`              // final recipient, addr-spec; the original one where the final one is no Internet address
	Original   string `json:"original,omitempty"`   // original recipient, where it is another
	Action     string `json:"action,omitempty"`     // as in Bounce
	Status     string `json:"status,omitempty"`     // as in Bounce
	ReplyCode  string `json:"reply_code,omitempty"` // SMTP reply code, three digits, RFC 5321 §4.2
	Reason     string `json:"reason,omitempty"`     // stable cause: user_unknown, mailbox_full, …
	Hard       bool   `json:"hard"`
	Diagnostic string `json:"diagnostic,omitempty"` // what the remote server said, cut to 500 octets
}

// Priority is how urgent the sender calls the message (Importance, Priority, X-Priority; RFC 2156 §5.3.4 and §5.3.6).
type Priority string

// The priorities; empty means that the sender did not say.
const (
	PriorityHigh   Priority = "HIGH"
	PriorityNormal Priority = "NORMAL"
	PriorityLow    Priority = "LOW"
)

// Protection is a signature or an encryption around a message.
type Protection string

// The protections.
const (
	ProtectionNone           Protection = ""
	ProtectionPGPSigned      Protection = "PGP_SIGNED"      // RFC 3156 §5, or clear-signed text
	ProtectionPGPEncrypted   Protection = "PGP_ENCRYPTED"   // RFC 3156 §4, or an armoured message in text
	ProtectionSMIMESigned    Protection = "SMIME_SIGNED"    // RFC 8551 §3.5
	ProtectionSMIMEEncrypted Protection = "SMIME_ENCRYPTED" // RFC 8551 §3.3
)

// List are the fields of a mailing list, RFC 2919 and RFC 2369.
type List struct {
	ID          string `json:"id,omitempty"`          // without brackets
	Unsubscribe string `json:"unsubscribe,omitempty"` // first URI
	Post        string `json:"post,omitempty"`        // first URI, or NO
}

// Recipient is the address of the channel that a message was for.
type Recipient struct {
	Address string `json:"address,omitempty"` // as the sender wrote it, lower case; empty if none of the channel's was found
	Alias   string `json:"alias,omitempty"`   // the channel's address or alias that it matched
	Tag     string `json:"tag,omitempty"`     // what stands behind a plus sign in the local part (RFC 5233)
	Source  string `json:"source,omitempty"`  // header field that it was found in
}

// Invite is what a calendar part says, RFC 5545 and RFC 5546.
type Invite struct {
	Method    string    `json:"method,omitempty"` // REQUEST, REPLY, CANCEL, PUBLISH, COUNTER …, upper case
	UID       string    `json:"uid,omitempty"`
	Sequence  int       `json:"sequence,omitempty"`
	Summary   string    `json:"summary,omitempty"`
	Location  string    `json:"location,omitempty"`
	Organizer Address   `json:"organizer,omitzero"`
	Attendees []Address `json:"attendees,omitempty"` // at most 50
	Start     time.Time `json:"start,omitzero"`      // with its offset
	End       time.Time `json:"end,omitzero"`
	AllDay    bool      `json:"all_day,omitempty"`  // Start and End are dates
	Recurs    string    `json:"recurs,omitempty"`   // RRULE as it stands
	Status    string    `json:"status,omitempty"`   // of the event, or of the attendee who replies: ACCEPTED, DECLINED, TENTATIVE
	Defect    string    `json:"defect,omitempty"`   // what could not be read
	Text      string    `json:"text,omitempty"`     // the invitation in a few lines for people; Mail.Text where the message has no other text
	Timezone  string    `json:"timezone,omitempty"` // TZID as it stands
}

// Verdict is the result of one check of a message's origin. The zero value means that nobody checked.
type Verdict string

// The verdicts.
const (
	VerdictUnknown Verdict = ""     // nobody that we trust has checked, or the check could not be done
	VerdictNone    Verdict = "none" // checked: there is nothing to check, no signature or no policy
	VerdictPass    Verdict = "pass"
	VerdictFail    Verdict = "fail"
)

// Auth is what is known of a message's origin, RFC 8601.
type Auth struct {
	SPF   Verdict `json:"spf,omitempty"`
	DKIM  Verdict `json:"dkim,omitempty"`
	DMARC Verdict `json:"dmarc,omitempty"`
	// Aligned says that a domain which passed SPF or DKIM belongs to the domain of From, RFC 7489 §3.1.
	Aligned     bool         `json:"aligned,omitempty"`
	AuthservID  string       `json:"authserv_id,omitempty"` // whose results these are; empty where only we checked
	SPFDomain   string       `json:"spf_domain,omitempty"`
	DKIMDomains []DKIMResult `json:"dkim_results,omitempty"` // at most 5
	Ignored     int          `json:"ignored,omitempty"`      // Authentication-Results fields that were not trusted
}

// DKIMResult is one signature.
type DKIMResult struct {
	Domain   string  `json:"domain"`
	Selector string  `json:"selector,omitempty"`
	Verdict  Verdict `json:"verdict"`
	By       string  `json:"by"`               // "self", or the authserv-id that says so
	Detail   string  `json:"detail,omitempty"` // why not
}

// Thread is the conversation of a channel that a message belongs to, by References and In-Reply-To.
type Thread struct {
	ID     string // UUID of the message that the thread began with; never changes for a thread that is not merged
	Parent MessageID
	// Method is how the thread was found: NEW, REFERENCES, IN_REPLY_TO; SUBJECT is a hint alone and joins nothing.
	Method        string
	Confidence    int      // 0 to 100
	ParentMissing bool     // it answers a message that is not here
	ParentErased  bool     // it answers a message that was erased
	Merged        []string // threads that this message showed to be the same; they are ID from now on
	Hint          string   // thread with the same subject and correspondent, where nothing better is known
	Reused        bool     // another message of the channel has the same Message-ID and says something else
}
