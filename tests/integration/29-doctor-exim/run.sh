#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The findings of `sealane doctor` about Exim, each provoked in a real configuration of a real Exim,
# and mended as it says.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../doctor.sh"

tree=${EXIM_TREE:-$("$HERE/../trees/build" exim-bookworm)} || exit "$SKIP"
mkdir -p "$GOOD" "$LAB_STATE"/{bin,overlay,tree} && mount -t tmpfs tmpfs "$LAB_STATE/overlay" &&
  mkdir "$LAB_STATE/overlay"/{up,work}
mount -t overlay overlay "$LAB_STATE/tree" \
  -o "lowerdir=$tree,upperdir=$LAB_STATE/overlay/up,workdir=$LAB_STATE/overlay/work"
mkdir -p "$LAB_STATE/tree$LAB_STATE" && mount --bind "$LAB_STATE" "$LAB_STATE/tree$LAB_STATE"
printf '#!/bin/sh\nexec chroot %s /usr/sbin/exim4 "$@"\n' "$LAB_STATE/tree" \
  > "$LAB_STATE/bin/exim4" && chmod 755 "$LAB_STATE/bin/exim4"
: > "$LAB_STATE/tree/etc/resolv.conf"
mount --bind /etc/resolv.conf "$LAB_STATE/tree/etc/resolv.conf"
PATH=$LAB_STATE/bin:$PATH

write_config "$GOOD/sealane.conf"
sed -i "s|^\[sts\]|bogus-canary = mta-sts.policy-host-bogus.test\n&|" "$GOOD/sealane.conf"
cp "$GOOD/sealane.conf" "$CONFIG"
cat > "$GOOD/exim.conf" << 'END'
keep_environment =
primary_hostname = client.lab.test
dns_dnssec_ok = 1
begin routers
tls_policy:
  driver = redirect
  address_data = ${readsocket{/run/sealane/exim.sock}{exim $domain\n}{20s:cache=yes}{ }}
  allow_defer
  data =
dnslookup:
  driver = dnslookup
  transport = remote_smtp
  no_more
begin transports
remote_smtp:
  driver = smtp
  multi_domain = false
  hosts_require_tls = ${if eq{${extract{level}{$address_data}}}{secure}{*}}
local:
  driver = appendfile
  file = /var/mail/nobody
END
# There is a Postfix on this machine too, and not the one in question.
: > "$LAB_STATE/empty"
mount --bind "$LAB_STATE/empty" "$(realpath "$(command -v postconf)")"
MTA=(--exim-config "$CASE/exim.conf")
exim() { sed -i "$1" "$CASE/exim.conf"; }
start_daemon

fresh
is "nothing is found" "" "$(ids)"
doctor > "$LAB_STATE/doctor.out"
is "exit status of the good one" 0 $?
like "what was looked at is said" '^Looked at Exim 4\.' "$(head -n 1 "$LAB_STATE/doctor.out")"

finds exim-unreadable exim 's/driver = smtp/driver = smpt/'
like "what is wrong with it is said" smpt "$(cat "$LAB_STATE/doctor.json")"
no_trust_ad() { echo 'nameserver 127.0.0.1' > /etc/resolv.conf; }
mends exim-no-trust-ad no_trust_ad
finds exim-no-dnssec exim 's/^dns_dnssec_ok = .*/dns_dnssec_ok = 0/'
finds exim-router-no-dnssec exim 's/^  no_more/  dnssec_request_domains =\n&/'
# shellcheck disable=SC2016
finds exim-asks-in-transport \
  exim 's|^  hosts_require_tls = .*|  hosts_require_tls = ${readsocket{/run/x}{$domain}{5s}{}{}}|'
finds exim-no-dane exim 's/^  multi_domain.*/&\n  hosts_try_dane =/'
finds exim-trust-aa exim 's/^dns_dnssec_ok.*/&\ndns_trust_aa = *.example/'
finds exim-requires-dane exim 's/^  multi_domain.*/&\n  hosts_require_dane = */'

"$SEALANE" doctor --list | awk '/^exim-/ { print $1 }' | sort > "$LAB_STATE/all"
is "findings that nobody has provoked" "" "$(sort -u "$SEEN" | comm -13 - "$LAB_STATE/all")"
finish
