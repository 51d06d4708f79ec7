package main

import (
	"net/netip"
	"time"

	"bosh-ironic-cpi/src/config"
	"bosh-ironic-cpi/src/daemon"
	"bosh-ironic-cpi/src/secret"
)

// A configuration is the whole configuration file. docs/registry.md is made from its tags.
type configuration struct {
	Data       string          `json:"data" default:"data" help:"directory of everything that is kept; made when it is missing, readable for this user only"`
	Registry   registryGroup   `json:"registry"`
	Repository repositoryGroup `json:"repository"`
	Conductor  conductorGroup  `json:"conductor"`
	Metrics    metricsGroup    `json:"metrics"`

	TLS            tlsGroup       `json:"tls"`
	TrustedProxies []netip.Prefix `json:"trusted_proxies" help:"networks of reverse proxies whose X-Forwarded-For is believed, such as 10.0.0.7/32; nobody else's is"`
	Limits         limitsGroup    `json:"limits"`
	StopTimeout    time.Duration  `json:"stop_timeout" default:"10m" help:"how long requests under way, uploads above all, may take to finish when the daemon is stopped"`
	LogLevel       string         `json:"log_level" oneof:"debug|info|warn|error" default:"info" help:"least weight of the lines that are logged; info shows each request, debug those for health and metrics too"`
}

type registryGroup struct {
	Enabled     bool             `json:"enabled" default:"true" help:"serve agent settings, below /instances/ and /registry/"`
	Listen      []daemon.Address `json:"listen" default:"[\"127.0.0.1:25777\"]" help:"addresses: HOST:PORT, http://HOST:PORT or https://HOST:PORT"`
	Users       []userGroup      `json:"users" help:"who may read and write; nobody named: everybody, and then on loopback only"`
	OwnAddress  bool             `json:"own_address" default:"false" help:"a machine may read its own settings without credentials: when it asks from an ip that they give to one of its networks"`
	MaxSettings config.Bytes     `json:"max_settings" default:"10MiB" help:"longest settings of one instance"`
	Store       storeGroup       `json:"store"`
}

type storeGroup struct {
	URL      string        `json:"url" help:"keep settings on this WebDAV server, as URL/ID/settings, and not in data; may hold user:password"`
	Username string        `json:"username" help:"basic authentication"`
	Password secret.Text   `json:"password" help:"basic authentication"`
	TLS      clientTLS     `json:"tls"`
	Timeout  time.Duration `json:"timeout" default:"30s" min:"1s" help:"longest wait for that server to take or send the next bytes"`
}

type clientTLS struct {
	CA         string      `json:"ca" file:"true" help:"PEM: certificate authorities to trust instead of the system's"`
	ClientCert string      `json:"client_cert" file:"true" help:"PEM: our certificate, with client_key"`
	ClientKey  secret.Text `json:"client_key" help:"PEM: our key"`
	Insecure   bool        `json:"insecure" default:"false" help:"accept any certificate"`
}

type repositoryGroup struct {
	Enabled    bool             `json:"enabled" default:"true" help:"serve files by WebDAV, below /images/, /metadata/ and /deploy/"`
	Listen     []daemon.Address `json:"listen" default:"[\"127.0.0.1:8081\"]" help:"addresses of all trees that name none of their own"`
	Users      []userGroup      `json:"users" help:"who may read and write all trees that name nobody of their own"`
	Readers    []userGroup      `json:"readers" help:"who may read, and no more, all trees that name no readers of their own"`
	SigningKey secret.Text      `json:"signing_key" help:"what signed addresses are made and checked with, at least 32 bytes; give the CPI the same one; empty: made at the first start, in signing.key of data"`
	Listing    bool             `json:"listing" default:"true" help:"show folders to those who may read"`
	MinFree    config.Bytes     `json:"min_free" default:"1GiB" help:"space that uploads leave free on the disk; less than this is 507"`
	Images     treeGroup        `json:"images"`
	Metadata   treeGroup        `json:"metadata"`
	Deploy     treeGroup        `json:"deploy"`
}

type treeGroup struct {
	Enabled       bool             `json:"enabled" default:"true" help:"serve this tree"`
	Path          string           `json:"path" help:"its directory; empty: the one of its name in data"`
	Listen        []daemon.Address `json:"listen" help:"addresses instead of repository.listen"`
	Users         []userGroup      `json:"users" help:"instead of repository.users"`
	Readers       []userGroup      `json:"readers" help:"instead of repository.readers"`
	AnyoneMayRead bool             `json:"anyone_may_read" default:"false" help:"reading needs no credentials, from any address; for images, which hold no secrets"`
	Quota         config.Bytes     `json:"quota" default:"0" help:"most that the tree may hold; 0: as much as the disk"`
	MaxFile       config.Bytes     `json:"max_file" default:"50GiB" help:"longest file"`
}

type conductorGroup struct {
	Enabled           bool                `json:"enabled" default:"true" help:"serve the Bare Metal API and control the nodes"`
	Listen            []daemon.Address    `json:"listen" default:"[\"127.0.0.1:6385\"]" help:"addresses of the whole API"`
	MachinesListen    []daemon.Address    `json:"machines_listen" help:"addresses of the part that servers call: lookup, heartbeat, continue_inspection and boot media, and no more"`
	MachinesURL       string              `json:"machines_url" help:"what servers and their BMCs reach machines_listen by, such as http://10.0.1.5:6385; required by boot_iso"`
	BootISO           string              `json:"boot_iso" help:"path of the deploy ramdisk's boot image: servers whose hardware has virtual media boot it, and others from the network; empty: all from the network"`
	Users             []userGroup         `json:"users" help:"who may use the API (http_basic); nobody named: everybody, and then on loopback only"`
	Keystone          keystoneGroup       `json:"keystone"`
	PublicURL         string              `json:"public_url" help:"what links in answers begin with; empty: as the client reached us"`
	Database          secret.Text         `json:"database" help:"path of the SQLite file, or a postgres:// URL that several daemons may share; empty: conductor.sqlite in data"`
	KeyFile           string              `json:"key_file" help:"path of a file whose first 32 bytes seal driver_info in the database; empty: it is kept in the clear"`
	Hostname          string              `json:"hostname" help:"this conductor's name, unique among those of a database; empty: the machine's"`
	Group             string              `json:"group" help:"conductor_group of the nodes to work on; empty: those without one"`
	AutomatedClean    bool                `json:"automated_clean" default:"false" help:"clean disks between two instances, where a node does not say otherwise"`
	HardwareTypes     []string            `json:"enabled_hardware_types" help:"the hardware types that nodes may have, as Ironic's option of that name; empty: all"`
	EnabledInterfaces map[string][]string `json:"enabled_interfaces" help:"interfaces that nodes may have, by kind (deploy, power, ...), as Ironic's options enabled_KIND_interfaces; a kind that is left out: all"`
	Interfaces        map[string]string   `json:"default_interfaces" help:"interface by kind (deploy, boot, network, ...) for nodes that name none, where their hardware type can have it"`
	Workers           int                 `json:"workers" default:"100" min:"1" help:"how many nodes are worked on at once; more are 503"`
	PowerSync         time.Duration       `json:"power_sync" default:"60s" min:"0s" help:"how often every node's power state is asked for; 0s: never"`
	PowerSyncMost     int                 `json:"power_sync_abreast" default:"8" min:"1" help:"how many BMCs are asked at once"`
	CallbackLimit     time.Duration       `json:"callback_timeout" default:"30m" min:"1s" help:"how long a node waits for its ramdisk before it fails"`
	MaxLimit          int                 `json:"max_limit" default:"1000" min:"1" help:"longest page of a list, as Ironic's option of that name"`
	LockWait          time.Duration       `json:"lock_wait" default:"2s" min:"0s" help:"how long a request waits for a node's lock before it is 409"`
}

type keystoneGroup struct {
	AuthURL           string      `json:"auth_url" help:"who may use the API, instead of users: those with a token of the Keystone at this address, version 3; empty: nobody asks it"`
	Username          string      `json:"username" help:"our user there, who may validate tokens: role service or admin"`
	Password          secret.Text `json:"password" help:"of our user"`
	Project           string      `json:"project" help:"name of our user's project"`
	UserDomain        string      `json:"user_domain" default:"Default" help:"name of our user's domain"`
	ProjectDomain     string      `json:"project_domain" default:"Default" help:"name of the project's domain"`
	ApplicationID     string      `json:"application_credential_id" help:"instead of username, password and project"`
	ApplicationSecret secret.Text `json:"application_credential_secret" help:"goes with the id"`
	CA                string      `json:"ca" file:"true" help:"PEM: certificate authorities to trust instead of the system's"`
	AdminRoles        []string    `json:"admin_roles" default:"[\"admin\", \"service\", \"baremetal_admin\"]" help:"roles that may do everything with every node, whatever project they are for"`
	ReaderRoles       []string    `json:"reader_roles" default:"[\"observer\", \"baremetal_observer\"]" help:"roles that may read everything, whatever project they are for; role reader may if it is for the whole system"`
}

type userGroup struct {
	Name     string      `json:"name" required:"true" help:"as in basic authentication"`
	Password secret.Text `json:"password" required:"true" help:"plain, or a bcrypt hash as made by htpasswd -nB NAME"`
}

type metricsGroup struct {
	Users []userGroup `json:"users" help:"who may read /metrics; nobody named: everybody who reaches an address"`
}

type tlsGroup struct {
	Certificate string `json:"certificate" help:"path of the PEM certificate for https addresses, with its chain; read again when it changes"`
	Key         string `json:"key" help:"path of its PEM key"`
	ClientCA    string `json:"client_ca" help:"path of PEM authorities; clients must then show a certificate of theirs"`
}

type limitsGroup struct {
	Header      time.Duration `json:"header" default:"10s" min:"1s" help:"longest time for a request's head"`
	Idle        time.Duration `json:"idle" default:"75s" min:"1s" help:"how long a connection may wait for its next request"`
	Stall       time.Duration `json:"stall" default:"60s" min:"1s" help:"a client that is slower than min_rate for so long is cut off"`
	MinRate     config.Bytes  `json:"min_rate" default:"1KiB" help:"bytes in a second, sending or receiving, averaged over stall"`
	HeaderBytes config.Bytes  `json:"header_bytes" default:"32KiB" help:"longest head of a request"`
	Connections int           `json:"connections" default:"0" min:"0" help:"most connections to one address at a time; 0: as many as the system allows"`
}
