// Package server is the BOSH agent settings registry, in both dialects that clients speak.
package server
