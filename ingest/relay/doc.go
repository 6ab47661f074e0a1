// Package relay moves events from the outbox in Postgres to the JetStream stream EMAIL: in order per channel, each
// exactly once. It is the only package that speaks NATS.
//
// # Order and exactly once
//
// The events of a channel carry a dense sequence 1, 2, 3, … over all types, and their subjects share the wildcard
// email.v1.{tenant}.{channel}.*. Rows are published as atomic batches (JetStream ADR-50, nats-server 2.12 or later):
// all messages of a batch are stored, contiguously, or none is. The first message of each channel in a batch carries
// the stream sequence that the relay believes to be the last on that wildcard (Nats-Expected-Last-Subject-Sequence
// with Nats-Expected-Last-Subject-Sequence-Subject). The server compares and stores under one lock, so that a batch
// that was published already, comes late, or comes from a relay that lost its buckets is refused whole. Safety rests
// on that alone; bucket ownership and the duplicate window (Nats-Msg-Id) only save work.
//
// Rows are deleted after the ack. Whenever the outcome of a batch is not known (no answer, connection lost, refused as
// stale, first sight of a channel) the relay asks the stream leader for the last message of the wildcard, compares
// its Mailintake-Sequence and event id with the rows, deletes what is stored and publishes the rest.
//
// # When stream and outbox disagree
//
//   - The stream ends before the event that precedes the first row (it was lost, purged or restored from a copy): the
//     relay continues from what is there. The expectation in the batch makes the server confirm that its end is really
//     there, so when the batch is accepted the missing range is a fact; it is logged as an error and counted in
//     mailintake_relay_gap_total. Waiting would help nobody: the missing events are no longer in the outbox, and a
//     replay of kind events brings them back. A missing tail is not an alarm when retention can have removed it.
//   - The stream holds a different event under a row's sequence (the database was set back behind what it had announced,
//     or somebody else publishes on the subject): nothing is deleted and nothing is published for that channel; the
//     channel is held, logged, counted, and looked at again with backoff.
//   - A row that cannot be published (not encodable, larger than the server's max_payload, refused for itself) holds its
//     channel in the same way, because the events behind it must not overtake it.
//
// Held channels are left out of the next reads of the outbox, so that they never delay another channel.
//
// # Replays
//
// Events that are published again go to email.v1.{tenant}.{channel}.replayed.{replay}.{type}, which the wildcard above
// does not match, with the same event id and sequence and the header Mailintake-Replay. Every replay has a wildcard of
// its own and is fenced on it in the same way, so that neither a crash nor two relays at once double its events. The
// replay's id must stand in the subject for that: the end of a lane that several replays share does not tell how far
// each of them is.
package relay
