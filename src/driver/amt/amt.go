package amt

import (
	"time"

	"bosh-ironic-cpi/src/driver"
)

// Spec is the driver's line in the table.
var Spec = driver.Spec{
	Name:  "amt",
	About: "Intel AMT (vPro), by WS-Management",
	Keys: []driver.Key{
		{Name: keyAddress, Meaning: "host name or address of AMT; on most machines that of the server's first network card", Required: true},
		{Name: keyUsername, Meaning: "account of AMT, mostly admin", Required: true},
		{Name: keyPassword, Meaning: "the account's password, as set in MEBx", Required: true, Secret: true},
		{Name: keyProtocol, Meaning: "http or https", Default: "http"},
		{Name: keyPort, Meaning: "TCP port", Default: "16992 for http, 16993 for https"},
		{Name: keyVerifyCA, Meaning: "whom https trusts: true, the system's authorities; false, anybody; a path of a file or directory, the " +
			"certificates in it, be they authorities or AMT's own", Default: "true"},
		{Name: keyAwakeInterval, Meaning: "seconds for which AMT stays awake once it has answered a ping; it is pinged before a call when they " +
			"are over; 0: never", Default: "60"},
		{Name: keyMaxAttempts, Meaning: "how often a power state is asked for until the server follows", Default: "3"},
		{Name: keyActionWait, Meaning: "seconds that the server has to follow before it is looked at again; Intel asks for up to 10 s between " +
			"two changes", Default: "10"},
	},
	New: func() any { return &hardware{awake: everybody, limit: exchangeLimit} },
}

// What one exchange of request and answer may take. Old engines need some seconds.
const exchangeLimit = 15 * time.Second

// everybody is who is awake, for all nodes of the process.
var everybody = &awake{prober: network{}}

type hardware struct {
	awake *awake
	limit time.Duration // of one exchange
}

var (
	_ driver.Located    = (*hardware)(nil)
	_ driver.BootDevice = (*hardware)(nil)
	_ driver.Validator  = (*hardware)(nil)
)
