#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A store that cannot be written: at the start a refusal that names the cause, at run time answers
# from memory and an alarm; and rows that a wrong clock has written.
. "$(dirname "$0")/../lib.sh"

refused() {  # refused WHAT PATTERN: the configured store
  local what=$1 output status
  output=$(timeout 30 "$SEALANED" --config "$CONFIG" 2>&1)
  status=$?
  unlike "$what: refused" '^(0|124|13[4-9])$' $status
  like "$what: the text names it" "$2" "$output"
}
rows() {  # rows SQL: run on the store while no daemon runs
  /usr/bin/python3 -c "import sqlite3, sys
store = sqlite3.connect(sys.argv[1])
store.execute(sys.argv[2])
store.commit()" "$STORE" "$1"
}
lock() {  # lock SECONDS [MODE]: another process writes; with MODE "exclusive" nobody reads, either
  : > "$LAB_STATE/locker"
  /usr/bin/python3 -u -c "import sqlite3, sys, time
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute('PRAGMA locking_mode = ' + sys.argv[3])
store.execute('BEGIN EXCLUSIVE')
print('locked')
time.sleep(float(sys.argv[2]))
store.execute('ROLLBACK')" "$STORE" "$1" "${2:-normal}" > "$LAB_STATE/locker" &
  LOCKER=$!
  ok "the store is locked" wait_for 10 grep -q locked "$LAB_STATE/locker"
}

# ---- full, read-only, locked: at the start

mkdir "$LAB_STATE/small"
mount -t tmpfs -o size=64k tmpfs "$LAB_STATE/small" || { result 1 "a tmpfs"; finish; }
STORE=$LAB_STATE/small/policies.db
write_config "$CONFIG"
head -c 1m /dev/zero > "$LAB_STATE/small/filler" 2> "$LAB_STATE/filler.err"
refused "a full disk" 'policies.db.*(full|No space left|disk I/O)'
ok "and leaves nothing behind" test ! -e "$STORE"
rm "$LAB_STATE/small/filler"
mount -o remount,size=4m "$LAB_STATE/small"

start_daemon
answers sts-good.unsigned
stop_daemon TERM
mount -o remount,ro "$LAB_STATE/small"
refused "a read-only file system" 'policies.db.*([Rr]ead-only)'
mount -o remount,rw "$LAB_STATE/small"

lock 60 exclusive
refused "a locked store" 'policies.db.*locked'
kill "$LOCKER"
wait "$LOCKER" 2> "$LAB_STATE/wait.err"

# ---- locked at run time: for two seconds nobody notices; for longer, an alarm and no weaker answer

start_daemon
answers sts-good.unsigned
lock 2
answers sts-v6.unsigned
fails "no alarm" logged policy_not_durable
wait "$LOCKER"
lock 60
answers sts-good.unsigned
like "a new policy that cannot be written" '^OK secure' "$(answer policy-chunked.unsigned)"
ok "is told" wait_for 20 logged 'alarm event=policy_not_durable.*policy-chunked'
kill "$LOCKER"
wait "$LOCKER" 2> "$LAB_STATE/wait.err"

# ---- made read-only at run time

for domain in sts-good.unsigned sts-v6.unsigned; do behave https $domain close; done
mount -o remount,ro "$LAB_STATE/small" 2> "$LAB_STATE/remount.err" ||
  head -c 8m /dev/zero > "$LAB_STATE/small/filler" 2> "$LAB_STATE/filler.err"
like "a new policy on a disk that takes nothing" '^OK secure' "$(answer policy-dot.unsigned)"
ok "is told" wait_for 20 logged 'alarm event=policy_not_durable.*policy-dot'
answers dane-good.test
stop_daemon KILL
mount -o remount,rw "$LAB_STATE/small" 2> "$LAB_STATE/remount.err"
rm -f "$LAB_STATE/small/filler"

# ---- clocks: rows from years ahead, and rows that seem to have run out years ago

rows "UPDATE domains SET policy_fetched = policy_fetched + 300000000,
  policy_expires = policy_expires + 300000000 WHERE domain = 'sts-good.unsigned'"
rows "UPDATE domains SET policy_fetched = policy_fetched - 300000000,
  policy_expires = policy_expires - 300000000 WHERE domain = 'sts-v6.unsigned'"
start_daemon
answers sts-good.unsigned       # its end is not known, but not yet: max_age from now at most
# Run out, by this clock: a fetch decides, and where it fails, the policy is over.
like "a policy that has run out, and whose host is dead" '^(NOTFOUND|TEMP)' \
  "$(answer sts-v6.unsigned)"
behave https sts-good.unsigned good
becomes "the row of the future is renewed" 100 sts-good.unsigned '^OK secure'
stop_daemon TERM
finish
