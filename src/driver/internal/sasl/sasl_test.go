package sasl

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"bosh-ironic-cpi/src/secret"
)

func login(username, password string) Login {
	return Login{Username: username, Password: secret.New(password), Service: "libvirt", Host: "host.example", Private: true}
}

func TestBestMechanism(t *testing.T) {
	tests := []struct {
		name    string
		offered []string
		public  bool
		want    string
		err     string
	}{
		{name: "the strongest", offered: []string{"PLAIN", "DIGEST-MD5", "SCRAM-SHA-1", "SCRAM-SHA-256"}, want: "SCRAM-SHA-256"},
		{name: "SHA-1 before MD5", offered: []string{"DIGEST-MD5", "scram-sha-1"}, want: "SCRAM-SHA-1"},
		{name: "MD5 before nothing", offered: []string{"PLAIN", "DIGEST-MD5"}, want: "DIGEST-MD5"},
		{name: "the password itself", offered: []string{"GSSAPI", "PLAIN"}, want: "PLAIN"},
		{name: "where others listen", offered: []string{"PLAIN", "SCRAM-SHA-256", "DIGEST-MD5"}, public: true, want: "DIGEST-MD5"},
		{name: "no password where others listen", offered: []string{"PLAIN", "SCRAM-SHA-256"}, public: true, err: "only one that encrypts"},
		{name: "Kerberos", offered: []string{"GSSAPI"}, err: `["GSSAPI"]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := login("user", "pencil")
			l.Private = !tt.public
			got, e, err := New(tt.offered, l)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Fatalf("New(%q) = %s, %v; want an error with %q", tt.offered, got, err, tt.err)
				}
				return
			}
			if err != nil || got != tt.want || e == nil {
				t.Errorf("New(%q) = %s, %v; want %s", tt.offered, got, err, tt.want)
			}
		})
	}
}

func TestPlain(t *testing.T) {
	_, e, err := New([]string{"PLAIN"}, login("tim", "tanstaaftanstaaf")) // RFC 4616, 4
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(e.Start()), "\x00tim\x00tanstaaftanstaaf"; got != want || !e.Complete() {
		t.Errorf("Start() = %q; want %q", got, want)
	}
	if _, err := e.Step([]byte("more?")); err == nil {
		t.Error("a server that asks for more: no error")
	}
}

// scramVector is an exchange in an RFC.
type scramVector struct {
	variant
	nonce, clientFirst, serverFirst, clientFinal, serverFinal string
}

var scramVectors = []scramVector{
	{ // RFC 7677, 3
		variant: sha256SCRAM, nonce: "rOprNGfwEbeRWgbNEkqO",
		clientFirst: "n,,n=user,r=rOprNGfwEbeRWgbNEkqO",
		serverFirst: "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
		clientFinal: "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
		serverFinal: "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
	},
	{ // RFC 5802, 5
		variant: sha1SCRAM, nonce: "fyko+d2lbbFgONRv9qkxdawL",
		clientFirst: "n,,n=user,r=fyko+d2lbbFgONRv9qkxdawL",
		serverFirst: "r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,s=QSXCR+Q6sek8bf92,i=4096",
		clientFinal: "c=biws,r=fyko+d2lbbFgONRv9qkxdawL3rfcNHYJY1ZVvWVs7j,p=v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=",
		serverFinal: "v=rmF9pqV8S7suAoZWja4dJRkFsKQ=",
	},
}

func TestSCRAMVectors(t *testing.T) {
	for _, v := range scramVectors {
		t.Run(v.name, func(t *testing.T) {
			s := newSCRAM(v.variant, login("user", "pencil"), v.nonce)
			if got := string(s.Start()); got != v.clientFirst {
				t.Errorf("Start() = %s; want %s", got, v.clientFirst)
			}
			if got, err := s.Step([]byte(v.serverFirst)); err != nil || string(got) != v.clientFinal {
				t.Errorf("Step(%s) = %s, %v; want %s", v.serverFirst, got, err, v.clientFinal)
			}
			if s.Complete() {
				t.Error("complete before the server has proved anything")
			}
			if got, err := s.Step([]byte(v.serverFinal)); err != nil || got != nil || !s.Complete() {
				t.Errorf("Step(%s) = %s, %v, complete %t; want the end", v.serverFinal, got, err, s.Complete())
			}
		})
	}
}

func TestSCRAMRefuses(t *testing.T) {
	v := scramVectors[0]
	tests := []struct{ name, serverFirst, serverFinal, want string }{
		{"a nonce that is not ours", "r=somebodyElses,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "", "nonce"},
		{"a nonce that adds nothing", "r=" + v.nonce + ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096", "", "nonce"},
		{"no salt", "r=" + v.nonce + "x,s=,i=4096", "", "salt"},
		{"rounds for hours", "r=" + v.nonce + "x,s=AAAA,i=1000000000", "", "rounds"},
		{"no rounds", "r=" + v.nonce + "x,s=AAAA,i=0", "", "rounds"},
		{"an extension that must be known", "m=new,r=" + v.nonce + "x,s=AAAA,i=4096", "", "r=NONCE"},
		{"nothing", "", "", "r=NONCE"},
		{"a server without the password", v.serverFirst, "v=" + strings.Repeat("A", 43) + "=", "not know the password"},
		{"a server that says no", v.serverFirst, "e=invalid-proof", "invalid-proof"},
		{"a server that says something else", v.serverFirst, "x=1", "no signature"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newSCRAM(v.variant, login("user", "pencil"), v.nonce)
			_, err := s.Step([]byte(tt.serverFirst))
			if tt.serverFinal != "" && err == nil {
				_, err = s.Step([]byte(tt.serverFinal))
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || s.Complete() {
				t.Errorf("error %v, complete %t; want one about %q", err, s.Complete(), tt.want)
			}
		})
	}
}

func TestSCRAMEscapesNames(t *testing.T) {
	s := newSCRAM(sha256SCRAM, login("a,b=c", "pencil"), "n")
	if got, want := string(s.Start()), "n,,n=a=2Cb=3Dc,r=n"; got != want {
		t.Errorf("Start() = %s; want %s", got, want)
	}
}

// The exchanges in RFC 2831, 4.
var digestVectors = []struct{ service, nonce, cnonce, response, rspauth string }{
	{"imap", "OA6MG9tEQGm2hh", "OA6MHXh6VqTrRk", "d388dad90d4bbd760a152321f2143af7", "ea40f60335c427b5527b84dbabcdfffd"},
	{"acap", "OA9BSXrbuRhWay", "OA9BSuZWMSpW8m", "6084c6db3fede7352c551284490fd0fc", "2f0b3d7c3c2e486600ef710726aa2eae"},
}

func TestDigestVectors(t *testing.T) {
	for _, v := range digestVectors {
		t.Run(v.service, func(t *testing.T) {
			l := Login{Username: "chris", Password: secret.New("secret"), Service: v.service, Host: "elwood.innosoft.com", Private: true}
			d := newDigest(l, v.cnonce)
			challenge := `realm="elwood.innosoft.com",nonce="` + v.nonce + `",qop="auth",algorithm=md5-sess,charset=utf-8`
			want := `charset=utf-8,username="chris",realm="elwood.innosoft.com",nonce="` + v.nonce + `",nc=00000001,cnonce="` + v.cnonce +
				`",digest-uri="` + v.service + `/elwood.innosoft.com",response=` + v.response + `,qop=auth`
			if got, err := d.Step([]byte(challenge)); err != nil || string(got) != want {
				t.Errorf("Step(%s) = %s, %v; want %s", challenge, got, err, want)
			}
			if d.Complete() {
				t.Error("complete before the server has proved anything")
			}
			if _, err := d.Step([]byte("rspauth=" + v.rspauth)); err != nil || !d.Complete() {
				t.Errorf("rspauth: %v, complete %t; want the end", err, d.Complete())
			}
		})
	}
}

func TestDigestRefuses(t *testing.T) {
	const good = `realm="r",nonce="n",algorithm=md5-sess,charset=utf-8,`
	tests := []struct{ name, challenge, username, want string }{
		{"no nonce", `algorithm=md5-sess`, "u", "nonce"},
		{"another algorithm", `nonce="n",algorithm=md5`, "u", "md5-sess"},
		{"no encryption", good + `qop="auth,auth-int"`, "u", "auth-conf"},
		{"broken ciphers only", good + `qop="auth-conf",cipher="rc4-40,des,rc4-56,3des"`, "u", "ciphers"},
		{"frames too small", good + `qop="auth-conf",cipher="rc4",maxbuf=8`, "u", "frames"},
		{"not Latin, and no UTF-8", `nonce="n",algorithm=md5-sess,qop="auth-conf",cipher=rc4`, "Łukasz", "8859-1"},
		{"no end of a quote", `nonce="n`, "u", "quoted"},
		{"no equals", `nonce`, "u", "NAME=VALUE"},
		{"no comma", `nonce="n"realm="r"`, "u", "comma"},
		{"far too long", strings.Repeat("a=b,", 600), "u", "2400 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			l := login(tt.username, "pencil")
			l.Private = false
			_, err := newDigest(l, "c").Step([]byte(tt.challenge))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Step(%s): %v; want an error about %q", tt.challenge, err, tt.want)
			}
		})
	}
	d := newDigest(login("u", "p"), "c")
	if _, err := d.Step([]byte(good + `qop=auth`)); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Step([]byte("rspauth=00")); err == nil || d.Complete() {
		t.Errorf("a server without the password: %v, complete %t", err, d.Complete())
	}
}

// turned is the server's end of a layer.
func turned(conn net.Conn) *layer {
	l := newLayer(conn, [16]byte{1, 2, 3}, maxFrame)
	l.out, l.in = newDirection([16]byte{1, 2, 3}, "server-to-client"), newDirection([16]byte{1, 2, 3}, "client-to-server")
	return l
}

func TestLayerCarriesWhatIsWritten(t *testing.T) {
	var wire buffer
	ours, theirs := newLayer(&wire, [16]byte{1, 2, 3}, 1000), turned(&wire)
	for _, size := range []int{1, 7, 984, 985, 5000} {
		text := bytes.Repeat([]byte{byte(size)}, size)
		if n, err := ours.Write(text); n != size || err != nil {
			t.Fatalf("Write(%d bytes) = %d, %v", size, n, err)
		}
		got := make([]byte, size)
		if _, err := io.ReadFull(theirs, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, text) {
			t.Errorf("%d bytes came out as others", size)
		}
	}
}

func TestLayerFindsWhatWasTouched(t *testing.T) {
	var sent buffer
	if _, err := newLayer(&sent, [16]byte{1, 2, 3}, maxFrame).Write([]byte("define nothing")); err != nil {
		t.Fatal(err)
	}
	frame := sent.Bytes()
	for i := range frame {
		var wire buffer
		wire.Write(frame)
		wire.Bytes()[i] ^= 0x10
		if n, err := turned(&wire).Read(make([]byte, 100)); err == nil {
			t.Errorf("byte %d was changed, and %d bytes are read", i, n)
		}
	}
	var twice buffer
	twice.Write(append(bytes.Clone(frame), frame...))
	theirs := turned(&twice)
	if _, err := theirs.Read(make([]byte, 100)); err != nil {
		t.Error(err)
	}
	if _, err := theirs.Read(make([]byte, 100)); err == nil {
		t.Error("the same frame again is taken")
	}
}

// buffer is a connection to oneself.
type buffer struct {
	net.Conn
	bytes.Buffer
}

func (b *buffer) Read(p []byte) (int, error)  { return b.Buffer.Read(p) }
func (b *buffer) Write(p []byte) (int, error) { return b.Buffer.Write(p) }
