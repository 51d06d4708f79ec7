package sasl

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha1" //nolint:gosec // RFC 5802 has it, and servers of that age no other
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"net"
	"strconv"
	"strings"
)

// variant is SCRAM with one hash.
type variant struct {
	name string
	hash func() hash.Hash
	size int
}

var (
	sha256SCRAM = variant{"SCRAM-SHA-256", sha256.New, sha256.Size}
	sha1SCRAM   = variant{"SCRAM-SHA-1", sha1.New, sha1.Size}
)

// A server that asks for more rounds than that wants our time; 4096 is what RFC 7677 asks for at least, and Cyrus' default.
const mostRounds = 1_000_000

// gs2 says that the client knows no channel binding, and is nobody else than it says.
const gs2 = "n,,"

type scram struct {
	variant
	login     Login
	nonce     string
	firstBare string
	want      []byte // the server's signature; nil before the second message
	verified  bool
}

func newSCRAM(v variant, login Login, nonce string) *scram {
	name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(login.Username)
	return &scram{variant: v, login: login, nonce: nonce, firstBare: "n=" + name + ",r=" + nonce}
}

func (s *scram) Start() []byte { return []byte(gs2 + s.firstBare) }

func (s *scram) Complete() bool { return s.verified }

func (s *scram) Secure(conn net.Conn) net.Conn { return conn }

func (s *scram) Step(message []byte) (answer []byte, err error) {
	switch {
	case s.verified && len(message) == 0:
		return nil, nil
	case s.verified:
		err = errors.New("a message after the last one")
	case s.want == nil:
		answer, err = s.prove(string(message))
	default:
		err = s.verify(string(message))
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.name, err)
	}
	return answer, nil
}

// prove answers the server's first message with the proof that we know the password.
func (s *scram) prove(serverFirst string) ([]byte, error) {
	nonce, salt, rounds, err := parseServerFirst(serverFirst)
	if err != nil {
		return nil, err
	}
	if !strings.HasPrefix(nonce, s.nonce) || nonce == s.nonce {
		return nil, errors.New("the server's nonce does not extend ours")
	}
	salted, err := pbkdf2.Key(s.hash, s.login.Password.Reveal(), salt, rounds, s.size)
	if err != nil {
		return nil, err
	}
	without := "c=" + base64.StdEncoding.EncodeToString([]byte(gs2)) + ",r=" + nonce
	conversation := s.firstBare + "," + serverFirst + "," + without
	key := s.mac(salted, "Client Key")
	stored := s.hash()
	stored.Write(key)
	proof := s.mac(stored.Sum(nil), conversation)
	for i := range proof {
		proof[i] ^= key[i]
	}
	s.want = s.mac(s.mac(salted, "Server Key"), conversation)
	return []byte(without + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

// verify checks the server's proof.
func (s *scram) verify(serverFinal string) error {
	first, _, _ := strings.Cut(serverFinal, ",")
	if reason, refused := strings.CutPrefix(first, "e="); refused {
		return fmt.Errorf("the server says %q", reason)
	}
	text, ok := strings.CutPrefix(first, "v=")
	if !ok {
		return errors.New("the server's last message has no signature")
	}
	signature, err := base64.StdEncoding.DecodeString(text)
	if err != nil || !hmac.Equal(signature, s.want) {
		return errors.New("the server does not know the password: it is not the one that it seems to be")
	}
	s.verified = true
	return nil
}

func (s *scram) mac(key []byte, text string) []byte {
	h := hmac.New(s.hash, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// parseServerFirst reads r=NONCE,s=SALT,i=ROUNDS and extensions after them.
func parseServerFirst(text string) (nonce string, salt []byte, rounds int, err error) {
	parts := strings.Split(text, ",")
	if len(parts) < 3 || !strings.HasPrefix(parts[0], "r=") || !strings.HasPrefix(parts[1], "s=") || !strings.HasPrefix(parts[2], "i=") {
		return "", nil, 0, errors.New("the server's first message is not r=NONCE,s=SALT,i=ROUNDS")
	}
	salt, err = base64.StdEncoding.DecodeString(parts[1][2:])
	if err != nil || len(salt) == 0 {
		return "", nil, 0, errors.New("the server's salt is not base64")
	}
	rounds, err = strconv.Atoi(parts[2][2:])
	if err != nil || rounds < 1 || rounds > mostRounds {
		return "", nil, 0, fmt.Errorf("the server wants %.20q rounds; 1 to %d are taken", parts[2][2:], mostRounds)
	}
	return parts[0][2:], salt, rounds, nil
}
