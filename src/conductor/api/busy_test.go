package api_test

import (
	"net/http"
	"strings"

	"bosh-ironic-cpi/src/conductor/api"
)

// busy has a node deployed by a ramdisk, and tries while it is worked on what it must not be bothered with. The ramdisk is
// us: it calls with the token that it looked up, from an address where nobody answers.
func busy() []request {
	n := worked.node
	node, states := "/v1/nodes/"+n, "/v1/nodes/"+n+"/states"
	shown := get(node + "?fields=provision_state,target_provision_state,power_state,deploy_step,instance_uuid,allocation_uuid,traits")
	all := enrol(worked, "four")
	all = append(
		all, patch(node, op("add", "/deploy_interface", "direct")), put(states+"/power", m{"target": "power on"}), rests(n, "manageable"),
	)
	all = append(all, cleaning()...)
	all = append(
		all,
		verb(n, "provide"), rests(n, "available"), patch(node, op("add", "/instance_info", image("missing"))),
		verb(n, "active"), rests(n, "deploy failed"), get(node+"?fields=provision_state,target_provision_state,deploy_step,last_error"), verb(n, "manage"), verb(n, "provide"), verb(n, "inspect"), del(node),
		get(node+"/history"), get(node+"/history?detail=True"), get(node+"/history?limit=1").but(otherNext), get(node+"/history/(incident)"),
		verb(n, "deleted"), rests(n, "available"), put(node+"/traits", m{"traits": []any{"CUSTOM_A"}}),
		post("/v1/allocations", m{"uuid": worked.allocation, "resource_class": "four"}).but(atOnce), rests("/v1/allocations/"+worked.allocation, "active"),
		rests(n, "available"), verb(n, "active"), // Ironic tells of the allocation before it lets the node go
		patch(node, op("add", "/instance_info", image("image.raw"))),
		verb(n, "active"), request{path: n, settle: "deploying", held: true}, shown,
	)
	all = append(all, disturbances(wrongState)...)
	all = append(all, request{serve: true}, rests(n, "wait call-back"), shown)
	lookup, byMAC := get("/v1/lookup?node_uuid="+n), get("/v1/lookup?addresses=52:54:00:aa:00:04")
	all = append(all, lookup, byMAC)
	for _, x := range disturbances(waiting) {
		all = append(all, x, rests(n, "wait call-back"))
	}
	all = append(
		all, post("/v1/heartbeat/"+n, m{"callback_url": "http://127.0.0.1:9", "agent_token": "(token)", "agent_version": "9.4.0"}), rests(n, "deploy failed"), shown,
		get(node+"?fields=last_error").but(ourWords),
		verb(n, "deleted"), rests(n, "available"),
		get(node+"?fields=provision_state,target_provision_state,power_state,instance_uuid,allocation_uuid,instance_info,traits"),
		get("/v1/allocations/"+worked.allocation), del(node), get("/v1/portgroups/"+worked.portgroup),
	)
	return all
}

// cleaning tries what a node that is being cleaned refuses.
func cleaning() []request {
	n := worked.node
	node, states := "/v1/nodes/"+n, "/v1/nodes/"+n+"/states"
	verbs := func() []request {
		return []request{verb(n, "provide"), verb(n, "active"), verb(n, "rebuild"), verb(n, "deleted"), verb(n, "inspect"), verb(n, "adopt"), verb(n, "unrescue")}
	}
	clean := put(states+"/provision", m{"target": "clean", "clean_steps": []any{m{"interface": "deploy", "step": "erase_devices_metadata"}}})
	all := []request{clean, rests(n, "clean wait"), clean, put(states+"/power", m{"target": "power on"}), patch(node, op("add", "/extra/x", 1)), del(node)}
	all = append(all, verbs()...)
	all = append(all, verb(n, "manage"), verb(n, "abort"), rests(n, "clean failed"), clean, verb(n, "abort"), get(node+"?fields=provision_state,target_provision_state,last_error,clean_step"))
	all = append(all, verbs()...)
	return append(all, put(states+"/power", m{"target": "power on"}), rests(n, "clean failed"), del(node), verb(n, "manage"), rests(n, "manageable"))
}

// image is one to deploy. With its type Ironic need not ask for it before it answers.
func image(name string) m {
	return m{"image_source": "(images)/" + name, "image_checksum": "d41d8cd98f00b204e9800998ecf8427e", "image_type": "whole-disk"}
}

// disturbances are all the changes of a node, or of what belongs to it.
func disturbances(about aspect) []request {
	all := []request{
		get("/v1/nodes/" + worked.node + "/management/boot_device").showing(about), get("/v1/nodes/" + worked.node + "/states/console").showing(about),
		get("/v1/nodes/" + worked.node + "/vifs").showing(about), get("/v1/nodes/" + worked.node + "/validate").but(foreignHere).showing(about),
		post("/v1/portgroups", m{"uuid": worked.portgroup, "node_uuid": worked.node}).showing(about),
		post("/v1/ports", m{"uuid": "33333333-0000-4000-8000-000000000005", "node_uuid": worked.node, "address": "52:54:00:aa:00:05"}).showing(about),
	}
	for _, r := range api.Routes() {
		if r.Method != http.MethodGet && len(worked.args(r)) > 0 && !strings.HasPrefix(r.Path, "drivers/") {
			all = append(all, excused(to(r, worked.args(r)...).showing(about), r))
		}
	}
	return all
}
