package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

type messageAttachmentCmd struct {
	Message string `arg:"" help:"CHANNEL/ID or full name."`
	Part    string `arg:"" help:"Path of the part, as message show lists it, or cid:CONTENT-ID."`
	Out     string `type:"path" help:"File or folder to write to, or - for standard output; by default a file here, named as the sender named it where that is safe." placeholder:"FILE"`
}

// Run saves the part. A file that is there already is never replaced unless --out names it.
func (c *messageAttachmentCmd) Run(ctx context.Context, con *console, cl *client) error {
	name, err := cl.messageName(c.Message)
	if err != nil {
		return err
	}
	req := &mailintakev1.ReadAttachmentRequest{Name: name, Part: c.Part}
	if id, ok := strings.CutPrefix(c.Part, "cid:"); ok {
		req.Part, req.ContentId = "", id
	}
	return cl.with(func(s services) error {
		d := &download{s: s, req: req, end: func() {}}
		defer func() { d.end() }()
		first, err := d.begin(ctx)
		if err != nil {
			return cl.failedRead(c.Message, err)
		}
		if c.Out == "-" {
			return cl.failedRead(c.Message, d.copy(ctx, con.out))
		}
		path, err := c.path(first.GetSafeFilename())
		if err != nil {
			return err
		}
		if err := writeWhole(path, func(w io.Writer) error { return cl.failedRead(c.Message, d.copy(ctx, w)) }); err != nil {
			return err
		}
		_, err = fmt.Fprintf(con.out, "%s  %s  %s\n", plain(path), plain(first.GetPart().GetContentType()), octets(first.GetPart().GetSizeBytes()))
		return err
	})
}

// path is where the part goes. The name is made safe by the service; what is not one element of a path is refused all the
// same, since a client need not believe its server.
func (c *messageAttachmentCmd) path(safe string) (string, error) {
	if info, err := os.Stat(c.Out); c.Out != "" && (err != nil || !info.IsDir()) {
		return c.Out, nil
	}
	if safe == "" || filepath.Base(safe) != safe || safe == ".." || safe == "." {
		return "", errors.New("the service names no file that is safe; give one with --out")
	}
	path := filepath.Join(c.Out, safe)
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("%s is there already; give another name with --out", path)
	}
	return path, nil
}

// download reads one part. A stream that breaks off goes on where it ended, as long as every try brings something.
type download struct {
	s      services
	req    *mailintakev1.ReadAttachmentRequest
	stream interface {
		Recv() (*mailintakev1.ReadAttachmentResponse, error)
	}
	end func() // of the stream
}

// begin opens a stream at the offset of the request and gives its description.
func (d *download) begin(ctx context.Context) (*mailintakev1.ReadAttachmentResponse, error) {
	d.end()
	ctx, d.end = context.WithCancel(ctx)
	var err error
	if d.stream, err = d.s.messages.ReadAttachment(ctx, d.req); err != nil {
		return nil, err
	}
	return d.stream.Recv()
}

func (d *download) copy(ctx context.Context, w io.Writer) error {
	for {
		n, err := d.piecesTo(w)
		d.req.Offset += n
		if n == 0 || status.Code(err) != codes.Unavailable {
			return err
		}
		if _, err := d.begin(ctx); err != nil {
			return err
		}
	}
}

// piecesTo writes what the stream brings and says how much that was.
func (d *download) piecesTo(w io.Writer) (n int64, err error) {
	for {
		piece, err := d.stream.Recv()
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		k, err := w.Write(piece.GetData())
		n += int64(k)
		if err != nil {
			return n, err
		}
	}
}

type messageThreadCmd struct {
	Message string `arg:"" help:"CHANNEL/ID or full name of any message of the conversation."`
	Limit   int    `default:"200" help:"At most so many messages (${default}); 0 for all."`
}

// Run lists the conversation.
func (c *messageThreadCmd) Run(ctx context.Context, con *console, cl *client) error {
	name, err := cl.messageName(c.Message)
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return &usageError{"--limit: must not be negative"}
	}
	return cl.with(func(s services) error {
		get, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		m, err := s.messages.GetMessage(get, &mailintakev1.GetMessageRequest{Name: name, View: mailintakev1.MessageView_MESSAGE_VIEW_BASIC})
		if err != nil {
			return cl.failed("get message "+c.Message, err)
		}
		id := m.GetThread().GetId()
		if id == "" {
			return fmt.Errorf("%s was stored before conversations were found; bring it up to date with: mailintake replay create CHANNEL --kind parse", c.Message)
		}
		parent, _, _ := strings.Cut(name, "/messages/")
		return cl.listMessages(ctx, con, s, &mailintakev1.ListMessagesRequest{Parent: parent, Filter: "thread.id = " + quote(id), OrderBy: "sequence"}, c.Limit)
	})
}
