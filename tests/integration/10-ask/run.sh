#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every domain of the lab in every dialect, cold and all at once; again, warm; and with other levels
# in main.cf.  What the table does not say by hand, the oracle says.
. "$(dirname "$0")/../lib.sh"

at_level() {  # at_level LEVEL OPTION...: another daemon, which knows the policies already
  stop_daemon TERM
  DEFAULT_LEVEL=$1
  write_config "$CONFIG"
  start_daemon
  ok "all answers are right with default-level = $1" "$LAB_DIR/ask" "$MAP" --oracle --level "$1" \
    --first "${@:2}"
}

start_daemon
ok "all answers are right" "$LAB_DIR/ask" "$MAP" --oracle
ok "all answers are right the second time" "$LAB_DIR/ask" "$MAP" --first
# A domain with DANE is answered before its policy is known; now all policies are.
stop_daemon TERM
start_daemon
ok "all answers are right with the policies known" "$LAB_DIR/ask" "$MAP" --first

# A policy without its TXT record is not fetched, and a domain of DANE alone needs no fetch.
fails "somebody fetched the policy of txt-gone.unsigned" \
  grep -q '"domain": "txt-gone.unsigned"' "$LAB_STATE/https.log"
fails "somebody fetched the policy of a null MX" \
  grep -q '"domain": "sts-null-mx.unsigned"' "$LAB_STATE/https.log"
fails "somebody followed a redirect" grep -q moved.txt "$LAB_STATE/https.log"
fails "somebody sent no SNI" grep -q '"sni": null' "$LAB_STATE/https.log"

at_level encrypt
for level in dane-only secure verify fingerprint; do
  at_level "$level" --dialect postfix
done
finish
