package client

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/gophercloud/gophercloud/v2"

	"bosh-ironic-cpi/src/baremetal"
)

func TestAnswersMean(t *testing.T) {
	tests := []struct {
		answer string
		method string
		want   error
		text   string
	}{
		{"busy/delete", "DELETE", baremetal.ErrLocked, "is locked by host"},
		{"busy/patch", "PATCH", baremetal.ErrLocked, "state transition is in progress"},
		{"busy/deploy-busy4", "PUT", baremetal.ErrUnavailable, "lack of free conductor workers"},
		{"noconductor/patch", "PATCH", baremetal.ErrUnavailable, "Unable to establish connection"},
		{"noconductor/provision", "PUT", baremetal.ErrUnavailable, "Unable to establish connection"},
		{"nodes/create-duplicate-name", "POST", baremetal.ErrTaken, "name rec-a already exists"},
		{"nodes/create-duplicate-uuid", "POST", baremetal.ErrTaken, "UUID"},
		{"ports/create-duplicate", "POST", baremetal.ErrTaken, "52:54:00:aa:00:01"},
		{"nodes/create-unknown-field", "POST", baremetal.ErrInvalid, "'colour' was unexpected"},
		{"nodes/create-unknown-driver", "POST", baremetal.ErrInvalid, "supports driver nonsense"},
		{"nodes/create-unknown-driver", "PUT", baremetal.ErrUnavailable, "No conductor service registered"},
		{"nodes/create-not-json", "POST", baremetal.ErrUnavailable, "Expecting property name"},
		{"nodes/delete-active", "DELETE", baremetal.ErrWrongState, "while it is in provision state"},
		{"nodes/show-not-found-uuid", "GET", baremetal.ErrNotFound, "could not be found"},
		{"nodes/create-name-1.1", "GET", baremetal.ErrVersion, "not acceptable"},
		{"patch/claim-other-value", "PATCH", baremetal.ErrAssociated, "is associated with instance"},
		{"patch/claim-same-value-other-node", "PATCH", baremetal.ErrAssociated, "already associated with a node"},
		{"patch/remove-missing-key", "PATCH", baremetal.ErrInvalid, "can't remove a non-existent object"},
		{"patch/no-value", "PATCH", baremetal.ErrUnavailable, "'value'"},
		{"provision/active-active", "PUT", baremetal.ErrWrongState, `"active" can not be performed`},
		{"provision/protected-deleted", "PUT", baremetal.ErrWrongState, "is protected"},
		{"provision/retired-provide", "PUT", baremetal.ErrWrongState, "because it is retired"},
		{"provision/retire-available", "PATCH", baremetal.ErrWrongState, "'retired'"},
		{"states/maintenance-active", "PUT", baremetal.ErrWrongState, "in maintenance mode"},
		{"direct/active-no-checksum", "PUT", baremetal.ErrInvalid, "image_checksum"},
		{"auth/none", "GET", baremetal.ErrUnauthorized, "Authorization required"},
		{"auth/wrong-password", "GET", baremetal.ErrUnauthorized, "Incorrect username or password"},
		{"auth/garbage", "GET", baremetal.ErrInvalid, "Could not decode authorization token"},
		{"versions/accept-html", "GET", baremetal.ErrVersion, "could not be generated"},
		{"versions/method-not-allowed", "PUT", baremetal.ErrInvalid, "Method Not Allowed"},
		{"versions/unknown-v1-path", "GET", baremetal.ErrUnavailable, "check the URL"},

		{"bare 404 <html><title>404</title><body>nginx says no</body></html>", "GET", baremetal.ErrUnavailable, "check the URL"},
		{"bare 403 forbidden by the proxy", "GET", baremetal.ErrUnauthorized, "forbidden by the proxy"},
		{"bare 302 ", "GET", baremetal.ErrInvalid, "redirects to"},
		{"bare 502 <html><head><title>x</title></head><body><h1>Bad gateway</h1></body></html>", "GET", baremetal.ErrUnavailable, "Bad gateway"},
		{"bare 504 ", "PATCH", baremetal.ErrAmbiguous, "no answer came"},
		{"bare 429 slow down", "GET", baremetal.ErrUnavailable, "slow down"},
		{`500 {"error_message": {"faultstring": "Timed out waiting for a reply to message ID 1"}}`, "PUT", baremetal.ErrAmbiguous, "Timed out"},
		{`400 {"error_message": {"faultstring": "no string in JSON"}}`, "PUT", baremetal.ErrInvalid, "no string in JSON"},
		{`400 {"error_message": "plain words"}`, "PUT", baremetal.ErrInvalid, "plain words"},
		{"500 ", "PUT", baremetal.ErrUnavailable, ""},
		{"200 <html>welcome</html>", "GET", baremetal.ErrUnavailable, "check the URL"},
		{`200 {"hello": "world"}`, "GET", baremetal.ErrUnavailable, "check the URL"},
		{"refused", "PATCH", baremetal.ErrUnavailable, "connection refused"},
		{"lost", "PATCH", baremetal.ErrAmbiguous, "unexpected EOF"},
		{"lost", "GET", baremetal.ErrUnavailable, "unexpected EOF"},
		{`200 {"uuid": "cut of`, "GET", baremetal.ErrUnavailable, "unexpected EOF"},
		{`200 {"uuid": "cut of`, "PATCH", baremetal.ErrAmbiguous, "unexpected EOF"},
	}
	for _, tt := range tests {
		t.Run(tt.method+" "+tt.answer, func(t *testing.T) {
			c, f := newFar(t, Config{RetryLimit: never}, tt.answer)
			var n nodeAnswer
			err := c.do(t.Context(), request{op: "ask node x", method: tt.method, path: "/nodes/x"}, &n)
			if !errors.Is(err, tt.want) {
				t.Errorf("error = %v; want %v", err, tt.want)
			}
			var api *baremetal.APIError
			if !errors.As(err, &api) || !strings.Contains(err.Error(), tt.text) || !strings.HasPrefix(err.Error(), "ask node x: ") {
				t.Errorf("error = %v; want an APIError of \"ask node x\" with %q", err, tt.text)
			}
			if n := len(f.requests()); n != 1 {
				t.Errorf("%d requests; want 1", n)
			}
		})
	}
}

func TestErrorsRepeatNoPasswords(t *testing.T) {
	body := `400 {"error_message": {"faultstring": "image http://cpi:hunter2@store/x, https://a:hunter2@[::1]:80/ and ftp://tok-hunter2@h"}}`
	c, _ := newFar(t, Config{}, body)
	_, err := c.Patch(t.Context(), nodeID, baremetal.Patch{baremetal.Add("/driver_info/ipmi_password", "hunter2")})
	if !errors.Is(err, baremetal.ErrInvalid) || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("error = %v; want ErrInvalid without the password", err)
	}
}

func TestBusySQLiteIsAskedAgain(t *testing.T) {
	body := `{"error_message": "{\"faultstring\": \"(sqlite3.OperationalError) database is locked\"}"}`
	for _, method := range []string{http.MethodPut, http.MethodPatch, http.MethodGet} {
		answer := gophercloud.ErrUnexpectedResponseCode{Actual: http.StatusInternalServerError, Body: []byte(body)}
		if o, err := refusal("x", method, answer); o != passing || !errors.Is(err, baremetal.ErrUnavailable) {
			t.Errorf("%s: %v, outcome %d; want ErrUnavailable, passing", method, err, o)
		}
	}
}

func TestLongAnswersAreCut(t *testing.T) {
	c, _ := newFar(t, Config{}, "400 "+strings.Repeat("ä", 1<<20))
	_, err := c.Node(t.Context(), "x")
	if len(err.Error()) > textLimit+100 {
		t.Errorf("error of %d bytes; want about %d", len(err.Error()), textLimit)
	}
}

func FuzzTextOf(f *testing.F) {
	for _, name := range []string{"busy/delete", "auth/none", "versions/accept-html", "versions/too-high"} {
		body, err := os.ReadFile("testdata/" + name + ".txt")
		if err != nil {
			f.Fatal(err)
		}
		_, body, _ = bytes.Cut(body, []byte("{")) // from the answer's or the request's first object on
		f.Add(append([]byte("{"), body...))
	}
	f.Add([]byte(`{"error_message": "\"http://a:b@c\""}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		text := textOf(body)
		if len(text) > textLimit+3*len("…") || userInfo.ReplaceAllString(text, "${1}***@") != text || strings.ContainsAny(text, "\r\n") {
			t.Errorf("textOf(%q) = %q", body, text)
		}
	})
}
