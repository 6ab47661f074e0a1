package main

import (
	"io"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/html"
	"github.com/mailintake/mailintake/ingest/mime"
)

// maxHTML is the longest HTML that is shown, in octets.
const maxHTML = 1 << 20

// inspector reads for the API what is not stored of a message.
func inspector() control.Parser { return control.Parser{Inspect: inspect, Extract: extract} }

// inspect makes what view FULL has more.
func inspect(r io.Reader, size int64, s *control.Settings, remote bool) control.View {
	mail, view := mime.Inspect(r, size, parseOptions(s.EmailAddress, s.Aliases, s.FallbackCharset))
	safe, report := html.Safe(view.HTML, maxHTML, html.Policy{RemoteContent: remote})
	return control.View{
		Header: view.Header, Multiparts: mail.Multiparts, HTML: safe, HTMLCut: view.HTMLCut || report.Cut, RemoteBlocked: report.RemoteBlocked,
	}
}

// extract decodes one part.
func extract(r io.Reader, size int64, path string, s *control.Settings, w io.Writer) (ingest.Part, bool, error) {
	return mime.Extract(r, size, path, parseOptions(s.EmailAddress, s.Aliases, s.FallbackCharset), w)
}
