#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What time brings: ids and policies change, TXT and TLSA records come and go, policies run out,
# zones become insecure.  libfaketime shifts the daemon's clocks; nobody else's.
. "$(dirname "$0")/../lib.sh"

LIBRARY=$(find /usr/lib -name libfaketime.so.1 | head -n 1)
SHIFT=0
echo +0 > "$LAB_STATE/time"
# ASan's allocator must not ask for the time under its own lock: libfaketime allocates to tell it.
SANITIZER=verify_asan_link_order=0:allocator_release_to_os_interval_ms=-1:${ASAN_OPTIONS:-}
with_time() {  # with_time [NAME=VALUE...]: the daemon's environment from now on
  WRAPPER=(env "LD_PRELOAD=$LIBRARY" "FAKETIME_TIMESTAMP_FILE=$LAB_STATE/time" FAKETIME_NO_CACHE=1
    "ASAN_OPTIONS=$SANITIZER" "$@")
}
later() {  # later SECONDS
  SHIFT=$((SHIFT + $1))
  echo "+$SHIFT" > "$LAB_STATE/time.new" && mv "$LAB_STATE/time.new" "$LAB_STATE/time"
}
txt() { break_dns "_mta-sts.$1" TXT forge "\"v=STSv1; id=$2;\""; }
policy() { behave body "$1" "version: STSv1\\nmode: $2\\n${3:+mx: $3\\n}max_age: ${4:-604800}\\n"; }

with_time
start_daemon

# ---- MTA-STS: a new id replaces at once what we hold, whatever the mode
domain=time-id.unsigned
answers $domain
policy $domain enforce other.$domain
later 10
answers $domain                    # the same id: nobody looks yet
txt $domain 2
later 65                           # a TXT record is kept for a minute at least
becomes "a new id brings the new policy" 15 $domain "^OK secure match=other.$domain "
policy $domain none
txt $domain 3
later 65
becomes "a new id brings mode none" 15 $domain '^NOTFOUND'
ok "that enforce became none is told" wait_for 10 logged "warning .*$domain"
policy $domain enforce mx.$domain
txt $domain 4
later 65
becomes "and enforce again" 15 $domain "^OK secure match=mx.$domain "

# A new id whose policy can't be fetched, or is none, or no TXT record at all: what we hold, holds.
behave https $domain 404
txt $domain 5
later 65
stays "a new id and 404" 3 $domain "^OK secure match=mx.$domain "
break_dns _mta-sts.$domain TXT nxdomain
later 65
stays "no TXT record" 3 $domain "^OK secure match=mx.$domain "
break_dns _mta-sts.$domain TXT servfail
later 65
stays "a TXT record that fails" 3 $domain "^OK secure match=mx.$domain "

# Without a new id the daily fetch finds the change.
domain=sts-good.optout
answers $domain
policy $domain enforce daily.$domain
later 100000
becomes "the daily fetch finds another policy" 60 $domain "^OK secure match=daily.$domain "
ok "that it changed without a new id is told" \
  wait_for 10 logged "warning .*without_new_id .*$domain"

# ---- a policy runs out while its host is dead
domain=time-short.unsigned
answers $domain
behave https $domain close
later 200
stays "before the expiry" 2 $domain "^OK secure match=mx.$domain "
later 150
becomes "after the expiry" 40 $domain '^NOTFOUND'
ok "the operator is told" wait_for 10 logged "(error|alarm) .*$domain"
# The same, while nobody can know whether there is a newer one.
domain=lint-short-max-age.unsigned
answers $domain
behave https $domain close
break_dns _mta-sts.$domain TXT servfail
later 310
becomes "after the expiry, with a TXT lookup that fails" 40 $domain '^TEMP .*_mta-sts'

# ---- a TXT lookup that fails for long: a quarter of an hour and three times, then nothing is known
domain=txt-servfail.unsigned
like "a TXT failure" '^TEMP' "$(answer $domain)"
for seconds in 35 65 125; do
  later $seconds
  like "a TXT failure, ever again" '^TEMP' "$(answer $domain)"
done
later 900
becomes "the bound is reached" 45 $domain '^NOTFOUND'
ok "that the bound was reached is told" wait_for 10 logged "warning .*$domain"
mend_dns _mta-sts.$domain TXT
later 301
becomes "an answer at last" 45 $domain "^OK secure match=mx.$domain "

# ---- TLSA records come and go; a domain loses its DS
answers time-no-tlsa.test
rezone time-no-tlsa.test '+_25._tcp.mx.time-no-tlsa.test. IN TLSA 3 1 1 '"$(printf '%064d' 0)"
later 35                           # an absence is kept for half a minute at least
becomes "a TLSA record appears" 10 time-no-tlsa.test '^OK dane-only'
answers time-tlsa.test
rezone time-tlsa.test '-\sTLSA\s'
later 10
becomes "a TLSA record vanishes" 10 time-tlsa.test '^NOTFOUND'
ok "that TLSA records vanished is told" wait_for 10 logged 'warning .*time-tlsa.test'
answers time-ds.test
rezone test '-^time-ds\.test\.\s.*\sDS\s'
later 65
becomes "a zone becomes insecure" 10 time-ds.test '^NOTFOUND'
ok "that the zone became insecure is told" wait_for 10 logged 'warning .*time-ds.test'
stop_daemon TERM

# ---- the wall clock alone jumps: an alarm, and no policy is lost before somebody looked for it
with_time FAKETIME_DONT_FAKE_MONOTONIC=1
start_daemon
answers sts-good.unsigned
answers sts-good.example
for domain in sts-good.unsigned sts-good.example; do behave https $domain close; done
later 691200                       # eight days; the policies live for seven
stays "a policy when the clock jumps" 5 sts-good.unsigned '^OK secure'
ok "the jump raises an alarm" wait_for 90 logged 'alarm .*clock'
answers sts-good.example
finish
