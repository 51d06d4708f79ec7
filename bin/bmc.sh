# Sourced by the scripts beside it, after processes.sh: OpenIPMI's ipmi_sim as the BMC of a machine that keeps its power
# state and boot device in files, DIR/chassis/power and boot. A file chassis/ignore makes it deaf.
# shellcheck shell=bash

# start_bmc DIR PORT: user admin, password secret, commands over RMCP+.
start_bmc() {
  write_bmc "$1" "$2"
  spawn "$1" bmc ipmi_sim -c "$1/bmc.conf" -f "$1/bmc.emu" -s "$1/run/bmc-state" -n
}

# env_of_bmc DIR PORT: what a caller wants to know, a line each.
env_of_bmc() {
  printf '%s\n' "IPMI_ADDRESS=127.0.0.1" "IPMI_PORT=$2" "IPMI_USERNAME=admin" "IPMI_PASSWORD=secret" "IPMI_CHASSIS=$1/chassis"
}

write_bmc() {
  local dir=$1 port=$2
  mkdir -p "$dir/run/bmc-state" "$dir/chassis"
  cat >"$dir/bmc.conf" <<CONF
name "bmc"
set_working_mc 0x20
  startlan 1
    addr 127.0.0.1 $port
    priv_limit admin
    allowed_auths_callback none md2 md5 straight
    allowed_auths_user none md2 md5 straight
    allowed_auths_operator none md2 md5 straight
    allowed_auths_admin none md2 md5 straight
    guid a123456789abcdefa123456789abcdef
  endlan
  chassis_control "$dir/chassis-control"
  user 1 true  "" "" user 10 none md2 md5 straight
  user 2 true  "admin" "secret" admin 10 none md2 md5 straight
CONF
  cat >"$dir/bmc.emu" <<'CONF'
mc_setbmc 0x20
mc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02 persist_sdr
sel_enable 0x20 1000 0x0a
sensor_add 0x20 0 0 1 1
mc_enable 0x20
CONF
  # ipmi_sim calls it with: get NAME... or: set NAME VALUE ...
  {
    echo '#!/bin/bash'
    echo "cd '$dir/chassis' || exit 1"
    cat <<'CONF'
op=$1
shift
while (($#)); do
  case $op-$1 in
  get-power) echo "power:$(cat power 2>/dev/null || echo 0)" ;;
  get-boot) echo "boot:$(cat boot 2>/dev/null || echo none)" ;;
  set-*)
    [[ -e ignore ]] && exit 0 # a machine that does not listen
    echo "$1 $2" >>log
    case $1 in
    power | boot) echo "$2" >"$1" ;;
    shutdown) echo 0 >power ;;
    reset) echo 1 >power ;;
    esac
    shift
    ;;
  esac
  shift
done
CONF
  } >"$dir/chassis-control"
  chmod +x "$dir/chassis-control"
}
