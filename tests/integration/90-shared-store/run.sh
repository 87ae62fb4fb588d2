#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Two daemons, each with a local store, and one Redis: what the one has learnt the other one answers
# without HTTPS; the Redis is killed, comes back empty, lies, and no answer becomes weaker.
. "$(dirname "$0")/../lib.sh"

PASSWORD=only-for-the-lab
read -ra SERVER <<< "${SHARED_SERVER:-redis-server}"
REDIS=
declare -A DAEMONS=()
NODE=

as() {  # as NODE: the checks of lib.sh are about this daemon from now on
  [ -n "$NODE" ] && DAEMONS[$NODE]=$DAEMON
  NODE=$1 DAEMON=${DAEMONS[$1]:-}
  MAP=$SOCKETS/map-$1 ADMIN=$SOCKETS/admin-$1
  EXIM=$SOCKETS/exim-$1 ACCESS=$SOCKETS/access-$1
  CONFIG=$LAB_STATE/$1.conf STORE=$LAB_STATE/$1.db LOG=$LAB_STATE/$1.log
}
set_up() {  # set_up NODE [URL]
  as "$1"
  write_config "$CONFIG"
  sed -i "/^listen = inet:/d; s|^url = .*|&\nurl = ${2:-redis://:$PASSWORD@127.0.0.1}|" "$CONFIG"
  start_daemon
}
redis_up() {
  "${SERVER[@]}" --port 6379 --bind 127.0.0.1 --requirepass $PASSWORD --save "" --dir "$LAB_STATE" \
    --logfile "$LAB_STATE/redis.log" --unixsocket "$LAB_STATE/redis.sock" &
  REDIS=$!
  wait_for 10 redis ping
  result $? "the Redis starts"
}
redis_killed() {
  kill -9 "$REDIS"
  wait "$REDIS" 2> "$LAB_STATE/wait.err"
}
redis() { [[ $(REDISCLI_AUTH=$PASSWORD redis-cli "$@" 2>&1) =~ ^(PONG|OK|1)$ ]]; }
shared() { redis exists "sealane:1:policy:$1"; }
fetches() { grep -c "\"domain\": \"$1\"" "$LAB_STATE/https.log"; }
dead() {  # dead DOMAIN: neither TXT record nor policy host
  break_dns "_mta-sts.$1" TXT nxdomain
  break_dns "mta-sts.$1" A servfail
  break_dns "mta-sts.$1" AAAA servfail
}
row() {  # row DOMAIN MODE FETCHED [MAX-AGE]: in the words of docs/formats.md
  printf 'sealane-policy 1\ndomain %s\nid 1\nfetched %s\nexpires %s\n\n' "$1" "$3" $(($3 + ${4:-86400}))
  printf 'version: STSv1\nmode: %s\nmx: mx.%s\nmax_age: 86400\n' "$2" "$1"
}
enforces() { grep -q '^mode: enforce' <(REDISCLI_AUTH=$PASSWORD redis-cli get "sealane:1:policy:$1"); }
plant() { redis -x set "sealane:1:policy:$1"; }  # plant DOMAIN < ROW

redis_up
set_up a
set_up b "redis+unix://:$PASSWORD@$LAB_STATE/redis.sock"

# ---- one fetch serves both

for domain in sts-good.unsigned sts-wildcard.unsigned policy-chunked.unsigned; do
  as a
  answers $domain
  ok "$domain is shared" wait_for 5 shared $domain
  as b
  answers $domain
  is "fetches of $domain" 1 "$(fetches $domain)"
done
ok "a password is not shown" grep -q 'redis://:\*\*\*@127.0.0.1' <("$SEALANED" --config "$LAB_STATE/a.conf" --check-config)
fails "nor written to a log" grep -q $PASSWORD "$LAB_STATE/a.log" "$LAB_STATE/b.log"

# A node that has never heard of the domain, and cannot: no first contact that could be denied.
as a
answers sts-v6.unsigned
ok "sts-v6.unsigned is shared" wait_for 5 shared sts-v6.unsigned
dead sts-v6.unsigned
as b
answers sts-v6.unsigned

# ---- the Redis is killed: each goes on alone; it comes back empty, and learns it all again

redis_killed
as b
like "known, without the Redis" '^OK secure' "$(answer sts-v6.unsigned)"
stop_daemon KILL
start_daemon
like "known, after a restart without the Redis" '^OK secure' "$(answer sts-v6.unsigned)"
as a
answers policy-dot.unsigned     # learnt meanwhile
dead policy-dot.unsigned
is "one warning" 1 "$(grep -c 'warning event=shared_store_away' "$LOG")"
redis_up
ok "what was learnt meanwhile is written back" wait_for 60 shared policy-dot.unsigned
ok "and what was known before" wait_for 60 shared sts-good.unsigned
as b
ok "b is back" wait_for 60 grep -q 'shared_store_ready' <(tail -n 200 "$LOG")
becomes "b answers what a learnt alone" 60 policy-dot.unsigned '^OK secure'
is "fetches of policy-dot.unsigned" 1 "$(fetches policy-dot.unsigned)"

# ---- a Redis that lies: weaker rows, rows of the future, junk

now=$(date +%s)
stop_daemon TERM
lie() { result "$1" "a lie is planted"; }
row sts-good.unsigned none $((now + 5)) | plant sts-good.unsigned
lie $?
row sts-wildcard.unsigned testing $((now + 5)) | plant sts-wildcard.unsigned
lie $?
head -c 300000 /dev/zero | tr '\0' x | plant policy-chunked.unsigned
lie $?
row sts-good.example enforce $((now + 4000)) | plant sts-good.example
lie $?
echo junk | plant policy-cname.unsigned
lie $?
start_daemon
answers sts-good.unsigned
answers sts-wildcard.unsigned
answers policy-chunked.unsigned
answers sts-good.example        # fetched here: once
answers policy-cname.unsigned
ok "a row that is wrong is told" wait_for 5 logged 'warning event=shared_store_row_ignored'
is "the connection lives" 0 "$(grep -c 'more than' "$LOG")"
ok "the wrong row has been replaced" wait_for 30 enforces policy-cname.unsigned
answers dane-good.test

# ---- a wrong password: a warning that says so, and a node on its own

set_up c redis://:wrong-password@127.0.0.1
answers sts-good.optout
ok "a wrong password is told" wait_for 10 logged 'warning event=shared_store_away.*WRONGPASS'
fails "but not which" logged wrong-password
stop_daemon TERM
as a
stop_daemon TERM
as b
stop_daemon TERM
redis_killed
finish
