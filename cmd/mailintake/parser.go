package main

import (
	"context"
	"fmt"
	"io"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/auth"
	"github.com/mailintake/mailintake/ingest/html"
	"github.com/mailintake/mailintake/ingest/mime"
)

// maxHTML is the longest HTML that is shown, in octets.
const maxHTML = 1 << 20

// parser reads messages for the parts of the service that do not know how.
type parser struct {
	keys auth.Resolver // of DKIM keys; nil where DNS is not allowed
}

// parse runs the parser over spooled octets. A spool that cannot be read back yields a mail with a defect: the octets
// themselves are what counts, and the commit that reads them next reports the fault.
func (p parser) parse(ctx context.Context, ch *ingest.Channel, octets ingest.Octets) *ingest.Mail {
	r, err := octets.Open()
	if err != nil {
		return &ingest.Mail{Defects: []ingest.Defect{{Code: "UNREADABLE", Text: fmt.Sprint(err)}}}
	}
	defer r.Close()
	m := mime.Parse(r, octets.Size(), parseOptions(ch.FallbackCharset, ch.Address, ch.Aliases))
	m.Auth = auth.Check(ctx, m.From, octets.Open, auth.Options{AuthservIDs: ch.AuthservIDs, Resolver: p.keys})
	return m
}

// inspect reads what is not stored of a message.
func (p parser) inspect(r io.Reader, size int64, s *control.Settings, remote bool) control.View {
	mail, view := mime.Inspect(r, size, parseOptions(s.FallbackCharset, s.EmailAddress, s.Aliases))
	safe, report := html.Safe(view.HTML, maxHTML, html.Policy{RemoteContent: remote})
	return control.View{
		Header: view.Header, Multiparts: mail.Multiparts, HTML: safe, HTMLCut: view.HTMLCut || report.Cut, RemoteBlocked: report.RemoteBlocked,
	}
}

// extract decodes one part of a message.
func (p parser) extract(r io.Reader, size int64, path string, s *control.Settings, w io.Writer) (ingest.Part, bool, error) {
	return mime.Extract(r, size, path, parseOptions(s.FallbackCharset, s.EmailAddress, s.Aliases), w)
}

// parseOptions are what parsing depends on of a channel. Its own address comes first.
func parseOptions(charset, address string, aliases []string) mime.Options {
	o := mime.Options{FallbackCharset: charset}
	if address != "" {
		o.Addresses = append([]string{address}, aliases...)
	}
	return o
}
