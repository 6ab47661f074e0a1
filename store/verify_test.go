package store_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store"
)

// furnish fills a database with one of everything: three messages, the last of several pieces, a duplicate, a deferred,
// a quarantined and a skipped one, under two epochs, some settled, some published.
func furnish(t *testing.T) (*bench, ingest.Receipt) {
	t.Helper()
	b := setup(t)
	newChannel(t, b.DB, "empty")
	big := bytes.Repeat([]byte("0123456789abcdef"), store.PieceSize/16*2+3)
	one := message(1, []byte("one"))
	one.Settle, one.Mail.MessageID = true, "one@example.com"
	r := b.mustCommit(t, one, message(2, []byte("two")), message(3, big),
		ingest.Item{Ref: ref(4), Standing: ingest.Deferred, Reason: ingest.ReasonMissingBody},
		ingest.Item{Ref: ref(5), Standing: ingest.Quarantined, Reason: ingest.ReasonTooLarge, Event: received},
		ingest.Item{Ref: ref(6), Standing: ingest.Skipped, Reason: ingest.ReasonBeforeStart})
	b.own = claim(t, b.DB, b.channel.ID)
	dup := message(7, []byte("one"))
	dup.Standing, dup.Original, dup.Event, dup.Octets, dup.Mail = ingest.Duplicate, r.IDs[ref(1)], nil, nil, nil
	last := b.mustCommit(t, dup, message(8, nil))
	r.IDs[ref(8)] = last.IDs[ref(8)]
	if err := b.Settled(t.Context(), b.own, []ingest.Ref{ref(1)}, ingest.SettleDelete); err != nil {
		t.Fatal(err)
	}
	b.Exec(`delete from outbox where seq < 3`)
	return b, r
}

func TestVerifyClean(t *testing.T) {
	t.Parallel()
	b, r := furnish(t)
	var vs []store.Violation
	snap, err := b.Verify(t.Context(), func(v store.Violation) { vs = append(vs, v) })
	if err != nil || len(vs) != 0 {
		t.Fatalf("got %q, %v, want no violations", texts(vs), err)
	}
	if snap.Messages != 4 || snap.Octets != 3+3+(store.PieceSize/16*2+3)*16 {
		t.Errorf("looked at %d messages of %d octets", snap.Messages, snap.Octets)
	}
	if len(snap.Channels) != 1 || snap.Channels[0].Channel != "support" || len(snap.Channels[0].Events) != 5 {
		t.Fatalf("got %+v, want the 5 events of one channel", snap.Channels)
	}
	for i, e := range snap.Channels[0].Events {
		if e.Waiting != (i >= 2) || e.At.IsZero() {
			t.Errorf("event %d: got %+v", i+1, e)
		}
	}
	if got := [16]byte(snap.Channels[0].Events[0].ID); got != [16]byte(r.IDs[ref(1)]) {
		t.Error("the first event does not bear the id of the first message")
	}
}

func TestVerifyFindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		corrupt string // $1 is the id of message 1, $3 of the big message 3
		want    []int  // the invariants reported, each once
		says    string
	}{
		{"ledger calls stored what is not", `update ledger set message_id = gen_random_uuid() where ref like '%UID=7'`, []int{1}, "UID=7"},
		{"message deleted with its event and octets", `with m as (delete from message where message_id = $1 returning seq), r as (delete from raw where message_id = $1),
  e as (delete from event where message_id = $1) update ledger set settled_at = null, settled_how = null`, []int{1, 1, 5}, "UID=1"},
		{"message twice", `insert into message select day + 1, message_id, channel_id, seq, epoch, replica, ref, received_at, stored_at, size, sha256, parser_version, mail, body_text
  from message where message_id = $1; insert into raw select day + 1, message_id, piece, octets from raw where message_id = $1`, []int{2}, "2 times"},
		{"ledger lost an entry", `delete from ledger where message_id = $1 and standing = 1`, []int{2}, "UID=1"},
		{"two refs for one message", `update ledger set standing = 1 where ref like '%UID=7'`, []int{2}, "2 ledger entries"},
		{"two arrival events", `update event set message_id = $1 where type = 'quarantined'`, []int{2}, "2 arrival events"},
		{"settled without message", `update ledger set settled_at = now(), settled_how = 2, message_id = gen_random_uuid() where ref like '%UID=7'`, []int{1, 3}, "UID=7 was settled"},
		{"event of a message deleted", `delete from event where message_id = $1`, []int{4, 5}, "sequence 1"},
		{"event points elsewhere", `update event set message_id = null where message_id = $1`, []int{4}, "no event"},
		{"event announces nothing", `update event set message_id = gen_random_uuid() where type = 'quarantined'`, []int{4}, "is not stored"},
		{"outbox announces nothing", `insert into outbox (bucket, channel_id, day, seq) select 0, channel_id, day, 77 from event where seq = 1`, []int{4}, "77"},
		{"event without message deleted", `delete from event where type = 'quarantined'; delete from outbox where seq = 4`, []int{5}, "next is 6"},
		{"event twice", `insert into event select day + 1, channel_id, seq, event_id, null, type, at, epoch, replica, data from event where seq = 4`, []int{5}, "6 events"},
		{"counter ran ahead", `update channel_state set next_seq = next_seq + 1 where next_seq > 1`, []int{5}, "next is 7"},
		{"counter of an empty channel", `update channel_state set next_seq = 2 where next_seq = 1`, []int{5}, "0 events"},
		{"epoch went back", `update event set epoch = 9 where seq = 1`, []int{6}, "epoch 1 after one under epoch 9"},
		{"two replicas under one epoch", `update event set replica = gen_random_uuid() where seq = 2`, []int{6}, "2 replicas"},
		{"thread of a message changed", `update message set thread = gen_random_uuid() where message_id = $1`, []int{12}, "is in thread"},
		{"octet changed", `update raw set octets = set_byte(octets, 1, 0) where message_id = $1`, []int{7}, "do not hash"},
		{"octet of a later piece changed", `update raw set octets = set_byte(octets, 5, 0) where message_id = $3 and piece = 1`, []int{7}, "do not hash"},
		{"octet lost", `update raw set octets = substr(octets, 2) where message_id = $1`, []int{7}, "2 octets"},
		{"first piece missing", `delete from raw where message_id = $3 and piece = 0`, []int{7, 7}, "piece 0"},
		{"piece missing in the middle", `delete from raw where message_id = $3 and piece = 1`, []int{7, 7}, "piece 1"},
		{"last piece missing", `delete from raw where message_id = $3 and piece = 2`, []int{7}, "do not hash"},
		{"no octets at all", `delete from raw where message_id = $1`, []int{7}, "no raw octets"},
		{"hash changed", `update message set sha256 = sha256('x') where message_id = $1`, []int{7}, "do not hash"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b, r := furnish(t)
			for _, sql := range strings.Split(tc.corrupt, "; ") {
				sql = strings.NewReplacer("$1", "'"+uuidText(r.IDs[ref(1)])+"'", "$3", "'"+uuidText(r.IDs[ref(3)])+"'").Replace(sql)
				if b.Exec(sql) == 0 {
					t.Fatalf("nothing was corrupted by %s", sql)
				}
			}
			vs := b.violations(t)
			var got []int
			for _, v := range vs {
				got = append(got, v.Invariant)
				if !strings.HasPrefix(v.Channel, "tenants/acme/emailChannels/") {
					t.Errorf("channel is %q", v.Channel)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, tc.want) || !slices.ContainsFunc(vs, func(v store.Violation) bool { return strings.Contains(v.What, tc.says) }) {
				t.Errorf("got %q, want invariants %v, one with %q", texts(vs), tc.want, tc.says)
			}
		})
	}
}
