package redfish

import (
	"encoding/xml"
	"fmt"
	"net/http"
	"strings"
)

func (b *BMC) showVersions(*http.Request, object) answer {
	return ok(object{"v1": "/redfish/v1/"})
}

func (b *BMC) showRoot(*http.Request, object) answer {
	m := b.cfg.Model
	body := object{
		"@odata.id": "/redfish/v1", "@odata.type": "#ServiceRoot.v1_5_0.ServiceRoot", "Id": "RootService", "Name": "Root Service",
		"RedfishVersion": "1.6.0", "Systems": link("/redfish/v1/Systems"), "Managers": link("/redfish/v1/Managers"),
		"UUID": "92384634-2938-2342-8820-489239905423",
	}
	if m.Vendor != "" {
		body["Vendor"] = m.Vendor
	}
	if !m.NoSessions {
		body["SessionService"] = link("/redfish/v1/SessionService")
		body["Links"] = object{"Sessions": link(sessions)}
	}
	if m.Vendor == "HPE" {
		body["JsonSchemas"], body["Registries"] = link("/redfish/v1/JsonSchemas"), link("/redfish/v1/Registries")
		version := m.Firmware[strings.LastIndex(m.Firmware, "v")+1:]
		body["Oem"] = object{m.OEM: object{"Manager": []object{{
			"ManagerType": m.ManagerModel, "ManagerFirmwareVersion": version, "DefaultLanguage": "en",
			"Languages": []object{{"Language": "en", "TranslationName": "English", "Version": version}},
		}}, "Moniker": object{"PRODGEN": m.ManagerModel, "VENDABR": "HPE"}}}
	}
	return ok(body)
}

func (b *BMC) showManager(*http.Request, object) answer {
	m := b.cfg.Model
	body := object{
		"@odata.id": b.manager(), "@odata.type": "#Manager.v1_5_0.Manager", "Id": m.Manager, "Name": "Manager", "ManagerType": "BMC",
		"FirmwareVersion": m.Firmware, "Model": m.ManagerModel, "Status": object{"State": "Enabled"},
		"Links": object{"ManagerForServers": []object{link(b.system())}},
	}
	if !m.MediaOnSystem {
		body["VirtualMedia"] = link(b.media())
	}
	switch m.OEM {
	case "Hp", "Hpe":
		body["Oem"] = object{m.OEM: object{
			"License": object{"LicenseString": m.License, "LicenseType": "Perpetual", "LicenseKey": "XXXXX-XXXXX-XXXXX-XXXXX-XXXXX"},
		}}
	case "Dell":
		action := b.manager() + "/Actions/Oem/EID_674_Manager.ImportSystemConfiguration"
		body["Actions"] = object{"Oem": object{
			"OemManager.v1_0_0#OemManager.ImportSystemConfiguration": object{"target": action},
		}}
	}
	return ok(body)
}

// addOEM adds to the system what only this vendor has.
func (b *BMC) addOEM(body object) {
	at := b.system()
	if b.cfg.Model.OEM != "Hp" {
		return
	}
	delete(body, "EthernetInterfaces")
	delete(body, "Storage")
	delete(body, "Bios")
	body["Oem"] = object{"Hp": object{"Links": object{
		"NetworkAdapters": link(at + "/NetworkAdapters"), "SmartStorage": link(at + "/SmartStorage"), "BIOS": link(at + "/Bios"),
	}}}
}

func (b *BMC) routeOEM() {
	b.handle("GET "+b.system()+"/Bios", b.showBIOS)
	b.handle("GET "+b.system()+"/Bios/Settings", b.showPendingBIOS)
	b.handle("PATCH "+b.system()+"/Bios/Settings", b.patchBIOS)
	switch b.cfg.Model.OEM {
	case "Dell":
		b.handle("GET "+b.manager()+"/Attributes", b.showAttributes)
		b.handle("POST "+b.manager()+"/Actions/Oem/EID_674_Manager.ImportSystemConfiguration", b.importConfiguration)
		b.handle("GET /redfish/v1/TaskService/Tasks/{id}", b.showTask)
	case "Hp":
		b.handle("POST "+b.system(), b.reset) // with an Action, as before Redfish
		b.routeSmartStorage()
	}
	if b.cfg.Model.Vendor == "HPE" { // ilorest reads what is there of them
		b.handle("GET /redfish/v1/JsonSchemas", b.list("JsonSchemaFileCollection"))
		b.handle("GET /redfish/v1/Registries", b.list("MessageRegistryFileCollection"))
	}
}

func (b *BMC) showBIOS(*http.Request, object) answer {
	return b.settings(map[string]string{"UEFI": "Uefi", "Legacy": "LegacyBios"}[b.boot.Mode])
}

func (b *BMC) showPendingBIOS(*http.Request, object) answer { return b.settings(b.bios) }

// settings are flat with an iLO 4, and below Attributes with everybody else.
func (b *BMC) settings(mode string) answer {
	body := object{
		"@odata.id": b.system() + "/Bios", "Id": "Bios", "Name": "BIOS",
		"@Redfish.Settings": object{"SettingsObject": link(b.system() + "/Bios/Settings")},
	}
	if b.cfg.Model.OEM == "Hp" {
		delete(body, "@Redfish.Settings")
		body["BootMode"] = mode
		body["links"] = object{"Settings": object{"href": strings.Replace(b.system(), "/redfish", "/rest", 1) + "/bios/Settings"}}
	} else {
		body["Attributes"] = object{"BootMode": mode}
	}
	return ok(body)
}

func (b *BMC) patchBIOS(_ *http.Request, body object) answer {
	if attributes, nested := body["Attributes"].(object); nested {
		body = attributes
	} else if b.cfg.Model.OEM != "Hp" {
		return *refuse(http.StatusBadRequest, "Base.1.5.PropertyUnknown", "Attributes", "")
	}
	mode, _ := body["BootMode"].(string)
	if mode != "Uefi" && mode != "LegacyBios" {
		return *refuse(http.StatusBadRequest, "Base.1.5.PropertyValueNotInList", mode, "BootMode")
	}
	b.bios = mode
	if !b.cfg.Machine.PoweredOn() { // nothing is running that would have to see it first
		b.boot.Mode = map[string]string{"Uefi": "UEFI", "LegacyBios": "Legacy"}[mode]
	}
	return ok(object{"error": object{"code": "iLO.2.15.ExtendedInfo", "@Message.ExtendedInfo": []object{{"MessageId": "iLO.2.15.SystemResetRequired"}}}})
}

func (b *BMC) routeSmartStorage() {
	at, h := b.system(), b.cfg.Hardware
	ports := []object{}
	for i, mac := range h.MACs {
		ports = append(ports, object{"Name": fmt.Sprint("port", i+1), "MacAddress": mac})
	}
	nic := b.fixed(at+"/NetworkAdapters/1", "HpBaseNetworkAdapter.1.1.0.HpBaseNetworkAdapter", object{"PhysicalPorts": ports})
	b.handle("GET "+at+"/NetworkAdapters", b.list("HpBaseNetworkAdapterCollection", nic))
	controllers := at + "/SmartStorage/ArrayControllers"
	b.fixed(at+"/SmartStorage", "HpSmartStorage.0.9.4.HpSmartStorage", object{"Links": object{"ArrayControllers": link(controllers)}})
	controller := b.fixed(controllers+"/0", "HpSmartStorageArrayController.1.0.0.HpSmartStorageArrayController", object{
		"Links": object{"PhysicalDrives": link(controllers + "/0/DiskDrives")},
	})
	b.handle("GET "+controllers, b.list("HpSmartStorageArrayControllerCollection", controller))
	var drives []string
	for i, d := range h.Disks {
		kind := "SSD"
		if d.Rotational {
			kind = "HDD"
		}
		drives = append(drives, b.fixed(fmt.Sprintf("%s/0/DiskDrives/%d", controllers, i), "HpSmartStorageDiskDrive.1.0.0.HpSmartStorageDiskDrive", object{
			"CapacityMiB": d.SizeBytes >> 20, "CapacityLogicalBlocks": d.SizeBytes / 512, "BlockSizeBytes": 512, "MediaType": kind,
			"Model": d.Model, "SerialNumber": d.Serial,
		}))
	}
	b.handle("GET "+controllers+"/0/DiskDrives", b.list("HpSmartStorageDiskDriveCollection", drives...))
}

func (b *BMC) showAttributes(*http.Request, object) answer {
	once := "Disabled"
	if b.oneTime {
		once = "Enabled"
	}
	return ok(object{
		"@odata.id": b.manager() + "/Attributes", "Id": "iDRACAttributes", "Name": "iDRAC Attributes",
		"Attributes": object{"ServerBoot.1.FirstBootDevice": b.first, "ServerBoot.1.BootOnce": once, "VirtualMedia.1.Attached": "AutoAttach"},
	})
}

// importConfiguration reads a Server Configuration Profile.
func (b *BMC) importConfiguration(_ *http.Request, body object) answer {
	text, _ := body["ImportBuffer"].(string)
	var profile struct {
		Components []struct {
			FQDD       string `xml:"FQDD,attr"`
			Attributes []struct {
				Name  string `xml:"Name,attr"`
				Value string `xml:",chardata"`
			} `xml:"Attribute"`
		} `xml:"Component"`
	}
	share, _ := body["ShareParameters"].(object)
	if share["Target"] == nil || xml.Unmarshal([]byte(text), &profile) != nil { //nolint:gosec // into a struct of two strings
		return *refuse(http.StatusBadRequest, "IDRAC.1.6.SYS405", "the profile cannot be read", "ImportBuffer")
	}
	for _, c := range profile.Components {
		for _, a := range c.Attributes {
			switch {
			case c.FQDD != b.cfg.Model.Manager:
			case a.Name == "ServerBoot.1#BootOnce":
				b.oneTime = a.Value == "Enabled"
			case a.Name == "ServerBoot.1#FirstBootDevice":
				b.first = a.Value
			}
		}
	}
	b.tasks++
	return answer{status: http.StatusAccepted, header: map[string]string{"Location": fmt.Sprintf("/redfish/v1/TaskService/Tasks/JID_%012d", b.tasks)}}
}

// showTask says that it is running once, and then that it is done.
func (b *BMC) showTask(r *http.Request, _ object) answer {
	state := "Completed"
	if b.tasks > 0 {
		b.tasks, state = 0, "Running"
	}
	return ok(object{
		"@odata.id": r.URL.Path, "@odata.type": "#Task.v1_4_0.Task", "Id": r.PathValue("id"), "Name": "Import Configuration",
		"TaskState": state, "TaskStatus": "OK", "Messages": []object{{"Message": "Successfully imported and applied.", "MessageId": "SYS053"}},
	})
}

// showXML tells everybody what an iLO is, of every generation.
func (b *BMC) showXML(w http.ResponseWriter, _ *http.Request) {
	m := b.cfg.Model
	version := m.Firmware[strings.LastIndex(m.Firmware, "v")+1:]
	_, _ = fmt.Fprintf(w, "<?xml version=\"1.0\"?><RIMP><MP><PN>Integrated Lights-Out %s (%s)</PN><FWRI>%s</FWRI></MP></RIMP>",
		m.ManagerModel[4:], m.ManagerModel, version)
}
