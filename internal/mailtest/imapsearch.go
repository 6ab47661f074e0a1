package mailtest

import (
	"bufio"
	"bytes"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-message/textproto"
)

// Search answers SEARCH and UID SEARCH by the criteria that the library parses, RFC 9051 §6.4.4.
func (s *imapSession) Search(kind imapserver.NumKind, c *imap.SearchCriteria, _ *imap.SearchOptions) (*imap.SearchData, error) {
	text := "SEARCH"
	if kind == imapserver.NumKindUID {
		text = "UID SEARCH"
	}
	if err := s.begin("SEARCH", text); err != nil {
		return nil, err
	}
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.fixCriteria(c)
	data := &imap.SearchData{}
	var seqs imap.SeqSet
	var uids imap.UIDSet
	for i, m := range s.box.msgs {
		seq := s.view.EncodeSeqNum(uint32(i + 1))
		if seq == 0 || !matches(m, seq, c) {
			continue
		}
		n := seq
		if kind == imapserver.NumKindUID {
			n = m.uid
			uids.AddNum(imap.UID(n))
		} else {
			seqs.AddNum(n)
		}
		if data.Count == 0 || n < data.Min {
			data.Min = n
		}
		data.Max = max(data.Max, n)
		data.Count++
	}
	if kind == imapserver.NumKindUID {
		data.All = uids
	} else {
		data.All = seqs
	}
	return data, nil
}

// fixCriteria replaces "*" everywhere.
func (s *imapSession) fixCriteria(c *imap.SearchCriteria) {
	for i, set := range c.SeqNum {
		c.SeqNum[i] = s.fixed(set).(imap.SeqSet)
	}
	for i, set := range c.UID {
		c.UID[i] = s.fixed(set).(imap.UIDSet)
	}
	for i := range c.Not {
		s.fixCriteria(&c.Not[i])
	}
	for i := range c.Or {
		s.fixCriteria(&c.Or[i][0])
		s.fixCriteria(&c.Or[i][1])
	}
}

func matches(m *message, seq uint32, c *imap.SearchCriteria) bool {
	for _, set := range c.SeqNum {
		if !set.Contains(seq) {
			return false
		}
	}
	for _, set := range c.UID {
		if !set.Contains(imap.UID(m.uid)) {
			return false
		}
	}
	for _, f := range c.Flag {
		if !m.flags[canonical(f)] {
			return false
		}
	}
	for _, f := range c.NotFlag {
		if m.flags[canonical(f)] {
			return false
		}
	}
	n := int64(len(m.raw))
	if !within(m.received, c.Since, c.Before) || c.Larger != 0 && n <= c.Larger || c.Smaller != 0 && n >= c.Smaller {
		return false
	}
	for _, not := range c.Not {
		if matches(m, seq, &not) {
			return false
		}
	}
	for _, or := range c.Or {
		if !matches(m, seq, &or[0]) && !matches(m, seq, &or[1]) {
			return false
		}
	}
	return matchesText(m.raw, c)
}

func matchesText(raw []byte, c *imap.SearchCriteria) bool {
	header, _ := textproto.ReadHeader(bufio.NewReader(bytes.NewReader(raw)))
	for _, want := range c.Header {
		found := false
		for fields := header.FieldsByKey(want.Key); fields.Next(); {
			found = found || containsFold(fields.Value(), want.Value)
		}
		if !found {
			return false
		}
	}
	_, body, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	for _, t := range c.Body {
		if !containsFold(string(body), t) {
			return false
		}
	}
	for _, t := range c.Text {
		if !containsFold(string(raw), t) {
			return false
		}
	}
	return true
}

// within compares dates without time and zone, as SINCE and BEFORE do.
func within(t, since, before time.Time) bool {
	day := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
	return (since.IsZero() || !day(t).Before(day(since))) && (before.IsZero() || day(t).Before(day(before)))
}

func containsFold(s, part string) bool {
	return strings.Contains(strings.ToLower(s), strings.ToLower(part))
}
