# Sourced by the scripts beside it: background processes that a directory remembers and that are ended by
# their process id; free ports. Every DIR here is absolute, but end_all's.
# shellcheck shell=bash

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

# stat_of PID prints state and start time. Both together tell whether a remembered id is still the same process.
stat_of() {
  local text
  text=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # shellcheck disable=SC2086 # the fields after the command's name, which may hold blanks
  set -- ${text##*) }
  printf '%s %s\n' "$1" "${20}"
}

# alive DIR NAME: does the process that DIR remembers as NAME still run?
alive() {
  local pid born state now
  read -r pid born 2>/dev/null <"$1/run/$2.pid" || return 1
  read -r state now < <(stat_of "$pid") || return 1
  [[ $state != Z && $now == "$born" ]]
}

# spawn DIR NAME COMMAND...: starts the command in a session of its own, its output in DIR/log/NAME.log.
spawn() {
  local dir=$1 name=$2 pid state born
  shift 2
  alive "$dir" "$name" && return 0
  # The lock on DIR (fd 9) is not for the child.
  setsid "$@" >"$dir/log/$name.log" 2>&1 </dev/null 9>&- &
  pid=$!
  read -r state born < <(stat_of "$pid") || {
    say "$name ended at once; see $dir/log/$name.log"
    return 1
  }
  printf '%s %s\n' "$pid" "$born" >"$dir/run/$name.pid"
}

# finish DIR NAME: ends the process and its children: politely, after 5 s by force.
finish() {
  local pid _ i
  if alive "$1" "$2"; then
    read -r pid _ <"$1/run/$2.pid"
    kill "$pid" 2>/dev/null || true
    for ((i = 0; i < 100; i++)); do
      alive "$1" "$2" || break
      sleep 0.05
    done
    kill -9 -- "-$pid" 2>/dev/null || true # what is left of its session
  fi
  rm -f "$1/run/$2.pid"
}

# finish_with PID DIR COMMAND...: runs the command once PID has ended, however it ended.
finish_with() {
  local owner=$1 dir=$2
  shift 2
  # shellcheck disable=SC2016 # expanded by the inner shell
  spawn "$dir" owner bash -c 'tail --pid="$1" -f /dev/null; shift; exec "$@"' owner "$owner" "$@"
}

# ready_made NAME FILE COMMAND...: runs the command, which makes FILE, and keeps a copy under NAME in the caller's
# cache; the next time the copy is all it takes. A schema costs seconds, and every test process needs one.
ready_made() {
  local cache=${XDG_CACHE_HOME:-${HOME:-}/.cache}/bosh-ironic-cpi name=$1 file=$2
  shift 2
  if [[ -s $cache/$name ]]; then
    cp "$cache/$name" "$file"
    return
  fi
  "$@" || return
  { mkdir -p "$cache" && cp "$file" "$cache/$name.$$" && mv "$cache/$name.$$" "$cache/$name"; } 2>/dev/null || true
}

# free_ports N prints N free TCP ports. They lie below the range from which the kernel takes ports for
# outgoing connections: one of those could take ours before its server listens.
free_ports() {
  /usr/bin/python3 - "$1" <<'PY'
import random, socket, sys
held = []
while len(held) < int(sys.argv[1]):
    s = socket.socket()
    try:
        s.bind(("127.0.0.1", random.randrange(15000, 32000)))
        held.append(s)
    except OSError:
        s.close()
print(*[s.getsockname()[1] for s in held])
PY
}

# end_all DIR NAME...: ends these processes and the watch over an owner; removes DIR if WIPE=1.
end_all() {
  local dir pid name
  dir=$(cd "$1" && pwd)
  shift
  rm -f "$dir/url"
  # The watch may be who calls us.
  if read -r pid _ 2>/dev/null <"$dir/run/owner.pid" && [[ $pid == "$$" ]]; then rm "$dir/run/owner.pid"; fi
  for name in owner "$@"; do finish "$dir" "$name"; done
  if [[ ${WIPE:-0} == 1 ]]; then rm -rf "$dir"; fi
}
