package pop3

import (
	"context"
	"strconv"
)

// pipeline sends a row of commands and reads their answers in order, several ahead where the server allows it (RFC
// 2449 §6.6), otherwise each after the answer to the last. Every answer has the time limits of a command of its own.
type pipeline struct {
	s      *session
	ctx    context.Context // for the life of one call of a Session method
	op     string
	n      int
	line   func(i int) (verb string, number int)
	window int
	sent   int
	got    int
	end    func() // of the command whose answer is being read
	buf    []byte
}

// pipeline prepares n commands; line gives the verb and the message number, 0 for none, of the i-th.
func (s *session) pipeline(ctx context.Context, op string, n int, line func(i int) (string, int)) *pipeline {
	window := 1
	if s.caps.has("PIPELINING") {
		window = s.window
	}
	return &pipeline{s: s, ctx: ctx, op: op, n: n, line: line, window: window, end: func() {}}
}

// next reads the status line of the next answer. The body that may follow it is read by the caller before the next call.
func (p *pipeline) next() (status, error) {
	p.end()
	p.end = p.s.wire.Begin(p.ctx)
	ahead := p.sent - p.got
	if ahead == 0 {
		if err := p.s.quiet(p.op); err != nil {
			return status{}, err
		}
	}
	if p.sent < p.n && ahead <= p.window/2 {
		p.buf = p.buf[:0]
		for ; p.sent < p.n && p.sent-p.got < p.window; p.sent++ {
			if len(p.buf) > 0 {
				p.buf = append(p.buf, "\r\n"...)
			}
			verb, number := p.line(p.sent)
			p.buf = append(p.buf, verb...)
			if number > 0 {
				p.buf = strconv.AppendInt(append(p.buf, ' '), int64(number), 10)
			}
			if verb == "TOP" {
				p.buf = strconv.AppendInt(append(p.buf, ' '), printLines, 10)
			}
		}
		if err := p.s.send(p.op, string(p.buf)); err != nil {
			return status{}, err
		}
	}
	p.got++
	return p.s.answer(p.op)
}

// close ends the last command. Answers that were not read make the session unusable; the caller sees to that.
func (p *pipeline) close() {
	p.end()
	p.end = func() {}
}
