package relay

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts what the relay does. Build it once per process with NewMetrics.
type Metrics struct {
	published prometheus.Counter
	refused   *prometheus.CounterVec // code
	tailReads *prometheus.CounterVec // result: found, missing, error
	publish   prometheus.Histogram
	gaps      prometheus.Counter
	conflicts prometheus.Counter
	held      prometheus.Gauge
}

// NewMetrics registers the relay's metrics.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		published: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mailintake_relay_published_total",
			Help: "Events that the stream acknowledged.",
		}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mailintake_relay_refused_total",
			Help: "Batches without an acknowledgement, by JetStream error code, or timeout, disconnected, no_stream, and rows by unencodable, too_large.",
		}, []string{"code"}),
		tailReads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mailintake_relay_tail_reads_total",
			Help: "Questions to the stream for the last event of a channel, by result.",
		}, []string{"result"}),
		publish: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "mailintake_relay_publish_seconds",
			Help:    "Time from the first message of a batch to its acknowledgement.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 14),
		}),
		gaps: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mailintake_relay_gap_total",
			Help: "Times that a channel's sequence in the stream jumped because earlier events are no longer there. Replay the events of the channel.",
		}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "mailintake_relay_conflicts_total",
			Help: "Times that the stream held another event under the sequence of an outbox row.",
		}),
		held: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "mailintake_relay_held_channels",
			Help: "Channels whose events wait because the first of them cannot be published.",
		}),
	}
	for _, result := range []string{"found", "missing", "error"} {
		m.tailReads.WithLabelValues(result)
	}
	reg.MustRegister(m.published, m.refused, m.tailReads, m.publish, m.gaps, m.conflicts, m.held)
	return m
}
