// Package control is what people do to mailintake: edit channels, test connections, read messages, start replays. It
// checks what it is given, decides what a change means, and leaves an audit entry with each one.
//
// It knows neither Postgres nor gRPC: storage and connection tests come in through Store and Prober, and the gRPC
// adapter (control/rpc) goes out through Channels, Messages and Replays. Every error it returns is an *Error or a
// context error; text that is not ours, such as a database's, stays in Error.Err and is never shown to a client.
package control
