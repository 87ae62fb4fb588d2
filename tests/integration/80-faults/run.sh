#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Faults switched on at run time, one kind at a time: no fault may turn a promise into "not found",
# and all is well again when it ends.
. "$(dirname "$0")/../lib.sh"

# ---- DNS: each fault for a question of its own; the daemon has never asked it before

start_daemon
faults=(servfail refused formerr drop bogus strip empty nxdomain "forge 1 1 1 00")
domains=(dane-ta.test dane-rollover.test dane-and-sts.test ecdsa384.test rsa256.test rsa512.test
  ed25519.test tlsa-cert.test tlsa-full.test)
for i in "${!faults[@]}"; do
  break_dns "_25._tcp.mx.${domains[i]}" TLSA "${faults[i]}"
  # Unbound shortens its questions and asks for A on the way: a denial must deny that as well.
  [ "${faults[i]}" = nxdomain ] && break_dns "_25._tcp.mx.${domains[i]}" A nxdomain
  answer "${domains[i]}" > "$LAB_STATE/answer.$i" & pids[i]=$!
done
wait "${pids[@]}"
for i in "${!faults[@]}"; do
  like "TLSA of ${domains[i]}: ${faults[i]}" '^TEMP .*_25._tcp' "$(cat "$LAB_STATE/answer.$i")"
done
break_dns _25._tcp.mx.dane-good.example TLSA delay 3
answers dane-good.example

# MX, TXT and the policy host's address, in unsigned zones.
break_dns sts-good.test MX servfail
like "an MX that fails" '^TEMP .*MX' "$(answer sts-good.test)"
break_dns _mta-sts.sts-wildcard.unsigned TXT refused
like "a TXT record that is refused" '^TEMP .*_mta-sts' "$(answer sts-wildcard.unsigned)"
break_dns mta-sts.txt-split.unsigned A nxdomain
break_dns mta-sts.txt-split.unsigned AAAA nxdomain
is "a policy host that does not exist" NOTFOUND "$(answer txt-split.unsigned)"
# A forged address cannot show a certificate; that is a policy host that fails, not a policy.
break_dns mta-sts.txt-cname.unsigned A forge 127.2.0.1
is "a policy host's address that is forged" NOTFOUND "$(answer txt-cname.unsigned)"
break_dns no-policy.unsigned MX forge 10 dane.hosting.test.
is "a forged MX to a host with DANE" "OK dane" "$(answer no-policy.unsigned)"

# What has failed is asked again when its time has come, at most half a minute later.
for domain in "${domains[@]}"; do mend_dns "_25._tcp.mx.$domain" TLSA; done
mend_dns "_25._tcp.mx.${domains[7]}" A
becomes "TLSA mended" 75 "${domains[0]}" '^OK dane-only'
becomes "TLSA mended" 75 "${domains[7]}" '^OK dane-only'
mend_dns sts-good.test MX
becomes "MX mended" 75 sts-good.test '^OK secure match=mx.sts-good.test '
mend_dns _mta-sts.sts-wildcard.unsigned TXT
becomes "TXT mended" 75 sts-wildcard.unsigned '^OK secure'

# ---- the policy host, changed under a policy that we hold

answers txt-v10-beside.unsigned
answers policy-chunked.unsigned
for kind in 404 500 close hang html; do
  behave https txt-v10-beside.unsigned $kind
  answers txt-v10-beside.unsigned
done
behave body policy-chunked.unsigned 'version: STSv1\nmode: none\nmax_age: 86400\n'
answers policy-chunked.unsigned    # no new id: nobody looks before the day is over
stop_daemon TERM

# ---- the store

mkdir "$LAB_STATE/small"
if mount -t tmpfs -o size=256k tmpfs "$LAB_STATE/small"; then
  STORE=$LAB_STATE/small/policies.db
  write_config "$CONFIG"
  start_daemon
  answers sts-v6.unsigned
  head -c 1m /dev/zero > "$LAB_STATE/small/filler" 2> "$LAB_STATE/filler.err"
  answers policy-cname.unsigned    # from memory, with an alarm: better than no policy
  ok "a full disk raises an alarm" wait_for 20 logged 'policy_not_durable|not durable'
  answers dane-good.test
  answers sts-v6.unsigned
  rm "$LAB_STATE/small/filler"
  answers policy-dot.unsigned
  stop_daemon KILL
  start_daemon
  answers sts-v6.unsigned
  answers policy-dot.unsigned
  stop_daemon TERM
fi
STORE=$LAB_STATE/policies.db

# ---- the resolver: gone, not validating, accepting what is bogus

rm -f "$STORE"*
write_config "$CONFIG"
resolver stop
resolver no-anchor
"$SEALANED" --config "$CONFIG" 2>> "$LOG" &
DAEMON=$!
if wait_for $READY_PATIENCE ready_or_dead && accepts; then
  for key in dane-good.test no-policy.test sts-good.unsigned no-policy.unsigned nowhere.test; do
    like "$key under a resolver without trust anchor" '^TEMP .' "$(answer "$key")"
  done
  ok "a resolver without trust anchor raises an alarm" wait_for 30 logged 'alarm'
  resolver stop
  resolver start
  becomes "the anchor is back" 100 dane-good.test '^OK dane-only$'
  becomes "the anchor is back" 100 no-policy.test '^NOTFOUND'
  # Under a running daemon, too.
  resolver stop
  resolver no-anchor
  becomes "the anchor is lost while we run" 90 sts-good.unsigned '^TEMP .'
  stays "and stays lost" 5 ed448.test '^TEMP .'
  resolver stop
  resolver start
  becomes "the anchor is back again" 120 ed448.test '^OK dane-only'
else
  result 1 "the daemon starts under a resolver without trust anchor"
fi
finish
