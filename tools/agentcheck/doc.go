// Package agentcheck reads settings that the CPI writes with the code of the real BOSH agent.
//
// It is a module of its own, so that the agent and its dependencies stay out of the CPI's. Run it with
//
//	go -C tools/agentcheck test -mod=mod ./...
//
// where -mod=mod lets its go.mod follow the top one. (go mod tidy needs -e: one of the agent's dependencies, for
// Windows alone, is not to be had from every proxy.)
//
// What it leaves out: the agent's mounting of the config drive (the image is read by another ISO 9660 reader),
// and its partitioning of disks.
package agentcheck
