package rpc_test

import (
	"context"
	"fmt"
	"slices"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
)

// memory is a control.Store that forgets. It serves the tests of this adapter alone; what Postgres does is tested in
// package store.
type memory struct {
	mu       sync.Mutex
	channels map[string]*control.Channel
	secrets  map[ingest.ChannelID]ingest.Secret
	messages []control.Message
	raw      map[ingest.MessageID][]byte
	replays  []ingest.Replay
	audit    []control.Audit
	clock    time.Time
	// fail, if set, is what every call returns.
	fail error
	// beforeUpdate, if set, runs once before the next update, with the store unlocked.
	beforeUpdate func()
}

func newMemory() *memory {
	return &memory{channels: map[string]*control.Channel{}, secrets: map[ingest.ChannelID]ingest.Secret{}, raw: map[ingest.MessageID][]byte{},
		clock: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)}
}

func (m *memory) lock() func() { m.mu.Lock(); return m.mu.Unlock }

func (m *memory) CreateChannel(_ context.Context, c control.NewChannel, a control.Audit) (control.Channel, error) {
	defer m.lock()()
	if m.fail != nil {
		return control.Channel{}, m.fail
	}
	name := control.ChannelName(c.Tenant, c.Channel)
	if m.channels[name] != nil {
		return control.Channel{}, control.ErrAlreadyExists
	}
	m.audit = append(m.audit, a)
	ch := &control.Channel{
		ID: ingest.ChannelID(len(m.channels) + 1), UID: uuid.NewString(), Tenant: c.Tenant, Channel: c.Channel, Settings: c.Settings,
		PasswordSet: !c.Password.IsZero(), Revision: 1, Created: m.clock, Updated: m.clock, NextSequence: 1,
		Health: ingest.Health{State: ingest.StatePending, Since: m.clock},
	}
	if !c.Settings.Enabled {
		ch.Health.State = ingest.StateDisabled
	}
	m.channels[name], m.secrets[ch.ID] = ch, c.Password
	return *ch, nil
}

func (m *memory) Channel(_ context.Context, tenant, channel string) (control.Channel, error) {
	defer m.lock()()
	if m.fail != nil {
		return control.Channel{}, m.fail
	}
	ch := m.channels[control.ChannelName(tenant, channel)]
	if ch == nil {
		return control.Channel{}, control.ErrNotFound
	}
	return *ch, nil
}

func (m *memory) Channels(_ context.Context, q control.ChannelQuery) ([]control.Channel, error) {
	defer m.lock()()
	if m.fail != nil {
		return nil, m.fail
	}
	if strings.ContainsRune(q.After, 0) {
		return nil, fmt.Errorf("ERROR: invalid byte sequence for encoding (SQLSTATE 22021)")
	}
	var out []control.Channel
	for _, c := range m.channels {
		if c.Tenant == q.Tenant && (q.ShowDeleted || c.Deleted.IsZero()) && (len(q.States) == 0 || slices.Contains(q.States, c.Health.State)) &&
			(q.After == "" || (!q.Descending && c.Channel > q.After) || (q.Descending && c.Channel < q.After)) {
			out = append(out, *c)
		}
	}
	sort.Slice(out, func(i, j int) bool { return (out[i].Channel < out[j].Channel) != q.Descending })
	return out[:min(len(out), q.Limit)], nil
}

func (m *memory) change(id ingest.ChannelID, revision int64, a control.Audit, do func(*control.Channel)) (control.Channel, error) {
	if f := m.beforeUpdate; f != nil {
		m.beforeUpdate = nil
		f()
	}
	defer m.lock()()
	if m.fail != nil {
		return control.Channel{}, m.fail
	}
	for _, c := range m.channels {
		if c.ID == id {
			if c.Revision != revision {
				return control.Channel{}, control.ErrConflict
			}
			c.Revision++
			do(c)
			m.audit = append(m.audit, a)
			return *c, nil
		}
	}
	return control.Channel{}, control.ErrNotFound
}

func (m *memory) UpdateChannel(_ context.Context, id ingest.ChannelID, revision int64, s control.Settings, p *ingest.Secret, a control.Audit) (control.Channel, error) {
	return m.change(id, revision, a, func(c *control.Channel) {
		c.Settings = s
		if p != nil {
			m.secrets[id], c.PasswordSet = *p, !p.IsZero()
		}
	})
}

func (m *memory) DeleteChannel(_ context.Context, id ingest.ChannelID, revision int64, a control.Audit) (control.Channel, error) {
	return m.change(id, revision, a, func(c *control.Channel) { c.Deleted, c.Health.State = m.clock, ingest.StateDisabled })
}

func (m *memory) UndeleteChannel(_ context.Context, id ingest.ChannelID, revision int64, a control.Audit) (control.Channel, error) {
	return m.change(id, revision, a, func(c *control.Channel) { c.Deleted, c.Health.State = time.Time{}, ingest.StatePending })
}

func (m *memory) Password(_ context.Context, id ingest.ChannelID) (ingest.Secret, error) {
	defer m.lock()()
	return m.secrets[id], m.fail
}

func (m *memory) Message(_ context.Context, tenant, channel string, id ingest.MessageID) (control.Message, error) {
	defer m.lock()()
	if m.fail != nil {
		return control.Message{}, m.fail
	}
	for _, msg := range m.messages {
		if msg.Tenant == tenant && msg.Channel == channel && msg.ID == id {
			return msg, nil
		}
	}
	return control.Message{}, control.ErrNotFound
}

func (m *memory) Messages(_ context.Context, q control.MessageQuery) ([]control.Message, error) {
	defer m.lock()()
	var out []control.Message
	for _, msg := range m.messages {
		if msg.Channel != q.Channel || q.MessageID != "" && msg.Mail.MessageID != q.MessageID || !q.Since.IsZero() && msg.Received.Before(q.Since) ||
			!q.Until.IsZero() && !msg.Received.Before(q.Until) || q.After != 0 && q.Descending && msg.Sequence >= q.After ||
			q.After != 0 && !q.Descending && msg.Sequence <= q.After || q.Thread != "" && msg.Thread.ID != q.Thread || q.Class != "" && msg.Mail.Class != q.Class {
			continue
		}
		if !q.Text {
			msg.Mail.Text, msg.Mail.ReplyText = "", ""
		}
		out = append(out, msg)
	}
	sort.Slice(out, func(i, j int) bool { return (out[i].Sequence < out[j].Sequence) != q.Descending })
	return out[:min(len(out), q.Limit)], m.fail
}

func (m *memory) ReadRaw(_ context.Context, _, _ string, id ingest.MessageID, offset int64, limit int) ([]byte, error) {
	defer m.lock()()
	raw := m.raw[id]
	if offset >= int64(len(raw)) {
		return nil, m.fail
	}
	return raw[offset:min(int64(len(raw)), offset+int64(limit))], m.fail
}

func (m *memory) CreateReplay(_ context.Context, r ingest.Replay, a control.Audit) (ingest.Replay, error) {
	defer m.lock()()
	if m.fail != nil {
		return r, m.fail
	}
	r.ID, r.State, r.Created = uuid.Must(uuid.NewV7()).String(), ingest.ReplayQueued, m.clock
	m.replays, m.audit = append(m.replays, r), append(m.audit, a)
	return r, nil
}

func (m *memory) Replay(_ context.Context, tenant, id string) (ingest.Replay, error) {
	defer m.lock()()
	for _, r := range m.replays {
		if r.Tenant == tenant && r.ID == id {
			return r, m.fail
		}
	}
	return ingest.Replay{}, control.ErrNotFound
}

func (m *memory) Replays(_ context.Context, q control.ReplayQuery) ([]ingest.Replay, error) {
	defer m.lock()()
	var out []ingest.Replay
	for _, r := range slices.Backward(m.replays) {
		if r.Tenant == q.Tenant && (q.Channel == "" || r.Channel == q.Channel) && (q.States == nil || slices.Contains(q.States, r.State)) &&
			(q.Before == "" || r.ID < q.Before) {
			out = append(out, r)
		}
	}
	return out[:min(len(out), q.Limit)], m.fail
}

func (m *memory) CancelReplay(_ context.Context, tenant, id string, a control.Audit) (ingest.Replay, error) {
	defer m.lock()()
	for i, r := range m.replays {
		if r.Tenant == tenant && r.ID == id {
			if !r.State.Done() {
				m.replays[i].State, m.audit = ingest.ReplayCancelled, append(m.audit, a)
			}
			return m.replays[i], m.fail
		}
	}
	return ingest.Replay{}, control.ErrNotFound
}
