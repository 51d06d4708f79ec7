#!/bin/sh
# A machine that is files beside this script, for ipmi_sim's chassis_control, which calls
#   chassis.sh ADDRESS get WHAT... | chassis.sh ADDRESS set WHAT VALUE...
dir=$(dirname "$0")
shift
verb=$1
shift
case $verb in
  get)
    for what in "$@"; do
      echo "$what:$(cat "$dir/$what" 2>/dev/null || { [ "$what" = boot ] && echo default || echo 0; })"
    done
    ;;
  set)
    while [ $# -ge 2 ]; do
      echo "$1 $2" >>"$dir/calls"
      if ! [ -e "$dir/stuck" ]; then
        case $1 in
          power | boot) echo "$2" >"$dir/$1" ;;
          shutdown) echo 0 >"$dir/power" ;;
        esac
      fi
      shift 2
    done
    ;;
esac
