package control

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/mailintake/mailintake/ingest"
)

// testTimeout bounds a connection test; each of its steps has a shorter deadline of its own.
const testTimeout = 2 * time.Minute

// Channels is the service that manages channels.
type Channels struct {
	Store  Store
	Prober Prober
	Pages  Pages
	// KnownCharset reports whether text can be decoded from a charset. It is that of ingestion; cmd supplies it. Without
	// it no fallback charset can be set.
	KnownCharset func(name string) bool
}

// CreateChannel is what Create needs.
type CreateChannel struct {
	Tenant, Channel string
	Settings        Settings // zero values mean defaults, but StartTLS has none: true requires TLS
	Password        ingest.Secret
}

// Create adds a channel. It returns errors of KindInvalid and KindAlreadyExists, and as all calls KindUnavailable.
func (s *Channels) Create(ctx context.Context, actor string, c CreateChannel) (Channel, error) {
	var vs []Violation
	if !ValidID(c.Tenant) {
		vs = append(vs, Violation{"parent", "must have the form tenants/{tenant}; ids are lower-case letters, digits and hyphens"})
	}
	if !ValidID(c.Channel) {
		vs = append(vs, Violation{"email_channel_id", "must match [a-z0-9][a-z0-9-]{0,38}"})
	}
	vs = append(vs, s.complete(&c.Settings)...)
	vs = append(vs, checkPassword(c.Password)...)
	vs = append(vs, checkEnabled(c.Settings, !c.Password.IsZero())...)
	if len(vs) > 0 {
		return Channel{}, Invalid(vs...)
	}
	name := ChannelName(c.Tenant, c.Channel)
	ch, err := s.Store.CreateChannel(ctx, NewChannel(c), Audit{Actor: actor, Action: "channel.create", Resource: name})
	if errors.Is(err, ErrAlreadyExists) {
		e := &Error{Kind: KindAlreadyExists, Reason: "RESOURCE_EXISTS", Resource: name, Message: name + " exists already", Err: err}
		if old, err := s.Store.Channel(ctx, c.Tenant, c.Channel); err == nil && !old.Deleted.IsZero() {
			e.Reason, e.Message = "RESOURCE_DELETED", name+" exists already and is deleted; undelete it, or take another id"
		}
		return Channel{}, e
	}
	return ch, stored(err, name)
}

// complete fills in defaults and reports every field that is not as it must be.
func (s *Channels) complete(set *Settings) []Violation {
	vs := set.complete()
	if name := set.FallbackCharset; name != "" && (s.KnownCharset == nil || !s.KnownCharset(name)) {
		vs = append(vs, Violation{prefix + "fallback_charset", "must be a charset that mail can be decoded from, such as iso-8859-2, koi8-r, shift_jis or gb18030"})
	}
	return vs
}

func checkEnabled(s Settings, passwordSet bool) []Violation {
	if s.Enabled && !passwordSet {
		return []Violation{{prefix + "password", "is required while the channel is enabled"}}
	}
	return nil
}

// Get reads one channel, a deleted one too.
func (s *Channels) Get(ctx context.Context, name string) (Channel, error) {
	tenant, channel, err := ParseChannel("name", name)
	if err != nil {
		return Channel{}, err
	}
	ch, err := s.Store.Channel(ctx, tenant, channel)
	return ch, stored(err, name)
}

// ListChannels is what List needs.
type ListChannels struct {
	Parent      string
	PageSize    int // 0 means DefaultPageSize; at most MaxPageSize items are returned
	PageToken   string
	Filter      string // as in the API
	OrderBy     string // "name" or "name desc"
	ShowDeleted bool
}

func (l *ListChannels) list() []string {
	return []string{"channels", l.Parent, l.Filter, l.OrderBy, strconv.FormatBool(l.ShowDeleted)}
}

// List returns one page of channels and whether there are more.
func (s *Channels) List(ctx context.Context, l ListChannels) (page []Channel, more bool, err error) {
	q := ChannelQuery{ShowDeleted: l.ShowDeleted}
	if q.Tenant, err = ParseTenant("parent", l.Parent); err != nil {
		return nil, false, err
	}
	if q.States, err = channelFilter(l.Filter); err != nil {
		return nil, false, err
	}
	if q.Descending, err = orderBy(l.OrderBy, "name", false); err != nil {
		return nil, false, err
	}
	if q.After, err = s.Pages.after(l.PageToken, l.list()...); err != nil {
		return nil, false, err
	}
	if q.After != "" && !ValidID(q.After) {
		return nil, false, Invalid(Violation{"page_token", "must be the next_page_token of the page before"})
	}
	size, err := pageSize(l.PageSize, MaxPageSize)
	if err != nil {
		return nil, false, err
	}
	if q.States != nil && len(q.States) == 0 {
		return nil, false, nil
	}
	q.Limit = size + 1
	page, err = s.Store.Channels(ctx, q)
	if err != nil {
		return nil, false, stored(err, l.Parent)
	}
	return page[:min(size, len(page))], len(page) > size, nil
}

// PageToken is the token of the page that begins behind last.
func (s *Channels) PageToken(l ListChannels, last Channel) string {
	return s.Pages.token(last.Channel, l.list()...)
}

// UpdateChannel is what Update needs.
type UpdateChannel struct {
	Name     string
	Etag     string // the update is refused if it is set and not the channel's
	Settings Settings
	Password ingest.Secret
	// Paths are the fields to take from Settings and Password, in proto field names; output only fields are skipped
	// (AIP-203). "*" means all, of which the password only if it is not empty.
	Paths []string
}

// Update changes the fields of a channel that Paths names. Without an etag it applies them to whatever the channel is
// now. It returns errors of KindInvalid, KindNotFound, KindConflict and KindPrecondition.
func (s *Channels) Update(ctx context.Context, actor string, u UpdateChannel) (Channel, error) {
	tenant, channel, err := ParseChannel(prefix+"name", u.Name)
	if err != nil {
		return Channel{}, err
	}
	// Somebody else may be as quick; a caller without an etag does not care.
	for try := 0; ; try++ {
		old, err := s.Store.Channel(ctx, tenant, channel)
		if err != nil {
			return Channel{}, stored(err, u.Name)
		}
		ch, err := s.update(ctx, actor, old, u)
		if errors.Is(err, ErrConflict) && u.Etag == "" && try < 5 {
			continue
		}
		return ch, err
	}
}

func (s *Channels) update(ctx context.Context, actor string, old Channel, u UpdateChannel) (Channel, error) {
	if err := checkEtag(&old, u.Etag); err != nil {
		return Channel{}, err
	}
	if !old.Deleted.IsZero() {
		return Channel{}, precondition("RESOURCE_DELETED", u.Name, u.Name+" is deleted; undelete it first")
	}
	set, setsPassword, err := merge(old.Settings, u)
	if err != nil {
		return Channel{}, err
	}
	vs := s.complete(&set)
	changed := differences(&set, &old.Settings)
	var password *ingest.Secret
	passwordSet := old.PasswordSet
	if setsPassword {
		changed = append(changed, "password")
		password, passwordSet = &u.Password, !u.Password.IsZero()
		vs = append(vs, checkPassword(u.Password)...)
	}
	vs = append(vs, checkEnabled(set, passwordSet)...)
	if len(vs) > 0 {
		return Channel{}, Invalid(vs...)
	}
	if len(changed) == 0 {
		return old, nil
	}
	if !old.Started.IsZero() && (set.InitialSync != old.Settings.InitialSync || !set.SyncSince.Equal(old.Settings.SyncSince)) {
		return Channel{}, precondition("INITIAL_SYNC_DONE", u.Name,
			"initial_sync has no effect any more: the mailbox has been read; bring older mail in with a replay of kind FETCH")
	}
	ch, err := s.Store.UpdateChannel(ctx, old.ID, old.Revision, set, password,
		Audit{Actor: actor, Action: "channel.update", Resource: u.Name, Detail: strings.Join(changed, ",")})
	return ch, stored(err, u.Name)
}

// Delete hides a channel and stops reading it. It returns errors of KindNotFound, also if it is deleted already, and
// KindConflict.
func (s *Channels) Delete(ctx context.Context, actor, name, etag string) (Channel, error) {
	return s.mark(ctx, name, etag, func(old Channel) (Channel, error) {
		if !old.Deleted.IsZero() {
			return Channel{}, ErrNotFound
		}
		return s.Store.DeleteChannel(ctx, old.ID, old.Revision, Audit{Actor: actor, Action: "channel.delete", Resource: name})
	})
}

// Undelete brings a deleted channel back. It returns errors of KindNotFound, KindConflict, and KindAlreadyExists if the
// channel is not deleted.
func (s *Channels) Undelete(ctx context.Context, actor, name, etag string) (Channel, error) {
	return s.mark(ctx, name, etag, func(old Channel) (Channel, error) {
		if old.Deleted.IsZero() {
			return Channel{}, &Error{Kind: KindAlreadyExists, Reason: "RESOURCE_EXISTS", Resource: name, Message: name + " is not deleted"}
		}
		return s.Store.UndeleteChannel(ctx, old.ID, old.Revision, Audit{Actor: actor, Action: "channel.undelete", Resource: name})
	})
}

func (s *Channels) mark(ctx context.Context, name, etag string, change func(Channel) (Channel, error)) (Channel, error) {
	tenant, channel, err := ParseChannel("name", name)
	if err != nil {
		return Channel{}, err
	}
	for try := 0; ; try++ {
		old, err := s.Store.Channel(ctx, tenant, channel)
		if err != nil {
			return Channel{}, stored(err, name)
		}
		if err := checkEtag(&old, etag); err != nil {
			return Channel{}, err
		}
		ch, err := change(old)
		if errors.Is(err, ErrConflict) && etag == "" && try < 5 {
			continue
		}
		if e, ok := errors.AsType[*Error](err); ok {
			return Channel{}, e
		}
		return ch, stored(err, name)
	}
}

// Etag is the channel's version as clients see it.
func (c *Channel) Etag() string { return `W/"` + strconv.FormatInt(c.Revision, 10) + `"` }

func checkEtag(c *Channel, etag string) error {
	if etag == "" || etag == c.Etag() {
		return nil
	}
	return stored(ErrConflict, c.Name())
}

// TestChannel is what Test needs: Name, Settings or both.
type TestChannel struct {
	Parent   string
	Name     string    // a saved channel; with Settings it lends its password where Password is empty
	Settings *Settings // what to test instead of what is saved; DisplayName and EmailAddress may be empty
	Password ingest.Secret
}

// Test connects to a mailbox and says how far it came. A mailbox that cannot be read is a result, not an error. It
// returns errors of KindInvalid, KindNotFound, and KindPrecondition if the saved password cannot be unsealed.
func (s *Channels) Test(ctx context.Context, t TestChannel) (TestResult, error) {
	tenant, err := ParseTenant("parent", t.Parent)
	if err != nil {
		return TestResult{}, err
	}
	password := t.Password
	var set Settings
	switch {
	case t.Settings != nil:
		set = *t.Settings
		if set.DisplayName == "" {
			set.DisplayName = "test"
		}
		if set.EmailAddress == "" {
			set.EmailAddress = "test@localhost"
		}
		if vs := append(s.complete(&set), checkPassword(password)...); len(vs) > 0 {
			return TestResult{}, Invalid(vs...)
		}
	case t.Name == "":
		return TestResult{}, Invalid(Violation{"name", "name or email_channel must be set"})
	}
	if t.Name != "" {
		owner, channel, err := ParseChannel("name", t.Name)
		if err != nil {
			return TestResult{}, err
		}
		if owner != tenant {
			return TestResult{}, Invalid(Violation{"name", "must be a channel of " + t.Parent})
		}
		ch, err := s.Store.Channel(ctx, tenant, channel)
		if err != nil {
			return TestResult{}, stored(err, t.Name)
		}
		if t.Settings == nil {
			set = ch.Settings
		}
		if password.IsZero() {
			if password, err = s.Store.Password(ctx, ch.ID); err != nil {
				return TestResult{}, stored(err, t.Name)
			}
		}
	}
	if password.IsZero() {
		return TestResult{}, Invalid(Violation{prefix + "password", "is required: none is given and none is saved"})
	}
	m := set.Mailbox(password)
	ctx, cancel := context.WithTimeout(ctx, testTimeout)
	defer cancel()
	p := s.Prober.Probe(ctx, m)
	if err := context.Cause(ctx); errors.Is(err, context.Canceled) {
		return TestResult{}, err
	}
	return result(m, p), nil
}
