package main

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/mailintake/mailintake/internal/embedded"
	"github.com/mailintake/mailintake/internal/mailtest"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
	"github.com/mailintake/mailintake/store/storetest"
)

// While Postgres is away nothing is fetched and nothing is settled; when it is back, everything goes on by itself.
func TestPostgresAway(t *testing.T) {
	t.Parallel()
	ca := mailtest.NewCA()
	inbox := mailtest.NewMailbox()
	srv := mailtest.StartIMAP(t, mailtest.IMAPOptions{Accounts: []mailtest.Account{{User: "u", Password: "p", Inbox: inbox}}, Cert: ca.Server(), ImplicitTLS: true})
	db := storetest.NewServer(t)
	s := newStackOn(t, db)
	msgs := sampleMessages(40)
	for _, m := range msgs[:20] {
		inbox.Append(m)
	}
	s.create("box", &mailintakev1.EmailChannel{Protocol: mailintakev1.EmailChannel_IMAPS, Host: "127.0.0.1", Port: int32(srv.Port()), Username: "u", Password: "p",
		Tls: &mailintakev1.EmailChannel_Tls{CaPem: string(ca.PEM())}, Settlement: mailintakev1.EmailChannel_DELETE})
	s.awaitEvents("box", 20, 20*time.Second)
	s.await("the mailbox to be emptied", 20*time.Second, func() bool { return inbox.Len() == 0 })

	db.Server.Kill()
	for _, m := range msgs[20:] {
		inbox.Append(m)
	}
	_, err := s.channels.GetEmailChannel(t.Context(), &mailintakev1.GetEmailChannelRequest{Name: "tenants/acme/emailChannels/box"})
	if status.Code(err) != codes.Unavailable {
		t.Errorf("the API without its database: got %v, want Unavailable", err)
	}
	if text := status.Convert(err).Message(); strings.Contains(text, "socket") || strings.Contains(text, "SQL") {
		t.Errorf("the client learns about our database: %q", text)
	}
	logins := srv.Logins()
	<-time.After(12 * time.Second) // longer than a poll interval
	if inbox.Len() != 20 {
		t.Errorf("%d messages left in the mailbox, want all 20: they are stored nowhere", inbox.Len())
	}
	if n := srv.Logins() - logins; n > 1 {
		t.Errorf("%d logins while the database was away, want at most the one that was under way", n)
	}
	db.Resume()
	s.awaitEvents("box", 40, 60*time.Second)
	s.await("the mailbox to be emptied", 20*time.Second, func() bool { return inbox.Len() == 0 })
	s.verify()
}

// While NATS is away mail comes in all the same, and its events follow in order.
func TestNATSAway(t *testing.T) {
	t.Parallel()
	inbox := mailtest.NewMailbox()
	srv := mailtest.StartIMAP(t, mailtest.IMAPOptions{Accounts: []mailtest.Account{{User: "u", Password: "p", Inbox: inbox}}})
	s := newStack(t)
	msgs := sampleMessages(60)
	for _, m := range msgs[:20] {
		inbox.Append(m)
	}
	s.create("box", &mailintakev1.EmailChannel{Protocol: mailintakev1.EmailChannel_IMAP, Host: "127.0.0.1", Port: int32(srv.Port()), Username: "u", Password: "p",
		Starttls: mailintakev1.EmailChannel_Tls_DISABLED})
	s.awaitEvents("box", 20, 20*time.Second)
	s.ns.Stop()
	for _, m := range msgs[20:] {
		inbox.Append(m)
	}
	s.await("mail to come in without NATS", 30*time.Second, func() bool { return s.db.Int(`select count(*) from message`) == 60 })
	if n := s.db.Int(`select count(*) from outbox`); n != 40 {
		t.Errorf("%d events wait, want 40", n)
	}
	again, err := embedded.StartNATS(embedded.NATSConfig{Dir: s.nsDir, Addr: strings.TrimPrefix(s.cfg.NATSURL, "nats://")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.Stop)
	s.awaitEvents("box", 60, 60*time.Second)
	s.verify()
}

// A mail of 100 MB passes through the whole path, over each way in, and memory does not follow its size.
func TestHugeMessage(t *testing.T) {
	t.Parallel()
	const size, limit = 100 << 20, 32 << 20
	dove := mailtest.StartDovecot(t, mailtest.DovecotOptions{Users: map[string]string{"imaps": "secret", "pop3s": "secret"}})
	p := newProgram(t)
	p.start()
	conn, err := grpc.NewClient(fmt.Sprintf("127.0.0.1:%d", p.grpc), grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(8<<20)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	client := mailintakev1.NewEmailChannelServiceClient(conn)
	small := sampleMessages(50)
	for user, port := range map[string]int{"imaps": dove.IMAPS, "pop3s": dove.POP3S} {
		if err := dove.Deliver(user, small...); err != nil {
			t.Fatal(err)
		}
		protocol := mailintakev1.EmailChannel_IMAPS
		if user == "pop3s" {
			protocol = mailintakev1.EmailChannel_POP3S
		}
		if _, err := client.CreateEmailChannel(t.Context(), &mailintakev1.CreateEmailChannelRequest{Parent: "tenants/acme", EmailChannelId: user, EmailChannel: &mailintakev1.EmailChannel{
			DisplayName: user, EmailAddress: user + "@example.com", Enabled: true, Protocol: protocol, Host: "127.0.0.1", Port: int32(port), Username: user, Password: "secret",
			Tls: &mailintakev1.EmailChannel_Tls{CaPem: string(dove.CAPEM)}, PollInterval: durationpb.New(10 * time.Second),
			InitialSync: mailintakev1.EmailChannel_ALL, MaxMessageBytes: 200 << 20}}, grpc.WaitForReady(true)); err != nil {
			t.Fatal(err)
		}
	}
	p.await("the small messages", 60*time.Second, func() bool { return p.count(`select count(*) from message`) == 100 })
	before := p.memory("VmHWM")
	huge := hugeMail(size)
	for _, user := range []string{"imaps", "pop3s"} {
		if err := dove.Deliver(user, huge); err != nil {
			t.Fatal(err)
		}
	}
	p.await("the huge messages", 3*time.Minute, func() bool {
		return p.count(`select count(*) from message where size > 100000000`) == 2 && p.count(`select count(*) from outbox`) == 0
	})
	after := p.memory("VmHWM")
	t.Logf("peak resident memory: %d MB before, %d MB after two messages of %d MB", before>>20, after>>20, size>>20)
	if after-before > limit {
		t.Errorf("peak resident memory grew by %d MB, want less than %d", (after-before)>>20, limit>>20)
	}
	if n := p.count(`select count(*) from message where size > 100000000 and sha256 = sha256((select string_agg(octets, ''::bytea order by piece) from raw r where r.message_id = message.message_id))`); n != 2 {
		t.Errorf("%d of 2 huge messages are stored as they came in", n)
	}
}

// hugeMail is a message with an attachment of about n octets that does not compress.
func hugeMail(n int) []byte {
	var b bytes.Buffer
	b.WriteString("From: a@example.com\r\nTo: support@example.com\r\nSubject: huge\r\nMIME-Version: 1.0\r\n" +
		"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nsee the attachment\r\n--b\r\n" +
		"Content-Type: application/octet-stream; name=huge.bin\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	line := make([]byte, 78)
	rnd := rand.New(rand.NewPCG(1, 2))
	for b.Len() < n {
		for i := range 76 {
			line[i] = alphabet[rnd.IntN(64)]
		}
		line[76], line[77] = '\r', '\n'
		b.Write(line)
	}
	b.WriteString("--b--\r\n")
	return b.Bytes()
}

// memory reads a field of /proc/PID/status in octets.
func (p *program) memory(field string) int64 {
	p.t.Helper()
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(p.cmd.Process.Pid), "status"))
	if err != nil {
		p.t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if rest, ok := strings.CutPrefix(line, field+":"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			if err != nil {
				p.t.Fatal(err)
			}
			return kb << 10
		}
	}
	p.t.Fatalf("no %s in /proc", field)
	return 0
}
