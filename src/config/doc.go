// Package config decodes JSON that people write, and says exactly what is wrong with it.
//
// A [Decoder] fills a struct. Every fault is named with its whole path ("agent.ntp[1]: want a string, got a
// number"), all faults are reported at once, and an unknown key comes with the nearest known one. The struct
// is the one place that names a key:
//
//	json:"name"      the key, spelled exactly so
//	required:"true"  the key must be there and not be empty
//	default:"90s"    value of an absent key: plain text for strings, durations and what reads itself from text, else JSON
//	oneof:"a|b"      the texts that are allowed; of a list: in each element
//	min:"1"          the least number or duration that is allowed; a duration below zero never is
//	file:"true"      a string may also be {"file": "/path"}, as every [secret.Text] may
//	help:"..."       one sentence for the operator, read by [Reference]
//
// Durations are texts such as "90s" or "1h30m", sizes ([Bytes]) such as "10MiB". A key whose value is null counts as absent. Nothing is
// converted: "5" is no number and 5 is no string, so that a typing slip does not become a password.
//
// A secret may stand in a file: {"file": "/var/vcap/jobs/x/config/password"} instead of the text; one line
// break at the end is dropped. An error never holds a value, except a misspelled word of a oneof list.
//
// It reads JSON alone (who has YAML turns it into JSON first), and does not see a key that stands twice in one object (the last one wins).
// Start at [Decoder.Decode].
package config
