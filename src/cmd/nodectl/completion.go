package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionBash is "completion bash".
type completionBash struct{}

// Help is the end of the command's help.
func (completionBash) Help() string {
	return "Examples:\n  source <(nodectl completion bash)\n  nodectl completion bash > /etc/bash_completion.d/nodectl"
}

// Run prints the script. Names of nodes are asked of the service when the key is pressed, those of servers are the inventory's.
func (completionBash) Run(k *kong.Context, c *console) error {
	return writeCompletion(c.out, k.Model.Node)
}

// The script walks the words to the command that they name, then offers what may come next there.
const (
	completionHead = `# Completion of nodectl for bash: source <(nodectl completion bash)
_nodectl() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} path='' words='' nodes='' servers='' inventory=$NODECTL_INVENTORY i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$path ${COMP_WORDS[i]}" in
      %s) path="$path ${COMP_WORDS[i]}" ;;
    esac
    case "${COMP_WORDS[i]}" in # bash has = as a word of its own
      -i|--inventory) inventory=${COMP_WORDS[i+1]}; [[ $inventory != = ]] || inventory=${COMP_WORDS[i+2]} ;;
    esac
  done
`
	completionTail = `  if [[ -n $nodes && $word != -* ]]; then
    words="$words $(nodectl node list -o name 2>/dev/null)"
  fi
  if [[ -n $servers && -n $inventory && $word != -* ]]; then
    words="$words $(nodectl validate --all --inventory "${inventory/#\~/$HOME}" -o name 2>/dev/null)"
  fi
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _nodectl nodectl
`
)

// writeCompletion writes the script for the commands below root.
func writeCompletion(w io.Writer, root *kong.Node) error {
	var paths []string
	var values, places strings.Builder
	collect(root, "", &paths, &places)
	for _, flag := range flagsOf(root, true) {
		if line := valuesOf(flag); line != "" {
			values.WriteString(line)
		}
	}
	quoted := make([]string, len(paths))
	for i, path := range paths {
		quoted[i] = `"` + path + `"`
	}
	_, err := fmt.Fprintf(w, completionHead+"  case $before in\n%s  esac\n  case $path in\n%s  esac\n"+completionTail,
		strings.Join(quoted, "|"), values.String(), places.String())
	return err
}

// collect lists the commands below n and writes what each offers.
func collect(n *kong.Node, path string, paths *[]string, places *strings.Builder) {
	var offered []string
	asks := ""
	for _, child := range n.Children {
		if !child.Hidden {
			offered = append(offered, child.Name)
			*paths = append(*paths, path+" "+child.Name)
		}
	}
	for _, argument := range n.Positional {
		switch argument.Name {
		case "node":
			asks = " nodes=1"
		case "server":
			asks = " servers=1"
		}
		offered = append(offered, choices(argument)...)
	}
	for at := n; at != nil; at = at.Parent {
		for _, flag := range at.Flags {
			offered = append(offered, "--"+flag.Name)
			if flag.Tag.Negatable != "" {
				offered = append(offered, "--no-"+flag.Name)
			}
		}
	}
	fmt.Fprintf(places, "    %q) words=%q%s ;;\n", path, strings.Join(offered, " "), asks)
	for _, child := range n.Children {
		if !child.Hidden {
			collect(child, path+" "+child.Name, paths, places)
		}
	}
}

// flagsOf lists the flags of n and of all commands below it, each name once.
func flagsOf(n *kong.Node, top bool) []*kong.Flag {
	flags := slices.Clone(n.Flags)
	for _, child := range n.Children {
		flags = append(flags, flagsOf(child, false)...)
	}
	if top {
		slices.SortFunc(flags, func(a, b *kong.Flag) int { return strings.Compare(a.Name, b.Name) })
		flags = slices.CompactFunc(flags, func(a, b *kong.Flag) bool { return a.Name == b.Name })
	}
	return flags
}

// valuesOf is the line for what comes after a flag: words, a node, or a file. A flag without a value has none.
func valuesOf(flag *kong.Flag) string {
	if flag.IsBool() {
		return ""
	}
	names := "--" + flag.Name
	if flag.Short != 0 {
		names += "|-" + string(flag.Short)
	}
	reply := `COMPREPLY=()`
	switch list := choices(flag.Value); {
	case len(list) > 0:
		reply = fmt.Sprintf(`COMPREPLY=($(compgen -W %q -- "$word"))`, strings.Join(list, " "))
	case flag.PlaceHolder == "FILE":
		reply = `COMPREPLY=($(compgen -f -- "$word"))`
	case flag.PlaceHolder == "NODE":
		reply = `COMPREPLY=($(compgen -W "$(nodectl node list -o name 2>/dev/null)" -- "$word"))`
	}
	return fmt.Sprintf("    %s) %s; return ;;\n", names, reply)
}

// choices are the words that a value may be; none where it is free.
func choices(value *kong.Value) []string {
	if value.Enum == "" {
		return nil
	}
	return value.EnumSlice()
}
