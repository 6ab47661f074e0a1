// Package seal keeps the credentials of mailboxes at rest: AES-256-GCM under a keyset that lives in a file of its own,
// outside the database. Each sealed value is bound to the resource and the field it belongs to, so that a row copied
// onto another channel does not open there.
package seal
