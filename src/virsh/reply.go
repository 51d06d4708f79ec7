package virsh

import (
	"fmt"
	"slices"
	"strings"
)

// Names answers [ListAll] and [ListRunning].
func (c Command) Names(names []string) Answer {
	switch {
	case c.Verb == ListRunning && c.Old:
		var lines strings.Builder
		for _, name := range names {
			fmt.Fprintf(&lines, "%q\n", name)
		}
		return Answer{Stdout: lines.String()}
	case c.Old: // the table's ruler has no second column, and neither has its last line
		return Answer{Stdout: "\n" + strings.Join(slices.Concat(names, []string{"", ""}), "\n")}
	}
	return Answer{Stdout: strings.Join(slices.Concat(names, []string{"", ""}), "\n")}
}

// Text answers [MACs] and [BootDevice]: lines without their ends.
func (c Command) Text(lines ...string) Answer {
	var text strings.Builder
	for _, line := range lines {
		if c.Verb == MACs {
			line = NormalMAC(line)
		}
		text.WriteString(line + "\n")
	}
	return Answer{Stdout: text.String()}
}

// Done answers what changes a domain.
func (c Command) Done() Answer {
	text := map[Verb]string{
		Start: "started", Destroy: "destroyed", Reset: "was reset", SetBootDevice: "XML configuration edited.",
	}[c.Verb]
	return Answer{Stdout: fmt.Sprintf("Domain '%s' %s\n\n", c.Domain, text)}
}

// Fail answers what virsh could not do, in its words, such as [Command.NoDomain].
func (c Command) Fail(reasons ...string) Answer {
	a := Answer{Stdout: "\n", Status: 1}
	for _, reason := range reasons {
		a.Stderr += "error: " + reason + "\n"
	}
	if c.Piped() { // awk finds nothing, and ends well
		a.Stdout, a.Status = "", 0
	}
	return a
}

// NoDomain is why virsh fails when it knows no domain of that name.
func (c Command) NoDomain() string { return fmt.Sprintf("failed to get domain '%s'", c.Domain) }
