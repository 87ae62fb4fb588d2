#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Mail servers that speak no protocol of ours: policies over HTTP, and a file that is exported.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../postfix.sh"

PACKAGING=$HERE/../../packaging
PORT=8464 OVERRIDES=$LAB_STATE/overrides TABLE=$LAB_STATE/out/table
DEFAULT_LEVEL=dane   # as packaging/postfix/texthash.cf.example has it
write_config "$CONFIG"
: > "$OVERRIDES"
sed -i "s|^\[policy\]|&\noverrides = $OVERRIDES|" "$CONFIG"
cat >> "$CONFIG" << END
[http]
listen = inet:127.0.0.1:$PORT
listen = inet:0.0.0.0:$((PORT + 1))
listen = unix:$SOCKETS/http,mode=0666
END

http() {  # http PATH [CURL-OPTION...]: the status; head and body are in $LAB_STATE/http.*
  curl -sS --globoff --max-time 60 -D "$LAB_STATE/http.head" -o "$LAB_STATE/http.body" \
    -w '%{http_code}' "${@:2}" "http://127.0.0.1:$PORT$1"
}
member() { python3 -c "import json,sys; print(json.load(sys.stdin)$1)" < "$LAB_STATE/http.body"; }
retry_after() { tr -d '\r' < "$LAB_STATE/http.head" | sed -n 's/^Retry-After: //p'; }
sealane() { "$SEALANE" "$@" --admin "unix:$ADMIN" 2> "$LAB_STATE/sealane.err"; }
reload() {
  : > "$LOG"
  kill -s HUP "$DAEMON"
  wait_for 10 logged "event=reloaded"
}

start_daemon
ok "a listener that others reach is warned of" logged "event=setup .*0.0.0.0:$((PORT + 1)): other"
like "and shown" '0.0.0.0:8465: other hosts may ask' "$(sealane status)"

# ---- policies over HTTP
is "DANE" 200 "$(http /v1/policy/dane-good.test)"
is "DANE: level" dane-only "$(member "['level']")"
is "MTA-STS" 200 "$(http /v1/policy/STS-Wildcard.unsigned.)"
is "MTA-STS: level" secure "$(member "['level']")"
is "MTA-STS: the pattern" "['*.sts-wildcard.unsigned']" "$(member "['match']")"
is "MTA-STS: mode" enforce "$(member "['mode']")"
is "nothing" 200 "$(http /v1/policy/no-policy.test)"
is "nothing: status" none "$(member "['status']")"
is "testing" 200 "$(http /v1/policy/sts-testing.unsigned)"
is "testing: nothing is demanded" "none testing" "$(member "['level']") $(member "['mode']")"
is "not known" 503 "$(http /v1/policy/all-err.test)"
is "not known: status" temporary "$(member "['status']")"
like "not known: why" 'TLSA lookup' "$(member "['reason']")"
like "not known: when to come back" '^([1-9]|[12][0-9]|30)$' "$(retry_after)"
is "an IDN" 200 "$(http /v1/policy/b%C3%BCcher.test)"
is "an IDN: A-labels" xn--bcher-kva.test "$(member "['domain']")"
is "pins" 200 "$(http '/v1/policy/dane-good.test?dialect=postfix-pins')"
like "pins: digests" "^\['[0-9a-f]{64}'\]$" "$(member "['fingerprints']")"
for domain in dane-good.test sts-good.unsigned no-policy.test dane-unusable-sts.test; do
  is "$domain over a unix socket" 200 "$(http "/v1/policy/$domain" --unix-socket "$SOCKETS/http")"
  is "$domain: as Postfix is answered" "$(member "['postfix'].strip()")" "$(answer "$domain")"
done
for name in 192.0.2.1 '[192.0.2.1]' %5Bmx.dane-good.test%5D dane-good.test:25 .dane-good.test \
  a..test %00 %ff%fe %1b%5b2J; do
  is "no domain: $name" 400 "$(http "/v1/policy/$name")"
  like "no domain: $name: it says so" 'a domain is wanted' "$(member "['error']")"
done

# ---- and nothing else
for path in / /v1/cache /v1/cache/sts-good.unsigned /v1/overrides /v1/events /v1/export /v1/status \
  '/v1/query?key=a.test' /v1/explain/a.test /v1/cache/a.test/refresh; do
  for method in GET POST DELETE; do
    is "$method $path" 404 "$(http "$path" -X $method --unix-socket "$SOCKETS/http")"
  done
done
for method in POST DELETE PUT HEAD; do
  is "$method" 405 "$(http /v1/policy/a.test -X $method -I)"
done

# ---- too often; from another address nobody notices
burst() {  # burst ADDRESS COUNT: each status, and how often
  local urls=() i
  for ((i = 0; i < $2; ++i)); do urls+=(-o /dev/null "http://127.0.0.1:$PORT/v1/policy/a.test"); done
  curl -sS --interface "$1" -w '%{http_code}\n' "${urls[@]}" 2> "$LAB_STATE/burst.err" |
    sort | uniq -c | tr -s ' \n' ' '
}
read -r served _ refused code < <(burst 127.0.0.77 200)
is "a burst is cut" 429 "${code:-}"
ok "after what was saved up ($served served, $refused refused)" [ "$served" -ge 50 ]
is "somebody else meanwhile" 200 "$(http /v1/policy/dane-good.test --interface 127.0.0.79)"
sleep 2
is "later" 200 "$(http /v1/policy/dane-good.test --interface 127.0.0.77)"

# ---- places; who dawdles keeps none
python3 -B "$HERE/42-everybody-else/slow.py" 127.0.0.78 $PORT 90 > "$LAB_STATE/slow" &
slow=$!
placed() { grep -q placed "$LAB_STATE/slow"; }
ok "a client takes places" wait_for 20 placed
is "somebody else is served" 200 "$(http /v1/policy/dane-good.test)"
wait $slow
read -r places seconds < <(tail -n 1 "$LAB_STATE/slow")
is "no more places than its share" 64 "$places"
ok "for no longer than a request may take ($seconds s)" [ "$seconds" -le 20 ]

# ---- the export: all enforced domains of the lab, as the socketmap answers them
mapfile -t domains < <(cd "$LAB_DIR" && python3 -B -c '
import table
print(*(d.name for d in table.load().domains
        if d.sts and "mode: enforce" in d.sts.policy() and d.name.isascii()), sep="\n")')
export LAB_DIR MAP
printf '%s\n' "${domains[@]}" |
  xargs -P 16 -I{} python3 -B "$LAB_DIR/socketmap.py" ask "$MAP" postfix {} > "$LAB_STATE/asked" 2>&1
mkdir "$LAB_STATE/out" "$LAB_STATE/postfix-conf"
echo "compatibility_level = 3.6" > "$LAB_STATE/postfix-conf/main.cf"  # names in UTF-8
postmap_q() {  # postmap_q KEY TABLE
  postmap -c "$LAB_STATE/postfix-conf" -q "$1" "$2" 2> "$LAB_STATE/postmap.err" || :
}
sealane export --format postfix-texthash --output "$TABLE"
is "an export" 0 $?
is "nothing beside it" table "$(ls -A "$LAB_STATE/out")"
entries=$(grep -v '^#' "$TABLE" | LC_ALL=C grep -vc $'[\x80-\xff]')
ok "many domains ($entries)" [ "$entries" -ge 20 ]
is "it says how many" "# End: $entries policies." "$(tail -n 1 "$TABLE")"
like "and until when" '^# Write it again before 20[0-9-]*T[0-9:]*Z: then the first' \
  "$(sed -n 3p "$TABLE")"
sealane cache list --mode enforce --json | python3 -c '
import json, sys
print(*(json.loads(line)["domain"] for line in sys.stdin), sep="\n")' > "$LAB_STATE/enforced"
is "a word on each enforced domain" "$(sort "$LAB_STATE/enforced")" \
  "$(grep -v '^#' "$TABLE" | cut -f 1 | LC_ALL=C grep -v $'[\x80-\xff]' | cat - <(sed -n 's/^# \([^ ]*\): nothing.*/\1/p' "$TABLE") | sort)"
compared=0
while read -r domain; do
  from_file=$(postmap_q "$domain" "texthash:$TABLE")
  from_map=$(postmap_q "$domain" "socketmap:unix:$MAP:postfix")
  if grep -q 'temporary error' "$LAB_STATE/postmap.err"; then
    like "$domain: not known now, so the policy's own" '^secure match=[^ ]+ servername=hostname$' \
      "$from_file"
  else
    compared=$((compared + 1))
    is "$domain: texthash and socketmap" "$from_map" "$from_file"
  fi
done < "$LAB_STATE/enforced"
ok "most were compared ($compared)" [ "$compared" -ge 20 ]
for key in grün.unsigned GRÜN.unsigned xn--grn-ioa.unsigned; do
  is "$key is found in the file" "secure match=mx.xn--grn-ioa.unsigned servername=hostname" \
    "$(postmap_q "$key" "texthash:$TABLE")"
done
is "no domain below" "" "$(postmap_q sub.sts-good.unsigned "texthash:$TABLE")"
is "no key for all below" "" "$(postmap_q .sts-good.unsigned "texthash:$TABLE")"
is "no policy that only tests" "" "$(postmap_q sts-testing.unsigned "texthash:$TABLE")"
ok "Postfix complains of nothing" [ ! -s "$LAB_STATE/postmap.err" ]

sealane export --format json > "$LAB_STATE/json"
is "JSON" 0 $?
ok "JSON has the same policies" python3 - "$LAB_STATE/json" "$TABLE" << 'END'
import json, sys
told = json.load(open(sys.argv[1]))
lines = dict(line.rstrip("\n").split("\t")
             for line in open(sys.argv[2]) if line[0] != "#" and line.isascii())
said = {p["domain"]: p["postfix"][3:] for p in told["policies"] if p["status"] != "none"}
assert said == lines and told["count"] == len(told["policies"]), (said, lines)
for policy in told["policies"]:
    assert policy["mode"] == "enforce" and policy["mx"] and policy["max_age"] > 0, policy
    assert told["first_end"] <= policy["expires"], policy
END

# ---- overrides, and what cannot be found out
echo 'sts-v6.unsigned sts=off reason="they know"' > "$OVERRIDES"
break_dns time-id.unsigned MX servfail   # of the TTLs of the table the least
ok "a reload" reload
becomes "a name fails" 30 time-id.unsigned '^TEMP .*MX lookup'
sealane export --format postfix-texthash > "$LAB_STATE/out.table"
is "an export with a name that fails" 0 $?
like "what an override takes away has no line" $'\n# sts-v6.unsigned: nothing is demanded now' \
  "$(cat "$LAB_STATE/out.table")"
like "what fails says why" '^# time-id.unsigned: by its policy alone, since: .*MX lookup' \
  "$(grep '^# time-id' "$LAB_STATE/out.table")"
is "what fails has its policy" "secure match=mx.time-id.unsigned servername=hostname" \
  "$(sed -n 's/^time-id.unsigned\t//p' "$LAB_STATE/out.table")"
mend_dns time-id.unsigned MX
: > "$OVERRIDES"
ok "a reload" reload

# ---- a Postfix that has nothing but the file
ok "Postfix starts" postfix_start "$SOCKETS" texthash:/etc/postfix/sealane
cp "$SEALANE" "$POSTFIX_ROOT/usr/local/sbin/sealane.real"
printf '#!/bin/sh\nexec sealane.real "$@" --admin unix:/run/lab/admin\n' \
  > "$POSTFIX_ROOT/usr/local/sbin/sealane"
chmod 755 "$POSTFIX_ROOT/usr/local/sbin/sealane"
in_postfix sed -i -E '/^(smtp_tls_policy_maps|smtp_tls_security_level|smtp_dns_support_level|smtp_host_lookup|smtp_tls_CAfile) *=/d' \
  /etc/postfix/main.cf
cat "$PACKAGING/postfix/texthash.cf.example" >> "$POSTFIX_ROOT/etc/postfix/main.cf"
postfix_set smtp_tls_CAfile=/etc/lab-ca.pem
cron=$(sed -n 's/^[0-9*][^a-z]*root *//p' "$PACKAGING/sealane-export.cron")
like "the packaged line of cron" '^sealane export .* && postfix reload$' "$cron"
output=$(in_postfix sh -c "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/bin; $cron" 2>&1)
is "it succeeds" 0 $?
is "and is silent" "" "$output"
is "Postfix may read it" 644 "$(stat -c %a "$POSTFIX_ROOT/etc/postfix/sealane")"

stop_daemon TERM
before=$(sha256sum < "$TABLE")
sealane export --format postfix-texthash --output "$TABLE"
is "without a daemon" 3 $?
is "the old file stays" "$before" "$(sha256sum < "$TABLE")"
is "and nothing beside it" table "$(ls -A "$LAB_STATE/out")"
is "wrong usage" 2 "$(sealane export > "$LAB_STATE/usage"; echo $?)"

postfix_send u@sts-good.unsigned u@sts-wildcard.unsigned u@sts-wrong-cert.unsigned \
  u@sts-no-starttls.unsigned u@dane-and-sts.test u@dane-good.test u@no-policy.test
ok "every mail has a status" postfix_wait 7 60
status_of() { grep -o "to=<u@$1>.* status=[a-z]*" "$MAILLOG" | sed 's/.*=//' | head -n 1; }
got() { grep -c "\"u@$1\"" "$LAB_STATE/smtp.log"; }
for domain in sts-good.unsigned sts-wildcard.unsigned dane-and-sts.test dane-good.test \
  no-policy.test; do
  is "$domain" "sent 1" "$(status_of $domain) $(got $domain)"
done
for domain in sts-wrong-cert.unsigned sts-no-starttls.unsigned; do
  is "$domain" "deferred 0" "$(status_of $domain) $(got $domain)"
done
like "the certificate was verified" 'Verified TLS connection established to mx.sts-good.unsigned' \
  "$(cat "$MAILLOG")"
like "DANE where the policy's domain has it" 'mx.dane-and-sts.test.*: Matched DANE ' \
  "$(cat "$MAILLOG")"
finish
