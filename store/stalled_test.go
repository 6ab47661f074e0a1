package store_test

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgproto3"
)

// A process that is paused while it sends a batch behind the fence is no idle transaction for the server: the first
// messages of the extended protocol came, the one that ends them did not.
func TestPauseInTheMiddleOfABatchGivesTheChannelBack(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, b.URL)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, `begin`); err != nil {
		t.Fatal(err)
	}
	if _, err := conn.Exec(ctx, `select from channel_state where channel_id = $1 for no key update`, b.channel.ID); err != nil {
		t.Fatal(err)
	}
	pid := conn.PgConn().PID()
	hijacked, err := conn.PgConn().Hijack()
	if err != nil {
		t.Fatal(err)
	}
	defer hijacked.Conn.Close()
	hijacked.Frontend.SendParse(&pgproto3.Parse{Query: "select 1"})
	if err := hijacked.Frontend.Flush(); err != nil {
		t.Fatal(err)
	}
	free := func() bool {
		return b.Int(`select count(*) from (select from channel_state where channel_id = $1 for no key update skip locked) x`, b.channel.ID) == 1
	}
	for deadline := time.Now().Add(10 * time.Second); b.Int(`select count(*) from pg_stat_activity where pid = $1 and state = 'active' and wait_event = 'ClientRead'`, pid) == 0; {
		if time.Now().After(deadline) {
			t.Fatal("the server does not wait for the rest of the batch")
		}
	}
	if free() {
		t.Fatal("the paused transaction does not hold the channel")
	}
	if err := b.EndStalled(ctx, time.Hour); err != nil {
		t.Fatal(err)
	}
	if free() {
		t.Error("a commit that has just begun was ended")
	}
	if err := b.EndStalled(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if !free() {
		t.Error("the paused transaction still holds the channel")
	}
}
