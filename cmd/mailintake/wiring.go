package main

import (
	"context"
	"net/netip"
	"time"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
	"github.com/mailintake/mailintake/ingest/imap"
	"github.com/mailintake/mailintake/ingest/pop3"
	"github.com/mailintake/mailintake/ingest/relay"
	"github.com/mailintake/mailintake/store"
)

// mailboxes opens sessions by either protocol. It is also the prober of connection tests.
type mailboxes struct {
	imap imap.Client
	pop3 pop3.Client
}

func newMailboxes(allow []netip.Prefix) *mailboxes {
	d := &dial.Dialer{Egress: dial.Egress{Allow: allow}}
	return &mailboxes{imap: imap.Client{Dialer: d, Version: version()}, pop3: pop3.Client{Dialer: d}}
}

func (m *mailboxes) open(ctx context.Context, box *ingest.Mailbox, readOnly bool) (ingest.Session, error) {
	if box.Protocol.IsIMAP() {
		return m.imap.Open(ctx, box, readOnly)
	}
	return m.pop3.Open(ctx, box)
}

// Probe logs in, opens the mailbox and leaves it as it was.
func (m *mailboxes) Probe(ctx context.Context, box ingest.Mailbox) control.Probe {
	var t dial.Trace
	sess, err := m.open(dial.WithTrace(ctx, &t), &box, true)
	if err == nil {
		// What a server says to the good-bye of a session that did nothing tells nothing about the mailbox.
		_ = sess.Close()
	}
	took := map[control.Stage]time.Duration{}
	for stage, s := range map[control.Stage]dial.Stage{control.StageDNS: t.DNS, control.StageTCP: t.TCP, control.StageTLS: t.TLS,
		control.StageGreeting: t.Greeting, control.StageLogin: t.Login, control.StageFolder: t.Folder} {
		if s.Passed {
			took[stage] = s.Took
		}
	}
	return control.Probe{Took: took, Err: err, Addresses: t.Addresses, RemoteAddress: t.Address, TLSVersion: t.TLSVersion, TLSCipher: t.TLSCipher,
		CertificateNotAfter: t.CertificateNotAfter, Greeting: t.Banner, Capabilities: t.Capabilities, Messages: t.Messages, Notes: t.Notes}
}

// outbox is the store as the relay sees it.
type outbox struct{ store *store.Store }

// Next reads rows.
func (o outbox) Next(ctx context.Context, buckets []int16, except []ingest.ChannelID, limit int) ([]relay.Row, error) {
	rows, err := o.store.OutboxNext(ctx, buckets, except, limit)
	out := make([]relay.Row, len(rows))
	for i, r := range rows {
		out[i] = relay.Row(r)
	}
	return out, err
}

// Delete removes rows that the stream has.
func (o outbox) Delete(ctx context.Context, ids []int64) error { return o.store.OutboxDelete(ctx, ids) }
