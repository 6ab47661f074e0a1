package control

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/mailintake/mailintake/ingest"
)

// ChunkSize is how many octets of a raw message are read at a time.
const ChunkSize = 256 << 10

// maxTextPage is the largest page of messages with their texts.
const maxTextPage = 10

// Messages is the service that reads stored messages.
type Messages struct {
	Store  Store
	Pages  Pages
	Parser Parser
}

// Parser reads what is not stored out of raw messages. It is the parser of ingestion, which this package does not know;
// cmd supplies it. Both functions take any octets and read r to its end, or to its first error.
type Parser struct {
	// Inspect gives what a message holds beside its record. remote keeps addresses of remote content in the HTML.
	Inspect func(r io.Reader, size int64, s *Settings, remote bool) View
	// Extract writes the decoded octets of the part at path to w. found is false where there is none, and nothing was
	// written then. It returns the first error of r or w.
	Extract func(r io.Reader, size int64, path string, s *Settings, w io.Writer) (part ingest.Part, found bool, err error)
}

// View is what a message holds beside its record. All strings are valid UTF-8.
type View struct {
	Header        []ingest.Field
	Multiparts    []ingest.Multipart
	HTML          string // safe to show
	HTMLCut       bool   // HTML was longer
	RemoteBlocked bool   // HTML leaves out content that would be fetched from elsewhere
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

// Inspect reads the raw octets of m, which Get returned, with the channel's settings of today. remote keeps addresses of
// remote content in the HTML. It returns errors of KindNotFound, and KindDataLoss if octets are missing.
func (s *Messages) Inspect(ctx context.Context, m *Message, remote bool) (View, error) {
	ch, err := s.Store.Channel(ctx, m.Tenant, m.Channel)
	if err != nil {
		return View{}, stored(err, m.Name())
	}
	raw := s.raw(ctx, m)
	v := s.Parser.Inspect(raw, m.Size, &ch.Settings, remote)
	return v, raw.err
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
	raw := s.raw(ctx, &m)
	for raw.at = offset; raw.at < m.Size; {
		data, err := raw.next()
		if err != nil {
			return err
		}
		if err := each(data); err != nil {
			return err
		}
	}
	return nil
}
