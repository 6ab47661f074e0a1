package mailtest

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

// popPatience is how long a client may be silent: ten minutes at least, RFC 1939 §3.
const popPatience = 10 * time.Minute

// errHangUp ends a session.
var errHangUp = errors.New("hang up")

// pop3Session is one connection. It is in the TRANSACTION state when box is set.
type pop3Session struct {
	server *POP3Server
	conn   net.Conn
	r      *bufio.Reader
	w      *bufio.Writer
	user   string
	box    *Mailbox
	drop   []Stored // the maildrop as it was at login
	gone   map[int]bool
}

func (p *pop3Session) use(c net.Conn) {
	p.conn, p.r, p.w = c, bufio.NewReader(c), bufio.NewWriter(c)
}

func (p *pop3Session) end() {
	if p.box != nil {
		p.box.unlockPOP3()
	}
	p.conn.Close()
}

func (p *pop3Session) run() {
	greeting := p.server.fault().Greeting
	if greeting == "" {
		greeting = "+OK mailtest POP3 ready"
	}
	p.line("%s", greeting)
	if p.w.Flush() != nil || strings.HasPrefix(greeting, "-ERR") {
		return
	}
	for {
		_ = p.conn.SetDeadline(time.Now().Add(popPatience))
		text, err := p.r.ReadString('\n')
		if err != nil {
			return
		}
		err = p.command(strings.TrimRight(text, "\r\n"))
		// Answers to pipelined commands travel together (RFC 2449 §6.6).
		if err != nil || p.r.Buffered() == 0 {
			if p.w.Flush() != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

func (p *pop3Session) line(format string, args ...any) { fmt.Fprintf(p.w, format+"\r\n", args...) }

func (p *pop3Session) err(text string) { p.line("-ERR %s", text) }

// command answers one command. An error ends the connection.
func (p *pop3Session) command(text string) error {
	name, arg, _ := strings.Cut(text, " ")
	name = strings.ToUpper(name)
	recorded := name + " " + arg
	switch name {
	case "PASS":
		recorded = "PASS"
	case "AUTH":
		recorded, _, _ = strings.Cut(arg, " ")
		recorded = "AUTH " + recorded
	}
	p.server.record(strings.TrimSpace(recorded))
	f := p.server.fault()
	if f.Stall != nil && f.Stall(name, arg) {
		return p.stall()
	}
	if f.Command != nil && name != "USER" && name != "PASS" && name != "AUTH" {
		if refusal := f.Command(name, arg); refusal != "" {
			p.err(refusal)
			return nil
		}
	}
	switch name {
	case "CAPA":
		return p.capa()
	case "NOOP":
		p.line("+OK")
		return nil
	case "QUIT":
		return p.quit(f)
	}
	if p.box == nil {
		return p.beforeLogin(name, arg)
	}
	return p.transaction(name, arg, f)
}

func (p *pop3Session) lacks(what string) bool { return slices.Contains(p.server.opt.Without, what) }

func (p *pop3Session) secure() bool {
	_, ok := p.conn.(*tls.Conn)
	return ok
}

func (p *pop3Session) mayLogin() bool { return p.secure() || !p.server.opt.RequireTLS }

func (p *pop3Session) canSTLS() bool {
	return p.server.opt.Cert != nil && !p.secure() && p.box == nil && !p.lacks("STLS")
}

func (p *pop3Session) capa() error {
	if p.lacks("CAPA") {
		p.err("unknown command")
		return nil
	}
	p.line("+OK")
	for _, c := range []string{"TOP", "UIDL", "PIPELINING"} {
		if !p.lacks(c) {
			p.line("%s", c)
		}
	}
	p.line("RESP-CODES")
	p.line("AUTH-RESP-CODE")
	if d := p.server.opt.LoginDelay; d > 0 {
		p.line("LOGIN-DELAY %d", int((d+time.Second-1)/time.Second))
	}
	if p.canSTLS() {
		p.line("STLS")
	}
	if p.mayLogin() {
		p.line("USER")
		if !p.lacks("SASL") {
			p.line("SASL PLAIN")
		}
	}
	p.line(".")
	return nil
}

// beforeLogin answers in the AUTHORIZATION state.
func (p *pop3Session) beforeLogin(name, arg string) error {
	switch {
	case name == "STLS" && p.canSTLS():
		return p.stls()
	case (name == "USER" || name == "PASS" || name == "AUTH") && !p.mayLogin():
		p.err("[SYS/PERM] TLS is required")
	case name == "USER":
		p.user = arg
		p.line("+OK")
	case name == "PASS" && p.user != "":
		user := p.user
		p.user = ""
		return p.login(user, arg)
	case name == "AUTH":
		return p.auth(arg)
	default:
		p.err("unknown command")
	}
	return nil
}

// stls begins TLS. What the client sent in clear behind the command is thrown away, or it would count as sent under
// TLS: RFC 2595 §4 wants all knowledge discarded.
func (p *pop3Session) stls() error {
	p.line("+OK begin TLS")
	if err := p.w.Flush(); err != nil {
		return err
	}
	c := tls.Server(p.conn, p.server.opt.Cert.ServerConfig())
	if err := c.Handshake(); err != nil {
		return err
	}
	p.user = ""
	p.use(c)
	return nil
}

// auth does SASL PLAIN (RFC 5034 §4, RFC 4616 §2), with or without an initial response.
func (p *pop3Session) auth(arg string) error {
	mechanism, initial, _ := strings.Cut(arg, " ")
	if !strings.EqualFold(mechanism, "PLAIN") {
		p.err("unknown mechanism")
		return nil
	}
	if initial == "" {
		p.line("+ ")
		if err := p.w.Flush(); err != nil {
			return err
		}
		text, err := p.r.ReadString('\n')
		if err != nil {
			return err
		}
		initial = strings.TrimRight(text, "\r\n")
	}
	if initial == "*" {
		p.err("cancelled")
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(initial)
	parts := bytes.Split(raw, []byte{0})
	if err != nil || len(parts) != 3 {
		p.err("malformed response")
		return nil
	}
	return p.login(string(parts[1]), string(parts[2]))
}

func (p *pop3Session) login(user, password string) error {
	acc, n, refusal := p.server.login(user, password)
	if f := p.server.fault().Login; f != nil {
		if text := f(n, user); text != "" {
			acc, refusal = nil, text
		}
	}
	switch {
	case refusal != "":
		p.err(refusal)
	case acc == nil:
		p.err("[AUTH] wrong user name or password")
	case p.server.tooSoon(user):
		p.err("[LOGIN-DELAY] too soon after the last login")
	case !acc.Inbox.lockPOP3():
		p.err("[IN-USE] another session has the maildrop")
	default:
		p.box, p.drop, p.gone = acc.Inbox, acc.Inbox.Messages(), map[int]bool{}
		p.line("+OK %d messages", len(p.drop))
	}
	return nil
}

// transaction answers in the TRANSACTION state.
func (p *pop3Session) transaction(name, arg string, f POP3Faults) error {
	switch {
	case name == "STAT":
		n, octets := 0, int64(0)
		for i := range p.drop {
			if !p.gone[i+1] {
				n++
				octets += p.size(i+1, f)
			}
		}
		p.line("+OK %d %d", n, octets)
	case name == "LIST":
		p.list(arg, func(n int) string { return strconv.FormatInt(p.size(n, f), 10) })
	case name == "UIDL" && !p.lacks("UIDL"):
		p.list(arg, func(n int) string {
			if f.UIDL != nil {
				return f.UIDL(n, p.drop[n-1].UIDL)
			}
			return p.drop[n-1].UIDL
		})
	case name == "RETR":
		n, ok := p.number(arg)
		if !ok {
			return nil
		}
		var fault RetrFault
		if f.Retr != nil {
			fault = f.Retr(n)
		}
		return p.retr(n, fault)
	case name == "TOP" && !p.lacks("TOP"):
		number, lines, _ := strings.Cut(arg, " ")
		n, ok := p.number(number)
		if !ok {
			return nil
		}
		count, err := strconv.Atoi(lines)
		if err != nil || count < 0 {
			p.err("number of lines?")
			return nil
		}
		p.line("+OK")
		if _, err := p.w.Write(wire(top(p.drop[n-1].Raw, count))); err != nil {
			return err
		}
		p.line(".")
	case name == "DELE":
		if n, ok := p.number(arg); ok {
			p.gone[n] = true
			p.line("+OK")
		}
	case name == "RSET":
		clear(p.gone)
		p.line("+OK")
	default:
		p.err("unknown command")
	}
	return nil
}

func (p *pop3Session) size(n int, f POP3Faults) int64 {
	s := size(p.drop[n-1].Raw)
	if f.Size != nil {
		s = f.Size(n, s)
	}
	return s
}

// number reads a message number; if it names none it has answered.
func (p *pop3Session) number(arg string) (int, bool) {
	n, err := strconv.Atoi(arg)
	if err != nil || n < 1 || n > len(p.drop) || p.gone[n] {
		p.err("no such message")
		return 0, false
	}
	return n, true
}

func (p *pop3Session) list(arg string, what func(int) string) {
	if arg != "" {
		if n, ok := p.number(arg); ok {
			p.line("+OK %d %s", n, what(n))
		}
		return
	}
	p.line("+OK")
	for i := range p.drop {
		if !p.gone[i+1] {
			p.line("%d %s", i+1, what(i+1))
		}
	}
	p.line(".")
}

func (p *pop3Session) retr(n int, f RetrFault) error {
	if f.Refuse != "" {
		p.err(f.Refuse)
		return nil
	}
	raw := p.drop[n-1].Raw
	if f.Body != nil {
		raw = f.Body
	}
	p.line("+OK %d octets", size(raw))
	out := wire(raw)
	if f.Cut || f.Stall || f.End {
		out = out[:min(f.After, len(out))]
	}
	if _, err := p.w.Write(out); err != nil {
		return err
	}
	switch {
	case f.Cut:
		return errHangUp
	case f.Stall:
		return p.stall()
	case f.End && !bytes.HasSuffix(out, []byte("\r\n")):
		p.line("")
	}
	p.line(".")
	return nil
}

// stall sends what is due and then nothing, until the client or the server closes.
func (p *pop3Session) stall() error {
	_ = p.w.Flush()
	_ = p.conn.SetDeadline(time.Time{})
	_, _ = io.Copy(io.Discard, p.r)
	return errHangUp
}

// quit enters the UPDATE state, RFC 1939 §6, if somebody is logged in.
func (p *pop3Session) quit(f POP3Faults) error {
	if p.box == nil || len(p.gone) == 0 && f.Quit != QuitRefused {
		p.line("+OK bye")
		return errHangUp
	}
	remove := func() {
		var uids []uint32
		for n := range p.gone {
			uids = append(uids, p.drop[n-1].UID)
		}
		p.box.Remove(uids...)
	}
	switch f.Quit {
	case QuitRefused:
		p.err("[SYS/TEMP] some deleted messages not removed")
	case QuitCutBefore:
	case QuitCutAfter:
		remove()
	case QuitDeletesNone:
		p.line("+OK bye")
	default:
		remove()
		p.line("+OK bye")
	}
	return errHangUp
}

// top is the header, the empty line and n lines of the body.
func top(raw []byte, n int) []byte {
	i := bytes.Index(raw, []byte("\r\n\r\n"))
	if i < 0 {
		return raw
	}
	for i += 4; n > 0 && i < len(raw); n-- {
		j := bytes.IndexByte(raw[i:], '\n')
		if j < 0 {
			return raw
		}
		i += j + 1
	}
	return raw[:i]
}
