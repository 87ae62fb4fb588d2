# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# What the cases about `sealane doctor` share.  To be sourced after lib.sh.
#
#   GOOD         a directory with main.cf, master.cf and sealane.conf, in which nothing is wrong
#   fresh        makes $CASE a copy of it
#   ids [...]    the findings of $CASE, less those that depend on the machine; options of doctor
#   finds ID CHANGE...       a copy with one change has exactly this finding
#   mends ID CHANGE...       and the commands that doctor prints take it away again
GOOD=$LAB_STATE/good CASE=$LAB_STATE/case QUEUE=$LAB_STATE/queue
SEEN=$LAB_STATE/seen     # the findings that were provoked
# A clock that nobody sets is no fault of the case.
MACHINE='^clock-free$'
# The lab's state is in memory, where a good store is not.
STORE_HOME=$(mktemp -d -p /var/tmp sealane-store.XXXXXX)
STORE=$STORE_HOME/policies.db
trap 'rm -rf "$STORE_HOME"' EXIT
MTA=(--postfix-config "$CASE")
PROGRAM=("$SEALANE")     # and what is in front of it
# The doctor tries the sockets as another user: one that only seems to be root cannot.
[ "$(awk '{ n += $3 } END { print n }' /proc/self/uid_map)" = 1 ] && exit "$SKIP"
: > "$SEEN"

doctor() {
  "${PROGRAM[@]}" doctor "${MTA[@]}" --config "$CASE/sealane.conf" --admin "unix:$ADMIN" "$@"
}
field() {  # field ID NAME: of the JSON on standard input; lists one item a line
  /usr/bin/python3 -c '
import json, sys
for finding in json.load(sys.stdin)["findings"]:
    if sys.argv[1] in ("*", finding["id"]):
        value = finding[sys.argv[2]]
        print(*(value if isinstance(value, list) else [value]), sep="\n")' "$@"
}
# Postfix waits for a main.cf that was changed a moment ago to be complete: make it older.
cold() { if [ -f "$CASE/main.cf" ]; then touch -d '1 minute ago' "$CASE/main.cf"; fi; }
ids() { cold; doctor --json > "$LAB_STATE/doctor.json"; field '*' id < "$LAB_STATE/doctor.json" |
  grep -vE "$MACHINE" | paste -sd ' '; }

fresh() { rm -rf "$CASE" && cp -r "$GOOD" "$CASE" && cold; }
finds() {  # the change is a command that works on $CASE
  local id=$1
  shift
  fresh
  "$@" || result 1 "$id: the change can be made" "$*"
  is "$id ($*)" "$id" "$(ids)"
  echo "$id" >> "$SEEN"
}
mends() {
  local command
  finds "$@"
  field "$1" commands < "$LAB_STATE/doctor.json" > "$LAB_STATE/commands"
  ok "$1: there is a command" test -s "$LAB_STATE/commands"
  while read -r command; do
    cold
    ok "$1: $command" bash -c "$command"
  done < "$LAB_STATE/commands"
  is "$1: mended" "" "$(ids)"
}

main() { cold && postconf -c "$CASE" -e "$@" 2>> "$LAB_STATE/postconf.err"; }    # main.cf
master() { cold && postconf -c "$CASE" "$@" 2>> "$LAB_STATE/postconf.err"; }     # or master.cf
conf() { sed -i "$1" "$CASE/sealane.conf"; }                             # sealane.conf
chrooted() { master -F smtp/unix/chroot=y && { [ $# = 0 ] || main "$@"; }; }
