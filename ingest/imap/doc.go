// Package imap reads mailboxes over IMAP (RFC 9051, RFC 3501) as an ingest.Session. It alone imports go-imap.
//
// go-imap writes the commands: tags, encoding of strings and folder names, literals, the SASL exchange. What a server
// answers is read by this package first. The guard, a net.Conn below go-imap, takes every response apart under limits
// on line length, nesting and volume; message data, listings and mailbox status go to the session directly, and
// go-imap is given only what it needs to see its commands end: continuation requests and tagged results, reduced to
// their bare form. So no server can make the library's parser recurse, allocate, loop, drop a body or give up over a
// token that it does not know.
package imap
