package amt

import (
	"crypto/tls"
	"net"
	"strconv"
	"strings"
	"time"

	"bosh-ironic-cpi/src/driver"
)

// The keys of driver_info. The first four are those of Ironic's staging driver; the last three stood in its
// configuration file, as group amt_driver.
const (
	keyAddress       = "amt_address"
	keyUsername      = "amt_username"
	keyPassword      = "amt_password"
	keyProtocol      = "amt_protocol"
	keyPort          = "amt_port"
	keyVerifyCA      = "amt_verify_ca"
	keyAwakeInterval = "amt_awake_interval"
	keyMaxAttempts   = "amt_max_attempts"
	keyActionWait    = "amt_action_wait"
)

// info is driver_info, read.
type info struct {
	address, username, password string
	protocol                    string
	port                        int
	tls                         *tls.Config // for https
	awakeInterval               time.Duration
	maxAttempts                 int
	actionWait                  time.Duration
}

// hostPort is where AMT listens.
func (i info) hostPort() string { return net.JoinHostPort(i.address, strconv.Itoa(i.port)) }

// Validate implements driver.Validator. It reads the file of amt_verify_ca and connects to nobody.
func (*hardware) Validate(n *driver.Node) error {
	_, err := parse(n)
	return err
}

// Where implements driver.Located.
func (*hardware) Where(n *driver.Node) string {
	i, _ := parse(n)
	return "AMT at " + i.hostPort()
}

// parse reads driver_info. The error is a [driver.ParameterError].
func parse(n *driver.Node) (i info, err error) {
	r := n.Reader()
	i = info{
		address:  strings.Trim(r.Required(keyAddress), "[]"),
		username: r.Required(keyUsername), password: r.Required(keyPassword),
		protocol: r.OneOf(keyProtocol, "http", "http", "https"),

		awakeInterval: r.Seconds(keyAwakeInterval, 60*time.Second, 0, 24*time.Hour),
		actionWait:    r.Seconds(keyActionWait, 10*time.Second, 0, 24*time.Hour),
		maxAttempts:   r.Integer(keyMaxAttempts, 3, 1, 100),
	}
	if strings.ContainsAny(i.address, "/@ \t\r\n") {
		r.Wrong(keyAddress, "is no host name or address: give nothing but that, the port goes to "+keyPort)
	}
	i.port = r.Port(keyPort, map[string]int{"http": 16992, "https": 16993}[i.protocol])
	if i.protocol == "https" {
		if i.tls, err = trustOf(i.address, r.Trust(keyVerifyCA)); err != nil {
			return i, err
		}
	}
	return i, r.Err()
}
