// Package auth tells what is known of the origin of a message: SPF, DKIM and DMARC by the Authentication-Results of a
// server that the channel trusts (RFC 8601), and DKIM (RFC 6376) verified here.
package auth
