package api

import (
	"encoding/json"
	"net/http"
	"strings"

	"bosh-ironic-cpi/src/conductor"
)

// machineRoutes are for deploy ramdisks.
func machineRoutes() []route {
	return []route{
		at("GET", "lookup", 22, (*call).lookup),
		at("POST", "heartbeat/{}", 22, (*call).heartbeat),
		at("POST", continuePath, 1, (*call).continueInspection),
	}
}

// continuePath is where ramdisks report.
const continuePath = "continue_inspection"

// heartbeatTimeout is how many seconds a ramdisk may be silent.
const heartbeatTimeout = 300

// lookup tells a ramdisk which node it runs on, and its token, once.
func (c *call) lookup() error {
	var macs []string
	if text := c.param("addresses"); text != "" {
		macs = strings.Split(text, ",")
	}
	id := c.param("node_uuid")
	if id == "" && macs == nil {
		return invalid("At least one of 'addresses' and 'node_uuid' parameters is required")
	}
	n, token, err := c.conductor.Lookup(c.r.Context(), id, macs)
	if err != nil {
		return err
	}
	if token == "" {
		token = masked
	}
	shown, err := nodeView.only(newest, "uuid", "properties", "instance_info")
	if err != nil {
		return err
	}
	shown = append(shown, field[node]{"driver_internal_info", oldest, appendInternalToAll})
	b := append([]byte(`{"node":`), shown.append(nil, c, n)...)
	b = append(b, `,"config":`...)
	b = appendJSON(b, map[string]any{
		"metrics": map[string]any{
			"backend": "noop", "prepend_host": false, "prepend_uuid": false, "prepend_host_reverse": true, "global_prefix": nil,
		},
		"metrics_statsd":    map[string]any{"statsd_host": "localhost", "statsd_port": 8125},
		"heartbeat_timeout": heartbeatTimeout, "agent_token": token, "agent_token_required": true,
		"disable_deep_image_inspection": false, "permitted_image_formats": []string{"raw", "qcow2", "iso"},
		"enable_bios_bootloader_install": true,
	})
	return c.answer(http.StatusOK, append(b, '}'))
}

func (c *call) heartbeat() error {
	body, err := c.arguments("callback_url", "agent_version", "agent_token", "agent_verify_ca", "agent_status", "agent_status_message")
	if err != nil {
		return err
	}
	callback, err := needs(body, "callback_url")
	if err != nil {
		return err
	}
	token, _ := body["agent_token"].(string)
	if token == "" {
		return invalid("Agent token is required for heartbeat processing.")
	}
	version, _ := body["agent_version"].(string)
	if version == "" {
		return invalid("Agent did not transmit a version, and a version is required. Please update the agent being used.")
	}
	if err := c.conductor.Heartbeat(c.r.Context(), c.id(0), callback, token, version); err != nil {
		return err
	}
	return c.accepted("")
}

// notAsked are parts of a ramdisk's report that are not kept: logs in base64 are many times longer than the rest.
var notAsked = []string{"inventory", "logs"}

// continueInspection takes a ramdisk's report, as Ironic 24.1 does in the version that ironic-inspector's ramdisks speak:
// the oldest, or none.
func (c *call) continueInspection() error {
	if c.minor > oldest {
		return errNoRoute
	}
	var report map[string]json.RawMessage
	if err := c.body(&report); err != nil {
		return err
	}
	var inventory struct {
		Interfaces []struct {
			MAC string `json:"mac_address"`
		} `json:"interfaces"`
	}
	if err := json.Unmarshal(report["inventory"], &inventory); err != nil || len(inventory.Interfaces) == 0 {
		return invalid("inventory.interfaces is required: what the ramdisk found, with a mac_address for each interface")
	}
	var macs []string
	for _, i := range inventory.Interfaces {
		macs = append(macs, i.MAC)
	}
	found := conductor.NodeInventory{Inventory: report["inventory"]}
	for _, key := range notAsked {
		delete(report, key)
	}
	var err error
	if found.Plugin, err = json.Marshal(report); err != nil {
		return err
	}
	node, err := c.conductor.Inspected(c.r.Context(), c.param("node_uuid"), macs, found)
	if err != nil {
		return err
	}
	return c.answerJSON(http.StatusAccepted, map[string]any{"uuid": node})
}
