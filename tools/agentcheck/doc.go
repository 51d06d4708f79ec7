// Package agentcheck reads settings that the CPI writes with the code of the real BOSH agent.
//
// It is a module of its own, so that the agent and its dependencies stay out of the CPI's. Run it with
// go -C tools/agentcheck test ./... ; after a change of the top go.mod, run go mod tidy here.
//
// What it leaves out: the agent's mounting of the config drive (the image is read by another ISO 9660 reader),
// and its partitioning of disks.
package agentcheck
