package client

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/gophercloud/gophercloud/v2"
	"github.com/gophercloud/gophercloud/v2/openstack/identity/v3/tokens"

	"bosh-ironic-cpi/src/baremetal"
)

const loginOp = "log in to Keystone"

// credentials are what a request needs to be let in, and where it goes.
type credentials struct {
	endpoint string // ends in /v1
	header   string // name and value of the header; empty name: none
	value    string
}

// A session holds the credentials. Only Keystone's have to be fetched, and fetched again when they expire.
type session struct {
	login func(context.Context) (credentials, error) // nil: they never change
	turn  chan struct{}                              // holds one token: whose turn it is to look or to log in
	now   credentials
	valid bool
}

// newSession checks a. endpoint may be empty with Keystone: then the catalogue names it.
func newSession(a Auth, endpoint string, transport http.RoundTripper) (*session, error) {
	s := &session{turn: make(chan struct{}, 1), now: credentials{endpoint: endpoint}, valid: true}
	switch a.Type {
	case "", "none":
	case "token":
		if a.Token.IsZero() {
			return nil, errors.New("auth type token needs a token")
		}
		s.now.header, s.now.value = "X-Auth-Token", a.Token.Reveal()
	case "http_basic":
		if a.Username == "" || a.Password.IsZero() {
			return nil, errors.New("auth type http_basic needs username and password")
		}
		s.now.header = "Authorization"
		s.now.value = "Basic " + base64.StdEncoding.EncodeToString([]byte(a.Username+":"+a.Password.Reveal()))
	case "keystone":
		k, err := newKeystone(a, endpoint, transport)
		if err != nil {
			return nil, err
		}
		s.login, s.valid = k.login, false
	default:
		return nil, fmt.Errorf("auth type %q is not known: none, token, http_basic or keystone", a.Type)
	}
	return s, nil
}

// credentials returns the ones to use, and logs in when there are none yet or they are refused, the ones that
// the server has just refused.
func (s *session) credentials(ctx context.Context, refused string) (credentials, error) {
	if s.login == nil {
		return s.now, nil
	}
	select {
	case s.turn <- struct{}{}:
		defer func() { <-s.turn }()
	case <-ctx.Done():
		return credentials{}, ctx.Err()
	}
	if s.valid && s.now.value != refused {
		return s.now, nil
	}
	now, err := s.login(ctx)
	if err != nil {
		return credentials{}, err
	}
	s.now, s.valid = now, true
	return now, nil
}

// A keystone fetches tokens from Keystone's Identity API v3.
type keystone struct {
	identity *gophercloud.ServiceClient
	options  tokens.AuthOptions
	endpoint string // overrides the catalogue
	region   string
}

func newKeystone(a Auth, endpoint string, transport http.RoundTripper) (*keystone, error) {
	if err := checkURL("keystone URL", a.KeystoneURL); err != nil {
		return nil, err
	}
	byCredential := a.ApplicationCredentialID != "" || a.ApplicationCredentialName != ""
	switch {
	case byCredential && a.ApplicationCredentialSecret.IsZero():
		return nil, errors.New("auth type keystone: the application credential needs its secret")
	case byCredential && a.ApplicationCredentialID == "" && a.Username == "":
		return nil, errors.New("auth type keystone: an application credential's name needs a username; its id does not")
	case !byCredential && (a.Username == "" || a.Password.IsZero() || a.Project == ""):
		return nil, errors.New("auth type keystone needs username, password and project, or an application credential")
	}
	base := strings.TrimSuffix(strings.TrimRight(a.KeystoneURL, "/"), "/v3")
	k := &keystone{
		identity: &gophercloud.ServiceClient{ProviderClient: newProvider(transport), Endpoint: base + "/v3/", Type: "identity"},
		endpoint: endpoint,
		region:   a.Region,
	}
	if byCredential { // it implies the project
		k.options = tokens.AuthOptions{
			ApplicationCredentialID:     a.ApplicationCredentialID,
			ApplicationCredentialName:   a.ApplicationCredentialName,
			ApplicationCredentialSecret: a.ApplicationCredentialSecret.Reveal(),
		}
		if a.ApplicationCredentialID == "" {
			k.options.Username, k.options.DomainName = a.Username, orDefault(a.UserDomain)
		}
		return k, nil
	}
	k.options = tokens.AuthOptions{
		Username:   a.Username,
		Password:   a.Password.Reveal(),
		DomainName: orDefault(a.UserDomain),
		Scope:      tokens.Scope{ProjectName: a.Project, DomainName: orDefault(a.ProjectDomain)},
	}
	return k, nil
}

func orDefault(domain string) string {
	if domain == "" {
		return "Default"
	}
	return domain
}

// login fetches a token and, unless the endpoint is given, looks the service up in the token's catalogue.
func (k *keystone) login(ctx context.Context) (credentials, error) {
	result := tokens.Create(ctx, k.identity, &k.options)
	token, err := result.ExtractTokenID()
	if err != nil {
		return credentials{}, err
	}
	got := credentials{endpoint: k.endpoint, header: "X-Auth-Token", value: token}
	if got.endpoint != "" {
		return got, nil
	}
	catalog, err := result.ExtractServiceCatalog()
	if err != nil {
		return credentials{}, err
	}
	for _, entry := range catalog.Entries {
		if entry.Type != "baremetal" && entry.Type != "bare-metal" {
			continue
		}
		for _, e := range entry.Endpoints {
			if e.Interface == "public" && (k.region == "" || k.region == e.Region || k.region == e.RegionID) {
				if got.endpoint, err = endpointOf(e.URL); err != nil {
					err = &baremetal.APIError{Op: loginOp, Kind: baremetal.ErrInvalid, Text: "the catalogue's endpoint: " + err.Error()}
				}
				return got, err
			}
		}
	}
	return credentials{}, &baremetal.APIError{
		Op: loginOp, Kind: baremetal.ErrInvalid,
		Text: fmt.Sprintf("the catalogue has no public endpoint of type baremetal in region %q: set the region, or ironic's URL", k.region),
	}
}
