package daemon

import (
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics of all addresses.
type metrics struct {
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	underWay *prometheus.GaugeVec
	received *prometheus.CounterVec
	sent     *prometheus.CounterVec
	open     *prometheus.GaugeVec
	none     *serviceMetrics // of requests that no part serves
}

// serviceMetrics are those of one service, found beforehand.
type serviceMetrics struct {
	all            *metrics
	name           string
	underWay       prometheus.Gauge
	received, sent prometheus.Counter
}

func newMetrics(r prometheus.Registerer) *metrics {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bosh_ironic_http_requests_total", Help: "Requests that were answered.",
		}, []string{"part", "method", "code"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "bosh_ironic_http_request_seconds", Help: "From a request's head to the end of its answer.",
			Buckets: []float64{.0005, .002, .01, .05, .25, 1, 5, 30, 300},
		}, []string{"part", "method"}),
		underWay: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bosh_ironic_http_requests_in_flight", Help: "Requests under way.",
		}, []string{"part"}),
		received: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bosh_ironic_http_received_bytes_total", Help: "Bytes of requests' bodies.",
		}, []string{"part"}),
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "bosh_ironic_http_sent_bytes_total", Help: "Bytes of answers' bodies.",
		}, []string{"part"}),
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "bosh_ironic_http_connections", Help: "Connections that are open.",
		}, []string{"address"}),
	}
	r.MustRegister(m.requests, m.seconds, m.underWay, m.received, m.sent, m.open)
	m.none = m.service("none")
	return m
}

func (m *metrics) service(name string) *serviceMetrics {
	return &serviceMetrics{
		all: m, name: name, underWay: m.underWay.WithLabelValues(name),
		received: m.received.WithLabelValues(name), sent: m.sent.WithLabelValues(name),
	}
}

// methods that are told apart; clients may invent others.
var methods = []string{
	"GET", "PUT", "HEAD", "DELETE", "POST", "PATCH", "OPTIONS", "PROPFIND", "PROPPATCH", "MKCOL", "COPY", "MOVE", "LOCK", "UNLOCK",
}

// done counts a request that was answered.
func (s *serviceMetrics) done(x *exchange, r *http.Request, took time.Duration) {
	method := r.Method
	if !slices.Contains(methods, method) {
		method = "other"
	}
	s.all.requests.WithLabelValues(s.name, method, strconv.Itoa(x.answered())).Inc()
	s.all.seconds.WithLabelValues(s.name, method).Observe(took.Seconds())
	s.received.Add(float64(x.in.got))
	s.sent.Add(float64(x.sent))
}

// connections counts those to one address.
func (m *metrics) connections(a Address) func(net.Conn, http.ConnState) {
	open := m.open.WithLabelValues(a.String())
	return func(_ net.Conn, state http.ConnState) {
		switch state {
		case http.StateNew:
			open.Inc()
		case http.StateClosed, http.StateHijacked:
			open.Dec()
		}
	}
}
