package store

import (
	"context"
	"io"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/mailintake/mailintake/ingest"
)

// pieceSize is how much of a message one row of raw holds.
const pieceSize = 256 << 10

// copyRaw stores octets by COPY.
func copyRaw(ctx context.Context, tx pgx.Tx, raws []rawMessage) error {
	if len(raws) == 0 {
		return nil
	}
	src := &pieces{messages: raws}
	defer src.close()
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"raw"}, []string{"day", "message_id", "piece", "octets"}, src)
	return err
}

type rawMessage struct {
	id     ingest.MessageID
	octets ingest.Octets
}

// pieces feeds messages to COPY, piece by piece, so that memory does not follow their size.
type pieces struct {
	messages []rawMessage
	body     io.ReadCloser
	piece    int
	buf      []byte
	n        int
	last     bool // body has ended
	err      error
}

// Next reads the next piece.
func (p *pieces) Next() bool {
	if p.buf == nil {
		p.buf = make([]byte, pieceSize)
	}
	for {
		if p.last {
			p.close()
			p.messages, p.piece, p.last = p.messages[1:], 0, false
		}
		if len(p.messages) == 0 {
			return false
		}
		if p.body == nil {
			if p.body, p.err = p.messages[0].octets.Open(); p.err != nil {
				return false
			}
		}
		n, err := io.ReadFull(p.body, p.buf)
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			p.err = err
			return false
		}
		p.last = err != nil
		// An empty message has one empty piece, so that every message has a row.
		if n > 0 || p.piece == 0 {
			p.n = n
			return true
		}
	}
}

// Values is the row of the piece that Next read.
func (p *pieces) Values() ([]any, error) {
	m := p.messages[0]
	p.piece++
	return []any{dayOf(m.id), uuid.UUID(m.id), int32(p.piece - 1), p.buf[:p.n]}, nil
}

// Err is what ended the feed early.
func (p *pieces) Err() error { return p.err }

func (p *pieces) close() {
	if p.body != nil {
		p.body.Close()
		p.body = nil
	}
}

// storedOctets is a message that is read back piece by piece, each with a query of its own, so that a slow reader holds no
// connection.
type storedOctets struct {
	ctx          context.Context // of the step that reads it
	store        *Store
	id           ingest.MessageID
	size         int64
	sum, content ingest.Digest
	err          error // what kept it from being read
}

func (o *storedOctets) Size() int64            { return o.size }
func (o *storedOctets) SHA256() ingest.Digest  { return o.sum }
func (o *storedOctets) Content() ingest.Digest { return o.content }
func (o *storedOctets) Close() error           { return nil }

// Open begins at the first octet.
func (o *storedOctets) Open() (io.ReadCloser, error) {
	return io.NopCloser(&storedReader{octets: o}), nil
}

type storedReader struct {
	octets *storedOctets
	piece  int
	rest   []byte
	read   int64
}

func (r *storedReader) Read(p []byte) (int, error) {
	o := r.octets
	for len(r.rest) == 0 {
		if r.read == o.size {
			return 0, io.EOF
		}
		err := o.store.pool.QueryRow(o.ctx, `select octets from raw where day = $1 and message_id = $2 and piece = $3`, dayOf(o.id), uuid.UUID(o.id), r.piece).Scan(&r.rest)
		if err == nil && len(r.rest) == 0 {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			o.err = err
			return 0, err
		}
		r.piece++
	}
	n := copy(p, r.rest)
	r.rest, r.read = r.rest[n:], r.read+int64(n)
	return n, nil
}
