package main

import (
	"context"
	"fmt"
	"io"
	"net"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/auth"
	"github.com/mailintake/mailintake/ingest/mime"
)

// reader makes a Mail of a stored message, as the settings of its channel want it. It is safe for concurrent use.
type reader struct {
	resolver auth.Resolver // nil: signatures are not verified here
	close    func() error
}

// newReader makes a reader that asks the machine's DNS for the keys of DKIM signatures if verify is set.
func newReader(verify bool) *reader {
	if !verify {
		return &reader{close: func() error { return nil }}
	}
	cache := auth.NewCache(net.DefaultResolver)
	return &reader{resolver: cache, close: cache.Close}
}

// parse runs the parser over spooled octets and checks where they come from.
func (r *reader) parse(ctx context.Context, ch *ingest.Channel, octets ingest.Octets) *ingest.Mail {
	mail := r.reparse(ctx, ch, octets)
	mail.Auth = auth.Check(ctx, mail.From, func() (io.ReadCloser, error) { return octets.Open() },
		auth.Options{AuthservIDs: ch.AuthservIDs, Resolver: r.resolver})
	return mail
}

// reparse runs the parser alone, for mail that came long ago: where it came from was told by keys that may be gone by now.
// Octets that cannot be read back yield a mail with a defect: the octets themselves are what counts, and the commit that
// reads them next reports the fault.
func (r *reader) reparse(_ context.Context, ch *ingest.Channel, octets ingest.Octets) *ingest.Mail {
	body, err := octets.Open()
	if err != nil {
		return &ingest.Mail{Defects: []ingest.Defect{{Code: "UNREADABLE", Text: fmt.Sprint(err)}}}
	}
	defer body.Close()
	return mime.Parse(body, octets.Size(), parseOptions(ch.Address, ch.Aliases, ch.FallbackCharset))
}

// parseOptions are the settings of a channel that the parser wants.
func parseOptions(address string, aliases []string, fallbackCharset string) mime.Options {
	return mime.Options{FallbackCharset: fallbackCharset, Addresses: append([]string{address}, aliases...)}
}
