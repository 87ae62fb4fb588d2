#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The admin API and the verbs that use it: what is remembered is shown, refreshed, purged, brought
# along and taken away, and each change is logged with who made it.
. "$(dirname "$0")/../lib.sh"

sealane() { "$SEALANE" "$@" --admin "unix:$ADMIN" 2> "$LAB_STATE/sealane.err"; }
api() { curl -sS --max-time 60 --unix-socket "$ADMIN" "${@:2}" "http://sealane$1"; }
status_of() { api "$1" -o "$LAB_STATE/api.out" -w '%{http_code}' "${@:2}"; }
member() { python3 -c "import json,sys; print(json.load(sys.stdin)$1)"; }
domains() { python3 -c "
import json, sys
print(*(json.loads(line)['domain'] for line in sys.stdin))"; }
fetches() { grep -c "\"domain\": \"$1\"" "$LAB_STATE/https.log"; }

start_daemon
is "the socket is for root alone" "srw------- root" "$(stat -c '%A %U' "$ADMIN")"

# Every path is in the manual, and every one of the manual is there: the daemon tells its own.
is "the manual has the paths that there are" \
  "$(api / | grep -oE '/v1/[a-z/*]+' | sort)" \
  "$(grep -oE '^\.It Li (GET|POST|DELETE) Pa /v1/[A-Za-z/]+' "$HERE/../../man/sealane-api.7" |
    sed -E 's/.* //; s/(DOMAIN|KEY)/*/' | sort -u)"

# ---- warm, list, show, stats

cat > "$LAB_STATE/domains" << 'END'
# those who publish a policy, one that does not, one that fails, and one twice
sts-good.unsigned
STS-Good.unsigned
sts-wildcard.unsigned
no-policy.test
policy-404.unsigned
END
sealane cache warm "$LAB_STATE/domains" > "$LAB_STATE/warm"
is "warm: one failed" 1 $?
is "warm: each domain once" 4 "$(wc -l < "$LAB_STATE/warm")"
like "warm: a policy is found" '(^|\n)found +[a-z]+ +sts-good.unsigned' "$(cat "$LAB_STATE/warm")"
like "warm: no policy is no failure" 'none +no-policy.test' "$(cat "$LAB_STATE/warm")"
like "warm: a failure has its reason" 'failed +policy-404.unsigned .*404' "$(cat "$LAB_STATE/warm")"
before=$(fetches sts-good.unsigned)
sealane cache warm - < "$LAB_STATE/domains" > "$LAB_STATE/warm"
like "warm again: what is known is skipped" 'known +[a-z]+ +sts-good.unsigned' \
  "$(cat "$LAB_STATE/warm")"
is "warm again: and not fetched" "$before" "$(fetches sts-good.unsigned)"
like "warm counts as a question" '"asked":"20' "$(api /v1/cache/sts-good.unsigned)"

like "list: columns" '^MODE +AGE +ENDS IN +RENEWAL +ASKED +FAILED +DOMAIN' "$(sealane cache list)"
is "list: by the API" "sts-good.unsigned sts-wildcard.unsigned" "$(api /v1/cache | domains)"
is "list: a page of one" "sts-wildcard.unsigned" \
  "$(api '/v1/cache?limit=1&after=sts-good.unsigned' | domains)"
is "list: nothing of that mode" 1 "$(sealane cache list --mode none > "$LAB_STATE/out"; echo $?)"
shown=$(sealane cache show sts-good.unsigned)
like "show: the policy" $'\n  version: STSv1' "$shown"
like "show: the history" 'policy-new' "$shown"
is "show: nobody" 1 "$(sealane cache show nobody.test > "$LAB_STATE/out"; echo $?)"
is "stats" 2 "$(api /v1/cache/stats | member "['domains']")"

# ---- a question goes through the same memory; refresh, purge

answers sts-good.unsigned
sealane cache refresh sts-good.unsigned > "$LAB_STATE/out"
like "refresh: not twice in a minute" 'nothing-to-fetch' "$(cat "$LAB_STATE/out")"
is "purge without a terminal" 2 \
  "$(sealane cache purge sts-good.unsigned > "$LAB_STATE/out" < /dev/null; echo $?)"
answers sts-good.unsigned
before=$(fetches sts-good.unsigned)
is "purge --force" 0 \
  "$(sealane cache purge sts-good.unsigned --force > "$LAB_STATE/out"; echo $?)"
like "purge: what is given up" 'a policy with mode enforce until' "$(cat "$LAB_STATE/sealane.err")"
is "purge: it is gone" "sts-wildcard.unsigned" "$(api /v1/cache | domains)"
answers sts-good.unsigned
is "purge: the next question fetches" $((before + 1)) "$(fetches sts-good.unsigned)"

# ---- events, live

"$SEALANE" events --follow --json --admin "unix:$ADMIN" > "$LAB_STATE/events" &
follower=$!
followed() { grep -q "$1" "$LAB_STATE/events"; }
ok "events: the past" wait_for 10 followed '"kind":"policy-purged"'
sealane cache purge sts-wildcard.unsigned --force > "$LAB_STATE/out"
ok "events: as they happen" wait_for 10 followed \
  '"domain":"sts-wildcard.unsigned","kind":"policy-purged"'
kill $follower
wait $follower
is "events: of one domain" "sts-wildcard.unsigned" \
  "$(api '/v1/events?domain=sts-wildcard.unsigned&last=1' | domains)"
like "events: as lines" 'policy-purged: by the operator' "$(sealane events sts-wildcard.unsigned)"

# ---- who changed something

ok "a purge is logged with who did it" logged \
  "event=admin_change method=DELETE path=/v1/cache/sts-wildcard.unsigned status=200 uid=0 pid=[1-9]"
fails "a question is not" logged 'event=admin_change method=GET'
chmod 0711 "$LAB_STATE"
is "nobody else may ask" 7 \
  "$(setpriv --reuid=65534 --clear-groups curl -sS --unix-socket "$ADMIN" http://x/v1/status \
      > "$LAB_STATE/out" 2>&1; echo $?)"

# ---- export, import

answers sts-v6.unsigned
sealane cache export > "$LAB_STATE/export"
is "export: a line a policy" "sts-good.unsigned sts-v6.unsigned" "$(domains < "$LAB_STATE/export")"
stop_daemon TERM
rm -f "$STORE"*
break_dns _mta-sts.sts-good.unsigned TXT nxdomain
break_dns mta-sts.sts-good.unsigned A servfail
start_daemon
is "import" "taken 2" "$(sealane cache import "$LAB_STATE/export")"
answers sts-good.unsigned     # from nothing but the import
is "import again" "not-newer 2" "$(sealane cache import - < "$LAB_STATE/export")"
stop_daemon KILL              # at once: what was reported as taken must be on disk
start_daemon
answers sts-good.unsigned
sed 's/mode: enforce/mode: none/' "$LAB_STATE/export" |
  sed "s/\"fetched\":\"[^\"]*\"/\"fetched\":\"$(date -u +%FT%TZ)\"/" > "$LAB_STATE/weaker"
sealane cache import "$LAB_STATE/weaker" > "$LAB_STATE/out"
unlike "import never weakens" 'taken' "$(cat "$LAB_STATE/out")"
answers sts-good.unsigned
mend_dns _mta-sts.sts-good.unsigned TXT
mend_dns mta-sts.sts-good.unsigned A

# ---- requests that nobody should send

is "no such path" 404 "$(status_of /v1/nothing)"
is "no such method" 405 "$(status_of /v1/cache -X PUT)"
is "no domain" 400 "$(status_of /v1/cache/%1b%5b2J)"
is "a body where none belongs" 413 "$(status_of /v1/cache -X GET -d x)"
is "a chunked body" 411 \
  "$(status_of /v1/cache/import -H 'Transfer-Encoding: chunked' -d x)"
head -c 3000000 /dev/zero > "$LAB_STATE/large"
is "a body that is too long" 413 \
  "$(status_of /v1/cache/import -H 'Expect:' --data-binary "@$LAB_STATE/large")"
head -c 1500000 /dev/zero > "$LAB_STATE/large"
is "a large body, after 100 Continue" 200 \
  "$(status_of /v1/cache/import -H 'Expect: 100-continue' --data-binary "@$LAB_STATE/large")"
answers sts-good.unsigned

# ---- status

sealane status > "$LAB_STATE/out"
is "status: all is well" 0 $?
like "status: the resolver" 'resolver +works' "$(cat "$LAB_STATE/out")"
like "status: the store" 'store +works: 2 domains, 2 policies' "$(cat "$LAB_STATE/out")"
like "status: as JSON" '"works": true' "$(api /v1/status | python3 -m json.tool)"
timeout 5 "$SEALANE" status --watch --admin "unix:$ADMIN" > "$LAB_STATE/out"
ok "status --watch repeats" test "$(grep -c ^sealaned "$LAB_STATE/out")" -ge 2

# ---- from other programs

printf '%-28s %s\n' sts-wildcard.unsigned 'secure match=.x' no-policy.test 'may' \
  > "$LAB_STATE/tlspol"
like "from postfix-tlspol: its domains" 'found +[a-z]+ +sts-wildcard.unsigned' \
  "$(sealane cache import "$LAB_STATE/tlspol" --from postfix-tlspol)"

if [ -x /usr/bin/mta-sts-daemon ]; then
  # A real cache, of a real run of it.  It looks for addresses only of families of which the host
  # has an address besides loopback (AI_ADDRCONFIG).
  ip addr add 192.0.2.1/32 dev lo
  cat > "$LAB_STATE/mta-sts-daemon.yml" << END
path: $LAB_STATE/sockets/resolver
cache:
  type: sqlite
  options:
    filename: $LAB_STATE/resolver.db
default_zone:
  strict_testing: false
  timeout: 10
END
  SSL_CERT_FILE=$LAB_CA mta-sts-daemon -c "$LAB_STATE/mta-sts-daemon.yml" \
    > "$LAB_STATE/mta-sts-daemon.log" 2>&1 &
  resolver=$!
  resolver_answers() {
    python3 -B "$LAB_DIR/socketmap.py" ask "$LAB_STATE/sockets/resolver" postfix "$1" 2>&1
  }
  resolver_knows() { [[ $(resolver_answers policy-dot.unsigned) = "OK secure"* ]]; }
  ok "mta-sts-daemon answers" wait_for 20 resolver_knows
  resolver_answers sts-testing.unsigned > "$LAB_STATE/out"
  kill $resolver
  wait $resolver
  break_dns _mta-sts.policy-dot.unsigned TXT nxdomain
  break_dns mta-sts.policy-dot.unsigned A servfail
  taken=$(sealane cache import "$LAB_STATE/resolver.db" --from mta-sts-resolver)
  like "from mta-sts-resolver: its policies" 'taken [1-9]' "$taken"
  answers policy-dot.unsigned   # from nothing but the import
fi
finish
