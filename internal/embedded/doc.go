// Package embedded runs the two engines that mailintake needs, Postgres and NATS JetStream, for one machine: the demo,
// "serve --embedded" and tests. Postgres is the system's own, started as a child on a unix socket; NATS runs inside
// this process. Data lies below one folder each and survives restarts. Nothing here ever deletes or converts a data
// directory.
package embedded
