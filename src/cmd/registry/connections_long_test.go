//go:build integration && long

package main

import "testing"

func TestTenThousandIdleConnections(t *testing.T) { manyConnections(t, 10_000) }
