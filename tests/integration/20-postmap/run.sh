#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Postfix's own client asks, in every dialect, over both kinds of socket.
. "$(dirname "$0")/../lib.sh"

mkdir "$LAB_STATE/postfix-conf" && : > "$LAB_STATE/postfix-conf/main.cf"
postmap_q() {  # postmap_q KEY MAP [ADDRESS]: the value, or what postmap complains of
  postmap -c "$LAB_STATE/postfix-conf" -q "$1" "socketmap:${3:-unix:$MAP}:$2" \
    2> "$LAB_STATE/postmap.err" || grep socketmap: "$LAB_STATE/postmap.err"
}
says() {  # says KEY MAP: what the table says of the key in the dialect (by its first name)
  local dialect=${2/QUERYwithTLSRPT/postfix-tlsrpt} value
  value=$(expected "$1" "${dialect/QUERY/postfix}")
  value=${value#OK }
  is "$1 ($2)" "${value#NOTFOUND}" "$(postmap_q "$@")"
}

start_daemon
for map in postfix QUERY; do
  says dane-good.test $map
  says sts-good.unsigned $map
  says no-policy.test $map
  like "$map: a bogus MX is temporary" 'temporary error: .*mx-bogus' \
    "$(postmap_q mx-bogus.test $map)"
done
for map in postfix-tlsrpt QUERYwithTLSRPT; do
  says dane-good.test $map
  says sts-good.unsigned $map
  says sts-testing.unsigned $map
done
says dane-good.test postfix-pins
says dane-unusable.test postfix-pins
for map in requiretls sts; do
  says dane-good.test $map
  says sts-good.unsigned $map
  says no-policy.test $map
done
says bücher.test postfix
is "over TCP" dane-only "$(postmap_q dane-good.test postfix inet:127.0.0.1:8461)"
like "an unknown map name" 'permanent error: .*postfix-tlsrpt' "$(postmap_q dane-good.test nonsense)"
finish
