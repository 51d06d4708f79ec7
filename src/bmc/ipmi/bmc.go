package ipmi

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"

	"github.com/bougou/go-ipmi/pkg/bmc"
	"github.com/bougou/go-ipmi/pkg/handlers"
	"github.com/bougou/go-ipmi/pkg/server"
	"github.com/bougou/go-ipmi/pkg/types"
)

// A Config describes a BMC.
type Config struct {
	Address  string  // where it listens, such as 127.0.0.1:623; empty: a free port of 127.0.0.1
	Machine  Machine // nil: a [Memory]
	Username string  // empty: admin
	Password string  // at most 20 bytes; empty: secret
	Suites   []int   // cipher suites, of 1, 2, 3, 15, 16, 17; empty: 17 and 3
	// Level is the highest privilege level of the user: 2 user, 3 operator, 4 administrator; 0: administrator.
	Level byte
	// Console opens the machine's serial port. nil: it has none.
	Console func(ctx context.Context) (io.ReadWriteCloser, error)
	// Records are sensor data records without their first two bytes, the number, which the BMC gives: the first has 1.
	Records [][]byte
	// Commands are more than the BMC's own, or other than those.
	Commands map[Command]Handler
	// Controllers are behind the BMC.
	Controllers map[Place]Handler
	// TwoPackets has a controller's answer come in a packet of its own, after that of Send Message, as specified. Otherwise
	// it is within that one. In sessions of IPMI 1.5 it always is.
	TwoPackets bool
}

// A Command is the name of one.
type Command struct{ NetFn, Cmd byte }

// A Place is a channel of the BMC and an address on it.
type Place struct{ Channel, Address byte }

// A Handler carries a command out. answer is what follows the completion code; it may come with any code.
type Handler func(c Command, data []byte) (code byte, answer []byte)

// A BMC listens until [BMC.Close].
type BMC struct {
	cfg    Config
	core   *bmc.BMC
	server *server.Server
	conn   *wire
	cancel context.CancelFunc
	tasks  sync.WaitGroup

	mu     sync.Mutex
	flags  [5]byte
	ack    [2]byte
	fault  Fault
	resets [2]int // cold, warm
	closed bool
}

const user = 2 // its number; 1 is the user without a name

// Start makes a BMC. ctx ends it too, but only Close waits for the end.
func Start(ctx context.Context, cfg Config) (*BMC, error) {
	setDefault(&cfg.Address, "127.0.0.1:0")
	setDefault(&cfg.Username, "admin")
	setDefault(&cfg.Password, "secret")
	if cfg.Machine == nil {
		cfg.Machine = &Memory{}
	}
	if cfg.Level == 0 {
		cfg.Level = byte(bmc.PrivilegeLevelAdministrator)
	}
	var listen net.ListenConfig
	socket, err := listen.ListenPacket(ctx, "udp", cfg.Address)
	if err != nil {
		return nil, err
	}
	b := &BMC{cfg: cfg}
	if err := b.build(); err != nil {
		_ = socket.Close()
		return nil, err
	}
	ctx, b.cancel = context.WithCancel(ctx)
	b.conn = &wire{PacketConn: socket, bmc: b, done: ctx}
	b.server = server.NewServer(b.core, b.conn, server.WithHandlerRegistry(b.registry()), server.WithServerBufferSize(1024))
	b.tasks.Go(func() { _ = b.server.Serve(ctx) })
	return b, nil
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

func (b *BMC) build() error {
	if len(b.cfg.Username) > bmc.MaxUserNameLen || len(b.cfg.Password) > bmc.MaxPasswordLen {
		return fmt.Errorf("user name of %d and password of %d bytes: the BMC has room for %d and %d",
			len(b.cfg.Username), len(b.cfg.Password), bmc.MaxUserNameLen, bmc.MaxPasswordLen)
	}
	info := bmc.DeviceInfo{DeviceID: 0x20, DeviceRevision: 1, FirmwareMajor: 1, IPMIVersion: 0x02, AdditionalDeviceSupport: 0x82, ManufacturerID: 0xa2b2, ProductID: 1}
	var guid [16]byte
	_, _ = rand.Read(guid[:]) // never fails
	b.core = bmc.New(info, guid, hardware{b})
	if len(b.cfg.Suites) > 0 {
		var suites []types.CipherSuiteID
		for _, s := range b.cfg.Suites {
			id := types.CipherSuiteID(s) //nolint:gosec // checked right below
			if !bmc.SupportedCipherSuite(id) {
				return fmt.Errorf("cipher suite %d: the BMC has none such", s)
			}
			suites = append(suites, id)
		}
		b.core.SetCipherSuites(suites)
	}
	if _, err := b.core.Users.Add(user, b.cfg.Username); err != nil {
		return err
	}
	return b.core.Users.Update(user, func(u *bmc.User) error {
		u.Enabled = true
		u.SetPassword([]byte(b.cfg.Password))
		u.ChannelAccess = map[uint8]bmc.UserChannelAccess{
			1: {MaxPrivilege: bmc.PrivilegeLevel(b.cfg.Level), Enabled: true},
		}
		return nil
	})
}

// registry is the server's commands with ours over them.
func (b *BMC) registry() *handlers.Registry {
	r := handlers.NewRegistry()
	handlers.RegisterAllHandlers(r)
	b.register(r)
	return r
}

// Address is where the BMC listens.
func (b *BMC) Address() netip.AddrPort {
	return netip.MustParseAddrPort(b.conn.LocalAddr().String())
}

// Sessions is how many are open or being opened.
func (b *BMC) Sessions() int {
	return b.core.Sessions.Count() + b.core.V15Sessions.CountActiveSessions()
}

// Resets says how often the BMC itself was reset.
func (b *BMC) Resets() (cold, warm int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.resets[0], b.resets[1]
}

// Boot is what the boot flags ask for.
func (b *BMC) Boot() Boot {
	b.mu.Lock()
	defer b.mu.Unlock()
	return boot(b.flags)
}

// later runs a task beside the server, unless the BMC is closed.
func (b *BMC) later(task func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.tasks.Go(task)
	}
}

// Close ends the BMC and waits until nothing of it runs.
func (b *BMC) Close() error {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.cancel()
	err := b.server.Close()
	b.tasks.Wait()
	return err
}
