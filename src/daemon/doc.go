// Package daemon runs the parts of the companion daemon in one process: listeners, TLS, limits, health, metrics,
// access log and an orderly end.
//
// A [Part] serves paths and works in the background; a [Service] puts it on addresses. Services that name the same
// address share it. What every address serves besides: /healthz, /readyz and /metrics.
//
// It knows nothing of what the parts do, and keeps no state. Requests are HTTP/1.1, and HTTP/2 over TLS; paths are
// taken as they are: what needs cleaning (.., //, control characters) is refused, never redirected, because WebDAV
// clients do not follow.
//
// Start at [Run].
package daemon
