package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/alecthomas/kong"
)

// A commandLine is the whole grammar. Each command is a struct in a file of its own, with a method Run.
type commandLine struct {
	globals

	Node struct {
		Create      nodeCreate      `cmd:"" help:"Enrol the nodes of a file."`
		List        nodeList        `cmd:"" help:"List nodes."`
		Show        nodeShow        `cmd:"" help:"Show a node and its ports."`
		Set         nodeSet         `cmd:"" help:"Change fields of a node."`
		Provision   nodeProvision   `cmd:"" help:"Lead a node through the state machine by one of Ironic's verbs."`
		Maintenance nodeMaintenance `cmd:"" help:"Switch a node's maintenance on or off."`
		Power       nodePower       `cmd:"" help:"Switch a node's power."`
		Delete      nodeDelete      `cmd:"" help:"Remove a node from the Bare Metal service."`
	} `cmd:"" help:"Nodes: servers."`
	Driver struct {
		List driverList `cmd:"" help:"List the drivers that the service has; without --url, those of this program."`
		Show driverShow `cmd:"" help:"Show a driver and the keys of its driver_info."`
	} `cmd:"" help:"Drivers: what the Bare Metal service can control."`
	Power      power `cmd:"" help:"Ask or switch servers' power, past any Bare Metal API."`
	BootDevice struct {
		Get bootDeviceGet `cmd:"" help:"Show what a server boots from."`
		Set bootDeviceSet `cmd:"" help:"Choose what a server boots from."`
	} `cmd:"" help:"What a server boots from, past any Bare Metal API."`
	Media struct {
		List   mediaList   `cmd:"" help:"Show a server's virtual drives."`
		Insert mediaInsert `cmd:"" help:"Show a server an image in a virtual drive."`
		Eject  mediaEject  `cmd:"" help:"Empty a virtual drive."`
	} `cmd:"" help:"Virtual media, past any Bare Metal API."`
	Console  serialConsole `cmd:"" help:"Join a server's serial port, past any Bare Metal API."`
	Inspect  inspect       `cmd:"" help:"Show what a server's hardware tells of itself, without a boot."`
	Vendor   vendor        `cmd:"" help:"Call what only this hardware has."`
	Validate validate      `cmd:"" help:"Say what is wrong with driver_info, before any hardware is asked."`
	Match    match         `cmd:"" help:"Say which nodes the VM types of a cloud-config would get, and why not the others."`
	Claims   claims        `cmd:"" help:"Say who holds which node and which disks, and what was left behind."`
	Capacity capacity      `cmd:"" help:"Count free and used nodes per resource class."`
	State    struct {
		Export stateExport `cmd:"" help:"Write everything that a conductor keeps into a file."`
		Import stateImport `cmd:"" help:"Add what a file of state export holds to a conductor's database."`
	} `cmd:"" help:"The state of our own conductor: backup and hand-over."`
	Completion struct {
		Bash completionBash `cmd:"" help:"Print a script for bash: source <(nodectl completion bash)"`
	} `cmd:"" help:"Completion of command lines in a shell."`
}

// globals are the flags that stand before or behind every command.
type globals struct {
	Help    helpFlag    `short:"h" help:"Say what there is, or what a command takes."`
	Version versionFlag `help:"Print the version."`

	URL          string        `name:"url" env:"IRONIC_URL,OS_ENDPOINT" help:"Address of the Bare Metal API: http://host:6385."`
	Username     string        `env:"IRONIC_USERNAME" help:"User name for http_basic."`
	PasswordFile string        `placeholder:"FILE" help:"File with the password for http_basic; without it, the environment variable IRONIC_PASSWORD."`
	TokenEnv     string        `placeholder:"NAME" help:"Environment variable that holds a token; without it, IRONIC_TOKEN, then OS_TOKEN."`
	CA           string        `name:"ca" placeholder:"FILE" env:"OS_CACERT" help:"PEM file of the authorities to trust instead of the system's."`
	Insecure     bool          `help:"Accept any certificate."`
	Timeout      time.Duration `default:"60s" help:"Longest time for one request."`
	RetryFor     time.Duration `default:"15s" help:"How long to go on asking while a node is locked or the service does not answer."`
	Output       string        `short:"o" enum:"table,json,yaml,name" default:"table" help:"Form of the answer: ${enum}."`
	Debug        bool          `help:"Log each request to standard error."`
}

// errAnswered ends the parsing of a command line that a flag has answered.
var errAnswered = errors.New("answered")

// helpFlag prints the help of the command before it.
type helpFlag bool

// BeforeReset is called by kong when the flag is there, whatever else is wrong.
func (helpFlag) BeforeReset(k *kong.Context) error {
	if err := k.PrintUsage(false); err != nil {
		return err
	}
	return errAnswered
}

// IsBool makes it a flag without a value.
func (helpFlag) IsBool() bool { return true }

// versionFlag prints the version.
type versionFlag bool

// BeforeReset is called by kong when the flag is there.
func (versionFlag) BeforeReset(k *kong.Context) error {
	if _, err := fmt.Fprintln(k.Stdout, version); err != nil {
		return err
	}
	return errAnswered
}

// IsBool makes it a flag without a value.
func (versionFlag) IsBool() bool { return true }
