package control

import (
	"context"
	"fmt"
	"strconv"
)

// ChunkSize is how many octets of a raw message are read at a time.
const ChunkSize = 256 << 10

// maxTextPage is the largest page of messages with their texts.
const maxTextPage = 10

// Messages is the service that reads stored messages.
type Messages struct {
	Store Store
	Pages Pages
}

// Get reads one message with its text. It returns errors of KindInvalid and KindNotFound.
func (s *Messages) Get(ctx context.Context, name string) (Message, error) {
	tenant, channel, id, err := ParseMessage("name", name)
	if err != nil {
		return Message{}, err
	}
	m, err := s.Store.Message(ctx, tenant, channel, id)
	return m, stored(err, name)
}

// ListMessages is what List needs.
type ListMessages struct {
	Parent    string
	PageSize  int // 0 means DefaultPageSize; at most MaxPageSize items are returned, fewer with Text
	PageToken string
	Filter    string // as in the API
	OrderBy   string // "sequence desc" (the default) or "sequence"
	Text      bool   // with the texts of the messages
}

func (l *ListMessages) list() []string { return []string{"messages", l.Parent, l.Filter, l.OrderBy} }

// List returns one page of messages and whether there are more. It returns errors of KindInvalid and KindNotFound.
func (s *Messages) List(ctx context.Context, l ListMessages) (page []Message, more bool, err error) {
	q := MessageQuery{Text: l.Text}
	if q.Tenant, q.Channel, err = ParseChannel("parent", l.Parent); err != nil {
		return nil, false, err
	}
	if err = messageFilter(l.Filter, &q); err != nil {
		return nil, false, err
	}
	if q.Descending, err = orderBy(l.OrderBy, "sequence", true); err != nil {
		return nil, false, err
	}
	after, err := s.Pages.after(l.PageToken, l.list()...)
	if err != nil {
		return nil, false, err
	}
	if after != "" {
		if q.After, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, false, Invalid(Violation{"page_token", "must be the next_page_token of the page before"})
		}
	}
	limit := MaxPageSize
	if l.Text {
		limit = maxTextPage
	}
	size, err := pageSize(l.PageSize, limit)
	if err != nil {
		return nil, false, err
	}
	// An unknown channel is an error, not an empty list.
	if _, err := s.Store.Channel(ctx, q.Tenant, q.Channel); err != nil {
		return nil, false, stored(err, l.Parent)
	}
	q.Limit = size + 1
	page, err = s.Store.Messages(ctx, q)
	if err != nil {
		return nil, false, stored(err, l.Parent)
	}
	return page[:min(size, len(page))], len(page) > size, nil
}

// PageToken is the token of the page that begins behind last.
func (s *Messages) PageToken(l ListMessages, last Message) string {
	return s.Pages.token(strconv.FormatInt(last.Sequence, 10), l.list()...)
}

// ReadRaw gives the octets of a message from offset on to each, in pieces of at most ChunkSize. An error of each ends
// it and comes back as it is. It returns errors of KindInvalid, KindNotFound, and KindDataLoss if octets are missing.
func (s *Messages) ReadRaw(ctx context.Context, name string, offset int64, each func([]byte) error) error {
	tenant, channel, id, err := ParseMessage("name", name)
	if err != nil {
		return err
	}
	m, err := s.Store.Message(ctx, tenant, channel, id)
	if err != nil {
		return stored(err, name)
	}
	if offset < 0 || offset > m.Size {
		return Invalid(Violation{"offset", fmt.Sprintf("must be 0 to %d, the size of the message", m.Size)})
	}
	for offset < m.Size {
		data, err := s.Store.ReadRaw(ctx, tenant, channel, id, offset, ChunkSize)
		if err != nil {
			return stored(err, name)
		}
		if len(data) == 0 {
			return &Error{Kind: KindDataLoss, Reason: "RAW_INCOMPLETE", Resource: name,
				Message: fmt.Sprintf("%s ends after %d of %d octets", name, offset, m.Size)}
		}
		if err := each(data); err != nil {
			return err
		}
		offset += int64(len(data))
	}
	return nil
}
