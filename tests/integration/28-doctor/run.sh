#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Each finding of `sealane doctor` is provoked by one change to a good installation, with the real
# postconf and the running daemon; no other is reported; and the command that it prints mends it.
. "$(dirname "$0")/../lib.sh"
. "$(dirname "$0")/../doctor.sh"

LIBRARY=$(find /usr/lib -name libfaketime.so.1 | head -n 1)
mkdir -p "$GOOD" "$QUEUE/sealane" "$QUEUE/etc"
cp /etc/resolv.conf "$QUEUE/etc/resolv.conf"
chmod 755 "$QUEUE" "$QUEUE/sealane"
cp "$LAB_CA" "$LAB_STATE/ca.pem" && chmod 644 "$LAB_STATE/ca.pem"
write_config "$GOOD/sealane.conf"
sed -i "s|$LAB_CA|$LAB_STATE/ca.pem|" "$GOOD/sealane.conf"
sed -i "s|^\[sts\]|bogus-canary = mta-sts.policy-host-bogus.test\n&|
  s|^\[exim\]|listen = unix:$QUEUE/sealane/policy,mode=0666\n&|" "$GOOD/sealane.conf"
cp "$GOOD/sealane.conf" "$CONFIG"
cat > "$GOOD/main.cf" << END
compatibility_level = 3.6
queue_directory = $QUEUE
smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8461:postfix
smtp_tls_security_level = may
smtp_tls_CAfile = $LAB_STATE/ca.pem
smtp_dns_support_level = dnssec
smtp_host_lookup = dns
smtp_tls_dane_insecure_mx_policy = dane
END
cat > "$GOOD/master.cf" << 'END'
smtp      inet  n       -       n       -       -       smtpd
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
    -o syslog_name=postfix/$service_name
local     unix  -       n       n       -       -       local
END
start_daemon

# ---- the good one
fresh
is "nothing is found" "" "$(ids)"
doctor > "$LAB_STATE/doctor.out"
is "exit status of the good one" 0 $?
like "what was looked at is said" "^Looked at Postfix 3\..*; sealaned at unix:$ADMIN; resolver 127" \
  "$(head -n 1 "$LAB_STATE/doctor.out")"
cp -r "$GOOD" "$LAB_STATE/before"
ok "looking changes nothing" diff -r "$GOOD" "$LAB_STATE/before"
for map in socketmap:unix:sealane/policy:postfix "socketmap:unix:$QUEUE/sealane/policy:QUERY" \
  socketmap:inet:localhost:8461:postfix "socketmap:unix:$MAP:postfix-pins"; do
  fresh
  main "smtp_tls_policy_maps = $map"
  is "nothing is found with $map" "" "$(ids)"
done
fresh
chrooted "smtp_tls_policy_maps = socketmap:unix:sealane/policy:postfix"
is "nothing is found in a chroot" "" "$(ids)"
fresh
chrooted "smtp_tls_policy_maps = socketmap:unix:/sealane/policy:postfix"
master -F relay/unix/chroot=y
is "nothing is found with a path of the chroot" "" "$(ids)"

# ---- which table is asked
map() { main "smtp_tls_policy_maps = $1"; }
finds postfix-unreadable rm "$LAB_STATE/case/main.cf"
mends postfix-no-map map ""
mends postfix-no-map map hash:/etc/postfix/tls_policy
mends postfix-no-map map "inline:{ { a.example = encrypt, may } }"
mends postfix-map-name map socketmap:inet:127.0.0.1:8461:nonsense
mends postfix-map-name map socketmap:inet:127.0.0.1:8461:requiretls
mends postfix-map-name map socketmap:inet:127.0.0.1:8461:sts
mends postfix-map-version map socketmap:inet:127.0.0.1:8461:postfix-tlsrpt
mends postfix-map-address map socketmap:inet:127.0.0.1:8463:postfix
mends postfix-map-address map socketmap:unix:sealane/absent:postfix
mends postfix-map-chroot chrooted "smtp_tls_policy_maps = socketmap:unix:$MAP:postfix"
mends postfix-map-shadowed map \
  "hash:/etc/postfix/tls_policy, socketmap:inet:127.0.0.1:8461:postfix, inline:{ { a = b } }"
ok "the others stay" grep -q "= socketmap:[^ ]*, hash:[^ ]*, inline:{ { a = b } }" "$CASE/main.cf"
mends postfix-map-proxied map proxy:socketmap:inet:127.0.0.1:8461:postfix

rights() {  # rights MODE FILE: as the daemon would make it in a service of its own
  map socketmap:unix:sealane/policy:postfix && chmod "$1" "$2" && chgrp root "$2"
}
mends postfix-map-denied rights 600 "$QUEUE/sealane/policy"
finds postfix-map-denied rights 700 "$QUEUE/sealane"
ok "the directory in the way is named" \
  grep -q "user postfix may not pass $QUEUE/sealane:" "$LAB_STATE/doctor.json"
mends postfix-map-denied rights 700 "$QUEUE/sealane"
chmod 755 "$QUEUE/sealane" && chmod 666 "$QUEUE/sealane/policy"

moved() {  # the configuration says another port than the daemon, which was not restarted, has
  conf 's/8461/8470/' && map socketmap:inet:127.0.0.1:8470:postfix
}
finds postfix-map-silent moved
/usr/bin/python3 -m http.server --bind 127.0.0.1 8470 > "$LAB_STATE/http.out" 2>&1 &
http=$!
wait_for 10 grep -q Serving "$LAB_STATE/http.out"
finds postfix-map-silent moved
kill $http

# ---- what Postfix does with an answer
mends postfix-level main smtp_tls_security_level=encrypt
unset_level() { main smtp_tls_security_level=dane && conf '/^default-level/d'; }
mends postfix-level unset_level
mends postfix-no-tls main smtp_tls_security_level=none
mends postfix-no-tls main smtp_tls_security_level=
mends postfix-no-ca master -X smtp_tls_CAfile
mends postfix-ca-unusable main "smtp_tls_CAfile = $LAB_STATE/absent.pem"
LD_PRELOAD=$LIBRARY FAKETIME=-100d openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 \
  -nodes -keyout "$LAB_STATE/old.key" -subj /CN=old -days 10 -out "$LAB_STATE/old.pem" \
  2> "$LAB_STATE/openssl.err"
mends postfix-ca-unusable main "smtp_tls_CAfile = $LAB_STATE/old.pem"
mends postfix-ca-chroot chrooted smtp_tls_CAfile= "smtp_tls_CApath = $LAB_DATA"
mends postfix-no-dnssec main smtp_dns_support_level=enabled
mends postfix-no-dnssec master -X smtp_dns_support_level
mends postfix-host-lookup main smtp_host_lookup=native
mends postfix-mx-errors-ignored main ignore_mx_lookup_error=yes
mends postfix-search-list main "smtp_dns_resolver_options = res_defnames, res_dnsrch"
mends postfix-insecure-mx master -X smtp_tls_dane_insecure_mx_policy
mends postfix-insecure-mx main smtp_tls_dane_insecure_mx_policy=encrypt
mends postfix-old-tls main smtp_tls_mandatory_protocols=
mends postfix-old-tls main 'smtp_tls_mandatory_protocols = !SSLv2'
mends postfix-narrow-tls main 'smtp_tls_mandatory_protocols = >=TLSv1.3'
mends postfix-narrow-tls main 'smtp_tls_mandatory_protocols = TLSv1'
mends postfix-idna2003 main enable_idna2003_compatibility=yes
mends postfix-no-smtputf8 main smtputf8_enable=no
is "a note is no problem" 0 "$(fresh; main smtputf8_enable=no; doctor > "$LAB_STATE/out"; echo $?)"
mends postfix-families main inet_protocols=ipv4
families() { conf 's/^\[sts\]/families = ipv6\n&/'; }
mends postfix-families families
mends postfix-wrappermode main smtp_tls_wrappermode=yes
finds postfix-routed main 'relayhost = [relay.example]:587'
finds postfix-routed main 'relayhost = [relay.example]:465' smtp_tls_wrappermode=yes
finds postfix-routed main transport_maps=hash:/etc/postfix/transport
pins() { map socketmap:inet:127.0.0.1:8461:postfix-pins && main smtp_tls_fingerprint_digest=md5; }
mends postfix-fingerprint-digest pins
no_dnssec_pins() {
  map socketmap:inet:127.0.0.1:8461:postfix-pins && master -X smtp_dns_support_level
}
fresh && no_dnssec_pins
is "pins need no DNSSEC of Postfix's" "" "$(ids)"

# ---- main.cf, master.cf, the chroot
mends postfix-obsolete main smtp_use_tls=yes smtp_tls_per_site=hash:/etc/postfix/per_site
enforce() { master -X smtp_tls_security_level && main smtp_enforce_tls=yes &&
  conf 's/^default-level.*/default-level = encrypt/'; }
mends postfix-obsolete enforce
ok "the level that it meant stays" grep -q 'security_level = encrypt' "$CASE/main.cf"
mends postfix-typo main smtp_tls_securitylevel=encrypt
mends postfix-service-override master -P relay/unix/smtp_tls_policy_maps=
mends postfix-service-override master -P smtp/unix/smtp_tls_security_level=none
old_resolv_conf() { chrooted && echo nameserver 192.0.2.1 > "$QUEUE/etc/resolv.conf"; }
mends postfix-chroot-resolv-conf old_resolv_conf

rm "$QUEUE/etc/resolv.conf" && fresh && chrooted
is "without a resolv.conf it is 127.0.0.1, as here" "" "$(ids)"

# ---- sealane.conf and the daemon
finds config-unusable conf 's/^\[log\]/nonsense = 1\n&/'
overrides() { printf 'a.example observe\n' > "$CASE/overrides" &&
  conf "s|^\[policy\]|&\noverrides = $CASE/overrides|"; }
finds overrides-unusable overrides
like "the line is named" "$CASE/overrides:1: .*no reason" "$(cat "$LAB_STATE/doctor.json")"
mends policy-observe conf 's/^\[policy\]/&\nmode = observe/'
mends dane-off conf 's/^\[resolver\]/&\ntrust-ad = never/'
finds resolver-no-canary conf /^bogus-canary/d
finds ca-unusable conf "s|^ca-file = .*|ca-file = $LAB_STATE/absent.pem|"
finds ca-unusable conf "s|^ca-file = .*|ca-file = $LAB_STATE/old.pem|"
mkdir "$LAB_STATE/memory" && mount -t tmpfs tmpfs "$LAB_STATE/memory"
MACHINE='^clock-free$'
# The mended one is in /var/lib, which is on a disk.
mends store-volatile conf "s|^url = .*|url = sqlite:$LAB_STATE/memory/below/sealane.db|"

# A user without rights may not ask, and must be able to reach the program.
cp "$SEALANE" "$LAB_STATE/sealane"
sed -i "s|^url = .*|url = sqlite:/var/lib/sealane/sealane.db|" "$GOOD/sealane.conf"
PROGRAM=(setpriv --reuid nobody --regid nogroup --clear-groups "$LAB_STATE/sealane")
finds daemon-not-asked true
PROGRAM=("$SEALANE")

# ---- resolver and clock
lab_resolver() { resolver stop && resolver "$1"; }
finds resolver-none conf 's/^upstream = .*/upstream = 192.0.2.1/'
finds resolver-self-test lab_resolver no-anchor
like "what is wrong is said" 'does not validate DNSSEC' "$(cat "$LAB_STATE/doctor.json")"
finds resolver-self-test lab_resolver permissive
like "a permissive one is found by the canary" canary "$(cat "$LAB_STATE/doctor.json")"
lab_resolver start
resolv_conf() { printf 'nameserver %s\noptions edns0 trust-ad\n' "$1" > /etc/resolv.conf; }
finds resolver-other resolv_conf 127.0.0.2
ip address add 192.0.2.53/32 dev lo
sed "s|interface: 127.*|interface: 192.0.2.53\n  access-control: 192.0.2.0/24 allow|
  s|unbound\.|other.|g" "$LAB_STATE/unbound.conf" > "$LAB_STATE/other.conf"
unbound -d -c "$LAB_STATE/other.conf" 2> "$LAB_STATE/other.err" &
validates() {
  /usr/bin/python3 -c 'import dns.flags, dns.message, dns.query, sys
query = dns.message.make_query(".", "SOA", want_dnssec=True)
sys.exit(not dns.query.udp(query, sys.argv[1], timeout=1).flags & dns.flags.AD)' "$1" \
    2> "$LAB_STATE/validates.err"
}
ok "another resolver runs" wait_for 10 validates 192.0.2.53
finds resolver-remote resolv_conf 192.0.2.53
resolv_conf 127.0.0.1
finds clock-wrong export "LD_PRELOAD=$LIBRARY" FAKETIME=-9500d DONT_FAKE_MONOTONIC=1 \
  FAKETIME_DONT_FAKE_MONOTONIC=1 \
  "ASAN_OPTIONS=verify_asan_link_order=0:${ASAN_OPTIONS:-}"
unset LD_PRELOAD FAKETIME
# The kernel's clock is not ours to let go: a library says for it that nobody sets it, or somebody.
for state in TIME_ERROR TIME_OK; do
  printf '#include <sys/timex.h>\nint adjtimex(struct timex *t) { (void)t; return %s; }\n' $state |
    cc -shared -fPIC -x c -o "$LAB_STATE/$state.so" -
done
MACHINE='^$'
clock_is() { export "LD_PRELOAD=$LAB_STATE/$1.so"; }
finds clock-free clock_is TIME_ERROR
fresh
clock_is TIME_OK
is "nothing is found where the clock is set" "" "$(ids)"
unset LD_PRELOAD
MACHINE='^clock-free$'

# ---- Postfix 3.10
if tree=$("$HERE/../trees/build" postfix-trixie); then
  mkdir "$LAB_STATE"/{bin,overlay,tree} && mount -t tmpfs tmpfs "$LAB_STATE/overlay" &&
    mkdir "$LAB_STATE/overlay"/{up,work}
  mount -t overlay overlay "$LAB_STATE/tree" \
    -o "lowerdir=$tree,upperdir=$LAB_STATE/overlay/up,workdir=$LAB_STATE/overlay/work"
  mkdir -p "$LAB_STATE/tree$LAB_STATE" && mount --bind "$LAB_STATE" "$LAB_STATE/tree$LAB_STATE"
  printf '#!/bin/sh\nexec chroot %s /usr/sbin/postconf "$@"\n' "$LAB_STATE/tree" \
    > "$LAB_STATE/bin/postconf" && chmod 755 "$LAB_STATE/bin/postconf"
  PATH=$LAB_STATE/bin:$PATH
  cp "$GOOD/main.cf" "$LAB_STATE/main.cf.old"
  sed -i s/8461:postfix/8461:postfix-tlsrpt/ "$GOOD/main.cf"
  fresh
  is "nothing is found" "" "$(ids)"
  like "in Postfix of Debian 13" '"postfix": *"3\.1[0-9]' "$(cat "$LAB_STATE/doctor.json")"
  mends postfix-map-plain map socketmap:inet:127.0.0.1:8461:postfix
  mends postfix-no-map map ""
  ok "the map for this version is named" grep -q ':postfix-tlsrpt$' "$CASE/main.cf"
  mends postfix-mx-patterns-off main smtp_tls_enforce_sts_mx_patterns=no
  mends postfix-srv main use_srv_lookup=submission
  mv "$LAB_STATE/main.cf.old" "$GOOD/main.cf"
  PATH=${PATH#*:}
else
  echo "skip: postfix-trixie"
  printf '%s\n' postfix-map-plain postfix-mx-patterns-off postfix-srv >> "$SEEN"
fi

# ---- what it says to whom
fresh && main "$(printf 'smtp_tls_policy_maps = socketmap:inet:127.0.0.1:8461:\033[31m\302\233x')"
doctor > "$LAB_STATE/doctor.out"
is "exit status with an error" 1 $?
fails "nothing a terminal would obey" grep -qP '[\x00-\x09\x0b-\x1f\x7f-\xff]' "$LAB_STATE/doctor.out"
fails "no colours in a pipe" grep -q $'\033' "$LAB_STATE/doctor.out"
ok "the command is shown" grep -q "^ *# postconf -c $CASE -e 'smtp_tls" "$LAB_STATE/doctor.out"
on_terminal() {  # what it would show there
  script -qec "$(printf '%q ' "${PROGRAM[@]}" doctor "${MTA[@]}" --config "$CASE/sealane.conf")" \
    "$LAB_STATE/typescript" > "$LAB_STATE/script.out"
}
on_terminal
ok "colours on a terminal" grep -q $'\033\[1;31merror' "$LAB_STATE/typescript"
NO_COLOR=1 on_terminal
fails "but not with NO_COLOR" grep -q $'\033\[1;31merror' "$LAB_STATE/typescript"
doctor --nonsense 2> "$LAB_STATE/doctor.err"
is "wrong usage" 2 $?
doctor surplus 2> "$LAB_STATE/doctor.err"
is "a word too many" 2 $?
fresh
: > "$LAB_STATE/empty"
postconf=$(realpath "$(command -v postconf)")
mount --bind "$LAB_STATE/empty" "$postconf"
MTA=()
doctor > "$LAB_STATE/doctor.out"
is "without an MTA" 3 $?
ok "it says so" grep -q "no MTA" "$LAB_STATE/doctor.out"
MTA=(--postfix-config "$CASE")
doctor > "$LAB_STATE/doctor.out"
is "without the Postfix that was named" 3 $?
umount "$postconf"

# ---- without a daemon
stop_daemon TERM
finds daemon-down true
"$SEALANED" --config "$CONFIG" --policy.mode=observe --resolver.trust-ad=never 2>> "$LOG" &
DAEMON=$!
wait_for "$READY_PATIENCE" ready_or_dead
finds daemon-warns true
like "its words are shown" 'DANE is off' "$(cat "$LAB_STATE/doctor.json")"
stop_daemon TERM

# ---- reports that nobody takes
"$SEALANED" --config "$CONFIG" --tlsrpt.socket="unix:$LAB_STATE/absent" 2>> "$LOG" &
DAEMON=$!
wait_for "$READY_PATIENCE" ready_or_dead
answers policy-404.unsigned   # a failure that its domain wants to know of
dropped() { "$SEALANE" status --admin "unix:$ADMIN" | grep -q ' 1 dropped'; }
ok "nobody takes the report" wait_for 10 dropped
finds tlsrpt-unsent true
like "and why" "$LAB_STATE/absent: No such file" "$(cat "$LAB_STATE/doctor.json")"

# ---- every finding was provoked; those of Exim have a case of their own
"$SEALANE" doctor --list | awk '{ print $1 }' | grep -v '^exim-' | sort > "$LAB_STATE/all"
is "findings that nobody has provoked" "" "$(sort -u "$SEEN" | comm -13 - "$LAB_STATE/all")"
finish
