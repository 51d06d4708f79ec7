package redfish

import (
	"net/http"
	"path"
	"slices"
	"strings"
)

// A drive is a slot with what is in it.
type drive struct {
	Slot
	image    string // also of one that was ejected, with some
	inserted bool
}

func (b *BMC) media() string {
	if b.cfg.Model.MediaOnSystem {
		return b.system() + "/VirtualMedia"
	}
	return b.manager() + "/VirtualMedia"
}

func (b *BMC) routeMedia() {
	paths := make([]string, 0, len(b.cfg.Model.Slots))
	for _, s := range b.cfg.Model.Slots {
		paths = append(paths, b.media()+"/"+s.ID)
	}
	b.handle("GET "+b.media(), b.list("VirtualMediaCollection", paths...))
	b.handle("GET "+b.media()+"/{slot}", b.onDrive(b.showDrive))
	b.handle("PATCH "+b.media()+"/{slot}", b.onDrive(b.patchDrive))
	prefix := "VirtualMedia."
	actions := b.media() + "/{slot}/Actions/"
	b.handle("POST "+actions+prefix+"InsertMedia", b.onDrive(b.insert))
	b.handle("POST "+actions+prefix+"EjectMedia", b.onDrive(b.eject))
	b.handle("POST "+actions+"Oem/{oem}/{action}", b.onDrive(func(r *http.Request, d *drive, body object) answer {
		delete(body, "Action") // which may say again what the path says: ilorest does
		return b.oemAction(r.PathValue("oem"), r.PathValue("action"), d, body)
	}))
	if b.cfg.Model.OEM == "Hp" { // as before Redfish
		b.handle("POST "+b.media()+"/{slot}", b.onDrive(func(_ *http.Request, d *drive, body object) answer {
			action, _ := body["Action"].(string)
			target, _ := body["Target"].(string)
			delete(body, "Action")
			delete(body, "Target")
			return b.oemAction(path.Base(target), "."+action, d, body)
		}))
	}
}

func (b *BMC) onDrive(h func(*http.Request, *drive, object) answer) func(*http.Request, object) answer {
	return func(r *http.Request, body object) answer {
		d := b.drives[r.PathValue("slot")]
		if d == nil {
			return *refuse(http.StatusNotFound, "Base.1.5.ResourceMissingAtURI", r.URL.Path, "")
		}
		if b.busy > 0 && r.Method == http.MethodPost {
			b.busy--
			return *refuse(http.StatusInternalServerError, "IDRAC.2.8.VRM0021", "Virtual Media is detached or Virtual Media redirection is in use.", "")
		}
		return h(r, d, body)
	}
}

func (b *BMC) showDrive(_ *http.Request, d *drive, _ object) answer {
	at := b.media() + "/" + d.ID
	via := "NotConnected"
	if d.inserted {
		via = "URI"
	}
	body := object{
		"@odata.id": at, "@odata.type": "#VirtualMedia.v1_3_0.VirtualMedia", "@odata.etag": b.etag(), "Id": d.ID, "Name": "VirtualMedia",
		"MediaTypes": d.Types, "ConnectedVia": via, "Image": nil, "Inserted": d.inserted, "WriteProtected": true,
	}
	if d.image != "" {
		body["Image"], body["ImageName"] = d.image, path.Base(d.image)
	}
	standard := object{
		"#VirtualMedia.InsertMedia": object{"target": at + "/Actions/VirtualMedia.InsertMedia"},
		"#VirtualMedia.EjectMedia":  object{"target": at + "/Actions/VirtualMedia.EjectMedia"},
	}
	switch m := b.cfg.Model; {
	case d.Insert == "oem":
		body["Oem"] = object{m.OEM: object{"Actions": b.oemActions(at, "HpiLO")}}
	case m.OEM == "Hpe":
		body["Oem"] = object{m.OEM: object{"Actions": b.oemActions(at, "HpeiLO")}}
		body["Actions"] = standard
	case d.Insert == "action", d.Insert == "refuse", d.Insert == "lose":
		body["Actions"] = standard
	}
	allow := "GET, HEAD"
	if d.Insert == "patch" {
		allow += ", PATCH"
	}
	return answer{status: http.StatusOK, body: body, header: map[string]string{"ETag": b.etag(), "Allow": allow}}
}

// oemActions are those of an iLO; schema is its generation's prefix.
func (b *BMC) oemActions(at, schema string) object {
	both := object{}
	for _, action := range []string{"InsertVirtualMedia", "EjectVirtualMedia"} {
		name := schema + "VirtualMedia." + action
		both["#"+name] = object{"target": at + "/Actions/Oem/" + b.cfg.Model.OEM + "/" + name}
	}
	return both
}

func (b *BMC) patchDrive(r *http.Request, d *drive, body object) answer {
	if d.Insert != "patch" {
		return *refuse(http.StatusMethodNotAllowed, "Base.1.5.OperationNotAllowed", "PATCH", "")
	}
	if wrong := b.stale(r); wrong != nil {
		return *wrong
	}
	image, _ := body["Image"].(string)
	inserted, _ := body["Inserted"].(bool)
	switch _, named := body["Image"]; {
	case !named:
		return *refuse(http.StatusBadRequest, "Base.1.5.PropertyMissing", "Image", "Image")
	case image != "" && !inserted:
		return *refuse(http.StatusBadRequest, "Base.1.5.PropertyMissing", "Inserted", "Inserted")
	}
	return b.put(d, image)
}

func (b *BMC) insert(_ *http.Request, d *drive, body object) answer {
	m := b.cfg.Model
	image, _ := body["Image"].(string)
	_, inserted := body["Inserted"]
	_, protected := body["WriteProtected"]
	missing := func(parameter string) answer {
		return *refuse(http.StatusBadRequest, "Base.1.5.ActionParameterMissing", "The action requires the parameter "+parameter, parameter)
	}
	switch {
	case d.Insert == "" || d.Insert == "patch" || d.Insert == "oem":
		return *refuse(http.StatusNotFound, "Base.1.5.ActionNotSupported", "InsertMedia", "")
	case d.Insert == "refuse", m.RefusesAction:
		return *refuse(http.StatusBadRequest, "Base.1.5.ActionParameterNotSupported", "this drive is the console's", "Image")
	case image == "":
		return missing("Image")
	case m.ImageOnly && (inserted || protected):
		return *refuse(http.StatusBadRequest, "Base.1.5.ActionParameterUnknown", "Inserted", "Inserted")
	case m.NeedsProtocol && body["TransferProtocolType"] == nil:
		return missing("TransferProtocolType")
	case m.NeedsFlags && (!inserted || !protected):
		return missing("Inserted")
	case d.inserted:
		return *refuse(http.StatusConflict, "Base.1.5.ResourceInUse", "a medium is in the drive", "")
	case m.Vendor == "HPE" && !strings.Contains(m.License, "Advanced"):
		return unlicensed()
	}
	return b.put(d, image)
}

func unlicensed() answer {
	return *refuse(http.StatusForbidden, "iLO.2.15.LicenseKeyRequired", "A license key is required to use this operation or feature.", "")
}

func (b *BMC) eject(_ *http.Request, d *drive, _ object) answer {
	if d.Insert != "action" && d.Insert != "lose" && d.Insert != "refuse" {
		return *refuse(http.StatusNotFound, "Base.1.5.ActionNotSupported", "EjectMedia", "")
	}
	return b.put(d, "")
}

func (b *BMC) oemAction(oem, action string, d *drive, body object) answer {
	m := b.cfg.Model
	if oem != m.OEM {
		return *refuse(http.StatusNotFound, "Base.1.5.ActionNotSupported", action, "")
	}
	image, _ := body["Image"].(string)
	switch {
	case strings.HasSuffix(action, ".EjectVirtualMedia"):
		return b.put(d, "")
	case !strings.HasSuffix(action, ".InsertVirtualMedia"):
		return *refuse(http.StatusNotFound, "Base.1.5.ActionNotSupported", action, "")
	case len(body) != 1 || image == "":
		return *refuse(http.StatusBadRequest, "iLO.0.10.ActionParameterUnknown", "only Image is known", "")
	case !strings.Contains(m.License, "Advanced"):
		return unlicensed()
	}
	return b.put(d, image)
}

// put inserts an image, or ejects what is there.
func (b *BMC) put(d *drive, image string) answer {
	m := b.cfg.Model
	if b.faults.NoMedium && image != "" {
		return *refuse(http.StatusInternalServerError, "IDRAC.2.8.RAC0720", "Unable to locate the ISO or IMG image file.", "")
	}
	if b.faults.NoEject && image == "" {
		return *refuse(http.StatusConflict, "Base.1.5.ResourceInUse", "the medium is in use", "")
	}
	b.version++
	if image == "" && d.inserted && m.BusyEject {
		b.busy = 1
	}
	lost := m.Pretends || d.Insert == "lose"
	if image != "" && lost {
		return noContent
	}
	shown := image
	if image == "" && m.KeepsImage {
		shown = d.image
	}
	of := image + d.image
	d.image, d.inserted = shown, image != ""
	if err := b.cfg.Machine.SetMedia(device(d.Types, of), image); err != nil {
		return *refuse(http.StatusInternalServerError, "Base.1.5.InternalError", err.Error(), "")
	}
	return noContent
}

// device is what a machine sees. Drives that can be both tell by the image's name, as an iDRAC does.
func device(types []string, image string) string {
	cd := slices.Contains(types, "CD") || slices.Contains(types, "DVD")
	stick := slices.Contains(types, "USBStick") || slices.Contains(types, "Floppy")
	if !cd || stick && strings.HasSuffix(image, ".img") {
		return "floppy"
	}
	return "cdrom"
}
