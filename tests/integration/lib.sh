# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What every case needs.  A case runs inside a lab of its own (LAB_STATE, LAB_CA, LAB_DATA);
# SEALANED and SEALANE are the binaries, LAB_DIR is tests/lab.
set -u
HERE=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
LAB_DIR=$HERE/../lab
SOCKETS=$LAB_STATE/sockets MAP=$LAB_STATE/sockets/map ADMIN=$LAB_STATE/sockets/admin
EXIM=$LAB_STATE/sockets/exim ACCESS=$LAB_STATE/sockets/access
CONFIG=$LAB_STATE/sealane.conf STORE=$LAB_STATE/policies.db LOG=$LAB_STATE/sealaned.log
DAEMON=                 # pid of the running daemon
READY_PATIENCE=20       # seconds until the daemon must accept
STOP_PATIENCE=15        # seconds until it must have ended; drains what is under way
DEFAULT_LEVEL=may       # what Postfix's main.cf says, told to the daemon
WRAPPER=()              # in front of the daemon's command
CHECKS=0 FAILURES=0
mkdir -p "$SOCKETS" && chmod 755 "$SOCKETS"

# ---- checks: each counts, a failed one says so, the case goes on

result() {  # result STATUS WHAT [DETAIL]
  CHECKS=$((CHECKS + 1))
  [ "$1" = 0 ] && return 0
  FAILURES=$((FAILURES + 1))
  printf 'not so: %s%s\n' "$2" "${3:+ ($3)}"
}
ok() { local what=$1; shift; "$@"; result $? "$what"; }
fails() { local what=$1; shift; ! "$@"; result $? "$what"; }
is() { [ "$2" = "${3% }" ]; result $? "$1" "expected '$2', got '$3'"; }
like() { [[ $3 =~ $2 ]]; result $? "$1" "'$2' expected, got '$3'"; }
unlike() { [[ ! $3 =~ $2 ]]; result $? "$1" "got '$3'"; }

finish() {
  [ -n "$DAEMON" ] && stop_daemon TERM
  echo "$CHECKS checks, $FAILURES failed"
  [ "$FAILURES" = 0 ] && [ "$CHECKS" -gt 0 ] && exit 0
  [ -f "$LOG" ] && { echo "last lines of the daemon's log:"; tail -n 25 "$LOG"; }
  exit 1
}

# ---- waiting for conditions

wait_for() {  # wait_for SECONDS CMD...
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    [ $SECONDS -lt $end ] || return 1
    sleep 0.1
  done
}

# ---- the daemon

write_config() {  # write_config FILE: one that suits the lab
  cat > "$1" << END
[resolver]
upstream = 127.0.0.1
[sts]
ca-file = $LAB_CA
allow-address = 127.0.0.0/8
allow-address = ::1/128
[policy]
default-level = $DEFAULT_LEVEL
[store]
url = sqlite:$STORE
[socketmap]
listen = unix:$MAP,mode=0666
listen = inet:127.0.0.1:8461
[exim]
listen = unix:$EXIM,mode=0666
listen = inet:127.0.0.1:8462
[access]
listen = unix:$ACCESS,mode=0666
[admin]
listen = unix:$ADMIN
[log]
level = debug
END
}

accepts() { python3 -B "$LAB_DIR/socketmap.py" ping "$MAP" 2> "$LAB_STATE/ping.err"; }
runs() { kill -0 "$1" 2> "$LAB_STATE/kill.err"; }
ready_or_dead() { accepts || ! runs "$DAEMON"; }
gone() { ! runs "$1"; }

start_daemon() {
  [ -f "$CONFIG" ] || write_config "$CONFIG"
  "${WRAPPER[@]}" "$SEALANED" --config "$CONFIG" 2>> "$LOG" &
  DAEMON=$!
  wait_for $READY_PATIENCE ready_or_dead && accepts && return 0
  result 1 "the daemon starts"
  finish
}

# stop_daemon SIGNAL: after TERM the daemon must end by itself, with status 0 and a clean log.
stop_daemon() {
  local pid=$DAEMON status
  DAEMON=
  kill -s "$1" "$pid"
  wait_for $STOP_PATIENCE gone "$pid" || { result 1 "the daemon ends on $1"; kill -9 "$pid"; }
  wait "$pid"
  status=$?
  [ "$1" = KILL ] || is "status after SIG$1" 0 $status
  fails "sanitizers found something" \
    grep -E 'ERROR: (Address|Leak)Sanitizer|WARNING: ThreadSanitizer|runtime error:' "$LOG"
}

answer() { python3 -B "$LAB_DIR/socketmap.py" ask "$MAP" "${2:-postfix}" "$1" 2>&1; }
expected() { python3 -B "$LAB_DIR/socketmap.py" expected "${2:-postfix}" "$1"; }
answers() { is "$1 (${2:-postfix})" "$(expected "$@")" "$(answer "$@")"; }

# ---- the lab, broken and mended at run time (tests/lab/README.md)

forget() { unbound-control -q -c "$LAB_STATE/unbound.conf" "$@"; }
break_dns() {  # break_dns NAME TYPE ACTION...; mend_dns NAME TYPE
  echo "$*" >> "$LAB_STATE/faults"
  forget flush "$1"
  forget flush_type "$1" "$2"
  forget flush_bogus
}
mend_dns() { break_dns "$1" "$2" none; }
resolver() { "$LAB" resolver "$1"; }
rezone() { "$LAB_DIR/rezone" "$@"; }
behave() { echo "$*" >> "$LAB_STATE/behaviour"; }  # behave smtp|https|body NAME WHAT
answered() { [[ $(answer "$1" "${3:-postfix}") =~ $2 ]]; }  # answered KEY PATTERN [DIALECT]
becomes() {  # becomes WHAT SECONDS KEY PATTERN [DIALECT]
  wait_for "$2" answered "${@:3}"
  result $? "$1" "'$4' expected, got '$(answer "$3" "${5:-postfix}")'"
}
stays() {  # stays WHAT SECONDS KEY PATTERN: every answer in that time
  local end=$((SECONDS + $2)) got
  while [ $SECONDS -lt $end ]; do
    got=$(answer "$3")
    [[ $got =~ $4 ]] || { result 1 "$1" "'$4' expected, got '$got'"; return; }
    sleep 1
  done
  result 0 "$1"
}
logged() { grep -qE "$1" "$LOG"; }
