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
