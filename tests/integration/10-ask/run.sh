#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every question of the lab's table, cold and all at once; then again, warm.
. "$(dirname "$0")/../lib.sh"

start_daemon
ok "all answers are right" "$LAB_DIR/ask" "$MAP"
ok "all answers are right the second time" "$LAB_DIR/ask" "$MAP" --first --only \
  '^(?!policy-hangs)'

# A policy without its TXT record is not fetched, and a domain of DANE alone needs no fetch.
fails "somebody fetched the policy of txt-gone.unsigned" \
  grep -q '"domain": "txt-gone.unsigned"' "$LAB_STATE/https.log"
fails "somebody followed a redirect" grep -q moved.txt "$LAB_STATE/https.log"
finish
