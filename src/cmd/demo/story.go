package main

import "context"

type object = map[string]any

// tell leads a VM through its life, in the order in which a Director calls.
func tell(ctx context.Context, d *director, image string) error {
	d.ask(ctx, "info", "what can the CPI do?", nil)

	stemcell := d.text(ctx, "create_stemcell", "store the image, named by its content", args{
		{"image_path", image},
		{"cloud_properties", object{
			"name": "bosh-openstack-kvm-demo", "version": "1.0", "infrastructure": "openstack", "architecture": "x86_64",
			"os_type": "linux", "disk": 1, "disk_format": "raw", "container_format": "bare",
		}},
	})

	vm := d.vm(ctx, stemcell, "9a5b7c36-demo", "10.0.0.10", "choose a server, claim it, write the image and the settings")
	d.want(ctx, true, "has_vm", "is it there?", args{{"vm_cid", vm}})
	d.ask(ctx, "set_vm_metadata", "name the node like the instance", args{
		{"vm_cid", vm},
		{"metadata", object{
			"director": "demo", "deployment": "demo", "id": "6d0f0c1e-demo", "job": "db", "instance_group": "db", "index": "0",
			"name": "db/6d0f0c1e-demo",
		}},
	})

	disk := d.text(ctx, "create_disk", "take a free disk of that server", args{
		{"size_mb", 512}, {"cloud_properties", object{}}, {"vm_cid", vm},
	})
	attachment := args{{"vm_cid", vm}, {"disk_cid", disk}}
	d.ask(ctx, "attach_disk", "where does the agent find it?", attachment)
	d.ask(ctx, "reboot_vm", "power off, power on", args{{"vm_cid", vm}})

	second := d.vm(ctx, stemcell, "2c81f0aa-demo", "10.0.0.11", "another VM: the other server")
	d.ask(ctx, "delete_vm", "", args{{"vm_cid", second}})

	d.ask(ctx, "detach_disk", "", attachment)
	d.ask(ctx, "delete_disk", "", args{{"disk_cid", disk}})

	d.ask(ctx, "delete_vm", "tear down, clean, give the server back as it was", args{{"vm_cid", vm}})
	d.want(ctx, false, "has_vm", "is it gone?", args{{"vm_cid", vm}})
	d.ask(ctx, "delete_stemcell", "", args{{"stemcell_cid", stemcell}})
	return d.err
}

// vm creates a VM of the smallest size.
func (d *director) vm(ctx context.Context, stemcell, agent, ip, why string) (cid string) {
	return d.first(ctx, "create_vm", why, args{
		{"agent_id", agent},
		{"stemcell_cid", stemcell},
		{"cloud_properties", object{"ironic_properties": object{"memory_mb": 4096, "cpus": 2}}},
		{"networks", object{"default": object{
			"type": "manual", "ip": ip, "netmask": "255.255.255.0", "gateway": "10.0.0.1",
			"dns": []string{"10.0.0.2"}, "default": []string{"dns", "gateway"}, "cloud_properties": object{},
		}}},
		{"disk_cids", []string{}},
		{"env", object{"bosh": object{"group": "demo-db"}}},
	})
}
