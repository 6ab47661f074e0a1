// Package ingest holds the words that the rest of mailintake speaks: what names a message in a mailbox,
// what a session to a mail server can do, what is committed together, and which kinds of failure there are.
//
// It uses the standard library only, starts no goroutine and does no I/O. Everything that does lives in a
// package below or beside it and meets the others through these types.
package ingest
