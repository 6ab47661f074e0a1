// Package mailtest provides mail servers for tests and for the demo: a POP3 and an IMAP server in this process, over
// mailboxes that the test fills and watches, with faults that can be switched on and off while they run; the system's
// real Dovecot on loopback; a certificate authority that lives as long as the test; and a TCP proxy that makes a
// connection long or breaks it.
//
// Every server records what clients asked of it, so that a test can say what must not have been sent.
package mailtest
