package mailtest

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func (d *Dovecot) maildir(user string) string { return filepath.Join(d.dir, "mail", user, "Maildir") }

// makeMailDirs makes a Maildir for every user. It fails if the mail user cannot get there.
func (d *Dovecot) makeMailDirs() error {
	for p := d.dir; d.owner.root && p != filepath.Dir(p); p = filepath.Dir(p) {
		fi, err := os.Stat(p)
		if err != nil {
			return err
		}
		if fi.Mode().Perm()&0o001 == 0 {
			return fmt.Errorf("the user %s, whom mail belongs to, may not enter %s (mode %04o); run: chmod o+x %s", d.owner.user, p, fi.Mode().Perm(), p)
		}
	}
	for user := range d.passwords {
		if err := d.makeMaildir(user); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dovecot) makeMaildir(user string) error {
	if user == "" || user == "." || user == ".." || strings.ContainsAny(user, "/:\n\x00") {
		return fmt.Errorf("%q cannot be a user's name here", user)
	}
	box := d.maildir(user)
	for _, p := range []string{filepath.Join(d.dir, "mail"), filepath.Dir(box), box, filepath.Join(box, "tmp"), filepath.Join(box, "new"), filepath.Join(box, "cur")} {
		err := os.Mkdir(p, 0o755)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return err
		}
		if err := d.own(p); err != nil {
			return err
		}
	}
	return nil
}

func (d *Dovecot) own(path string) error {
	if !d.owner.root {
		return nil
	}
	return os.Chown(path, d.owner.uid, d.owner.gid)
}

// writePasswords replaces the password file. Dovecot reads it again when its time has changed, which it compares in
// seconds: so it gets one of its own each time.
func (d *Dovecot) writePasswords() error {
	var text bytes.Buffer
	for user, password := range d.passwords {
		if strings.ContainsAny(password, ":\n") {
			return fmt.Errorf("the password of %s has a character that Dovecot's password file cannot hold", user)
		}
		fmt.Fprintf(&text, "%s:{PLAIN}%s::::::\n", user, password)
	}
	path := filepath.Join(d.dir, "users")
	if err := os.WriteFile(path+".tmp", text.Bytes(), 0o644); err != nil {
		return err
	}
	next := time.Now().Truncate(time.Second)
	if !next.After(d.stamp) {
		next = d.stamp.Add(time.Second)
	}
	d.stamp = next
	if err := os.Chtimes(path+".tmp", next, next); err != nil {
		return err
	}
	return os.Rename(path+".tmp", path)
}

// SetPassword changes a user's password, or adds a user, and returns when the server knows.
func (d *Dovecot) SetPassword(user, password string) error {
	if err := d.setPassword(user, password); err != nil {
		return fmt.Errorf("mailtest: dovecot: %w", err)
	}
	// Dovecot looks at its password file once a second at most.
	for deadline := time.Now().Add(5 * time.Second); d.running(); time.Sleep(50 * time.Millisecond) {
		if _, err := d.Doveadm("auth", "test", user, password); err == nil {
			return nil
		} else if time.Now().After(deadline) {
			return fmt.Errorf("mailtest: dovecot: the new password of %s is not accepted: %w", user, err)
		}
	}
	return nil
}

func (d *Dovecot) setPassword(user, password string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, known := d.passwords[user]; !known {
		if err := d.makeMaildir(user); err != nil {
			return err
		}
	}
	d.passwords[user] = password
	return d.writePasswords()
}

func (d *Dovecot) running() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.child != nil
}

// Deliver puts messages into the user's INBOX as they are, in this order. It touches files alone, so it also works
// while the server is paused. Dovecot serves LF line ends as CRLF.
func (d *Dovecot) Deliver(user string, msgs ...[]byte) error {
	box := d.maildir(user)
	for _, raw := range msgs {
		name := d.nextName(raw)
		tmp := filepath.Join(box, "tmp", name)
		if err := os.WriteFile(tmp, raw, 0o644); err != nil {
			return fmt.Errorf("mailtest: dovecot: deliver: %w", err)
		}
		if err := d.own(tmp); err != nil {
			return fmt.Errorf("mailtest: dovecot: deliver: %w", err)
		}
		if err := os.Rename(tmp, filepath.Join(box, "new", name)); err != nil {
			return fmt.Errorf("mailtest: dovecot: deliver: %w", err)
		}
	}
	return nil
}

// nextName is a Maildir name that sorts behind all earlier ones, for Dovecot gives UIDs in that order. S and W tell the
// size in the file and on the wire, which spares Dovecot reading the message to count.
func (d *Dovecot) nextName(raw []byte) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.delivered++
	now := time.Now()
	return fmt.Sprintf("%010d.M%06dP%07dQ%08d.mailtest,S=%d,W=%d", now.Unix(), now.Nanosecond()/1000, os.Getpid(), d.delivered, len(raw), len(CRLF(raw)))
}

// Files are the paths of the messages in the user's INBOX, oldest first. The letters behind ":2," are flags, S for
// \Seen and T for \Deleted.
func (d *Dovecot) Files(user string) ([]string, error) {
	var all []string
	for _, sub := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(d.maildir(user), sub))
		if err != nil {
			return nil, fmt.Errorf("mailtest: dovecot: %w", err)
		}
		for _, e := range entries {
			all = append(all, filepath.Join(d.maildir(user), sub, e.Name()))
		}
	}
	slices.SortFunc(all, func(a, b string) int { return cmp.Compare(filepath.Base(a), filepath.Base(b)) })
	return all, nil
}

// Messages are the contents of the user's INBOX as stored, oldest first.
func (d *Dovecot) Messages(user string) ([][]byte, error) {
	files, err := d.Files(user)
	if err != nil {
		return nil, err
	}
	var all [][]byte
	for _, f := range files {
		raw, err := os.ReadFile(f)
		if err != nil {
			return nil, fmt.Errorf("mailtest: dovecot: %w", err)
		}
		all = append(all, raw)
	}
	return all, nil
}

// Count is the number of messages in the user's INBOX, -1 if it cannot be read.
func (d *Dovecot) Count(user string) int {
	files, err := d.Files(user)
	if err != nil {
		return -1
	}
	return len(files)
}
