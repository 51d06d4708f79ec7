// Package daemon runs the parts of the companion daemon in one process: listeners, TLS, limits, health, metrics,
// access log and an orderly end.
package daemon
