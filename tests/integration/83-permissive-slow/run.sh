#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The resolver lets bogus data pass from some moment on, while the daemon runs: only the canary can
# tell, and it is asked every ten minutes.  Then nothing counts as unsigned any more by its word;
# what it has proved still holds.
. "$(dirname "$0")/../lib.sh"

write_config "$CONFIG"
sed -i 's/^upstream = .*/&\nbogus-canary = expired.test/' "$CONFIG"
start_daemon
answers dane-good.test
answers no-policy.unsigned
resolver stop
resolver permissive
# It is tested when it says "unsigned": each time for another name.
asked=0
sings() { answer "probe$((asked++)).unsigned" > "$LAB_STATE/probe"; logged 'level=alarm.*canary'; }
ok "the canary sings within eleven minutes" wait_for 700 sings
for key in sts-good.unsigned nowhere.unsigned sts-wildcard.unsigned; do
  like "$key by a permissive resolver" '^TEMP .' "$(answer "$key")"
done
answers dane-rollover.test
resolver stop
resolver start
becomes "it validates again" 150 sts-good.unsigned '^OK secure'
becomes "and denies" 60 nowhere.unsigned '^NOTFOUND'
finish
