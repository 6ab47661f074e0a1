package mailtest

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
)

// indexName is the file that remembers which file has which UID: "uidvalidity N" and then "UID name" a line, in UID
// order. Lines of removed messages stay, so that their UIDs are never given again.
const indexName = "mailbox.index"

// mailboxFiles is the folder of a directory-backed mailbox. The Mailbox' lock guards it.
type mailboxFiles struct {
	dir   string
	names map[uint32]string
}

// OpenMailbox returns a mailbox whose messages are the files *.eml in dir, which is made if absent. Files that it has
// not seen before get the next UIDs, in the order of their names. UIDs, UIDLs and times of arrival (the files' times)
// are the same when it is opened again; flags are not kept. One process may have a folder open at a time.
func OpenMailbox(dir string) (*Mailbox, error) {
	m, err := openMailbox(dir)
	if err != nil {
		return nil, fmt.Errorf("open mailbox %s: %w", dir, err)
	}
	return m, nil
}

func openMailbox(dir string) (*Mailbox, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	m := NewMailbox()
	m.files = &mailboxFiles{dir: dir, names: map[uint32]string{}}
	known, err := m.readIndex()
	if err != nil {
		return nil, err
	}
	paths, err := filepath.Glob(filepath.Join(escapeGlob(dir), "*.eml"))
	if err != nil {
		return nil, err
	}
	slices.Sort(paths)
	for _, p := range paths {
		name := filepath.Base(p)
		if _, ok := known[name]; !ok {
			known[name] = m.uidNext
			if err := m.files.note(m.uidNext, name); err != nil {
				return nil, err
			}
			m.uidNext++
		}
		raw, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		fi, err := os.Stat(p)
		if err != nil {
			return nil, err
		}
		m.msgs = append(m.msgs, &message{uid: known[name], received: fi.ModTime(), flags: map[imap.Flag]bool{}, raw: raw})
		m.files.names[known[name]] = name
	}
	slices.SortFunc(m.msgs, func(a, b *message) int { return int(a.uid) - int(b.uid) })
	for i := range m.msgs {
		m.tracker.QueueNumMessages(uint32(i + 1))
	}
	return m, nil
}

func escapeGlob(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

// readIndex sets UIDVALIDITY and the next UID, and returns the UIDs of all names ever seen.
func (m *Mailbox) readIndex() (map[string]uint32, error) {
	known := map[string]uint32{}
	f, err := os.Open(filepath.Join(m.files.dir, indexName))
	if errors.Is(err, fs.ErrNotExist) {
		return known, m.files.renumber(m.uidValidity, nil)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	sc := bufio.NewScanner(f)
	for first := true; sc.Scan(); first = false {
		word, rest, _ := strings.Cut(sc.Text(), " ")
		if first {
			v, err := strconv.ParseUint(rest, 10, 32)
			if err != nil || word != "uidvalidity" {
				return nil, fmt.Errorf("%s does not begin with uidvalidity", indexName)
			}
			m.uidValidity = uint32(v)
			continue
		}
		uid, err := strconv.ParseUint(word, 10, 32)
		if err != nil || rest == "" {
			continue // a line that a crash cut short: its file is found in the folder
		}
		known[rest] = uint32(uid)
		m.uidNext = max(m.uidNext, uint32(uid)+1)
	}
	return known, sc.Err()
}

// add writes the message under a name made from its UID, complete or not at all.
func (d *mailboxFiles) add(msg *message) error {
	name := fmt.Sprintf("%08d.eml", msg.uid)
	if _, err := os.Lstat(filepath.Join(d.dir, name)); err == nil {
		name = fmt.Sprintf("%08d-%d.eml", msg.uid, time.Now().UnixNano())
	}
	tmp := filepath.Join(d.dir, name+".tmp")
	if err := os.WriteFile(tmp, msg.raw, 0o644); err != nil {
		return err
	}
	if err := os.Chtimes(tmp, msg.received, msg.received); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(d.dir, name)); err != nil {
		return err
	}
	d.names[msg.uid] = name
	return d.note(msg.uid, name)
}

func (d *mailboxFiles) note(uid uint32, name string) error {
	f, err := os.OpenFile(filepath.Join(d.dir, indexName), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(f, "%d %s\n", uid, name)
	return errors.Join(err, f.Close())
}

// remove deletes the file. If that fails the message comes back at the next opening, as mail on a broken disk would.
func (d *mailboxFiles) remove(uid uint32) {
	_ = os.Remove(filepath.Join(d.dir, d.names[uid]))
	delete(d.names, uid)
}

// renumber writes the index anew for messages that are in the order of their files' old UIDs.
func (d *mailboxFiles) renumber(uidValidity uint32, msgs []*message) error {
	old := make([]uint32, 0, len(d.names))
	for uid := range d.names {
		old = append(old, uid)
	}
	slices.Sort(old)
	names := map[uint32]string{}
	var text strings.Builder
	fmt.Fprintf(&text, "uidvalidity %d\n", uidValidity)
	for i, msg := range msgs {
		names[msg.uid] = d.names[old[i]]
		fmt.Fprintf(&text, "%d %s\n", msg.uid, names[msg.uid])
	}
	d.names = names
	path := filepath.Join(d.dir, indexName)
	if err := os.WriteFile(path+".tmp", []byte(text.String()), 0o644); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}
