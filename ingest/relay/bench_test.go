package relay

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/mailintake/mailintake/ingest"
	"github.com/mailintake/mailintake/internal/embedded"
)

// BenchmarkRelay measures events per second from an outbox in memory to a stream on disk, in batches of 200.
func BenchmarkRelay(b *testing.B) {
	for _, replicas := range []int{1, 3} {
		for _, channels := range []int{1, 1000} {
			b.Run(fmt.Sprintf("R%d/channels=%d", replicas, channels), func(b *testing.B) {
				benchmarkRelay(b, replicas, channels)
			})
		}
	}
}

func benchmarkRelay(b *testing.B, replicas, channels int) {
	var d DialOptions
	if replicas == 1 {
		n, err := embedded.StartNATS(embedded.NATSConfig{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		defer n.Stop()
		d = DialOptions{InProcess: n.InProcess()}
	} else {
		c, err := embedded.StartNATSCluster(b.TempDir(), replicas)
		if err != nil {
			b.Fatal(err)
		}
		defer c.Stop()
		d = DialOptions{URL: c.URL()}
	}
	nc, err := Dial(d)
	if err != nil {
		b.Fatal(err)
	}
	defer nc.Close()
	source := &endless{channels: channels, sequences: make([]int64, channels)}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	r := &Relay{
		Conn: nc, Outbox: source, Owned: func() []int16 { return allBuckets }, Stream: StreamSettings{Replicas: replicas},
		Metrics: NewMetrics(prometheus.NewRegistry()),
	}
	source.left, source.done = 2*channels, make(chan struct{}) // warm up: every lane is known
	done := make(chan error, 1)
	go func() { done <- r.Run(ctx) }()
	<-source.done
	cancel()
	<-done

	ctx, cancel = context.WithCancel(context.Background())
	defer cancel()
	source.left, source.done = b.N, make(chan struct{})
	r.Metrics = NewMetrics(prometheus.NewRegistry())
	b.ReportAllocs()
	b.ResetTimer()
	start := time.Now()
	go func() { done <- r.Run(ctx) }()
	<-source.done
	b.ReportMetric(float64(b.N)/time.Since(start).Seconds(), "events/s")
	b.StopTimer()
	cancel()
	<-done
}

// endless is an outbox that makes its rows when they are read, so that it costs next to nothing.
type endless struct {
	channels, left int
	sequences      []int64
	next           int64
	pending        []Row
	done           chan struct{}
}

func (e *endless) Next(_ context.Context, _ []int16, _ []ingest.ChannelID, limit int) ([]Row, error) {
	if len(e.pending) > 0 {
		return e.pending, nil
	}
	data := []byte(`{"message":"tenants/acme/emailChannels/c/messages/1","preview":"` + strings.Repeat("lorem ipsum ", 50) + `"}`)
	for range min(limit, e.left) {
		ch := int(e.next) % e.channels
		e.next++
		e.sequences[ch]++
		e.pending = append(e.pending, Row{
			ID: e.next, ChannelID: ingest.ChannelID(ch), Tenant: "acme", Channel: channelName(ch), Sequence: e.sequences[ch],
			EventID: fmt.Sprintf("0190a6c2-7c1f-7e4e-%012d", e.next), Type: TypeReceived, Time: time.Unix(1700000000, 0), Data: data,
		})
	}
	return e.pending, nil
}

func (e *endless) Delete(_ context.Context, ids []int64) error {
	if len(ids) != len(e.pending) {
		return fmt.Errorf("%d of %d rows published", len(ids), len(e.pending))
	}
	e.pending = e.pending[:0]
	if e.left -= len(ids); e.left == 0 {
		close(e.done)
	}
	return nil
}
