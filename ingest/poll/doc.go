// Package poll is the path of a message: it visits the channels that this replica owns, brings in what is new, and
// settles on the server what is stored.
//
// The order never changes: list, ask the ledger, fetch into the spool, parse, commit, and only then settle. Whatever
// ends a visit half way, the next one continues from what is committed.
package poll
