package fakeramdisk

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// hints describe a disk as properties.root_device and properties.skip_block_devices do: all must hold.
type hints map[string]any

// hintsOf reads one set of hints or a list of them. A set without hints is an error: it would match every disk.
func hintsOf(v any) ([]hints, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case map[string]any:
		if len(v) == 0 {
			return nil, nil
		}
		return []hints{v}, nil
	case []any:
		var all []hints
		for i, item := range v {
			h, _ := item.(map[string]any)
			if len(h) == 0 {
				return nil, fmt.Errorf("[%d]: want hints like {\"wwn\": \"0x5000…\"}", i)
			}
			all = append(all, h)
		}
		return all, nil
	}
	return nil, fmt.Errorf("want hints like {\"wwn\": \"0x5000…\"}, not %v", v)
}

// match reports whether all hints hold for d. One that a scratch disk has nothing to say to (hctl, vendor…) does not.
func (h hints) match(d Disk) bool {
	for key, want := range h {
		text := strings.ToLower(strings.TrimSpace(fmt.Sprint(want)))
		ok := false
		switch key {
		case "name":
			ok = matchText("/dev/"+d.Name, text)
		case "wwn", "wwn_with_extension":
			ok = matchText(d.WWN, text)
		case "serial":
			ok = matchText(d.Serial, text)
		case "model":
			ok = matchText(d.Model, text)
		case "size":
			ok = matchNumber(d.Bytes/gib, text) // whole GiB
		case "rotational":
			ok = text == "false"
		}
		if !ok {
			return false
		}
	}
	return true
}

// matchText compares without case: "text", "s== text", "s!= text", "<in> part", "<or> one <or> other".
func matchText(have, want string) bool {
	have = strings.ToLower(have)
	op, rest, _ := strings.Cut(want, " ")
	rest = strings.TrimSpace(rest)
	switch op {
	case "s==":
		return have == rest
	case "s!=":
		return have != rest
	case "<in>":
		return strings.Contains(have, rest)
	case "<or>":
		for one := range strings.SplitSeq(rest, "<or>") {
			if have == strings.TrimSpace(one) {
				return true
			}
		}
		return false
	}
	return have == want || path.Base(have) == want // a name without /dev/
}

// matchNumber compares whole numbers: "5", "= 5" (at least), "== 5", "!= 5", ">= 5", "> 5", "<= 5", "< 5".
func matchNumber(have int64, want string) bool {
	op, number := "==", want
	if first, rest, ok := strings.Cut(want, " "); ok {
		op, number = first, strings.TrimSpace(rest)
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return false
	}
	switch op {
	case "==":
		return have == n
	case "!=":
		return have != n
	case ">=", "=":
		return have >= n
	case ">":
		return have > n
	case "<=":
		return have <= n
	case "<":
		return have < n
	}
	return false
}
