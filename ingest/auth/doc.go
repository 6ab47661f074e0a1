// Package auth tells what is known of the origin of a message: SPF, DKIM and DMARC by the Authentication-Results of a
// server that the channel trusts (RFC 8601), and DKIM (RFC 6376) verified here.
//
// # Which fields are trusted
//
// Anybody can write an Authentication-Results field, so its identifier alone proves nothing. What proves something is
// where it stands: trace fields are put on top as a message travels (RFC 5321 §4.4), so that all above the Received field
// of the server that took the message over from outside was written inside. A field counts if it names one of the
// channel's identifiers exactly, and
//
//   - stands above that border, or
//   - stands directly below it, where that Received field was written by the server which the identifier names. Google
//     and others put their results there. What came from outside begins there as well, so only the topmost counts.
//
// Hops inside are those without a from clause, from private addresses alone, or between hosts of one organisation. Of
// the blocks that Received fields divide the header into, the topmost that has a trusted field is the only one that
// counts; in it, the topmost field that names a method. Everything else is older or forged. A field that is not
// well-formed never gives a pass, since a sender may have closed a comment or a quotation that the server opened.
//
// The results of ARC (RFC 8617) do not count: what they are worth depends on who sealed them, and nobody here knows
// which sealers the channel trusts.
package auth
