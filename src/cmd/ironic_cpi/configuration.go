package main

import (
	"time"

	"bosh-ironic-cpi/src/secret"
)

// A configuration is the whole configuration file. docs/configuration.md is made from its tags.
type configuration struct {
	Ironic     ironicGroup     `json:"ironic"`
	Conductor  conductorGroup  `json:"conductor"`
	Repository repositoryGroup `json:"repository"`
	Registry   registryGroup   `json:"registry"`
	Agent      agentGroup      `json:"agent"`
	Disks      disksGroup      `json:"disks"`
	Placement  placementGroup  `json:"placement"`
	Networks   networksGroup   `json:"networks"`
	Cleaning   cleaningGroup   `json:"cleaning"`
	Timeouts   timeoutsGroup   `json:"timeouts"`

	StrictCloudProperties bool   `json:"strict_cloud_properties" default:"false" help:"an unknown cloud property is an error; otherwise a warning, because cloud-configs are shared between CPIs"`
	LogLevel              string `json:"log_level" oneof:"debug|info|warn|error" default:"info" help:"least weight of the lines that are logged; debug shows each request to Ironic"`
}

type ironicGroup struct {
	URL  string    `json:"url" help:"address of the Bare Metal API, with or without /v1; may be left out with keystone, whose catalogue names it; embedded: the conductor in this process, see conductor"`
	Auth authGroup `json:"auth"`
	TLS  tlsGroup  `json:"tls"`

	RequestTimeout time.Duration `json:"request_timeout" default:"60s" min:"1s" help:"longest time for one request"`
	RetryLimit     time.Duration `json:"retry_limit" default:"2m" help:"how long to go on asking while a node is locked or Ironic does not answer; 0s: not at all"`
	PollFirst      time.Duration `json:"poll_first" default:"100ms" min:"10ms" help:"first pause between two looks at a node that changes; pauses grow from here"`
	PollEvery      time.Duration `json:"poll_every" default:"800ms" min:"10ms" help:"longest pause between two looks at a node that changes"`
}

type conductorGroup struct {
	Database          secret.Text         `json:"database" help:"embedded: path of the SQLite file, made when it is missing, or a postgres:// URL; the registry daemon can serve the same one"`
	KeyFile           string              `json:"key_file" help:"embedded: path of a file whose first 32 bytes seal driver_info in the database; empty: it is kept in the clear"`
	MachinesListen    string              `json:"machines_listen" help:"embedded: HOST:PORT on which deploy ramdisks reach this process while it works on nodes; calls at once share it; port 0: any that is free"`
	MachinesURL       string              `json:"machines_url" help:"embedded: what servers and their BMCs reach machines_listen by; empty: http:// and its address"`
	BootISO           string              `json:"boot_iso" help:"embedded: path of the deploy ramdisk's boot image, for servers whose hardware has virtual media; goes with machines_listen"`
	Group             string              `json:"group" help:"embedded: conductor_group of the nodes to work on; empty: those without one"`
	AutomatedClean    bool                `json:"automated_clean" default:"false" help:"embedded: clean disks between two instances, where a node does not say otherwise"`
	HardwareTypes     []string            `json:"enabled_hardware_types" help:"embedded: the hardware types that nodes may have, as Ironic's option of that name; empty: all"`
	EnabledInterfaces map[string][]string `json:"enabled_interfaces" help:"embedded: interfaces that nodes may have, by kind (deploy, power, ...), as Ironic's options enabled_KIND_interfaces; a kind that is left out: all"`
	Interfaces        map[string]string   `json:"default_interfaces" help:"embedded: interface by kind (deploy, boot, network, ...) for nodes that name none, where their hardware type can have it"`
	CallbackLimit     time.Duration       `json:"callback_timeout" default:"30m" min:"1s" help:"embedded: how long a node waits for its ramdisk before it fails"`
}

type authGroup struct {
	Type          string      `json:"type" oneof:"none|token|http_basic|keystone" default:"none" help:"how the API knows us"`
	Token         secret.Text `json:"token" help:"token: sent as X-Auth-Token"`
	Username      string      `json:"username" help:"http_basic, keystone"`
	Password      secret.Text `json:"password" help:"http_basic, keystone"`
	AuthURL       string      `json:"auth_url" help:"keystone: its address, version 3"`
	UserDomain    string      `json:"user_domain" default:"Default" help:"keystone: name of the user's domain"`
	ProjectDomain string      `json:"project_domain" default:"Default" help:"keystone: name of the project's domain"`
	Project       string      `json:"project" help:"keystone: name of the project"`
	Region        string      `json:"region" help:"keystone: region of the service; empty: the first that has it"`

	ApplicationCredentialID     string      `json:"application_credential_id" help:"keystone: instead of user name and password"`
	ApplicationCredentialName   string      `json:"application_credential_name" help:"keystone: with username, instead of the id"`
	ApplicationCredentialSecret secret.Text `json:"application_credential_secret" help:"keystone: goes with the id or the name"`
}

type tlsGroup struct {
	CA         string      `json:"ca" file:"true" help:"PEM: certificate authorities to trust instead of the system's"`
	ClientCert string      `json:"client_cert" file:"true" help:"PEM: our certificate, with client_key"`
	ClientKey  secret.Text `json:"client_key" help:"PEM: our key"`
	Insecure   bool        `json:"insecure" default:"false" help:"accept any certificate"`
}

type repositoryGroup struct {
	Stemcells storeGroup `json:"stemcells"`
	Metadata  storeGroup `json:"metadata"`
}

type storeGroup struct {
	Type      string      `json:"type" oneof:"webdav|dir" default:"webdav" help:"a WebDAV server, or a directory of this machine"`
	URL       string      `json:"url" help:"webdav: address of the folder; may hold user:password"`
	Path      string      `json:"path" help:"dir: the directory; made when it is missing"`
	Shared    bool        `json:"shared" default:"false" help:"dir: files are readable for all, for a web server that runs as another user"`
	Username  string      `json:"username" help:"webdav: basic authentication"`
	Password  secret.Text `json:"password" help:"webdav: basic authentication"`
	PublicURL string      `json:"public_url" help:"where servers and Ironic's conductor fetch files; empty: url with its credentials, or file:// of path"`

	SigningKey secret.Text   `json:"signing_key" help:"the registry daemon's repository.signing_key: servers are then given addresses that expire, without credentials"`
	TLS        tlsGroup      `json:"tls"`
	Timeout    time.Duration `json:"timeout" default:"60s" min:"1s" help:"webdav: longest wait for the server to take or send the next bytes"`
}

type registryGroup struct {
	URL      string        `json:"url" help:"agent settings registry, up to the path before /instances; needed by stemcells of API version 1 only; may hold user:password"`
	Username string        `json:"username" help:"basic authentication, of the CPI and of the agents"`
	Password secret.Text   `json:"password" help:"basic authentication"`
	TLS      tlsGroup      `json:"tls"`
	Timeout  time.Duration `json:"timeout" default:"30s" min:"1s" help:"longest time for one request"`
}

type agentGroup struct {
	Mbus             secret.Text    `json:"mbus" required:"true" help:"message bus that agents connect to, or listen on with create-env: nats://ADDRESS:4222, https://mbus:PASSWORD@0.0.0.0:6868"`
	NTP              []string       `json:"ntp" help:"time servers; env.bosh.ntp wins"`
	Blobstore        blobstoreGroup `json:"blobstore"`
	SettingsDelivery string         `json:"settings_delivery" oneof:"auto|config_drive|inject" default:"auto" help:"how settings reach the agent: in a config drive, or injected into the image"`
	PublicKeys       []string       `json:"public_keys" help:"SSH keys that may log in as vcap"`
	NameServers      []string       `json:"nameservers" help:"name servers until the agent has its settings; networks name their own in the cloud-config"`
}

type blobstoreGroup struct {
	Provider string         `json:"provider" help:"dav, s3, local and so on; empty: env.bosh.blobstores says it"`
	Options  map[string]any `json:"options" help:"given to the agent as they are, numbers and booleans too"`
}

type disksGroup struct {
	OnDelete         string `json:"on_delete" oneof:"reserve|release" default:"reserve" help:"what delete_vm does with a server that holds persistent disks: keep it for them, or give it back to the pool"`
	ReuseDeleted     bool   `json:"reuse_deleted" default:"false" help:"create_disk may take a disk whose deleted data was not cleaned yet"`
	SystemDevice     string `json:"system_device" default:"/dev/sda" help:"root disk of servers whose disks nobody declared"`
	EphemeralDevice  string `json:"ephemeral_device" default:"/dev/sdb" help:"disk for ephemeral data of such servers"`
	PersistentDevice string `json:"persistent_device" default:"/dev/sdc" help:"persistent disk of such servers"`
}

type placementGroup struct {
	ZoneField  string        `json:"zone_field" help:"the node's field that must equal the cloud property availability_zone: conductor_group, chassis, owner, or properties/KEY; empty: zones are ignored"`
	FailedLast time.Duration `json:"failed_last" default:"1h" help:"how long a node that failed to deploy is taken only when no other fits"`
}

type networksGroup struct {
	SpareNICs string `json:"spare_nics" oneof:"loopback|dhcp|unmanaged" default:"dhcp" help:"NICs that no network uses: an address in 127.0.0.0/8 each (needs a link), left to DHCP, or left alone"`
}

type cleaningGroup struct {
	Manual bool        `json:"manual" default:"false" help:"delete_vm runs the steps below before it gives the server back"`
	Steps  []stepGroup `json:"steps" default:"[{\"interface\": \"deploy\", \"step\": \"erase_devices_metadata\"}]" help:"manual clean steps in Ironic's words"`
}

type stepGroup struct {
	Interface string         `json:"interface" required:"true" help:"hardware interface: deploy, raid, bios, management and so on"`
	Step      string         `json:"step" required:"true" help:"name of the step"`
	Args      map[string]any `json:"args" help:"its arguments"`
}

type timeoutsGroup struct {
	Manage  time.Duration `json:"manage" default:"10m" min:"1s" help:"from enroll to manageable: Ironic checks the credentials of the BMC"`
	Provide time.Duration `json:"provide" default:"1h" min:"1s" help:"from manageable to available, automated cleaning included"`
	Deploy  time.Duration `json:"deploy" default:"1h" min:"1s" help:"from available to active"`
	Delete  time.Duration `json:"delete" default:"1h" min:"1s" help:"from active to available, automated cleaning included"`
	Clean   time.Duration `json:"clean" default:"2h" min:"1s" help:"manual cleaning"`
	Power   time.Duration `json:"power" default:"5m" min:"1s" help:"power on, power off"`
	Claim   time.Duration `json:"claim" default:"10m" min:"1s" help:"how long a claim of a node stands while nothing is waited for; another process takes it over afterwards"`
}
