#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# In real time, without tricks: the shortest life of a policy is five minutes.  Over by then, and
# the policy host is dead: nothing is known any more.  Another one is fetched anew in time.
. "$(dirname "$0")/../lib.sh"

start_daemon
answers lint-short-max-age.unsigned
answers policy-age-zero.unsigned
behave https lint-short-max-age.unsigned close
start=$SECONDS
stays "for nearly five minutes" 270 lint-short-max-age.unsigned '^OK secure'
becomes "after five minutes" 90 lint-short-max-age.unsigned '^NOTFOUND'
ok "not before five minutes were over" test $((SECONDS - start)) -ge 290
answers policy-age-zero.unsigned
finish
