// Package secret keeps text from being printed by accident.
//
// A [Text] prints as *** through fmt, slog and encoding/json. Only [Text.Reveal] gives the text, so grep
// finds every line that sends one. It does not protect memory.
package secret

import "log/slog"

const mask = "***"

// Text is a password, token or key. The zero value is "no secret".
type Text struct{ text string }

// New returns a Text that reveals s.
func New(s string) Text { return Text{text: s} }

// Reveal returns the text itself, for the line that sends it.
func (t Text) Reveal() string { return t.text }

// IsZero reports whether there is no secret.
func (t Text) IsZero() bool { return t.text == "" }

// String implements fmt.Stringer and prints *** for any secret, nothing for none.
func (t Text) String() string {
	if t.text == "" {
		return ""
	}
	return mask
}

// GoString implements fmt.GoStringer, for %#v.
func (t Text) GoString() string { return t.String() }

// MarshalText writes the mask, never the secret: encoding/json and YAML use it.
func (t Text) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText reads the secret.
func (t *Text) UnmarshalText(b []byte) error {
	t.text = string(b)
	return nil
}

// LogValue implements slog.LogValuer.
func (t Text) LogValue() slog.Value { return slog.StringValue(t.String()) }
