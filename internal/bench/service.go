package main

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"

	"github.com/mailintake/mailintake/internal/embedded"
	mailintakev1 "github.com/mailintake/mailintake/proto/mailintake/v1"
)

// service is a mailintake serve with a Postgres and a nats-server of its own.
type service struct {
	pg      *embedded.Postgres
	pgDir   string
	broker  *broker
	child   *child
	log     *output
	conn    *grpc.ClientConn
	admin   string // base URL of metrics and profiles
	token   string
	mailbox mailintakev1.EmailChannelServiceClient
}

// start timeouts.
const (
	startPatience = time.Minute
	stopPatience  = 15 * time.Second
)

// startService starts all of it below dir, Postgres with the given settings on top of the embedded ones, and returns when the service answers. The caller stops it.
func startService(ctx context.Context, binary, dir string, settings map[string]string) (s *service, err error) {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	s = &service{log: newOutput(), pgDir: filepath.Join(dir, "postgres")}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.stop())
		}
	}()
	// fsync stays on: what is measured is mail that survives a power cut.
	if s.pg, err = embedded.StartPostgres(ctx, embedded.PostgresConfig{Dir: s.pgDir, Settings: settings}); err != nil {
		return s, err
	}
	database, err := s.pg.CreateDatabase(ctx, "mailintake")
	if err != nil {
		return s, err
	}
	if s.broker, err = startBroker(dir, s.log); err != nil {
		return s, err
	}
	keyset := filepath.Join(dir, "keyset.json")
	ports, err := freePorts(3)
	if err != nil {
		return s, err
	}
	s.token = rand.Text()
	hash := sha256.Sum256([]byte(s.token))
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TMPDIR=" + dir,
		"MAILINTAKE_DATABASE_URL=" + database, "MAILINTAKE_NATS_URL=" + s.broker.url, "MAILINTAKE_KEYSET_FILE=" + keyset,
		"MAILINTAKE_GRPC_ADDR=" + ports[0], "MAILINTAKE_HTTP_ADDR=" + ports[1], "MAILINTAKE_ADMIN_ADDR=" + ports[2],
		"MAILINTAKE_TOKEN_HASHES=" + hex.EncodeToString(hash[:]), "MAILINTAKE_EGRESS_ALLOW=127.0.0.0/8", "MAILINTAKE_LOG_FORMAT=json"}
	command := func(args ...string) *exec.Cmd {
		cmd := exec.Command(binary, args...)
		cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = dir, env, s.log, s.log
		return cmd
	}
	for _, args := range [][]string{{"keys", "create"}, {"migrate"}} {
		if err := runChild(ctx, command(args...)); err != nil {
			return s, fmt.Errorf("mailintake %s: %w\n%s", strings.Join(args, " "), err, s.log.tail(10))
		}
	}
	if s.child, err = startChild(command("serve")); err != nil {
		return s, err
	}
	s.admin = "http://" + ports[2]
	if s.conn, err = grpc.NewClient(ports[0], grpc.WithTransportCredentials(insecure.NewCredentials())); err != nil {
		return s, err
	}
	s.mailbox = mailintakev1.NewEmailChannelServiceClient(s.conn)
	return s, s.ready(ctx)
}

// ready waits until the API answers and the service has claimed its share of work.
func (s *service) ready(ctx context.Context) error {
	ctx, cancel := context.WithCancel(s.authorized(ctx))
	defer cancel()
	var err error
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		_, err = s.mailbox.ListEmailChannels(ctx, &mailintakev1.ListEmailChannelsRequest{Parent: tenant}, grpc.WaitForReady(true))
	}()
	select {
	case <-answered:
		if err != nil {
			return fmt.Errorf("the service does not answer: %w\n%s", err, s.log.tail(10))
		}
		return nil
	case <-s.child.exited:
		cancel()
		<-answered
		return fmt.Errorf("mailintake serve ended (%v):\n%s", s.child.cmd.ProcessState, s.log.tail(10))
	}
}

func (s *service) authorized(ctx context.Context) context.Context {
	return metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+s.token)
}

// roots are the topmost processes of the service and its servers.
func (s *service) roots() (map[string]int, error) {
	raw, err := os.ReadFile(filepath.Join(s.pgDir, "data", "postmaster.pid"))
	if err != nil {
		return nil, err
	}
	first, _, _ := strings.Cut(string(raw), "\n")
	pid, err := strconv.Atoi(first)
	if err != nil {
		return nil, fmt.Errorf("postmaster.pid: %w", err)
	}
	return map[string]int{"mailintake": s.child.pid(), "postgres": pid, "nats": s.broker.child.pid()}, nil
}

// stop ends the service, then its servers.
func (s *service) stop() (err error) {
	if s.conn != nil {
		s.conn.Close()
	}
	if s.child != nil {
		s.child.stop(stopPatience)
	}
	if s.broker != nil {
		s.broker.stop()
	}
	if s.pg != nil {
		ctx, cancel := context.WithTimeout(context.Background(), stopPatience)
		defer cancel()
		err = s.pg.Stop(ctx)
	}
	return err
}

const (
	tenant    = "tenants/bench"
	channelID = "bench"
)

// intake is what one run of the service showed.
type intake struct {
	created time.Time // the API answered the creation of the channel
	began   time.Time // the visit began, before it connected
	ended   time.Time // the stream held the last event
}

// run creates the channel and waits until the stream holds count events and the visit is over. It then compares what
// the service says of itself with what was in the mailbox: messages and octets.
func (s *service) run(ctx context.Context, ch *mailintakev1.EmailChannel, count int, octets int64) (intake, error) {
	ctx = s.authorized(ctx)
	got, err := s.mailbox.CreateEmailChannel(ctx, &mailintakev1.CreateEmailChannelRequest{Parent: tenant, EmailChannelId: channelID, EmailChannel: ch})
	if err != nil {
		return intake{}, fmt.Errorf("create the channel: %w", err)
	}
	in := intake{created: time.Now()}
	last, err := s.broker.await(ctx, count)
	if err != nil {
		return in, fmt.Errorf("%w while waiting for %d events; %s", err, count, s.why(got.GetName()))
	}
	in.ended = last.At
	visit, err := s.awaitVisit(ctx)
	if err != nil {
		return in, err
	}
	in.began = visit.began()
	return in, s.check(ctx, got.GetName(), count, octets)
}

// why says what the service knows of a channel that does not come to an end.
func (s *service) why(name string) string {
	ctx, cancel := context.WithTimeout(s.authorized(context.Background()), 5*time.Second)
	defer cancel()
	ch, err := s.mailbox.GetEmailChannel(ctx, &mailintakev1.GetEmailChannelRequest{Name: name})
	if err != nil {
		return fmt.Sprintf("its state cannot be asked for (%v); the end of its log:\n%s", err, s.log.tail(10))
	}
	return fmt.Sprintf("the channel is %s, %s %s %s; the end of the log:\n%s", ch.GetState(), ch.GetStatus().GetReason(), ch.GetStatus().GetDetail(),
		ch.GetStatus().GetServerText(), s.log.tail(10))
}

// visitLine is the service's log line for a visit that brought mail.
type visitLine struct {
	Time time.Time     `json:"time"`
	Msg  string        `json:"msg"`
	Took time.Duration `json:"took"`
}

const visitMessage = "mail came in"

func (v visitLine) began() time.Time { return v.Time.Add(-v.Took) }

// findVisit looks for the first such line.
func findVisit(log string) (visitLine, bool) {
	for line := range strings.Lines(log) {
		var v visitLine
		if json.Unmarshal([]byte(line), &v) == nil && v.Msg == visitMessage && v.Took > 0 {
			return v, true
		}
	}
	return visitLine{}, false
}

func (s *service) awaitVisit(ctx context.Context) (visitLine, error) {
	for {
		if v, ok := findVisit(s.log.String()); ok {
			return v, nil
		}
		select {
		case <-s.log.seen:
		case <-ctx.Done():
			return visitLine{}, fmt.Errorf("%w: no line %q in the log of the service, whose end is:\n%s", ctx.Err(), visitMessage, s.log.tail(10))
		}
	}
}

// check compares what the service says with what there was. A difference is a fault of the service or of the benchmark
// and makes every figure worthless.
func (s *service) check(ctx context.Context, name string, count int, octets int64) error {
	ch, err := s.mailbox.GetEmailChannel(ctx, &mailintakev1.GetEmailChannelRequest{Name: name})
	if err != nil {
		return err
	}
	if next := ch.GetStatus().GetNextSequence(); next != int64(count)+1 {
		return fmt.Errorf("%d messages were delivered and the next sequence is %d", count, next)
	}
	again, err := s.broker.await(ctx, 1)
	if err != nil {
		return err
	}
	if again.Count != uint64(count) {
		return fmt.Errorf("%d messages were delivered and the stream holds %d events", count, again.Count)
	}
	metrics, err := s.metrics(ctx)
	if err != nil {
		return err
	}
	for metric, want := range map[string]int64{`mailintake_messages_total{disposition="stored"}`: int64(count), "mailintake_fetched_octets_total": octets,
		"mailintake_gaps_total": 0} {
		if got, ok := metrics[metric]; !ok || got != float64(want) {
			return fmt.Errorf("%s is %.0f (known: %v), want %d", metric, got, ok, want)
		}
	}
	return nil
}

// metrics are the samples of the service by name with labels.
func (s *service) metrics(ctx context.Context) (map[string]float64, error) {
	body, err := s.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	return parseMetrics(string(body)), nil
}

// parseMetrics reads the Prometheus text format as far as it is needed here: no timestamps.
func parseMetrics(text string) map[string]float64 {
	found := map[string]float64{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		at := strings.LastIndexByte(line, ' ')
		if at < 0 || line[0] == '#' {
			continue
		}
		if v, err := strconv.ParseFloat(line[at+1:], 64); err == nil {
			found[line[:at]] = v
		}
	}
	return found
}

// get reads a page of the admin listener.
func (s *service) get(ctx context.Context, path string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.admin+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("GET %s: %s", path, resp.Status)
	}
	return body, err
}

// freePorts finds n free addresses of loopback by listening on all of them at the same time.
func freePorts(n int) ([]string, error) {
	var free []string
	for range n {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer ln.Close()
		free = append(free, ln.Addr().String())
	}
	return free, nil
}
