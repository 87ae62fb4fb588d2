#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What must keep the daemon from starting does so at once, and says what is wrong.
. "$(dirname "$0")/../lib.sh"

refuses() {  # refuses WHAT PATTERN [OPTION...]: starts with $LAB_STATE/bad.conf
  local what=$1 pattern=$2 output status
  shift 2
  output=$(timeout 20 "$SEALANED" --config "$LAB_STATE/bad.conf" "$@" 2>&1)
  status=$?
  unlike "$what: refused" '^(0|124|13[4-9])$' $status    # neither a start nor a crash
  like "$what: the text names it" "$pattern" "$output"
}
bad() { write_config "$LAB_STATE/bad.conf" && sed -i "$1" "$LAB_STATE/bad.conf"; }

bad 's/^\[log\]/nonsense = 1\n&/'
refuses "an unknown key" 'nonsense'
line=$(grep -n nonsense "$LAB_STATE/bad.conf" | cut -d: -f1)
refuses "an unknown key, with its line" "(:|line )$line" --check-config
bad 's/^level = .*/level = loud/'
refuses "a bad value" loud --check-config
bad "s|^ca-file = .*|ca-file = $LAB_STATE/absent.pem|"
refuses "a missing CA file" absent.pem
echo junk > "$LAB_STATE/junk.pem"
bad "s|^ca-file = .*|ca-file = $LAB_STATE/junk.pem|"
refuses "a CA file without certificates" junk.pem

head -c 8192 /dev/urandom > "$LAB_STATE/junk.db"
cp "$LAB_STATE/junk.db" "$LAB_STATE/junk.copy"
bad "s|^url = .*|url = sqlite:$LAB_STATE/junk.db|"
refuses "a corrupt store" junk.db
ok "the corrupt store is left as it was" cmp "$LAB_STATE/junk.db" "$LAB_STATE/junk.copy"
/usr/bin/python3 -c "import sqlite3, sys
sqlite3.connect(sys.argv[1]).execute('create table recipes (name text)')" "$LAB_STATE/foreign.db"
bad "s|^url = .*|url = sqlite:$LAB_STATE/foreign.db|"
refuses "somebody else's database" foreign.db

# A socket file that nobody serves is replaced; a file that is no socket, or a live socket, is not.
/usr/bin/python3 -c "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])" "$MAP"
start_daemon
answers dane-good.test
bad "s|^url = .*|url = sqlite:$LAB_STATE/other.db|; s|:8461|:8462|; s|$ADMIN|$ADMIN.2|"
refuses "a live socket" "$MAP"
answers dane-good.test
bad "s|^url = .*|url = sqlite:$LAB_STATE/other.db|; s|:8461|:8462|; s|$ADMIN|$ADMIN.2|"
echo precious > "$LAB_STATE/file"
sed -i "s|unix:$MAP,|unix:$LAB_STATE/file,|" "$LAB_STATE/bad.conf"
refuses "a file in the socket's place" "$LAB_STATE/file"
is "the file" precious "$(cat "$LAB_STATE/file")"

ok "--check-config likes the good one" "$SEALANED" --config "$CONFIG" --check-config
finish
