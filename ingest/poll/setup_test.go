package poll_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mailintake/mailintake/control"
	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/ingest/dial"
	"github.com/mailintake/mailintake/ingest/imap"
	"github.com/mailintake/mailintake/ingest/mime"
	"github.com/mailintake/mailintake/ingest/poll"
	"github.com/mailintake/mailintake/ingest/pop3"
	"github.com/mailintake/mailintake/ingest/relay"
	"github.com/mailintake/mailintake/ingest/spool"
	"github.com/mailintake/mailintake/internal/mailtest"
	"github.com/mailintake/mailintake/store"
	"github.com/mailintake/mailintake/store/storetest"
)

// patience is how long a test waits for what must come.
const patience = 60 * time.Second

// ioTimeout replaces the minute that a silent server is given.
const ioTimeout = 500 * time.Millisecond

// bench is a database with a poller over it.
type bench struct {
	*storetest.DB
	poller *poll.Poller
	reg    *prometheus.Registry
	spool  *spool.Pool
	imap   imap.Client
	pop3   pop3.Client
	boxes  int
}

func newBench(t testing.TB) *bench {
	t.Helper()
	return benchOn(t, storetest.New(t))
}

func benchOn(t testing.TB, db *storetest.DB) *bench {
	d := &dial.Dialer{Egress: dial.Egress{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}, IOTimeout: ioTimeout}
	b := &bench{DB: db, reg: prometheus.NewRegistry(), spool: &spool.Pool{}, imap: imap.Client{Dialer: d}, pop3: pop3.Client{Dialer: d}}
	b.poller = &poll.Poller{Store: db.Store, Open: b.open, Parse: parse, Version: mime.Version, Event: relay.EventData, Spool: b.spool,
		Log: slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelWarn})), Metrics: poll.NewMetrics(b.reg)}
	t.Cleanup(func() { b.verify(t) })
	return b
}

func (b *bench) open(ctx context.Context, m *ingest.Mailbox, readOnly bool) (ingest.Session, error) {
	if m.Protocol.IsIMAP() {
		return b.imap.Open(ctx, m, readOnly)
	}
	return b.pop3.Open(ctx, m)
}

func parse(_ context.Context, _ *ingest.Channel, octets ingest.Octets) *ingest.Mail {
	r, err := octets.Open()
	if err != nil {
		return &ingest.Mail{Defects: []ingest.Defect{{Code: "UNREADABLE"}}}
	}
	defer r.Close()
	return mime.Parse(r, octets.Size(), mime.Options{})
}

// verify checks what must hold whatever happened: the invariants of the database, no listing that did not add up, no
// spool left behind.
func (b *bench) verify(t testing.TB) {
	t.Helper()
	if _, err := b.Verify(context.Background(), func(v store.Violation) { t.Errorf("invariant %d, %s: %s", v.Invariant, v.Channel, v.What) }); err != nil {
		t.Errorf("verify: %v", err)
	}
	if n := b.metric(t, "mailintake_gaps_total"); n != 0 {
		t.Errorf("%v visits did not add up, want none", n)
	}
	if memory, disk := b.spool.InUse(); memory != 0 || disk != 0 {
		t.Errorf("the spool still holds %d octets of memory and %d of disk", memory, disk)
	}
}

// metric is the value of a counter or gauge, summed over its labels.
func (b *bench) metric(t testing.TB, name string) float64 {
	t.Helper()
	families, err := b.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		for _, m := range f.GetMetric() {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}

// box is one mailbox on a server of its own, and the channel that reads it.
type box struct {
	*bench
	t     testing.TB
	inbox *mailtest.Mailbox
	// folders are the other IMAP folders; to be changed between visits only.
	folders map[string]*mailtest.Mailbox
	imap    *mailtest.IMAPServer // nil for POP3
	pop3    *mailtest.POP3Server // nil for IMAP
	id      ingest.ChannelID
	own     ingest.Ownership
	mem     *poll.Memory
}

// transcript is what a server of either protocol was asked.
func (x *box) commands() []string {
	if x.imap != nil {
		return x.imap.Commands()
	}
	return x.pop3.Commands()
}

func (x *box) forget() {
	if x.imap != nil {
		x.imap.Forget()
		return
	}
	x.pop3.Forget()
}

// kick cuts all connections.
func (x *box) kick() {
	if x.imap != nil {
		x.imap.Kick()
		return
	}
	x.pop3.Kick()
}

// box starts a server and makes a channel for it. change edits the channel's settings; nil leaves ALL and LEAVE.
func (b *bench) box(t testing.TB, p ingest.Protocol, change func(*control.Settings)) *box {
	t.Helper()
	x := &box{bench: b, t: t, inbox: mailtest.NewMailbox(), folders: map[string]*mailtest.Mailbox{"Other": mailtest.NewMailbox()}}
	accounts := []mailtest.Account{{User: "u", Password: "p", Inbox: x.inbox, Folders: x.folders}}
	port := 0
	if p.IsIMAP() {
		x.imap = mailtest.StartIMAP(t, mailtest.IMAPOptions{Accounts: accounts})
		port = x.imap.Port()
	} else {
		x.pop3 = mailtest.StartPOP3(t, mailtest.POP3Options{Accounts: accounts})
		port = x.pop3.Port()
	}
	x.id = b.channel(t, p, "127.0.0.1", port, change)
	x.claim()
	return x
}

// boxPOP3 is box with a POP3 server of a certain kind.
func (b *bench) boxPOP3(t testing.TB, opt mailtest.POP3Options, change func(*control.Settings)) *box {
	t.Helper()
	x := &box{bench: b, t: t, inbox: mailtest.NewMailbox()}
	opt.Accounts = []mailtest.Account{{User: "u", Password: "p", Inbox: x.inbox}}
	x.pop3 = mailtest.StartPOP3(t, opt)
	x.id = b.channel(t, ingest.POP3, "127.0.0.1", x.pop3.Port(), change)
	x.claim()
	return x
}

// channel makes a channel that nobody owns.
func (b *bench) channel(t testing.TB, p ingest.Protocol, host string, port int, change func(*control.Settings)) ingest.ChannelID {
	t.Helper()
	b.boxes++
	id := fmt.Sprintf("box-%d", b.boxes)
	s := control.Settings{DisplayName: id, EmailAddress: "support@example.com", Enabled: true, Protocol: p, Host: host, Port: port, Username: "u",
		PollInterval: time.Minute, InitialSync: ingest.SyncAll, MaxMessageBytes: 64 << 10}
	if change != nil {
		change(&s)
	}
	c, err := b.CreateChannel(context.Background(), control.NewChannel{Tenant: "acme", Channel: id, Settings: s, Password: ingest.NewSecret("p")},
		control.Audit{Actor: "test", Action: "channel.create", Resource: control.ChannelName("acme", id)})
	if err != nil {
		t.Fatal(err)
	}
	return c.ID
}

// claim gives the channel a new owner, which remembers nothing.
func (x *box) claim() {
	x.own = x.bench.claim(x.t, x.id)
	x.mem = &poll.Memory{}
}

// claim makes a new replica the owner of a channel, as a take-over does.
func (b *bench) claim(t testing.TB, ch ingest.ChannelID) ingest.Ownership {
	t.Helper()
	epoch := b.Int(`select epoch + 1 from channel_state where channel_id = $1`, ch)
	replica := fmt.Sprintf("%08x-0000-7000-8000-%012x", ch, epoch)
	b.Exec(`insert into replica (replica_id, capacity, host, polls, relays) values ($1, 100, 'test', true, false)`, replica)
	b.Exec(`update channel_state set owner = $2, epoch = $3 where channel_id = $1`, ch, replica, epoch)
	return ingest.Ownership{Channel: ch, Replica: ingest.ReplicaID(replica), Epoch: epoch}
}

// load is the channel as the scheduler would load it.
func (x *box) load() *ingest.Channel {
	x.t.Helper()
	chs, err := x.Polled(context.Background(), x.own.Replica, []ingest.ChannelID{x.id})
	if err != nil || len(chs) != 1 {
		x.t.Fatalf("Polled: %d channels, error %v", len(chs), err)
	}
	return chs[0]
}

// try makes one visit.
func (x *box) try() (ingest.Counts, error) {
	x.t.Helper()
	return x.tryWith(context.Background(), x.poller)
}

func (x *box) tryWith(ctx context.Context, p *poll.Poller) (ingest.Counts, error) {
	x.t.Helper()
	n, err := p.Visit(ctx, x.own, x.load(), x.mem)
	if err == nil && n.Listed != n.Sum() {
		x.t.Errorf("listed %d, dispositions %d: %+v", n.Listed, n.Sum(), n)
	}
	return n, err
}

// visit makes one visit that must go well.
func (x *box) visit() ingest.Counts {
	x.t.Helper()
	n, err := x.try()
	if err != nil {
		x.t.Fatalf("visit: %v", err)
	}
	return n
}

// visitUntil makes visits until one goes well, and says how many failed.
func (x *box) visitUntil(most int) (failed int) {
	x.t.Helper()
	for {
		_, err := x.try()
		if err == nil {
			return failed
		}
		if failed++; failed > most {
			x.t.Fatalf("visit %d failed too: %v", failed, err)
		}
	}
}

// visits makes n visits that must go well, with time in between for what was deferred.
func (x *box) visits(n int) {
	x.t.Helper()
	for range n {
		x.later()
		x.visit()
	}
}

// later lets an hour pass for what is deferred.
func (x *box) later() {
	x.Exec(`update ledger set last_try = last_try - interval '1 hour' where channel_id = $1`, x.id)
}

// times is how often a message is stored.
func (x *box) times(raw []byte) int {
	x.t.Helper()
	sum := sha256.Sum256(raw)
	return int(x.Int(`select count(*) from message where channel_id = $1 and sha256 = $2`, x.id, sum[:]))
}

// holds checks that exactly these messages are stored and announced; one that is given twice must be there twice.
func (x *box) holds(what string, msgs ...[]byte) {
	x.t.Helper()
	want := map[string]int{}
	for _, m := range msgs {
		want[string(m)]++
	}
	for m, n := range want {
		if got := x.times([]byte(m)); got != n {
			x.t.Errorf("%s: %q is stored %d times, want %d", what, subject([]byte(m)), got, n)
		}
	}
	if got := x.count("message"); got != len(msgs) {
		x.t.Errorf("%s: %d messages are stored, want %d", what, got, len(msgs))
	}
	if got := x.events("received"); got != len(msgs) {
		x.t.Errorf("%s: %d messages are announced, want %d", what, got, len(msgs))
	}
}

func (x *box) count(table string) int {
	x.t.Helper()
	return int(x.Int(`select count(*) from `+table+` where channel_id = $1`, x.id))
}

func (x *box) events(typ string) int {
	x.t.Helper()
	return int(x.Int(`select count(*) from event where channel_id = $1 and type = $2`, x.id, typ))
}

// ledger is the number of refs with a standing.
func (x *box) ledger(s ingest.Standing) int {
	x.t.Helper()
	return int(x.Int(`select count(*) from ledger where channel_id = $1 and standing = $2`, x.id, s))
}

// replay makes a fetch replay wait for the next visit.
func (x *box) replay(r ingest.Range) (id string) {
	x.t.Helper()
	id = fmt.Sprintf("00000000-0000-7000-8000-%012x", x.Int(`select count(*) + 1 from replay`))
	x.Exec(`insert into replay (replay_id, tenant, channel_id, kind, dry_run, first_uid, last_uid, state, requested_by)
values ($1, 'acme', $2, 1, false, $3, $4, 2, 'test')`, id, x.id, int64(r.FirstUID), int64(r.LastUID))
	return id
}

// replayed checks that a replay ended well.
func (x *box) replayed(id string) {
	x.t.Helper()
	if st := x.Int(`select state from replay where replay_id = $1`, id); ingest.ReplayState(st) != ingest.ReplaySucceeded {
		x.t.Errorf("replay is %v, want %v", ingest.ReplayState(st), ingest.ReplaySucceeded)
	}
}

// sent is how many commands with this first word, or first words, the server got.
func (x *box) sent(prefix string) int {
	n := 0
	for _, c := range x.commands() {
		if c == prefix || strings.HasPrefix(c, prefix+" ") {
			n++
		}
	}
	return n
}

// changes are the commands that change something on the server.
func (x *box) changes() (list []string) {
	for _, c := range x.commands() {
		for _, verb := range []string{"STORE", "EXPUNGE", "DELE", "COPY", "MOVE", "APPEND"} {
			if word, _, _ := strings.Cut(strings.TrimPrefix(c, "UID "), " "); word == verb {
				list = append(list, c)
			}
		}
	}
	return list
}

// writes counts the calls that write to the database.
type writes struct {
	poll.Store
	n int
}

func (w *writes) Commit(ctx context.Context, own ingest.Ownership, b *ingest.Batch) (ingest.Receipt, error) {
	w.n++
	return w.Store.Commit(ctx, own, b)
}

func (w *writes) Settled(ctx context.Context, own ingest.Ownership, refs []ingest.Ref, how ingest.Settlement) error {
	w.n++
	return w.Store.Settled(ctx, own, refs, how)
}

func (w *writes) SaveHealth(ctx context.Context, own ingest.Ownership, revision int64, h ingest.Health) error {
	w.n++
	return w.Store.SaveHealth(ctx, own, revision, h)
}

// mail is message number i; no two are alike.
func mail(i int) []byte {
	return fmt.Appendf(nil, "Received: from a by b; Sat, 21 Nov 2026 01:02:03 +0000\r\nFrom: c%d@example.com\r\nTo: support@example.com\r\nSubject: message %d\r\nMessage-ID: <%d@example.com>\r\n\r\nText of message %d.\r\n", i, i, i, i)
}

func mails(from, n int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = mail(from + i)
	}
	return list
}

// big is a message of a size.
func big(i, size int) []byte {
	head := fmt.Appendf(nil, "From: c@example.com\r\nSubject: big %d\r\n\r\n", i)
	line := []byte(strings.Repeat("x", 76) + "\r\n")
	return append(head, bytes.Repeat(line, (size-len(head))/len(line)+1)...)
}

func subject(raw []byte) string {
	_, rest, _ := bytes.Cut(raw, []byte("Subject: "))
	s, _, _ := bytes.Cut(rest, []byte("\r\n"))
	return string(s)
}

func (x *box) deliver(msgs ...[]byte) {
	for _, m := range msgs {
		x.inbox.Append(m)
	}
}

// deliverOld adds mail that arrived a year ago.
func (x *box) deliverOld(msgs ...[]byte) {
	for _, m := range msgs {
		if _, err := x.inbox.Deliver(m, time.Now().AddDate(-1, 0, 0)); err != nil {
			x.t.Fatal(err)
		}
	}
}

// await polls a condition that has no signal.
func await(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("%s did not come within %v", what, patience)
		}
	}
}

// each runs a test over both protocols.
func each(t *testing.T, test func(t *testing.T, p ingest.Protocol)) {
	for _, p := range []ingest.Protocol{ingest.IMAP, ingest.POP3} {
		t.Run(p.String(), func(t *testing.T) {
			t.Parallel()
			test(t, p)
		})
	}
}
