package poll

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/mailintake/mailintake/ingest"
)

// Metrics are the poll loop's counters. No channel or tenant is a label: there may be a hundred thousand.
type Metrics struct {
	visits        *prometheus.CounterVec // by protocol and result
	visitSeconds  prometheus.Histogram
	lag           prometheus.Histogram
	messages      *prometheus.CounterVec // by disposition
	octets        prometheus.Counter
	commitSeconds prometheus.Histogram
	settled       prometheus.Counter
	gaps          prometheus.Counter
	resets        prometheus.Counter
	fenced        prometheus.Counter
	panics        prometheus.Counter
	owned         prometheus.Gauge
	running       prometheus.Gauge
}

// NewMetrics makes the counters and registers them.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "mailintake_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "mailintake_" + name, Help: help})
	}
	seconds := func(name, help string) prometheus.Histogram {
		return prometheus.NewHistogram(prometheus.HistogramOpts{Name: "mailintake_" + name, Help: help, Buckets: prometheus.ExponentialBuckets(0.001, 4, 10)})
	}
	m := &Metrics{
		visits: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mailintake_visits_total",
			Help: "Visits to mailboxes by protocol and how they ended: ok, store, panic or the kind of the failure."}, []string{"protocol", "result"}),
		visitSeconds: seconds("visit_seconds", "Duration of a visit."),
		lag:          seconds("visit_lag_seconds", "How much later than due a visit began."),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "mailintake_messages_total",
			Help: "Messages by disposition."}, []string{"disposition"}),
		octets:        counter("fetched_octets_total", "Octets of message bodies read from mail servers."),
		commitSeconds: seconds("commit_seconds", "Duration of a commit of one batch."),
		settled:       counter("settled_total", "Messages marked or deleted on their servers."),
		gaps:          counter("gaps_total", "Visits whose listing did not add up to dispositions. Not zero is a fault."),
		resets:        counter("mailbox_resets_total", "Mailboxes that were numbered anew (UIDVALIDITY)."),
		fenced:        counter("fenced_total", "Commits refused because the channel had another owner."),
		panics:        counter("visit_panics_total", "Visits that ended in a panic. Not zero is a fault."),
		owned:         gauge("channels_owned", "Channels that this replica owns."),
		running:       gauge("visits_running", "Visits going on now."),
	}
	reg.MustRegister(m.visits, m.visitSeconds, m.lag, m.messages, m.octets, m.commitSeconds, m.settled, m.gaps, m.resets, m.fenced, m.panics, m.owned, m.running)
	return m
}

func (m *Metrics) count(c ingest.Counts) {
	for name, n := range map[string]int{"stored": c.Stored, "duplicate": c.Duplicate, "deferred": c.Deferred,
		"quarantined": c.Quarantined, "skipped": c.Skipped, "gone": c.Gone} {
		if n > 0 {
			m.messages.WithLabelValues(name).Add(float64(n))
		}
	}
}
