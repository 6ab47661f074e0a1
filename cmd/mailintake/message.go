package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// messageCmd are the commands for stored messages.
type messageCmd struct {
	client
	List       messageListCmd       `cmd:"" help:"List the messages of a channel, the newest first."`
	Show       messageShowCmd       `cmd:"" help:"Show a message to be read: what it says, what it is, and what is attached."`
	Get        messageGetCmd        `cmd:"" help:"Show the record of a message, field by field; with -o json all that is known."`
	Thread     messageThreadCmd     `cmd:"" help:"List the conversation that a message belongs to, the oldest first."`
	Attachment messageAttachmentCmd `cmd:"" help:"Save one part of a message under a name that is safe."`
	Raw        messageRawCmd        `cmd:"" help:"Write a message exactly as the mail server sent it."`
}

type messageListCmd struct {
	Channel   string  `arg:"" help:"Id or full name of the channel."`
	Limit     int     `default:"50" help:"At most so many messages (${default}); 0 for all."`
	Since     *moment `help:"Only messages that the mail server received at or after this time, or within this age (10m, 2d)." placeholder:"TIME"`
	Until     *moment `help:"Only messages received before this time." placeholder:"TIME"`
	MessageID string  `name:"message-id" help:"Only messages with this Message-ID."`
	Class     string  `help:"Only messages of this class: human, auto-reply, bounce, complaint, read-receipt, list, calendar or system."`
	Thread    string  `help:"Only messages of this conversation." placeholder:"ID"`
}

// Run lists messages.
func (c *messageListCmd) Run(ctx context.Context, con *console, cl *client) error {
	parent, err := cl.channelName(c.Channel)
	if err != nil {
		return err
	}
	if c.Limit < 0 {
		return &usageError{"--limit: must not be negative"}
	}
	return cl.with(func(s services) error {
		return cl.listMessages(ctx, con, s, &mailintakev1.ListMessagesRequest{Parent: parent, Filter: c.filter()}, c.Limit)
	})
}

// listMessages prints at most limit messages, 0 for all.
func (c *client) listMessages(ctx context.Context, con *console, s services, req *mailintakev1.ListMessagesRequest, limit int) error {
	p := c.printer(con)
	t := newTable(con.out, "MESSAGE", "SEQ", "RECEIVED", "CLASS", "FROM", "SUBJECT", "SIZE", "FILES", "DEFECTS")
	n := 0
	req.View = mailintakev1.MessageView_MESSAGE_VIEW_BASIC
	err := pages(ctx, func(ctx context.Context, token string) (string, error) {
		req.PageToken, req.PageSize = token, 500
		if limit > 0 {
			req.PageSize = int32(min(500, limit-n))
		}
		res, err := s.messages.ListMessages(ctx, req)
		if err != nil {
			return "", c.failed("list messages of "+c.shortName(req.GetParent()), err)
		}
		for _, m := range res.GetMessages() {
			n++
			if !p.json {
				t.message(m)
			} else if err := p.line(m); err != nil {
				return "", err
			}
		}
		if n == limit {
			return "", nil
		}
		return res.GetNextPageToken(), nil
	})
	if err != nil || p.json {
		return err
	}
	if n == 0 {
		_, err := fmt.Fprintln(con.err, "no messages")
		return err
	}
	return t.flush()
}

func (c *messageListCmd) filter() string {
	var terms []string
	if c.Since != nil {
		terms = append(terms, "receive_time >= "+quote(c.Since.UTC().Format(time.RFC3339Nano)))
	}
	if c.Until != nil {
		terms = append(terms, "receive_time < "+quote(c.Until.UTC().Format(time.RFC3339Nano)))
	}
	if c.MessageID != "" {
		terms = append(terms, "message_id_header = "+quote(c.MessageID))
	}
	if c.Class != "" {
		terms = append(terms, "message_class = "+quote(enumName(c.Class)))
	}
	if c.Thread != "" {
		terms = append(terms, "thread.id = "+quote(c.Thread))
	}
	return strings.Join(terms, " AND ")
}

// message adds a message to a list; its id is what message get takes after the channel.
func (t table) message(m *mailintakev1.Message) {
	received := m.GetReceiveTime()
	if received == nil {
		received = m.GetStoreTime()
	}
	files := 0
	for _, p := range m.GetParts() {
		if !p.GetBody() && !p.GetAttached() {
			files++
		}
	}
	t.row(lastSegment(m.GetName()), strconv.FormatInt(m.GetSequence(), 10), stamp(received), className(m.GetMessageClass()), cut(addresses(m.GetFrom()), 40), cut(m.GetSubject(), 50),
		octets(m.GetSizeBytes()), countOrNone(files), countOrNone(len(m.GetDefects())))
}

// className is a class as flags write it; empty if it is not known.
func className(c mailintakev1.MessageClass) string {
	if c == mailintakev1.MessageClass_MESSAGE_CLASS_UNSPECIFIED {
		return ""
	}
	return strings.ToLower(strings.ReplaceAll(c.String(), "_", "-"))
}

func countOrNone(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func lastSegment(name string) string { return name[strings.LastIndexByte(name, '/')+1:] }

// addresses is an address field for people.
func addresses(list []*mailintakev1.Address) string {
	texts := make([]string, len(list))
	for i, a := range list {
		switch {
		case a.GetName() == "":
			texts[i] = a.GetEmail()
		case a.GetEmail() == "":
			texts[i] = a.GetName()
		default:
			texts[i] = a.GetName() + " <" + a.GetEmail() + ">"
		}
	}
	return strings.Join(texts, ", ")
}

type messageGetCmd struct {
	Message string `arg:"" help:"CHANNEL/ID or full name."`
}

// Run shows the message.
func (c *messageGetCmd) Run(ctx context.Context, con *console, cl *client) error {
	name, err := cl.messageName(c.Message)
	if err != nil {
		return err
	}
	return cl.with(func(s services) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		view := mailintakev1.MessageView_MESSAGE_VIEW_TEXT
		if cl.printer(con).json {
			view = mailintakev1.MessageView_MESSAGE_VIEW_FULL
		}
		m, err := s.messages.GetMessage(ctx, &mailintakev1.GetMessageRequest{Name: name, View: view})
		if err != nil {
			return cl.failed("get message "+c.Message, err)
		}
		return cl.printer(con).one(m, func(w io.Writer) error { return describeMessage(w, m) })
	})
}

// describeMessage writes the header, what is known about the message, its parts and its text.
func describeMessage(w io.Writer, m *mailintakev1.Message) error {
	f := newFacts(w)
	f.add("name", m.GetName())
	f.add("from", addresses(m.GetFrom()))
	f.add("sender", addresses(m.GetSender()))
	f.add("reply to", addresses(m.GetReplyTo()))
	f.add("to", addresses(m.GetTo()))
	f.add("cc", addresses(m.GetCc()))
	f.add("subject", m.GetSubject())
	f.add("date", stamp(m.GetDate()))
	f.add("received", stamp(m.GetReceiveTime()))
	f.add("stored", stamp(m.GetStoreTime()))
	f.add("message id", m.GetMessageIdHeader())
	f.add("in reply to", strings.Join(m.GetInReplyTo(), " "))
	describeVerdicts(f, m)
	f.add("parsed by", fmt.Sprintf("version %d of the parser", m.GetParserVersion()))
	f.add("event", fmt.Sprintf("#%d, %s", m.GetSequence(), m.GetEventId()))
	f.add("lay at", m.GetRef())
	f.add("size", octets(m.GetSizeBytes()))
	f.add("sha256", m.GetSha256())
	for _, p := range m.GetParts() {
		text := p.GetContentType() + ", " + octets(p.GetSizeBytes())
		if p.GetFilename() != "" {
			text += ", " + p.GetFilename()
		}
		f.add("part "+p.GetPath(), text)
	}
	for _, d := range m.GetDefects() {
		f.add("defect", strings.TrimSpace(d.GetCode()+" "+d.GetWhere())+": "+d.GetText())
	}
	if err := f.flush(); err != nil {
		return err
	}
	if m.GetText() == "" {
		return nil
	}
	var b strings.Builder
	b.WriteByte('\n')
	for line := range strings.Lines(m.GetText()) {
		b.WriteString(printable(line) + "\n")
	}
	if m.GetTextTruncated() {
		b.WriteString("… (the text goes on; message raw has all of it)\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

type messageRawCmd struct {
	Message string `arg:"" help:"CHANNEL/ID or full name."`
	Out     string `type:"path" help:"Write to this file, which appears when it is complete; standard output by default." placeholder:"FILE"`
}

// Run copies the octets.
func (c *messageRawCmd) Run(ctx context.Context, con *console, cl *client) error {
	name, err := cl.messageName(c.Message)
	if err != nil {
		return err
	}
	return cl.with(func(s services) error {
		if c.Out == "" {
			return cl.failedRead(c.Message, copyRaw(ctx, s, name, con.out))
		}
		return writeWhole(c.Out, func(w io.Writer) error { return cl.failedRead(c.Message, copyRaw(ctx, s, name, w)) })
	})
}

// failedRead wraps what the service said; faults of the output say enough themselves.
func (c *client) failedRead(arg string, err error) error {
	if _, ok := status.FromError(err); ok {
		return c.failed("read message "+arg, err)
	}
	return err
}

// copyRaw writes the message to w. A stream that breaks off goes on where it ended, as long as every try brings
// something.
func copyRaw(ctx context.Context, s services, name string, w io.Writer) error {
	for offset := int64(0); ; {
		n, err := copyFrom(ctx, s, name, offset, w)
		if n == 0 || status.Code(err) != codes.Unavailable {
			return err
		}
		offset += n
	}
}

func copyFrom(ctx context.Context, s services, name string, offset int64, w io.Writer) (n int64, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stream, err := s.messages.ReadRawMessage(ctx, &mailintakev1.ReadRawMessageRequest{Name: name, Offset: offset})
	if err != nil {
		return 0, err
	}
	for {
		piece, err := stream.Recv()
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

// writeWhole writes a file under another name and gives it its own when all is on disk. Mail is nobody else's business:
// only the owner may read it.
func writeWhole(path string, write func(io.Writer) error) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
