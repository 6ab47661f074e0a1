package mailtest

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// imapSession is one connection, seen from behind the library that speaks the protocol. The library calls its methods
// one at a time.
type imapSession struct {
	server *IMAPServer
	conn   *imapserver.Conn
	acc    *Account

	mu       sync.Mutex // guards box and view, since an IDLE may still be running when the connection ends
	box      *Mailbox   // selected
	view     *imapserver.SessionTracker
	readOnly bool
}

var _ imapserver.SessionIMAP4rev2 = (*imapSession)(nil)

const delimiter = '/'

// no is a tagged NO; text may begin with a response code in brackets.
func no(text string) error {
	code, rest := splitCode(text)
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: imap.ResponseCode(code), Text: rest}
}

var errNoFolder = no("[NONEXISTENT] no such folder")

// begin records a command and applies the faults that hold for any. name is its first word without UID.
func (s *imapSession) begin(name, text string) error {
	s.server.record(text)
	f := s.server.fault()
	if f.Stall != nil && f.Stall(name) {
		return s.stall()
	}
	if f.Command != nil {
		if refusal := f.Command(name); refusal != "" {
			return no(refusal)
		}
	}
	return nil
}

// stall says nothing until the client or the server closes.
func (s *imapSession) stall() error {
	c := s.conn.NetConn()
	_ = c.SetDeadline(time.Time{})
	_, _ = io.Copy(io.Discard, c)
	_ = c.Close()
	return io.ErrUnexpectedEOF
}

func (s *imapSession) Close() error { return s.Unselect() }

func (s *imapSession) Login(user, password string) error {
	s.server.record("LOGIN " + user)
	f := s.server.fault()
	if f.Stall != nil && f.Stall("LOGIN") {
		return s.stall()
	}
	acc, n, refusal := s.server.login(user, password)
	if f.Login != nil {
		if text := f.Login(n, user); text != "" {
			acc, refusal = nil, text
		}
	}
	switch {
	case refusal != "":
		return no(refusal)
	case acc == nil:
		return no("[AUTHENTICATIONFAILED] wrong user name or password")
	}
	s.acc = acc
	return nil
}

// folder finds a mailbox; the name INBOX has no case, RFC 9051 §5.1.
func (s *imapSession) folder(name string) *Mailbox {
	if strings.EqualFold(name, "INBOX") {
		return s.acc.Inbox
	}
	return s.acc.Folders[name]
}

func (s *imapSession) Select(name string, opt *imap.SelectOptions) (*imap.SelectData, error) {
	verb := "SELECT"
	if opt.ReadOnly {
		verb = "EXAMINE"
	}
	if err := s.begin(verb, verb+" "+name); err != nil {
		return nil, err
	}
	box := s.folder(name)
	if box == nil {
		return nil, errNoFolder
	}
	box.mu.Lock()
	defer box.mu.Unlock()
	s.mu.Lock()
	s.box, s.view, s.readOnly = box, box.tracker.NewSession(), opt.ReadOnly
	s.mu.Unlock()
	flags := []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft}
	data := &imap.SelectData{
		Flags: flags, PermanentFlags: append(slices.Clone(flags), imap.FlagWildcard),
		NumMessages: uint32(len(box.msgs)), UIDNext: imap.UID(box.uidNext), UIDValidity: box.uidValidity,
	}
	for i, msg := range box.msgs {
		if !msg.flags[canonical(imap.FlagSeen)] {
			data.FirstUnseenSeqNum = uint32(i + 1)
			break
		}
	}
	return data, nil
}

func (s *imapSession) Unselect() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.view != nil {
		s.view.Close()
	}
	s.box, s.view = nil, nil
	return nil
}

func (s *imapSession) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	if s.view == nil {
		return nil
	}
	return s.view.Poll(w, allowExpunge)
}

// Idle reports what happens, beginning with what happened since the last command.
func (s *imapSession) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	s.server.record("IDLE")
	f := s.server.fault()
	if f.Command != nil {
		if refusal := f.Command("IDLE"); refusal != "" {
			return no(refusal)
		}
	}
	s.mu.Lock()
	box, view := s.box, s.view
	s.mu.Unlock()
	if view == nil || f.Stall != nil && f.Stall("IDLE") {
		<-stop // a server that forgets to report
		return nil
	}
	for {
		changed := box.Changed()
		if err := view.Poll(w, true); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stop:
			return nil
		}
	}
}

// chosen are the messages that set names, with the numbers that this client knows them by. The caller holds box.mu.
func (s *imapSession) chosen(set imap.NumSet) []numbered {
	set = s.fixed(set)
	var out []numbered
	for i, msg := range s.box.msgs {
		n := s.view.EncodeSeqNum(uint32(i + 1))
		if n == 0 {
			continue // this client has not been told of it
		}
		hit := false
		switch set := set.(type) {
		case imap.UIDSet:
			hit = set.Contains(imap.UID(msg.uid))
		case imap.SeqSet:
			hit = set.Contains(n)
		}
		if hit {
			out = append(out, numbered{seq: n, at: uint32(i + 1), msg: msg})
		}
	}
	return out
}

// numbered is a message with its number for the client and in the mailbox.
type numbered struct {
	seq, at uint32
	msg     *message
}

// fixed replaces "*", which is 0 here, by the largest number in use: RFC 9051 §9, seq-number.
func (s *imapSession) fixed(set imap.NumSet) imap.NumSet {
	var top uint32
	fix := func(a, b uint32) (uint32, uint32) {
		if a == 0 {
			a = top
		}
		if b == 0 {
			b = top
		}
		return min(a, b), max(a, b)
	}
	switch set := set.(type) {
	case imap.UIDSet:
		if n := len(s.box.msgs); n > 0 {
			top = s.box.msgs[n-1].uid
		}
		var out imap.UIDSet
		for _, r := range set {
			a, b := fix(uint32(r.Start), uint32(r.Stop))
			out.AddRange(imap.UID(a), imap.UID(b))
		}
		return out
	case imap.SeqSet:
		top = uint32(len(s.box.msgs))
		var out imap.SeqSet
		for _, r := range set {
			a, b := fix(r.Start, r.Stop)
			out.AddRange(a, b)
		}
		return out
	}
	return set
}

func (s *imapSession) Store(w *imapserver.FetchWriter, set imap.NumSet, store *imap.StoreFlags, _ *imap.StoreOptions) error {
	if err := s.begin("STORE", uidPrefix(set)+"STORE "+set.String()+" "+storeText(store)); err != nil {
		return err
	}
	if s.readOnly {
		return no("folder is open for reading only")
	}
	s.box.mu.Lock()
	hits := s.chosen(set)
	for _, h := range hits {
		if store.Op == imap.StoreFlagsSet {
			clear(h.msg.flags)
		}
		for _, f := range store.Flags {
			if store.Op == imap.StoreFlagsDel {
				delete(h.msg.flags, canonical(f))
			} else {
				h.msg.flags[canonical(f)] = true
			}
		}
		s.box.tracker.QueueMessageFlags(h.at, imap.UID(h.msg.uid), h.msg.flagList(), s.view)
	}
	if len(hits) > 0 {
		s.box.notify()
	}
	s.box.mu.Unlock()
	if store.Silent {
		return nil
	}
	return s.fetch(w, set, &imap.FetchOptions{Flags: true, UID: true})
}

func storeText(store *imap.StoreFlags) string {
	text := map[imap.StoreFlagsOp]string{imap.StoreFlagsAdd: "+", imap.StoreFlagsDel: "-"}[store.Op] + "FLAGS"
	if store.Silent {
		text += ".SILENT"
	}
	var flags []string
	for _, f := range store.Flags {
		flags = append(flags, string(f))
	}
	return text + " (" + strings.Join(flags, " ") + ")"
}

func uidPrefix(set imap.NumSet) string {
	if _, ok := set.(imap.UIDSet); ok {
		return "UID "
	}
	return ""
}

func (s *imapSession) Expunge(_ *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	if s.readOnly {
		return nil // a CLOSE, RFC 9051 §6.4.1; EXPUNGE itself changes nothing either
	}
	text := "EXPUNGE"
	if uids != nil {
		text = "UID EXPUNGE " + uids.String()
	}
	if err := s.begin("EXPUNGE", text); err != nil {
		return err
	}
	var named imap.UIDSet
	if uids != nil {
		s.box.mu.Lock()
		named = s.fixed(*uids).(imap.UIDSet)
		s.box.mu.Unlock()
	}
	s.box.removeIf(func(m *message) bool {
		return m.flags[canonical(imap.FlagDeleted)] && (uids == nil || named.Contains(imap.UID(m.uid)))
	})
	return nil
}

func (s *imapSession) Append(name string, r imap.LiteralReader, opt *imap.AppendOptions) (*imap.AppendData, error) {
	if err := s.begin("APPEND", "APPEND "+name); err != nil {
		return nil, err
	}
	box := s.folder(name)
	if box == nil {
		return nil, no("[TRYCREATE] no such folder")
	}
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	received := opt.Time
	if received.IsZero() {
		received = time.Now()
	}
	uid, err := box.deliver(raw, received, opt.Flags)
	if err != nil {
		return nil, no("[SERVERBUG] " + err.Error())
	}
	return &imap.AppendData{UID: imap.UID(uid), UIDValidity: box.UIDValidity()}, nil
}

func (s *imapSession) Copy(set imap.NumSet, name string) (*imap.CopyData, error) {
	if err := s.begin("COPY", fmt.Sprintf("%sCOPY %s %s", uidPrefix(set), set, name)); err != nil {
		return nil, err
	}
	data, _, err := s.copyTo(set, name)
	return data, err
}

func (s *imapSession) copyTo(set imap.NumSet, name string) (*imap.CopyData, []uint32, error) {
	box := s.folder(name)
	if box == nil {
		return nil, nil, no("[TRYCREATE] no such folder")
	}
	if box == s.box {
		return nil, nil, no("source and destination are the same folder")
	}
	s.box.mu.Lock()
	hits := s.chosen(set)
	var flags [][]imap.Flag
	for _, h := range hits {
		flags = append(flags, h.msg.flagList())
	}
	s.box.mu.Unlock()
	data := &imap.CopyData{UIDValidity: box.UIDValidity()}
	var uids []uint32
	for i, h := range hits {
		uid, err := box.deliver(h.msg.raw, h.msg.received, flags[i])
		if err != nil {
			return nil, nil, no("[SERVERBUG] " + err.Error())
		}
		uids = append(uids, h.msg.uid)
		data.SourceUIDs.AddNum(imap.UID(h.msg.uid))
		data.DestUIDs.AddNum(imap.UID(uid))
	}
	return data, uids, nil
}

func (s *imapSession) Move(w *imapserver.MoveWriter, set imap.NumSet, name string) error {
	if err := s.begin("MOVE", fmt.Sprintf("%sMOVE %s %s", uidPrefix(set), set, name)); err != nil {
		return err
	}
	if s.readOnly {
		return no("folder is open for reading only")
	}
	data, uids, err := s.copyTo(set, name)
	if err != nil {
		return err
	}
	if len(uids) > 0 {
		if err := w.WriteCopyData(data); err != nil {
			return err
		}
	}
	s.box.Remove(uids...) // the EXPUNGE answers follow with the next Poll, before the tagged OK
	return nil
}

// section is what a FETCH of a body section yields. The whole message is given octet for octet.
func section(raw []byte, item *imap.FetchItemBodySection) []byte {
	if len(item.Part) > 0 || item.Specifier != imap.PartSpecifierNone {
		return imapserver.ExtractBodySection(bytes.NewReader(raw), item)
	}
	if p := item.Partial; p != nil {
		from := min(max(p.Offset, 0), int64(len(raw)))
		raw = raw[from:]
		raw = raw[:min(max(p.Size, 0), int64(len(raw)))]
	}
	return raw
}
