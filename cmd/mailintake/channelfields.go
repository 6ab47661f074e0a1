package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/durationpb"

	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// channelFields are the flags for what can be set of a channel; nil where a flag was not given.
type channelFields struct {
	Protocol        *string           `help:"pop3, pop3s, imap or imaps."`
	Host            *string           `help:"Mail server: a name or an IP address."`
	Port            *int32            `help:"Its port; by default the protocol's: 110, 995, 143 or 993."`
	StartTLS        *string           `name:"starttls" help:"With pop3 and imap: required (the default), or disabled, which sends the password in clear."`
	CAFile          *string           `name:"ca-file" type:"path" help:"Certificates to trust for the mail server instead of the system's, PEM." placeholder:"FILE"`
	TLSServerName   *string           `name:"tls-server-name" help:"Name that the mail server's certificate is for, if it is not the host." placeholder:"NAME"`
	Username        *string           `help:"User name at the mail server."`
	PasswordStdin   bool              `help:"Read the password from standard input."`
	PasswordFile    string            `type:"path" help:"Read the password from a file." placeholder:"FILE"`
	Folder          *string           `help:"IMAP folder to read; INBOX by default."`
	EmailAddress    *string           `help:"Address that customers write to." placeholder:"ADDRESS"`
	DisplayName     *string           `help:"What people call the channel; by default the address." placeholder:"NAME"`
	Description     *string           `help:"Free text."`
	Script          *string           `help:"Reference to an email script; copied into events."`
	Alias           []string          `sep:"none" help:"Another address that reaches the mailbox; can be repeated, and replaces all that were set. Empty for none." placeholder:"ADDRESS"`
	FallbackCharset *string           `help:"Charset of text that names none and is not UTF-8; windows-1252 by default." placeholder:"NAME"`
	AuthservID      []string          `name:"authserv-id" sep:"none" help:"Believe Authentication-Results fields with this authserv-id (RFC 8601), as mx.example.com; can be repeated, and replaces all that were set. Empty for none." placeholder:"NAME"`
	Label           map[string]string `mapsep:"none" help:"Set a label; can be repeated." placeholder:"KEY=VALUE"`
	PollInterval    *time.Duration    `help:"Pause between visits, 10s to 24h; 60s by default." placeholder:"DURATION"`
	InitialSync     *string           `help:"What to do with mail from before the first visit: new-only (leave it, the default), all (bring it in), or since=TIME." placeholder:"HOW"`
	Settlement      *string           `help:"What to do with stored mail on the mail server: leave (the default), mark-seen or delete."`
	MaxMessageBytes *byteSize         `help:"Larger messages stay on the server and are reported; 40MiB by default." placeholder:"SIZE"`
}

// require reports the flags that a new channel needs.
func (f *channelFields) require() error {
	var missing []string
	for _, flag := range []struct {
		name  string
		value *string
	}{{"--protocol", f.Protocol}, {"--host", f.Host}, {"--username", f.Username}, {"--email-address", f.EmailAddress}} {
		if flag.value == nil {
			missing = append(missing, flag.name)
		}
	}
	if len(missing) > 0 {
		return &usageError{"missing flags: " + strings.Join(missing, ", ")}
	}
	return nil
}

// apply puts what was given into ch, all but the password, and returns the paths for an update mask. What cannot be
// said in the request at all is a mistake in the flags; everything else is for the service to judge.
func (f *channelFields) apply(ch *mailintakev1.EmailChannel) (paths []string, err error) {
	var errs []error
	set := func(path string, given bool, put func() error) {
		if given {
			paths = append(paths, path)
			if err := put(); err != nil {
				errs = append(errs, err)
			}
		}
	}
	text := func(path string, value, to *string) {
		set(path, value != nil, func() error { *to = *value; return nil })
	}
	text("display_name", f.DisplayName, &ch.DisplayName)
	text("email_address", f.EmailAddress, &ch.EmailAddress)
	text("description", f.Description, &ch.Description)
	text("script", f.Script, &ch.Script)
	text("fallback_charset", f.FallbackCharset, &ch.FallbackCharset)
	texts := func(path string, value []string, to *[]string) {
		set(path, len(value) > 0, func() error {
			// One empty value stands for an empty list, which flags cannot say otherwise.
			if *to = value; len(value) == 1 && value[0] == "" {
				*to = nil
			}
			return nil
		})
	}
	texts("aliases", f.Alias, &ch.Aliases)
	texts("authserv_ids", f.AuthservID, &ch.AuthservIds)
	text("host", f.Host, &ch.Host)
	text("username", f.Username, &ch.Username)
	set("protocol", f.Protocol != nil, func() error {
		return chooseEnum("--protocol", *f.Protocol, &ch.Protocol, mailintakev1.EmailChannel_PROTOCOL_UNSPECIFIED.Descriptor())
	})
	set("port", f.Port != nil, func() error { ch.Port = *f.Port; return nil })
	set("starttls", f.StartTLS != nil, func() error {
		return chooseEnum("--starttls", *f.StartTLS, &ch.Starttls, mailintakev1.EmailChannel_Tls_STARTTLS_UNSPECIFIED.Descriptor())
	})
	if ch.Tls == nil && (f.CAFile != nil || f.TLSServerName != nil) {
		ch.Tls = &mailintakev1.EmailChannel_Tls{}
	}
	set("tls.ca_pem", f.CAFile != nil, func() error {
		pem, err := os.ReadFile(*f.CAFile)
		if err != nil {
			return fmt.Errorf("--ca-file: %w", err)
		}
		ch.Tls.CaPem = string(pem)
		return nil
	})
	set("tls.server_name", f.TLSServerName != nil, func() error { ch.Tls.ServerName = *f.TLSServerName; return nil })
	set("folders", f.Folder != nil, func() error {
		ch.Folders = nil
		if *f.Folder != "" {
			ch.Folders = []string{*f.Folder}
		}
		return nil
	})
	set("poll_interval", f.PollInterval != nil, func() error { ch.PollInterval = durationpb.New(*f.PollInterval); return nil })
	if f.InitialSync != nil {
		paths = append(paths, "initial_sync", "initial_sync_time")
		errs = append(errs, f.initialSync(ch))
	}
	set("settlement", f.Settlement != nil, func() error {
		return chooseEnum("--settlement", *f.Settlement, &ch.Settlement, mailintakev1.EmailChannel_SETTLEMENT_UNSPECIFIED.Descriptor())
	})
	set("max_message_bytes", f.MaxMessageBytes != nil, func() error { ch.MaxMessageBytes = int64(*f.MaxMessageBytes); return nil })
	for key, value := range f.Label {
		set("labels."+key, true, func() error {
			if ch.Labels == nil {
				ch.Labels = map[string]string{}
			}
			ch.Labels[key] = value
			return nil
		})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, &usageError{err.Error()}
	}
	return paths, nil
}

func (f *channelFields) initialSync(ch *mailintakev1.EmailChannel) error {
	ch.InitialSyncTime = nil
	if at, ok := strings.CutPrefix(*f.InitialSync, "since="); ok {
		var m moment
		if err := m.UnmarshalText([]byte(at)); err != nil {
			return fmt.Errorf("--initial-sync: %w", err)
		}
		ch.InitialSync, ch.InitialSyncTime = mailintakev1.EmailChannel_SINCE, m.proto()
		return nil
	}
	if *f.InitialSync == "since" {
		return errors.New("--initial-sync: say since when: since=2026-01-31T00:00:00Z, or since=2d")
	}
	return chooseEnum("--initial-sync", *f.InitialSync, &ch.InitialSync, mailintakev1.EmailChannel_INITIAL_SYNC_UNSPECIFIED.Descriptor())
}

// enumName is how the API writes what a flag writes as mark-seen.
func enumName(s string) string { return strings.ToUpper(strings.ReplaceAll(s, "-", "_")) }

// chooseEnum sets an enum by the name that a flag gave.
func chooseEnum[E ~int32](flag, value string, to *E, enum protoreflect.EnumDescriptor) error {
	names := make([]string, 0, enum.Values().Len()-1)
	for i := range enum.Values().Len() {
		v := enum.Values().Get(i)
		if v.Number() == 0 {
			continue
		}
		if string(v.Name()) == enumName(value) {
			*to = E(v.Number())
			return nil
		}
		names = append(names, strings.ToLower(strings.ReplaceAll(string(v.Name()), "_", "-")))
	}
	return fmt.Errorf("%s: %q is not one of %s", flag, value, strings.Join(names, ", "))
}

// maxPassword is the most that is read as a password, in octets; the service takes less.
const maxPassword = 4096

// password reads the password from where the flags say. Without a flag a terminal is asked if there must be one.
func (f *channelFields) password(ctx context.Context, con *console, must bool) (string, error) {
	var raw []byte
	var err error
	source := "--password-stdin"
	switch {
	case f.PasswordStdin && f.PasswordFile != "":
		return "", &usageError{"--password-stdin and --password-file exclude each other"}
	case f.PasswordFile != "":
		source = "--password-file"
		if raw, err = os.ReadFile(f.PasswordFile); err != nil {
			return "", &usageError{"--password-file: " + err.Error()}
		}
	case f.PasswordStdin, must:
		var hidden bool
		raw, hidden, err = readHidden(ctx, con)
		switch {
		case err != nil:
			return "", fmt.Errorf("read the password: %w", err)
		case hidden:
			source = "password"
		case !f.PasswordStdin:
			return "", &usageError{"no password: add --password-stdin or --password-file FILE"}
		default:
			if raw, err = io.ReadAll(io.LimitReader(os.Stdin, maxPassword+1)); err != nil {
				return "", fmt.Errorf("--password-stdin: %w", err)
			}
		}
	default:
		return "", nil
	}
	// Editors and echo end what they write with a newline, which is no part of the password.
	text := strings.TrimSuffix(strings.TrimSuffix(string(raw), "\n"), "\r")
	if text == "" || len(text) > maxPassword {
		return "", &usageError{fmt.Sprintf("%s: the password is empty or longer than %d octets", source, maxPassword)}
	}
	return text, nil
}

// readHidden asks for a line on the terminal without showing it. ok is false if standard input is no terminal.
func readHidden(ctx context.Context, con *console) (line []byte, ok bool, err error) {
	info, err := os.Stdin.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 || stty("-echo") != nil {
		return nil, false, nil
	}
	defer func() {
		err = errors.Join(err, stty("echo"))
		fmt.Fprintln(con.err)
	}()
	fmt.Fprint(con.err, "Password: ")
	type result struct {
		line []byte
		err  error
	}
	// Reading a terminal cannot be interrupted: after a signal the goroutine ends with the process.
	read := make(chan result, 1)
	go func() {
		var line []byte
		one := make([]byte, 1)
		for len(line) <= maxPassword {
			n, err := os.Stdin.Read(one)
			if n == 1 && one[0] == '\n' || errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				read <- result{nil, err}
				return
			}
			line = append(line, one[:n]...)
		}
		read <- result{line, nil}
	}()
	select {
	case <-ctx.Done():
		return nil, true, errors.New("interrupted")
	case r := <-read:
		return r.line, true, r.err
	}
}

// stty changes the terminal on standard input; it fails where there is none.
func stty(arg string) error {
	cmd := exec.Command("stty", arg)
	cmd.Stdin = os.Stdin
	return cmd.Run()
}

// quote writes a value of a filter.
func quote(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"`
}
