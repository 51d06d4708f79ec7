package store

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"bosh-ironic-cpi/src/conductor"
)

// sealedPrefix begins driver_info that was sealed.
var sealedPrefix = []byte(`{"sealed":`)

// seal encrypts an object for one node.
func (s *Store) seal(o conductor.Object, node string) conductor.Object {
	nonce := make([]byte, s.sealed.NonceSize())
	_, _ = rand.Read(nonce) // never fails
	text := s.sealed.Seal(nonce, nonce, o, []byte(node))
	return conductor.NewObject(map[string]any{"sealed": base64.StdEncoding.EncodeToString(text)})
}

// open decrypts what was sealed, and leaves alone what was not.
func (s *Store) open(o conductor.Object, node string) (conductor.Object, error) {
	if !bytes.HasPrefix(o, sealedPrefix) {
		return o, nil
	}
	if s.sealed == nil {
		return nil, fmt.Errorf("driver_info of node %s is sealed: give the key file that it was sealed with", node)
	}
	var outer struct{ Sealed []byte }
	if err := json.Unmarshal(o, &outer); err != nil || len(outer.Sealed) < s.sealed.NonceSize() {
		return nil, fmt.Errorf("driver_info of node %s is damaged", node)
	}
	size := s.sealed.NonceSize()
	text, err := s.sealed.Open(nil, outer.Sealed[:size], outer.Sealed[size:], []byte(node))
	if err != nil {
		return nil, fmt.Errorf("driver_info of node %s was sealed with another key", node)
	}
	return text, nil
}
