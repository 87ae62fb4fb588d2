# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
# Sourced by ./dev: sealaned in the foreground, for a developer.

# Where the private resolver of a session listens, if the host has none that validates.
kPrivateResolverPort=53853
# An Unbound that reaches the root answers in a second or two; after this the lab is the way out.
kResolverPatienceSeconds=10
# Start-up is bounded by the daemon's own self-tests.
kStartPatienceSeconds=30
# The TCP listener, for a Postfix that may not look into our state directory.
kSocketmapPort=8461

resolver=''
started=()
daemon=''
signalled=''

dev_run() {
  local lab='' once='' state=${XDG_STATE_HOME:-$HOME/.local/state}/sealane-dev
  while [ $# -gt 0 ]; do
    case $1 in
      --lab) lab=yes ;;
      --once) once=yes ;;
      --state)
        [ $# -gt 1 ] || fail "run: --state needs a directory"
        state=$(from_caller "$2")
        shift
        ;;
      *) fail "run: unknown option $1" ;;
    esac
    shift
  done
  [ -z "$once" ] || [ -n "$lab" ] || fail "run: --once goes with --lab"
  need_packages build run
  configure_tree build
  build_targets build src/sealaned src/sealane
  mkdir -p "$state"
  chmod 700 "$state"

  if [ -z "$lab" ] && find_resolver "$state"; then
    write_config "$state" "$resolver" "listen = inet:127.0.0.1:$kSocketmapPort"
    start_daemon "$state"
    say_how_to_connect "$state"
    wait_for_daemon
  fi
  [ -n "$lab" ] ||
    say "No resolver validates here and none of our own can: running in the lab (tests/lab)."
  need_packages lab
  exec tests/lab/lab run scripts/run-in-lab "$state" "${lab:-no}" "${once:-no}"
}

# ---- a validating resolver

# find_resolver STATE: sets `resolver`, or fails.
find_resolver() {
  resolver=$(validating_upstream) && return 0
  start_private_resolver "$1" || return 1
  resolver=127.0.0.1@$kPrivateResolverPort
}

# validating_upstream: prints the loopback resolver of this host, if it validates.
validating_upstream() {
  local address addresses
  mapfile -t addresses < <(awk '$1 == "nameserver" && $2 ~ /^127[.]|^::1$/ { print $2 }' \
    /etc/resolv.conf)
  for address in "${addresses[@]}" 127.0.0.1; do
    scripts/validates "$address" && echo "$address" && return 0
  done
  return 1
}

# start_private_resolver STATE: a validating Unbound for this session.  Asks the root itself, or
# where that is forbidden through the host's resolvers.
start_private_resolver() {
  local state=$1/unbound forwarders
  ip route show default 2>/dev/null | grep -q . || return 1
  mkdir -p "$state"
  cp /usr/share/dns/root.key "$state/root.key"
  forwarders=$(awk '$1 == "nameserver" { print "  forward-addr: " $2 }' /etc/resolv.conf)
  try_private_resolver "$state" '' ||
    try_private_resolver "$state" "$(printf 'forward-zone:\n  name: "."\n%s\n' "$forwarders")" ||
    return 1
  say "This host has no validating resolver on loopback: using an Unbound of our own on" \
    "127.0.0.1:$kPrivateResolverPort."
}

# try_private_resolver DIR CONFIGURATION
try_private_resolver() {
  cat >"$1/unbound.conf" <<END
server:
  interface: 127.0.0.1
  port: $kPrivateResolverPort
  directory: "$1"
  chroot: ""
  username: ""
  pidfile: ""
  use-syslog: no
  logfile: "$1/unbound.log"
  do-ip6: $(ip -6 route show default 2>/dev/null | grep -q . && echo yes || echo no)
  module-config: "validator iterator"
  auto-trust-anchor-file: "$1/root.key"
  root-hints: /usr/share/dns/root.hints
  edns-buffer-size: 1232
remote-control:
  control-enable: no
$2
END
  PATH=$PATH:/usr/sbin unbound -d -c "$1/unbound.conf" &
  started+=($!)
  local end=$((SECONDS + kResolverPatienceSeconds))
  while [ $SECONDS -lt $end ]; do
    ! scripts/validates 127.0.0.1 $kPrivateResolverPort || return 0
    sleep 0.3
  done
  stop_started
  return 1
}

# ---- the daemon

# write_config STATE RESOLVER [LINE...]: the daemon's configuration, with more lines at its end.
write_config() {
  local state=$1 resolver=$2
  shift 2
  {
    echo "# Written by ./dev run at each start."
    printf '[resolver]\nupstream = %s\n' "$resolver"
    printf '[store]\nurl = sqlite:%s/policies.db\n' "$state"
    printf '[admin]\nlisten = unix:%s/admin.sock\n' "$state"
    printf '[socketmap]\nlisten = unix:%s/policy.sock,mode=0666\n' "$state"
    [ $# -eq 0 ] || printf '%s\n' "$@"
  } >"$state/sealane.conf"
}


stop_started() {
  [ ${#started[@]} -eq 0 ] || kill "${started[@]}" 2>/dev/null || true
  wait "${started[@]}" 2>/dev/null || true
  started=()
}

# start_daemon STATE: returns when it serves.
start_daemon() {
  trap stop_started EXIT
  "$(program build sealaned)" --config "$1/sealane.conf" &
  daemon=$!
  trap 'signalled=yes; kill "$daemon" 2>/dev/null || true' INT TERM
  started+=("$daemon")
  local end=$((SECONDS + kStartPatienceSeconds))
  until [ -S "$1/admin.sock" ] && [ -S "$1/policy.sock" ]; do
    kill -0 "$daemon" 2>/dev/null || fail "sealaned did not start; it said why above"
    [ $SECONDS -lt $end ] || fail "sealaned does not come up"
    sleep 0.1
  done
}

# wait_for_daemon: until it ends by itself or because we are told to; its status is ours.
wait_for_daemon() {
  local status=0
  # A signal ends `wait`, while the daemon still drains.
  while
    signalled='' status=0
    wait "$daemon" || status=$?
    [ -n "$signalled" ]
  do :; done
  stop_started
  exit "$status"
}

# say_how_to_connect STATE
say_how_to_connect() {
  printf '%s\n' '' "For Postfix's main.cf:" \
    "  smtp_tls_policy_maps = socketmap:unix:$1/policy.sock:postfix"
  ! grep -q "^listen = inet:" "$1/sealane.conf" || printf '%s\n' \
    "or, where Postfix may not look into that directory:" \
    "  smtp_tls_policy_maps = socketmap:inet:127.0.0.1:$kSocketmapPort:postfix"
  printf '%s\n' '' "To ask it:" \
    "  $(program build sealane) query DOMAIN --admin unix:$1/admin.sock" ''
}
