package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/kong"

	"bosh-ironic-cpi/src/baremetal"
	"bosh-ironic-cpi/src/driver"
	"bosh-ironic-cpi/src/placement"
	"bosh-ironic-cpi/src/store"
)

// The exit statuses. Scripts may rely on them; an unknown one is a failure.
const (
	exitDone        = 0
	exitFailed      = 1
	exitWrong       = 2   // the command line, or a file that it names
	exitSome        = 3   // some of several nodes failed
	exitNotFound    = 10  // no such node or driver
	exitSilent      = 11  // the service does not answer
	exitRefused     = 12  // credentials
	exitUnable      = 13  // the hardware cannot do it
	exitInterrupted = 130 // by a signal
)

var (
	// errWrong marks what is the caller's fault.
	errWrong = errors.New("command line or file is wrong")
	// errSome says that some of several nodes failed.
	errSome = errors.New("some nodes failed")
	// errConfirm says that a command destroys something and waits for --yes.
	errConfirm = errors.New("needs to be confirmed")
)

// A mistake is an error of the caller's. It prints as the error alone.
type mistake struct{ error }

// Unwrap gives the error and errWrong.
func (m mistake) Unwrap() []error { return []error{m.error, errWrong} }

// wrong marks an error as the caller's fault.
func wrong(err error) error {
	if err == nil {
		return nil
	}
	return mistake{err}
}

// about says of which node an error is, in the operator's words: the service's are UUIDs. Nil stays nil.
func about(n baremetal.Node, err error) error {
	if err == nil || n.Name == "" {
		return err // with a UUID alone it says enough
	}
	return fmt.Errorf("node %s: %w", n.Name, err)
}

// outcomes says for each error what the program ends with and what the operator can do; the first match counts.
// docs/nodectl.md lists the statuses.
var outcomes = []struct {
	err    error
	status int
	hint   string
}{
	{context.Canceled, exitInterrupted, "what was asked for may go on, in the service or in the hardware: look before you repeat it"},
	{driver.ErrUntrusted, exitRefused, "compare the certificate or host key with the hardware's own; driver_info says what to trust"},
	{driver.ErrUnreachable, exitSilent, "check the address, that the BMC is on the network, and --timeout"},
	{driver.ErrAuthentication, exitRefused, "check user name and password in driver_info"},
	{driver.ErrUnsupported, exitUnable, "nodectl driver show --own says what the hardware type can do"},
	{context.DeadlineExceeded, exitFailed, "it may still come about: look with nodectl node show; --limit waits longer"},
	{errSome, exitSome, "mend what is said above and repeat the command: what is done stays done"},
	{errConfirm, exitWrong, "add --yes when this is what you want"},
	{errWrong, exitWrong, ""},
	{errNoServer, exitNotFound, "nodectl validate --all -o name lists the servers of the inventory"},
	{placement.ErrBadAsk, exitWrong, ""},
	{store.ErrFile, exitWrong, "take a file that nodectl state export has written, as it is"},
	{store.ErrConflict, exitFailed, "decide which of the two is right, and remove the other: nodectl node show shows what is here"},
	{store.ErrUnderway, exitFailed, "let it come to its end and export again, or add --force: then it arrives as failed"},
	{baremetal.ErrUnauthorized, exitRefused, "check --username and --password-file, the token, --ca"},
	{baremetal.ErrAmbiguous, exitFailed, "it may have happened: look with nodectl node show before you repeat it"},
	{baremetal.ErrNotFound, exitNotFound, "nodectl node list and nodectl driver list show what there is"},
	{baremetal.ErrLocked, exitFailed, "a conductor is at work on the node: try again when it is done, or raise --retry-for"},
	{baremetal.ErrAssociated, exitFailed, "nodectl claims says who holds the node"},
	{baremetal.ErrTaken, exitFailed, "choose another name, UUID or MAC address, or look at the node that has it"},
	{baremetal.ErrWrongState, exitFailed, "nodectl node show tells the node's state; nodectl node provision leads it on"},
	{baremetal.ErrInvalid, exitFailed, "mend what the service names above; nodectl driver show lists the keys of driver_info"},
	{baremetal.ErrVersion, exitFailed, "the service is too old or too new for this"},
	{baremetal.ErrFailed, exitFailed, "mend what last_error says, then nodectl node provision with the verb again"},
	{baremetal.ErrUnavailable, exitSilent, "check --url, and that the service and its conductor run"},
}

// outcome finds an error among them.
func outcome(err error) (status int, hint string) {
	_, key := errors.AsType[*driver.ParameterError](err)
	_, argument := errors.AsType[*driver.ArgumentError](err)
	switch {
	case argument:
		return exitWrong, "nodectl vendor -o json says what each method takes"
	case key && !errors.Is(err, driver.ErrUntrusted):
		return exitWrong, "give it by --set or in the inventory; nodectl driver show --own lists the keys of driver_info"
	}
	for _, o := range outcomes {
		if errors.Is(err, o.err) {
			return o.status, o.hint
		}
	}
	return exitFailed, ""
}

// fail tells the operator what went wrong and what to do, and returns the exit status.
func (c *console) fail(ctx context.Context, err error) int {
	status, hint := outcome(err)
	if ctx.Err() != nil {
		status = exitInterrupted
	}
	c.note("nodectl: %v", err)
	if parse, ok := errors.AsType[*kong.ParseError](err); ok && parse.Context != nil {
		hint = commandOf(parse.Context) + " --help says what there is"
	}
	if hint != "" {
		c.note("hint: %s", hint)
	}
	return status
}

// commandOf is the command as far as it was understood.
func commandOf(k *kong.Context) string {
	words := []string{"nodectl"}
	for word := range strings.FieldsSeq(k.Command()) {
		if !strings.HasPrefix(word, "<") { // an argument
			words = append(words, word)
		}
	}
	return strings.Join(words, " ")
}
