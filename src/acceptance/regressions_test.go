//go:build integration

package acceptance

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/backend"
)

// Every fault of the CPI of 2016 has a test with its number in the name, TestB9… or TestB11B20…, somewhere in the
// house. B24, faulty defaults of a job's properties, has none before there is a job.
func TestEveryOldFaultHasATest(t *testing.T) {
	t.Parallel()
	const last = 23
	tests, number := regexp.MustCompile(`(?m)^func TestB\d\w*`), regexp.MustCompile(`B(\d+)`)
	found := map[string]string{}
	err := filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range tests.FindAllString(string(text), -1) {
			for _, n := range number.FindAllStringSubmatch(name, -1) {
				found[n[1]] = name
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := 1; n <= last; n++ {
		if found[fmt.Sprint(n)] == "" {
			t.Errorf("no test is named TestB%d…", n)
		}
	}
}

// B8: several errors were lost to faults in their own text. They name what is wrong, and with what.
func TestB8ErrorsSayWhatIsWrong(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	here, there := backend.NewMAC(), backend.NewMAC()
	d.named("here", backend.NodeSpec{MACs: []string{here}})
	d.named("there", backend.NodeSpec{MACs: []string{there}, State: "manageable"})
	elsewhere := "1478000000-" + strings.ReplaceAll(there, ":", "") + "-sdc"
	stemcell := d.stemcell()
	vm := vmSpec{stemcell: stemcell, cloud: map[string]any{"macs": []string{here}}}
	cid, _ := d.createVM(vm)
	says := func(message string, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if !strings.Contains(message, want) {
				t.Errorf("%q is not in %q", want, message)
			}
		}
	}
	says(d.fails("CloudError", false, "attach_disk", cid, elsewhere),
		"the disk is in another server", elsewhere, d.class+"-here", d.class+"-there", "local disks stay in their server")
	d.must("delete_vm", cid)

	vm.disks = []string{elsewhere}
	says(d.fails("VMCreationFailed", false, "create_vm", d.arguments(vm)...), d.class+"-here", "does not have the disk "+elsewhere)

	undefined := vmSpec{stemcell: stemcell, cloud: map[string]any{
		"macs": []string{backend.NewMAC()}, "ironic_params": map[string]any{"driver": "pxe_abacus"},
	}}
	says(d.fails("VMCreationFailed", false, "create_vm", d.arguments(undefined)...), "define node by ironic_params", "pxe_abacus")

	d.webdav.Proxy.Fail(backend.Fault{Method: http.MethodPut, Status: http.StatusTeapot, Body: "100 % teapot, %d short and %s"})
	says(d.fails("CloudError", false, "create_stemcell", imagePath(t), properties()), "418")
}

// B21: a method that nobody knows had no answer at all.
func TestB21UnknownMethods(t *testing.T) {
	t.Parallel()
	d := newDirector(t, backend.Start(t))
	if message := d.fails("NotImplemented", false, "boil_water", 1, nil, "two"); !strings.Contains(message, "boil_water") {
		t.Errorf("the method is not in %q", message)
	}
	d.fails("NotImplemented", false, "current_vm_id")
	d.config = map[string]any{"ironic": "broken"}
	d.fails("NotImplemented", false, "boil_water")
	d.fails("CpiError", false, "has_vm", "6f7e9a3c-0d3b-4ee5-8f3e-1c8b5a2d7e40")
}
