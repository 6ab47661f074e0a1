package control

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"net/mail"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/mailintake/mailintake/ingest"
)

// Defaults and limits of a channel's settings.
const (
	DefaultPollInterval    = 60 * time.Second
	MinPollInterval        = 10 * time.Second
	MaxPollInterval        = 24 * time.Hour
	DefaultMaxMessageBytes = 40 << 20
	MinMaxMessageBytes     = 64 << 10
	MaxMaxMessageBytes     = 1 << 30
	MaxAliases             = 100
	MaxAuthservIDs         = 20
)

// prefix is where the fields of a channel stand in requests.
const prefix = "email_channel."

// Mailbox is what a session needs to read the channel's mail, defaults filled in.
func (s *Settings) Mailbox(password ingest.Secret) ingest.Mailbox {
	m := ingest.Mailbox{
		Protocol: s.Protocol, Host: s.Host, Port: s.Port, StartTLS: s.StartTLS, TLSServerName: s.TLSServerName,
		Username: s.Username, Password: password, Folder: s.Folder, PollInterval: s.PollInterval,
		InitialSync: s.InitialSync, SyncSince: s.SyncSince, Settlement: s.Settlement, MaxMessageBytes: s.MaxMessageBytes,
	}
	if m.Port == 0 {
		m.Port = m.Protocol.DefaultPort()
	}
	if m.Folder == "" && m.Protocol.IsIMAP() {
		m.Folder = "INBOX"
	}
	if s.TLSCAPEM != "" {
		m.TLSRoots = x509.NewCertPool()
		m.TLSRoots.AppendCertsFromPEM([]byte(s.TLSCAPEM))
	}
	return m
}

// complete fills in defaults, brings values into their stored form and reports every field that is not as it must be.
func (s *Settings) complete() []Violation {
	var vs []Violation
	check := func(field, problem string) {
		if problem != "" {
			vs = append(vs, Violation{prefix + field, problem})
		}
	}
	if s.PollInterval == 0 {
		s.PollInterval = DefaultPollInterval
	}
	if s.MaxMessageBytes == 0 {
		s.MaxMessageBytes = DefaultMaxMessageBytes
	}

	check("display_name", required(s.DisplayName, text(s.DisplayName, 80)))
	check("email_address", required(s.EmailAddress, checkAddress(s.EmailAddress)))
	check("description", text(strings.NewReplacer("\n", "", "\r", "", "\t", "").Replace(s.Description), 1000))
	check("labels", checkLabels(s.Labels))
	check("script", text(s.Script, 256))
	vs = append(vs, s.completeAliases()...)
	s.FallbackCharset = strings.ToLower(s.FallbackCharset)
	vs = append(vs, s.completeAuthservIDs()...)
	if s.Protocol < ingest.POP3 || s.Protocol > ingest.IMAPS {
		check("protocol", "is required: POP3, POP3S, IMAP or IMAPS")
		return vs // most of the rest depends on it
	}
	host, problem := canonicalHost(s.Host)
	s.Host = host
	check("host", required(s.Host, problem))
	if s.Port < 0 || s.Port > 65535 {
		check("port", "must be 1 to 65535, or 0 for the protocol's default")
	}
	if s.Protocol.ImplicitTLS() && !s.StartTLS {
		check("starttls", fmt.Sprintf("must not be DISABLED with %s, which begins with TLS", s.Protocol))
	}
	if !s.StartTLS && (s.TLSServerName != "" || s.TLSCAPEM != "") {
		check("tls", "has no meaning where starttls is DISABLED; leave it empty")
	}
	if s.TLSServerName != "" {
		s.TLSServerName, problem = canonicalHost(s.TLSServerName)
		check("tls.server_name", problem)
	}
	check("tls.ca_pem", checkCertificates(s.TLSCAPEM))
	check("username", required(s.Username, credential(s.Username, 256)))
	if s.Folder != "" {
		if s.Protocol.IsIMAP() {
			check("folders", credential(s.Folder, 1024))
		} else {
			check("folders", fmt.Sprintf("must be empty with %s, which has no folders", s.Protocol))
		}
	}
	if s.PollInterval < MinPollInterval || s.PollInterval > MaxPollInterval || s.PollInterval%time.Millisecond != 0 {
		check("poll_interval", "must be 10 s to 24 h in whole milliseconds")
	}
	switch {
	case s.InitialSync < ingest.SyncNewOnly || s.InitialSync > ingest.SyncAll:
		check("initial_sync", "must be NEW_ONLY, SINCE or ALL")
	case s.InitialSync == ingest.SyncSince && s.SyncSince.IsZero():
		check("initial_sync_time", "is required where initial_sync is SINCE")
	case s.InitialSync != ingest.SyncSince && !s.SyncSince.IsZero():
		check("initial_sync_time", "must be empty unless initial_sync is SINCE")
	case !s.SyncSince.IsZero():
		check("initial_sync_time", checkTime(s.SyncSince))
	}
	switch {
	case s.Settlement < ingest.SettleLeave || s.Settlement > ingest.SettleDelete:
		check("settlement", "must be LEAVE, MARK_SEEN or DELETE")
	case s.Settlement == ingest.SettleMarkSeen && !s.Protocol.IsIMAP():
		check("settlement", fmt.Sprintf("must not be MARK_SEEN with %s, which has no flags", s.Protocol))
	}
	if s.MaxMessageBytes < MinMaxMessageBytes || s.MaxMessageBytes > MaxMaxMessageBytes {
		check("max_message_bytes", "must be 65536 (64 KiB) to 1073741824 (1 GiB), or 0 for 40 MiB")
	}
	return vs
}

// completeAliases brings domains into lower case and reports aliases that are no addresses or say nothing new.
func (s *Settings) completeAliases() []Violation {
	if len(s.Aliases) > MaxAliases {
		return []Violation{{prefix + "aliases", fmt.Sprintf("must be at most %d", MaxAliases)}}
	}
	var vs []Violation
	seen := map[string]bool{strings.ToLower(s.EmailAddress): true}
	s.Aliases = slices.Clone(s.Aliases)
	for i, a := range s.Aliases {
		problem := required(a, checkAddress(a))
		if problem == "" {
			at := strings.LastIndexByte(a, '@')
			s.Aliases[i] = a[:at] + strings.ToLower(a[at:])
			// Few mail servers tell upper case from lower case in the local part, though they may (RFC 5321 §2.4).
			if key := strings.ToLower(a); seen[key] {
				problem = "stands in email_address or further up already"
			} else {
				seen[key] = true
			}
		}
		if problem != "" {
			vs = append(vs, Violation{fmt.Sprintf("%saliases[%d]", prefix, i), problem})
		}
	}
	return vs
}

// completeAuthservIDs brings the identifiers into lower case and reports those that no mail server has (RFC 8601 §2.5:
// usually the name of a host).
func (s *Settings) completeAuthservIDs() []Violation {
	if len(s.AuthservIDs) > MaxAuthservIDs {
		return []Violation{{prefix + "authserv_ids", fmt.Sprintf("must be at most %d", MaxAuthservIDs)}}
	}
	var vs []Violation
	form := regexp.MustCompile(`^[a-z0-9]([a-z0-9._-]{0,251}[a-z0-9])?$`)
	s.AuthservIDs = slices.Clone(s.AuthservIDs)
	for i, id := range s.AuthservIDs {
		id = strings.ToLower(id)
		problem := ""
		switch {
		case !form.MatchString(id):
			problem = "must be the name that stands first in Authentication-Results fields, such as mx.example.com"
		case slices.Contains(s.AuthservIDs[:i], id):
			problem = "stands further up already"
		}
		s.AuthservIDs[i] = id
		if problem != "" {
			vs = append(vs, Violation{fmt.Sprintf("%sauthserv_ids[%d]", prefix, i), problem})
		}
	}
	return vs
}

// checkPassword reports a password that cannot be sent to a mail server.
func checkPassword(p ingest.Secret) []Violation {
	if problem := credential(p.Reveal(), 512); problem != "" {
		return []Violation{{prefix + "password", problem}}
	}
	return nil
}

// required puts the absence of a value before other problems with it.
func required(value, problem string) string {
	if value == "" && problem == "" {
		return "is required"
	}
	return problem
}

// text checks something that is for people: one line of at most limit characters.
func text(s string, limit int) string {
	switch {
	case !utf8.ValidString(s):
		return "must be valid UTF-8"
	case utf8.RuneCountInString(s) > limit:
		return fmt.Sprintf("must have at most %d characters", limit)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "must not contain control characters"
	}
	return ""
}

// credential checks something that is sent to a mail server within a command: a control character, above all CR or LF,
// would end the command and begin another.
func credential(s string, limit int) string {
	switch {
	case !utf8.ValidString(s):
		return "must be valid UTF-8"
	case len(s) > limit:
		return fmt.Sprintf("must have at most %d octets", limit)
	case strings.ContainsFunc(s, unicode.IsControl):
		return "must not contain control characters such as CR, LF or NUL"
	}
	return ""
}

// checkTime keeps times within what the database, JSON and people can handle.
func checkTime(t time.Time) string {
	if y := t.UTC().Year(); y < 1970 || y > 9999 {
		return "must lie between the years 1970 and 9999"
	}
	return ""
}

// checkAddress reports what is not an addr-spec (RFC 5322 §3.4.1; UTF-8 as in RFC 6531).
func checkAddress(s string) string {
	const problem = "must be an address such as support@example.com, without a name and without angle brackets"
	if s == "" {
		return ""
	}
	a, err := mail.ParseAddress("<" + s + ">")
	if err != nil || len(s) > 254 || a.String() != "<"+s+">" || strings.ContainsFunc(s, unicode.IsControl) {
		return problem
	}
	domain := s[strings.LastIndexByte(s, '@')+1:]
	if ip, ok := strings.CutPrefix(domain, "["); ok { // address literal, RFC 5321 §4.1.3
		ip = strings.TrimPrefix(strings.TrimSuffix(ip, "]"), "IPv6:")
		if _, err := netip.ParseAddr(ip); err != nil {
			return problem
		}
		return ""
	}
	if _, bad := canonicalHost(domain); bad != "" {
		return problem
	}
	return ""
}

func checkLabels(labels map[string]string) string {
	if len(labels) > 32 {
		return "must be at most 32"
	}
	key := regexp.MustCompile(`^[a-z0-9][a-z0-9._/-]{0,62}$`)
	for k, v := range labels {
		if !key.MatchString(k) {
			return "keys must match [a-z0-9][a-z0-9._/-]{0,62}"
		}
		if problem := text(v, 255); problem != "" {
			return "values " + problem
		}
	}
	return ""
}

// checkCertificates reports PEM that is not certificates through and through.
func checkCertificates(s string) string {
	rest := []byte(s)
	n := 0
	for len(strings.TrimSpace(string(rest))) > 0 {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return "must be certificates in PEM form, from -----BEGIN CERTIFICATE----- to -----END CERTIFICATE-----"
		}
		if block.Type != "CERTIFICATE" {
			return fmt.Sprintf("must hold certificates only, not a %s", strings.ToLower(ingest.CleanServerText(block.Type)))
		}
		n++
		if _, err := x509.ParseCertificate(block.Bytes); err != nil {
			return fmt.Sprintf("certificate %d cannot be read", n)
		}
	}
	return ""
}

// canonicalHost gives the form in which a host is stored: an IP address without brackets, or a name in lower-case ASCII
// (RFC 5891) without the final dot. An empty host gives neither a host nor a problem.
func canonicalHost(s string) (host, problem string) {
	if s == "" {
		return "", ""
	}
	if strings.ContainsFunc(s, func(r rune) bool { return unicode.IsControl(r) || unicode.IsSpace(r) }) || !utf8.ValidString(s) {
		return s, "must not contain spaces or control characters"
	}
	if ip, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		if ip.Zone() != "" || ip.IsUnspecified() || ip.IsMulticast() {
			return s, "must be the address of one host, without a zone"
		}
		return ip.Unmap().String(), ""
	}
	if strings.Contains(s, "://") {
		return s, "must be a name or an address without a scheme; the protocol is a field of its own"
	}
	if strings.Contains(s, ":") {
		return s, "must be a name or an address without a port; the port is a field of its own"
	}
	const form = "must be a host name such as mail.example.com, or an IP address"
	// Underscores are not for host names (RFC 1123 §2.1), but container networks use them.
	profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false))
	name, err := profile.ToASCII(strings.TrimSuffix(s, "."))
	if err != nil || len(name) > 253 {
		return s, form
	}
	labels := strings.Split(name, ".")
	for _, l := range labels {
		if l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' ||
			strings.ContainsFunc(l, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-' && r != '_' }) {
			return s, form
		}
	}
	// A name that ends in digits would be an IPv4 address that is not one (RFC 1123 §2.1).
	if last := labels[len(labels)-1]; strings.Trim(last, "0123456789") == "" {
		return s, form
	}
	return name, ""
}
