package mailtest

import (
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// Folders are made by the test, not by clients: what would change their set is refused.

func (s *imapSession) Create(string, *imap.CreateOptions) error { return no("[NOPERM] not here") }
func (s *imapSession) Delete(string) error                      { return no("[NOPERM] not here") }
func (s *imapSession) Rename(string, string, *imap.RenameOptions) error {
	return no("[NOPERM] not here")
}
func (s *imapSession) Subscribe(string) error   { return nil }
func (s *imapSession) Unsubscribe(string) error { return nil }

func (s *imapSession) Namespace() (*imap.NamespaceData, error) {
	return &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Delim: delimiter}}}, nil
}

func (s *imapSession) List(w *imapserver.ListWriter, ref string, patterns []string, opt *imap.ListOptions) error {
	if err := s.begin("LIST", "LIST"); err != nil {
		return err
	}
	if len(patterns) == 0 { // asks for the delimiter alone, RFC 9051 §6.3.9
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: delimiter})
	}
	names := []string{"INBOX"}
	for name := range s.acc.Folders {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if !slices.ContainsFunc(patterns, func(p string) bool { return imapserver.MatchList(name, delimiter, ref, p) }) {
			continue
		}
		data := &imap.ListData{Mailbox: name, Delim: delimiter}
		if opt.ReturnStatus != nil {
			data.Status = s.status(name, s.folder(name), opt.ReturnStatus)
		}
		if err := w.WriteList(data); err != nil {
			return err
		}
	}
	return nil
}

func (s *imapSession) Status(name string, opt *imap.StatusOptions) (*imap.StatusData, error) {
	if err := s.begin("STATUS", "STATUS "+name); err != nil {
		return nil, err
	}
	box := s.folder(name)
	if box == nil {
		return nil, errNoFolder
	}
	return s.status(name, box, opt), nil
}

func (s *imapSession) status(name string, box *Mailbox, opt *imap.StatusOptions) *imap.StatusData {
	box.mu.Lock()
	defer box.mu.Unlock()
	total, unseen, deleted, octets := uint32(len(box.msgs)), uint32(0), uint32(0), int64(0)
	for _, m := range box.msgs {
		octets += int64(len(m.raw))
		if !m.flags[canonical(imap.FlagSeen)] {
			unseen++
		}
		if m.flags[canonical(imap.FlagDeleted)] {
			deleted++
		}
	}
	data := &imap.StatusData{Mailbox: name}
	if opt.NumMessages {
		data.NumMessages = &total
	}
	if opt.UIDNext {
		data.UIDNext = imap.UID(box.uidNext)
	}
	if opt.UIDValidity {
		data.UIDValidity = box.uidValidity
	}
	if opt.NumUnseen {
		data.NumUnseen = &unseen
	}
	if opt.NumDeleted {
		data.NumDeleted = &deleted
	}
	if opt.Size {
		data.Size = &octets
	}
	if opt.NumRecent {
		data.NumRecent = new(uint32)
	}
	return data
}
