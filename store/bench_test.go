package store_test

import (
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/store/storetest"
)

// BenchmarkCommit writes batches of 200 mails of 10 KB, of which every other one answers an earlier one.
func BenchmarkCommit(b *testing.B) {
	db := storetest.New(b)
	ch, own, polled := owned(b, db, "support")
	uid := uint32(0)
	for b.Loop() {
		batch := &ingest.Batch{Channel: polled}
		for range 200 {
			uid++
			batch.Items = append(batch.Items, conversation(uid))
		}
		batch.Cursor = ingest.Cursor{Folder: "INBOX", UIDValidity: 7, LastUID: uid}
		if _, err := db.Commit(b.Context(), own, batch); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/batch")
	if n := db.Int(`select count(*) from message where channel_id = $1`, ch.ID); n != int64(uid) {
		b.Fatalf("%d messages of %d", n, uid)
	}
}

// conversation is the message with a number: odd ones begin something, even ones answer what came about 300 before.
func conversation(n uint32) ingest.Item {
	body := make([]byte, 10_000)
	rand.Read(body[:5_000])
	it := message(n, body)
	id := func(n uint32) string { return fmt.Sprintf("CAF%08x.%d.customer@mail.example.com", n*2654435761, n) }
	it.Mail = &ingest.Mail{Subject: fmt.Sprintf("Order %d", n), From: []ingest.Address{{Name: "A customer", Email: fmt.Sprintf("customer%d@example.com", n/4)}},
		To: []ingest.Address{{Email: "support@example.com"}}, Date: time.Unix(1_700_000_000+int64(n), 0).UTC(), MessageID: id(n),
		Text: fmt.Sprintf("%x", body[:500]), Parts: []ingest.Part{{Path: "1", ContentType: "text/plain", Charset: "utf-8", Body: true, Size: 1000, SHA256: fmt.Sprintf("%x", body[:32])}},
		Fingerprint: fmt.Sprintf("%x", body[32:64])}
	if n%2 == 0 {
		parent := n - min(n, 301)
		it.Mail.Subject = "Re: " + it.Mail.Subject
		it.Mail.InReplyTo, it.Mail.References = []string{id(parent)}, []string{id(parent + 1<<24), id(parent)}
	}
	return it
}
