package redfish

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// A Config is how a BMC is set up.
type Config struct {
	Model    Model   // the zero value: the first of [Models]
	Machine  Machine // nil: a [Memory]
	Username string  // empty: anybody may do anything
	Password string
	POST     time.Duration // how long a machine that starts is in its self test, when an iLO refuses to set the boot device
	Hardware Hardware      // the zero value: some

	MoreSystems []string // paths that are listed besides the machine's
}

// Faults are how hardware fails.
type Faults struct {
	Silent   bool          // takes connections and requests, and never answers
	Resets   bool          // resets connections
	Late     time.Duration // before each answer
	Stuck    bool          // takes power commands and follows none
	Busy     int           // so many requests are answered with 503
	NoMedium bool          // the machine cannot fetch images
	NoEject  bool          // what is in a drive stays there
}

// A BMC is a server's management controller.
type BMC struct {
	cfg Config
	mux *http.ServeMux

	mu       sync.Mutex
	faults   Faults
	log      []string
	sessions map[string]string // token by id
	opened   int
	boot     override
	first    string // FirstBootDevice of an old iDRAC
	oneTime  bool   // that is for once
	bios     string // BootMode of the BIOS settings, after the next start
	posting  time.Time
	version  int // of what can be changed: its ETag
	drives   map[string]*drive
	busy     int // requests that find a drive still at work
	tasks    int
}

// New makes a BMC.
func New(cfg Config) *BMC {
	if cfg.Model.System == "" {
		cfg.Model = Models()[0]
	}
	if cfg.Machine == nil {
		cfg.Machine = &Memory{}
	}
	if cfg.Hardware.CPUs == 0 {
		cfg.Hardware = someHardware
	}
	b := &BMC{
		cfg: cfg, mux: http.NewServeMux(), sessions: map[string]string{}, drives: map[string]*drive{},
		boot: override{Enabled: "Disabled", Target: "None", Mode: "UEFI"}, bios: "Uefi", first: "Normal",
	}
	for _, s := range cfg.Model.Slots {
		b.drives[s.ID] = &drive{Slot: s}
	}
	b.route()
	return b
}

// Break makes the BMC fail from now on; the zero value heals it.
func (b *BMC) Break(f Faults) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.faults = f
}

// Requests are those that came, such as "GET /redfish/v1".
func (b *BMC) Requests() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.log)
}

// Sessions counts those that are open, and those that ever were.
func (b *BMC) Sessions() (open, ever int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sessions), b.opened
}

// route is the table of contents. Paths have no slash at the end: ServeHTTP takes it off.
func (b *BMC) route() {
	if m := b.cfg.Model; m.Vendor == "HPE" {
		b.mux.HandleFunc("GET /xmldata", b.showXML)
		if m.RIBCL {
			return
		}
	}
	b.handle("GET /redfish", b.showVersions)
	b.handle("GET /redfish/v1", b.showRoot)
	if !b.cfg.Model.NoSessions {
		b.handle("GET /redfish/v1/SessionService", b.showSessionService)
		b.handle("GET /redfish/v1/SessionService/Sessions", b.listSessions)
		b.handle("POST /redfish/v1/SessionService/Sessions", b.openSession)
		b.handle("GET /redfish/v1/SessionService/Sessions/{id}", b.showSession)
		b.handle("DELETE /redfish/v1/SessionService/Sessions/{id}", b.closeSession)
	}
	b.handle("GET /redfish/v1/Systems", b.list("ComputerSystemCollection", append([]string{b.system()}, b.cfg.MoreSystems...)...))
	b.handle("GET "+b.system(), b.showSystem)
	b.handle("PATCH "+b.system(), b.patchSystem)
	b.handle("POST "+b.system()+"/Actions/ComputerSystem.Reset", b.reset)
	b.handle("GET /redfish/v1/Managers", b.list("ManagerCollection", b.manager()))
	b.handle("GET "+b.manager(), b.showManager)
	b.routeMedia()
	b.routeHardware()
	b.routeOEM()
}

func (b *BMC) system() string  { return "/redfish/v1/Systems/" + b.cfg.Model.System }
func (b *BMC) manager() string { return "/redfish/v1/Managers/" + b.cfg.Model.Manager }

// An answer is a status, a body that JSON can hold, and headers.
type answer struct {
	status int
	body   any
	header map[string]string
}

func (b *BMC) handle(pattern string, h func(*http.Request, object) answer) {
	b.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		body, wrong := b.decode(r)
		b.mu.Lock()
		var a answer
		if wrong != nil {
			a = *wrong
		} else {
			a = h(r, body)
		}
		b.mu.Unlock()
		write(w, a)
	})
}

func write(w http.ResponseWriter, a answer) {
	for name, value := range a.header {
		w.Header().Set(name, value)
	}
	w.Header().Set("OData-Version", "4.0")
	if a.body == nil {
		w.WriteHeader(a.status)
		return
	}
	text, err := json.Marshal(a.body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = w.Write(text)
}

// An object is a JSON object.
type object = map[string]any

func (b *BMC) decode(r *http.Request) (object, *answer) {
	if r.Method == http.MethodGet || r.Method == http.MethodDelete {
		return nil, nil
	}
	text, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil {
		return nil, refuse(http.StatusBadRequest, "Base.1.5.MalformedJSON", "body", "")
	}
	if len(text) == 0 {
		if b.cfg.Model.NeedsJSON {
			return nil, refuse(http.StatusBadRequest, "Base.1.5.MalformedJSON", "no body", "")
		}
		return object{}, nil
	}
	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") && b.cfg.Model.NeedsJSON {
		return nil, refuse(http.StatusUnsupportedMediaType, "Base.1.5.UnsupportedMediaType", r.Header.Get("Content-Type"), "")
	}
	var body object
	if json.Unmarshal(text, &body) != nil {
		return nil, refuse(http.StatusBadRequest, "Base.1.5.MalformedJSON", "body", "")
	}
	return body, nil
}

// refuse is an error in Redfish's form. property may be empty.
func refuse(status int, id, message, property string) *answer {
	info := object{"MessageId": id, "Message": message, "Severity": "Warning", "Resolution": "None.", "MessageArgs": []string{}}
	if property != "" {
		info["RelatedProperties"] = []string{"#/" + property}
	}
	return &answer{status: status, body: object{"error": object{
		"code": id, "message": message, "@Message.ExtendedInfo": []object{info},
	}}}
}

var noContent = answer{status: http.StatusNoContent}

func ok(body object) answer { return answer{status: http.StatusOK, body: body} }

// list answers a collection of the members.
func (b *BMC) list(kind string, members ...string) func(*http.Request, object) answer {
	return func(r *http.Request, _ object) answer {
		links := []object{}
		for _, m := range members {
			links = append(links, link(m))
		}
		return ok(object{
			"@odata.id": strings.TrimSuffix(r.URL.Path, "/"), "@odata.type": "#" + kind + "." + kind, "Name": kind,
			"Members": links, "Members@odata.count": len(links),
		})
	}
}

func link(path string) object { return object{"@odata.id": path} }

// ServeHTTP implements http.Handler.
func (b *BMC) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimSuffix(r.URL.Path, "/")
	if older, is := strings.CutPrefix(path, "/rest/v1"); is && b.cfg.Model.Vendor == "HPE" { // what iLOs had before Redfish
		path = "/redfish/v1" + older
	}
	b.mu.Lock()
	b.log = append(b.log, r.Method+" "+path)
	f := b.faults
	busy := b.faults.Busy > 0
	if busy {
		b.faults.Busy--
	}
	b.mu.Unlock()
	switch {
	case f.Silent:
		<-r.Context().Done()
		return
	case f.Resets:
		hangUp(w)
		return
	case f.Late > 0:
		timer := time.NewTimer(f.Late)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-r.Context().Done():
			return
		}
	}
	if busy {
		write(w, *refuse(http.StatusServiceUnavailable, "Base.1.5.ServiceTemporarilyUnavailable", "busy", ""))
		return
	}
	if refused := b.authenticate(r, path); refused != nil {
		write(w, *refused)
		return
	}
	r2 := r.Clone(r.Context())
	r2.URL.Path = path
	if _, pattern := b.mux.Handler(r2); pattern == "" {
		write(w, *refuse(http.StatusNotFound, "Base.1.5.ResourceMissingAtURI", fmt.Sprintf("%s %s", r.Method, path), ""))
		return
	}
	b.mux.ServeHTTP(w, r2)
}

// hangUp resets the connection.
func hangUp(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
