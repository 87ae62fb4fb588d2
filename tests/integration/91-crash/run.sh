#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# kill -9 at any moment loses no policy whose answer was given: ten kills under load (92 has more).
. "$(dirname "$0")/../lib.sh"

ROUNDS=${ROUNDS:-10}
write_config "$CONFIG"
exec python3 -B "$HERE/91-crash/crash.py" --rounds "$ROUNDS" --config "$CONFIG" --store "$STORE" \
  --map "$MAP" --log "$LOG" ${SEED:+--seed "$SEED"}
