package api

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/conductor"
)

var customTrait = regexp.MustCompile(`^CUSTOM_[A-Z0-9_]+$`)

// standardTrait takes the name spaces of os-traits, whose list grows with every release of OpenStack.
var standardTrait = regexp.MustCompile(`^(HW|COMPUTE|STORAGE|OWNER|MISC)_[A-Z0-9_]+$`)

func checkTrait(what, trait string) error {
	if len(trait) > 255 || (!customTrait.MatchString(trait) && !standardTrait.MatchString(trait)) {
		return invalid("Schema error for %s: '%s' is not valid under any of the given schemas. Possible root cause: '%s' does not match '^CUSTOM_[A-Z0-9_]+$'", what, trait, trait)
	}
	return nil
}

func (c *call) listTraits() error {
	n, err := c.node()
	if err != nil {
		return err
	}
	traits := append([]string{}, n.Details.Traits...)
	return c.answerJSON(http.StatusOK, map[string]any{"traits": traits})
}

func (c *call) replaceTraits() error {
	wanted, given, err := c.traitsGiven()
	switch {
	case err != nil:
		return err
	case !given:
		return errTraitOrTraits
	}
	return c.setTraits("", func([]string) ([]string, error) { return wanted, nil })
}

// traitsGiven reads the traits that a body lists, if it has a list.
func (c *call) traitsGiven() (traits []string, given bool, err error) {
	body, err := c.object("body")
	if err != nil {
		return nil, false, err
	}
	if err := onlyKeys("body", body, nil, []string{"traits"}); err != nil {
		return nil, false, err
	}
	v, given := body["traits"]
	list, ok := v.([]any)
	if given && !ok {
		return nil, false, invalid("Schema error for body: %s is not of type 'array'", python(v))
	}
	for _, v := range list {
		trait, ok := v.(string)
		if !ok {
			return nil, false, invalid("Schema error for body: %s is not of type 'string'", python(v))
		}
		if err := checkTrait("body", trait); err != nil {
			return nil, false, err
		}
		traits = append(traits, trait)
	}
	return traits, given, nil
}

var errTraitOrTraits = invalid("A single node trait may be added via PUT /v1/nodes/<node identifier>/traits/<trait> with no body, or all node traits may be replaced via PUT /v1/nodes/<node identifier>/traits with the list of traits specified in the request body.")

func (c *call) deleteTraits() error {
	return c.setTraits("", func([]string) ([]string, error) { return nil, nil })
}

func (c *call) addTrait() error {
	trait := c.id(1)
	if err := checkTrait("trait", trait); err != nil {
		return err
	}
	switch _, given, err := c.traitsGiven(); {
	case err != nil:
		return err
	case given:
		return errTraitOrTraits
	}
	return c.setTraits(trait, func(traits []string) ([]string, error) { return append(slices.Clone(traits), trait), nil })
}

func (c *call) deleteTrait() error {
	trait := c.id(1)
	n, err := c.node()
	if err != nil {
		return err
	}
	return c.setTraits("", func(traits []string) ([]string, error) {
		i := slices.Index(traits, trait)
		if i < 0 {
			return nil, &conductor.Error{Kind: baremetal.ErrNotFound, Text: "Node " + n.UUID + " doesn't have a trait '" + trait + "'"}
		}
		return slices.Delete(slices.Clone(traits), i, i+1), nil
	})
}

// setTraits stores them sorted, each once, at most fifty.
func (c *call) setTraits(added string, change func([]string) ([]string, error)) error {
	ident, err := c.ident()
	if err != nil {
		return err
	}
	const most = 50
	err = c.conductor.SetTraits(c.r.Context(), ident, func(traits []string) ([]string, error) {
		traits, err := change(traits)
		slices.Sort(traits)
		traits = slices.Compact(traits)
		if len(traits) > most {
			return nil, invalid("Could not set traits: a node has at most %d", most)
		}
		return traits, err
	})
	if err != nil {
		return err
	}
	if added != "" {
		c.w.Header().Set("Location", c.base()+"/v1/nodes/"+ident+"/traits/"+added)
	}
	return c.noContent()
}

var mac = regexp.MustCompile(`^([0-9a-f]{2}:){5}[0-9a-f]{2}$`)

// macOf reads a MAC address: in any case, with colons.
func macOf(v any) (string, error) {
	text, _ := v.(string)
	lower := strings.ToLower(text)
	if !mac.MatchString(lower) {
		return "", invalid("Expected valid MAC address for address: %s", text)
	}
	return lower, nil
}
