package amt

import (
	"crypto/tls"
	"fmt"
	"math"
	"net"
	"slices"
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

// parse reads driver_info. The error is a [driver.ParameterError].
func parse(n *driver.Node) (i info, err error) {
	r := reader{node: n}
	i.address = strings.Trim(r.required(keyAddress), "[]")
	i.username = r.required(keyUsername)
	i.password = r.required(keyPassword)
	i.protocol = r.text(keyProtocol, "http")
	if !slices.Contains([]string{"http", "https"}, i.protocol) {
		r.wrong(keyProtocol, fmt.Sprintf("is %q: want http or https", i.protocol))
	}
	if strings.ContainsAny(i.address, "/@ \t\r\n") {
		r.wrong(keyAddress, "is no host name or address: give nothing but that, the port goes to "+keyPort)
	}
	i.port = map[string]int{"http": 16992, "https": 16993}[i.protocol]
	if text := r.text(keyPort, ""); text != "" {
		i.port, err = strconv.Atoi(text)
		switch {
		case err != nil:
			r.wrong(keyPort, fmt.Sprintf("%q is not a valid integer.", text))
		case i.port < 1 || i.port > 65535:
			r.wrong(keyPort, fmt.Sprintf("%q is out of range. Valid port numbers must be between 1 and 65535.", text))
		}
	}
	i.awakeInterval = r.seconds(keyAwakeInterval, 60*time.Second)
	i.actionWait = r.seconds(keyActionWait, 10*time.Second)
	i.maxAttempts, err = strconv.Atoi(r.text(keyMaxAttempts, "3"))
	if err != nil || i.maxAttempts < 1 || i.maxAttempts > 100 {
		r.wrong(keyMaxAttempts, "is no whole number from 1 to 100")
	}
	if trust := r.text(keyVerifyCA, "true"); i.protocol == "https" {
		i.tls, err = trustOf(i.address, trust)
		if err != nil {
			r.wrong(keyVerifyCA, err.Error())
		}
	}
	return i, r.err
}

// A reader takes keys out of driver_info and keeps the first thing that is wrong.
type reader struct {
	node *driver.Node
	err  error
}

func (r *reader) wrong(key, problem string) {
	if r.err == nil {
		r.err = &driver.ParameterError{Key: key, Problem: problem}
	}
}

func (r *reader) text(key, otherwise string) string {
	if value, there := r.node.Info[key]; there && value != nil && value != "" {
		return fmt.Sprint(value)
	}
	return otherwise
}

func (r *reader) required(key string) string {
	text := r.text(key, "")
	if text == "" {
		r.wrong(key, "")
	}
	return text
}

// seconds reads a number of seconds, which may have a fraction.
func (r *reader) seconds(key string, otherwise time.Duration) time.Duration {
	text := r.text(key, "")
	if text == "" {
		return otherwise
	}
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(number) || number < 0 || number > 86400 {
		r.wrong(key, "is no number of seconds from 0 to 86400")
		return otherwise
	}
	return time.Duration(number * float64(time.Second))
}
