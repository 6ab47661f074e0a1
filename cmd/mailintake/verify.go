package main

import (
	"context"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest/relay"
	"github.com/mailintake/mailintake/store"
)

// verifyCmd checks the invariants of ARCHITECTURE.md against what is stored and published.
type verifyCmd struct {
	DatabaseURL string `env:"MAILINTAKE_DATABASE_URL" required:"" help:"Postgres of the service." placeholder:"URL"`
	NATSURL     string `name:"nats-url" env:"MAILINTAKE_NATS_URL" default:"nats://127.0.0.1:4222" help:"NATS of the service (${default})." placeholder:"URL"`
	Limit       int    `default:"100" help:"How many offending rows to print (${default})."`
}

// Run prints every violation and then a summary. The service may be running.
func (c *verifyCmd) Run(ctx context.Context, con *console) error {
	st, err := store.Open(ctx, store.Config{URL: c.DatabaseURL})
	if err != nil {
		return &usageError{err.Error()}
	}
	defer st.Close()
	nc, err := relay.Dial(relay.DialOptions{URL: c.NATSURL, Name: "mailintake verify"})
	if err != nil {
		return &usageError{err.Error()}
	}
	defer nc.Close()
	report, err := verify(ctx, st, nc, func(v store.Violation, n int) {
		if n <= c.Limit {
			fmt.Fprintf(con.out, "invariant %d: %s: %s\n", v.Invariant, v.Channel, v.What)
		}
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(con.out, "%d channels, %d messages, %d octets hashed, %d events in the stream, %d waiting, %d replayed\n",
		report.channels, report.messages, report.octets, report.published, report.waiting, report.replayed)
	if report.violations > 0 {
		fmt.Fprintf(con.out, "%d violations\n", report.violations)
		return errReported
	}
	fmt.Fprintln(con.out, "no violations")
	return nil
}

type verifyReport struct {
	channels                                 int
	messages, octets                         int64
	published, waiting, replayed, violations int
}

// verify reads the database first and the stream after it: an event that has left the outbox since is in the stream by
// the time the stream is read.
func verify(ctx context.Context, st *store.Store, nc *nats.Conn, each func(v store.Violation, n int)) (verifyReport, error) {
	var r verifyReport
	tell := func(v store.Violation) {
		r.violations++
		each(v, r.violations)
	}
	snap, err := st.Verify(ctx, tell)
	if err != nil {
		return r, err
	}
	r.channels, r.messages, r.octets = len(snap.Channels), snap.Messages, snap.Octets
	if err := connected(ctx, nc); err != nil {
		return r, err
	}
	status, err := relay.Inspect(ctx, nc)
	if err != nil {
		return r, err
	}
	seen := map[string]*published{}
	first := time.Time{}
	if status.Stream && status.Messages > 0 {
		err = relay.Scan(ctx, nc, 0, 0, func(e relay.Entry) error {
			if first.IsZero() && e.StreamSequence > 1 {
				first = e.Stored // the stream has let older events go
			}
			if e.ReplayID != "" {
				r.replayed++
				return nil
			}
			r.published++
			name := control.ChannelName(e.Tenant, e.Channel)
			p := seen[name]
			if p == nil {
				p = &published{last: e.Sequence - 1}
				p.from = e.Sequence
				seen[name] = p
			}
			if e.Sequence != p.last+1 {
				tell(store.Violation{Invariant: 5, Channel: name, What: fmt.Sprintf("the stream has sequence %d (event %s) behind %d", e.Sequence, e.EventID, p.last)})
			}
			p.last = e.Sequence
			p.ids = append(p.ids, e.EventID)
			return nil
		})
		if err != nil {
			return r, err
		}
	}
	for _, ch := range snap.Channels {
		name := control.ChannelName(ch.Tenant, ch.Channel)
		p := seen[name]
		if p == nil {
			p = &published{}
		}
		ids := make(map[string]bool, len(p.ids))
		for _, id := range p.ids {
			ids[id] = true
		}
		for i, e := range ch.Events {
			if e.Waiting {
				r.waiting++
				continue
			}
			if !ids[e.ID.String()] && (first.IsZero() || e.At.After(first)) {
				tell(store.Violation{Invariant: 4, Channel: name, What: fmt.Sprintf("event %s (sequence %d) is neither in the stream nor in the outbox", e.ID, i+1)})
			}
		}
		for i, id := range p.ids {
			seq := p.from + int64(i)
			if seq < 1 || seq > int64(len(ch.Events)) {
				continue // newer than the database was read
			}
			if want := ch.Events[seq-1].ID.String(); want != id {
				tell(store.Violation{Invariant: 4, Channel: name, What: fmt.Sprintf("the stream has event %s at place %d, the database %s", id, seq, want)})
			}
		}
		delete(seen, name)
	}
	for name, p := range seen {
		if first.IsZero() && p.from == 1 && len(p.ids) > 0 && !p.young(st, ctx, name) {
			tell(store.Violation{Invariant: 4, Channel: name, What: fmt.Sprintf("the stream has %d events of a channel without any in the database", len(p.ids))})
		}
	}
	return r, nil
}

// published is what the stream holds of one channel.
type published struct {
	from, last int64
	ids        []string
}

// young reports whether the channel has events by now: it was made after the database was read.
func (p *published) young(st *store.Store, ctx context.Context, name string) bool {
	tenant, channel, err := control.ParseChannel("name", name)
	if err != nil {
		return false
	}
	c, err := st.Channel(ctx, tenant, channel)
	return err == nil && c.NextSequence > 1
}

// connected waits a moment for a connection that is being made.
func connected(ctx context.Context, nc *nats.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for !nc.IsConnected() {
		select {
		case <-ctx.Done():
			_, err := relay.Ping(context.WithoutCancel(ctx), nc)
			return err
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}
