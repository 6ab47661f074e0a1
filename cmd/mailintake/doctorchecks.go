package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/mailintake/mailintake/control/rpc"
	"github.com/mailintake/mailintake/ingest/relay"
	"github.com/mailintake/mailintake/store"
	"github.com/mailintake/mailintake/store/seal"
)

// What doctor demands and advises.
const (
	minPostgres  = 15
	clockDoubt   = 2 * time.Second
	spoolLeast   = 256 << 20 // octets; below, a few large mails fill the disk
	spoolAdvised = 2 << 30
	certDoubt    = 14 * 24 * time.Hour
)

// postgres checks the database: that it is there, of use, migrated, and that its account may do what the service does.
func (c *doctorCmd) postgres(ctx context.Context, r *report) {
	if c.DatabaseURL == "" {
		r.skip("Postgres", "no --database-url (MAILINTAKE_DATABASE_URL)")
		return
	}
	st, err := store.Open(ctx, store.Config{URL: c.DatabaseURL, MaxConns: 2})
	if err != nil {
		r.fail("Postgres", err.Error(), "write --database-url as postgres://user:password@host:5432/database")
		return
	}
	defer st.Close()
	_, _, err = st.Ping(ctx) // makes the connection, so that the next answer tells the distance alone
	before := time.Now()
	var now time.Time
	var server string
	if err == nil {
		now, server, err = st.Ping(ctx)
	}
	took := time.Since(before)
	if err != nil {
		r.fail("Postgres", "cannot be reached: "+err.Error(), "start it, or check host, port, user and password in --database-url")
		return
	}
	if majorText, _, _ := strings.Cut(server, "."); !atLeast(majorText, minPostgres) {
		r.fail("Postgres", "version "+server+" is too old", fmt.Sprintf("upgrade it to %d or later", minPostgres))
	} else {
		r.ok("Postgres", fmt.Sprintf("version %s, answers in %s", server, took.Round(10*time.Microsecond)))
	}
	r.clock(now.Sub(before.Add(took / 2)))
	pending, err := st.Pending(ctx)
	switch {
	case err != nil:
		r.fail("schema", err.Error(), "")
		return
	case len(pending) > 0:
		r.fail("schema", fmt.Sprintf("lacks %d migrations, the first is %s", len(pending), pending[0]), "run mailintake migrate")
		return
	}
	r.ok("schema", "up to date")
	missing, err := st.MissingRights(ctx)
	switch {
	case err != nil:
		r.fail("rights", err.Error(), "")
	case len(missing) > 0:
		r.fail("rights", "the database account lacks: "+strings.Join(missing, ", "), "grant them, or let the account own the schema; missing tables are made by mailintake migrate")
	default:
		r.ok("rights", "the database account may do what the service does")
	}
}

// atLeast reports whether a major version such as "15", or "19beta1" before a release, is n or more.
func atLeast(major string, n int) bool {
	if i := strings.IndexFunc(major, func(r rune) bool { return r < '0' || r > '9' }); i >= 0 {
		major = major[:i]
	}
	v, err := strconv.Atoi(major)
	return err == nil && v >= n
}

// clock reports how far this machine's clock is from the database's, by which everything is timed.
func (r *report) clock(ahead time.Duration) {
	if ahead.Abs() < clockDoubt {
		r.ok("clock", fmt.Sprintf("%s from the database's", ahead.Abs().Round(time.Millisecond)))
		return
	}
	r.warn("clock", fmt.Sprintf("the database's is %s away from this machine's", ahead.Round(time.Millisecond)), "set both by NTP; certificates and displayed times depend on it")
}

// nats checks NATS, JetStream and the stream.
func (c *doctorCmd) nats(ctx context.Context, r *report) {
	if c.NATSURL == "" {
		r.skip("NATS", "no --nats-url (MAILINTAKE_NATS_URL)")
		return
	}
	for one := range strings.SplitSeq(c.NATSURL, ",") {
		if _, err := natsURL(one); err != nil {
			r.fail("NATS", err.Error(), "write it as nats://host:4222, and % and / in passwords as %25 and %2F")
			return
		}
	}
	nc, err := relay.Dial(relay.DialOptions{URL: c.NATSURL, Name: "mailintake doctor"})
	if err != nil {
		r.fail("NATS", err.Error(), "write --nats-url as nats://host:4222")
		return
	}
	defer nc.Close()
	var s relay.Status
	wait, cancel := context.WithTimeout(ctx, natsPatience)
	defer cancel()
	err = retry(wait, func(ctx context.Context) (err error) {
		s, err = relay.Inspect(ctx, nc)
		return err
	})
	if err != nil {
		r.fail("NATS", "cannot be reached: "+whyNoNATS(ctx, c.NATSURL, err).Error(), "start it with JetStream, or check --nats-url")
		return
	}
	r.ok("NATS", fmt.Sprintf("version %s at %s, answers in %s", s.Version, s.Server, s.RoundTrip.Round(10*time.Microsecond)))
	r.stream(s)
}

// stream reports JetStream. What is wrong comes with its advice.
func (r *report) stream(s relay.Status) {
	for _, p := range s.Problems {
		// With all else in order, events still flow while a replica is behind.
		if len(s.Problems) == len(s.ReplicasBehind) {
			r.warn("JetStream", p, "")
		} else {
			r.fail("JetStream", p, "")
		}
	}
	switch {
	case !s.JetStream || len(s.Problems) > 0:
	case !s.Stream:
		r.ok("JetStream", "enabled; stream "+relay.StreamName+" does not exist yet, the service makes it")
	default:
		limit := "kept for ever"
		if s.MaxAge > 0 {
			limit = "kept for " + age(s.MaxAge)
		}
		r.ok("JetStream", fmt.Sprintf("stream %s has %d events of %d channels in %s, %s, replicas: %d", relay.StreamName, s.Messages, s.Channels, octets(int64(s.Octets)), limit, max(s.Replicas, 1)))
	}
}

// keyset checks that the keys can be read by this user, and by no other.
func (c *doctorCmd) keyset(_ context.Context, r *report) {
	if c.KeysetFile == "" {
		r.skip("keyset", "no --keyset-file (MAILINTAKE_KEYSET_FILE)")
		return
	}
	s, err := seal.Open(c.KeysetFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.fail("keyset", c.KeysetFile+" does not exist", "make it with mailintake keys create, or restore it if passwords were stored already")
	case errors.Is(err, fs.ErrPermission):
		r.fail("keyset", err.Error(), "let the service's user own the file")
	case err != nil:
		r.fail("keyset", err.Error(), "")
	default:
		r.ok("keyset", fmt.Sprintf("%s, primary key %d", c.KeysetFile, s.KeyID()))
	}
}

// spool checks the folder for mail that is too large for memory.
func (c *doctorCmd) spool(_ context.Context, r *report) {
	dir := os.TempDir()
	f, err := os.CreateTemp(dir, "mailintake-doctor-*")
	if err == nil {
		_, err = f.Write([]byte("x"))
		err = errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	if err != nil {
		r.fail("spool", err.Error(), "set TMPDIR to a folder that the service may write")
		return
	}
	var disk syscall.Statfs_t
	if err := syscall.Statfs(dir, &disk); err != nil {
		r.warn("spool", fmt.Sprintf("%s can be written; its free space is unknown: %v", dir, err), "")
		return
	}
	free := int64(disk.Bavail) * int64(disk.Bsize)
	text := fmt.Sprintf("%s can be written, %s free", dir, octets(free))
	switch {
	case free < spoolLeast:
		r.fail("spool", text, "make room, or set TMPDIR to a larger disk")
	case free < spoolAdvised:
		r.warn("spool", text, fmt.Sprintf("%s are advised: large mails wait there until they are stored", octets(spoolAdvised)))
	default:
		r.ok("spool", text)
	}
}

// egress checks the list of networks that are allowed although they are private.
func (c *doctorCmd) egress(_ context.Context, r *report) {
	if len(c.EgressAllow) == 0 {
		r.ok("egress", "public addresses only; mail servers in private networks need --egress-allow")
		return
	}
	allow, err := (&settings{EgressAllow: c.EgressAllow}).egress()
	if err != nil {
		r.fail("egress", err.Error(), "write networks as 10.20.0.0/16, with commas between")
		return
	}
	texts := make([]string, len(allow))
	for i, p := range allow {
		texts[i] = p.String()
		if p.Masked() != p {
			r.warn("egress", fmt.Sprintf("%s has bits behind its mask", p), fmt.Sprintf("write %s, or a longer mask", p.Masked()))
			return
		}
	}
	r.ok("egress", "public addresses and "+strings.Join(texts, ", "))
}

// api checks what the listeners need: tokens and the certificate.
func (c *doctorCmd) api(_ context.Context, r *report) {
	switch _, err := rpc.StaticTokens(c.TokenHashes); {
	case len(c.TokenHashes) == 0:
		r.skip("tokens", "no --token-hashes (MAILINTAKE_TOKEN_HASHES)")
	case err != nil:
		r.fail("tokens", err.Error(), "make a hash with: printf %s \"$token\" | sha256sum")
	default:
		r.ok("tokens", fmt.Sprintf("%d accepted", len(c.TokenHashes)))
	}
	if c.TLSCert == "" && c.TLSKey == "" {
		r.skip("certificate", "no --tls-cert (MAILINTAKE_TLS_CERT)")
		return
	}
	cert, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
	if err != nil {
		r.fail("certificate", err.Error(), "--tls-cert and --tls-key must be a pair in PEM form that the service's user can read")
		return
	}
	end := cert.Leaf.NotAfter
	text := fmt.Sprintf("of %s, valid until %s", cert.Leaf.Subject.CommonName+strings.Join(cert.Leaf.DNSNames, ", "), end.Local().Format(time.DateOnly))
	switch left := time.Until(end); {
	case left < 0:
		r.fail("certificate", text, "renew it and restart the service")
	case left < certDoubt:
		r.warn("certificate", text, "renew it and restart the service")
	default:
		r.ok("certificate", text)
	}
}
