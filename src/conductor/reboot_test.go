package conductor_test

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
	"bosh-ironic-cpi/src/conductor/deploy"
)

// A server whose ramdisk had called already when the conductor died is started again: its new ramdisk is told a token of its
// own, and the old one's is no good any more.
func TestRamdiskOfTheNextBoot(t *testing.T) {
	r := newRig(t)
	image := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(image.Close)
	r.put(conductor.Node{
		UUID: uuidOf(1), ProvisionState: baremetal.Deploying, TargetProvisionState: baremetal.Active, Reservation: "dead",
		Details: conductor.Details{
			Work:         &conductor.Work{Kind: conductor.WorkDeploy, Steps: []conductor.Step{{Interface: "deploy", Step: "deploy"}}},
			Agent:        &conductor.Agent{Token: "old", Told: true, URL: "http://127.0.0.1:9"},
			InstanceInfo: conductor.NewObject(map[string]any{"image_source": image.URL, "image_checksum": "x"}),
		},
	})
	direct := deploy.NewDirect(deploy.Ramdisk{})
	t.Cleanup(direct.Close)
	c := r.start("here", direct, nil)
	r.soon(uuidOf(1), baremetal.WaitCallBack)
	if err := c.Heartbeat(t.Context(), uuidOf(1), "http://127.0.0.1:9", "old", "1"); err == nil {
		t.Error("the old ramdisk is heard")
	}
	_, token, err := c.Lookup(t.Context(), uuidOf(1), nil)
	if err != nil || token == "" || token == "old" {
		t.Errorf("the new ramdisk is told the token %q, %v", token, err)
	}
}
