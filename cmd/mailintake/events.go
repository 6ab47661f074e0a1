package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"time"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest/relay"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// natsPatience is how long a command waits for NATS before it says that it is away.
const natsPatience = 5 * time.Second

// eventsCmd prints routing events.
type eventsCmd struct {
	NATSURL  string  `name:"nats-url" env:"MAILINTAKE_NATS_URL" default:"nats://127.0.0.1:4222" help:"NATS servers, with commas between (${default})." placeholder:"URL"`
	Tenant   string  `env:"MAILINTAKE_TENANT" default:"default" help:"Tenant (${default}); * for all."`
	Channel  string  `help:"Only events of this channel: id or full name."`
	Since    *moment `xor:"begin" help:"Begin with events published at this time, or this long ago (10m, 2d); by default with what is new." placeholder:"TIME"`
	All      bool    `xor:"begin" help:"Begin with the oldest event that the stream has."`
	NoFollow bool    `help:"End when all is printed, instead of waiting for more; without --since from the oldest on."`
	Output   string  `short:"o" enum:"line,json" default:"line" help:"How to print: line, or json for the CloudEvents as they are stored."`
}

// Run prints events until the end of the stream or of ctx.
func (c *eventsCmd) Run(ctx context.Context, con *console) error {
	subject, err := c.subject()
	if err != nil {
		return err
	}
	o := relay.TailOptions{Subject: subject, Follow: !c.NoFollow}
	switch {
	case c.Since != nil:
		o.Since = c.Since.Time
	case c.All:
		o.From = 1
	}
	for one := range strings.SplitSeq(c.NATSURL, ",") {
		if _, err := natsURL(one); err != nil {
			return &usageError{err.Error()}
		}
	}
	nc, err := relay.Dial(relay.DialOptions{URL: c.NATSURL, Name: "mailintake events"})
	if err != nil {
		return &usageError{"--nats-url: " + err.Error()}
	}
	defer nc.Close()
	wait, cancel := context.WithTimeout(ctx, natsPatience)
	defer cancel()
	var status relay.Status
	err = retry(wait, func(ctx context.Context) (err error) {
		status, err = relay.Inspect(ctx, nc)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		return fmt.Errorf("NATS cannot be reached: %w; check --nats-url (MAILINTAKE_NATS_URL)", whyNoNATS(ctx, c.NATSURL, err))
	case !status.Stream && len(status.Problems) > 0:
		return errors.New(status.Problems[0])
	case !status.Stream:
		return fmt.Errorf("stream %s does not exist yet; the service makes it when its relay starts", relay.StreamName)
	}
	return relay.Tail(ctx, nc, o, func(e relay.Event) error {
		line := formatEvent(e)
		if c.Output == "json" {
			line = string(e.Raw)
		}
		_, err := fmt.Fprintln(con.out, line)
		return err
	})
}

// subject is the filter for the stream.
func (c *eventsCmd) subject() (string, error) {
	tenant, channel := c.Tenant, c.Channel
	if t, ch, err := control.ParseChannel("channel", channel); err == nil {
		tenant, channel = t, ch
	}
	if tenant == "*" {
		tenant = ""
	}
	if tenant != "" && !control.ValidID(tenant) || channel != "" && !control.ValidID(channel) {
		return "", &usageError{fmt.Sprintf("tenant %q and channel %q: ids are 1 to 39 lower-case letters, digits and hyphens", tenant, channel)}
	}
	return relay.Filter(tenant, channel), nil
}

// retry calls f until it succeeds or ctx ends, and then gives its last error: a connection that relay.Dial has just made
// may need a moment.
func retry(ctx context.Context, f func(context.Context) error) error {
	for {
		err := f(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// whyNoNATS finds out what the network says about servers that no connection came about with. A connection of
// relay.Dial goes on trying for ever and does not tell why the first tries failed.
func whyNoNATS(ctx context.Context, urls string, err error) error {
	dialer := net.Dialer{Timeout: 2 * time.Second}
	var whys []string
	for one := range strings.SplitSeq(urls, ",") {
		u, perr := natsURL(one)
		if perr != nil {
			continue
		}
		port := u.Port()
		if port == "" {
			port = "4222"
		}
		conn, derr := dialer.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), port))
		if derr != nil {
			whys = append(whys, derr.Error())
			continue
		}
		_ = conn.Close() // nothing was said on it
		whys = append(whys, net.JoinHostPort(u.Hostname(), port)+" takes connections, so it asks for other credentials or TLS, or is no NATS server")
	}
	return fmt.Errorf("%w: %s", err, strings.Join(whys, "; "))
}

// natsURL reads one server URL as the client library does. Its error does not quote the URL, which may hold a password.
func natsURL(text string) (*url.URL, error) {
	text = strings.TrimSpace(text)
	if !strings.Contains(text, "://") {
		text = "nats://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" {
		return nil, errors.New("--nats-url is not a URL")
	}
	return u, nil
}

// formatEvent is one event as one line for people, without a newline: when, which channel, what, its sequence, and what
// there is to see of the message.
func formatEvent(e relay.Event) string {
	parts := []string{e.Time.Local().Format("15:04:05.000"), e.Tenant + "/" + e.Channel, e.Type, fmt.Sprintf("#%d", e.Sequence)}
	switch e.Type {
	case relay.TypeReceived, relay.TypeBounced, relay.TypeAutoReply:
		var data mailintakev1.ReceivedEvent
		if !decodeData(e.Data, &data) {
			break
		}
		parts = append(parts, cut(addresses(data.GetFrom()), 60), `"`+cut(data.GetRfc().GetSubject(), 80)+`"`, octets(data.GetSource().GetSizeBytes()))
		if c := className(data.GetMessageClass()); c != "" && c != "human" {
			parts = append(parts, c)
		}
		for _, r := range data.GetBounce().GetRecipients() {
			parts = append(parts, cut(strings.TrimSpace(r.GetAction()+" "+r.GetAddress()+" "+r.GetStatus()), 80))
			break
		}
		if n := len(data.GetDefects()); n > 0 {
			parts = append(parts, fmt.Sprintf("defects: %d", n))
		}
	case relay.TypeAmended:
		var data mailintakev1.AmendedEvent
		if !decodeData(e.Data, &data) {
			break
		}
		parts = append(parts, lastSegment(data.GetMessage()), cut(strings.Join(data.GetChanged(), ", "), 80),
			fmt.Sprintf("parser %d, before %d", data.GetParserVersion(), data.GetOldParserVersion()))
	case relay.TypeQuarantined:
		var data mailintakev1.QuarantinedEvent
		if !decodeData(e.Data, &data) {
			break
		}
		parts = append(parts, data.GetReason(), cut(data.GetDetail(), 80), cut(data.GetSource().GetRef(), 60), octets(data.GetSource().GetSizeBytes()))
	}
	if e.ReplayID != "" {
		parts = append(parts, "replay "+plain(e.ReplayID))
	}
	line := make([]string, 0, len(parts))
	for _, p := range parts {
		if p != "" {
			line = append(line, p)
		}
	}
	return strings.Join(line, "  ")
}

// decodeData reads the data of an event; fields of a newer service are left aside.
func decodeData(data json.RawMessage, to proto.Message) bool {
	return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(data, to) == nil
}
