package store_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store"
	"github.com/mailintake/mailintake/store/storetest"
)

// eventually asks until ok says yes, and fails the test with what it last said after the patience is over.
func eventually(t *testing.T, patience time.Duration, ok func() (bool, string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		good, state := ok()
		if good {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("not within %v: %s", patience, state)
		case <-tick.C:
		}
	}
}

// open opens the test's database again, as another process would.
func open(t *testing.T, db *storetest.DB) *store.Store {
	t.Helper()
	st, err := store.Open(t.Context(), store.Config{URL: db.URL, MaxConns: 4, Sealer: db.Sealer, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(st.Close)
	return st
}

// addChannels adds n enabled channels with rows as CreateChannel makes them, in one statement.
func addChannels(db *storetest.DB, n int) {
	db.Exec(`with c as (
  insert into channel (tenant, channel, display_name, email_address, enabled, description, labels, script, protocol, host, port, starttls,
    tls_server_name, tls_ca_pem, username, folder, poll_interval, initial_sync, settlement, max_message_bytes)
  select 'acme', 'c' || lpad(i::text, 6, '0'), '', '', true, '', '{}', '', 4, 'h', 0, true, '', '', '', '', '1 minute', 0, 0, 1 from generate_series(1, $1::int) i
  returning channel_id),
s as (insert into channel_state (channel_id) select channel_id from c)
insert into channel_status (channel_id, state) select channel_id, 2 from c`, n)
}

// numbered are n events of a channel, committed as quarantined refs, so that no octets are needed.
func (b *bench) numbered(t *testing.T, n int) {
	t.Helper()
	first := int(b.Int(`select next_seq from channel_state where channel_id = $1`, b.channel.ID))
	var items []ingest.Item
	for i := range n {
		items = append(items, ingest.Item{Ref: ref(uint32(1_000_000 + first + i)), Standing: ingest.Quarantined, Reason: ingest.ReasonTooLarge, Event: received})
	}
	b.mustCommit(t, items...)
}

func texts(vs []store.Violation) []string {
	var out []string
	for _, v := range vs {
		out = append(out, fmt.Sprintf("%d %s: %s", v.Invariant, v.Channel, v.What))
	}
	return out
}

func uuidText(id ingest.MessageID) string { return uuid.UUID(id).String() }

func containsAny(s string, parts ...string) bool {
	return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(s, p) })
}
