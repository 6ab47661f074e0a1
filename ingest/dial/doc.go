// Package dial connects to mail servers: name resolution, egress policy, TCP, TLS, and a net.Conn whose reads and
// writes cannot hang, cannot be dripped for ever and remember their first error.
//
// It knows nothing of POP3 or IMAP beyond which of them begin with TLS. Sessions read the greeting and speak STARTTLS
// or STLS themselves, then hand the connection back to Dialer.StartTLS for the handshake.
package dial
