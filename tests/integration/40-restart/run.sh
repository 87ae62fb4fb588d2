#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Policies survive SIGKILL and SIGTERM, even when TXT record and policy host are gone afterwards.
. "$(dirname "$0")/../lib.sh"

start_daemon
answers sts-good.unsigned
answers sts-v6.unsigned
stop_daemon KILL    # at once: the answer we got must already be on disk

break_dns _mta-sts.sts-good.unsigned TXT nxdomain
break_dns mta-sts.sts-good.unsigned A servfail
break_dns _mta-sts.sts-v6.unsigned TXT servfail
break_dns mta-sts.sts-v6.unsigned AAAA nxdomain
start_daemon
answers sts-good.unsigned
answers sts-v6.unsigned
stop_daemon TERM
start_daemon
answers sts-good.unsigned
answers sts-v6.unsigned

# An enforce policy we know outlives a domain that seems to be gone: the answer may be forged
# towards us alone.  If the MX lookup itself fails, nobody knows, policy or not.
answers sts-wildcard.unsigned
answers policy-dot.unsigned
stop_daemon TERM
for type in MX A AAAA; do break_dns sts-wildcard.unsigned $type nxdomain; done
break_dns policy-dot.unsigned MX servfail
start_daemon
answers sts-wildcard.unsigned
like "an MX lookup that fails, with a policy" '^TEMP .' "$(answer policy-dot.unsigned)"

# With a query under way, SIGTERM ends the daemon soon, and the question is not answered "none".
answer policy-hangs.unsigned > "$LAB_STATE/in-flight" &
client=$!
fetching() { grep -q '"domain": "policy-hangs.unsigned"' "$LAB_STATE/https.log"; }
ok "the policy of policy-hangs.unsigned is fetched" wait_for 15 fetching
stop_daemon TERM
wait $client
like "the question under way" '^TEMP .|[Cc]onnection' "$(cat "$LAB_STATE/in-flight")"

# SIGKILL with a query under way; the next daemon replaces the socket that was left behind.
start_daemon
answer policy-slow.unsigned > "$LAB_STATE/in-flight" &
client=$!
slow() { grep -q '"domain": "policy-slow.unsigned"' "$LAB_STATE/https.log"; }
ok "the policy of policy-slow.unsigned is fetched" wait_for 15 slow
stop_daemon KILL
wait $client
ok "the socket was left behind" test -S "$MAP"
start_daemon
answers policy-slow.unsigned
answers dane-good.test
finish
