package redfish

import (
	"fmt"
	"net/http"
	"slices"
)

const sessions = "/redfish/v1/SessionService/Sessions"

// authenticate refuses whoever may not ask; nil: may.
func (b *BMC) authenticate(r *http.Request, path string) *answer {
	open := path == "/redfish" || path == "/redfish/v1" || path == "/xmldata" || r.Method == http.MethodPost && path == sessions
	if open || b.cfg.Username == "" {
		return nil
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if token := r.Header.Get("X-Auth-Token"); token != "" {
		for _, t := range b.sessions {
			if t == token {
				return nil
			}
		}
	}
	user, password, basic := r.BasicAuth()
	if basic && !b.cfg.Model.NoBasic && user == b.cfg.Username && password == b.cfg.Password {
		return nil
	}
	no := refuse(http.StatusUnauthorized, "Base.1.5.NoValidSession", "There is no valid session established with the implementation.", "")
	if !b.cfg.Model.NoBasic {
		no.header = map[string]string{"WWW-Authenticate": `Basic realm="BMC"`}
	}
	return no
}

func (b *BMC) showSessionService(*http.Request, object) answer {
	return ok(object{
		"@odata.id": "/redfish/v1/SessionService", "@odata.type": "#SessionService.v1_0_0.SessionService", "Id": "SessionService",
		"Name": "Session Service", "ServiceEnabled": true, "SessionTimeout": 1800, "Sessions": link(sessions),
	})
}

func (b *BMC) listSessions(r *http.Request, _ object) answer {
	paths := []string{}
	for id := range b.sessions {
		paths = append(paths, sessions+"/"+id)
	}
	slices.Sort(paths)
	return b.list("SessionCollection", paths...)(r, nil)
}

// openSession answers with the session's path, an iLO with its URL.
func (b *BMC) openSession(r *http.Request, body object) answer {
	if body["UserName"] != b.cfg.Username || body["Password"] != b.cfg.Password {
		// Some say back what they refuse.
		return *refuse(http.StatusUnauthorized, "Base.1.5.InsufficientPrivilege", fmt.Sprintf("refused: %v", body["Password"]), "")
	}
	b.opened++
	id := fmt.Sprint(b.opened)
	token := fmt.Sprintf("token-%d-%p", b.opened, b)
	b.sessions[id] = token
	path, at := sessions+"/"+id, ""
	if b.cfg.Model.Vendor == "HPE" {
		at = "https://" + r.Host
	}
	return answer{status: http.StatusCreated, body: session(path, id, b.cfg.Username), header: map[string]string{
		"X-Auth-Token": token, "Location": at + path + "/",
	}}
}

func session(path, id, user string) object {
	return object{"@odata.id": path, "@odata.type": "#Session.v1_0_0.Session", "Id": id, "Name": "Session " + id, "UserName": user}
}

func (b *BMC) showSession(r *http.Request, _ object) answer {
	id := r.PathValue("id")
	if b.sessions[id] == "" {
		return *refuse(http.StatusNotFound, "Base.1.5.ResourceMissingAtURI", id, "")
	}
	return ok(session(sessions+"/"+id, id, b.cfg.Username))
}

func (b *BMC) closeSession(r *http.Request, _ object) answer {
	id := r.PathValue("id")
	if b.sessions[id] == "" {
		return *refuse(http.StatusNotFound, "Base.1.5.ResourceMissingAtURI", id, "")
	}
	delete(b.sessions, id)
	return noContent
}
