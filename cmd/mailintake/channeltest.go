package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mailintake/mailintake/control"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

type channelTestCmd struct {
	Channel string `arg:"" optional:"" help:"Id or full name of a saved channel; flags are tried on top of its settings."`
	channelFields
}

// Run tests a saved channel, an unsaved one, or a saved one with changes.
func (c *channelTestCmd) Run(ctx context.Context, con *console, cl *client) error {
	var name string
	var err error
	if c.Channel == "" {
		// The address is not needed to connect.
		none := ""
		with := c.channelFields
		with.EmailAddress = &none
		err = with.require()
	} else {
		name, err = cl.channelName(c.Channel)
	}
	if err != nil {
		return err
	}
	probe := &mailintakev1.EmailChannel{}
	paths, err := c.apply(probe)
	if err != nil {
		return err
	}
	password, err := c.password(ctx, con, name == "")
	if err != nil {
		return err
	}
	return cl.with(func(s services) error {
		var result *mailintakev1.TestEmailChannelResponse
		if name != "" && (len(paths) > 0 || password != "") {
			result, err = cl.testOnTop(ctx, s, name, &c.channelFields, password)
		} else {
			req := &mailintakev1.TestEmailChannelRequest{Parent: control.TenantName(cl.Tenant), Name: name}
			if name == "" {
				probe.Password = password
				req.EmailChannel = probe
			}
			result, err = cl.test(ctx, s, req)
		}
		if err != nil {
			return err
		}
		if err := cl.printer(con).one(result, func(w io.Writer) error { return describeTest(w, result) }); err != nil {
			return err
		}
		if !result.GetOk() {
			return errReported
		}
		return nil
	})
}

// test makes the call. The parent is the tenant of the channel that is named, if one is.
func (c *client) test(ctx context.Context, s services, req *mailintakev1.TestEmailChannelRequest) (*mailintakev1.TestEmailChannelResponse, error) {
	if tenant, _, err := control.ParseChannel("name", req.GetName()); err == nil {
		req.Parent = control.TenantName(tenant)
	}
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	result, err := s.channels.TestEmailChannel(ctx, req)
	return result, c.failed("test channel", err)
}

// testOnTop tests what a saved channel would be with the fields changed.
func (c *client) testOnTop(ctx context.Context, s services, name string, fields *channelFields, password string) (*mailintakev1.TestEmailChannelResponse, error) {
	get, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	ch, err := s.channels.GetEmailChannel(get, &mailintakev1.GetEmailChannelRequest{Name: name})
	if err != nil {
		return nil, c.failed("test channel "+c.shortName(name), err)
	}
	if _, err := fields.apply(ch); err != nil {
		return nil, err
	}
	ch.Password = password
	return c.test(ctx, s, &mailintakev1.TestEmailChannelRequest{Name: name, EmailChannel: ch})
}

// testFirst tests before a change and tells how it went; a test that fails forbids the change.
func (c *client) testFirst(ctx context.Context, con *console, s services, req *mailintakev1.TestEmailChannelRequest) error {
	result, err := c.test(ctx, s, req)
	if err != nil {
		return err
	}
	return c.judge(con, result, "nothing was created")
}

// testChanged is testFirst for a change of a saved channel.
func (c *client) testChanged(ctx context.Context, con *console, s services, name string, fields *channelFields, password string) error {
	result, err := c.testOnTop(ctx, s, name, fields, password)
	if err != nil {
		return err
	}
	return c.judge(con, result, "nothing was changed")
}

func (c *client) judge(con *console, result *mailintakev1.TestEmailChannelResponse, otherwise string) error {
	// The answer of the command itself goes to standard output.
	if err := describeTest(con.err, result); err != nil {
		return err
	}
	if !result.GetOk() {
		return fmt.Errorf("the mailbox cannot be read: %s", otherwise)
	}
	return nil
}

// describeTest writes the stages, what was learned on the way, and for the stage that failed why.
func describeTest(w io.Writer, r *mailintakev1.TestEmailChannelResponse) error {
	var b strings.Builder
	for _, stage := range r.GetStages() {
		name, took := strings.ToLower(stage.GetKind().String()), ""
		if stage.GetTook() != nil {
			took = stage.GetTook().AsDuration().Round(100 * time.Microsecond).String()
		}
		if stage.GetOk() {
			fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("✓ %-8s  %8s  %s", name, took, learned(stage.GetKind(), r)), " "))
			continue
		}
		e := stage.GetError()
		fmt.Fprintln(&b, strings.TrimRight(fmt.Sprintf("✗ %-8s  %8s  %s", name, took, plain(e.GetReason())), " "))
		for _, line := range []struct{ name, text string }{{"what failed", e.GetDetail()}, {"the server said", e.GetServerText()}, {"what to do", e.GetHint()}} {
			if line.text != "" {
				fmt.Fprintf(&b, "    %s: %s\n", line.name, plain(line.text))
			}
		}
	}
	for _, note := range r.GetNotes() {
		fmt.Fprintf(&b, "note: %s\n", plain(note))
	}
	if r.GetOk() {
		fmt.Fprintln(&b, "ok: the mailbox can be read")
	} else {
		fmt.Fprintln(&b, "failed: the mailbox cannot be read")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// learned is what a stage that was passed brought to light.
func learned(kind mailintakev1.TestEmailChannelResponse_Stage_Kind, r *mailintakev1.TestEmailChannelResponse) string {
	switch kind {
	case mailintakev1.TestEmailChannelResponse_Stage_DNS:
		return plain(strings.Join(r.GetAddresses(), ", "))
	case mailintakev1.TestEmailChannelResponse_Stage_TCP:
		return plain(r.GetRemoteAddress())
	case mailintakev1.TestEmailChannelResponse_Stage_TLS:
		text := r.GetTls().GetVersion()
		if end := r.GetTls().GetCertificateNotAfterTime(); end != nil {
			text += ", certificate valid until " + end.AsTime().Local().Format(time.DateOnly)
		}
		return plain(text)
	case mailintakev1.TestEmailChannelResponse_Stage_GREETING:
		return cut(r.GetGreeting(), 100)
	case mailintakev1.TestEmailChannelResponse_Stage_FOLDER:
		text := fmt.Sprintf("%d messages", r.GetMessageCount())
		if r.GetMessageCount() == 1 {
			text = "1 message"
		}
		if r.GetFolder() != "" {
			text = r.GetFolder() + ", " + text
		}
		return plain(text)
	}
	return ""
}
