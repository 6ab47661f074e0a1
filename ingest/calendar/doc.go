// Package calendar reads invitations (RFC 5545, RFC 5546) as mail carries them. It is pure, total and bounded.
//
// The reader is our own and reads one component. The libraries give up a whole calendar for one bad line: a name with
// quotation marks, a line that lost its folding, a footer that a mailing list put below. Lines with a very long or very
// many parameters cost them seconds.
//
// The only thing taken from outside is the time zone database, of the machine or else the one in the program.
package calendar
