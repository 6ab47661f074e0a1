package store

import (
	"crypto/rand"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/mailintake/mailintake/ingest"
)

// newMessageID is a UUID of version 7 with the time t in milliseconds.
func newMessageID(t time.Time) ingest.MessageID {
	var id ingest.MessageID
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(t.UnixMilli()))
	copy(id[:6], ms[2:])
	rand.Read(id[6:])
	id[6] = id[6]&0x0f | 0x70
	id[8] = id[8]&0x3f | 0x80
	return id
}

// newMessageIDs gives the n-th of a batch of ids: they rise, so that the oldest of two threads is told by its id also
// where both began in one batch (RFC 9562 §6.2, method 1).
func newMessageIDs(t time.Time) func(n int) ingest.MessageID {
	return func(n int) ingest.MessageID {
		id := newMessageID(t.Add(time.Duration(n>>12) * time.Millisecond))
		id[6], id[7] = 0x70|byte(n>>8)&0x0f, byte(n)
		return id
	}
}

// dayOf is the partition day of an id: the UTC day of its time.
func dayOf(id ingest.MessageID) time.Time {
	var ms [8]byte
	copy(ms[2:], id[:6])
	return time.UnixMilli(int64(binary.BigEndian.Uint64(ms[:]))).UTC().Truncate(24 * time.Hour)
}

// uuids is an array of UUIDs as the driver writes it straight; a slice of another type goes through text. The zero UUID
// is NULL.
type uuids = pgtype.FlatArray[pgtype.UUID]

func nullable(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: id != uuid.Nil} }

func uuidsOf(ids []uuid.UUID) uuids {
	column := make(uuids, len(ids))
	for i, id := range ids {
		column[i] = nullable(id)
	}
	return column
}
