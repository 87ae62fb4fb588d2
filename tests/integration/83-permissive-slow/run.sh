#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The resolver lets bogus data pass from some moment on, while the daemon runs: only the canary can
# tell, and it is asked every ten minutes.  Then nothing is answered from its word any more.
. "$(dirname "$0")/../lib.sh"

write_config "$CONFIG"
sed -i 's/^upstream = .*/&\nbogus-canary = expired.test/' "$CONFIG"
start_daemon
answers dane-good.test
answers no-policy.unsigned
resolver stop
resolver permissive
# Tests go with questions that need a lookup: each time another one.
asked=0
sings() { answer "probe$((asked++)).test" > "$LAB_STATE/probe"; logged 'level=alarm.*canary'; }
ok "the canary sings within eleven minutes" wait_for 700 sings
for key in dane-rollover.test sts-good.test no-policy.test nowhere.test; do
  like "$key by a permissive resolver" '^TEMP .' "$(answer "$key")"
done
resolver stop
resolver start
becomes "it validates again" 150 dane-good.test '^OK dane-only$'
becomes "and denies" 60 no-policy.test '^NOTFOUND'
finish
