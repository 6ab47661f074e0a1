// Command bench measures how fast a real mailintake serve brings the mail of a real Dovecot into Postgres and JetStream,
// and how fast mbsync and mpop bring the same mail into a maildir on the same machine in the same minutes.
//
//	make bench ARGS="-runs 3 -json result.json"
//
// Every run of mailintake has servers of its own: a new Postgres that flushes to the disk at each commit, and a
// nats-server in a process of its own. Time counts from the moment the service begins its first visit, before it
// connects, until the stream holds the last event; an event is published only after its message was committed. How long
// the service took to notice the new channel is told apart ("created"). The peers are timed from start to exit of their
// process.
//
// All share one machine: the mail server, the database and the proxy that makes the link long take CPU from whoever is
// measured. CPU seconds and ratios are therefore the firm numbers, messages per second the soft ones.
package main
