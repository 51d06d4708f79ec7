package cpi

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"time"

	"github.com/google/uuid"

	"bosh-ironic-cpi/src/agentenv"
	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/configdrive"
)

// injectPriority puts inject_files between write_image (80) and prepare_instance_boot (60).
const injectPriority = 70

// storeSettings puts what the server will fetch into the repository, under a name that nobody can guess, and
// for old stemcells into the registry. finish and vacate delete all of it by the VM's CID.
func (c *CPI) storeSettings(ctx context.Context, b *build) error {
	settings, err := c.settings(b).Encode()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrProperties, err)
	}
	if b.StemcellAPIVersion == 1 {
		if err := c.Registry.Put(ctx, b.cid, settings); err != nil {
			return err
		}
		userData := agentenv.UserData{
			Server: b.cid, Endpoint: c.Registry.Endpoint(), NameServers: c.Agent.NameServers, Networks: b.plan.networks.Settings,
		}
		if settings, err = userData.Encode(); err != nil {
			return err
		}
	}
	content := settings
	if b.plan.delivery == agentenv.ConfigDrive {
		if content, err = c.configDrive(b, settings); err != nil {
			return err
		}
	}
	key := deliveryFolder(b.cid) + "/" + uuid.NewString()
	draft, err := c.Metadata.Upload(ctx, bytes.NewReader(content), int64(len(content)))
	if err != nil {
		return fmt.Errorf("store the settings of VM %s: %w", b.cid, err)
	}
	if err := commit(ctx, draft, key); err != nil {
		return fmt.Errorf("store the settings of VM %s: %w", b.cid, err)
	}
	b.settingsURL, err = c.Metadata.URL(ctx, key, c.Options.Timeouts.Deploy+c.Options.Timeouts.Claim)
	return err
}

// deliveryFolder is where a VM's settings lie in the repository until its server has fetched them. It is not named CID
// alone: the registry of 2016 keeps what it knows of an instance in the folder of that name.
func deliveryFolder(cid string) string { return "deliver-" + cid }

// settings is all that the agent is told.
func (c *CPI) settings(b *build) agentenv.Settings {
	s := agentenv.Settings{
		AgentID: b.AgentID, VMCID: b.cid, Mbus: c.Agent.Mbus, NTP: c.Agent.NTP, Blobstore: c.Agent.Blobstore,
		Networks: b.plan.networks.Settings, EnableIPv6: b.plan.networks.EnableIPv6,
		Disks: agentenv.Disks{System: b.plan.system, Ephemeral: b.plan.ephemeral},
		Env:   b.env, PublicKeys: c.Agent.PublicKeys,
	}
	return s
}

// configDrive builds the drive as Ironic takes it: base64 of a gzipped image.
func (c *CPI) configDrive(b *build, userData []byte) ([]byte, error) {
	extra := map[string][]byte{} // what is injected besides, for whoever looks for it on the drive
	for _, f := range b.plan.networks.Files {
		extra[f.Path] = f.Content
	}
	files, err := configdrive.Tree(configdrive.Contents{
		InstanceID: b.cid, UserData: userData, PublicKeys: c.Agent.PublicKeys, NameServers: c.Agent.NameServers,
		MACs: b.plan.macs, Files: extra,
	})
	if err != nil {
		return nil, err
	}
	image, err := configdrive.Build(files)
	if err != nil {
		return nil, fmt.Errorf("build the config drive of VM %s: %w", b.cid, err)
	}
	encoded, err := configdrive.Encode(image)
	return []byte(encoded), err
}

// deploy writes the image onto the node and waits until Ironic calls it active.
func (c *CPI) deploy(ctx context.Context, b *build) error {
	info, err := c.imageInfo(ctx, b)
	if err != nil {
		return err
	}
	limits := c.Options.Timeouts
	b.document.Deployed = true
	b.document = b.document.at(stepDeploy, limits.Deploy+limits.Claim)
	var changes []baremetal.Change
	for _, key := range sortedKeys(info) {
		changes = append(changes, baremetal.Add("/instance_info/"+key, info[key]))
	}
	if err := c.save(ctx, &b.vm, changes...); err != nil {
		return err
	}
	p := baremetal.Provision{Target: baremetal.VerbActive}
	if b.plan.delivery == agentenv.ConfigDrive {
		p.ConfigDrive = b.settingsURL
	}
	if files := b.injected(); len(files) > 0 {
		p.DeploySteps = []baremetal.Step{{
			Interface: "deploy", Step: "inject_files", Priority: injectPriority, Args: map[string]any{"files": files},
		}}
	}
	start := time.Now()
	if err := c.provision(ctx, &b.vm, p, limits.Deploy, baremetal.Active); err != nil {
		return err
	}
	c.Log.InfoContext(ctx, "node deployed", "node", b.node.UUID, "vm", b.cid, "delivery", b.plan.delivery, "took", time.Since(start))
	return nil
}

// injected are the files that the deploy ramdisk writes into the image (ironic-python-agent, "inject_files").
// The settings go by URL: arguments of steps stay readable in the node.
func (b *build) injected() []map[string]any {
	var files []map[string]any
	add := func(path, content string, mode uint32) {
		files = append(files, map[string]any{
			"path": path, "content": content, "mode": mode, "dirmode": 0o755, "owner": 0, "group": 0,
		})
	}
	if b.plan.delivery == agentenv.Inject {
		add(agentenv.SettingsPath, b.settingsURL, 0o600)
	}
	for _, f := range b.plan.networks.Files {
		add(f.Path, base64.StdEncoding.EncodeToString(f.Content), f.Mode)
	}
	return files
}
