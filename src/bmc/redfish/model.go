package redfish

// A Model is a kind of BMC, with its habits. The zero value of each field is what the specification has.
type Model struct {
	Name         string // as in [Models]
	Vendor       string // of the service root
	Manufacturer string // of the system
	Product      string
	System       string // the system's Id
	Manager      string // the manager's Id
	ManagerModel string
	Firmware     string
	OEM          string // key of its own properties: Hp, Hpe, Dell
	License      string // of an iLO
	RIBCL        bool   // speaks no Redfish at all

	Slots         []Slot
	MediaOnSystem bool // virtual media belongs to the system, else to the manager

	ResetTypes  []string // nil: all
	BootTargets []string // nil: those that everybody has
	VirtualCD   string   // the boot target that is the virtual CD; empty: Cd

	NoSessions    bool
	NoBasic       bool
	ImageOnly     bool // inserting refuses Inserted and WriteProtected
	NeedsProtocol bool // inserting wants TransferProtocolType
	NeedsFlags    bool // inserting wants Inserted and WriteProtected
	NeedsJSON     bool // an action without a JSON body is refused
	NeedsIfMatch  bool // PATCH wants If-Match
	RefusesAction bool // inserting by the standard's action is refused
	BusyEject     bool // for one request after media is ejected, it is still at it
	Pretends      bool // says 200 to inserting, and the drive stays empty
	KeepsImage    bool // an ejected image is still shown, not connected
	NoContinuous  bool // boot override is for once
	FullBoot      bool // boot override wants target, enabled and mode together
	NeedsEnabled  bool // boot override wants enabled with a target
	ForgetsMode   bool // a boot target sets the mode back to legacy
	NoMode        bool // has no boot mode in its boot override
	FixedMode     bool // shows the boot mode there, and has it set in its BIOS settings only
}

// A Slot is a virtual drive.
type Slot struct {
	ID     string
	Types  []string // CD, DVD, Floppy, USBStick
	Insert string   // action, patch, oem; refuse: has the action and refuses it; lose: takes it and loses it; empty: nothing
}

func slots(insert string, ids ...string) []Slot {
	types := [][]string{{"Floppy", "USBStick"}, {"CD", "DVD"}}
	both := make([]Slot, 0, len(ids))
	for i, id := range ids {
		both = append(both, Slot{ID: id, Types: types[i%2], Insert: insert})
	}
	return both
}

var (
	iloResets = []string{"On", "ForceOff", "ForceRestart", "Nmi", "PushPowerButton"}
	iloNewer  = []string{"On", "ForceOff", "GracefulShutdown", "ForceRestart", "Nmi", "PushPowerButton", "GracefulRestart"}
)

// Models are the kinds of BMC that are known, the plain one first.
func Models() []Model {
	return []Model{
		{Name: "plain", System: "1", Manager: "1", Slots: slots("action", "Floppy1", "Cd1")},
		{
			Name: "idrac8", Vendor: "Dell", Manufacturer: "Dell Inc.", Product: "PowerEdge R630", System: "System.Embedded.1", OEM: "Dell",
			Manager: "iDRAC.Embedded.1", ManagerModel: "13G Monolithic", Firmware: "2.86.86.86", VirtualCD: "VCD-DVD",
			Slots: slots("action", "RemovableDisk", "CD"), BusyEject: true,
		},
		{
			Name: "idrac9", Vendor: "Dell", Manufacturer: "Dell Inc.", Product: "PowerEdge R650", System: "System.Embedded.1", OEM: "Dell",
			Manager: "iDRAC.Embedded.1", ManagerModel: "15G Monolithic", Firmware: "7.00.60.00", BusyEject: true, MediaOnSystem: true,
			Slots: []Slot{{"1", []string{"CD", "DVD", "USBStick"}, "action"}, {"2", []string{"CD", "DVD", "USBStick"}, "action"}},
		},
		{
			Name: "idrac10", Vendor: "Dell", Manufacturer: "Dell Inc.", Product: "PowerEdge R670", System: "System.Embedded.1", OEM: "Dell",
			Manager: "iDRAC.Embedded.1", ManagerModel: "17G Monolithic", Firmware: "1.20.25.00", MediaOnSystem: true,
			// The second slot takes an image, and nothing is seen of it.
			Slots: []Slot{{"2", []string{"CD", "DVD", "USBStick"}, "lose"}, {"1", []string{"CD", "DVD", "USBStick"}, "action"}},
		},
		ilo("ilo2", "ProLiant DL380 G6", "Hp", Model{RIBCL: true, Firmware: "iLO 2 v2.33"}),
		ilo("ilo3", "ProLiant DL380 G7", "Hp", Model{RIBCL: true, Firmware: "iLO 3 v1.94"}),
		ilo("ilo4", "ProLiant DL360 Gen9", "Hp", Model{
			Firmware: "iLO 4 v2.82", License: "iLO 4 Advanced", Slots: slots("oem", "1", "2"), ResetTypes: iloResets, NoMode: true,
		}),
		ilo("ilo5", "ProLiant DL360 Gen10", "Hpe", Model{
			Firmware: "iLO 5 v2.99", License: "iLO Advanced", Slots: slots("action", "1", "2"), ResetTypes: iloNewer, FixedMode: true,
		}),
		ilo("ilo6", "ProLiant DL360 Gen11", "Hpe", Model{
			Firmware: "iLO 6 v1.62", License: "iLO Advanced", Slots: slots("action", "1", "2"), ResetTypes: iloNewer, FixedMode: true,
		}),
		{
			Name: "supermicro", Manufacturer: "Supermicro", Product: "SYS-1029P", System: "1", Manager: "1", Firmware: "1.73.14",
			Slots: slots("action", "Floppy1", "CD1"), ImageOnly: true, KeepsImage: true, NeedsEnabled: true, ForgetsMode: true,
			BootTargets: []string{"None", "Pxe", "Floppy", "Cd", "UsbCd", "Hdd", "BiosSetup"}, VirtualCD: "UsbCd",
		},
		{
			Name: "xcc", Vendor: "Lenovo", Manufacturer: "Lenovo", Product: "ThinkSystem SR650", System: "1", Manager: "1", Firmware: "TEI3A4N",
			Slots: []Slot{
				{"RDOC1", []string{"CD", "DVD", "USBStick"}, "refuse"},
				{"EXT1", []string{"CD", "DVD", "USBStick"}, "patch"},
				{"EXT2", []string{"CD", "DVD", "USBStick"}, "patch"},
			},
			NeedsIfMatch: true,
		},
		{
			Name: "ami", Vendor: "AMI", Manufacturer: "ASRockRack", Product: "ROMED8-2T", System: "Self", Manager: "Self", Firmware: "2.06.00",
			Slots: slots("action", "HD1", "CD1"), FullBoot: true, NeedsProtocol: true,
		},
		{
			Name: "cisco", Vendor: "Cisco Systems Inc", Manufacturer: "Cisco Systems Inc", Product: "UCSC-C220-M6S", System: "WZP2500000A",
			Manager: "CIMC", Firmware: "4.2(3b)",
			Slots:        []Slot{{"0", []string{"CD", "DVD"}, ""}, {"1", []string{"CD", "DVD"}, "refuse"}, {"2", []string{"DVD", "USBStick"}, "action"}},
			NoContinuous: true, NeedsFlags: true,
		},
		{
			Name: "openbmc", Vendor: "", Manufacturer: "", Product: "", System: "system", Manager: "bmc", Firmware: "2.14.0",
			Slots: []Slot{
				{"Slot_0", []string{"CD", "USBStick"}, "refuse"},
				{"Slot_1", []string{"CD", "USBStick"}, "action"},
				{"Slot_2", []string{"CD", "USBStick"}, "action"},
			},
			NoBasic: true,
		},
	}
}

// ilo adds what all of them have in common.
func ilo(name, product, oem string, m Model) Model {
	m.Name, m.Vendor, m.Manufacturer, m.Product, m.OEM = name, "HPE", "HPE", product, oem
	m.System, m.Manager, m.ManagerModel, m.NeedsJSON = "1", "1", "iLO "+name[3:], true
	return m
}

// Find gives the model of that name; ok tells whether there is one.
func Find(name string) (m Model, ok bool) {
	for _, m := range Models() {
		if m.Name == name {
			return m, true
		}
	}
	return Model{}, false
}
