// Package pop3 reads a mailbox over POP3 (RFC 1939) with CAPA (RFC 2449), STLS (RFC 2595), SASL PLAIN (RFC 5034) and
// the response codes of RFC 2449 and RFC 3206. It is the sole importer of go-pop3.
//
// go-pop3 speaks the single-line half of the protocol: it sends commands and reads one status line. It sits on a wire
// that gives it exactly one checked line at a time, so that everything of many lines (bodies, listings, capabilities)
// streams past it, octet for octet and within limits.
package pop3
