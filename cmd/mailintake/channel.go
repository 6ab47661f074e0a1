package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/mailintake/mailintake/control"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// channelCmd are the commands for channels.
type channelCmd struct {
	client
	Create   channelCreateCmd   `cmd:"" help:"Add a channel; reading begins within seconds."`
	Get      channelGetCmd      `cmd:"" help:"Show one channel."`
	List     channelListCmd     `cmd:"" help:"List channels and how reading them goes."`
	Update   channelUpdateCmd   `cmd:"" help:"Change the fields whose flags are given."`
	Enable   channelEnableCmd   `cmd:"" help:"Begin to read a channel, or go on."`
	Disable  channelDisableCmd  `cmd:"" help:"Stop reading a channel."`
	Delete   channelDeleteCmd   `cmd:"" help:"Delete a channel; what was stored stays, and undelete brings it back."`
	Undelete channelUndeleteCmd `cmd:"" help:"Bring a deleted channel back."`
	Test     channelTestCmd     `cmd:"" help:"Try to reach a mailbox, stage by stage, and change nothing."`
}

type channelCreateCmd struct {
	ID string `arg:"" help:"Id of the new channel: 1 to 39 lower-case letters, digits and hyphens."`
	channelFields
	Disabled bool `help:"Do not read it yet; then a password can wait, too."`
	Test     bool `help:"Test the connection first and create nothing if it fails."`
}

// Run creates the channel.
func (c *channelCreateCmd) Run(ctx context.Context, con *console, cl *client) error {
	if !control.ValidID(c.ID) {
		return &usageError{fmt.Sprintf("%q cannot be a channel's id: 1 to 39 lower-case letters, digits and hyphens", c.ID)}
	}
	if err := c.require(); err != nil {
		return err
	}
	if c.DisplayName == nil {
		c.DisplayName = c.EmailAddress
	}
	ch := &mailintakev1.EmailChannel{Enabled: !c.Disabled}
	if _, err := c.apply(ch); err != nil {
		return err
	}
	var err error
	if ch.Password, err = c.password(ctx, con, !c.Disabled || c.Test); err != nil {
		return err
	}
	return cl.with(func(s services) error {
		if c.Test {
			if err := cl.testFirst(ctx, con, s, &mailintakev1.TestEmailChannelRequest{Parent: control.TenantName(cl.Tenant), EmailChannel: ch}); err != nil {
				return err
			}
		}
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		created, err := s.channels.CreateEmailChannel(ctx, &mailintakev1.CreateEmailChannelRequest{
			Parent: control.TenantName(cl.Tenant), EmailChannelId: c.ID, EmailChannel: ch})
		if err != nil {
			return cl.failed("create channel "+c.ID, err)
		}
		return cl.printChannel(con, "created", created)
	})
}

type channelGetCmd struct {
	Channel string `arg:"" help:"Id or full name."`
}

// Run shows the channel.
func (c *channelGetCmd) Run(ctx context.Context, con *console, cl *client) error {
	return cl.onChannel(ctx, "get", c.Channel, func(ctx context.Context, s services, name string) error {
		ch, err := s.channels.GetEmailChannel(ctx, &mailintakev1.GetEmailChannelRequest{Name: name})
		if err != nil {
			return err
		}
		return cl.printer(con).one(ch, func(w io.Writer) error { return describeChannel(w, ch, time.Now()) })
	})
}

// onChannel runs f with a connection and a full name, and says what failed.
func (c *client) onChannel(ctx context.Context, verb, arg string, f func(ctx context.Context, s services, name string) error) error {
	name, err := c.channelName(arg)
	if err != nil {
		return err
	}
	return c.with(func(s services) error {
		ctx, cancel := context.WithTimeout(ctx, callTimeout)
		defer cancel()
		return c.failed(verb+" channel "+arg, f(ctx, s, name))
	})
}

type channelListCmd struct {
	Failed      bool   `help:"Only channels that need attention, with what to do."`
	State       string `help:"Only channels in this state: disabled, pending, active, backing-off, auth-failed, config-error, throttled or stalled."`
	Filter      string `help:"Only channels for which this holds, for example: state = \"AUTH_FAILED\" OR state = \"STALLED\"."`
	ShowDeleted bool   `help:"Deleted channels too."`
}

// Run lists channels.
func (c *channelListCmd) Run(ctx context.Context, con *console, cl *client) error {
	var terms []string
	if c.Failed {
		terms = append(terms, "failed")
	}
	if c.State != "" {
		terms = append(terms, "state = "+quote(enumName(c.State)))
	}
	if c.Filter != "" {
		terms = append(terms, c.Filter)
	}
	req := &mailintakev1.ListEmailChannelsRequest{Parent: control.TenantName(cl.Tenant), PageSize: 1000, Filter: strings.Join(terms, " AND "), ShowDeleted: c.ShowDeleted}
	p := cl.printer(con)
	var all []*mailintakev1.EmailChannel
	err := cl.with(func(s services) error {
		return pages(ctx, func(ctx context.Context, token string) (string, error) {
			req.PageToken = token
			res, err := s.channels.ListEmailChannels(ctx, req)
			if err != nil {
				return "", cl.failed("list channels", err)
			}
			for _, ch := range res.GetEmailChannels() {
				if !p.json {
					all = append(all, ch)
				} else if err := p.line(ch); err != nil {
					return "", err
				}
			}
			return res.GetNextPageToken(), nil
		})
	})
	if err != nil || p.json {
		return err
	}
	if len(all) == 0 {
		text := "no channels"
		if c.Failed {
			text = "no channel needs attention"
		}
		_, err := fmt.Fprintln(con.err, text)
		return err
	}
	return cl.writeChannels(con.out, all, time.Now(), c.Failed)
}

// pages calls f with page tokens until there is none, each time with a deadline of its own.
func pages(ctx context.Context, f func(ctx context.Context, token string) (next string, err error)) error {
	for token := ""; ; {
		next, err := func() (string, error) {
			ctx, cancel := context.WithTimeout(ctx, callTimeout)
			defer cancel()
			return f(ctx, token)
		}()
		if err != nil || next == "" {
			return err
		}
		token = next
	}
}

// writeChannels writes the table of channels, with why below every channel on which somebody has to look.
func (c *client) writeChannels(w io.Writer, channels []*mailintakev1.EmailChannel, now time.Time, why bool) error {
	var b bytes.Buffer
	t := newTable(&b, "CHANNEL", "STATE", "SINCE", "FAILURES", "REASON", "SERVER SAID", "NEXT TRY", "LAST SUCCESS", "BACKLOG")
	for _, ch := range channels {
		s := ch.GetStatus()
		state := ch.GetState().String()
		if ch.GetDeleteTime() != nil {
			state = "DELETED"
		}
		next := ""
		if ch.GetEnabled() && ch.GetDeleteTime() == nil {
			next = until(s.GetNextAttemptTime(), now)
		}
		t.row(c.shortName(ch.GetName()), state, ago(s.GetSinceTime(), now), strconv.FormatInt(s.GetConsecutiveFailures(), 10), s.GetReason(),
			cut(s.GetServerText(), 40), next, ago(s.GetLastSuccessTime(), now), strconv.FormatInt(s.GetBacklog(), 10))
	}
	if err := t.flush(); err != nil {
		return err
	}
	for i, line := range strings.SplitAfter(b.String(), "\n") {
		if line == "" {
			break
		}
		if _, err := io.WriteString(w, line); err != nil {
			return err
		}
		if i == 0 || !why { // the first line is the header
			continue
		}
		s := channels[i-1].GetStatus()
		for _, d := range []struct{ name, text string }{{"what failed", s.GetDetail()}, {"the server said", s.GetServerText()}, {"what to do", s.GetHint()}} {
			if d.text == "" {
				continue
			}
			if _, err := fmt.Fprintf(w, "    %s: %s\n", d.name, plain(d.text)); err != nil {
				return err
			}
		}
	}
	return nil
}

type channelUpdateCmd struct {
	Channel string `arg:"" help:"Id or full name."`
	channelFields
	RemoveLabel []string `help:"Remove the label with this key; can be repeated." placeholder:"KEY"`
	Etag        string   `help:"Change nothing if the channel has another etag by now."`
	Test        bool     `help:"Test the connection with the new settings first and change nothing if it fails."`
}

// Run changes the channel.
func (c *channelUpdateCmd) Run(ctx context.Context, con *console, cl *client) error {
	name, err := cl.channelName(c.Channel)
	if err != nil {
		return err
	}
	ch := &mailintakev1.EmailChannel{Name: name, Etag: c.Etag}
	paths, err := c.apply(ch)
	if err != nil {
		return err
	}
	for _, key := range c.RemoveLabel {
		if _, set := c.Label[key]; set {
			return &usageError{"--remove-label and --label both name " + key}
		}
		paths = append(paths, "labels."+key)
	}
	if ch.Password, err = c.password(ctx, con, false); err != nil {
		return err
	}
	if ch.Password != "" {
		paths = append(paths, "password")
	}
	if len(paths) == 0 {
		return &usageError{"nothing to change: give the flags of the fields to change, for example --poll-interval 30s"}
	}
	return cl.with(func(s services) error {
		if c.Test {
			if err := cl.testChanged(ctx, con, s, name, &c.channelFields, ch.GetPassword()); err != nil {
				return err
			}
		}
		return cl.update(ctx, con, s, ch, "update", "updated", paths...)
	})
}

// update sends the fields of ch that paths name.
func (c *client) update(ctx context.Context, con *console, s services, ch *mailintakev1.EmailChannel, verb, done string, paths ...string) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	updated, err := s.channels.UpdateEmailChannel(ctx, &mailintakev1.UpdateEmailChannelRequest{EmailChannel: ch, UpdateMask: &fieldmaskpb.FieldMask{Paths: paths}})
	if err != nil {
		return c.failed(verb+" channel "+c.shortName(ch.GetName()), err)
	}
	return c.printChannel(con, done, updated)
}

// printChannel says in one line what became of a channel.
func (c *client) printChannel(con *console, done string, ch *mailintakev1.EmailChannel) error {
	return c.printer(con).one(ch, func(w io.Writer) error {
		_, err := fmt.Fprintf(w, "%s %s, which is %s\n", done, ch.GetName(), ch.GetState())
		return err
	})
}

type channelEnableCmd struct {
	Channel string `arg:"" help:"Id or full name."`
}

// Run enables the channel.
func (c *channelEnableCmd) Run(ctx context.Context, con *console, cl *client) error {
	return cl.enable(ctx, con, c.Channel, true)
}

type channelDisableCmd struct {
	Channel string `arg:"" help:"Id or full name."`
}

// Run disables the channel.
func (c *channelDisableCmd) Run(ctx context.Context, con *console, cl *client) error {
	return cl.enable(ctx, con, c.Channel, false)
}

func (c *client) enable(ctx context.Context, con *console, arg string, on bool) error {
	name, err := c.channelName(arg)
	if err != nil {
		return err
	}
	verb := "disable"
	if on {
		verb = "enable"
	}
	return c.with(func(s services) error {
		return c.update(ctx, con, s, &mailintakev1.EmailChannel{Name: name, Enabled: on}, verb, verb+"d", "enabled")
	})
}

type channelDeleteCmd struct {
	Channel string `arg:"" help:"Id or full name."`
	Etag    string `help:"Delete nothing if the channel has another etag by now."`
}

// Run deletes the channel.
func (c *channelDeleteCmd) Run(ctx context.Context, con *console, cl *client) error {
	return cl.onChannel(ctx, "delete", c.Channel, func(ctx context.Context, s services, name string) error {
		ch, err := s.channels.DeleteEmailChannel(ctx, &mailintakev1.DeleteEmailChannelRequest{Name: name, Etag: c.Etag})
		if err != nil {
			return err
		}
		return cl.printChannel(con, "deleted", ch)
	})
}

type channelUndeleteCmd struct {
	Channel string `arg:"" help:"Id or full name."`
	Etag    string `help:"Change nothing if the channel has another etag by now."`
}

// Run brings the channel back.
func (c *channelUndeleteCmd) Run(ctx context.Context, con *console, cl *client) error {
	return cl.onChannel(ctx, "undelete", c.Channel, func(ctx context.Context, s services, name string) error {
		ch, err := s.channels.UndeleteEmailChannel(ctx, &mailintakev1.UndeleteEmailChannelRequest{Name: name, Etag: c.Etag})
		if err != nil {
			return err
		}
		return cl.printChannel(con, "undeleted", ch)
	})
}
