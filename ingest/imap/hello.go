package imap

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
)

// maxHelloLine bounds lines before login, maxHelloLines how many of them may precede an answer.
const (
	maxHelloLine  = 8 << 10
	maxHelloLines = 64
)

// hello is the conversation before login: greeting, STARTTLS and CAPABILITY. It reads octet by octet, so that nothing
// that was sent in clear can wait in a buffer and be taken for an answer under TLS (RFC 9051 §11.1), and its tags
// cannot be guessed, so that no answer can be sent ahead of its command.
type hello struct {
	dialer  *dial.Dialer
	conn    *dial.Conn
	mailbox *ingest.Mailbox
	caps    capabilities // empty if the server does not tell
}

// greeting reads the greeting (RFC 9051 §7.1) within its deadline.
func (h *hello) greeting(ctx context.Context) error {
	start, trace := time.Now(), dial.TraceFrom(ctx)
	ctx, cancel := h.dialer.GreetingContext(ctx)
	defer cancel()
	defer h.conn.Begin(ctx)()
	line, err := h.line("greeting")
	if e, ok := errors.AsType[*ingest.Error](err); ok && e.Reason == ingest.ReasonTimeout {
		e.Reason = ingest.ReasonGreetingTimeout
	}
	if err != nil {
		return err
	}
	if trace != nil {
		trace.Banner = ingest.CleanServerText(line)
	}
	rest, untagged := strings.CutPrefix(line, "* ")
	word, text, _ := strings.Cut(rest, " ")
	r := parseResult(word, text)
	switch {
	case !untagged:
		return notIMAP(line)
	case r.status == "PREAUTH":
		return &ingest.Error{Op: "greeting", Kind: ingest.KindConfig, Reason: ingest.ReasonPreauth, Server: r.clean(),
			Hint: "The server lets this connection in without a password, so it is not known whose mailbox it is; check host and port."}
	case r.status == "BYE":
		e := r.error("greeting")
		if e.Kind != ingest.KindThrottled {
			e.Kind, e.Reason = ingest.KindTemporary, ingest.ReasonGreetingRefused
		}
		return e
	case r.status != "OK":
		return notIMAP(line)
	}
	h.caps = r.capabilities()
	if trace != nil {
		trace.Greeting = dial.Passed(start)
	}
	return nil
}

func notIMAP(line string) error {
	return &ingest.Error{Op: "greeting", Kind: ingest.KindConfig, Reason: ingest.ReasonNotAMailServer, Server: ingest.CleanServerText(line),
		Hint: "host, port: what answers there is not an IMAP server."}
}

// secure brings up TLS where STARTTLS is required, which is never skipped, and learns the capabilities that hold now.
func (h *hello) secure(ctx context.Context) error {
	if h.mailbox.StartTLS && !h.mailbox.Protocol.ImplicitTLS() {
		if err := h.startTLS(ctx); err != nil {
			return err
		}
		h.caps = nil // what was said in clear counts no more (RFC 9051 §6.2.1)
	}
	if h.caps != nil {
		return nil
	}
	defer h.conn.Begin(ctx)()
	r, caps, err := h.ask("CAPABILITY")
	if err != nil {
		return err
	}
	if caps == nil {
		caps = r.capabilities()
	}
	h.caps = caps
	return nil
}

func (h *hello) startTLS(ctx context.Context) error {
	end := h.conn.Begin(ctx)
	r, _, err := h.ask("STARTTLS")
	end()
	if err != nil {
		return err
	}
	if r.status != "OK" {
		return &ingest.Error{Op: "starttls", Kind: ingest.KindConfig, Reason: ingest.ReasonStartTLSRefused, Server: r.clean(),
			Hint: "starttls: the server does not begin TLS; use IMAPS on port 993, or ask its owner to switch STARTTLS on."}
	}
	conn, err := h.dialer.StartTLS(ctx, h.conn, h.mailbox)
	if _, clear := errors.AsType[tls.RecordHeaderError](err); clear {
		return &ingest.Error{Op: "starttls", Kind: ingest.KindProtocol, Reason: ingest.ReasonStartTLSInjection, Err: err,
			Hint: "Octets in clear followed the server's consent to TLS: a broken server, or somebody on the line."}
	}
	if err != nil {
		return err
	}
	h.conn = conn
	return nil
}

// ask sends a command and waits for its tagged answer; capabilities that come untagged meanwhile are returned too.
// Any other untagged response is ignored. A line that cannot be one is an attack or a broken server.
func (h *hello) ask(command string) (result, capabilities, error) {
	op := strings.ToLower(command)
	tag := "M" + rand.Text()[:12]
	if _, err := io.WriteString(h.conn, tag+" "+command+"\r\n"); err != nil {
		return result{}, nil, dial.Classify(op, err)
	}
	var caps capabilities
	for range maxHelloLines {
		line, err := h.line(op)
		if err != nil {
			return result{}, nil, err
		}
		first, rest, _ := strings.Cut(line, " ")
		word, text, _ := strings.Cut(rest, " ")
		switch {
		case first == tag:
			return parseResult(word, text), caps, nil
		case first == "+":
			return result{status: "NO", text: line}, caps, nil
		case first == "*" && strings.EqualFold(word, "BYE"):
			return result{}, nil, parseResult(word, text).error(op)
		case first == "*" && strings.EqualFold(word, "CAPABILITY"):
			caps = parseCapabilities(text)
		case first != "*":
			e := &ingest.Error{Op: op, Kind: ingest.KindProtocol, Reason: ingest.ReasonProtocol, Server: ingest.CleanServerText(line),
				Err: errors.New("a line that answers no command")}
			if command == "STARTTLS" {
				e.Reason = ingest.ReasonStartTLSInjection
				e.Hint = "Lines that answer nothing came before TLS: a broken server, or somebody on the line."
			}
			return result{}, nil, e
		}
	}
	return result{}, nil, limitError(op, fmt.Sprintf("more than %d lines before the answer", maxHelloLines))
}

// line reads one line without its line end.
func (h *hello) line(op string) (string, error) {
	var line []byte
	one := make([]byte, 1)
	for len(line) < maxHelloLine {
		if _, err := h.conn.Read(one); err != nil {
			if len(line) > 0 && op == "greeting" && !bytes.HasPrefix([]byte("* "), line[:min(2, len(line))]) {
				return "", notIMAP(string(line))
			}
			return "", dial.Classify(op, err)
		}
		if one[0] == '\n' {
			return string(bytes.TrimSuffix(line, []byte("\r"))), nil
		}
		line = append(line, one[0])
	}
	return "", limitError(op, fmt.Sprintf("a line of more than %d octets", maxHelloLine))
}

func limitError(op, what string) *ingest.Error {
	return &ingest.Error{Op: op, Kind: ingest.KindProtocol, Reason: ingest.ReasonLimit, Err: errors.New(what),
		Hint: "The server sends what no IMAP server should; check that host and port are right."}
}
