package nodemanager

import "strings"

// object is a JSON Schema, draft 4, of arguments: the required ones, separated by spaces, and what each one may be.
func object(required string, properties ...string) string {
	return `{"$schema": "http://json-schema.org/draft-04/schema#", ` + members(required, properties...) + `}`
}

func members(required string, properties ...string) string {
	return `"type": "object", "additionalProperties": false, "required": ["` + strings.Join(strings.Fields(required), `", "`) +
		`"], "properties": {` + strings.Join(properties, ", ") + `}`
}

const (
	anyDomain     = `"domain_id": {"type": "string", "enum": ["platform", "cpu", "memory", "io"]}`
	anyPolicy     = `"policy_id": {"type": "integer", "minimum": 0, "maximum": 255}`
	anyTrigger    = `"policy_trigger": {"type": "string", "enum": ["none", "temperature", "power", "reset", "boot"]}`
	anyPowerSide  = `"power_domain": {"type": "string", "enum": ["primary", "secondary"]}`
	anyTime       = `{"type": "integer", "minimum": 0, "maximum": 240}`
	anyDays       = `{"type": "array", "minItems": 1, "uniqueItems": true, "items": {"type": "string", "enum": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]}}`
	anyEnable     = `"enable": {"type": "boolean"}`
	anyShort      = `{"type": "integer", "minimum": 0, "maximum": 65535}`
	anyBootMode   = `"boot_mode": {"type": "string", "enum": ["power", "performance"]}`
	anyCoresToCut = `"cores_disabled": {"type": "integer", "minimum": 0, "maximum": 127}`
)

var (
	policySchema       = object("domain_id policy_id", anyDomain, anyPolicy)
	capabilitiesSchema = object("domain_id policy_trigger power_domain", anyDomain, anyTrigger, anyPowerSide)
	controlSchema      = object("scope enable",
		`"scope": {"type": "string", "enum": ["global", "domain", "policy"]}`, anyEnable, anyDomain, anyPolicy)
	setSchema = object("domain_id enable policy_id policy_trigger action power_domain target_limit reporting_period",
		anyDomain, anyEnable, anyPolicy, anyTrigger, anyPowerSide,
		`"action": {"type": "string", "enum": ["alert", "shutdown"]}`,
		`"cpu_power_correction": {"type": "string", "enum": ["auto", "unagressive", "aggressive"]}`,
		`"storage": {"type": "string", "enum": ["persistent", "volatile"]}`,
		// A number, or an object: the bounds are the number's, the members the object's.
		`"target_limit": {`+strings.Replace(members("boot_mode cores_disabled", anyBootMode, anyCoresToCut), `"object"`, `["integer", "object"], "minimum": 0, "maximum": 65535`, 1)+`}`,
		`"correction_time": {"type": "integer", "minimum": 0}`,
		`"trigger_limit": `+anyShort, `"reporting_period": `+anyShort)
	suspendSchema = object("domain_id policy_id periods", anyDomain, anyPolicy,
		`"periods": {"type": "array", "minItems": 1, "maxItems": 5, "items": {`+
			members("start stop days", `"start": `+anyTime, `"stop": `+anyTime, `"days": `+anyDays)+`}}`)
	statisticsSchema = object("scope",
		`"scope": {"type": "string", "enum": ["global", "policy"]}`, `"parameter_name": {"type": "string"}`, anyPolicy,
		`"domain_id": {"type": "string", "enum": ["platform", "cpu", "memory", "protection", "io"]}`)
)
